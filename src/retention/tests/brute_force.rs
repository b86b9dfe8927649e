//! Random pasts and policies: what is kept must be exactly what the rules promise, said again in the simplest way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::history::{Act, HOUR_MS, Past};
use crate::chain::samples::lsn;
use crate::chain::{Chain, Path, Point, points};
use crate::config::RetentionConfig;
use crate::model::{MarkName, Piece, PieceKind, ProofLevel, Set};
use crate::retention::{Fate, Period, Verdict, verdict, without};

fn acts() -> impl Strategy<Value = Vec<(Act, u32)>> {
    let act = prop_oneof![
        2 => Just(Act::Full),
        1 => Just(Act::Differential),
        8 => Just(Act::Marked),
        1 => Just(Act::Unmarked),
        1 => (0_usize..2).prop_map(Act::Lost),
    ];
    let hours = prop_oneof![4 => 1_u32..30, 1 => 100_u32..900];
    prop::collection::vec((act, hours), 1..50)
}

fn policies() -> impl Strategy<Value = RetentionConfig> {
    let zones = ["UTC", "Europe/Zurich", "Pacific/Auckland"];
    let counts = (0_u32..5, 0_u32..5, 0_u32..4, 0_u32..4, 0_u32..3, 0_u32..3);
    let others = (0_u64..1000, prop::sample::select(zones.to_vec()));
    (counts, others).prop_map(|(counts, (hours, zone))| {
        let (keep_last, daily, weekly, monthly, yearly, drilled) = counts;
        RetentionConfig {
            keep_last,
            keep_for: Duration::from_secs(hours * 3600),
            daily,
            weekly,
            monthly,
            yearly,
            drilled,
            zone: TimeZone::get(zone).expect("in the database"),
            ..RetentionConfig::default()
        }
    })
}

/// A past, some of it damaged, badly proven, pinned or drilled, and looked at so many hours later.
fn pasts() -> impl Strategy<Value = Past> {
    let picks = || prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (acts(), picks(), picks(), picks(), picks(), -50_i64..500).prop_map(
        |(acts, damaged, unproven, pinned, drilled, later)| {
            let mut past = Past::of(&acts);
            let sets = past.sets.iter();
            let ids: Vec<_> = sets.flat_map(|set| &set.pieces).map(|it| it.id).collect();
            if !ids.is_empty() {
                past.damaged = damaged.iter().map(|pick| *pick.get(&ids)).collect();
                let weak: BTreeSet<_> = unproven.iter().map(|pick| *pick.get(&ids)).collect();
                let pieces = past.sets.iter_mut().flat_map(|set| &mut set.pieces);
                for piece in pieces.filter(|piece| weak.contains(&piece.id)) {
                    piece.proof = Some(ProofLevel::Size);
                }
            }
            let end = past.now.plus_millis(24 * HOUR_MS);
            for (nth, pick) in pinned.iter().enumerate() {
                let until = (nth % 2 == 0).then_some(end);
                if let Some(mark) = past.mark(pick.index(40)) {
                    past.pin(mark, until);
                }
            }
            past.drilled = drilled
                .iter()
                .filter_map(|pick| past.mark(pick.index(40)))
                .collect();
            past.now = past.now.plus_millis(later * HOUR_MS);
            past
        },
    )
}

fn sound(past: &Past) -> Vec<Set> {
    let mut sets = past.sets.clone();
    for set in &mut sets {
        set.pieces.retain(|piece| !past.damaged.contains(&piece.id));
    }
    sets
}

fn is_proven(past: &Past, point: &Point) -> bool {
    let needs: BTreeSet<_> = point.paths.values().flat_map(Path::pieces).collect();
    let pieces = past.sets.iter().flat_map(|set| &set.pieces);
    let weak = |piece: &Piece| piece.proof < Some(ProofLevel::Sample);
    !pieces
        .into_iter()
        .any(|piece| needs.contains(&piece.id) && weak(piece))
}

/// The newest Point of each of the newest so many periods.
fn of_calendar(
    points: &[Point],
    period: Period,
    count: u32,
    policy: &RetentionConfig,
) -> BTreeSet<MarkName> {
    let mut newest: BTreeMap<String, MarkName> = BTreeMap::new();
    for point in points {
        let name = period.of(point.mark.placed_at, &policy.zone);
        newest.insert(name, point.mark.name.clone());
    }
    newest.into_values().rev().take(count as usize).collect()
}

