//! `stopmark drill run|list|show`: a whole point restored under scratch names, looked through, removed, certified.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::link::survey_of;
use super::restore_asked::{target, targets};
use super::{Failed, exit_of, log_run, one, shown};
use crate::chain::Point;
use crate::cli::args::{Common, DrillCommand, DrillRunArgs, DrillShowArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::DrillConfig;
use crate::error::{Code, Error, Exit, Result as Done};
use crate::model::{Certificate, HostName, RunId};
use crate::plan::{CatalogView, DrillCheck, Plan, RestoreAsked, RestorePlace, plan_drill};
use crate::report::drill::{DrillList, DrillReport, id_of};
use crate::report::html;
use crate::report::run::RunReport;
use crate::run::record::Record;
use crate::run::{self, Interrupt, PlanNames};
use crate::world::{LogFact, PointNeeds};

/// Points that a random one is taken from.
const POINTS_MAX: usize = 10_000;

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
            agent.catch_up().await?;
            let run = RunId(agent.world.ids.next());
            let plan = plan(&agent, &args, run).await?;
            shown(out, &plan, Exit::Ok)
        }
        DrillCommand::Run(args) => hold(common, &args, out, interrupt).await,
        DrillCommand::List => {
            let agent = agent(common, Access::Read)?;
            let list = DrillList::of(&facts(&agent).await?);
            shown(out, &list, Exit::Ok)
        }
        DrillCommand::Show(args) => show(common, &args, out).await,
    }
}

async fn hold(
    common: &Common,
    args: &DrillRunArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let (world, config) = (&agent.world, &agent.config);
    // What a drill before left behind would stand in this one's way.
    let tidied = run::finish_drills(world, &config.group, interrupt).await;
    tidied.map_err(one)?;
    agent.catch_up().await?;
    let plan = plan(&agent, args, RunId(world.ids.next())).await?;
    let done = run::carry_out(world, config, &plan, interrupt).await;
    let released = world.store.release_lease(&config.group).await;
    let record = done.map_err(one)?;
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

async fn plan(agent: &Agent, args: &DrillRunArgs, run: RunId) -> Result<Plan, Failed> {
    let config = &agent.config;
    let drill = config.drill.clone().unwrap_or_default();
    let PointNeeds { point, sets } = point(agent, args).await?;
    let hosts = hosts(agent, args, &drill).map_err(one)?;
    let place = dealt_out(&point, &hosts);
    let targets = targets(agent, hosts.iter()).await?;
    let survey = survey_of(agent).await;
    let asked = RestoreAsked {
        targets,
        ..RestoreAsked::to(place, run, survey.id)
    };
    let checks = checks(&drill)?;
    let have = CatalogView {
        sets,
        ..CatalogView::default()
    };
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    plan_drill(config, &have, &point, asked, &checks, &mut names, now)
}

async fn point(agent: &Agent, args: &DrillRunArgs) -> Result<PointNeeds, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let mark = if args.random {
        let points = catalog
            .newest_points(group, POINTS_MAX)
            .await
            .map_err(one)?;
        // The last bytes of a new identity are random.
        let chance = agent.world.ids.next().as_u128();
        let nth = chance.checked_rem(points.len() as u128);
        let nth = nth.and_then(|nth| usize::try_from(nth).ok());
        nth.and_then(|nth| points.get(nth))
            .map(|point| point.mark.name.to_string())
    } else {
        args.mark.clone()
    };
    let found = catalog.point(group, mark.as_deref()).await.map_err(one)?;
    found.ok_or_else(|| {
        let error = match mark {
            Some(mark) => Error::new(
                Code::PointUnknown,
                format!("there is no point at mark `{mark}`"),
            ),
            None => Error::new(Code::NoPoint, Code::NoPoint.meaning()),
        };
        one(error.hint("`stopmark points` shows what there is"))
    })
}

/// The drill hosts as the configuration spells them.
fn hosts(agent: &Agent, args: &DrillRunArgs, drill: &DrillConfig) -> Done<Vec<HostName>> {
    let named = if args.on.is_empty() {
        &drill.hosts
    } else {
        &args.on
    };
    if named.is_empty() {
        let message = "nobody says where the drill is to be held";
        return Err(Error::new(Code::DrillHostUnfit, message)
            .hint("say `--on HOST`, or write `[drill] hosts = ['HOST']`"));
    }
    named.iter().map(|host| target(agent, host)).collect()
}

/// The members of each host together, host by host over the drill hosts.
fn dealt_out(point: &Point, hosts: &[HostName]) -> RestorePlace {
    if let [host] = hosts {
        return RestorePlace::OneHost(host.clone());
    }
    let mut map: BTreeMap<HostName, HostName> = BTreeMap::new();
    for member in point.paths.keys() {
        let nth = map.len();
        if !map.keys().any(|host| host.is_same_host(&member.host)) {
            map.insert(member.host.clone(), hosts[nth % hosts.len()].clone());
        }
    }
    RestorePlace::Mapped(map)
}

/// The user's checks with their texts; every file that cannot be read, at once.
fn checks(drill: &DrillConfig) -> Result<Vec<DrillCheck>, Failed> {
    let read = |file: &Path| {
        fs::read_to_string(file).map_err(|error| {
            Error::new(Code::DrillCheckUnfit, "the file of a check cannot be read")
                .at("file", file.display())
                .hint("`[drill] checks` names it; paths begin at the configuration's folder")
                .source(error)
        })
    };
    let (mut checks, mut errors) = (Vec::new(), Vec::new());
    for check in &drill.checks {
        let name = check.file.file_name().unwrap_or_default();
        match read(&check.file) {
            Ok(text) => checks.push(DrillCheck {
                name: name.to_string_lossy().into_owned(),
                text,
                value: check.value.clone(),
            }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(checks)
    } else {
        Err(errors)
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
