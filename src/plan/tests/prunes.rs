//! Prunes: the order in which things go, what is swept, and what is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::keys::staged_name;
use super::super::samples::{Counter, catalog, config, host, now};
use super::super::*;
use super::{checked, steps};
use crate::config::{MarkLogKind, RetentionConfig};
use crate::error::Code;
use crate::model::{Piece, PieceId, PieceKind, Set, SetId};
use crate::retention::{Kept, PointVerdict, PrunedSet, Verdict};

const FOLDER: &str = "/mnt/backup/pay1/payments";

/// The catalog's sets, of which the first goes whole; the mark of the second is kept, proven or not.
fn verdict(sets: &[Set], is_proven: bool) -> Verdict {
    let (gone, kept) = (&sets[0], &sets[1]);
    let mark = kept.mark.as_ref().expect("a set with a mark");
    Verdict {
        points: vec![PointVerdict {
            mark: mark.name.clone(),
            set: kept.id,
            placed_at: mark.placed_at,
            is_offered: true,
            is_proven,
            kept: vec![Kept::Newest],
        }],
        pieces: Vec::new(),
        let_go: vec![PrunedSet {
            set: gone.id,
            pieces: gone.pieces.iter().map(|piece| piece.id).collect(),
            ends_mark: false,
        }],
    }
}

fn file(name: &str, days_old: i64) -> (HostName, ShareFile) {
    let file = ShareFile {
        path: PathBuf::from(FOLDER).join(name),
        changed_at: now().plus_millis(-days_old * 86_400_000),
    };
    (host("PAY1"), file)
}

struct Given {
    sets: Vec<Set>,
    unremoved: Vec<(SetId, Piece)>,
    staged: Vec<(HostName, ShareFile)>,
    busy: BTreeSet<PathBuf>,
    damaged: BTreeSet<PieceId>,
    clocks: Vec<(HostName, Timestamp)>,
}

fn given() -> Given {
    let sets = catalog().sets;
    let staged_of = |piece: &Piece| {
        let key = &piece.stripes.first().expect("a stripe").key;
        staged_name(&piece.member, key).expect("one of ours")
    };
    let delivered = staged_of(&sets[1].pieces[0]);
    let busy = staged_of(&sets[1].pieces[1]);
    let unknown = "ledger-0123456789ab_log_SM_2026_1of1.bak";
    Given {
        unremoved: Vec::new(),
        staged: vec![
            file(&delivered, 0),
            file(&busy, 0),
            file(unknown, 15),
            file(&unknown.replace("log", "full"), 13),
            file("Ledger.bak", 1000),
        ],
        busy: BTreeSet::from([PathBuf::from(FOLDER).join(busy)]),
        damaged: BTreeSet::new(),
        clocks: ["PAY1", r"PAY2\SQL", "PAY3"].map(shows_now).to_vec(),
        sets,
    }
}

fn shows_now(name: &str) -> (HostName, Timestamp) {
    (name.parse().expect("a host"), now())
}

fn pruned(
    given: &Given,
    verdict: &Verdict,
    retention: Option<RetentionConfig>,
    mark_log: MarkLogKind,
) -> crate::error::Result<Plan> {
    let cfg = crate::config::Config {
        mark_log,
        retention,
        ..config()
    };
    let view = PruneView {
        sets: &given.sets,
        verdict,
        unremoved: &given.unremoved,
        staged: &given.staged,
        busy: &given.busy,
        damaged: &given.damaged,
        clocks: &given.clocks,
        warnings: Vec::new(),
    };
    plan_prune(&cfg, view, &mut Counter(0x6000), now())
}

#[test]
fn what_goes_is_written_down_first_and_then_removed_and_swept() {
    let given = given();
    let verdict = verdict(&given.sets, true);
    let plan = pruned(
        &given,
        &verdict,
        Some(RetentionConfig::default()),
        MarkLogKind::Stopmark,
    )
    .expect("a plan");
    insta::assert_snapshot!(checked(plan).1);
}

#[test]
fn a_file_whose_stored_copies_are_all_damaged_stays_on_the_share() {
    let mut given = given();
    let verdict = verdict(&given.sets, true);
    let swept = |given: &Given| {
        let policy = Some(RetentionConfig::default());
        let plan = pruned(given, &verdict, policy, MarkLogKind::Stopmark).expect("a plan");
        let swept = steps(&plan).into_iter().filter_map(|step| match step {
            Step::SweepStaging(step) => Some(step.files.clone()),
            _ => None,
        });
        swept.flatten().collect::<Vec<_>>()
    };
    let delivered = given.staged[0].1.path.clone();
    assert!(swept(&given).contains(&delivered));
    given.damaged = BTreeSet::from([given.sets[1].pieces[0].id]);
    assert!(!swept(&given).contains(&delivered));
}

