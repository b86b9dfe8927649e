//! The object store: pieces go in once, are read back, and are described by manifests and the group's log.
//!
//! Start at [`ObjectStore`], which is `world::Store` over the `object_store` crate. Keys are in [`keys`]; the digest
//! of record in [`digest`]; the upload in `upload`, the way back in `prove`.
//!
//! This room never overwrites an object and never decides what is kept.

mod breaker;
pub mod digest;
mod each;
mod errors;
mod folder;
pub mod hash;
pub mod keys;
mod layout;
mod lease;
mod log;
mod manifest;
mod open;
mod opened;
mod parts;
mod pool;
mod probe;
mod prove;
mod range;
mod read;
mod retry;
mod said;
mod sealed;
mod shelf;
mod source;
mod staging;
mod sweep;
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
use tokio::sync::Mutex;

use crate::config::{StoreConfig, TransferConfig};
use crate::error::Result;
use crate::model::{GroupName, Set, Sha256Digest, StoredStripe};
use crate::seal::Ring;
use crate::world::{Chained, Clock, LogEntry, LogFact, Progress, StepProgress, Store, Tap};

use lease::Lease;
use retry::Calls;
use sweep::Unfinished;
use throttle::Throttle;
use uploads::Uploads;

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
    objects: Arc<dyn object_store::ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    unfinished: Unfinished,
    prefix: Key,
    agent: AgentIdentity,
    clock: Arc<dyn Clock>,
    lease_ttl: std::time::Duration,
    lease: Mutex<Option<Lease>>,
    /// The newest log entry of each group that was seen here.
    seen: std::sync::Mutex<BTreeMap<GroupName, u64>>,
    transfer: Transfer,
    pool: Arc<Pool>,
    throttle: Arc<Throttle>,
    calls: Arc<Calls>,
    uploads: Uploads,
    /// Where long waits are shown; none where nobody looks.
    progress: Option<Arc<dyn Progress>>,
    ring: Option<Arc<Ring>>,
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
            objects: backend.objects,
            parts: backend.parts,
            unfinished: backend.unfinished,
            prefix,
            agent,
            lease_ttl,
            lease: Mutex::new(None),
            seen: std::sync::Mutex::default(),
            transfer: Transfer {
                parts_in_flight: TransferConfig::default().parts_in_flight,
                segment_chunks: layout::SEGMENT_CHUNKS,
            },
            pool: Pool::of_the_process(),
            throttle: Arc::new(Throttle::new(Vec::new(), clock.clone())),
            calls: Arc::new(Calls::new(clock.clone())),
            uploads: Uploads::default(),
            progress: None,
            ring: None,
            clock,
        }
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
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
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
    async fn upload(
        &self,
        file: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe> {
        self.upload_file(file, key, tap, progress).await
    }

    async fn prove(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.prove_stripe(stripe, whole, progress).await
    }

    async fn prove_sample(&self, stripe: &StoredStripe, progress: &dyn StepProgress) -> Result<()> {
        Self::prove_sample(self, stripe, progress).await
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
        self.fetch_stripe(stripe, file, progress).await
    }

    async fn write_manifest(&self, set: &Set) -> Result<(String, Sha256Digest)> {
        self.write_set(set).await
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

    async fn release_lease(&self, group: &GroupName) -> Result<()> {
        self.release(group).await
    }

    async fn honours_create(&self, key: &str) -> Result<bool> {
        self.probe_create(key).await
    }

    async fn remove_probe(&self, key: &str) -> Result<()> {
        self.delete_probe(key).await
    }
}
