//! The catalog: the local index of what the store holds, the fold of the group's log.
//!
//! Start at [`catch_up`]. It can be lost at any time: everything in it stands in the store.

pub mod due;
mod sqlite;

use crate::chain::Holdings;
use crate::error::Result;
use crate::model::{GroupName, Set};
use crate::plan::CatalogView;
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
        LogFact::LeaseTaken { .. } | LogFact::Proved { .. } | LogFact::Copied { .. } => Ok(None),
    }
}

/// What the planner is told: the sets, the newest stamp, and which stores hold what.
pub async fn view(world: &World, group: &GroupName) -> Result<CatalogView> {
    Ok(CatalogView {
        sets: world.catalog.sets(group).await?,
        newest_stamp: world.catalog.newest_stamp(group).await?,
        holdings: holdings(world, group).await?,
    })
}

/// Which of the configured stores hold which pieces whole.
pub async fn holdings(world: &World, group: &GroupName) -> Result<Holdings> {
    let manifests = world.catalog.manifests(group).await?;
    let copied = world.catalog.copied(group).await?;
    let proofs = world.catalog.proofs(group).await?.into_iter();
    let proofs = proofs.map(|proof| (proof.piece, proof.copy, proof.is_whole));
    Ok(Holdings::fold(&manifests, &copied, proofs, &world.store.names()))
}
