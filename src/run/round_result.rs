//! What a round came to, as the planner of the next one must know it. Start at [`round_result`], a pure question about a
//! record.

use super::events::Outcome;
use super::record::{Record, Round};
use crate::model::MemberName;
use crate::plan::{FailedDeed, MarkTarget, RoundResult, Step, StepFailure};

/// What the next round's planner must know of a run: what its newest round came to, and which secondary replicas failed in
/// those before. None before the first round.
#[must_use]
pub(super) fn round_result(record: &Record) -> Option<RoundResult> {
    let (newest, before) = record.rounds.split_last()?;
    let failed_elsewhere = before.iter().flat_map(failures_of).filter(|failure| {
        matches!(
            failure.deed,
            FailedDeed::BackUp {
                on_secondary: Some(_),
                ..
            }
        )
    });
    Some(RoundResult {
        failures: failures_of(newest).collect(),
        failed_elsewhere: failed_elsewhere.collect(),
        voided: voided(newest),
    })
}

fn failures_of(round: &Round) -> impl Iterator<Item = StepFailure> + '_ {
    round.failures().map(|(step, failure)| StepFailure {
        deed: deed_of(step),
        code: failure.code.clone(),
        message: failure.message.clone(),
        sql_number: failure.sql_number,
    })
}

/// The members whose log with the mark holds minimally logged changes.
pub(super) fn voided(round: &Round) -> Vec<MemberName> {
    let voided = round
        .ended()
        .filter_map(|(step, outcome)| match (step, outcome) {
            (Step::BackUp(step), Outcome::BackedUp(facts))
                if step.mark.is_some() && facts.has_bulk_logged_data =>
            {
                Some(step.member.clone())
            }
            _ => None,
        });
    voided.collect()
}

fn deed_of(step: &Step) -> FailedDeed {
    match step {
        Step::EnsureLink(step) => FailedDeed::Link {
            link: step.link.clone(),
        },
        Step::TestLink(step) => FailedDeed::Link {
            link: step.link.clone(),
        },
        Step::PlaceMark(step) => FailedDeed::Mark {
            places: step.places().collect(),
        },
        Step::ConfirmMark(step) => FailedDeed::Mark {
            places: step.members.iter().map(MarkTarget::place).collect(),
        },
        Step::BackUp(step) => FailedDeed::BackUp {
            member: step.member.clone(),
            piece_kind: step.piece_kind,
            on_secondary: step.replica_wait_ms.map(|_| step.host().clone()),
        },
        _ => FailedDeed::Other,
    }
}
