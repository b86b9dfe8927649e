//! Plans of copies that stores owe, and of copies that are proven again. Start at [`plan_copies`] and [`plan_scrub`].
//!
//! Pieces are copied in the order in which they were published, which is the order in which older marks become safe.

use serde::{Deserialize, Serialize};

use super::asked::Names;
use super::stages::Stages;
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step};
use crate::config::Config;
use crate::model::{
    MemberName, PieceCopy, PieceId, PieceKind, PlanId, SetId, StoreName, StoredStripe, SurveyId,
    Timestamp,
};

/// Makes one more copy of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyPiece {
    /// The set that holds the piece.
    pub set: SetId,
    /// The piece.
    pub piece: PieceId,
    /// Its member, for people.
    pub member: MemberName,
    /// What it is, for people; written `piece_kind` beside the step's own `kind`.
    pub piece_kind: PieceKind,
    /// What is copied, with the whole copies that it may come from, in the order of trying.
    pub stripes: Vec<StoredStripe>,
    /// The new copy.
    pub to: PieceCopy,
}

/// Reads one copy of a piece back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProveCopy {
    /// The set that holds the piece.
    pub set: SetId,
    /// The piece.
    pub piece: PieceId,
    /// Its member, for people.
    pub member: MemberName,
    /// What it is, for people; written `piece_kind` beside the step's own `kind`.
    pub piece_kind: PieceKind,
    /// What must be there.
    pub stripes: Vec<StoredStripe>,
    /// The copy.
    pub copy: PieceCopy,
}

/// Copies entries of the group's log, and the manifests that they name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorLog {
    /// The store that gets them.
    pub to: StoreName,
}

/// Steps that one plan may hold; a journal line holds the whole plan.
pub const COPIES_MAX: usize = 10_000;

/// Makes the copies that are owed, within a budget of bytes, then brings each further store's copy of the group's log
/// up to date. None where there is one store and it lacks nothing that another copy could give.
#[must_use]
pub fn plan_copies(
    cfg: &Config,
    owed: Vec<CopyPiece>,
    budget_bytes: Option<u64>,
    names: &mut dyn Names,
    round: u8,
    now: Timestamp,
) -> Option<Plan> {
    let copies = within(budget_bytes, owed).map(Step::CopyPiece);
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

/// No copies, for a run that has to say why there are none.
#[must_use]
pub fn plan_no_copies(cfg: &Config, names: &mut dyn Names, round: u8, now: Timestamp) -> Plan {
    plan(
        cfg,
        (RunKind::Copy, StageName::Copy),
        Vec::new(),
        names,
        round,
        now,
    )
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

/// A piece that is larger than what is left of the budget waits, and smaller ones go on.
fn within(budget_bytes: Option<u64>, owed: Vec<CopyPiece>) -> impl Iterator<Item = CopyPiece> {
    let mut left = budget_bytes.unwrap_or(u64::MAX);
    owed.into_iter().filter(move |step| {
        let size_bytes = step.stripes.iter().map(|stripe| stripe.size_bytes).sum();
        let fits = size_bytes <= left;
        left -= if fits { size_bytes } else { 0 };
        fits
    })
}
