//! The catalog: the local index of what the store holds, the fold of the group's log.
//!
//! Start at [`catch_up`]. It can be lost at any time: everything in it stands in the store.

pub mod due;
pub mod kept;
mod sqlite;

use crate::error::Result;
use crate::model::{GroupName, Set};
use crate::world::{LogEntry, LogFact, World};

pub use sqlite::SqliteCatalog;

/// Entries whose sets are read at the same time, and that are then taken in together.
const BATCH_ENTRIES: usize = 32;

/// Takes in every entry of the group's log that the catalog does not hold yet; how many there were.
pub async fn catch_up(world: &World, group: &GroupName) -> Result<u64> {
    let known = world.catalog.newest_entry(group).await?;
    let entries = world.store.log_after(group, known).await?;
    for batch in entries.chunks(BATCH_ENTRIES) {
        let sets = batch.iter().map(|entry| set_of(world, group, entry));
        let sets = futures::future::try_join_all(sets).await?;
        let batch: Vec<_> = batch.iter().cloned().zip(sets).collect();
        world.catalog.take_in(group, batch).await?;
    }
    Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
}

/// The set that an entry published.
async fn set_of(world: &World, group: &GroupName, entry: &LogEntry) -> Result<Option<Set>> {
    match &entry.fact {
        LogFact::Set {
            manifest_key,
            digest,
            ..
        } => {
            let set = world.store.read_set(group, manifest_key, *digest).await?;
            Ok(Some(set))
        }
        _ => Ok(None),
    }
}
