//! The object store: pieces go in once, are read back, and are described by manifests and the group's log.
//!
//! Start at [`ObjectStore`], which is `world::Store` over the `object_store` crate. Keys are in [`keys`]; the digest
//! of record in [`digest`]; the upload in `upload`, the way back in `prove`.
//!
//! This room never overwrites an object and never decides what is kept.

mod breaker;
mod certificate;
mod chunk;
pub mod digest;
mod each;
mod errors;
mod folder;
pub mod hash;
pub mod keys;
mod layout;
mod lease;
mod lock;
mod log;
mod manifest;
mod many;
mod open;
mod opened;
mod parts;
mod pool;
mod probe;
mod prove;
mod range;
mod read;
mod remove;
mod retry;
mod said;
mod sealed;
mod shelf;
mod source;
mod staging;
mod sweep;
mod there;
mod throttle;
mod upload;
mod uploads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use tokio::sync::{Mutex, Semaphore};

use crate::config::{KeepingConfig, StoreConfig, TransferConfig};
use crate::error::{Code, Error, Result};
use crate::model::{Certificate, GroupName, PieceCopy, Set, Sha256Digest, StoreName, StoredStripe};
use crate::seal::Ring;
use crate::world::{
    Chained, Clock, Footing, LogEntry, LogFact, Progress, Removal, StepProgress, Store, Tap,
};

use lease::Lease;
use retry::Calls;
use sweep::Unfinished;
use throttle::Throttle;
use uploads::Uploads;

pub use many::Stores;
pub use open::Backend;
pub use pool::Pool;
pub use shelf::{Shelf, ShelfObject};
pub use staging::LocalStaging;

/// How this agent uses a store.
#[derive(Clone, Debug)]
pub struct AgentIdentity {
    /// Who holds leases: stable over restarts, different for each state folder.
    pub id: String,
    /// For people: host and process account.
    pub name: String,
}

/// How bytes travel to a store and back.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    /// Parts of one stripe that travel at the same time, either way.
    parts_in_flight: usize,
    /// Chunks that one object may have.
    segment_chunks: u64,
}

/// One object store below one prefix.
pub struct ObjectStore {
    name: StoreName,
    objects: Arc<dyn object_store::ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    unfinished: Unfinished,
    prefix: Key,
    agent: AgentIdentity,
    clock: Arc<dyn Clock>,
    lease_ttl: std::time::Duration,
    lease: Mutex<Option<Lease>>,
    /// The lease of another agent that was looked at last, and since when it is unchanged.
    watched: std::sync::Mutex<Option<(u64, std::time::Duration)>>,
    /// The newest log entry of each group that was seen here.
    seen: std::sync::Mutex<BTreeMap<GroupName, u64>>,
    transfer: Transfer,
    pool: Arc<Pool>,
    throttle: Arc<Throttle>,
    calls: Arc<Calls>,
    reads: Arc<Semaphore>,
    uploads: Uploads,
    /// Where long waits are shown; none where nobody looks.
    progress: Option<Arc<dyn Progress>>,
    ring: Option<Arc<Ring>>,
    keeping: KeepingConfig,
}

impl ObjectStore {
    /// Opens the store that the configuration names; nothing is contacted yet.
    ///
    /// # Errors
    /// `SM0103` when the URL or an option cannot be used.
    pub fn open(
        config: &StoreConfig,
        agent: AgentIdentity,
        clock: Arc<dyn Clock>,
        lease_ttl: std::time::Duration,
    ) -> Result<Self> {
        // Whoever comes first says how much memory the process may use for pieces.
        let pool = Pool::of_the_process_with(config.transfer.memory_bytes);
        let (backend, prefix) = Backend::open(config)?;
        let store = Self::over(backend, prefix, agent, clock, lease_ttl);
        let mut store = store.with_name(config.name.clone());
        store.keeping = config.keeping.clone();
        Ok(store.with_transfer(&config.transfer).with_pool(pool))
    }

    /// A store over any backend, with default limits.
    #[must_use]
    pub fn over(
        backend: Backend,
        prefix: Key,
        agent: AgentIdentity,
        clock: Arc<dyn Clock>,
        lease_ttl: std::time::Duration,
    ) -> Self {
        Self {
            name: StoreName::default(),
            objects: backend.objects,
            parts: backend.parts,
            unfinished: backend.unfinished,
            prefix,
            agent,
            lease_ttl,
            lease: Mutex::new(None),
            watched: std::sync::Mutex::default(),
            seen: std::sync::Mutex::default(),
            transfer: Transfer {
                parts_in_flight: TransferConfig::default().parts_in_flight,
                segment_chunks: layout::SEGMENT_CHUNKS,
            },
            pool: Pool::of_the_process(),
            throttle: Arc::new(Throttle::new(Vec::new(), clock.clone())),
            calls: Arc::new(Calls::new(clock.clone())),
            reads: Arc::new(Semaphore::new(range::READS_MAX)),
            uploads: Uploads::default(),
            progress: None,
            ring: None,
            keeping: KeepingConfig::default(),
            clock,
        }
    }

    /// Under this name in manifests and the group's log.
    #[must_use]
    pub fn with_name(mut self, name: StoreName) -> Self {
        self.name = name;
        self
    }

    fn with_transfer(mut self, config: &TransferConfig) -> Self {
        self.transfer.parts_in_flight = config.parts_in_flight;
        self.throttle = Arc::new(Throttle::new(config.bandwidth.clone(), self.clock.clone()));
        self
    }

