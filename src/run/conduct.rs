//! Conducting a run from its first line in the journal to its last: lease, leftovers, up to three rounds.
//!
//! Start at [`back_up`]. Each round begins with a new survey; whether another one helps is the planner's to say.

use super::Interrupt;
use super::adopt::bring_in;
use super::away::{Standing, waiting_sets};
use super::backlog::over_budget;
use super::book::Book;
use super::events::Event;
use super::executor::{RoundEnd, carry_out_plan};
use super::held_back::tell_what_holds_back;
use super::leftovers::{close, finish_those, look_back, salvage};
use super::record::Record;
use super::resume::Unknown;
use super::round_result::round_result;
use super::verdict::{cures as cures_of, verdict_of};
use crate::catalog;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, MemberName, RunId};
use crate::plan::{
    self, Asked, BackupKind, COPIES_MAX, CatalogView, CopyPiece, Names, Plan, Quarantine, RunKind,
    Warning, bases_astray, lint, logs_astray, plan_backup, plan_copies, plan_no_copies,
    wants_another_round,
};
use crate::survey::{self, Survey};
use crate::world::{Ids, World};

/// What a person or a schedule wants backed up.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupWanted {
    /// Which kind.
    pub kind: BackupKind,
    /// Members to begin a new chain for.
    pub new_chain: Vec<MemberName>,
}

/// The seam's identities as the planner takes them.
pub struct PlanNames<'a>(pub &'a dyn Ids);

impl Names for PlanNames<'_> {
    fn next(&mut self) -> uuid::Uuid {
        self.0.next()
    }
}

/// The plan of a run's first round, and the survey behind it; nothing is touched but the local catalog.
pub async fn plan_only(
    world: &World,
    config: &Config,
    wanted: &BackupWanted,
) -> Result<(Survey, Plan)> {
    let asked = Asked {
        run: RunId(world.ids.next()),
        kind: wanted.kind,
        new_chain: wanted.new_chain.clone(),
        round: 1,
        previous: None,
        quarantined: quarantined(world, config)?,
        undecided: Vec::new(),
    };
    let (survey, _, plan) = plan_round(world, config, &asked, true).await?;
    Ok((survey, plan))
}

/// Takes backups: leftovers of earlier runs first, then up to three rounds. The record's `ended` is none when
/// the next start must go on with it (interrupted, or the store could not take everything).
pub async fn back_up(
    world: &World,
    config: &Config,
    wanted: &BackupWanted,
    interrupt: &Interrupt,
) -> Result<Record> {
    let standing = Standing::of(world, config).await?;
    let (mut unknown, mut warnings) = look_back(world, config, &standing, interrupt).await?;
    warnings.extend(over_budget(world, config).await?);
    let is_leased = standing.is_leased();
    warnings.extend(standing.warning());
    let (run, book) = begin(world, config, run_kind(wanted))?;
    let mut asked = Asked {
        run,
        kind: wanted.kind,
        new_chain: wanted.new_chain.clone(),
        round: 1,
        previous: None,
        quarantined: quarantined(world, config)?,
        undecided: unknown.iter().filter_map(Unknown::backup).collect(),
    };
    loop {
        let round = plan_round(world, config, &asked, is_leased).await?;
        refuse_unknown(&round.0, &mut unknown)?;
        let (survey, _, mut plan) = if asked.round == 1 && is_leased {
            let ours = (&asked, &book);
            with_astray(world, config, ours, round, &mut warnings, interrupt).await?
        } else {
            round
        };
        refuse_unknown(&survey, &mut unknown)?;
        if asked.round == 1 {
            warnings.extend(unknown.iter().map(|it| it.warning(&plan)));
        }
        // Files go by the stamp, and a run that is never published would leave it to the next one where the clock is behind:
        // what the one tidies up would be the other's backups.
        let catalog = &world.catalog;
        catalog.note_stamp(&config.group, plan.made_at).await?;
        plan.warnings.append(&mut warnings);
        let end = carry_out_plan(world, &book, &plan, interrupt).await?;
        let result = book.read(round_result).unwrap_or_default();
        if end == RoundEnd::Interrupted || !wants_another_round(&asked, &result) {
            break;
        }
        // What this round took is brought home first, so that the next one's survey and catalog agree.
        salvage(world, &book, interrupt).await?;
        asked = Asked {
            round: asked.round + 1,
            previous: Some(result),
            ..asked
        };
    }
    finish(world, config, book, interrupt).await
}

