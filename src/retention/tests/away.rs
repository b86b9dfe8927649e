//! What is away for a while: members of best effort, copies, logs. None of it makes retention lose what comes back.

use std::time::Duration;

use super::history::{Act, Past};
use super::rules::{kept, nothing, weeks};
use crate::chain::Chain;
use crate::config::RetentionConfig;
use crate::model::{MemberName, Piece, PieceKind, Set};
use crate::retention::{Fate, Kept, Verdict, without};

/// The second member, of best effort from the first set on.
fn of_best_effort(past: &mut Past) -> MemberName {
    let member = past.sets[0].members[1].clone();
    for set in &mut past.sets {
        set.best_effort = vec![member.clone()];
    }
    member
}

fn pieces_of<'a>(sets: &'a [Set], member: &MemberName) -> impl Iterator<Item = &'a Piece> {
    let pieces = sets.iter().flat_map(|set| &set.pieces);
    pieces.filter(move |piece| piece.member == *member)
}

fn goes(verdict: &Verdict, piece: &Piece) -> bool {
    let mut found = verdict.pieces.iter().filter(|it| it.piece == piece.id);
    found.any(|it| it.fate == Fate::Unneeded)
}

#[test]
fn the_last_moment_with_a_member_that_is_away_stays() {
    let mut past = weeks(3);
    let away = of_best_effort(&mut past);
    for set in past.sets.iter_mut().skip(12) {
        set.pieces.retain(|piece| piece.member != away);
        if let Some(mark) = &mut set.mark {
            mark.members.retain(|placed| placed.member != away);
        }
    }
    let verdict = past.judged(&nothing());
    let mut with_it = past.sets[..12].iter().filter_map(|set| set.mark.as_ref());
    let with_it = with_it.next_back().expect("a mark").name.clone();
    let newest = past.mark(20).expect("the last");
    assert_eq!(kept(&verdict), [with_it.clone(), newest]);
    let point = verdict.points.iter().find(|point| point.mark == with_it);
    let why = &point.expect("it is a point").kept;
    assert_eq!(*why, [Kept::NewestWith { member: away }]);
}

#[test]
fn a_point_that_damage_left_without_a_member_keeps_what_would_bring_it_back() {
    let mut past = weeks(3);
    let member = of_best_effort(&mut past);
    past.pin(past.mark(3).expect("the fourth"), None);
    let own: Vec<Piece> = pieces_of(&past.sets, &member).cloned().collect();
    let full = own.iter().find(|piece| piece.kind == PieceKind::Full);
    past.damaged = full.into_iter().map(|piece| piece.id).collect();
    let verdict = past.judged(&nothing());
    let pinned = verdict.points.iter().find(|point| {
        let mut rules = point.kept.iter();
        rules.any(|rule| matches!(rule, Kept::Pinned { .. }))
    });
    assert!(pinned.is_some_and(|point| point.is_offered), "without it");
    let needed = own
        .iter()
        .filter(|piece| piece.kind != PieceKind::Differential);
    let needed: Vec<&Piece> = needed.take(5).collect();
    assert_eq!(needed.len(), 5, "a full and the logs of four marks");
    assert!(needed.iter().all(|piece| !goes(&verdict, piece)));
}

#[test]
fn points_that_lack_copies_push_out_none_that_can_be_gone_back_to() {
    let mut past = weeks(3);
    let lately = past.sets.iter().rev().filter(|set| set.mark.is_some());
    let lately = lately.take(3).flat_map(|set| &set.pieces);
    past.short = lately.map(|piece| piece.id).collect();
    let policy = RetentionConfig {
        keep_last: 1,
        ..nothing()
    };
    let verdict = past.judged(&policy);
    assert_eq!(
        kept(&verdict),
        [past.mark(17).expect("the last with copies")]
    );
    let lacking: Vec<bool> = verdict.points[18..]
        .iter()
        .map(|it| it.is_offered)
        .collect();
    assert_eq!(lacking, [false; 3]);
    let left = without(past.sets.clone(), &verdict.let_go);
    let left: Vec<_> = left
        .iter()
        .flat_map(|set| &set.pieces)
        .map(|it| it.id)
        .collect();
    assert!(
        past.short.iter().all(|piece| left.contains(piece)),
        "they may be copied yet"
    );
}

#[test]
fn a_log_that_may_yet_be_of_use_keeps_what_it_stands_on() {
    let mut acts = vec![(Act::Full, 1), (Act::Marked, 24), (Act::Marked, 24)];
    acts.push((Act::Lost(1), 1));
    acts.extend([(Act::Marked, 24); 6]);
    acts.extend([(Act::Full, 1), (Act::Marked, 1)]);
    let past = Past::of(&acts);
    let member = past.sets[0].members[0].clone();
    let policy = RetentionConfig {
        keep_for: Duration::from_secs(3 * 86_400),
        ..nothing()
    };
    let verdict = past.judged(&policy);
    let spare = verdict.pieces.iter().filter(|it| it.fate == Fate::Spare);
    assert!(spare.count() > 3);
    let left = without(past.sets.clone(), &verdict.let_go);
    let chain = Chain::build(pieces_of(&left, &member));
    for log in pieces_of(&left, &member).filter(|it| it.kind == PieceKind::Log) {
        assert!(
            chain.path_to_end(log.id).is_some(),
            "{} leads nowhere",
            log.first_lsn
        );
    }
}
