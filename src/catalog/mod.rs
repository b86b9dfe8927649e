//! The catalog: the local index of what the store holds, the fold of the group's log.
//!
//! Start at [`catch_up`]. It can be lost at any time: everything in it stands in the store.

pub mod due;
mod sqlite;

use crate::error::Result;
use crate::model::GroupName;
use crate::world::{LogFact, World};

pub use sqlite::SqliteCatalog;

/// Takes in every entry of the group's log that the catalog does not hold yet; how many there were.
pub async fn catch_up(world: &World, group: &GroupName) -> Result<u64> {
    let known = world.catalog.newest_entry(group).await?;
    let entries = world.store.log_after(group, known).await?;
    for entry in &entries {
        let set = match &entry.fact {
            LogFact::Set {
                manifest_key,
                digest,
                ..
            } => Some(world.store.read_set(group, manifest_key, *digest).await?),
            LogFact::LeaseTaken { .. } | LogFact::Proved { .. } => None,
        };
        world.catalog.take_in(group, entry, set.as_ref()).await?;
    }
    Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
}
