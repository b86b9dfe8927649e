//! `stopmark prune plan|run`: what no rule keeps goes, with the pieces that nobody needs any more.

use std::collections::BTreeMap;

use super::{Failed, exit_of, log_run, one, shown};
use crate::cli::args::{Common, PruneCommand};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::model::SetId;
use crate::report::prune::PruneReport;
use crate::report::run::RunReport;
use crate::retention::Kept;
use crate::run::Interrupt;
use crate::run::prune::{self, Pruning};

/// Prunes, or prints the plan.
pub(super) async fn prune(
    common: &Common,
    command: PruneCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    match command {
        PruneCommand::Run(args) if !args.dry_run => run(common, out, interrupt).await,
        PruneCommand::Plan | PruneCommand::Run(_) => plan(common, out).await,
    }
}

async fn plan(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let pruning = prune::plan_only(&agent.world, &agent.config).await;
    let pruning = pruning.map_err(one)?;
    let mut report = report(&agent, &pruning);
    report.plan = Some(pruning.plan);
    shown(out, &report, Exit::Ok)
}

async fn run(common: &Common, out: &mut Out<'_>, interrupt: &Interrupt) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let done = prune::prune(&agent.world, &agent.config, interrupt).await;
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let (pruning, record) = done.map_err(one)?;
    released.map_err(one)?;
    let mut report = report(&agent, &pruning);
    report.run = record.as_ref().map(RunReport::of);
    let exit = record.as_ref().map_or(Exit::Ok, exit_of);
    log_run(&report.text(), exit == Exit::Ok);
    shown(out, &report, exit)
}

fn report(agent: &Agent, pruning: &Pruning) -> PruneReport {
    let config = &agent.config;
    let has_policy = config.retention.is_some();
    PruneReport::of(&config.group, has_policy, &pruning.verdict, &pruning.plan)
}

/// What keeps the point of which set, where the configuration has a policy or somebody pinned one; empty rules let it
/// go. Without a policy only the pins are worth a word.
pub(super) async fn keeping(agent: &Agent) -> Result<BTreeMap<SetId, Vec<Kept>>, Failed> {
    let (world, config) = (&agent.world, &agent.config);
    let has_policy = config.retention.is_some();
    if !has_policy && prune::pins(world, config).await.map_err(one)?.is_empty() {
        return Ok(BTreeMap::new());
    }
    let verdict = prune::judge(world, config).await.map_err(one)?;
    let points = verdict.points.into_iter().filter(|point| point.is_offered);
    let mut kept: BTreeMap<SetId, Vec<Kept>> = points.map(|it| (it.set, it.kept)).collect();
    if !has_policy {
        kept.retain(|_, rules| {
            rules.retain(|rule| matches!(rule, Kept::Pinned { .. }));
            !rules.is_empty()
        });
    }
    Ok(kept)
}

impl Shown for PruneReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
