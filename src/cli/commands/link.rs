//! `stopmark link plan|apply|script|test`: the linked servers that marks need.

use serde::Serialize;

use super::{Failed, end_run, one, shown};
use crate::cli::args::{Common, LinkCommand};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::plan::{Lane, LinksAsked, Plan, Step, plan_links};
use crate::report::links::LinkReport;
use crate::run::{self, Interrupt, PlanNames};
use crate::survey::{self, Survey};

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
    let access = if matches!(command, LinkCommand::Apply(_) | LinkCommand::Test) {
        Access::Act
    } else {
        Access::Read
    };
    let agent = agent(common, access)?;
    let take_over = match &command {
        LinkCommand::Apply(args) => args.foreign.clone(),
        LinkCommand::Plan | LinkCommand::Script | LinkCommand::Test | LinkCommand::Check => {
            Vec::new()
        }
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
        LinkCommand::Check => {
            let report = LinkReport::of(&agent.config, &survey);
            shown(out, &report, report.exit())
        }
        LinkCommand::Test => {
            keep_only_tests(&mut plan);
            carry_out(&agent, &plan, out, interrupt).await
        }
    }
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
