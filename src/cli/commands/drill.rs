//! `stopmark drill run|list|show`: a whole point restored under scratch names, looked through, removed, certified.

use std::fs;
use std::path::Path;

use super::{Failed, exit_of, log_run, one, shown};
use crate::cli::args::{Common, DrillCommand, DrillRunArgs, DrillShowArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::DrillPoint;
use crate::error::{Code, Error, Exit, Result as Done};
use crate::model::{Certificate, RunId};
use crate::report::drill::{DrillList, DrillReport, id_of};
use crate::report::html;
use crate::report::run::RunReport;
use crate::run::Interrupt;
use crate::run::drill::{DrillWanted, hold, plan_of};
use crate::run::record::Record;
use crate::world::LogFact;

/// Holds a drill, or tells of those that were held.
pub(super) async fn drill(
    common: &Common,
    command: DrillCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    match command {
        DrillCommand::Run(args) if args.dry_run => {
            let agent = agent(common, Access::Read)?;
            let plan = plan_of(&agent.world, &agent.config, &wanted(&agent, &args)).await?;
            shown(out, &plan, Exit::Ok)
        }
        DrillCommand::Run(args) => run(common, &args, out, interrupt).await,
        DrillCommand::List => {
            let agent = agent(common, Access::Read)?;
            let list = DrillList::of(&facts(&agent).await?);
            shown(out, &list, Exit::Ok)
        }
        DrillCommand::Show(args) => show(common, &args, out).await,
    }
}

async fn run(
    common: &Common,
    args: &DrillRunArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let (world, config) = (&agent.world, &agent.config);
    let held = hold(world, config, &wanted(&agent, args), interrupt).await;
    let released = world.store.release_lease(&config.group).await;
    let record = held?;
    let certificate = certificate_of(&agent, record.run).await?;
    released.map_err(one)?;
    let report = DrillReport {
        html: written(certificate.as_ref(), args.html.as_deref()).map_err(one)?,
        run: Some(RunReport::of(&record)),
        certificate,
    };
    let exit = exit(&record, report.certificate.as_ref());
    log_run(&report.text(), exit == Exit::Ok);
    shown(out, &report, exit)
}

/// A drill that failed is a failure, however well its failing was certified.
fn exit(record: &Record, certificate: Option<&Certificate>) -> Exit {
    match exit_of(record) {
        Exit::Ok if !certificate.is_some_and(|it| it.passed) => Exit::Failed,
        Exit::Ok if certificate.is_some_and(|it| it.keeps_target() == Some(false)) => {
            Exit::Degraded
        }
        other => other,
    }
}

/// What the command line says goes before what the configuration does.
fn wanted(agent: &Agent, args: &DrillRunArgs) -> DrillWanted {
    let by_config = DrillWanted::by(&agent.config);
    DrillWanted {
        mark: args.mark.clone(),
        point: if args.random {
            DrillPoint::Random
        } else {
            by_config.point
        },
        hosts: if args.on.is_empty() {
            by_config.hosts
        } else {
            args.on.clone()
        },
    }
}

async fn facts(agent: &Agent) -> Result<Vec<LogFact>, Failed> {
    agent.catch_up().await?;
    let facts = agent
        .world
        .catalog
        .retention_facts(&agent.config.group)
        .await;
    facts.map_err(one)
}

async fn show(common: &Common, args: &DrillShowArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let facts = facts(&agent).await?;
    let certificate = read(&agent, &facts, args.drill.as_deref())
        .await
        .map_err(one)?;
    let certificate = certificate.ok_or_else(|| {
        let message = "there is no such drill";
        one(Error::new(Code::PointUnknown, message).hint("`stopmark drill list` shows them"))
    })?;
    let passed = certificate.passed;
    let report = DrillReport {
        html: written(Some(&certificate), args.html.as_deref()).map_err(one)?,
        run: None,
        certificate: Some(certificate),
    };
    shown(out, &report, if passed { Exit::Ok } else { Exit::Degraded })
}

/// The certificate of a run that just ended; none where it wrote none.
async fn certificate_of(agent: &Agent, run: RunId) -> Result<Option<Certificate>, Failed> {
    let facts = facts(agent).await?;
    let found = read(agent, &facts, Some(&run.to_string())).await;
    found.map_err(one)
}

/// The certificate of this drill, or of the newest that has one.
async fn read(agent: &Agent, facts: &[LogFact], drill: Option<&str>) -> Done<Option<Certificate>> {
    let mut certificates = facts.iter().rev().filter_map(|fact| match fact {
        LogFact::Drilled {
            certificate: Some(key),
            digest: Some(digest),
            ..
        } => Some((key, *digest)),
        _ => None,
    });
    let found = certificates.find(|(key, _)| drill.is_none() || id_of(key) == drill);
    match found {
        Some((key, digest)) => agent
            .world
            .store
            .read_certificate(key, digest)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Writes the report where that was asked for; the file's name.
fn written(certificate: Option<&Certificate>, file: Option<&Path>) -> Done<Option<String>> {
    let (Some(certificate), Some(file)) = (certificate, file) else {
        return Ok(None);
    };
    fs::write(file, html::drill(certificate)).map_err(|error| {
        Error::new(Code::StateUnwritable, "the report cannot be written")
            .at("file", file.display())
            .hint("`stopmark drill show --html FILE` writes it again")
            .source(error)
    })?;
    Ok(Some(file.display().to_string()))
}

impl Shown for DrillReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

impl Shown for DrillList {
    fn text(&self) -> String {
        Self::text(self)
    }
}
