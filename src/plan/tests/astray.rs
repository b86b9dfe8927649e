//! Backups astray: which of them a chain needs, and where their files are looked for.

use std::path::PathBuf;

use uuid::Uuid;

use super::super::samples::{asked, catalog, change_member, config, foreign, member, survey};
use super::super::*;
use crate::chain::samples::lsn;
use crate::model::{PieceKind, Timestamp};
use crate::survey::BackupRow;

const SHARE: &str = r"\\nas\backup\pay1";

/// A log of `Ledger` that somebody took to these files of the share.
fn stolen(guid: u128, (first, last): (u32, u32), files: &[&str]) -> BackupRow {
    let mut devices = files.iter().map(|file| format!(r"{SHARE}\{file}"));
    BackupRow {
        backup_set_guid: Uuid::from_u128(guid),
        device: devices.next().expect("a file"),
        further_devices: devices.collect(),
        ..foreign(PieceKind::Log, first, last)
    }
}

/// What is astray of `Ledger`, whose log these backups took away.
fn astray(rows: Vec<BackupRow>) -> Option<Astray> {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.last_log_backup_lsn = Some(lsn(50));
        facts.history = rows;
    });
    let mut found = logs_astray(&config(), &survey, &catalog());
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

fn places(files: &[&str]) -> Vec<PathBuf> {
    let folder = PathBuf::from("/mnt/backup/pay1");
    files.iter().map(|file| folder.join(file)).collect()
}

#[test]
fn every_file_of_every_log_is_looked_at_once_oldest_log_first() {
    let found = astray(vec![
        stolen(0xb, (40, 50), &["all.trn"]),
        stolen(0xa, (35, 40), &["all.trn"]),
        stolen(0x9, (30, 35), &["1.trn", "2.trn"]),
    ]);
    let found = found.expect("they lie where this machine sees them");
    assert_eq!(found.places, places(&["1.trn", "2.trn", "all.trn"]));
    assert_eq!(found.backups, [0x9, 0xa, 0xb].map(Uuid::from_u128));
}

#[test]
fn a_stripe_that_nobody_sees_here_leaves_the_backup_to_another_cure() {
    let mut half = stolen(0x9, (30, 50), &["1.trn"]);
    half.further_devices = vec![r"D:\olaf\2.trn".to_owned()];
    assert_eq!(astray(vec![half]), None);
}

#[test]
fn a_backup_that_went_to_a_program_lies_nowhere() {
    let taken = BackupRow {
        device: "{5F1C2A10-0000-0000-0000-000000000001}1".to_owned(),
        is_virtual: true,
        ..stolen(0x9, (30, 50), &["1.trn"])
    };
    assert_eq!(astray(vec![taken]), None);
}

/// A full of `Ledger` that somebody took to the share, and that differentials would build on.
fn their_full() -> BackupRow {
    BackupRow {
        kind: PieceKind::Full,
        ..stolen(0xf, (28, 29), &["full.bak"])
    }
}

/// The bases that a run would bring in, where `Ledger`'s next log begins at `next` and `rows` is what msdb says.
fn bases(asked: &Asked, have: &CatalogView, next: u32, rows: Vec<BackupRow>) -> Vec<Astray> {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.last_log_backup_lsn = Some(lsn(next));
        facts.differential_base_guid = Some(Uuid::from_u128(0xf));
        facts.history = rows;
    });
    bases_astray(&config(), &survey, have, asked)
}

#[test]
fn somebody_else_s_full_is_wanted_where_a_differential_is() {
    let of = |kind, next| bases(&asked(kind), &catalog(), next, vec![their_full()]);
    let asked_for = of(BackupKind::Differential, 30);
    assert_eq!(asked_for[0].places, places(&["full.bak"]));
    assert_eq!(asked_for[0].backups, [Uuid::from_u128(0xf)]);
    assert_eq!(
        of(BackupKind::Log, 50),
        asked_for,
        "a differential would mend it"
    );
    for kind in [BackupKind::Log, BackupKind::Full] {
        assert_eq!(of(kind, 30), [], "nothing needs it");
    }
    let warning = asked_for[0].warning();
    assert!(
        warning
            .message
            .ends_with("it is brought in, and differentials build on it")
    );
}

#[test]
fn somebody_else_s_full_is_left_where_it_is_when_it_saves_nothing() {
    let differential = asked(BackupKind::Differential);
    let of = |asked: &Asked, have: &CatalogView, rows| bases(asked, have, 50, rows);
    let rows = || vec![their_full()];
    assert_eq!(of(&differential, &catalog(), rows()).len(), 1);
    let begun_anew = Asked {
        new_chain: vec![member("PAY1/Ledger")],
        ..differential.clone()
    };
    assert_eq!(of(&begun_anew, &catalog(), rows()), []);
    let left_alone = Asked {
        quarantined: vec![Quarantine {
            member: member("PAY1/Ledger"),
            cures: 3,
            until: Timestamp::from_millis(0),
        }],
        ..differential.clone()
    };
    assert_eq!(of(&left_alone, &catalog(), rows()), []);
    assert_eq!(
        of(&differential, &CatalogView::default(), rows()),
        [],
        "our own full comes first"
    );
    let mut damaged = catalog();
    let own = damaged
        .pieces(&member("PAY1/Ledger"))
        .next()
        .expect("a piece")
        .clone();
    damaged.damaged = vec![crate::model::Piece {
        backup_set_guid: Uuid::from_u128(0xf),
        ..own
    }];
    assert_eq!(
        of(&differential, &damaged, rows()),
        [],
        "it is ours, and the store lost it"
    );
    let of_another_fork = BackupRow {
        last_recovery_fork_guid: Some(Uuid::from_u128(0xbad)),
        ..their_full()
    };
    assert_eq!(of(&differential, &catalog(), vec![of_another_fork]), []);
    let unseen = BackupRow {
        device: r"D:\olaf\full.bak".to_owned(),
        ..their_full()
    };
    assert_eq!(of(&differential, &catalog(), vec![unseen]), []);
}
