//! Log backups astray: where their files are looked for.

use std::path::PathBuf;

use uuid::Uuid;

use super::super::samples::{catalog, change_member, config, survey};
use super::super::*;
use super::backups::foreign;
use crate::chain::samples::lsn;
use crate::model::PieceKind;
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