/// A host that answers again while nobody knows whether it placed a mark: another one might be a second of its name.
/// Backups of which nobody knows hold up their members alone (`Asked::undecided`).
fn refuse_unknown(survey: &Survey, unknown: &mut Vec<Unknown>) -> Result<()> {
    let answers = |it: &Unknown| it.member.is_none() && survey.host(&it.host).is_some();
    match unknown.iter().position(answers) {
        Some(at) => Err(unknown.swap_remove(at).error),
        None => Ok(()),
    }
}

/// Carries one plan out as a run of its own: restores, links, preparation.
pub async fn carry_out(
    world: &World,
    config: &Config,
    plan: &Plan,
    interrupt: &Interrupt,
) -> Result<Record> {
    refuse_unsound(plan)?;
    let (_, book) = begin(world, config, plan.kind)?;
    carry_out_plan(world, &book, plan, interrupt).await?;
    finish(world, config, book, interrupt).await
}

/// Tries shares and store, after tidying up what a check before left behind. Needs no lease: nothing of the
/// group is touched, and what other kinds of runs left is not looked at.
pub async fn check(
    world: &World,
    config: &Config,
    plan: &Plan,
    interrupt: &Interrupt,
) -> Result<Record> {
    let is_check = |record: &Record| record.kind == RunKind::Check;
    finish_those(world, &config.group, interrupt, is_check).await?;
    carry_out(world, config, plan, interrupt).await
}

/// Carries out a plan that publishes under the name of its own run.
pub(super) async fn carry_out_as(
    world: &World,
    config: &Config,
    plan: &Plan,
    run: RunId,
    interrupt: &Interrupt,
) -> Result<Record> {
    let book = begin_as(world, config, run, plan.kind)?;
    carry_out_plan(world, &book, plan, interrupt).await?;
    finish(world, config, book, interrupt).await
}

pub(super) fn begin(world: &World, config: &Config, kind: RunKind) -> Result<(RunId, Book)> {
    let run = RunId(world.ids.next());
    Ok((run, begin_as(world, config, run, kind)?))
}

fn begin_as(world: &World, config: &Config, run: RunId, kind: RunKind) -> Result<Book> {
    let first = Event::RunBegan {
        run,
        group: config.group.clone(),
        kind,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        at: world.clock.now(),
    };
    Book::begin(world.journals.as_ref(), run, &first)
}

const fn run_kind(wanted: &BackupWanted) -> RunKind {
    match wanted.kind {
        BackupKind::Full => RunKind::Full,
        BackupKind::Differential => RunKind::Differential,
        BackupKind::Log => RunKind::Log,
    }
}

/// A round that is planned, with what it was planned from.
type Planned = (Survey, CatalogView, Plan);

/// Brings in what is astray before anything is taken: logs first, which may leave nothing to mend, then the bases of
/// differentials. The round as it is planned after that.
async fn with_astray(
    world: &World,
    config: &Config,
    (asked, book): (&Asked, &Book),
    mut round: Planned,
    warnings: &mut Vec<Warning>,
    interrupt: &Interrupt,
) -> Result<Planned> {
    for is_base in [false, true] {
        let (survey, have, _) = &round;
        let mut astray = if is_base {
            bases_astray(config, survey, have, asked)
        } else {
            logs_astray(config, survey, have)
        };
        // One of these may be what nobody could tell of; its own run brings it home.
        astray.retain(|it| !asked.is_undecided(&it.member, survey));
        let (ours, surveyed) = ((asked.run, book), (survey, have));
        if bring_in(world, config, ours, surveyed, &astray, warnings, interrupt).await? {
            round = plan_round(world, config, asked, true).await?;
        }
    }
    Ok(round)
}

async fn plan_round(
    world: &World,
    config: &Config,
    asked: &Asked,
    is_leased: bool,
) -> Result<Planned> {
    let survey = survey::take(world, config).await;
    if is_leased {
        catalog::catch_up(world, &config.group).await?;
    }
    let have = holding(world, config, &survey).await?;
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_backup(config, &survey, &have, asked, &mut names, world.clock.now());
    refuse_unsound(&plan)?;
    Ok((survey, have, plan))
}

