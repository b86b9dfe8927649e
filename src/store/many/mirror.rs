//! Copies of the group's log and manifests in the stores that do not lead, for the day when the leading one is gone.
//!
//! Start at [`Stores::mirror`]. Entries are copied byte for byte, so the hash chain holds in every store; a set's
//! manifest is there before its entry. A copy never says anything that the leading store did not say first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use futures::future::try_join_all;
use futures::stream::{self, BoxStream};

use super::{Further, Stores};
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, Sha256Digest, StoreName};
use crate::store::{ObjectStore, keys};
use crate::world::{Chained, LogEntry, LogFact};

/// Entries that are copied at the same time.
const AT_ONCE_MAX: usize = 32;

/// Up to which entry a store is known to hold a group's log.
#[derive(Default)]
pub(super) struct Mirrored(Mutex<BTreeMap<GroupName, u64>>);

impl Mirrored {
    fn get(&self, group: &GroupName) -> Option<u64> {
        self.lock().get(group).copied()
    }

    fn set(&self, group: &GroupName, entry: u64) {
        self.lock().insert(group.clone(), entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<GroupName, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stores {
    /// Brings what a store lacks of the group's log there; how many entries.
    pub(super) async fn mirror(&self, group: &GroupName, to: &StoreName) -> Result<u64> {
        let found = self.further.iter().find(|it| it.store.name == *to);
        let Some(further) = found else {
            return self.find(to).map(|_| 0);
        };
        further.distance.pass()?;
        let brought = self.bring(group, further).await;
        further.distance.note(&brought);
        brought.map_err(|error| self.named(&further.store, error))
    }

    async fn bring(&self, group: &GroupName, further: &Further) -> Result<u64> {
        let held = match further.mirrored.get(group) {
            Some(held) => held,
            None => self.held_by(group, &further.store).await?,
        };
        let missing = self.leading.entry_numbers(group, held).await?;
        for some in missing.chunks(AT_ONCE_MAX) {
            let contents = some.iter().map(|number| async {
                let key = keys::log_entry(group, *number);
                let content = self.leading.read_small(&key).await?;
                self.bring_manifest(&content, &further.store).await?;
                Ok::<_, Error>((key, content))
            });
            let contents = try_join_all(contents).await?;
            let created = contents.into_iter().map(|(key, content)| async move {
                further.store.create_same(&key, content.to_vec()).await
            });
            try_join_all(created).await?;
            further
                .mirrored
                .set(group, some.last().copied().unwrap_or(held));
        }
        Ok(u64::try_from(missing.len()).unwrap_or(u64::MAX))
    }

    /// The manifest that an entry names. One that the leading store has lost cannot be copied, and the log goes on.
    async fn bring_manifest(&self, entry: &[u8], to: &ObjectStore) -> Result<()> {
        let Ok(entry) = serde_json::from_slice::<LogEntry>(entry) else {
            return Ok(());
        };
        let LogFact::Set { manifest_key, .. } = entry.fact else {
            return Ok(());
        };
        match self.leading.read_small(&manifest_key).await {
            Ok(content) => to.create_same(&manifest_key, content.to_vec()).await,
            Err(error) if error.code() == Code::ObjectMissing => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Up to which entry a store holds the same log, without a gap.
    async fn held_by(&self, group: &GroupName, store: &ObjectStore) -> Result<u64> {
        let numbers = store.entry_numbers(group, 0).await?;
        let unbroken = (1..).zip(&numbers).take_while(|(at, number)| at == *number);
        let Some((newest, _)) = unbroken.last() else {
            return Ok(0);
        };
        let key = keys::log_entry(group, newest);
        let ours = self.leading.read_small(&key).await;
        let ours = ours.map_err(|error| match error.code() {
            Code::ObjectMissing => differ(group, &self.leading.name, &store.name),
            _ => error,
        })?;
        if ours != store.read_small(&key).await? {
            return Err(differ(group, &self.leading.name, &store.name));
        }
        Ok(newest)
    }

    /// Who holds a longer log than the store that leads has outlived it: writing a new one beside it would make two
    /// histories of one group.
    pub(super) async fn refuse_a_lost_log(&self, group: &GroupName) -> Result<()> {
        for further in &self.further {
            if further.mirrored.get(group).is_some() {
                continue;
            }
            let ours = self.leading.entry_numbers(group, 0).await;
            let ours = ours.map_err(|error| self.named(&self.leading, error))?;
            let newest = ours.last().copied().unwrap_or(0);
            let more = further.store.entry_numbers(group, newest);
            // A store that does not answer now is asked before its next entry.
            let more = further.distance.brief(more).await.unwrap_or_default();
            if !more.is_empty() {
                return Err(differ(group, &self.leading.name, &further.store.name)
                    .at("entries there", newest)
                    .at("entries here", newest + more.len() as u64));
            }
        }
        Ok(())
    }

    /// The log of the store that leads, else what another store holds of it. Of a log that breaks off or was changed
    /// the error is told as it is: a copy must not hide that.
    pub(super) async fn batches_of_any<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> Result<Batches<'a>> {
        let error = match begun(self.leading.batches_after(group, after, digest)).await {
            // An empty log is a new group's, or one that was lost with everything.
            Ok(None) if after == 0 => None,
            Ok(batches) => return Ok(batches.unwrap_or_else(|| stream::empty().boxed())),
            Err(error) if error.code() == Code::ManifestUnreadable => {
                return Err(self.named(&self.leading, error));
            }
            Err(error) => Some(self.named(&self.leading, error)),
        };
        for further in &self.further {
            let (store, name) = (&further.store, &further.store.name);
            let batches = match begun(store.batches_after(group, after, digest)).await {
                Ok(batches) => batches,
                // It lags behind what was read from the leading store before, and has nothing to add.
                Err(error) if error.code() == Code::ObjectMissing => None,
                Err(_) => continue,
            };
            if let Some(error) = &error {
                tracing::warn!(store = %name, "the group's log is read from a copy, since: {error}");
                return Ok(batches.unwrap_or_else(|| stream::empty().boxed()));
            }
            if let Some(batches) = batches {
                tracing::warn!(store = %name, "the leading store has no log of the group; it is read from a copy");
                return Ok(batches);
            }
        }
        error.map_or_else(|| Ok(stream::empty().boxed()), Err)
    }
}

/// Entries, some at a time.
type Batches<'a> = BoxStream<'a, Result<Vec<Chained>>>;

/// The same batches once the first of them is here; none where there is none.
async fn begun(mut batches: Batches<'_>) -> Result<Option<Batches<'_>>> {
    match batches.next().await {
        None => Ok(None),
        Some(Ok(first)) => Ok(Some(
            stream::once(std::future::ready(Ok(first)))
                .chain(batches)
                .boxed(),
        )),
        Some(Err(error)) => Err(error),
    }
}

fn differ(group: &GroupName, leading: &StoreName, other: &StoreName) -> Error {
    let message = format!(
        "store `{leading}` leads, but does not hold the group's log as store `{other}` does"
    );
    Error::new(Code::LogsDiffer, message)
        .at("group", group)
        .hint("bring the leading store back from a version or copy of its bucket, or let the other one lead: name it first, and an empty store after it")
}
