//! What earlier runs left: looked up, brought home, tidied up, and their journals ended.
//!
//! Start at [`finish_leftovers`]. A run that still owes something, or of which nobody can say something, stays open.

use super::Interrupt;
use super::away::{Standing, look_up_leftovers};
use super::book::Book;
use super::conduct::PlanNames;
use super::events::{Event, Verdict};
use super::executor::carry_out_plan;
use super::record::Record;
use super::resume::{Unknown, resolve_publications, resolve_unfinished_steps};
use crate::config::Config;
use crate::error::{Code, Result};
use crate::model::GroupName;
use crate::plan::{RunKind, Warning, plan_salvage, plan_tidying};
use crate::world::World;

/// What earlier runs left is brought home where the store can be asked, else looked up as far as hosts can say it: what
/// nobody can say yet, and what people are told.
pub(super) async fn look_back(
    world: &World,
    config: &Config,
    standing: &Standing,
    interrupt: &Interrupt,
) -> Result<(Vec<Unknown>, Vec<Warning>)> {
    let group = &config.group;
    if !standing.is_leased() {
        return Ok((look_up_leftovers(world, group).await?, Vec::new()));
    }
    // Beside another run of this process an upload that nobody remembers yet may be that one's.
    let unswept = if world.journals.is_alone() {
        sweep(world, group).await
    } else {
        None
    };
    let finished = finish_leftovers(world, group, interrupt).await?;
    let mut warnings = Vec::from_iter(unswept);
    if !interrupt.is_asked() {
        warnings.extend(still_owed(&finished.records));
    }
    Ok((finished.unknown, warnings))
}

/// What could not be brought home even now: chains count on it, so that no mark behind it is a Point until it is there, or
/// is given up.
fn still_owed(records: &[Record]) -> Option<Warning> {
    let mut pieces = 0_usize;
    let mut reason = None;
    for record in records.iter().filter(|record| record.ended.is_none()) {
        for piece in record.unfinished_rounds().iter().flat_map(|it| &it.taken) {
            pieces += 1;
            reason = reason.or_else(|| record.failure_of(*piece));
        }
    }
    (pieces > 0).then(|| Warning {
        code: Code::BackupsOwed.to_string(),
        message: format!(
            "backups of earlier runs could not be brought home, {pieces} in number: {}",
            reason.as_deref().unwrap_or("their set was not published")
        ),
        hint: Some(
            "see that the agent sees the shares of the hosts; a file that is gone is looked for again, and given up by a run \
             that is five minutes later or more, which then mends its chain. Until then newer marks are no points"
                .to_owned(),
        ),
    })
}

/// What became of the runs that were left unfinished.
#[derive(Debug, Default)]
pub struct Finished {
    /// Their records, oldest first.
    pub records: Vec<Record>,
    /// What nobody can say of them yet.
    pub unknown: Vec<Unknown>,
}

/// Finishes what earlier runs left: looks up what their open steps did, delivers what they had taken.
/// What a host that does not answer was to do stays open, and with it its run.
pub async fn finish_leftovers(
    world: &World,
    group: &GroupName,
    interrupt: &Interrupt,
) -> Result<Finished> {
    finish_those(world, group, interrupt, |_| true).await
}

pub(super) async fn finish_those(
    world: &World,
    group: &GroupName,
    interrupt: &Interrupt,
    is_wanted: impl Fn(&Record) -> bool,
) -> Result<Finished> {
    let mut finished = Finished::default();
    for run in world.journals.unfinished()? {
        let book = Book::reopen(world.journals.as_ref(), run)?;
        if book.read(|record| record.group != *group || !is_wanted(record)) {
            continue;
        }
        tracing::warn!(%run, "going on with an unfinished run");
        let resumed = resolve_unfinished_steps(world, &book).await?;
        if let Some(error) = resumed.unasked {
            return Err(error);
        }
        finished.unknown.extend(resumed.unknown);
        salvage(world, &book, interrupt).await?;
        finished
            .records
            .push(close(world, book, Verdict::Abandoned)?);
    }
    Ok(finished)
}

/// Removes what drills before left behind on their hosts, so that the next one finds its names free. Needs no lease.
pub async fn finish_drills(
    world: &World,
    group: &GroupName,
    interrupt: &Interrupt,
) -> Result<Vec<Record>> {
    let is_drill = |record: &Record| record.kind == RunKind::Drill;
    let finished = finish_those(world, group, interrupt, is_drill).await?;
    Ok(finished.records)
}

/// Delivers what this run's rounds took and did not bring home, and removes what its trials left.
pub(super) async fn salvage(world: &World, book: &Book, interrupt: &Interrupt) -> Result<()> {
    if let Err(error) = resolve_publications(world, book).await {
        // What is taken is still owed, so the run stays open, and the next start looks again.
        tracing::warn!(%error, "whether a set was published cannot be found out");
        return Ok(());
    }
    let (unfinished, group, rounds) = book.read(|record| {
        (
            record.unfinished_rounds(),
            record.group.clone(),
            record.rounds.len(),
        )
    });
    let number = u8::try_from(rounds + 1).unwrap_or(u8::MAX);
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let bring_home = plan_salvage(&unfinished, &group, &mut names, number, now);
    let tidy = book.read(|record| {
        let based_on = record.rounds.last()?.plan.based_on;
        plan_tidying(
            record.untidied(),
            (&group, based_on),
            &mut names,
            number,
            now,
        )
    });
    // No run both takes backups and tries things, so that there is never more than one.
    if let Some(plan) = bring_home.or(tidy) {
        carry_out_plan(world, book, &plan, interrupt).await?;
    }
    Ok(())
}

/// Writes the last line, unless something that was taken can still be brought home, or may have been taken: then the
/// run stays open and the next start goes on with it.
pub(super) fn close(world: &World, book: Book, verdict: Verdict) -> Result<Record> {
    if !book.read(Record::is_owing) {
        book.write(&Event::RunEnded {
            verdict,
            at: world.clock.now(),
        })?;
    }
    Ok(book.into_record())
}

/// Unfinished uploads that nobody goes on with cost money and nothing else: no backup waits for their removal,
/// so a failure is a warning of the run.
async fn sweep(world: &World, group: &GroupName) -> Option<Warning> {
    match world.store.sweep(group).await {
        Ok(_) => None,
        Err(error) => Some(Warning {
            code: error.code().to_string(),
            message: format!("uploads that nobody goes on with were not removed: {error}"),
            hint: error.hint_text().map(str::to_owned),
        }),
    }
}
