//! The group's log: numbered entries, each created once and holding the digest of the one before.
//!
//! Start at [`ObjectStore::append_fact`]. Publishing *is* creating entry n: of two agents only one can. An
//! agent whose lease was taken over sees the taker's entry before it can create the next, and stops.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::errors::store_error;
use super::hash::sha256;
use super::source::blocking;
use super::sweep::Unfinished;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, Sha256Digest};
use crate::world::{Chained, LogEntry, LogFact};

/// The newest format of a log entry.
pub(super) const LOG_FORMAT: u16 = 1;

/// How often an append tries the next number when others are appending too.
const APPEND_TRIES_MAX: u32 = 20;

/// Entries that are taken up together, so that a long log needs no more memory than its entries.
const ENTRIES_AT_ONCE_MAX: u64 = 1024;

/// The digest before the first entry.
const NOTHING: Sha256Digest = Sha256Digest([0; 32]);

/// The end of a log, as the next entry needs it.
struct Tail {
    entry: u64,
    epoch: u64,
    digest: Sha256Digest,
}

/// How far a log was read.
struct Reading {
    left: std::ops::Range<u64>,
    previous: Sha256Digest,
    epoch: u64,
}

impl ObjectStore {
    /// Appends one fact under this agent's lease; the number of its entry.
    ///
    /// # Errors
    /// `SM0706` when the lease is not held or a later one is in the log.
    pub(super) async fn append_fact(&self, group: &GroupName, fact: LogFact) -> Result<u64> {
        let epoch = self.held_epoch(group).await?;
        self.append_under(group, epoch, fact).await
    }

    /// Appends under a lease epoch that the caller holds.
    pub(super) async fn append_under(
        &self,
        group: &GroupName,
        epoch: u64,
        fact: LogFact,
    ) -> Result<u64> {
        for _ in 0..APPEND_TRIES_MAX {
            let tail = self.tail(group).await?;
            if tail.epoch > epoch {
                return Err(Error::new(
                    Code::LeaseHeld,
                    "another agent took the group's lease over",
                )
                .at("group", group)
                .hint("only one agent may work on a group; stop this one"));
            }
            let entry = LogEntry {
                format: LOG_FORMAT,
                entry: tail.entry + 1,
                epoch,
                previous: tail.digest,
                at: self.clock.now(),
                fact: fact.clone(),
            };
            let content = serde_json::to_vec(&entry).map_err(|error| {
                Error::new(Code::Bug, "an entry cannot be written").source(error)
            })?;
            match self
                .create_same(&keys::log_entry(group, entry.entry), content)
                .await
            {
                Ok(()) => return Ok(entry.entry),
                Err(error) if error.code() == Code::ObjectExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            Code::LeaseHeld,
            "the group's log grows faster than this agent can append",
        )
        .at("group", group)
        .hint("another agent is at work on this group; only one may be"))
    }

    /// The newest entry's number, its lease epoch and its digest.
    async fn tail(&self, group: &GroupName) -> Result<Tail> {
        // Listed from the newest one that was seen on, or each append would list a whole long log.
        let seen = self.seen().get(group).copied().unwrap_or(0);
        let mut numbers = self.entry_numbers(group, seen.saturating_sub(1)).await?;
        if numbers.is_empty() && seen > 0 {
            numbers = self.entry_numbers(group, 0).await?;
        }
        let Some(newest) = numbers.last().copied() else {
            return Ok(Tail {
                entry: 0,
                epoch: 0,
                digest: NOTHING,
            });
        };
        self.seen().insert(group.clone(), newest);
        let (entry, digest) = self.read_entry(group, newest).await?;
        Ok(Tail {
            entry: newest,
            epoch: entry.epoch,
            digest,
        })
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<GroupName, u64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease epoch of the newest entry; 0 for an empty log.
    pub(super) async fn newest_epoch(&self, group: &GroupName) -> Result<u64> {
        Ok(self.tail(group).await?.epoch)
    }

    /// All entries after `after`, in order. Entries that a stale agent wrote are left out.
    ///
    /// # Errors
    /// `SM0708` when one is missing or does not follow from the one before.
    pub(super) async fn entries_after(
        &self,
        group: &GroupName,
        after: u64,
    ) -> Result<Vec<LogEntry>> {
        let batches = self.batches_after(group, after, None);
        let entries = batches.map_ok(|batch| batch.into_iter().map(|chained| chained.entry));
        entries
            .try_fold(Vec::new(), |mut all, batch| {
                all.extend(batch);
                std::future::ready(Ok(all))
            })
            .await
    }

    /// The same, some at a time, each with its digest: a log may hold more than memory does.
    pub(super) fn batches_after<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> BoxStream<'a, Result<Vec<Chained>>> {
        let begun = stream::once(self.begin_reading(group, after, digest));
        let batches = move |reading| {
            stream::try_unfold(reading, move |reading| self.next_batch(group, reading))
        };
        begun.map_ok(batches).try_flatten().boxed()
    }

    async fn begin_reading(
        &self,
        group: &GroupName,
        after: u64,
        known: Option<Sha256Digest>,
    ) -> Result<Reading> {
        let numbers = self.entry_numbers(group, after).await?;
        let (previous, epoch) = match after {
            0 => (NOTHING, 0),
            after => {
                let (entry, digest) = self.read_entry(group, after).await?;
                (digest, entry.epoch)
            }
        };
        if known.is_some_and(|known| known != previous) {
            let what = "an entry of the group's log is not what it was when it was read";
            let found = broken(group, after, what);
            return Err(
                found.hint("bring the object back; if it is right, `stopmark catalog rebuild`")
            );
        }
        let gap = (after + 1..)
            .zip(&numbers)
            .find(|(at, number)| at != *number);
        if let Some((expected, _)) = gap {
            let what = "an entry of the group's log is missing";
            return Err(broken(group, expected, what));
        }
        Ok(Reading {
            left: after + 1..after + 1 + numbers.len() as u64,
            previous,
            epoch,
        })
    }

