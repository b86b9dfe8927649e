//! Hosts whose msdb lost our backups: told, and nothing is mended for it.

use super::super::samples::{asked, catalog, change_host, change_member, foreign, survey};
use super::super::*;
use super::planned;
use crate::model::PieceKind;
use crate::survey::Survey;

/// The messages about msdb in the plan of a log run.
fn told(survey: &Survey) -> Vec<String> {
    let (plan, _) = planned(survey, &catalog(), &asked(BackupKind::Log));
    let warnings = plan.warnings.into_iter();
    let of_msdb = warnings.filter(|warning| warning.code == "SM0218");
    of_msdb.map(|warning| warning.message).collect()
}

#[test]
fn a_host_that_knows_our_newest_backup_is_not_told() {
    assert_eq!(told(&survey(Some(30))), Vec::<String>::new());
}

#[test]
fn rows_that_end_before_our_newest_backup_are_named_with_their_age() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.history = vec![foreign(PieceKind::Full, 10, 20)];
    });
    let [message] = &told(&survey)[..] else {
        panic!("{:?}", told(&survey));
    };
    assert!(message.contains("`PAY1/Ledger`"), "{message}");
    assert!(
        message.contains("its newest row is of 2026-11-21 02:05:00"),
        "{message}"
    );
}

#[test]
fn no_row_at_all_is_told_unless_the_login_may_see_none() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| facts.history.clear());
    assert!(told(&survey)[0].contains("it has no row of it"));
    change_host(&mut survey, "PAY1", |host| {
        host.missing_rights = vec!["SELECT on msdb.dbo.backupset".to_owned()];
    });
    assert_eq!(told(&survey), Vec::<String>::new());
}

#[test]
fn a_chain_that_does_not_run_has_other_words() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.history.clear();
        facts.last_log_backup_lsn = None;
    });
    assert_eq!(told(&survey), Vec::<String>::new());
}
