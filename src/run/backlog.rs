//! What waits on the shares: pieces that hosts wrote and no store has taken yet.
//!
//! Start at [`backlog`]. Marks and logs go on while a store is away, for the log of a database grows until it is
//! backed up; so the shares fill instead, and somebody must hear of it before they are full.
//!
//! Nothing is held back or removed here.

use serde::Serialize;

use super::away::unfinished;
use crate::config::Config;
use crate::error::{Code, Result};
use crate::model::{GroupName, Timestamp};
use crate::plan::{StagedStripe, Step, UnfinishedRound, Warning};
use crate::world::World;

/// What waits on the shares for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// How many pieces.
    pub pieces: usize,
    /// Their bytes, as far as the shares can be seen.
    pub size_bytes: u64,
    /// When the oldest run that left some of them began; none where nothing waits.
    pub since: Option<Timestamp>,
}

/// What unfinished runs of the group left on the shares.
///
/// # Errors
/// `SM0902` where a journal cannot be read.
pub async fn backlog(world: &World, group: &GroupName) -> Result<Backlog> {
    let mut backlog = Backlog::default();
    for record in unfinished(world, group)? {
        for round in record.unfinished_rounds() {
            for stripes in waiting(&round) {
                // A share that cannot be seen has its own failure; here it counts as empty.
                let sizes = world.staging.sizes(stripes).await.unwrap_or_default();
                backlog.pieces += 1;
                backlog.size_bytes += sizes.iter().sum::<u64>();
                backlog.since = backlog.since.or(Some(record.began_at));
            }
        }
    }
    Ok(backlog)
}

/// A warning where what unfinished runs left on the shares is more than the configuration lets wait.
pub(super) async fn over_budget(world: &World, config: &Config) -> Result<Option<Warning>> {
    let waiting_bytes = backlog(world, &config.group).await?.size_bytes;
    let most_bytes = config.policy.staging_max_bytes;
    Ok((waiting_bytes > most_bytes).then(|| Warning {
        code: Code::ShareBacklog.to_string(),
        message: format!(
            "{} MiB of backups wait on the shares for the store, more than {} MiB",
            waiting_bytes >> 20,
            most_bytes >> 20
        ),
        hint: Some(
            "look at the store and the way to it, and at the room that is left on the shares; \
             `staging_max` says how much may wait"
                .to_owned(),
        ),
    }))
}

/// The files of each piece that is not in the store.
fn waiting(round: &UnfinishedRound) -> impl Iterator<Item = &[StagedStripe]> {
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes
        .flat_map(|lane| &lane.steps)
        .filter_map(|step| match step {
            Step::Deliver(step) => Some(step),
            _ => None,
        })
        .filter(|step| round.taken.contains(&step.piece) && !round.delivered.contains(&step.piece))
        .map(|step| step.stripes.as_slice())
}
