//! A look at the chains between runs: what hosts say against what is held.
//!
//! Start at [`look_at_chains`]. It reads only, needs no lease, and writes no journal. It costs a survey: of each host one
//! connection and some ten short statements over catalog views, msdb's backup history and the file of our own event
//! session, of which no one touches a member's data or takes a lock in it. From the local catalog the newest pieces of each
//! member are read; the store is asked, and journals are read, only where something looks broken.
//!
//! Whether something is at work on the group meanwhile is for the caller to know: what a run has taken and not brought
//! home yet looks like a log that somebody else took.

use super::conduct::{holding, quarantined};
use crate::catalog;
use crate::config::Config;
use crate::error::{Code, Result};
use crate::plan::{self, ChainsSeen, Quarantine};
use crate::survey::{self, Survey};
use crate::world::World;

/// How the chains of the group stand.
///
/// # Errors
/// Those of catalog, journals and store. A host that does not answer is none.
pub async fn look_at_chains(world: &World, config: &Config) -> Result<ChainsSeen> {
    let survey = survey::take(world, config).await;
    let seen = compare(world, config, &survey, &[]).await?;
    if seen.broken.is_empty() {
        return Ok(seen);
    }
    // What an agent on another machine has published looks like a theft to a catalog that does not know of it. Where the
    // store is away a run would go by what this machine knows, too.
    match catalog::catch_up(world, &config.group).await {
        Err(error) if error.code() != Code::StoreUnreachable => return Err(error),
        _ => {}
    }
    let quarantined = quarantined(world, config)?;
    compare(world, config, &survey, &quarantined).await
}

async fn compare(
    world: &World,
    config: &Config,
    survey: &Survey,
    quarantined: &[Quarantine],
) -> Result<ChainsSeen> {
    let have = holding(world, config, survey).await?;
    Ok(plan::look_at_chains(config, survey, &have, quarantined))
}
