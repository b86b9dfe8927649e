//! `stopmark group prepare`: what marks need in every member.

use super::backup::members;
use super::link::survey_of;
use super::{Failed, end_run, one, shown};
use crate::cli::args::{Common, GroupCommand, ReleaseArgs};
use crate::cli::out::Out;
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::model::SurveyId;
use crate::plan::{PrepareAsked, plan_prepare, plan_release};
use crate::run::{self, Interrupt, PlanNames};

/// Prepares the members, or prints what would be done.
pub(super) async fn group(
    common: &Common,
    command: GroupCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let args = match command {
        GroupCommand::Prepare(args) => args,
        GroupCommand::Release(args) => return release(common, args, out, interrupt).await,
    };
    let agent = agent(
        common,
        if args.dry_run {
            Access::Read
        } else {
            Access::Act
        },
    )?;
    let survey = survey_of(&agent).await;
    let asked = if args.remove {
        PrepareAsked::Remove
    } else {
        PrepareAsked::Make
    };
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let plan = plan_prepare(&agent.config, &survey, asked, &mut names, now);
    if args.dry_run {
        return shown(out, &plan, Exit::Ok);
    }
    let record = run::carry_out(&agent.world, &agent.config, &plan, interrupt)
        .await
        .map_err(one)?;
    end_run(out, &record)
}

/// Ends the quarantine of these members; a run of its own, since the journal is where quarantines come from.
async fn release(
    common: &Common,
    args: ReleaseArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let members = members(&agent, args.members).await.map_err(one)?;
    let survey = SurveyId(agent.world.ids.next());
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let plan = plan_release(&agent.config, survey, &members, &mut names, now);
    let record = run::carry_out(&agent.world, &agent.config, &plan, interrupt).await;
    end_run(out, &record.map_err(one)?)
}
