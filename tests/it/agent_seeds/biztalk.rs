//! The bank's ledgers as a BizTalk group: its list, its procedures, and its history after every healing run.
//!
//! Start at [`install`] and [`is_shippable`].

use sqlsim::biztalk::{Group, install_management, install_member};
use sqlsim::value::Value;

use super::bank::Bank;
use super::hosts::Hosts;

/// The first ledger is the management database too.
pub(crate) const MANAGEMENT: &str = "Ledger11";

/// Makes the ledgers of this story a group.
pub(crate) async fn install(hosts: &Hosts, bank: &Bank) {
    let mut others = Vec::new();
    for ledger in &bank.ledgers {
        let host = hosts.host(ledger.host).expect("it is up").instance;
        let server = hosts.name(ledger.host).to_owned();
        if ledger.database == MANAGEMENT {
            continue;
        }
        let made = install_member(&host, &ledger.database).await;
        made.expect("a ledger");
        others.push((ledger.database.clone(), server, ledger.database.clone()));
    }
    let group = Group {
        name: "seeds".to_owned(),
        others,
        ..Group::default()
    };
    let host = hosts.host(0).expect("it is up").instance;
    let made = install_management(&host, MANAGEMENT, &group).await;
    made.expect("the first ledger");
}

/// Whether the newest set of the history is complete. One in which the chain of a single member was mended never is, and
/// the next run takes fulls of all.
pub(crate) async fn is_complete(hosts: &Hosts) -> bool {
    let sql = format!(
        "SELECT TOP (1) CONVERT(int, SetComplete) FROM {MANAGEMENT}.dbo.adm_BackupHistory\n\
         ORDER BY BackupSetId DESC, SetComplete"
    );
    let answer = hosts.told(0, &sql).await;
    let newest = answer.rows.first().and_then(|row| row.first());
    newest == Some(&Value::Int(1))
}

/// After a run that healed everything a destination of log shipping can go on: the newest set is of logs with one mark,
/// and no set that is called complete lacks a database.
pub(crate) async fn is_shippable(hosts: &Hosts, bank: &Bank) {
    let sql = format!(
        "SELECT BackupSetId, BackupType, COUNT(*), SUM(CONVERT(int, SetComplete)), COUNT(MarkName),\n\
         COUNT(DISTINCT MarkName), COUNT(DISTINCT DatabaseName)\n\
         FROM {MANAGEMENT}.dbo.adm_BackupHistory GROUP BY BackupSetId, BackupType ORDER BY BackupSetId"
    );
    let answer = hosts.told(0, &sql).await;
    let all = i128::try_from(bank.ledgers.len()).expect("few");
    let number = |value: &Value| match value {
        Value::Int(number) => i128::from(*number),
        other => panic!("no number: {other:?}"),
    };
    let mut newest = None;
    for row in &answer.rows {
        let [_, kind, rows, complete, marked, marks, databases] = &row[..] else {
            panic!("{row:?}");
        };
        let [rows, complete, marked, marks, databases] =
            [rows, complete, marked, marks, databases].map(number);
        let is_log = *kind == Value::from("lg");
        newest = Some((is_log, complete, marked));
        if complete == 0 {
            continue;
        }
        let is_whole = (rows, complete, databases) == (all, all, all);
        assert!(is_whole, "a complete set lacks something: {row:?}");
        let is_of_one_mark = marks <= 1 && (marked == 0 || (is_log && marked == all));
        assert!(is_of_one_mark, "a complete set of several marks: {row:?}");
    }
    assert_eq!(
        newest,
        Some((true, all, all)),
        "the newest set of the history"
    );
}