    async fn next_batch(
        &self,
        group: &GroupName,
        mut reading: Reading,
    ) -> Result<Option<(Vec<Chained>, Reading)>> {
        if reading.left.is_empty() {
            return Ok(None);
        }
        let first = reading.left.start;
        let end = reading.left.end.min(first + ENTRIES_AT_ONCE_MAX);
        reading.left.start = end;
        let keys: Vec<String> = (first..end)
            .map(|number| keys::log_entry(group, number))
            .collect();
        let of = group.clone();
        let take = move |at: usize, content: &[u8]| parse(&of, first + at as u64, content);
        let read = self.read_each(&keys, take).await?;
        let mut batch = Vec::with_capacity(read.len());
        for (number, (entry, digest)) in (first..).zip(read) {
            if entry.previous != reading.previous || entry.entry != number {
                let what = "an entry does not follow from the one before";
                return Err(broken(group, number, what));
            }
            reading.previous = digest;
            if entry.epoch >= reading.epoch {
                reading.epoch = entry.epoch;
                batch.push(Chained { entry, digest });
            }
        }
        Ok(Some((batch, reading)))
    }

    async fn read_entry(&self, group: &GroupName, number: u64) -> Result<(LogEntry, Sha256Digest)> {
        let content = self.read_small(&keys::log_entry(group, number)).await?;
        parse(group, number, &content)
    }

    /// The numbers of the entries after `after`, rising.
    pub(super) async fn entry_numbers(&self, group: &GroupName, after: u64) -> Result<Vec<u64>> {
        let folder = self.key(&keys::log(group));
        let mut numbers = match &self.unfinished {
            Unfinished::InFolder(files) => {
                let (files, below) = (files.clone(), folder.clone());
                let found = blocking(move || files.numbers(&below)).await?;
                found.map_err(|error| unlisted(&folder, error))?
            }
            Unfinished::Unlisted | Unfinished::InBucket { .. } => {
                let offset = self.key(&keys::log_entry(group, after));
                let listed = self.calls.once(|| {
                    let listed = self.objects.list_with_offset(Some(&folder), &offset);
                    numbers_of(listed, &folder)
                });
                listed.await?
            }
        };
        // Some stores list the offset itself too.
        numbers.retain(|number| *number > after);
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The numbers of the group's lease objects, rising.
    pub(super) async fn lease_numbers(&self, group: &GroupName) -> Result<Vec<u64>> {
        let folder = self.key(&keys::leases(group));
        let listed = self
            .calls
            .once(|| numbers_of(self.objects.list(Some(&folder)), &folder));
        listed.await
    }

    /// Removes a lease object; one that is gone already is no error.
    pub(super) async fn remove_lease(&self, group: &GroupName, epoch: u64) -> Result<()> {
        let key = keys::lease(group, epoch);
        match self.objects.delete(&self.key(&key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(store_error(error, key)),
        }
    }
}

fn unlisted(folder: &Key, error: std::io::Error) -> Error {
    let source = object_store::Error::Generic {
        store: "folder",
        source: error.into(),
    };
    store_error(source, folder)
}

/// An entry as it was stored, and its digest.
fn parse(group: &GroupName, number: u64, content: &[u8]) -> Result<(LogEntry, Sha256Digest)> {
    let entry: LogEntry = serde_json::from_slice(content)
        .map_err(|error| broken(group, number, "an entry cannot be read").source(error))?;
    if entry.format > LOG_FORMAT {
        let what = "an entry has a newer format than this Stopmark knows";
        return Err(broken(group, number, what));
    }
    Ok((entry, sha256(content)))
}

/// The numbers in the names of listed objects, rising.
async fn numbers_of(
    listed: BoxStream<'_, object_store::Result<ObjectMeta>>,
    folder: &Key,
) -> Result<Vec<u64>> {
    // Of a million names only the numbers are kept.
    let numbers =
        listed.try_filter_map(|meta| std::future::ready(Ok(keys::number_of(&meta.location))));
    let numbers = numbers.try_collect().await;
    let mut numbers: Vec<u64> = numbers.map_err(|error| store_error(error, folder))?;
    numbers.sort_unstable();
    Ok(numbers)
}

fn broken(group: &GroupName, entry: u64, what: &str) -> Error {
    Error::new(Code::ManifestUnreadable, what)
        .at("group", group)
        .at("object", keys::log_entry(group, entry))
        .hint(
            "someone changed the store: bring the object back from a version or copy of the bucket",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_format_1_are_read_for_ever_and_each_holds_the_digest_of_the_one_before() {
        let lines = include_str!("../../tests/fixtures/log-entries-1.jsonl");
        let mut previous = NOTHING;
        for (line, number) in lines.lines().zip(1..) {
            let entry: LogEntry = serde_json::from_str(line).expect("format 1");
            assert_eq!((entry.format, entry.entry), (1, number));
            assert_eq!(entry.previous, previous);
            previous = sha256(line.as_bytes());
        }
        assert_ne!(previous, NOTHING, "there were entries");
    }
}