/// What must be kept of the Points on offer, each rule by itself.
fn promised(past: &Past, policy: &RetentionConfig) -> BTreeSet<MarkName> {
    let points = points(&sound(past), &[]);
    let name = |point: &Point| point.mark.name.clone();
    let mut kept: BTreeSet<MarkName> = BTreeSet::new();
    let newest = points.iter().rev();
    kept.extend(
        newest
            .clone()
            .take((policy.keep_last as usize).max(1))
            .map(name),
    );
    kept.extend(
        newest
            .clone()
            .find(|point| is_proven(past, point))
            .map(name),
    );
    if let Some(last) = points.last() {
        let since = last.mark.placed_at.min(past.now).millis();
        let since = since - i64::try_from(policy.keep_for.as_millis()).expect("hours");
        let is_young = |point: &&Point| point.mark.placed_at.millis() >= since;
        if !policy.keep_for.is_zero() {
            kept.extend(points.iter().filter(is_young).map(name));
        }
    }
    for (period, count) in [
        (Period::Day, policy.daily),
        (Period::Week, policy.weekly),
        (Period::Month, policy.monthly),
        (Period::Year, policy.yearly),
    ] {
        kept.extend(of_calendar(&points, period, count, policy));
    }
    let is_drilled = |point: &&Point| past.drilled.contains(&point.mark.name);
    let drilled = newest.clone().filter(is_drilled);
    kept.extend(drilled.take(policy.drilled as usize).map(name));
    let is_pinned = |point: &&Point| {
        let mut pins = past.pins.iter();
        pins.any(|pin| pin.mark == point.mark.name && pin.holds_at(past.now))
    };
    kept.extend(newest.filter(is_pinned).map(name));
    kept
}

fn kept(verdict: &Verdict) -> BTreeSet<MarkName> {
    verdict.kept().map(|point| point.mark.clone()).collect()
}

/// Those of the sets' Points that are named.
fn named(sets: &[Set], names: &BTreeSet<MarkName>) -> Vec<Point> {
    let mut points = points(sets, &[]);
    points.retain(|point| names.contains(&point.mark.name));
    points
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_the_rules_promise(past in pasts(), policy in policies()) {
        prop_assert_eq!(kept(&past.judged(&policy)), promised(&past, &policy));
    }

    #[test]
    fn no_kept_point_loses_a_piece(past in pasts(), policy in policies()) {
        let verdict = past.judged(&policy);
        let names = kept(&verdict);
        let after = without(sound(&past), &verdict.let_go);
        prop_assert_eq!(named(&after, &names), named(&sound(&past), &names));
        // What is whole again some day is judged by the same rules.
        let voided = verdict.points.iter().filter(|it| !it.is_offered && !it.kept.is_empty());
        let names: BTreeSet<_> = voided.map(|point| point.mark.clone()).collect();
        let after = without(past.sets.clone(), &verdict.let_go);
        prop_assert_eq!(named(&after, &names), named(&past.sets, &names));
    }

    #[test]
    fn the_next_backups_go_on_as_if_nothing_was_let_go(past in pasts(), policy in policies()) {
        let verdict = past.judged(&policy);
        let before = sound(&past);
        let after = without(before.clone(), &verdict.let_go);
        for (member, next) in past.next_logs() {
            let of = |sets: &[Set]| -> Vec<Piece> {
                let pieces = sets.iter().flat_map(|set| &set.pieces);
                pieces.filter(|piece| piece.member == member).cloned().collect()
            };
            let (before, after) = (of(&before), of(&after));
            if let Some(next) = next {
                let goes_on = |pieces: &[Piece]| Chain::build(pieces).is_continued_at(lsn(next), None);
                prop_assert_eq!(goes_on(&after), goes_on(&before));
            }
            let base = |pieces: &[Piece]| {
                let fulls = pieces.iter().filter(|it| it.kind == PieceKind::Full);
                fulls.max_by_key(|full| full.last_lsn).map(|full| full.id)
            };
            prop_assert_eq!(base(&after), base(&before));
        }
    }

    #[test]
    fn pruned_once_there_is_nothing_left_to_prune(past in pasts(), policy in policies()) {
        let mut past = past;
        let first = past.judged(&policy);
        past.sets = without(past.sets.clone(), &first.let_go);
        let second = past.judged(&policy);
        prop_assert_eq!(kept(&second), kept(&first));
        prop_assert_eq!(second.let_go, vec![]);
    }

    #[test]
    fn time_alone_never_brings_a_point_back(
        past in pasts(), policy in policies(), later in 0_i64..5000,
    ) {
        let now = kept(&past.judged(&policy));
        let then = past.now.plus_millis(later * HOUR_MS);
        let then = kept(&verdict(&past.history(), Some(&policy), then));
        prop_assert!(then.is_subset(&now), "{then:?} after {now:?}");
    }

    #[test]
    fn a_piece_goes_only_when_nobody_needs_it(past in pasts(), policy in policies()) {
        let verdict = past.judged(&policy);
        let gone: BTreeSet<_> = verdict.let_go.iter().flat_map(|set| &set.pieces).collect();
        for piece in &verdict.pieces {
            let goes = gone.contains(&piece.piece);
            prop_assert_eq!(goes, piece.fate == Fate::Unneeded, "{:?}", piece);
        }
        let offered = verdict.points.iter().any(|point| point.is_offered);
        prop_assert!(offered || gone.is_empty(), "a group without a point lost something");
    }

    #[test]
    fn without_a_policy_nothing_goes(past in pasts()) {
        let verdict = verdict(&past.history(), None, past.now);
        prop_assert_eq!(verdict.let_go, vec![]);
        prop_assert!(verdict.points.iter().all(|point| !point.kept.is_empty()));
    }
}
