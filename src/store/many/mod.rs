//! Several stores as one: pieces go to all of them in one read, and come back from whichever has them whole.
//!
//! Start at [`Stores`]. The first store leads: lease, group's log and manifests that count are its own, since
//! create-if-absent can be decided in one place only; `mirror` brings copies of them to the others. `upload` hands
//! the chunks out, `copy` makes copies that are owed, `distance` leaves a store alone that fails again and again.
//!
//! This room never decides which copies are made, and never waits for a further store as long as for the first.

mod copy;
mod distance;
mod mirror;
mod upload;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

use super::upload::Feed;
use super::{AgentIdentity, ObjectStore, located};
use crate::config::{Config, StoreConfig};
use crate::error::{Code, Error, Result};
use crate::model::{Certificate, GroupName, PieceCopy, Set, Sha256Digest, StoreName, StoredStripe};
use crate::world::{
    Chained, Clock, Footing, LogEntry, LogFact, Progress, Removal, StepProgress, Store, Tap,
};

use distance::Distance;
use mirror::Mirrored;

/// One store or several.
pub struct Stores {
    leading: Arc<ObjectStore>,
    further: Vec<Further>,
    clock: Arc<dyn Clock>,
}

/// A store that does not lead.
struct Further {
    store: Arc<ObjectStore>,
    distance: Distance,
    mirrored: Mirrored,
}

impl Stores {
    /// Opens every store of a configuration; nothing is contacted yet. Unfinished uploads are remembered in the state
    /// folder, so that they are resumed after a crash.
    ///
    /// # Errors
    /// `SM0103` when a URL or an option cannot be used.
    pub fn open(config: &Config, agent: &AgentIdentity, clock: &Arc<dyn Clock>) -> Result<Self> {
        let ttl = config.policy.lease_ttl;
        let open = |store: &StoreConfig| {
            let opened = ObjectStore::open(store, agent.clone(), clock.clone(), ttl)?;
            let uploads = config.state.join("uploads").join(store.name.as_str());
            Ok(opened.with_uploads(uploads).with_ring(config.ring()))
        };
        let leading = open(&config.store)?;
        let further = config.further_stores.iter().map(open);
        let further = further.collect::<Result<_>>()?;
        Ok(Self::of(leading, further, clock))
    }

    /// Shows on this how it waits for another agent, who holds the lease in the store that leads.
    #[must_use]
    pub fn with_progress(mut self, progress: &Arc<dyn Progress>) -> Self {
        // Nobody else has the store yet: it was made a moment ago.
        if let Some(leading) = Arc::get_mut(&mut self.leading) {
            leading.show_on(progress.clone());
        }
        self
    }

    /// These stores, each with a name of its own.
    #[must_use]
    pub fn of(leading: ObjectStore, further: Vec<ObjectStore>, clock: &Arc<dyn Clock>) -> Self {
        let further = further.into_iter().map(|store| Further {
            store: Arc::new(store),
            distance: Distance::new(clock.clone()),
            mirrored: Mirrored::default(),
        });
        Self {
            leading: Arc::new(leading),
            further: further.collect(),
            clock: clock.clone(),
        }
    }

    /// Every store, the one that leads first.
    fn all(&self) -> impl Iterator<Item = &Arc<ObjectStore>> {
        std::iter::once(&self.leading).chain(self.further.iter().map(|it| &it.store))
    }

    fn find(&self, name: &StoreName) -> Result<&Arc<ObjectStore>> {
        let found = self.all().find(|store| store.name == *name);
        found.ok_or_else(|| {
            let names: Vec<String> = self.all().map(|store| store.name.to_string()).collect();
            Error::new(
                Code::StoreRefused,
                format!("the configuration has no store `{name}`"),
            )
            .at("stores", names.join(", "))
            .hint("name the store under `[[store]]` again, or use a copy in another one")
        })
    }

    /// Where the copies of a stripe are: each store with the stripe under its key there. A stripe that names no
    /// copies was written when there was one store, which is the one that leads.
    fn places(&self, stripe: &StoredStripe) -> Vec<Result<(&Arc<ObjectStore>, StoredStripe)>> {
        if stripe.copies.is_empty() {
            return vec![Ok((&self.leading, stripe.clone()))];
        }
        let place = |copy: &PieceCopy| Ok((self.find(&copy.store)?, located(stripe, copy)));
        stripe.copies.iter().map(place).collect()
    }

    /// An error of a store, with its name where there are several.
    fn named(&self, store: &ObjectStore, error: Error) -> Error {
        if self.further.is_empty() {
            return error;
        }
        error.at("store", &store.name)
    }

    /// Asks the store that leads; where it cannot answer, those that hold copies of what it should know.
    async fn read<T, F>(&self, mut ask: impl FnMut(Arc<ObjectStore>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let error = match ask(self.leading.clone()).await {
            Err(error) => self.named(&self.leading, error),
            answered => return answered,
        };
        for further in &self.further {
            if let Ok(answer) = ask(further.store.clone()).await {
                let name = &further.store.name;
                tracing::warn!(store = %name, "read from a copy, since: {error}");
                return Ok(answer);
            }
        }
        Err(error)
    }
}

#[async_trait]
impl Store for Stores {
    fn names(&self) -> Vec<StoreName> {
        self.all().map(|store| store.name.clone()).collect()
    }

    fn alone(&self, name: &StoreName) -> Option<Arc<dyn Store>> {
        let store = self.find(name).ok()?.clone();
        Some(store)
    }

