//! The stores with a strike in them. Start at [`StruckStore`]; `strike` counts and fails.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use stopmark::error::{Code, Result};
use stopmark::model::{
    Certificate, GroupName, PieceCopy, Set, Sha256Digest, StoreName, StoredStripe,
};
use stopmark::world::{Chained, Footing, LogEntry, LogFact, Removal, StepProgress, Store, Tap};

use crate::strike::Strike;

/// The stores.
pub(crate) struct StruckStore(pub(crate) Arc<dyn Store>, pub(crate) Arc<Strike>);

impl StruckStore {
    async fn pass<T: Send>(
        &self,
        verb: &'static str,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.1
            .pass((verb, ""), Code::StoreUnreachable, effect)
            .await
    }
}

#[async_trait]
impl Store for StruckStore {
    fn names(&self) -> Vec<StoreName> {
        self.0.names()
    }

    fn alone(&self, name: &StoreName) -> Option<Arc<dyn Store>> {
        let store = self.0.alone(name)?;
        Some(Arc::new(Self(store, self.1.clone())))
    }

    async fn copy(
        &self,
        stripe: &StoredStripe,
        to: &PieceCopy,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.pass("copy", self.0.copy(stripe, to, progress)).await
    }

    async fn mirror_log(&self, group: &GroupName, to: &StoreName) -> Result<u64> {
        self.pass("mirror_log", self.0.mirror_log(group, to)).await
    }

    async fn upload(
        &self,
        file: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe> {
        let upload = self.0.upload(file, key, tap, progress);
        let strike = &self.1;
        strike
            .pass(("upload", key), Code::StoreUnreachable, upload)
            .await
    }

    async fn prove(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.pass("prove", self.0.prove(stripe, whole, progress))
            .await
    }

    async fn fetch(
        &self,
        stripe: &StoredStripe,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.pass("fetch", self.0.fetch(stripe, file, progress))
            .await
    }

    async fn prove_sample(&self, stripe: &StoredStripe, progress: &dyn StepProgress) -> Result<()> {
        self.pass("prove_sample", self.0.prove_sample(stripe, progress))
            .await
    }

    async fn sweep(&self, group: &GroupName) -> Result<u64> {
        self.pass("sweep", self.0.sweep(group)).await
    }

    async fn write_manifest(&self, set: &Set) -> Result<(String, Sha256Digest)> {
        self.pass("write_manifest", self.0.write_manifest(set))
            .await
    }

    async fn write_certificate(&self, certificate: &Certificate) -> Result<(String, Sha256Digest)> {
        let written = self.0.write_certificate(certificate);
        self.pass("write_certificate", written).await
    }

    async fn read_certificate(&self, key: &str, digest: Sha256Digest) -> Result<Certificate> {
        self.0.read_certificate(key, digest).await
    }

    async fn append(&self, group: &GroupName, fact: LogFact) -> Result<u64> {
        self.pass("append", self.0.append(group, fact)).await
    }

    async fn log_after(&self, group: &GroupName, after: u64) -> Result<Vec<LogEntry>> {
        self.pass("log_after", self.0.log_after(group, after)).await
    }

    fn log_batches<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> BoxStream<'a, Result<Vec<Chained>>> {
        let begun = self.pass("log_after", async { Ok(()) });
        let begun = futures::stream::once(begun);
        let batches = move |()| self.0.log_batches(group, after, digest);
        begun.map_ok(batches).try_flatten().boxed()
    }

    async fn read_sets(
        &self,
        group: &GroupName,
        named: Vec<(String, Sha256Digest)>,
    ) -> Result<Vec<Set>> {
        self.pass("read_set", self.0.read_sets(group, named)).await
    }

    async fn read_set(
        &self,
        group: &GroupName,
        manifest_key: &str,
        digest: Sha256Digest,
    ) -> Result<Set> {
        self.pass("read_set", self.0.read_set(group, manifest_key, digest))
            .await
    }

    async fn take_lease(&self, group: &GroupName) -> Result<()> {
        self.pass("take_lease", self.0.take_lease(group)).await
    }

    async fn stand(&self, group: &GroupName) -> Result<Footing> {
        self.pass("take_lease", self.0.stand(group)).await
    }

    fn held_last(&self, group: &GroupName) -> bool {
        self.0.held_last(group)
    }

    async fn release_lease(&self, group: &GroupName) -> Result<()> {
        self.pass("release_lease", self.0.release_lease(group))
            .await
    }

    async fn honours_create(&self, key: &str) -> Result<bool> {
        self.pass("honours_create", self.0.honours_create(key))
            .await
    }

    async fn remove_probe(&self, key: &str) -> Result<()> {
        self.pass("remove_probe", self.0.remove_probe(key)).await
    }

    async fn remove(&self, group: &GroupName, stripe: &StoredStripe) -> Result<Removal> {
        if self.1.holds_back(&stripe.key) {
            let reason = "AccessDenied: locked until tomorrow".to_owned();
            return Ok(Removal::HeldBack { reason });
        }
        self.pass("remove_piece", self.0.remove(group, stripe))
            .await
    }
}
