//! Rounds after the first: what a failure leads to.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::super::samples::{asked, catalog, change_member, config, member, now, survey};
use super::super::*;
use super::{failed, is_marked, mark_failed, planned, second_round, steps, taken};
use crate::model::{MarkName, PieceKind, RunId};

#[test]
fn what_the_round_before_refused_gets_a_new_chain() {
    for number in [4214, 4219, 1475] {
        let asked = second_round(vec![failed("PAY3/Archive", PieceKind::Log, number)]);
        let (plan, _) = planned(&survey(Some(30)), &catalog(), &asked);
        assert_eq!(taken(&plan, PieceKind::Full), ["PAY3/Archive"], "{number}");
        assert!(is_marked(&plan), "a fresh mark for the whole group");
        let logs = taken(&plan, PieceKind::Log);
        let of_archive = logs.iter().filter(|it| *it == "PAY3/Archive").count();
        assert_eq!(
            (logs.len(), of_archive),
            (6, 2),
            "the first log of its chain, and the marked one"
        );
    }
}

#[test]
fn a_log_that_ended_without_a_row_gets_a_new_chain() {
    let silent = StepFailure {
        code: "SM0502".to_owned(),
        sql_number: None,
        ..failed("PAY1/Ledger", PieceKind::Log, 0)
    };
    let (plan, _) = planned(&survey(Some(30)), &catalog(), &second_round(vec![silent]));
    assert_eq!(taken(&plan, PieceKind::Full), ["PAY1/Ledger"]);
}

#[test]
fn a_log_that_failed_for_another_reason_gets_none() {
    let asked = second_round(vec![failed("PAY1/Ledger", PieceKind::Log, 3201)]);
    let (plan, _) = planned(&survey(Some(30)), &catalog(), &asked);
    assert_eq!(taken(&plan, PieceKind::Full), Vec::<String>::new());
}

#[test]
fn a_mark_that_failed_for_good_does_not_hold_the_logs_up() {
    let deadlock = || second_round(vec![mark_failed("SM0401", Some(1205))]);
    let cases = [
        (deadlock(), true),
        (second_round(vec![mark_failed("SM0402", None)]), true),
        (second_round(vec![mark_failed("SM0401", Some(7391))]), false),
        (
            Asked {
                round: 3,
                ..deadlock()
            },
            false,
        ),
    ];
    for (asked, expected) in cases {
        let (plan, text) = planned(&survey(Some(30)), &catalog(), &asked);
        assert_eq!(is_marked(&plan), expected, "{text}");
        assert_eq!(taken(&plan, PieceKind::Log).len(), 5);
    }
}

#[test]
fn a_mark_whose_member_has_failed_over_since_is_tried_again() {
    let refused_at = |place| {
        let deed = FailedDeed::Mark {
            places: vec![member(place)],
        };
        let refused = mark_failed("SM0401", Some(3906));
        second_round(vec![StepFailure { deed, ..refused }])
    };
    for (place, expected) in [("PAY1/Ledger", false), ("PAY9/Ledger", true)] {
        let (plan, text) = planned(&survey(Some(30)), &catalog(), &refused_at(place));
        assert_eq!(is_marked(&plan), expected, "{text}");
    }
}

#[test]
fn a_new_chain_is_not_started_again_in_the_next_round() {
    let again = Asked {
        kind: BackupKind::Full,
        new_chain: vec![member("PAY3/Archive")],
        ..second_round(vec![mark_failed("SM0401", Some(1205))])
    };
    let (plan, _) = planned(&survey(Some(30)), &catalog(), &again);
    assert_eq!(taken(&plan, PieceKind::Full), Vec::<String>::new());
    let failed = vec![failed("PAY3/Archive", PieceKind::Full, 3202)];
    let previous = Some(RoundResult {
        failures: failed,
        ..RoundResult::default()
    });
    let (plan, _) = planned(&survey(Some(30)), &catalog(), &Asked { previous, ..again });
    assert_eq!(
        taken(&plan, PieceKind::Full),
        ["PAY3/Archive"],
        "its full had failed"
    );
}

