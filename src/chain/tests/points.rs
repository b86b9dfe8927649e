//! Points over two members.

use uuid::Uuid;

use super::super::samples::{full, log, lsn, member, on_fork};
use super::super::{
    Break, Carrier, SetState, Verdict, carries, judge, log_ends, points, published,
};
use super::path;
use crate::model::{
    Mark, MarkName, MemberMark, MemberName, Piece, RunId, Set, SetId, SetKind, Timestamp,
};

fn other_member() -> MemberName {
    "PAY2/Orders".parse().expect("a member")
}

fn set(number: u128, pieces: Vec<Piece>, mark: Option<&[(MemberName, u32)]>) -> Set {
    let name: MarkName = format!("SM_{number}").parse().expect("a name");
    let placed_at = Timestamp::from_millis(0);
    Set {
        id: SetId(Uuid::from_u128(number)),
        group: "payments".parse().expect("a group"),
        kind: if mark.is_some() {
            SetKind::Log
        } else {
            SetKind::Full
        },
        run: RunId(Uuid::from_u128(number)),
        made_at: placed_at,
        mark: mark.map(|members| Mark {
            name,
            placed_at,
            members: members
                .iter()
                .map(|(member, at)| MemberMark {
                    member: member.clone(),
                    lsn: lsn(*at),
                    fork_guid: None,
                })
                .collect(),
        }),
        members: vec![member(), other_member()],
        pieces,
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: Vec::new(),
        settings: Vec::new(),
        best_effort: Vec::new(),
    }
}

fn of_other(piece: Piece) -> Piece {
    Piece {
        member: other_member(),
        ..piece
    }
}

/// How one of these sets stands.
fn stands(set: &Set, sets: &[Set]) -> SetState {
    let judged = judge(sets, &[]);
    let own = judged.into_iter().find(|it| it.set == set.id);
    let verdict = own.map(|it| match it.verdict {
        Ok(point) => Verdict::Point {
            weakest_proof: None,
            lacking: point.lacking,
        },
        Err(breaks) => Verdict::NoPoint { breaks },
    });
    published(set, verdict.as_ref(), &log_ends(sets, &[]))
}

#[test]
fn a_mark_is_a_point_only_when_every_member_reaches_it() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let whole = set(
        2,
        vec![log(3, 10, 30), of_other(log(4, 100, 120))],
        Some(&marks),
    );
    let marks = [(member(), 35), (other_member(), 125)];
    let half = set(3, vec![log(5, 30, 40)], Some(&marks));
    let sets = [fulls, whole, half];
    let found = points(&sets, &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].set, SetId(Uuid::from_u128(2)));
    assert_eq!(found[0].paths[&other_member()], path(2, None, &[4]));
    let judged = judge(&sets, &[]);
    assert_eq!(
        judged[1].verdict,
        Err(vec![(other_member(), Break::MarkMissing)])
    );
    let states: Vec<SetState> = sets.iter().map(|set| stands(set, &sets)).collect();
    assert_eq!(
        states,
        [SetState::Complete, SetState::Complete, SetState::Degraded]
    );
}

#[test]
fn a_log_of_a_later_set_carries_a_mark_whose_own_log_failed() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let half = set(2, vec![log(3, 10, 30)], Some(&marks));
    let late = set(3, vec![of_other(log(4, 100, 130))], None);
    let found = points(&[fulls, half, late], &[]);
    assert_eq!(found.len(), 1, "nothing of the mark is lost");
}

#[test]
fn a_member_that_joined_later_can_be_asked_for_by_name() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let whole = set(
        2,
        vec![log(3, 10, 30), of_other(log(4, 100, 120))],
        Some(&marks),
    );
    let late: MemberName = "PAY3/New".parse().expect("a member");
    assert!(points(&[fulls, whole], &[late]).is_empty());
}

#[test]
fn a_mark_is_looked_for_in_its_own_sets_log_where_forks_have_the_same_lsns() {
    let new = 0xf1;
    let one = |set_: Set| Set {
        members: vec![member()],
        ..set_
    };
    let fulls = one(set(
        1,
        vec![full(1, 10, 20), on_fork(full(2, 12, 22), new, new, None)],
        None,
    ));
    let old = one(set(2, vec![log(3, 10, 30)], Some(&[(member(), 25)])));
    let forked = on_fork(log(4, 10, 30), new, new, None);
    let young = one(set(3, vec![forked], Some(&[(member(), 25)])));
    let found = points(&[fulls, old, young], &[]);
    assert_eq!(found[0].paths[&member()], path(1, None, &[3]));
    assert_eq!(found[1].paths[&member()], path(2, None, &[4]));
}

#[test]
fn a_mark_that_no_log_will_carry_any_more_is_void() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let half = set(2, vec![log(3, 10, 30)], Some(&marks));
    // Somebody else took the log from 110 to 120; ours goes on behind it.
    let anew = vec![of_other(full(4, 121, 125)), of_other(log(5, 120, 130))];
    let sets = [fulls, half, set(3, anew, None)];
    assert_eq!(stands(&sets[1], &sets), SetState::Void);
}

#[test]
fn a_point_is_offered_without_a_member_of_best_effort_and_names_it() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let half = Set {
        best_effort: vec![other_member()],
        ..set(2, vec![log(3, 10, 30)], Some(&[(member(), 25)]))
    };
    let sets = [fulls, half];
    let found = points(&sets, &[]);
    assert_eq!(found.len(), 1);
    assert!(!found[0].paths.contains_key(&other_member()));
    assert_eq!(found[0].lacking, [(other_member(), Break::MarkMissing)]);
    let only = Set {
        best_effort: vec![member(), other_member()],
        pieces: Vec::new(),
        ..sets[1].clone()
    };
    assert!(
        points(&[sets[0].clone(), only], &[]).is_empty(),
        "nothing is not a Point"
    );
}

#[test]
fn a_log_carries_only_marks_of_the_fork_that_it_is_on_there() {
    let (before, after) = (Uuid::from_u128(0xb), Uuid::from_u128(0xa));
    let carrier = |at, fork| Carrier {
        mark: lsn(at),
        fork: Some(fork),
        own: None,
    };
    let mut piece = log(1, 10, 40);
    (piece.first_fork_guid, piece.last_fork_guid) = (before, after);
    piece.fork_point_lsn = Some(lsn(20));
    assert!(carries(&piece, carrier(15, before)));
    assert!(
        !carries(&piece, carrier(25, before)),
        "lost by the failover"
    );
    assert!(carries(&piece, carrier(25, after)));
    assert!(!carries(&piece, carrier(15, after)));
    (piece.first_fork_guid, piece.fork_point_lsn) = (after, None);
    assert!(carries(&piece, carrier(25, after)));
    assert!(!carries(&piece, carrier(25, before)));
}
