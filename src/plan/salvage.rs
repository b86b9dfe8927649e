//! Plans of what an interrupted or unwound round had taken: deliver it, publish it, clear the share.
//!
//! Start at [`plan_salvage`]. A log backup cannot be taken back, so what was taken is brought home whatever
//! became of the round. The round's own `Publish` step is planned again: if its mark was confirmed and
//! every log arrives, the set is the Point that it was meant to be.

use super::{
    Deliver, Lane, OnFailure, PLAN_FORMAT, Plan, Publish, RunKind, Stage, StageName, Step,
};
use crate::model::{GroupName, PieceId, PlanId, SetKind, Timestamp};

/// What became of one round's pieces, from the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfinishedRound {
    /// What the round was to do.
    pub plan: Plan,
    /// Pieces that a host wrote, that can still be delivered or whose files are still on the share.
    pub taken: Vec<PieceId>,
    /// Those of them that are in the store already.
    pub delivered: Vec<PieceId>,
    /// Every member's history held the mark.
    pub is_mark_confirmed: bool,
    /// The set stands; only files on the share are left.
    pub is_published: bool,
}

/// What is left to be done of these rounds, oldest first; none where nothing is.
#[must_use]
pub fn plan_salvage(
    unfinished: &[UnfinishedRound],
    group: &GroupName,
    id: PlanId,
    number: u8,
    now: Timestamp,
) -> Option<Plan> {
    let first = unfinished.iter().find(|round| !round.taken.is_empty())?;
    let deliver: Vec<Lane> = unfinished.iter().flat_map(deliver_lanes).collect();
    let publish: Vec<Lane> = unfinished.iter().filter_map(publish_lane).collect();
    let clear: Vec<Lane> = unfinished.iter().flat_map(clear_lanes).collect();
    let stage = |name, on_failure, lanes: Vec<Lane>| {
        (!lanes.is_empty()).then_some(Stage {
            name,
            on_failure,
            lanes,
        })
    };
    let stages = [
        stage(StageName::Deliver, OnFailure::Skip, deliver),
        stage(StageName::Publish, OnFailure::Unwind, publish),
        stage(StageName::Clear, OnFailure::Skip, clear),
    ];
    Some(Plan {
        format: PLAN_FORMAT,
        id,
        group: group.clone(),
        kind: RunKind::Salvage,
        round: number,
        based_on: first.plan.based_on,
        made_at: now,
        stages: stages.into_iter().flatten().collect(),
        warnings: Vec::new(),
    })
}

/// The round's own delivery steps for pieces that were taken and are not in the store.
fn deliver_lanes(round: &UnfinishedRound) -> Vec<Lane> {
    lanes_of(round, |step| match step {
        Step::Deliver(Deliver { piece, .. }) => {
            round.taken.contains(piece) && !round.delivered.contains(piece)
        }
        _ => false,
    })
}

fn clear_lanes(round: &UnfinishedRound) -> Vec<Lane> {
    lanes_of(round, |step| match step {
        Step::ClearStaging(step) => round.taken.contains(&step.piece),
        _ => false,
    })
}

fn lanes_of(round: &UnfinishedRound, wanted: impl Fn(&Step) -> bool) -> Vec<Lane> {
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes
        .map(|lane| Lane {
            host: lane.host.clone(),
            steps: lane
                .steps
                .iter()
                .filter(|step| wanted(step))
                .cloned()
                .collect(),
        })
        .filter(|lane| !lane.steps.is_empty())
        .collect()
}

/// The round's own publication. Without a confirmed mark the set makes no claim about one.
fn publish_lane(round: &UnfinishedRound) -> Option<Lane> {
    if round.taken.is_empty() || round.is_published {
        return None;
    }
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes
        .flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)))
        .find_map(|(host, step)| match step {
            Step::Publish(publish) => {
                let set_kind = if round.is_mark_confirmed {
                    publish.set_kind
                } else {
                    SetKind::Salvage
                };
                let step = Publish {
                    set_kind,
                    ..publish.clone()
                };
                Some(Lane {
                    host: host.clone(),
                    steps: vec![Step::Publish(step)],
                })
            }
            _ => None,
        })
}
