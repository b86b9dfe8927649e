//! The shares and the media of others with a strike in them. Start at [`StruckStaging`]; `strike` counts and fails.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use stopmark::error::{Code, Result};
use stopmark::plan::{ShareFile, StagedStripe};
use stopmark::world::{Brought, Foreign, Staging, StepProgress};

use crate::strike::Strike;

/// Whether the effect is done before it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// It fails and nothing was done.
    Before,
    /// It is done, and whoever asked never hears of it.
    After,
}

/// Which effect is struck.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The n-th of all, from 1.
    Nth(usize),
    /// The first of this verb.
    First(&'static str),
    /// The first upload to a key that holds this text: uploads of two hosts go on side by side.
    UploadOf(&'static str),
    /// Every call of the store, until [`Strike::mend`].
    StoreAway,
    /// No failure: the store holds back every object of a piece whose key holds this text.
    HoldBack(&'static str),
}

/// The verbs that change nothing.
pub(crate) const READING: [&str; 15] = [
    "biztalk_facts",
    "old_backup_history",
    "bring",
    "host_facts",
    "databases",
    "target_facts",
    "test_link",
    "mark_history",
    "find_backup",
    "newest_mark",
    "prove",
    "log_after",
    "read_set",
    "require_folders",
    "sizes",
];

/// The shares.
pub(crate) struct StruckStaging(pub(crate) Arc<dyn Staging>, pub(crate) Arc<Strike>);

/// The media of others.
pub(crate) struct StruckForeign(pub(crate) Arc<dyn Foreign>, pub(crate) Arc<Strike>);

impl StruckStaging {
    async fn pass<T: Send>(
        &self,
        verb: &'static str,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.1.pass((verb, ""), Code::ShareUnseen, effect).await
    }
}

#[async_trait]
impl Staging for StruckStaging {
    async fn sizes(&self, stripes: &[StagedStripe]) -> Result<Vec<u64>> {
        self.pass("sizes", self.0.sizes(stripes)).await
    }

    async fn make_room(&self, stripes: &[StagedStripe]) -> Result<()> {
        self.pass("make_room", self.0.make_room(stripes)).await
    }

    async fn require_folders(&self, stripes: &[StagedStripe]) -> Result<()> {
        let required = self.0.require_folders(stripes);
        self.pass("require_folders", required).await
    }

    async fn remove(&self, files: &[PathBuf]) -> Result<()> {
        self.pass("remove", self.0.remove(files)).await
    }

    async fn list(&self, folder: &Path) -> Result<Vec<ShareFile>> {
        self.pass("list", self.0.list(folder)).await
    }
}

#[async_trait]
impl Foreign for StruckForeign {
    async fn bring(&self, place: &str, progress: &dyn StepProgress) -> Result<Brought> {
        let bring = self.0.bring(place, progress);
        let strike = &self.1;
        strike.pass(("bring", ""), Code::MediaChanged, bring).await
    }

    async fn let_go(&self, brought: Brought) {
        self.0.let_go(brought).await;
    }
}
