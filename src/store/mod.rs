//! The object store: pieces go in once, are read back, and are described by manifests and the group's log.
//!
//! Start at [`ObjectStore`], which is `world::Store` over the `object_store` crate. The layout is in
//! [`keys`]; the digest of record in [`digest`].
//!
//! This room never overwrites an object and never decides what is kept.

pub mod digest;
mod errors;
pub mod keys;
mod lease;
mod log;
mod manifest;
mod open;
mod probe;
mod read;
mod shelf;
mod staging;
mod upload;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path as Key;
use tokio::sync::Mutex;

use crate::config::StoreConfig;
use crate::error::Result;
use crate::model::{GroupName, Set, Sha256Digest, StoredStripe};
use crate::world::{Clock, LogEntry, LogFact, StepProgress, Store, Tap};

use lease::Lease;

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

/// One object store below one prefix.
pub struct ObjectStore {
    inner: Arc<dyn object_store::ObjectStore>,
    prefix: Key,
    agent: AgentIdentity,
    clock: Arc<dyn Clock>,
    lease_ttl: std::time::Duration,
    lease: Mutex<Option<Lease>>,
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
        let (inner, prefix) = open::open(config)?;
        Ok(Self::over(inner, prefix, agent, clock, lease_ttl))
    }

    /// A store over any `object_store` implementation, for tests.
    #[must_use]
    pub fn over(
        inner: Arc<dyn object_store::ObjectStore>,
        prefix: Key,
        agent: AgentIdentity,
        clock: Arc<dyn Clock>,
        lease_ttl: std::time::Duration,
    ) -> Self {
        Self {
            inner,
            prefix,
            agent,
            clock,
            lease_ttl,
            lease: Mutex::new(None),
        }
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
