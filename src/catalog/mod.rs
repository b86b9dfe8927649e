//! The catalog: the local index of what the store holds, the fold of the group's log.
//!
//! Start at [`catch_up`]. It can be lost at any time: everything in it stands in the store.

pub mod due;
mod judge;
pub mod kept;
mod read;
mod schema;
mod sqlite;
mod take;
mod view;

use futures::{StreamExt as _, TryStreamExt as _};

use crate::error::Result;
use crate::model::{GroupName, Sha256Digest};
use crate::world::{Chained, LogFact, Taken, World};

pub use sqlite::SqliteCatalog;
pub use view::view;

/// Batches of the log whose sets are read while the one before is taken in.
const BATCHES_AHEAD: usize = 2;

/// Takes in every entry of the group's log that the catalog does not hold yet; how many there were. Each batch is kept
/// as it comes: what was broken off goes on from there.
pub async fn catch_up(world: &World, group: &GroupName) -> Result<u64> {
    let known = world.catalog.newest_entry(group).await?;
    let digest = world.catalog.newest_digest(group).await?;
    let batches = world.store.log_batches(group, known, digest);
    let read = batches.map_ok(|batch| with_sets(world, group, batch));
    let mut read = std::pin::pin!(read.try_buffered(BATCHES_AHEAD));
    let mut entries = 0;
    while let Some(batch) = read.next().await {
        let batch = batch?;
        entries += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        world.catalog.take_in(group, batch).await?;
    }
    Ok(entries)
}

/// The entries with the sets that they published.
async fn with_sets(world: &World, group: &GroupName, batch: Vec<Chained>) -> Result<Vec<Taken>> {
    let manifests = batch
        .iter()
        .filter_map(|chained| named(&chained.entry.fact));
    let sets = world.store.read_sets(group, manifests.collect()).await?;
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
