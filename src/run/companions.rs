//! A run of companions from end to end: what their hosts say, the plan, the run. Start at [`back_up`].
//!
//! It is a run of its own: whatever becomes of a companion, no set of the group is the worse for it.

use super::conduct::{carry_out_as, refuse_unsound};
use super::leftovers::finish_leftovers;
use super::record::Record;
use super::{Interrupt, PlanNames};
use crate::catalog;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::model::{HostName, MemberName, RunId};
use crate::plan::{CompanionsAsked, Plan, plan_companions};
use crate::survey;
use crate::world::World;

/// What a run of companions would do now; nothing is touched but the local catalog.
///
/// # Errors
/// `SM0509` where the configuration names none; else those of the store and the catalog.
pub async fn plan_only(world: &World, config: &Config) -> Result<Plan> {
    planned(world, config, RunId(world.ids.next())).await
}

/// Takes fulls of all companions: leftovers of earlier runs first, then the plan.
///
/// # Errors
/// Those of [`plan_only`], and those of the lease.
pub async fn back_up(world: &World, config: &Config, interrupt: &Interrupt) -> Result<Record> {
    world.store.take_lease(&config.group).await?;
    finish_leftovers(world, &config.group, interrupt).await?;
    let run = RunId(world.ids.next());
    let plan = planned(world, config, run).await?;
    // As in `conduct::back_up`: no other run may have the same file names.
    let catalog = &world.catalog;
    catalog.note_stamp(&config.group, plan.made_at).await?;
    carry_out_as(world, config, &plan, run, interrupt).await
}

async fn planned(world: &World, config: &Config, run: RunId) -> Result<Plan> {
    if config.companions.is_empty() {
        let message = "the configuration names no databases beside the group";
        return Err(Error::new(Code::CompanionLeftOut, message)
            .hint("write `[companions] databases = ['HOST/master', 'HOST/msdb']`"));
    }
    catalog::catch_up(world, &config.group).await?;
    let asked = CompanionsAsked {
        run,
        members: members(world, config).await?,
        newest_stamp: world.catalog.newest_stamp(&config.group).await?,
    };
    // The companions are asked for as members are; hosts without one are left alone.
    let is_home = |name: &HostName| {
        let mut companions = config.companions.iter();
        companions.any(|it| it.name.host.is_same_host(name))
    };
    let mut beside = Config {
        members: config.companions.clone(),
        discovery: None,
        ..config.clone()
    };
    beside.hosts.retain(|name, _| is_home(name));
    let survey = survey::take(world, &beside).await;
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_companions(config, &survey, &asked, &mut names, world.clock.now());
    refuse_unsound(&plan)?;
    Ok(plan)
}

/// The members of the newest set, and those that the configuration lists.
async fn members(world: &World, config: &Config) -> Result<Vec<MemberName>> {
    let newest = world.catalog.page(&config.group, None, 1).await?;
    let mut members: Vec<MemberName> = newest.into_iter().flat_map(|it| it.set.members).collect();
    members.extend(config.members.iter().map(|member| member.name.clone()));
    members.sort();
    members.dedup();
    Ok(members)
}
