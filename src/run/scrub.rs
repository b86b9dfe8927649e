//! A scrub: stored copies proven again, those with the oldest proof first, and what is not whole made anew from
//! another store.
//!
//! Start at [`scrub`]. It is a run like any other: lease, plan, journal, steps. What was found stands in the group's
//! log step by step, so neither a store that fails midway nor an interrupt loses it.

use std::collections::BTreeSet;

use super::Interrupt;
use super::book::Book;
use super::conduct::{PlanNames, begin, make_copies};
use super::events::{Failure, Outcome, Verdict};
use super::executor::carry_out_plan;
use super::leftovers::{close, finish_those};
use super::record::{Record, Round};
use crate::catalog::{self, due::Budget};
use crate::config::Config;
use crate::error::Result;
use crate::model::{PieceCopy, PieceId, StoreName};
use crate::plan::{COPIES_MAX, ProveCopy, RunKind, Step, plan_scrub};
use crate::world::World;

/// Pieces that are fetched from the catalog at the same time.
const PAGE_PIECES: usize = 256;

/// What a scrub did.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrubbed {
    /// The run.
    pub record: Record,
    /// Pieces that were not looked at this time.
    pub left: u64,
    /// Copies that had been found damaged before and are whole now.
    pub whole_again: usize,
}

/// Proves copies again within a budget of bytes, then makes those that are owed.
///
/// # Errors
/// Those of lease, catalog and journal. A store that does not answer is a failed step of the record.
pub async fn scrub(
    world: &World,
    config: &Config,
    budget_bytes: Option<u64>,
    interrupt: &Interrupt,
) -> Result<Scrubbed> {
    let group = &config.group;
    world.store.take_lease(group).await?;
    let is_scrub = |record: &Record| record.kind == RunKind::Scrub;
    finish_those(world, group, interrupt, is_scrub).await?;
    catalog::catch_up(world, group).await?;
    let wanted = due(world, config, budget_bytes).await?;
    let all = world.catalog.counts(group).await?.pieces;
    let pieces: BTreeSet<PieceId> = wanted.iter().map(|(step, _)| step.piece).collect();
    let damaged = wanted.iter().filter(|(_, is_whole)| !is_whole);
    let damaged: Vec<(PieceId, PieceCopy)> = damaged
        .map(|(step, _)| (step.piece, step.copy.clone()))
        .collect();
    let steps: Vec<ProveCopy> = wanted.into_iter().map(|(step, _)| step).collect();
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_scrub(config, steps, &mut names, 1, world.clock.now());
    let (_, book) = begin(world, config, RunKind::Scrub)?;
    carry_out_plan(world, &book, &plan, interrupt).await?;
    if !interrupt.is_asked() {
        make_copies(world, config, &book, None, interrupt).await?;
    }
    let record = end(world, book, interrupt)?;
    let found = proven(&record);
    let is_whole_again = |proven: &&Proven<'_>| {
        let copy = (proven.step.piece, proven.step.copy.clone());
        proven.damage.is_none() && damaged.contains(&copy)
    };
    Ok(Scrubbed {
        left: all.saturating_sub(pieces.len() as u64),
        whole_again: found.iter().filter(is_whole_again).count(),
        record,
    })
}

/// The newest copies in each store of the pieces whose proofs are the oldest, within the budget, each with whether it
/// is whole as far as anybody knows.
async fn due(
    world: &World,
    config: &Config,
    budget_bytes: Option<u64>,
) -> Result<Vec<(ProveCopy, bool)>> {
    let (mut budget, mut after) = (Budget::of(budget_bytes), None);
    let mut wanted = Vec::new();
    loop {
        let page = world.catalog.due(&config.group, after, PAGE_PIECES).await?;
        let Some(last) = page.last() else {
            return Ok(wanted);
        };
        after = Some(last.place);
        for due in page {
            let copies = due.copies.len();
            let is_taken = budget.takes(due.piece.size_bytes() * copies as u64);
            if !is_taken || wanted.len() + copies > COPIES_MAX {
                return Ok(wanted);
            }
            let steps = due.copies.into_iter().map(|(copy, is_whole)| {
                let step = ProveCopy {
                    set: due.set,
                    piece: due.piece.id,
                    member: due.piece.member.clone(),
                    piece_kind: due.piece.kind,
                    stripes: due.piece.stripes.clone(),
                    copy,
                };
                (step, is_whole)
            });
            wanted.extend(steps);
        }
    }
}

/// A copy that was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
    /// What was looked at.
    pub step: &'a ProveCopy,
    /// What is wrong with it; none: it is whole.
    pub damage: Option<&'a Failure>,
    /// A copy was made from another store meanwhile.
    pub is_healed: bool,
}

/// Every copy that a scrub looked at.
#[must_use]
pub fn proven(record: &Record) -> Vec<Proven<'_>> {
    let ended = || record.rounds.iter().flat_map(Round::ended);
    let healed: Vec<(PieceId, &StoreName)> = ended()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Copied { piece, copy } => Some((*piece, &copy.store)),
            _ => None,
        })
        .collect();
    ended()
        .filter_map(|(step, outcome)| match (step, outcome) {
            (Step::ProveCopy(step), Outcome::CopyProven { damage, .. }) => Some(Proven {
                step,
                damage: damage.as_ref(),
                is_healed: healed.contains(&(step.piece, &step.copy.store)),
            }),
            _ => None,
        })
        .collect()
}

/// Interrupted or not, nothing is left to go on with: the next scrub begins where proofs are oldest.
fn end(world: &World, book: Book, interrupt: &Interrupt) -> Result<Record> {
    let verdict = book.read(|record| {
        let failed = |it: &Round| it.failures().next().is_some() || !it.plan.warnings.is_empty();
        let failed = record.rounds.iter().any(failed);
        let damaged = proven(record).iter().any(|it| it.damage.is_some());
        match (interrupt.is_asked(), failed || damaged) {
            (true, _) => Verdict::Interrupted,
            (false, true) => Verdict::Degraded,
            (false, false) => Verdict::Done,
        }
    });
    close(world, book, verdict)
}
