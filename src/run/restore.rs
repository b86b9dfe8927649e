//! A restore as a run of its own, and what an earlier one left half done. Start at [`restore`].
//!
//! What a crash interrupts is not gone on with by itself: nobody restores databases that nobody asks for any more.
//! Whoever asks again with the same words goes on where [`begun_restore`] says that it stopped.

use std::collections::BTreeSet;

use super::Interrupt;
use super::away::unfinished;
use super::conduct::{carry_out_as, refuse_unsound};
use super::events::Verdict;
use super::leftovers::finish_those;
use super::record::{Record, Round, StepState};
use crate::config::Config;
use crate::error::Result;
use crate::model::{DatabaseName, GroupName, HostName, MarkName, RunId};
use crate::plan::{Plan, ProvenState, RunKind, Step};
use crate::world::World;

/// Carries a restore out under this name, after what earlier restores left open is closed.
pub async fn restore(
    world: &World,
    config: &Config,
    plan: &Plan,
    run: RunId,
    interrupt: &Interrupt,
) -> Result<Record> {
    refuse_unsound(plan)?;
    let is_restore = |record: &Record| record.kind == RunKind::Restore;
    // Only who publishes needs the lease: a group is brought back on hosts of its own while another agent lives.
    if publishes(plan) || owes(world, &config.group)? {
        world.store.take_lease(&config.group).await?;
    }
    finish_those(world, &config.group, interrupt, is_restore).await?;
    if steps(plan).any(|step| matches!(step, Step::BackUp(_))) {
        // Tails go by the stamp after the newest one, and no other run may have the same file names.
        let newest = world.catalog.newest_stamp(&config.group).await?;
        let stamp = newest.map_or(plan.made_at, |last| plan.made_at.max(last.plus_millis(1)));
        world.catalog.note_stamp(&config.group, stamp).await?;
    }
    carry_out_as(world, config, plan, run, interrupt).await
}

fn publishes(plan: &Plan) -> bool {
    steps(plan).any(|step| matches!(step, Step::Publish(_)))
}

fn steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes.flat_map(|lane| &lane.steps)
}

/// Whether an open restore may have taken tails that are in no store.
fn owes(world: &World, group: &GroupName) -> Result<bool> {
    let records = unfinished(world, group)?;
    let restores = records.iter().filter(|it| it.kind == RunKind::Restore);
    let mut rounds = restores.flat_map(|record| &record.rounds);
    Ok(rounds.any(|round| publishes(&round.plan)))
}

/// A restore that was begun and did not end well, or that left its members standing by to be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunRestore {
    /// The mark that it went to.
    pub mark: MarkName,
    /// The databases that it began to restore, each on its host.
    pub databases: BTreeSet<(HostName, DatabaseName)>,
}

/// The newest restore of the group, with those right before it that went to the same mark; none where there never
/// was one, or where it was done.
///
/// # Errors
/// `SM0902` where a journal cannot be read.
pub fn begun_restore(world: &World, group: &GroupName) -> Result<Option<BegunRestore>> {
    let mut found: Option<BegunRestore> = None;
    for run in world.journals.runs()?.into_iter().rev() {
        let record = Record::fold(&world.journals.read(run)?)?;
        let record = record.filter(|it| it.group == *group && it.kind == RunKind::Restore);
        let Some(record) = record else { continue };
        let mark = record.rounds.iter().find_map(mark_of);
        let opens = record.rounds.iter().any(|round| opens(&round.plan));
        let is_done = matches!(record.ended, Some((Verdict::Done, _))) && opens;
        let is_same = found
            .as_ref()
            .is_none_or(|found| Some(&found.mark) == mark.as_ref());
        let (Some(mark), false, true) = (mark, is_done, is_same) else {
            break;
        };
        let begun = found.get_or_insert(BegunRestore {
            mark,
            databases: BTreeSet::new(),
        });
        begun
            .databases
            .extend(record.rounds.iter().flat_map(databases_of));
    }
    Ok(found)
}

/// Whether the plan brings any member into use.
fn opens(plan: &Plan) -> bool {
    steps(plan)
        .any(|step| matches!(step, Step::ProveMark(proof) if proof.state == ProvenState::Online))
}

fn mark_of(round: &Round) -> Option<MarkName> {
    steps(&round.plan).find_map(|step| match step {
        Step::ProveMark(step) => Some(step.mark.clone()),
        _ => None,
    })
}

/// The databases whose restore began.
fn databases_of(round: &Round) -> Vec<(HostName, DatabaseName)> {
    let begun = round
        .steps
        .iter()
        .filter(|(_, state)| !matches!(state, StepState::Skipped(_)));
    let databases = begun.filter_map(|(place, _)| {
        let host = round.lane(*place)?.host.clone();
        match round.step(*place)? {
            Step::RestoreDatabase(step) => Some((host, step.target.clone())),
            Step::RestoreLog(step) => Some((host, step.target.clone())),
            _ => None,
        }
    });
    databases.collect()
}
