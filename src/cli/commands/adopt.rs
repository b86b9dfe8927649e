//! `stopmark adopt`: backups that others took join the catalog and the store.

use super::inspect::stopped;
use super::{Failed, one, shown};
use crate::cli::args::{AdoptArgs, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent, foreign_access};
use crate::error::{Code, Error, Exit, Result};
use crate::media::Source;
use crate::model::Piece;
use crate::plan::{Adoption, Mapped, Step, Whose};
use crate::report::adopt::AdoptReport;
use crate::report::run::RunReport;
use crate::run::Interrupt;
use crate::run::adopt::{self, AdoptWanted};

/// Adopts what lies at the sources, or prints the plan where `--dry-run` was said.
pub(super) async fn adopt(
    common: &Common,
    args: &AdoptArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let access = if args.dry_run {
        Access::Read
    } else {
        Access::Act
    };
    let agent = agent(common, access)?;
    check_group(&agent, &args.group).map_err(one)?;
    let wanted = tokio::select! {
        wanted = wanted(&agent, args) => wanted,
        stopped = stopped(interrupt) => Err(stopped),
    };
    let wanted = wanted.map_err(one)?;
    if args.dry_run {
        let adoption = adopt::plan_adoption(&agent.world, &agent.config, &wanted).await;
        let adoption = adoption.map_err(one)?;
        let held = pieces(&agent).await?;
        let all = [held, planned(&adoption)].concat();
        let mut report = AdoptReport::of(&adoption, &all);
        report.plan = Some(adoption.plan);
        let exit = report.exit();
        return shown(out, &report, exit);
    }
    let done = adopt::adopt(&agent.world, &agent.config, &wanted, interrupt).await;
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let (adoption, record) = done.map_err(one)?;
    released.map_err(one)?;
    let mut report = AdoptReport::of(&adoption, &pieces(&agent).await?);
    let exit = match &record {
        Some(record) => super::exit_of(record),
        None => report.exit(),
    };
    report.run = record.as_ref().map(RunReport::of);
    super::log_run(&report.text(), exit == Exit::Ok);
    shown(out, &report, exit)
}

/// The group is named, so that nobody adopts into the wrong one by habit.
fn check_group(agent: &Agent, named: &str) -> Result<()> {
    if named == agent.config.group.as_str() {
        return Ok(());
    }
    let message = format!("`--group {named}` is not the group of this configuration");
    Err(Error::new(Code::CommandLine, message)
        .at("group", &agent.config.group)
        .hint("write the group's name exactly, or name another file with `--config`"))
}

async fn wanted(agent: &Agent, args: &AdoptArgs) -> Result<AdoptWanted> {
    let mapped: Result<Vec<Mapped>> = args.member.iter().map(|text| mapped(text)).collect();
    let mapped = mapped?;
    let access = foreign_access(Some(&agent.config));
    let sources: Result<Vec<Source>> = args
        .sources
        .iter()
        .map(|text| Source::open(text, &access).map(absolute))
        .collect();
    let found = adopt::find(&agent.world, &sources?).await?;
    Ok(AdoptWanted {
        offers: found.offers,
        others: found.others,
        mapped,
    })
}

/// A later start finishes what this one began, perhaps in another folder.
fn absolute(source: Source) -> Source {
    match source {
        Source::Path(path) => Source::Path(std::path::absolute(&path).unwrap_or(path)),
        shelf @ Source::Shelf(_) => shelf,
    }
}

/// `HOST/DATABASE=SERVER/DATABASE` or `HOST/DATABASE=FAMILY-GUID`.
fn mapped(text: &str) -> Result<Mapped> {
    let understood = text.match_indices('=').find_map(|(at, _)| {
        let (member, whose) = (&text[..at], &text[at + 1..]);
        let named = || whose.parse().ok().map(Whose::Named);
        let whose = whose.parse().ok().map(Whose::Family).or_else(named)?;
        Some(Mapped {
            member: member.parse().ok()?,
            whose,
        })
    });
    understood.ok_or_else(|| {
        let message = format!("`--member {text}` does not say which media are of which member");
        Error::new(Code::CommandLine, message).hint(
            "write `--member 'HOST/DATABASE=SERVER/DATABASE'`, the media's own names last, or their family GUID",
        )
    })
}

/// Every piece in the store.
async fn pieces(agent: &Agent) -> Result<Vec<Piece>, Failed> {
    let sets = agent.sets().await?;
    Ok(sets.into_iter().flat_map(|set| set.pieces).collect())
}

/// What the plan would add.
fn planned(adoption: &Adoption) -> Vec<Piece> {
    let lanes = adoption.plan.stages.iter().flat_map(|stage| &stage.lanes);
    let steps = lanes.flat_map(|lane| &lane.steps);
    let pieces = steps.filter_map(|step| match step {
        Step::Adopt(step) => Some((*step.piece).clone()),
        _ => None,
    });
    pieces.collect()
}

impl Shown for AdoptReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
