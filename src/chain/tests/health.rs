//! Health: what a host says against what we hold.

use uuid::Uuid;

use super::super::samples::{FORK, copy_only, full, local, log, lsn};
use super::super::{Break, Health, differential_base, health};
use crate::model::Piece;
use crate::survey::{BackupRow, MarkLogFacts, MemberFacts, MemberState, RecoveryModel};

fn facts(next: Option<u32>) -> MemberFacts {
    MemberFacts {
        state: MemberState::Online,
        recovery_model: RecoveryModel::Full,
        is_read_only: false,
        database_guid: None,
        family_guid: Some(Uuid::from_u128(0xfa)),
        recovery_fork_guid: Some(Uuid::from_u128(FORK)),
        last_log_backup_lsn: next.map(lsn),
        availability_group: None,
        size_bytes: 0,
        mark_log: MarkLogFacts {
            has_table: true,
            has_procedure: true,
            has_remote_procedure: true,
            newest: None,
        },
        history: Vec::new(),
        reported: Vec::new(),
    }
}

fn row(piece: &Piece) -> BackupRow {
    BackupRow {
        backup_set_guid: piece.backup_set_guid,
        kind: piece.kind,
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        checkpoint_lsn: piece.checkpoint_lsn,
        database_backup_lsn: piece.database_backup_lsn,
        differential_base_guid: None,
        first_recovery_fork_guid: Some(piece.first_fork_guid),
        last_recovery_fork_guid: Some(piece.last_fork_guid),
        fork_point_lsn: None,
        family_guid: piece.family_guid,
        is_copy_only: piece.is_copy_only,
        begins_log_chain: false,
        has_bulk_logged_data: false,
        has_backup_checksums: true,
        user_name: r"CORP\olaf".to_owned(),
        device: r"D:\elsewhere\ledger.trn".to_owned(),
        started: local(2),
        finished: local(3),
    }
}

#[test]
fn a_chain_runs_when_the_next_log_begins_where_ours_ends() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    assert_eq!(
        health(&facts(Some(30)), &pieces, None),
        Health::Running { next: lsn(30) }
    );
    let only_full = [full(1, 10, 20)];
    assert_eq!(
        health(&facts(Some(10)), &only_full, None),
        Health::Running { next: lsn(10) }
    );
}

#[test]
fn a_member_of_which_we_hold_nothing_was_never_based() {
    assert_eq!(health(&facts(Some(30)), &[], None), Health::NeverBased);
}

#[test]
fn a_foreign_log_backup_is_named() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let stolen = log(9, 30, 40);
    let facts = MemberFacts {
        history: vec![row(&stolen), row(&pieces[1])],
        ..facts(Some(40))
    };
    let expected = Break::ForeignLog {
        user: r"CORP\olaf".to_owned(),
        when: local(3),
        device: r"D:\elsewhere\ledger.trn".to_owned(),
    };
    assert_eq!(health(&facts, &pieces, None), Health::Broken(expected));
    let lost = Break::LogLost {
        reached: lsn(30),
        next: lsn(40),
    };
    assert_eq!(
        health(&facts, &pieces, Some(r"D:\elsewhere\")),
        Health::Broken(lost)
    );
}

#[test]
fn a_foreign_copy_only_log_breaks_nothing() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let copy = copy_only(log(9, 30, 40));
    let facts = MemberFacts {
        history: vec![row(&copy)],
        ..facts(Some(30))
    };
    assert_eq!(
        health(&facts, &pieces, None),
        Health::Running { next: lsn(30) }
    );
}

#[test]
fn a_full_after_the_theft_makes_the_chain_run_again() {
    let pieces = [full(1, 10, 20), log(2, 10, 30), full(3, 42, 45)];
    assert_eq!(
        health(&facts(Some(40)), &pieces, None),
        Health::Running { next: lsn(40) }
    );
}

#[test]
fn what_ends_a_chain_is_told_apart() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let broken = |facts: &MemberFacts| match health(facts, &pieces, None) {
        Health::Broken(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(broken(&facts(None)), Break::NoLogBackupPossible);
    let simple = MemberFacts {
        recovery_model: RecoveryModel::Simple,
        ..facts(None)
    };
    assert_eq!(broken(&simple), Break::RecoverySimple);
    let now = Uuid::from_u128(0xf1);
    let forked = MemberFacts {
        recovery_fork_guid: Some(now),
        ..facts(Some(30))
    };
    assert_eq!(
        broken(&forked),
        Break::Forked {
            ours: Uuid::from_u128(FORK),
            now
        }
    );
    let replaced = MemberFacts {
        family_guid: Some(now),
        ..facts(Some(30))
    };
    assert_eq!(broken(&replaced), Break::Replaced);
    assert_eq!(
        broken(&facts(Some(35))),
        Break::LogLost {
            reached: lsn(30),
            next: lsn(35)
        }
    );
}

#[test]
fn a_differential_needs_a_base_of_ours() {
    let held = full(1, 10, 20);
    let stolen = full(9, 22, 25);
    let history = |rows: &[&Piece]| MemberFacts {
        history: rows.iter().map(|piece| row(piece)).collect(),
        ..facts(Some(30))
    };
    assert_eq!(differential_base(&history(&[&held]), &[&held]), Ok(()));
    assert_eq!(
        differential_base(&history(&[]), &[&held]),
        Ok(()),
        "a history too short to tell"
    );
    let facts = history(&[&stolen, &held]);
    let found = differential_base(&facts, &[&held]).expect_err("a foreign base");
    assert_eq!(
        found.map(|row| row.backup_set_guid),
        Some(stolen.backup_set_guid)
    );
    let copy = history(&[&copy_only(full(9, 22, 25)), &held]);
    assert_eq!(
        differential_base(&copy, &[&held]),
        Ok(()),
        "copy-only is never a base"
    );
    assert_eq!(differential_base(&history(&[]), &[]), Err(None));
}
