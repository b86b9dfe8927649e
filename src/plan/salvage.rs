//! Plans of what an interrupted or unwound round had taken: deliver it, publish it, clear the share.
//!
//! Start at [`plan_salvage`]. A log backup cannot be taken back, so what was taken is brought home whatever
//! became of the round. The round's own `Publish` step is planned again: if its mark was confirmed and
//! every log arrives, the set is the Point that it was meant to be. Where its set stands already without some
//! pieces, these come in a set of their own: a mark is where its chain leads, in whatever set the logs are.

use super::{
    Deliver, Lane, Names, OnFailure, PLAN_FORMAT, Plan, Publish, RunKind, Stage, StageName, Step,
    Warning,
};
use crate::config::Config;
use crate::model::{GroupName, PieceId, PlanId, SetId, SetKind, SurveyId, Timestamp};

/// What became of one round's pieces, from the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfinishedRound {
    /// What the round was to do.
    pub plan: Plan,
    /// Pieces that a host wrote, that are in no published set and can still be brought home.
    pub taken: Vec<PieceId>,
    /// Those of them that are in the store already.
    pub delivered: Vec<PieceId>,
    /// Every member's history held the mark.
    pub is_mark_confirmed: bool,
    /// The round's own set stands, without the pieces that were taken.
    pub is_published: bool,
    /// Pieces that are in a published set, or were broken off, and whose files may still be on the share.
    pub uncleared: Vec<PieceId>,
    /// What was taken was to be told to a BizTalk group's backup history, and was not.
    pub owes_history: bool,
}

/// What is left to be done of these rounds, oldest first; none where nothing is.
#[must_use]
pub fn plan_salvage(
    unfinished: &[UnfinishedRound],
    group: &GroupName,
    names: &mut dyn Names,
    number: u8,
    now: Timestamp,
) -> Option<Plan> {
    let is_left = |round: &&UnfinishedRound| {
        !round.taken.is_empty() || !round.uncleared.is_empty() || round.owes_history
    };
    let first = unfinished.iter().find(is_left)?;
    let id = PlanId(names.next());
    let deliver: Vec<Lane> = unfinished.iter().flat_map(deliver_lanes).collect();
    let publish: Vec<Lane> = unfinished
        .iter()
        .filter_map(|round| publish_lane(round, names, now))
        .collect();
    let clear: Vec<Lane> = unfinished.iter().flat_map(clear_lanes).collect();
    let stage = |name, on_failure, lanes: Vec<Lane>| {
        (!lanes.is_empty()).then_some(Stage {
            name,
            on_failure,
            lanes,
            fan_out: fan_out_of(unfinished, name),
            fetch_ahead_bytes: None,
        })
    };
    let owing = unfinished.iter().filter(|round| round.owes_history);
    let history: Vec<Lane> = owing.flat_map(history_lanes).collect();
    let stages = [
        stage(StageName::History, OnFailure::Pass, history),
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

/// Nothing is left to be done, and this is to be said.
#[must_use]
pub fn plan_to_tell(
    cfg: &Config,
    warning: Warning,
    names: &mut dyn Names,
    number: u8,
    now: Timestamp,
) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Salvage,
        round: number,
        based_on: SurveyId(names.next()),
        made_at: now,
        stages: Vec::new(),
        warnings: vec![warning],
    }
}

/// What may go on at the same time is what the rounds themselves were allowed.
fn fan_out_of(unfinished: &[UnfinishedRound], name: StageName) -> Option<u16> {
    let stages = unfinished.iter().flat_map(|round| &round.plan.stages);
    stages
        .filter(|stage| stage.name == name)
        .filter_map(|stage| stage.fan_out)
        .max()
}

/// The round's own delivery steps for pieces that were taken and are not in the store.
fn deliver_lanes(round: &UnfinishedRound) -> Vec<Lane> {
    let is_open = |piece| round.taken.contains(&piece) && !round.delivered.contains(&piece);
    lanes_of(round, |step| match step {
        Step::Deliver(Deliver { piece, .. }) => is_open(*piece),
        Step::Adopt(step) => is_open(step.piece.id),
        _ => false,
    })
}

/// Rows of the history come in the order in which they are restored, so that an older round's go before the next run's.
fn history_lanes(round: &UnfinishedRound) -> Vec<Lane> {
    lanes_of(round, |step| matches!(step, Step::WriteHistory(_)))
}

fn clear_lanes(round: &UnfinishedRound) -> Vec<Lane> {
    lanes_of(round, |step| match step {
        Step::ClearStaging(step) => [&round.taken, &round.uncleared]
            .iter()
            .any(|pieces| pieces.contains(&step.piece)),
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

/// The round's own publication, or that of what its set lacks.
fn publish_lane(round: &UnfinishedRound, names: &mut dyn Names, now: Timestamp) -> Option<Lane> {
    if round.taken.is_empty() {
        return None;
    }
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    let (host, own) = lanes
        .flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)))
        .find_map(|(host, step)| match step {
            Step::Publish(publish) => Some((host, publish)),
            _ => None,
        })?;
    let publish = if round.is_published {
        supplement(round, own, SetId(names.next()), now)
    } else {
        again(round, own)
    };
    Some(Lane {
        host: host.clone(),
        steps: vec![Step::Publish(publish)],
    })
}

/// Without a confirmed mark the set makes no claim about one.
fn again(round: &UnfinishedRound, own: &Publish) -> Publish {
    let set_kind = match own.set_kind {
        SetKind::Adopted => SetKind::Adopted,
        kind if round.is_mark_confirmed => kind,
        _ => SetKind::Salvage,
    };
    Publish {
        set_kind,
        ..own.clone()
    }
}

/// A manifest never changes, so what came late has one of its own.
fn supplement(round: &UnfinishedRound, own: &Publish, set: SetId, now: Timestamp) -> Publish {
    Publish {
        set,
        set_kind: SetKind::Salvage,
        made_at: now,
        mark: None,
        stamped_at: None,
        pieces: round.taken.clone(),
        ..own.clone()
    }
}
