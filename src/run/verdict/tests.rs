//! What becomes of sets whose runs have not published them.

use uuid::Uuid;

use super::super::events::{Event, StepPlace};
use super::*;
use crate::chain::samples::member;
use crate::model::{PieceKind, PlanId, SurveyId};
use crate::plan::{BackUp, Lane, OnFailure, PLAN_FORMAT, Publish, Stage, StageName};

const RUN: RunId = RunId(Uuid::from_u128(7));
const SET: SetId = SetId(Uuid::from_u128(8));
const PIECE: PieceId = PieceId(Uuid::from_u128(9));
const MARK: &str = "SM_2026_11_21_02_00_00_000";

fn at() -> Timestamp {
    Timestamp::from_millis(1_795_226_400_000)
}

fn back_up() -> Step {
    Step::BackUp(BackUp {
        piece: PIECE,
        member: member(),
        taken_on: None,
        replica_wait_ms: None,
        piece_kind: PieceKind::Log,
        stripes: Vec::new(),
        compression: None,
        mark: Some(MARK.parse().expect("a mark")),
        reason: "scheduled".to_owned(),
        is_cure: false,
        tail: None,
        retry: None,
        is_copy_only: false,
        by_procedure: None,
    })
}

fn publish() -> Step {
    Step::Publish(Publish {
        set: SET,
        set_kind: SetKind::Log,
        group: "payments".parse().expect("a group"),
        run: RUN,
        made_at: at(),
        mark: Some(MARK.parse().expect("a mark")),
        stamped_at: Some(at()),
        members: vec![member()],
        best_effort: Vec::new(),
        pieces: vec![PIECE],
        companions: Vec::new(),
        settings: Vec::new(),
    })
}

/// One log, then the set that it is in.
fn plan() -> Plan {
    let stage = |name, step| Stage {
        name,
        on_failure: OnFailure::Skip,
        lanes: vec![Lane {
            host: member().host,
            steps: vec![step],
        }],
        fan_out: None,
        fetch_ahead_bytes: None,
    };
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(Uuid::from_u128(10)),
        group: "payments".parse().expect("a group"),
        kind: RunKind::Log,
        round: 1,
        based_on: SurveyId(Uuid::from_u128(11)),
        made_at: at(),
        stages: vec![
            stage(StageName::Logs, back_up()),
            stage(StageName::Publish, publish()),
        ],
        warnings: Vec::new(),
    }
}

/// The open sets of a run that has its plan, and in whose journal this follows.
fn open_after(then: &[Event]) -> Vec<OpenSet> {
    let mut events = vec![
        Event::RunBegan {
            run: RUN,
            group: "payments".parse().expect("a group"),
            kind: RunKind::Log,
            agent_version: "0".to_owned(),
            at: at(),
        },
        Event::RoundPlanned {
            plan: Box::new(plan()),
            at: at(),
        },
    ];
    events.extend_from_slice(then);
    let record = Record::fold(&events).expect("it folds");
    open_sets(&record.expect("it began"))
}

fn place(stage: u16) -> StepPlace {
    StepPlace {
        round: 1,
        stage,
        lane: 0,
        step: 0,
    }
}

fn begun(stage: u16) -> Event {
    Event::StepStarted {
        place: place(stage),
        at: at(),
    }
}

#[test]
fn a_set_is_open_until_it_is_published_and_void_where_its_run_ends_without_it() {
    let open = |state| {
        let (stamp, run) = (MARK.to_owned(), RUN);
        [OpenSet { stamp, state, run }]
    };
    let ended = |verdict| Event::RunEnded { verdict, at: at() };
    assert_eq!(open_after(&[]), open(SetState::Planned));
    assert_eq!(open_after(&[begun(0)]), open(SetState::Running));
    for verdict in [Verdict::Failed, Verdict::Abandoned, Verdict::Interrupted] {
        let nothing = open_after(&[ended(verdict)]);
        assert_eq!(nothing, open(SetState::Void), "{verdict:?}");
        let half = open_after(&[begun(0), ended(verdict)]);
        assert_eq!(half, open(SetState::Void), "{verdict:?}");
    }
    let published = Event::StepEnded {
        place: place(1),
        outcome: Box::new(Outcome::Published {
            set: SET,
            entry: 1,
            lacks: Vec::new(),
        }),
        at: at(),
    };
    assert_eq!(open_after(&[begun(1), published]), []);
}