/// What is held of the group's chains, what still waits for its store included.
pub(super) async fn holding(
    world: &World,
    config: &Config,
    survey: &Survey,
) -> Result<CatalogView> {
    let mut have = catalog::view(world.catalog.as_ref(), &config.group, survey).await?;
    have.sets.extend(waiting_sets(world, &config.group)?);
    // No chain of a member goes through what was taken beside the group.
    have.sets.retain(|set| !set.is_of_companions());
    Ok(have)
}

/// The members whose chains are not mended for now, by what the journals of recent runs say.
///
/// # Errors
/// `SM0902` where a journal of that time cannot be read.
pub fn quarantined(world: &World, config: &Config) -> Result<Vec<Quarantine>> {
    let (policy, now) = (&config.policy, world.clock.now());
    let mut runs = world.journals.runs()?;
    // A quarantine looks no further back than its own time and the runs that led to it.
    let last = |run: &RunId| run.made_at().plus(policy.quarantine);
    let first = runs.partition_point(|run| last(run) < now);
    let first = first.saturating_sub(usize::from(policy.cures_within));
    let mut cures = Vec::new();
    for run in runs.drain(first..) {
        let record = Record::fold(&world.journals.read(run)?)?;
        cures.extend(
            record
                .filter(|record| record.group == config.group)
                .map(|record| cures_of(&record)),
        );
    }
    Ok(plan::quarantined(&cures, policy, now))
}

/// A plan that breaks its own rules is a fault of Stopmark's, found before anything is touched.
pub(super) fn refuse_unsound(plan: &Plan) -> Result<()> {
    let faults = lint(plan);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::Bug,
        "the planner made a plan that must not be carried out",
    )
    .at("faults", faults.join("; "))
    .hint("nothing was touched; please report this"))
}

/// Makes the copies that stores owe, of earlier runs too. Where the planning of them fails, they are still owed
/// tomorrow, and what the run did stands.
pub(super) async fn make_copies(
    world: &World,
    config: &Config,
    book: &Book,
    budget_bytes: Option<u64>,
    interrupt: &Interrupt,
) -> Result<()> {
    let (owed, warning) = match owed(world, &config.group).await {
        Ok(owed) => (owed, None),
        Err(error) => (Vec::new(), Some(unplanned(&error))),
    };
    let round = book.read(|record| record.rounds.len() + 1);
    let round = u8::try_from(round).unwrap_or(u8::MAX);
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let plan = plan_copies(config, owed, budget_bytes, &mut names, round, now);
    let plan = match (plan, warning) {
        (None, None) => return Ok(()),
        (Some(plan), None) => plan,
        (_, Some(warning)) => Plan {
            warnings: vec![warning],
            ..plan_no_copies(config, &mut names, round, now)
        },
    };
    carry_out_plan(world, book, &plan, interrupt)
        .await
        .map(|_| ())
}

fn unplanned(error: &Error) -> Warning {
    Warning {
        code: error.code().to_string(),
        message: format!("no copies were planned: {error}"),
        hint: error.hint_text().map(str::to_owned),
    }
}

/// What stores lack and another holds whole.
async fn owed(world: &World, group: &GroupName) -> Result<Vec<CopyPiece>> {
    catalog::catch_up(world, group).await?;
    let owed = world.catalog.owed(group, COPIES_MAX).await?;
    let steps = owed.into_iter().flat_map(|owed| {
        let (set, piece) = (owed.set, owed.piece);
        owed.lacking.into_iter().map(move |to| CopyPiece {
            set,
            piece: piece.id,
            member: piece.member.clone(),
            piece_kind: piece.kind,
            stripes: piece.stripes.clone(),
            to,
        })
    });
    Ok(steps.collect())
}

async fn finish(
    world: &World,
    config: &Config,
    book: Book,
    interrupt: &Interrupt,
) -> Result<Record> {
    if interrupt.is_asked() {
        return Ok(book.into_record());
    }
    salvage(world, &book, interrupt).await?;
    let brings_pieces = book.read(|record| {
        matches!(
            record.kind,
            RunKind::Full
                | RunKind::Differential
                | RunKind::Log
                | RunKind::Adopt
                | RunKind::Companions
        )
    });
    if brings_pieces && !config.further_stores.is_empty() {
        let budget = Some(config.policy.copy_budget_bytes);
        make_copies(world, config, &book, budget, interrupt).await?;
    }
    tell_what_holds_back(world, config, &book, interrupt).await?;
    let verdict = book.read(verdict_of);
    close(world, book, verdict)
}
