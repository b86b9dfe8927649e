//! Pasts that a hand can check.

use std::fmt::Write as _;
use std::time::Duration;

use super::history::{Act, HOUR_MS, Past};
use crate::config::RetentionConfig;
use crate::model::{MarkName, PieceKind, ProofLevel, RunId};
use crate::retention::{Fate, Kept, Verdict, without};

/// Nothing but what the test adds.
pub(super) fn nothing() -> RetentionConfig {
    RetentionConfig {
        keep_last: 0,
        keep_for: Duration::ZERO,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
        drilled: 0,
        ..RetentionConfig::default()
    }
}

/// A full a week and a mark a day, for so many weeks.
pub(super) fn weeks(count: usize) -> Past {
    let mut acts = Vec::new();
    for _ in 0..count {
        acts.push((Act::Full, 1));
        acts.push((Act::Marked, 1));
        acts.extend([(Act::Marked, 24); 6]);
        acts.push((Act::Differential, 22));
    }
    Past::of(&acts)
}

fn story(verdict: &Verdict) -> String {
    let mut text = String::new();
    for point in &verdict.points {
        let rules: Vec<String> = point.kept.iter().map(Kept::to_string).collect();
        let rules = if rules.is_empty() {
            "let go".to_owned()
        } else {
            rules.join(", ")
        };
        writeln!(text, "{}  {rules}", point.mark).expect("a string");
    }
    let of = |wanted: fn(&Fate) -> bool| {
        let pieces = verdict.pieces.iter();
        pieces.filter(|piece| wanted(&piece.fate)).count()
    };
    writeln!(
        text,
        "pieces: {} needed, {} new, {} continued, {} spare, {} go",
        of(|fate| matches!(fate, Fate::NeededBy(_))),
        of(|fate| *fate == Fate::New),
        of(|fate| *fate == Fate::Continued),
        of(|fate| *fate == Fate::Spare),
        of(|fate| *fate == Fate::Unneeded),
    )
    .expect("a string");
    text
}

pub(super) fn kept(verdict: &Verdict) -> Vec<MarkName> {
    verdict.kept().map(|point| point.mark.clone()).collect()
}

#[test]
fn grandfather_father_and_son_over_three_months() {
    let policy = RetentionConfig {
        keep_last: 2,
        daily: 3,
        weekly: 2,
        monthly: 3,
        ..nothing()
    };
    insta::assert_snapshot!(story(&weeks(12).judged(&policy)));
}

#[test]
fn marks_that_were_stamped_after_a_clock_had_run_ahead_keep_their_days() {
    let policy = RetentionConfig {
        keep_for: Duration::from_secs(3 * 24 * 60 * 60),
        daily: 6,
        weekly: 3,
        ..nothing()
    };
    let mut past = weeks(4);
    let as_it_was = kept(&past.judged(&policy));
    let half = past.sets.len() / 2;
    let year_ahead = past.sets[half].made_at.plus_millis(365 * 24 * HOUR_MS);
    for (nth, set) in (0..).zip(&mut past.sets[half..]) {
        let begun_at = u64::try_from(set.made_at.millis()).expect("after 1970");
        let run = uuid::Builder::from_unix_timestamp_millis(begun_at, &[7; 10]);
        set.run = RunId(run.into_uuid());
        set.made_at = year_ahead.plus_millis(nth);
        if let Some(mark) = &mut set.mark {
            mark.placed_at = set.made_at;
        }
    }
    assert_eq!(kept(&past.judged(&policy)), as_it_was);
}

#[test]
fn the_default_policy_keeps_days_weeks_and_months() {
    let mut verdict = weeks(30).judged(&RetentionConfig::default());
    verdict.points.retain(|point| !point.kept.is_empty());
    insta::assert_snapshot!(story(&verdict));
}

#[test]
fn the_newest_point_stays_whatever_the_policy() {
    let past = weeks(3);
    let verdict = past.judged(&nothing());
    assert_eq!(kept(&verdict), [past.mark(20).expect("the last")]);
}

#[test]
fn the_newest_proven_point_stays_and_the_rule_says_so() {
    let mut past = weeks(3);
    for set in past.sets.iter_mut().skip(10) {
        for piece in &mut set.pieces {
            piece.proof = Some(ProofLevel::Size);
        }
    }
    let verdict = past.judged(&nothing());
    assert_eq!(kept(&verdict).len(), 2, "{}", story(&verdict));
    assert_eq!(
        verdict.points[6].kept,
        [Kept::Proven],
        "{}",
        story(&verdict)
    );
    assert!(verdict.keeps_a_proven_point());
}

