//! Bringing in log backups that are in no piece, somebody else's or our own, as a round of the run that met them.
//!
//! Start at [`bring_in`]. Only where the files are whole and beyond doubt; else the run cures the chain in another
//! way, and says so.

use super::{AdoptWanted, find};
use crate::config::Config;
use crate::error::Result;
use crate::media::Source;
use crate::model::RunId;
use crate::plan::{AdoptAsked, Astray, CatalogView, Warning, logs_astray, plan_adopt};
use crate::run::book::Book;
use crate::run::conduct::refuse_unsound;
use crate::run::executor::carry_out_plan;
use crate::run::{Interrupt, PlanNames};
use crate::survey::Survey;
use crate::world::World;

/// Adopts the log backups astray that this machine can read; whether any were. Examining them is a read, and a
/// file that cannot be read is told in `warnings`: the marks inside it are lost to another cure.
pub(in crate::run) async fn bring_in(
    world: &World,
    config: &Config,
    (run, book): (RunId, &Book),
    (survey, have): (&Survey, &CatalogView),
    warnings: &mut Vec<Warning>,
    interrupt: &Interrupt,
) -> Result<bool> {
    let astray = logs_astray(config, survey, have);
    let (wanted, unread) = examined(world, &astray).await;
    warnings.extend(unread);
    if wanted.offers.is_empty() {
        return Ok(false);
    }
    let asked = AdoptAsked {
        run,
        offers: wanted.offers,
        others: wanted.others,
        mapped: Vec::new(),
    };
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let mut plan = plan_adopt(config, survey, have, &asked, &mut names, now).plan;
    if plan.stages.is_empty() {
        return Ok(false);
    }
    plan.warnings.extend(astray.iter().map(Astray::warning));
    refuse_unsound(&plan)?;
    carry_out_plan(world, book, &plan, interrupt).await?;
    Ok(true)
}

/// What the files are. One that is gone or cannot be read is no error: there are other cures.
async fn examined(world: &World, astray: &[Astray]) -> (AdoptWanted, Vec<Warning>) {
    let (mut wanted, mut unread) = (AdoptWanted::default(), Vec::new());
    for place in astray.iter().flat_map(|it| &it.places) {
        match find(world, &[Source::Path(place.clone())]).await {
            Ok(found) => {
                wanted.offers.extend(found.offers);
                wanted.others.extend(found.others);
            }
            Err(error) => unread.push(Warning {
                code: error.code().to_string(),
                message: format!("a log backup that is in no piece cannot be read: {error}"),
                hint: error.hint_text().map(str::to_owned),
            }),
        }
    }
    (wanted, unread)
}
