//! `stopmark restore plan|run`: the group back to a mark, on its own hosts, on others or on one.

use super::restore_asked::{Wanted, asked, begun};
use super::restore_point::point;
use super::script::script;
use super::{Failed, end_run, one, shown, unprintable};
use crate::cli::args::{Common, RestoreArgs, RestoreCommand};
use crate::cli::out::Out;
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{RunId, SurveyId};
use crate::plan::{CatalogView, Plan, RestorePlace, plan_restore};
use crate::report::forecast::{Pace, forecast};
use crate::run::events::Verdict;
use crate::run::{self, Interrupt, PlanNames};
use crate::world::PointNeeds;

/// Journals that are looked through for what restores took.
const RUNS_MAX: usize = 500;

/// Restores a point, or prints the plan.
pub(super) async fn restore(
    common: &Common,
    command: RestoreCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    match command {
        RestoreCommand::Plan(args) => {
            let agent = agent(common, Access::Read)?;
            if let Some(folder) = &args.script {
                return script(&agent, &args.restore, folder, out).await;
            }
            let args = args.restore;
            let wanted = Wanted {
                run: RunId(agent.world.ids.next()),
                // Over the group itself nothing can be planned that overwrites nothing; printing harms nobody.
                replace: args.in_place,
                resume: false,
            };
            let (plan, _) = plan(&agent, &args, &wanted).await?;
            shown(out, &plan, Exit::Ok)?;
            if let Some(forecast) = forecast(&plan, &pace(&agent)?) {
                out.say(&forecast.text()).map_err(unprintable)?;
            }
            Ok(Exit::Ok)
        }
        RestoreCommand::Run(args) => {
            let agent = agent(common, Access::Act)?;
            let wanted = Wanted {
                run: RunId(agent.world.ids.next()),
                replace: overwrite(&agent, args.yes_overwrite.as_deref())?,
                resume: args.resume,
            };
            let (plan, place) = plan(&agent, &args.restore, &wanted).await?;
            let (world, config) = (&agent.world, &agent.config);
            let done = run::restore(world, config, &plan, wanted.run, interrupt).await;
            let record = done.map_err(one)?;
            let exit = end_run(out, &record)?;
            let verdict = record.ended.map(|(verdict, _)| verdict);
            if args.restore.inspect && verdict == Some(Verdict::Done) {
                let lines = "  next      look into the databases; the same words with `--resume` instead of `--inspect` open them";
                out.say(lines).map_err(unprintable)?;
            } else {
                advise(out, &place, verdict)?;
            }
            Ok(exit)
        }
    }
}

/// What the restores before took, as far as the newest journals tell.
fn pace(agent: &Agent) -> Result<Pace, Failed> {
    let journals = &agent.world.journals;
    let mut pace = Pace::default();
    for run in journals
        .runs()
        .map_err(one)?
        .into_iter()
        .rev()
        .take(RUNS_MAX)
    {
        pace = pace.of(&journals.read(run).map_err(one)?);
    }
    Ok(pace)
}

/// What a person has to do next, where the group itself was restored: its chains are on a new fork.
fn advise(out: &mut Out<'_>, place: &RestorePlace, verdict: Option<Verdict>) -> Result<(), Failed> {
    let is_open = matches!(verdict, Some(Verdict::Done | Verdict::Degraded));
    if *place != RestorePlace::OwnHosts || !is_open {
        return Ok(());
    }
    let lines = "  next      `stopmark backup log` (or the service's next log run) takes new fulls, a mark and logs: the group has no new point before";
    out.say(lines).map_err(unprintable)
}

/// Overwriting is asked for by the group's name, so that nobody does it by habit.
fn overwrite(agent: &Agent, named: Option<&str>) -> Result<bool, Failed> {
    match named {
        None => Ok(false),
        Some(name) if name == agent.config.group.as_str() => Ok(true),
        Some(name) => Err(one(Error::new(
            Code::TargetExists,
            format!("`--yes-overwrite {name}` does not name this group"),
        )
        .at("group", &agent.config.group)
        .hint("write the group's name exactly, or leave the option out"))),
    }
}

/// The plan, and where it brings the group.
async fn plan(
    agent: &Agent,
    args: &RestoreArgs,
    wanted: &Wanted,
) -> Result<(Plan, RestorePlace), Failed> {
    let group = &agent.config.group;
    agent.catch_up().await?;
    let begun = begun(agent, wanted)?;
    let PointNeeds { point, have } = point(agent, args, begun.as_ref()).await?;
    // The hosts that were may be gone, and nothing of theirs is needed: only the targets are asked.
    let survey = SurveyId(agent.world.ids.next());
    let asked = asked(agent, args, wanted, (&point, survey, begun)).await?;
    let newest_stamp = agent.world.catalog.newest_stamp(group).await.map_err(one)?;
    let have = CatalogView {
        newest_stamp,
        ..have
    };
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let plan = plan_restore(&agent.config, &have, &point, &asked, &mut names, now)?;
    Ok((plan, asked.place))
}