#[test]
fn a_later_proof_counts_as_one_at_the_delivery() {
    let mut past = weeks(1);
    for piece in past.sets.iter_mut().flat_map(|set| &mut set.pieces) {
        piece.proof = None;
    }
    assert!(!past.judged(&nothing()).keeps_a_proven_point());
    let pieces = past.sets.iter().flat_map(|set| &set.pieces);
    past.proven = pieces.map(|piece| piece.id).collect();
    assert!(past.judged(&nothing()).keeps_a_proven_point());
}

#[test]
fn a_pin_holds_until_its_day_is_over() {
    let mut past = weeks(3);
    let mark = past.mark(0).expect("the first");
    let until = past.now.plus_millis(HOUR_MS);
    past.pin(mark.clone(), Some(until));
    assert!(kept(&past.judged(&nothing())).contains(&mark));
    past.now = until;
    assert!(!kept(&past.judged(&nothing())).contains(&mark));
}

#[test]
fn the_full_of_a_pinned_point_stays_with_all_logs_in_between() {
    let mut past = weeks(3);
    past.pin(past.mark(4).expect("the fifth"), None);
    let verdict = past.judged(&nothing());
    let left = without(past.sets.clone(), &verdict.let_go);
    let count = |kind| {
        let pieces = left
            .iter()
            .take_while(|set| set.made_at < past.sets[9].made_at);
        pieces
            .flat_map(|set| &set.pieces)
            .filter(|it| it.kind == kind)
            .count()
    };
    assert_eq!((count(PieceKind::Full), count(PieceKind::Log)), (2, 10));
}

#[test]
fn a_clock_that_ran_ahead_makes_nothing_old() {
    let policy = RetentionConfig {
        keep_for: Duration::from_secs(14 * 86_400),
        ..nothing()
    };
    let mut past = weeks(3);
    let today = kept(&past.judged(&policy));
    past.now = past.now.plus_millis(20 * 365 * 24 * HOUR_MS);
    assert_eq!(kept(&past.judged(&policy)), today);
}

#[test]
fn a_clock_that_fell_back_lets_nothing_go() {
    let policy = RetentionConfig {
        keep_for: Duration::from_secs(86_400),
        ..nothing()
    };
    let mut past = weeks(3);
    past.now = past.now.plus_millis(-30 * 24 * HOUR_MS);
    assert_eq!(kept(&past.judged(&policy)).len(), 21);
}

#[test]
fn a_set_that_loses_what_its_mark_needs_claims_the_mark_no_longer() {
    let past = weeks(2);
    let verdict = past.judged(&nothing());
    let left = without(past.sets.clone(), &verdict.let_go);
    let claims = left.iter().filter(|set| set.mark.is_some()).count();
    let points = crate::chain::judge(&left, &[]);
    assert!(
        points.iter().all(|judged| judged.verdict.is_ok()),
        "{points:?}"
    );
    assert_eq!(claims, points.len());
    assert!(left.iter().all(|set| !set.pieces.is_empty()));
}

#[test]
fn pieces_of_a_member_that_left_the_group_go_with_their_points() {
    let mut past = weeks(3);
    let left = past.sets[0].members[1].clone();
    for set in past.sets.iter_mut().skip(18) {
        set.members.retain(|member| *member != left);
        set.pieces.retain(|piece| piece.member != left);
        if let Some(mark) = &mut set.mark {
            mark.members.retain(|placed| placed.member != left);
        }
    }
    let verdict = past.judged(&nothing());
    let after = without(past.sets.clone(), &verdict.let_go);
    let pieces = after.iter().flat_map(|set| &set.pieces);
    assert_eq!(pieces.filter(|piece| piece.member == left).count(), 0);
}

#[test]
fn a_piece_of_no_point_goes_when_it_is_as_old_as_points_may_get() {
    let policy = |days: u64| RetentionConfig {
        keep_for: Duration::from_secs(days * 86_400),
        ..nothing()
    };
    let spare = |days| {
        let pieces = weeks(6).judged(&policy(days)).pieces;
        pieces.iter().filter(|it| it.fate == Fate::Spare).count()
    };
    // A differential of each member, on the evening before each full.
    assert_eq!((spare(10), spare(17)), (2, 4));
}
