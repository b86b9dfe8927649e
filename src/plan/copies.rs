//! Plans of copies that stores owe, and of copies that are proven again. Start at [`plan_copies`] and [`plan_scrub`].
//!
//! Pieces are copied in the order in which they were published, which is the order in which older marks become safe.

use super::asked::{CatalogView, Names};
use super::stages::Stages;
use super::step::{CopyPiece, MirrorLog, ProveCopy};
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step};
use crate::config::Config;
use crate::model::{PlanId, SurveyId, Timestamp};

/// Steps that one plan may hold; a journal line holds the whole plan.
pub const COPIES_MAX: usize = 10_000;

/// Makes the copies that are owed, within a budget of bytes, then brings each further store's copy of the group's log
/// up to date. None where there is one store and it lacks nothing that another copy could give.
#[must_use]
pub fn plan_copies(
    cfg: &Config,
    have: &CatalogView,
    budget_bytes: Option<u64>,
    names: &mut dyn Names,
    round: u8,
    now: Timestamp,
) -> Option<Plan> {
    let copies = owed(have, budget_bytes).into_iter().map(Step::CopyPiece);
    let mirrors = cfg.further_stores.iter().map(|store| {
        Step::MirrorLog(MirrorLog {
            to: store.name.clone(),
        })
    });
    let steps: Vec<Step> = copies.chain(mirrors).collect();
    (!steps.is_empty()).then(|| {
        plan(
            cfg,
            (RunKind::Copy, StageName::Copy),
            steps,
            names,
            round,
            now,
        )
    })
}

/// Proves these copies again, each for itself.
#[must_use]
pub fn plan_scrub(
    cfg: &Config,
    due: Vec<ProveCopy>,
    names: &mut dyn Names,
    round: u8,
    now: Timestamp,
) -> Plan {
    let steps = due.into_iter().map(Step::ProveCopy).collect();
    plan(
        cfg,
        (RunKind::Scrub, StageName::Scrub),
        steps,
        names,
        round,
        now,
    )
}

/// Every store works for itself and one piece after the other: copying is in no hurry and must not crowd out a mark.
fn plan(
    cfg: &Config,
    (kind, stage): (RunKind, StageName),
    steps: Vec<Step>,
    names: &mut dyn Names,
    round: u8,
    now: Timestamp,
) -> Plan {
    let mut stages = Stages::default();
    let host = || cfg.management_host.clone();
    let steps = steps.into_iter().map(|step| (host(), step));
    stages.add(stage, OnFailure::Pass, steps);
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind,
        round,
        based_on: SurveyId(names.next()),
        made_at: now,
        stages: stages.into_vec(),
        warnings: Vec::new(),
    }
}

/// What lacks where and can be made from a whole copy. A piece that is larger than what is left of the budget waits,
/// and smaller ones go on.
fn owed(have: &CatalogView, budget_bytes: Option<u64>) -> Vec<CopyPiece> {
    let mut left = budget_bytes.unwrap_or(u64::MAX);
    let mut owed = Vec::new();
    for set in &have.sets {
        for piece in &set.pieces {
            let sources = have.holdings.whole(piece.id);
            if sources.is_empty() {
                continue;
            }
            let stripes = piece.stripes.iter();
            let stripes: Vec<_> = stripes.map(|it| it.held_by(sources.clone())).collect();
            for store in have.holdings.lacking(piece.id) {
                let size_bytes = piece.size_bytes();
                if size_bytes > left || owed.len() >= COPIES_MAX {
                    continue;
                }
                left -= size_bytes;
                owed.push(CopyPiece {
                    set: set.id,
                    piece: piece.id,
                    member: piece.member.clone(),
                    piece_kind: piece.kind,
                    stripes: stripes.clone(),
                    to: have.holdings.next(piece.id, &store),
                });
            }
        }
    }
    owed
}
