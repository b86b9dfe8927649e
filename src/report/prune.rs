//! A prune told to people: what each point is kept by, what goes, and what the store held back.
//!
//! Start at [`PruneReport::of`]; [`kept_words`] and [`pin_words`] tell the same in lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::Table;
use serde::Serialize;

use super::bytes::{counted, size};
use super::run::RunReport;
use super::sets::STYLE;
use crate::error::plain::plain;
use crate::model::{GroupName, PieceId};
use crate::plan::{Plan, Step, show};
use crate::retention::{Kept, Pin, PointVerdict, Verdict};
use crate::run::events::Outcome;
use crate::run::record::Round;

/// What a prune does, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct PruneReport {
    /// The group.
    pub group: GroupName,
    /// Whether the configuration says what may go.
    pub has_policy: bool,
    /// Every point, oldest first, with the rules that keep it.
    pub points: Vec<PointVerdict>,
    /// Pieces that nobody needs any more.
    pub pieces_let_go: usize,
    /// What they have in the store, with what was let go before and still stands, in bytes.
    pub bytes_to_free: u64,
    /// What is done, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunReport>,
}

impl PruneReport {
    /// The report of a verdict and the plan that follows from it.
    #[must_use]
    pub fn of(group: &GroupName, has_policy: bool, verdict: &Verdict, plan: &Plan) -> Self {
        let removals = removals(plan).map(|stored| {
            let stripes = stored.iter();
            stripes.map(|stripe| stripe.size_bytes).sum::<u64>()
        });
        Self {
            group: group.clone(),
            has_policy,
            points: verdict.points.clone(),
            pieces_let_go: verdict.let_go.iter().map(|set| set.pieces.len()).sum(),
            bytes_to_free: removals.sum(),
            plan: None,
            run: None,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.has_policy {
            return "the configuration has no `[retention]`: everything is kept\n".to_owned();
        }
        if !self.points.is_empty() {
            writeln!(text, "{}", self.table()).expect("a string takes everything");
        }
        let (pieces, bytes) = (self.pieces_let_go, size(self.bytes_to_free));
        let pieces = counted(pieces, "piece");
        writeln!(text, "{pieces} nobody needs any more; {bytes} to be freed")
            .expect("a string takes everything");
        if let Some(plan) = &self.plan {
            text += &show(plan);
        }
        if let Some(run) = &self.run {
            text += &run.text();
        }
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(["point", "kept by"]);
        for point in &self.points {
            let rules = match kept_words(&point.kept) {
                rules if rules.is_empty() => "LET GO".to_owned(),
                rules => rules,
            };
            let standing = if point.is_offered {
                ""
            } else {
                "no point now; "
            };
            table.add_row([point.mark.to_string(), format!("{standing}{rules}")]);
        }
        table
    }
}

fn removals(plan: &Plan) -> impl Iterator<Item = &[crate::model::StoredStripe]> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let steps = lanes.flat_map(|lane| &lane.steps);
    steps.filter_map(|step| match step {
        Step::RemovePiece(step) => Some(step.stored.as_slice()),
        _ => None,
    })
}

/// The rules in one line; empty where none keeps it.
#[must_use]
pub fn kept_words(kept: &[Kept]) -> String {
    let words = kept.iter().map(|rule| plain(&rule.to_string()));
    words.collect::<Vec<_>>().join(", ")
}

/// A pin in one line.
#[must_use]
pub fn pin_words(pin: &Pin) -> String {
    let kept = Kept::Pinned {
        by: pin.by.clone(),
        reason: pin.reason.clone(),
        until: pin.until,
    };
    format!("{} is {}", pin.mark, kept_words(&[kept]))
}

/// What a round of a prune did, in a few lines.
pub(super) fn done(round: &Round) -> Vec<String> {
    let mut lines = Vec::new();
    let mut removed: BTreeSet<PieceId> = BTreeSet::new();
    let mut held_back = Vec::new();
    for (step, outcome) in round.ended() {
        match (step, outcome) {
            (Step::Prune(step), _) => {
                let pieces = step.sets.iter().map(|set| set.pieces.len()).sum();
                lines.push(format!("{} let go", counted(pieces, "piece")));
            }
            (_, Outcome::Removed { piece }) => {
                removed.insert(*piece);
            }
            (Step::RemovePiece(step), Outcome::HeldBack { reason, .. }) => {
                let (kind, member) = (step.piece_kind.word(), &step.member);
                held_back.push(format!(
                    "the store holds a {kind} of {member} back, the next prune asks again: {reason}"
                ));
            }
            (Step::SweepStaging(step), _) => {
                let files = counted(step.files.len(), "forgotten file");
                lines.push(format!("{files} removed from a share"));
            }
            _ => {}
        }
    }
    if !removed.is_empty() {
        lines.push(format!(
            "{} removed from the store",
            counted(removed.len(), "piece")
        ));
    }
    lines.extend(held_back);
    lines
}
