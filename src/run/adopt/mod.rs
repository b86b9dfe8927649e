//! Adopting what others backed up, from the files to the set in the store.
//!
//! Start at [`find`], which reads what lies there, then [`adopt`], a run like any other: lease, leftovers, plan,
//! journal, steps, set. Nothing is ever done to the files themselves.
//!
//! This room decides nothing about whose a backup is; `plan::plan_adopt` does.

mod astray;
mod offers;

use super::Interrupt;
use super::conduct::{carry_out_as, refuse_unsound};
use super::leftovers::finish_leftovers;
use super::record::Record;
use crate::catalog;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::media::{Gathered, Source, gather};
use crate::model::RunId;
use crate::plan::{AdoptAsked, Adoption, Becomes, Found, Mapped, Offer, plan_adopt};
use crate::survey;
use crate::world::World;

pub(super) use astray::bring_in;
pub use offers::{Offered, offers};

/// What a person wants adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptWanted {
    /// Whole and sound backups.
    pub offers: Vec<Offer>,
    /// What was found beside them.
    pub others: Vec<Found>,
    /// Whose media are whose, where that was said.
    pub mapped: Vec<Mapped>,
}

/// Reads everything that lies at these sources, byte by byte, and sorts it out.
///
/// # Errors
/// Those of the sources: nothing there (`SM0711`), no right to look (`SM0712`), a store that does not answer.
/// A file that cannot be read is told with its reason, and the others still count.
pub async fn find(world: &World, sources: &[Source]) -> Result<Offered> {
    let found = gather(sources, mtf::Level::Content, world.progress.as_ref()).await?;
    Ok(sorted_out(&found))
}

fn sorted_out(found: &Gathered) -> Offered {
    let mut offered = offers(&found.examined);
    let no_backups = found.passed_over.iter().map(|file| Found {
        places: vec![file.place.to_string()],
        becomes: Becomes::NoBackup,
    });
    offered.others.extend(no_backups);
    offered.others.extend(found.faults.iter().map(unread));
    offered
}

/// What would be adopted; nothing is touched but the local catalog.
pub async fn plan_adoption(
    world: &World,
    config: &Config,
    wanted: &AdoptWanted,
) -> Result<Adoption> {
    let run = RunId(world.ids.next());
    plan_round(world, config, wanted, run).await
}

async fn plan_round(
    world: &World,
    config: &Config,
    wanted: &AdoptWanted,
    run: RunId,
) -> Result<Adoption> {
    let survey = survey::take(world, config).await;
    catalog::catch_up(world, &config.group).await?;
    let have = catalog::whole_view(world.catalog.as_ref(), &config.group).await?;
    let asked = AdoptAsked {
        run,
        offers: wanted.offers.clone(),
        others: wanted.others.clone(),
        mapped: wanted.mapped.clone(),
    };
    let mut names = super::PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let adoption = plan_adopt(config, &survey, &have, &asked, &mut names, now);
    refuse_unsound(&adoption.plan)?;
    Ok(adoption)
}

/// Adopts: leftovers of earlier runs first, then the plan. No record where there was nothing to adopt: no run
/// was begun then.
pub async fn adopt(
    world: &World,
    config: &Config,
    wanted: &AdoptWanted,
    interrupt: &Interrupt,
) -> Result<(Adoption, Option<Record>)> {
    world.store.take_lease(&config.group).await?;
    let finished = finish_leftovers(world, &config.group, interrupt).await?;
    // What may be a backup of our own would be taken for somebody else's.
    if let Some(unknown) = finished.unknown.into_iter().next() {
        return Err(unknown.error);
    }
    let run = RunId(world.ids.next());
    let adoption = plan_round(world, config, wanted, run).await?;
    if adoption.plan.stages.is_empty() {
        return Ok((adoption, None));
    }
    let record = carry_out_as(world, config, &adoption.plan, run, interrupt).await?;
    Ok((adoption, Some(record)))
}

/// A file or folder that could not be read, with the place that its error names.
fn unread(error: &Error) -> Found {
    let place = error.context().first();
    Found {
        places: place.map(|(_, place)| place.clone()).into_iter().collect(),
        becomes: Becomes::Refused {
            code: error.code(),
            message: error.message().to_owned(),
            hint: error.hint_text().unwrap_or_default().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