    async fn copy(
        &self,
        stripe: &StoredStripe,
        to: &PieceCopy,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.copy_stripe(stripe, to, progress).await
    }

    async fn mirror_log(&self, group: &GroupName, to: &StoreName) -> Result<u64> {
        self.mirror(group, to).await
    }

    async fn upload(
        &self,
        file: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe> {
        let mut feed = Feed::new(tap, progress);
        self.upload_somewhere(file, key, &mut feed).await
    }

    async fn prove(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        for place in self.places(stripe) {
            let (store, stripe) = place?;
            let proven = store.prove_stripe(&stripe, whole, progress).await;
            proven.map_err(|error| self.named(store, error))?;
        }
        Ok(())
    }

    async fn prove_sample(&self, stripe: &StoredStripe, progress: &dyn StepProgress) -> Result<()> {
        for place in self.places(stripe) {
            let (store, stripe) = place?;
            let proven = ObjectStore::prove_sample(store, &stripe, progress).await;
            proven.map_err(|error| self.named(store, error))?;
        }
        Ok(())
    }

    async fn fetch(
        &self,
        stripe: &StoredStripe,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let mut failed = None;
        for place in self.places(stripe) {
            let fetched = match place {
                Ok((store, stripe)) => {
                    let fetched = store.fetch_stripe(&stripe, file, progress).await;
                    fetched.map_err(|error| self.named(store, error))
                }
                Err(error) => Err(error),
            };
            let Err(error) = fetched else {
                return Ok(());
            };
            tracing::warn!("a copy cannot be used: {error}");
            failed = failed.or(Some(error));
        }
        failed.map_or(Ok(()), Err)
    }

    async fn write_manifest(&self, set: &Set) -> Result<(String, Sha256Digest)> {
        let written = self.leading.write_set(set).await;
        written.map_err(|error| self.named(&self.leading, error))
    }

    async fn write_certificate(&self, certificate: &Certificate) -> Result<(String, Sha256Digest)> {
        let written = self.leading.write_drill(certificate).await;
        written.map_err(|error| self.named(&self.leading, error))
    }

    async fn read_certificate(&self, key: &str, digest: Sha256Digest) -> Result<Certificate> {
        let read = self.leading.read_drill(key, digest).await;
        read.map_err(|error| self.named(&self.leading, error))
    }

    async fn append(&self, group: &GroupName, fact: LogFact) -> Result<u64> {
        let appended = self.leading.append_fact(group, fact).await;
        appended.map_err(|error| self.named(&self.leading, error))
    }

    async fn log_after(&self, group: &GroupName, after: u64) -> Result<Vec<LogEntry>> {
        let batches: Vec<_> = self.log_batches(group, after, None).try_collect().await?;
        let entries = batches.into_iter().flatten();
        Ok(entries.map(|chained| chained.entry).collect())
    }

    fn log_batches<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> BoxStream<'a, Result<Vec<Chained>>> {
        stream::once(self.batches_of_any(group, after, digest))
            .try_flatten()
            .boxed()
    }

    async fn read_sets(
        &self,
        _group: &GroupName,
        named: Vec<(String, Sha256Digest)>,
    ) -> Result<Vec<Set>> {
        self.read(|store| {
            let named = named.clone();
            async move { store.read_manifests(named).await }
        })
        .await
    }

    async fn read_set(
        &self,
        _group: &GroupName,
        manifest_key: &str,
        digest: Sha256Digest,
    ) -> Result<Set> {
        // Whoever has it, the digest says whether it is the one.
        self.read(|store| async move { store.read_manifest(manifest_key, digest).await })
            .await
    }

    async fn take_lease(&self, group: &GroupName) -> Result<()> {
        self.refuse_a_lost_log(group).await?;
        let taken = self.leading.take_or_renew(group).await;
        taken.map_err(|error| self.named(&self.leading, error))
    }

    async fn stand(&self, group: &GroupName) -> Result<Footing> {
        self.refuse_a_lost_log(group).await?;
        let stood = self.leading.look_at_lease(group).await;
        stood.map_err(|error| self.named(&self.leading, error))
    }

    fn held_last(&self, group: &GroupName) -> bool {
        self.leading.held_last(group)
    }

    async fn release_lease(&self, group: &GroupName) -> Result<()> {
        self.leading.release(group).await
    }

    async fn honours_create(&self, key: &str) -> Result<bool> {
        self.leading.probe_create(key).await
    }

    async fn remove_probe(&self, key: &str) -> Result<()> {
        self.leading.delete_probe(key).await
    }

    async fn remove(&self, group: &GroupName, stripe: &StoredStripe) -> Result<Removal> {
        self.leading.held_epoch(group).await?;
        let mut held_back = None;
        for place in self.places(stripe) {
            // Copies in a store that is configured no more are out of reach.
            let Ok((store, stripe)) = place else { continue };
            let removed = store.remove_objects(group, &stripe).await;
            match removed.map_err(|error| self.named(store, error))? {
                Removal::Gone => {}
                held @ Removal::HeldBack { .. } => held_back = held_back.or(Some(held)),
            }
        }
        Ok(held_back.unwrap_or(Removal::Gone))
    }

    async fn sweep(&self, group: &GroupName) -> Result<u64> {
        let swept = self.leading.sweep_group(group).await;
        let mut swept = swept.map_err(|error| self.named(&self.leading, error))?;
        for further in &self.further {
            let store = &further.store;
            let more = further.distance.brief(store.sweep_group(group)).await;
            swept += more.map_err(|error| self.named(store, error))?;
        }
        Ok(swept)
    }
}

#[cfg(test)]
mod tests;