#[test]
fn another_round_is_wanted_where_it_can_help() {
    let result = |failure| RoundResult {
        failures: vec![failure],
        ..RoundResult::default()
    };
    let wants = |failure, round| {
        wants_another_round(
            &Asked {
                round,
                ..asked(BackupKind::Log)
            },
            &result(failure),
        )
    };
    assert!(wants(failed("PAY1/Ledger", PieceKind::Log, 4214), 1));
    assert!(
        wants(mark_failed("SM0401", Some(7391)), 2),
        "the logs were not taken"
    );
    assert!(!wants(failed("PAY1/Ledger", PieceKind::Log, 4214), 3));
    assert!(!wants(failed("PAY1/Ledger", PieceKind::Log, 3201), 1));
    let first = asked(BackupKind::Log);
    assert!(!wants_another_round(&first, &RoundResult::default()));
    let voided = RoundResult {
        voided: vec![member("PAY1/Ledger")],
        ..RoundResult::default()
    };
    assert!(wants_another_round(&first, &voided), "its mark is void");
}

#[test]
fn stamps_rise_above_the_newest_even_when_the_clock_does_not() {
    let newest = Timestamp::from_millis(now().millis() + 5_000);
    let have = CatalogView {
        newest_stamp: Some(newest),
        ..catalog()
    };
    let stamp_of = |run: u128| {
        let mut asked = asked(BackupKind::Log);
        asked.run = RunId(Uuid::from_u128(run));
        planned(&survey(Some(30)), &have, &asked).0.made_at
    };
    let stamps: BTreeSet<Timestamp> = (1..=20).map(stamp_of).collect();
    assert!(stamps.iter().all(|stamp| is_just_after(*stamp, newest)));
    // An agent of which nothing is left may have named files just so.
    assert!(stamps.len() > 15, "each run has its own: {stamps:?}");
}

fn is_just_after(stamp: Timestamp, last: Timestamp) -> bool {
    (1..=1_000).contains(&(stamp.millis() - last.millis()))
}

#[test]
fn no_mark_gets_the_name_of_one_that_was_placed_and_never_published() {
    let published = Timestamp::from_millis(now().millis() + 5_000);
    let have = CatalogView {
        newest_stamp: Some(published),
        ..catalog()
    };
    let mut survey = survey(Some(30));
    let prefix = config().mark_prefix;
    let placed = |ahead: i64| MarkName::stamp(&prefix, published.plus_millis(ahead), None).0;
    change_member(&mut survey, "PAY1/Ledger", |it| {
        it.mark_log.newest = Some(placed(1));
    });
    let (plan, _) = planned(&survey, &have, &asked(BackupKind::Log));
    assert!(is_just_after(plan.made_at, published.plus_millis(1)));
    change_member(&mut survey, "PAY1/Ledger", |it| {
        it.mark_log.newest = Some(placed(7_200_000));
    });
    let (plan, _) = planned(&survey, &have, &asked(BackupKind::Log));
    assert!(
        is_just_after(plan.made_at, published),
        "another clock named that one"
    );
}

#[test]
fn a_log_that_was_refused_since_the_member_failed_over_is_worth_another_round() {
    let wants = |kind, number| {
        let failures = vec![failed("PAY1/Ledger", PieceKind::Log, number)];
        let result = RoundResult {
            failures,
            ..RoundResult::default()
        };
        wants_another_round(&asked(kind), &result)
    };
    for number in [976, 978, 983, 3059, 3062, 35294, 35295, 35296] {
        assert!(wants(BackupKind::Log, number), "{number}");
        assert!(!wants(BackupKind::Full, number), "all fulls a second time");
    }
    assert!(!wants(BackupKind::Log, 3041), "the next run tries again");
}

#[test]
fn a_differential_that_was_refused_becomes_a_full() {
    let failures = vec![failed("PAY1/Ledger", PieceKind::Differential, 3035)];
    let asked = Asked {
        kind: BackupKind::Differential,
        ..second_round(failures)
    };
    let (plan, _) = planned(&survey(Some(30)), &catalog(), &asked);
    assert_eq!(taken(&plan, PieceKind::Full), ["PAY1/Ledger"]);
    assert_eq!(taken(&plan, PieceKind::Differential).len(), 4);
}

#[test]
fn the_first_log_of_a_new_chain_never_carries_the_mark() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |it| {
        it.last_log_backup_lsn = None;
    });
    let of_ledger = |plan: &Plan| -> Vec<bool> {
        let logs = steps(plan).into_iter().filter_map(|step| match step {
            Step::BackUp(step) if step.piece_kind == PieceKind::Log => Some(step),
            _ => None,
        });
        let own = logs.filter(|step| step.member == member("PAY1/Ledger"));
        own.map(|step| step.mark.is_some()).collect()
    };
    let (plan, _) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert_eq!(of_ledger(&plan), [false, true]);
    change_member(&mut survey, "PAY3/Archive", |it| it.is_read_only = true);
    let (plan, _) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert_eq!(
        of_ledger(&plan),
        [false],
        "without a mark one log is enough"
    );
}
