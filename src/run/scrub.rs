//! A scrub: stored copies proven again, those with the oldest proof first, and what is not whole made anew from
//! another store.
//!
//! Start at [`scrub`]. It is a run like any other: lease, plan, journal, steps. What was found stands in the group's
//! log step by step, so neither a store that fails midway nor an interrupt loses it.

use super::Interrupt;
use super::book::Book;
use super::conduct::{PlanNames, begin, close, finish_those, make_copies};
use super::events::{Failure, Outcome, Verdict};
use super::executor::carry_out_plan;
use super::record::{Record, Round};
use crate::catalog::{self, due::due};
use crate::config::Config;
use crate::error::Result;
use crate::model::PieceId;
use crate::plan::{COPIES_MAX, ProveCopy, RunKind, Step, plan_scrub};
use crate::world::World;

/// What a scrub did.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrubbed {
    /// The run.
    pub record: Record,
    /// Copies that were not looked at this time.
    pub left: usize,
    /// Pieces of which a copy had been found damaged before, and that copy is whole now.
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
    let manifests = world.catalog.manifests(group).await?;
    let proofs = world.catalog.proofs(group).await?;
    let holdings = catalog::holdings(world, group).await?;
    let all = due(&manifests, &proofs, &holdings, None).len();
    let mut wanted = due(&manifests, &proofs, &holdings, budget_bytes);
    wanted.truncate(COPIES_MAX);
    let steps = wanted.iter().map(|due| ProveCopy {
        set: due.set,
        piece: due.piece.id,
        member: due.piece.member.clone(),
        piece_kind: due.piece.kind,
        stripes: due.piece.stripes.clone(),
        copy: due.copy.clone(),
    });
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_scrub(config, steps.collect(), &mut names, 1, world.clock.now());
    let (_, book) = begin(world, config, RunKind::Scrub)?;
    carry_out_plan(world, &book, &plan, interrupt).await?;
    if !interrupt.is_asked() {
        make_copies(world, config, &book, None, interrupt).await?;
    }
    let record = end(world, book, interrupt)?;
    let was_damaged = |proven: &Proven<'_>| {
        let is_it = |proof: &&crate::world::PieceProof| {
            let is_its = proof
                .copy
                .as_ref()
                .is_none_or(|copy| *copy == proven.step.copy);
            proof.piece == proven.step.piece && is_its && !proof.is_whole
        };
        proven.damage.is_none() && proofs.iter().any(|proof| is_it(&proof))
    };
    let found = proven(&record);
    Ok(Scrubbed {
        left: all - found.len(),
        whole_again: found.iter().filter(|proven| was_damaged(proven)).count(),
        record,
    })
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
    let healed: Vec<(PieceId, &crate::model::StoreName)> = ended()
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
        let failed = record
            .rounds
            .iter()
            .any(|it| it.failures().next().is_some());
        let damaged = proven(record).iter().any(|it| it.damage.is_some());
        match (interrupt.is_asked(), failed || damaged) {
            (true, _) => Verdict::Interrupted,
            (false, true) => Verdict::Degraded,
            (false, false) => Verdict::Done,
        }
    });
    close(world, book, verdict)
}
