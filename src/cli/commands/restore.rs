//! `stopmark restore plan|run`: the group back to a mark, on one host.

use std::collections::BTreeMap;

use super::link::survey_of;
use super::{Failed, end_run, one, shown};
use crate::chain::{Break, Point};
use crate::cli::args::{Common, RestoreArgs, RestoreCommand};
use crate::cli::out::Out;
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{DatabaseName, HostName, MemberName};
use crate::plan::{CatalogView, Plan, RestoreAsked, plan_restore};
use crate::run::{self, Interrupt, PlanNames};
use crate::world::PointNeeds;

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
            let plan = plan(&agent, &args, false).await?;
            shown(out, &plan, Exit::Ok)
        }
        RestoreCommand::Run(args) => {
            let agent = agent(common, Access::Act)?;
            let replace = overwrite(&agent, args.yes_overwrite.as_deref())?;
            let plan = plan(&agent, &args.restore, replace).await?;
            let done = run::carry_out(&agent.world, &agent.config, &plan, interrupt).await;
            end_run(out, &done.map_err(one)?)
        }
    }
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

async fn plan(agent: &Agent, args: &RestoreArgs, replace: bool) -> Result<Plan, Failed> {
    let group = &agent.config.group;
    agent.catch_up().await?;
    let PointNeeds { point, sets } = find(agent, args.mark.as_deref()).await?;
    let host = target(agent, &args.to_host).map_err(one)?;
    let survey = survey_of(agent).await;
    let existing = agent.world.fleet.databases(&host).await.map_err(one)?;
    let asked = RestoreAsked {
        based_on: survey.id,
        host,
        data_folder: args.files_in.clone(),
        renames: renames(&point, &args.prefix)?,
        only: Vec::new(),
        replace,
        existing,
    };
    let newest_stamp = agent.world.catalog.newest_stamp(group).await.map_err(one)?;
    let have = CatalogView {
        sets,
        newest_stamp,
        damaged: Vec::new(),
    };
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    plan_restore(&agent.config, &have, &point, &asked, &mut names, now).map_err(one)
}

/// The target as the configuration spells it.
fn target(agent: &Agent, named: &HostName) -> crate::error::Result<HostName> {
    let found = agent.config.host(named).map(|host| host.name.clone());
    found.ok_or_else(|| {
        let hosts = agent.config.hosts.keys().map(HostName::to_string);
        Error::new(
            Code::ConfigValue,
            format!("the configuration has no host `{named}`"),
        )
        .at("hosts", hosts.collect::<Vec<_>>().join(", "))
        .hint("`--to-host` takes one of these; write a section `[hosts.'NAME']` for another")
    })
}

async fn find(agent: &Agent, mark: Option<&str>) -> Result<PointNeeds, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    if let Some(found) = catalog.point(group, mark).await.map_err(one)? {
        return Ok(found);
    }
    let Some(mark) = mark else {
        let standing = catalog.standing(group).await.map_err(one)?;
        if let Some((newest, breaks)) = standing.held_back
            && breaks
                .iter()
                .all(|(_, it)| matches!(it, Break::TooFewCopies { .. }))
        {
            let message = "no mark is held in as many copies as the policy asks for";
            return Err(one(Error::new(Code::NoPoint, message)
                .at("newest mark", newest.mark.name)
                .hint(
                    "name it with `--mark` to restore from the copies that there are",
                )));
        }
        return Err(one(Error::new(
            Code::NoPoint,
            "there is no mark to which every member can be restored",
        )
        .hint("`stopmark list` says what stands in the way")));
    };
    let newest = catalog.newest_points(group, 3).await.map_err(one)?;
    let newest = newest.iter().map(|point| format!("`{}`", point.mark.name));
    let newest = newest.collect::<Vec<_>>().join(", ");
    let message = format!("there is no point at mark `{mark}`");
    Err(one(Error::new(Code::PointUnknown, message)
        .at("newest points", newest)
        .hint("`stopmark list` shows all points")))
}

fn renames(point: &Point, prefix: &str) -> Result<BTreeMap<MemberName, DatabaseName>, Failed> {
    if prefix.is_empty() {
        return Ok(BTreeMap::new());
    }
    let named = point.paths.keys().map(|member| {
        let name = format!("{prefix}{}", member.database).parse();
        name.map(|name| (member.clone(), name))
    });
    named.collect::<Result<_, _>>().map_err(|error| {
        one(Error::new(
            Code::CommandLine,
            "`--prefix` makes a name that SQL Server cannot hold",
        )
        .source(error))
    })
}
