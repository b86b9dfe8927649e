//! Marks over simulated hosts: in every member or in none, and never of unknown outcome without saying so.

use std::time::Duration;

use sqlsim::faults::{Fault, FaultKind};
use stopmark::clock::SystemClock;
use stopmark::error::{Code, Retry};
use stopmark::model::{DatabaseName, PieceKind};
use stopmark::sql::SqlFleet;
use stopmark::world::{Clock as _, Fleet};

use crate::fleet_hosts::{Hosts, Told, mark, member, named, wanted};

const MARK: &str = "BTS_2026_11_21_02_00_00_007";
const LOCAL: &[&str] = &["Ledger", "a]b'c 🦀"];
const REMOTE: &[&str] = &["Ledger", "Rates"];

/// Two hosts with two members each, based, and a link between them.
async fn group() -> (Hosts, SqlFleet) {
    let hosts = Hosts::start(&["PAY1", r"PAY2\SQL"]).await;
    let fleet = hosts.fleet();
    for (host, databases) in [("PAY1", LOCAL), (r"PAY2\SQL", REMOTE)] {
        hosts.prepare(host, databases).await;
        for database in databases {
            let step = hosts.backup(&member(host, database), PieceKind::Full, 1);
            fleet
                .back_up(&step, &Told::default())
                .await
                .expect("a full");
        }
    }
    fleet
        .ensure_link(&named("PAY1"), &hosts.link(r"PAY2\SQL"))
        .await
        .expect("a link");
    (hosts, fleet)
}

/// In how many members of each host the mark stands.
async fn confirmed(fleet: &SqlFleet) -> (usize, usize) {
    holding(fleet, MARK).await
}

/// What the hosts hold once a commit that was under way when its connection broke has reached all of them.
async fn settled(fleet: &SqlFleet, mark: &str) -> (usize, usize) {
    let clock = SystemClock::new();
    let mut held = holding(fleet, mark).await;
    for _ in 0..50 {
        if held == (0, 0) || held == (2, 2) {
            break;
        }
        clock
            .sleep_until(clock.monotonic() + Duration::from_millis(100))
            .await;
        held = holding(fleet, mark).await;
    }
    held
}

async fn holding(fleet: &SqlFleet, mark: &str) -> (usize, usize) {
    let count = async |host: &str, databases: &[&str]| {
        let members: Vec<DatabaseName> = databases.iter().map(|name| named(name)).collect();
        let marks = fleet
            .mark_history(&named(host), &named(mark), &members)
            .await;
        let marks = marks.expect("the history is read");
        assert!(marks.iter().all(|mark| !mark.lsn.is_zero()));
        marks.len()
    };
    (count("PAY1", LOCAL).await, count(r"PAY2\SQL", REMOTE).await)
}

#[tokio::test]
async fn a_mark_stands_in_every_member_of_every_host() {
    let (_hosts, fleet) = group().await;
    let step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    fleet.place_mark(&step).await.expect("placed");
    assert_eq!(confirmed(&fleet).await, (2, 2));
    let facts = fleet
        .host_facts(&named("PAY1"), &wanted(LOCAL, true))
        .await
        .expect("facts");
    assert_eq!(facts.open_marks, Vec::<String>::new());
    for facts in facts.members.values() {
        assert_eq!(facts.mark_log.newest, Some(named(MARK)));
    }
}

