//! Health: what a host says against what we hold.

use uuid::Uuid;

use super::super::samples::{FORK, copy_only, differential, facts, full, local, log, lsn};
use super::super::{
    Against, Break, Cure, Health, Holding, against_a_differential, cure, differential_base, health,
};
use crate::model::{Piece, PieceKind};
use crate::survey::{BackupRow, MemberFacts, RecoveryModel};

fn held<'a>(pieces: &'a [&'a Piece]) -> Holding<'a> {
    Holding {
        pieces,
        damaged: &[],
        our_folders: &[],
    }
}

/// The health of a member of which these pieces are held.
fn judged(facts: &MemberFacts, pieces: &[Piece], our_folder: Option<&str>) -> Health {
    let pieces: Vec<&Piece> = pieces.iter().collect();
    let our_folders: Vec<String> = our_folder.map(str::to_owned).into_iter().collect();
    let held = Holding {
        our_folders: &our_folders,
        ..held(&pieces)
    };
    health(facts, held)
}

fn row(piece: &Piece) -> BackupRow {
    BackupRow {
        server: None,
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
        machine: None,
        database_guid: None,
        program: None,
        device: r"D:\elsewhere\ledger.trn".to_owned(),
        further_devices: Vec::new(),
        is_virtual: false,
        is_snapshot: false,
        started: local(2),
        finished: local(3),
    }
}

#[test]
fn a_chain_runs_when_the_next_log_begins_where_ours_ends() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    assert_eq!(
        judged(&facts(Some(30)), &pieces, None),
        Health::Running { next: lsn(30) }
    );
    let only_full = [full(1, 10, 20)];
    assert_eq!(
        judged(&facts(Some(10)), &only_full, None),
        Health::Running { next: lsn(10) }
    );
}

