//! The catalog: the local index of what the store holds, the fold of the group's log.
//!
//! Start at [`catch_up`]. It can be lost at any time: everything in it stands in the store.

mod copies;
pub mod due;
mod judge;
pub mod kept;
mod later;
mod read;
mod rows;
mod schema;
mod sqlite;
mod take;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;

use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::model::{GroupName, Sha256Digest};
use crate::world::{Catalog, Chained, LogFact, Store, Taken, World};

pub use copies::CopyPolicy;
pub use sqlite::SqliteCatalog;
pub use view::{view, whole_view};

/// Entries that are taken in first, before it is known how large their sets are.
const ENTRIES_FIRST: usize = 64;

/// Entries that are taken in together at most.
const ENTRIES_MAX: usize = 4096;

/// Pieces that are taken in together, more or less: some ten megabytes.
const PIECES_TOGETHER: usize = 4096;

/// Takes in every entry of the group's log that the catalog does not hold yet; how many there were. Each batch is kept
/// as it comes: what was broken off goes on from there.
pub async fn catch_up(world: &World, group: &GroupName) -> Result<u64> {
    fold(world.store.as_ref(), world.catalog.as_ref(), group).await
}

/// Like [`catch_up`], for those who have no world.
pub async fn fold(store: &dyn Store, catalog: &dyn Catalog, group: &GroupName) -> Result<u64> {
    let (known, digest) = catalog.newest_entry(group).await?;
    let mut log = Log {
        batches: store.log_batches(group, known, digest),
        waiting: VecDeque::new(),
    };
    let (mut read, mut entries, mut size) = (Vec::new(), 0, ENTRIES_FIRST);
    loop {
        let next = async { with_sets(store, group, log.next(size).await?).await };
        // The next ones are read while these are taken in.
        let (kept, next) = futures::join!(catalog.take_in(group, read), next);
        kept?;
        read = next?;
        if read.is_empty() {
            return Ok(entries);
        }
        entries += u64::try_from(read.len()).unwrap_or(u64::MAX);
        size = size_after(&read);
    }
}

/// A log that is being read.
struct Log<'a> {
    batches: BoxStream<'a, Result<Vec<Chained>>>,
    waiting: VecDeque<Chained>,
}

impl Log<'_> {
    /// So many entries, or what is left.
    async fn next(&mut self, size: usize) -> Result<Vec<Chained>> {
        while self.waiting.len() < size {
            match self.batches.try_next().await? {
                Some(batch) => self.waiting.extend(batch),
                None => break,
            }
        }
        let size = size.min(self.waiting.len());
        Ok(self.waiting.drain(..size).collect())
    }
}

/// How many entries come next, if their sets are like these.
fn size_after(read: &[Taken]) -> usize {
    let sets = read.iter().filter_map(|taken| taken.set.as_ref());
    let pieces = sets.map(|set| set.pieces.len()).sum::<usize>().max(1);
    (PIECES_TOGETHER * read.len() / pieces).clamp(1, ENTRIES_MAX)
}

/// The entries with the sets that they published.
async fn with_sets(
    store: &dyn Store,
    group: &GroupName,
    batch: Vec<Chained>,
) -> Result<Vec<Taken>> {
    let manifests = batch
        .iter()
        .filter_map(|chained| named(&chained.entry.fact));
    let sets = store.read_sets(group, manifests.collect()).await?;
    let mut sets = sets.into_iter();
    let taken = batch.into_iter().map(|Chained { entry, digest }| Taken {
        set: named(&entry.fact).and_then(|_| sets.next()),
        entry,
        digest,
    });
    Ok(taken.collect())
}

/// The manifest that a fact names, and its digest.
fn named(fact: &LogFact) -> Option<(String, Sha256Digest)> {
    match fact {
        LogFact::Set {
            manifest_key,
            digest,
            ..
        } => Some((manifest_key.clone(), *digest)),
        _ => None,
    }
}