    /// With another budget of memory than the process's.
    #[must_use]
    pub fn with_pool(mut self, pool: Arc<Pool>) -> Self {
        self.pool = pool;
        self
    }

    /// Remembers unfinished uploads in this folder, so that they are resumed after a crash.
    #[must_use]
    pub fn with_uploads(mut self, folder: PathBuf) -> Self {
        self.uploads = Uploads::of(folder);
        self
    }

    /// Shows on this how it waits for another agent.
    pub(crate) fn show_on(&mut self, progress: Arc<dyn Progress>) {
        self.progress = Some(progress);
    }

    /// Seals what is uploaded for the recipients of a ring, and opens what is fetched with its keys.
    #[must_use]
    pub fn with_ring(mut self, ring: Option<Ring>) -> Self {
        self.ring = ring.map(Arc::new);
        self
    }

    /// Cuts stripes into segments of so many chunks; for tests, which have no terabytes.
    #[must_use]
    pub const fn with_segments_of(mut self, chunks: u64) -> Self {
        self.transfer.segment_chunks = chunks;
        self
    }

    /// The stripe under the key of each copy that this store holds, never none; a stripe that names no copies is its
    /// only one.
    ///
    /// # Errors
    /// `SM0705` when other stores hold all copies.
    fn own(&self, stripe: &StoredStripe) -> Result<Vec<StoredStripe>> {
        if stripe.copies.is_empty() {
            return Ok(vec![stripe.clone()]);
        }
        let own = stripe.copies.iter().filter(|it| it.store == self.name);
        let places: Vec<StoredStripe> = own.map(|copy| located(stripe, copy)).collect();
        if places.is_empty() {
            let message = format!("store `{}` has no copy of an object", self.name);
            return Err(Error::new(Code::ObjectMissing, message)
                .at("object", &stripe.key)
                .hint("`stopmark scrub` makes copies that are owed"));
        }
        Ok(places)
    }

    /// The key of an object below this store's prefix.
    fn key(&self, below: &str) -> Key {
        self.prefix
            .parts()
            .chain(below.split('/').map(Into::into))
            .collect()
    }
}

#[async_trait]
impl Store for ObjectStore {
    fn names(&self) -> Vec<StoreName> {
        vec![self.name.clone()]
    }

    async fn upload(
        &self,
        file: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe> {
        let mut feed = upload::Feed::new(tap, progress);
        self.upload_file(file, key, &mut feed).await
    }

    async fn prove(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        for place in self.own(stripe)? {
            self.prove_stripe(&place, whole, progress).await?;
        }
        Ok(())
    }

    async fn prove_sample(&self, stripe: &StoredStripe, progress: &dyn StepProgress) -> Result<()> {
        for place in self.own(stripe)? {
            Self::prove_sample(self, &place, progress).await?;
        }
        Ok(())
    }

    async fn sweep(&self, group: &GroupName) -> Result<u64> {
        self.sweep_group(group).await
    }

    async fn fetch(
        &self,
        stripe: &StoredStripe,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let mut failed = None;
        for place in self.own(stripe)? {
            match self.fetch_stripe(&place, file, progress).await {
                Ok(()) => return Ok(()),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn write_manifest(&self, set: &Set) -> Result<(String, Sha256Digest)> {
        self.write_set(set).await
    }

    async fn write_certificate(&self, certificate: &Certificate) -> Result<(String, Sha256Digest)> {
        self.write_drill(certificate).await
    }

    async fn read_certificate(&self, key: &str, digest: Sha256Digest) -> Result<Certificate> {
        self.read_drill(key, digest).await
    }

    async fn append(&self, group: &GroupName, fact: LogFact) -> Result<u64> {
        self.append_fact(group, fact).await
    }

    async fn log_after(&self, group: &GroupName, after: u64) -> Result<Vec<LogEntry>> {
        self.entries_after(group, after).await
    }

    fn log_batches<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> BoxStream<'a, Result<Vec<Chained>>> {
        self.batches_after(group, after, digest)
    }

    async fn read_sets(
        &self,
        _group: &GroupName,
        named: Vec<(String, Sha256Digest)>,
    ) -> Result<Vec<Set>> {
        self.read_manifests(named).await
    }

    async fn read_set(
        &self,
        _group: &GroupName,
        manifest_key: &str,
        digest: Sha256Digest,
    ) -> Result<Set> {
        self.read_manifest(manifest_key, digest).await
    }

    async fn take_lease(&self, group: &GroupName) -> Result<()> {
        self.take_or_renew(group).await
    }

    async fn stand(&self, group: &GroupName) -> Result<Footing> {
        self.look_at_lease(group).await
    }

    fn held_last(&self, group: &GroupName) -> bool {
        self.uploads.held_last(group)
    }

    async fn release_lease(&self, group: &GroupName) -> Result<()> {
        self.release(group).await
    }

    async fn honours_create(&self, key: &str) -> Result<bool> {
        self.probe_create(key).await
    }

    async fn remove_probe(&self, key: &str) -> Result<()> {
        self.delete_probe(key).await
    }

    async fn remove(&self, group: &GroupName, stripe: &StoredStripe) -> Result<Removal> {
        self.remove_stripe(group, stripe).await
    }
}

/// The stripe under the key that this copy has.
fn located(stripe: &StoredStripe, copy: &PieceCopy) -> StoredStripe {
    StoredStripe {
        key: copy.key(&stripe.key),
        ..stripe.held_by(vec![copy.clone()])
    }
}