#[tokio::test]
async fn without_msdtc_no_member_has_the_mark() {
    let (hosts, fleet) = group().await;
    hosts
        .instance("PAY1")
        .faults
        .arm(Fault::once(FaultKind::DtcOff));
    let step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    let error = fleet.place_mark(&step).await.expect_err("msdtc is off");
    assert_eq!(error.code(), Code::DistributedTransaction, "{error:?}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("MSDTC")));
    assert_eq!(confirmed(&fleet).await, (0, 0));
}

#[tokio::test]
async fn a_member_that_is_not_prepared_keeps_the_mark_from_all() {
    let (hosts, fleet) = group().await;
    fleet
        .remove_prepared(&member(r"PAY2\SQL", "Rates"))
        .await
        .expect("removed");
    let step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    let error = fleet.place_mark(&step).await.expect_err("a member refuses");
    assert_eq!(error.code(), Code::MarkLogMissing, "{error:?}");
    assert_eq!(confirmed(&fleet).await, (0, 0));
    drop(hosts);
}

#[tokio::test]
async fn a_missing_link_is_named_as_such() {
    let (_hosts, fleet) = group().await;
    fleet
        .remove_link(&named("PAY1"), r"PAY2\SQL")
        .await
        .expect("removed");
    let step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    let error = fleet.place_mark(&step).await.expect_err("no link");
    assert_eq!(error.code(), Code::LinkMissing, "{error:?}");
    assert_eq!(confirmed(&fleet).await, (0, 0));
}

#[tokio::test]
async fn two_links_to_one_instance_void_the_mark() {
    let (_hosts, fleet) = group().await;
    let step = mark(
        MARK,
        "PAY1",
        LOCAL,
        &[(r"PAY2\SQL", &["Ledger"]), (r"PAY2\SQL", &["Rates"])],
    );
    let error = fleet
        .place_mark(&step)
        .await
        .expect_err("a second WITH MARK");
    assert_eq!(
        error.sql().map(|cause| cause.number),
        Some(3920),
        "{error:?}"
    );
    assert_eq!(error.retry_verdict(), Retry::AfterCheck);
}

#[tokio::test]
async fn a_marked_transaction_that_waits_too_long_is_killed() {
    let (hosts, fleet) = group().await;
    let slow = "CREATE OR ALTER PROCEDURE stopmark.SetMark @name nvarchar(128) AS BEGIN \
        INSERT INTO stopmark.MarkLog (mark_name, marked_at_utc) VALUES (@name, SYSUTCDATETIME()); \
        WAITFOR DELAY '00:01:00'; END;";
    let slow = slow.replace('\'', "''");
    hosts
        .run(
            "PAY1",
            &format!("USE Ledger; EXEC sp_executesql N'{slow}';"),
        )
        .await;
    let mut step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    step.timeout_ms = 100;
    let error = fleet
        .place_mark(&step)
        .await
        .expect_err("a member takes a minute");
    let verdict = (error.code(), error.retry_verdict());
    assert_eq!(verdict, (Code::MarkFailed, Retry::AfterCheck), "{error:?}");
    hosts.prepare_again("PAY1", "Ledger").await;
    step.timeout_ms = 30_000;
    fleet
        .place_mark(&step)
        .await
        .expect("the killed one left nothing locked");
    assert_eq!(confirmed(&fleet).await, (2, 2));
}

#[tokio::test]
async fn a_connection_cut_anywhere_leaves_the_mark_in_all_members_or_in_none() {
    let (hosts, fleet) = group().await;
    let faults = &hosts.instance("PAY1").faults;
    let mut was_cut = 0;
    for skip in 0..200 {
        let name = format!("BTS_2026_11_21_02_00_00_{:03}", 100 + skip);
        let step = mark(&name, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
        faults.arm(Fault {
            skip,
            ..Fault::once(FaultKind::Cut)
        });
        let placed = fleet.place_mark(&step).await;
        faults.clear();
        let holding = settled(&fleet, &name).await;
        match placed {
            Ok(()) => {
                assert_eq!(holding, (2, 2), "{name}");
                assert!(was_cut > 2, "cut only {was_cut} times");
                return;
            }
            Err(error) => {
                let is_known = error.retry_verdict() != Retry::AfterCheck;
                let allowed = [(0, 0), (2, 2)];
                assert!(allowed.contains(&holding), "{name}: {holding:?}");
                assert!(!is_known || holding == (0, 0), "{name}: {error:?}");
                was_cut += 1;
            }
        }
    }
    panic!("the fault never came too late");
}

#[tokio::test]
async fn the_application_lock_of_another_job_keeps_the_mark_away() {
    let (hosts, fleet) = group().await;
    let mut step = mark(MARK, "PAY1", LOCAL, &[(r"PAY2\SQL", REMOTE)]);
    step.app_lock = Some((named("Ledger"), "BTS_BackupJob_Lock".to_owned()));
    let other = hosts
        .hold(
            "PAY1",
            "USE Ledger; EXEC sp_getapplock 'BTS_BackupJob_Lock', 'Exclusive', 'Session';",
        )
        .await;
    step.timeout_ms = 100;
    let error = fleet.place_mark(&step).await.expect_err("the lock is held");
    assert_eq!(
        (error.code(), error.retry_verdict()),
        (Code::AppLockHeld, Retry::Safe),
        "{error:?}"
    );
    drop(other);
    step.timeout_ms = 30_000;
    fleet
        .place_mark(&step)
        .await
        .expect("the lock is free, and it is freed after");
    let again = mark(
        "BTS_2026_11_21_02_00_00_008",
        "PAY1",
        LOCAL,
        &[(r"PAY2\SQL", REMOTE)],
    );
    let step = stopmark::plan::PlaceMark {
        app_lock: step.app_lock,
        ..again
    };
    fleet.place_mark(&step).await.expect("it was freed");
}
