//! `stopmark link plan|apply|script|test|check|explain`: the linked servers that marks need.

use serde::Serialize;

use super::{Failed, end_run, one, rivals, shown};
use crate::cli::args::{Common, LinkCheckArgs, LinkCommand};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::model::{HostName, Timestamp};
use crate::plan::{
    Lane, LinksAsked, Plan, Step, TrialAsked, plan_link_explain, plan_link_trial, plan_links,
};
use crate::report::link_explain::LinkExplanation;
use crate::report::link_trials::PastMarks;
use crate::report::links::LinkReport;
use crate::run::record::Record;
use crate::run::{self, Interrupt, PlanNames};
use crate::survey::{self, Survey};

/// Runs whose journals are read for what marks took.
const PAST_RUNS_MAX: usize = 50;

/// The T-SQL that a person would run.
#[derive(Serialize)]
struct Script {
    host: String,
    text: String,
}

impl Shown for Script {
    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Shown for LinkExplanation {
    fn text(&self) -> String {
        Self::text(self)
    }
}

impl Shown for LinkReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

/// A survey for a command that plans.
pub(super) async fn survey_of(agent: &Agent) -> Survey {
    survey::take(&agent.world, &agent.config).await
}

/// Plans, makes, prints or tests links.
pub(super) async fn link(
    common: &Common,
    command: LinkCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    // A test changes nothing, but it is a run with a journal, which a backup that starts meanwhile would take
    // for one that a crash left.
    let acts = match &command {
        LinkCommand::Apply(_) | LinkCommand::Test | LinkCommand::Explain(_) => true,
        LinkCommand::Check(args) => args.trial_mark,
        LinkCommand::Plan | LinkCommand::Script => false,
    };
    let access = if acts { Access::Act } else { Access::Read };
    let agent = agent(common, access)?;
    let take_over = match &command {
        LinkCommand::Apply(args) => args.foreign.clone(),
        _ => Vec::new(),
    };
    let survey = survey_of(&agent).await;
    let mut names = PlanNames(agent.world.ids.as_ref());
    let asked = LinksAsked { take_over };
    let mut plan = plan_links(
        &agent.config,
        &survey,
        &asked,
        &mut names,
        agent.world.clock.now(),
    );
    match command {
        LinkCommand::Plan => shown(out, &plan, Exit::Ok),
        LinkCommand::Script => shown(out, &script(&agent, &plan), Exit::Ok),
        LinkCommand::Apply(_) => carry_out(&agent, &plan, out, interrupt).await,
        LinkCommand::Check(args) => check(&agent, &survey, args, out, interrupt).await,
        LinkCommand::Explain(args) => explain(&agent, &survey, &args.host, out, interrupt).await,
        LinkCommand::Test => {
            keep_only_tests(&mut plan);
            carry_out(&agent, &plan, out, interrupt).await
        }
    }
}

/// Examines the links, and tries marks where that is asked for; else says what marks took before.
async fn check(
    agent: &Agent,
    survey: &Survey,
    args: LinkCheckArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let mut report = LinkReport::of(&agent.config, survey);
    report.rivals = rivals::look(agent, survey).await;
    if args.trial_mark {
        let (config, world) = (&agent.config, &agent.world);
        let asked = TrialAsked {
            commits: args.commit,
            newest_stamp: newest_stamp(agent).await?,
        };
        let mut names = PlanNames(world.ids.as_ref());
        let plan = plan_link_trial(config, survey, asked, &mut names, world.clock.now());
        let record = run::check(world, config, &plan, interrupt).await;
        report = report.with_trials(&record.map_err(one)?);
    } else {
        report.past_marks = past_marks(agent).map_err(one)?;
    }
    shown(out, &report, report.exit())
}

async fn explain(
    agent: &Agent,
    survey: &Survey,
    host: &HostName,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let (config, world) = (&agent.config, &agent.world);
    let mut names = PlanNames(world.ids.as_ref());
    let newest = newest_stamp(agent).await?;
    let now = world.clock.now();
    let plan = plan_link_explain(config, survey, host, newest, &mut names, now);
    let record = run::check(world, config, &plan, interrupt).await;
    let record = record.map_err(one)?;
    let explanation = LinkExplanation::of(host, &record);
    shown(out, &explanation, super::exit_of(&record))
}

async fn newest_stamp(agent: &Agent) -> Result<Option<Timestamp>, Failed> {
    let stamp = agent.world.catalog.newest_stamp(&agent.config.group).await;
    stamp.map_err(one)
}

/// What marks took in the newest runs that have a journal here.
fn past_marks(agent: &Agent) -> crate::error::Result<Option<PastMarks>> {
    let journals = &agent.world.journals;
    let mut records = Vec::new();
    for run in journals.runs()?.into_iter().rev().take(PAST_RUNS_MAX) {
        let record = Record::fold(&journals.read(run)?)?;
        records.extend(record.filter(|record| record.group == agent.config.group));
    }
    Ok(PastMarks::of(&records))
}

async fn carry_out(
    agent: &Agent,
    plan: &Plan,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let record = run::carry_out(&agent.world, &agent.config, plan, interrupt)
        .await
        .map_err(one)?;
    end_run(out, &record)
}

/// A test changes nothing, so it goes through the links as they are.
fn keep_only_tests(plan: &mut Plan) {
    let lanes = plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes);
    for Lane { steps, .. } in lanes {
        steps.retain(|step| matches!(step, Step::TestLink(_)));
    }
}

fn script(agent: &Agent, plan: &Plan) -> Script {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let links = lanes
        .flat_map(|lane| &lane.steps)
        .filter_map(|step| match step {
            Step::EnsureLink(link) => Some(link),
            _ => None,
        });
    let host = agent.config.management_host.to_string();
    let mut text = crate::sql::link_script(links);
    if text.is_empty() {
        text.push_str("-- nothing to do: every link is there and as it should be\n");
    }
    Script { host, text }
}
