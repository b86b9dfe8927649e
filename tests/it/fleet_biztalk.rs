//! A BizTalk group as its own setup left it: its list of databases, its mark log, its procedures.

use sqlsim::biztalk::{self, Group};
use stopmark::config::MarkLogKind;
use stopmark::model::PieceKind;
use stopmark::plan::{PlaceMark, ProveMark};
use stopmark::world::{BizTalk as _, FactsWanted, Fleet};

use crate::fleet_hosts::{Hosts, Told, mark, member, named, proof, wanted};

const DATABASES: &[&str] = &["BizTalkMgmtDb", "BizTalkMsgBoxDb"];

/// One host with a management database and a message box, as BizTalk's setup leaves them.
async fn installed() -> Hosts {
    let hosts = Hosts::start(&["BTS1"]).await;
    hosts.create("BTS1", DATABASES).await;
    let instance = hosts.instance("BTS1");
    let group = Group {
        message_boxes: vec![("BTS1".to_owned(), DATABASES[1].to_owned())],
        ..Group::default()
    };
    biztalk::install_management(instance, DATABASES[0], &group)
        .await
        .expect("installed");
    biztalk::install_member(instance, DATABASES[1])
        .await
        .expect("installed");
    hosts
}

#[tokio::test]
async fn a_biztalk_group_is_found_and_marked_through_its_own_procedures() {
    let hosts = installed().await;
    let fleet = hosts.fleet();
    let found = fleet
        .biztalk_members(&named("BTS1"), &named(DATABASES[0]))
        .await
        .expect("found");
    let expected = DATABASES
        .iter()
        .map(|name| ("BTS1".to_owned(), named(name)));
    assert_eq!(found, expected.collect::<Vec<_>>());

    for database in DATABASES {
        let step = hosts.backup(&member("BTS1", database), PieceKind::Full, 1);
        fleet
            .back_up(&step, &Told::default())
            .await
            .expect("a full");
    }
    let name = "BTS_2026_11_21_02_00_00_007";
    let step = PlaceMark {
        mark_log: MarkLogKind::BizTalk,
        app_lock: Some((named(DATABASES[0]), "BTS_BackupJob_Lock".to_owned())),
        ..mark(name, "BTS1", DATABASES, &[])
    };
    fleet.place_mark(&step).await.expect("placed");
    // Rows that are no stamped mark, such as a person's, never count as the newest.
    hosts
        .run(
            "BTS1",
            "INSERT INTO BizTalkMgmtDb.dbo.MarkLog (MarkName) VALUES (N'zzz by hand');",
        )
        .await;
    let wanted = FactsWanted {
        mark_log: MarkLogKind::BizTalk,
        ..wanted(DATABASES, false)
    };
    let facts = fleet
        .host_facts(&named("BTS1"), &wanted)
        .await
        .expect("facts");
    for facts in facts.members.values() {
        assert!(facts.mark_log.has_procedure && facts.mark_log.has_remote_procedure);
        assert_eq!(facts.mark_log.newest, Some(named(name)));
    }
}

#[tokio::test]
async fn a_copy_stands_at_its_mark_whatever_stamps_the_other_rows_have() {
    let hosts = installed().await;
    let (name, later) = ("BTS_2026_11_21_02_00_00_007", "BTS_2026_11_21_09_00_00_000");
    // BizTalk's own job writes local time, and clocks are wrong.
    for name in [name, later] {
        let sql = format!("INSERT INTO BizTalkMgmtDb.dbo.MarkLog (MarkName) VALUES (N'{name}');");
        hosts.run("BTS1", &sql).await;
    }
    let fleet = hosts.fleet();
    let newest = async |standing: &ProveMark| {
        let state = fleet.newest_mark(&named("BTS1"), standing).await;
        state.expect("a state").newest
    };
    let mut standing = proof(DATABASES[0], name, MarkLogKind::BizTalk);
    assert_eq!(newest(&standing).await, Some(named(name)));
    standing.later_marks = vec![named("BTS_2026_11_21_08_00_00_000")];
    assert_eq!(newest(&standing).await, Some(named(name)));
    standing.later_marks.push(named(later));
    assert_eq!(newest(&standing).await, Some(named(later)), "known later");
    let elsewhere = "BTS_2026_11_21_03_00_00_000";
    let lacking = proof(DATABASES[0], elsewhere, MarkLogKind::BizTalk);
    assert_eq!(newest(&lacking).await, Some(named(later)), "only told");
}