#[test]
fn a_member_of_which_we_hold_nothing_was_never_based() {
    assert_eq!(judged(&facts(Some(30)), &[], None), Health::NeverBased);
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
        machine: None,
        program: None,
        is_virtual: false,
        first: lsn(30),
        last: lsn(40),
    };
    assert_eq!(judged(&facts, &pieces, None), Health::Broken(expected));
    let lost = Break::LogLost {
        reached: lsn(30),
        next: lsn(40),
    };
    assert_eq!(
        judged(&facts, &pieces, Some(r"D:\elsewhere\")),
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
        judged(&facts, &pieces, None),
        Health::Running { next: lsn(30) }
    );
}

#[test]
fn a_full_after_the_theft_makes_the_chain_run_again() {
    let pieces = [full(1, 10, 20), log(2, 10, 30), full(3, 42, 45)];
    assert_eq!(
        judged(&facts(Some(40)), &pieces, None),
        Health::Running { next: lsn(40) }
    );
}

#[test]
fn what_ends_a_chain_is_told_apart() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let broken = |facts: &MemberFacts| match judged(facts, &pieces, None) {
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
    assert_eq!(differential_base(&history(&[&held]), &[&held]), Ok(&held));
    assert_eq!(
        differential_base(&history(&[]), &[&held]),
        Ok(&held),
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
        Ok(&held),
        "copy-only is never a base"
    );
    assert_eq!(differential_base(&history(&[]), &[]), Err(None));
}

#[test]
fn the_databases_own_word_on_its_base_comes_before_the_history() {
    let (ours, theirs) = (full(1, 10, 20), full(9, 22, 25));
    let facts = |guid: u128| MemberFacts {
        history: vec![row(&theirs), row(&ours)],
        differential_base_guid: Some(Uuid::from_u128(guid)),
        ..facts(Some(30))
    };
    assert_eq!(differential_base(&facts(1), &[&ours]), Ok(&ours));
    let stolen = facts(9);
    let found = differential_base(&stolen, &[&ours]).expect_err("a foreign base");
    assert_eq!(
        found.map(|row| row.backup_set_guid),
        Some(theirs.backup_set_guid)
    );
    assert_eq!(
        differential_base(&facts(77), &[&ours]),
        Err(None),
        "a base that nobody's history names"
    );
}

#[test]
fn a_piece_that_was_found_damaged_is_the_reason() {
    let pieces = [full(1, 10, 20), log(2, 10, 30), log(4, 40, 50)];
    let whole: Vec<&Piece> = pieces.iter().collect();
    let damaged = log(3, 30, 40);
    let held = Holding {
        damaged: &[&damaged],
        ..held(&whole)
    };
    let reason = Break::Damaged {
        piece: damaged.id,
        piece_kind: damaged.kind,
    };
    assert_eq!(health(&facts(Some(50)), held), Health::Broken(reason));
    // Where the damage alone does not explain it, it is not blamed.
    let elsewhere = health(&facts(Some(60)), held);
    assert!(matches!(elsewhere, Health::Broken(Break::LogLost { .. })));
}

#[test]
fn what_a_program_took_without_a_file_is_named_as_that() {
    let base = full(1, 10, 20);
    let stolen = |is_snapshot: bool| BackupRow {
        device: "{5F1C}1".to_owned(),
        is_virtual: true,
        is_snapshot,
        program: Some("Veeam".to_owned()),
        machine: Some("PAY1".to_owned()),
        ..row(&full(9, 22, 25))
    };
    let against = |row: BackupRow| {
        let facts = MemberFacts {
            differential_base_guid: Some(row.backup_set_guid),
            history: vec![row],
            ..facts(Some(30))
        };
        against_a_differential(&facts, &[&base]).expect("a foreign base")
    };
    let by = "on 2026-11-21 02:03:00 +00:00 with `Veeam` on computer `PAY1` to a program through the virtual device \
              `{5F1C}1`, so that there is no file of it";
    assert_eq!(
        against(stolen(false)).to_string(),
        format!(r"its differential base is not ours: `CORP\olaf` took a full {by}")
    );
    let snapshot = against(stolen(true)).to_string();
    assert!(
        snapshot.contains("took a snapshot of volumes (VSS), which counts as a full, on "),
        "{snapshot}"
    );
    let log = BackupRow {
        kind: PieceKind::Log,
        ..stolen(false)
    };
    let facts = MemberFacts {
        history: vec![BackupRow {
            first_lsn: lsn(20),
            last_lsn: lsn(30),
            ..log
        }],
        ..facts(Some(30))
    };
    let Health::Broken(reason) = judged(&facts, std::slice::from_ref(&base), None) else {
        panic!("the log is gone");
    };
    assert!(reason.to_string().ends_with(by), "{reason}");
}

#[test]
fn the_cheapest_cure_is_chosen() {
    let base = full(1, 10, 20);
    let theirs = full(9, 22, 25);
    let lost = || Break::LogLost {
        reached: lsn(20),
        next: lsn(30),
    };
    let based = |guid: Option<u128>| MemberFacts {
        differential_base_guid: guid.map(Uuid::from_u128),
        history: vec![row(&theirs)],
        ..facts(Some(30))
    };
    let chosen = |facts: &MemberFacts, reason| cure(facts, held(&[&base]), &reason);
    assert_eq!(chosen(&based(Some(1)), lost()), Cure::Differential);
    let none = Break::NoLogBackupPossible;
    assert_eq!(chosen(&based(Some(1)), none), Cure::Differential);
    let foreign = chosen(&based(Some(9)), lost());
    let Cure::Full(against @ Against::Base(_)) = &foreign else {
        panic!("{foreign:?}");
    };
    assert_eq!(
        against.to_string(),
        r"its differential base is not ours: `CORP\olaf` took a full on 2026-11-21 02:03:00 +00:00 to `D:\elsewhere\ledger.trn`"
    );
    assert_eq!(
        chosen(&based(Some(77)), lost()),
        Cure::Full(Against::NoBase)
    );
    let forked = MemberFacts {
        recovery_fork_guid: Some(Uuid::from_u128(0xf1)),
        ..based(Some(1))
    };
    assert_eq!(chosen(&forked, lost()), Cure::Full(Against::BaseApart));
    for only_full in [
        Break::Refused { number: 1475 },
        Break::Asked,
        Break::Replaced,
        Break::NoFull,
    ] {
        assert_eq!(
            chosen(&based(Some(1)), only_full),
            Cure::Full(Against::OnlyFull)
        );
    }
}

#[test]
fn a_guess_about_the_base_that_led_nowhere_is_not_made_twice() {
    let (ours, theirs) = (full(1, 10, 20), full(9, 22, 25));
    let useless = differential(3, &theirs, 26, 40);
    let reason = Break::LogLost {
        reached: lsn(20),
        next: lsn(35),
    };
    let facts = facts(Some(35));
    let before = [&ours];
    let after = [&ours, &useless];
    assert_eq!(cure(&facts, held(&before), &reason), Cure::Differential);
    assert_eq!(
        cure(&facts, held(&after), &reason),
        Cure::Full(Against::Unfounded)
    );
}