#[test]
fn objects_go_from_dependents_to_bases_newest_first() {
    let mut given = given();
    let mut verdict = verdict(&given.sets, true);
    verdict.let_go = Vec::new();
    let sets = given.sets.iter().rev();
    given.unremoved = sets
        .flat_map(|set| set.pieces.iter().map(|piece| (set.id, piece.clone())))
        .collect();
    let plan = pruned(
        &given,
        &verdict,
        Some(RetentionConfig::default()),
        MarkLogKind::Stopmark,
    )
    .expect("a plan");
    let removed: Vec<(HostName, PieceKind)> = steps(&plan)
        .into_iter()
        .filter_map(|step| match step {
            Step::RemovePiece(step) => Some((step.member.host.clone(), step.piece_kind)),
            _ => None,
        })
        .collect();
    assert_eq!(removed.len(), given.unremoved.len());
    for name in ["PAY1", r"PAY2\SQL", "PAY3"] {
        let own = removed.iter().filter(|(it, _)| it.as_str() == name);
        let kinds: Vec<PieceKind> = own.map(|(_, kind)| *kind).collect();
        assert!(kinds.is_sorted_by(|one, two| one >= two), "{kinds:?}");
    }
    let is_prune = |step: &&Step| matches!(step, Step::Prune(_) | Step::TrimMarkLog(_));
    assert_eq!(steps(&plan).iter().filter(|step| is_prune(step)).count(), 0);
}

#[test]
fn what_would_leave_nothing_proven_is_refused() {
    let given = given();
    let verdict = verdict(&given.sets, false);
    let refused = pruned(
        &given,
        &verdict,
        Some(RetentionConfig::default()),
        MarkLogKind::Stopmark,
    );
    assert_eq!(refused.expect_err("refused").code(), Code::NothingProven);
}

#[test]
fn a_clock_that_is_ahead_of_the_hosts_lets_nothing_go() {
    let mut given = given();
    let year = 365 * 24;
    for piece in &mut given.sets[1].pieces {
        let written = piece.finished.civil;
        piece.finished.civil = written.saturating_sub(jiff::Span::new().hours(year));
    }
    given.clocks = vec![shows_now("PAY1")];
    let policy = || Some(RetentionConfig::default());
    let mut verdict = verdict(&given.sets, true);
    verdict.points[0].placed_at = now();
    let refused = pruned(&given, &verdict, policy(), MarkLogKind::Stopmark);
    let refused = refused.expect_err("refused");
    assert_eq!(refused.code(), Code::ClocksApart, "{refused:?}");
    assert!(
        refused.message().contains("at the newest mark"),
        "{refused:?}"
    );
    // The clock was put right since: its marks are of a day to come, and its time can be believed.
    verdict.points[0].placed_at = now().plus_millis(1);
    let plan = pruned(&given, &verdict, policy(), MarkLogKind::Stopmark);
    assert!(!plan.expect("a plan").stages.is_empty());
}

#[test]
fn an_old_mark_alone_says_nothing_of_a_clock_that_jumped_since() {
    let mut given = given();
    given.clocks.clear();
    let mut verdict = verdict(&given.sets, true);
    let mut refused_at = |age_ms: i64| {
        verdict.points[0].placed_at = now().plus_millis(-age_ms);
        let policy = Some(RetentionConfig::default());
        let refused = pruned(&given, &verdict, policy, MarkLogKind::Stopmark).err();
        refused.map(|error| error.message().to_owned())
    };
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(refused_at(day), None);
    let told = refused_at(day + 1).expect("refused");
    assert!(told.contains("no host says"), "{told}");
}

#[test]
fn the_hosts_are_asked_for_the_time_and_believed_before_the_newest_mark() {
    let mut given = given();
    let policy = || Some(RetentionConfig::default());
    let verdict = verdict(&given.sets, true);
    let day = 24 * 60 * 60 * 1_000;
    let shows = |host: &str, apart_ms: i64| {
        let host = host.parse().expect("a host");
        (host, now().plus_millis(apart_ms))
    };
    given.clocks = vec![shows("PAY1", 0), shows("PAY3", -day - 1)];
    let refused = pruned(&given, &verdict, policy(), MarkLogKind::Stopmark);
    let refused = refused.expect_err("refused");
    assert_eq!(refused.code(), Code::ClocksApart, "{refused:?}");
    assert!(format!("{refused:?}").contains("PAY3"), "{refused:?}");
    // That the newest mark was stamped by a clock that ran ahead is no matter where all clocks are right now.
    for piece in &mut given.sets[1].pieces {
        let year = jiff::Span::new().hours(365 * 24);
        piece.finished.civil = piece.finished.civil.saturating_sub(year);
    }
    given.clocks = vec![
        shows("PAY1", 400 * day),
        shows(r"PAY2\SQL", 0),
        shows("PAY3", -day),
    ];
    let plan = pruned(&given, &verdict, policy(), MarkLogKind::Stopmark);
    assert!(!plan.expect("a plan").stages.is_empty());
}

#[test]
fn without_a_policy_nothing_is_done() {
    let given = given();
    let verdict = verdict(&given.sets, true);
    let plan = pruned(&given, &verdict, None, MarkLogKind::Stopmark).expect("a plan");
    assert!(plan.stages.is_empty());
}

#[test]
fn the_marks_of_biztalk_are_trimmed_too() {
    let given = given();
    let verdict = verdict(&given.sets, true);
    let plan = pruned(
        &given,
        &verdict,
        Some(RetentionConfig::default()),
        MarkLogKind::BizTalk,
    )
    .expect("a plan");
    let mut all = steps(&plan).into_iter();
    assert!(all.any(|step| matches!(step, Step::TrimMarkLog(_))));
}
