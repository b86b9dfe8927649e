//! Backups and restores against simulated hosts.

use sqlsim::faults::{Fault, FaultKind};
use stopmark::config::MarkLogKind;
use stopmark::error::{Code, Retry};
use stopmark::model::{Lsn, MarkName, MemberName, PieceId, PieceKind};
use stopmark::plan::{BackUp, FileMove, RestoreDatabase, RestoreLog, RestorePiece, StopAt};
use stopmark::world::Fleet;

use crate::fleet_hosts::{Hosts, Told, mark, member, named, proof};

fn source(step: &BackUp) -> RestorePiece {
    RestorePiece {
        piece: step.piece,
        stripes: step.stripes.clone(),
        lacks_checksums: false,
        position: 1,
    }
}

fn restore_log(step: &BackUp, mark: &MarkName, recover: bool) -> RestoreLog {
    RestoreLog {
        member: step.member.clone(),
        target: named("Copy"),
        source: source(step),
        stop: StopAt::Mark {
            mark: mark.clone(),
            lsn: Lsn::ZERO,
        },
        recover,
        standby: None,
        keeps: stopmark::plan::Keeps::default(),
        moves: Vec::new(),
        retry: None,
    }
}

fn restore_full(hosts: &Hosts, step: &BackUp) -> RestoreDatabase {
    let file = |logical: &str, extension: &str| FileMove {
        logical_name: logical.to_owned(),
        physical_name: hosts
            .share()
            .join(format!("Copy.{extension}"))
            .to_string_lossy()
            .into_owned(),
    };
    RestoreDatabase {
        member: step.member.clone(),
        target: named("Copy"),
        source: source(step),
        piece_kind: PieceKind::Full,
        moves: vec![file("Ledger", "mdf"), file("Ledger_log", "ldf")],
        replace: false,
        retry: None,
    }
}

async fn one_host() -> (Hosts, MemberName) {
    let hosts = Hosts::start(&["PAY1"]).await;
    hosts.prepare("PAY1", &["Ledger"]).await;
    (hosts, member("PAY1", "Ledger"))
}

#[tokio::test]
async fn full_differential_and_log_are_taken_and_found_again() {
    let (hosts, ledger) = one_host().await;
    let fleet = hosts.fleet();
    let mut last = None;
    for (kind, stripes) in [
        (PieceKind::Full, 3),
        (PieceKind::Differential, 1),
        (PieceKind::Log, 2),
    ] {
        let step = hosts.backup(&ledger, kind, stripes);
        assert_eq!(fleet.find_backup(&step).await.expect("asked"), None);
        let told = Told::default();
        let taken = fleet.back_up(&step, &told).await.expect("taken");
        assert_eq!(told.highest(), 100);
        assert!(
            taken.has_backup_checksums && !taken.is_copy_only,
            "{taken:?}"
        );
        assert_eq!(
            taken.differential_base.is_some(),
            kind == PieceKind::Differential
        );
        assert!(
            taken.server_version.starts_with("16.0."),
            "{}",
            taken.server_version
        );
        assert!(
            step.stripes
                .iter()
                .all(|stripe| stripe.agent_path.is_file())
        );
        assert_eq!(
            fleet.find_backup(&step).await.expect("asked"),
            Some(taken.clone())
        );
        assert!(
            last.replace(taken.last_lsn)
                .is_none_or(|last| last <= taken.last_lsn)
        );
    }
}

#[tokio::test]
async fn a_log_without_a_full_keeps_the_cause_and_not_the_trailer() {
    let (hosts, ledger) = one_host().await;
    let step = hosts.backup(&ledger, PieceKind::Log, 1);
    let error = hosts
        .fleet()
        .back_up(&step, &Told::default())
        .await
        .expect_err("no full");
    assert_eq!(error.code(), Code::BackupFailed);
    assert_eq!(
        error.sql().map(|cause| cause.number),
        Some(4214),
        "{error:?}"
    );
}

#[tokio::test]
async fn simple_recovery_missing_databases_and_closed_shares_have_their_codes() {
    let (hosts, ledger) = one_host().await;
    let fleet = hosts.fleet();
    let mut step = hosts.backup(&ledger, PieceKind::Full, 1);
    step.stripes[0].sql_path = "/nonexistent/folder/x.bak".to_owned();
    let error = fleet
        .back_up(&step, &Told::default())
        .await
        .expect_err("no such folder");
    assert_eq!(error.code(), Code::ShareUnwritable, "{error:?}");

    let gone = hosts.backup(&member("PAY1", "Gone"), PieceKind::Full, 1);
    let error = fleet
        .back_up(&gone, &Told::default())
        .await
        .expect_err("no such database");
    assert_eq!(error.code(), Code::MemberMissing, "{error:?}");

    hosts
        .run("PAY1", "ALTER DATABASE Ledger SET RECOVERY SIMPLE;")
        .await;
    let step = hosts.backup(&ledger, PieceKind::Log, 1);
    let error = fleet
        .back_up(&step, &Told::default())
        .await
        .expect_err("simple");
    assert_eq!(error.code(), Code::RecoverySimple, "{error:?}");

    hosts
        .instance("PAY1")
        .faults
        .arm(Fault::once(FaultKind::DiskFull));
    let step = hosts.backup(&ledger, PieceKind::Full, 1);
    let error = fleet
        .back_up(&step, &Told::default())
        .await
        .expect_err("the disk is full");
    assert_eq!(
        (error.code(), error.retry_verdict()),
        (Code::DiskFull, Retry::Safe),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_restored_member_stops_at_the_mark_and_says_so() {
    let (hosts, ledger) = one_host().await;
    let (fleet, told, pay1) = (hosts.fleet(), Told::default(), named("PAY1"));
    let full = hosts.backup(&ledger, PieceKind::Full, 2);
    fleet.back_up(&full, &told).await.expect("a full");
    let marks = ["BTS_2026_11_21_02_00_00_007", "BTS_2026_11_21_02_00_00_008"];
    for name in marks {
        fleet
            .place_mark(&mark(name, "PAY1", &["Ledger"], &[]))
            .await
            .expect("placed");
    }
    let log = hosts.backup(&ledger, PieceKind::Log, 1);
    fleet.back_up(&log, &told).await.expect("a log");

    let copy = restore_full(&hosts, &full);
    fleet
        .restore_database(&pay1, &copy, &told)
        .await
        .expect("restored");
    let standing = proof("Copy", marks[0], MarkLogKind::Stopmark);
    let state = fleet.newest_mark(&pay1, &standing).await;
    assert_eq!(state.expect("a state").state, "RESTORING");
    let first: MarkName = named(marks[0]);
    fleet
        .restore_log(&pay1, &restore_log(&log, &first, true), &told)
        .await
        .expect("rolled forward");
    let state = fleet.newest_mark(&pay1, &standing).await.expect("a state");
    assert_eq!(
        (state.state.as_str(), state.newest),
        ("ONLINE", Some(first))
    );

    let error = fleet
        .restore_database(&pay1, &copy, &told)
        .await
        .expect_err("it exists");
    assert_eq!(error.code(), Code::TargetExists, "{error:?}");
    let unknown = proof("Nothing", marks[0], MarkLogKind::Stopmark);
    let error = fleet.newest_mark(&pay1, &unknown).await.expect_err("none");
    assert_eq!(error.code(), Code::MemberMissing);
}

#[tokio::test]
async fn a_log_without_the_mark_leaves_the_member_restoring() {
    let (hosts, ledger) = one_host().await;
    let (fleet, told, pay1) = (hosts.fleet(), Told::default(), named("PAY1"));
    let full = hosts.backup(&ledger, PieceKind::Full, 1);
    fleet.back_up(&full, &told).await.expect("a full");
    let log = hosts.backup(&ledger, PieceKind::Log, 1);
    fleet.back_up(&log, &told).await.expect("a log");
    fleet
        .restore_database(&pay1, &restore_full(&hosts, &full), &told)
        .await
        .expect("restored");
    let absent: MarkName = named("BTS_2026_11_21_02_00_00_009");
    fleet
        .restore_log(&pay1, &restore_log(&log, &absent, true), &told)
        .await
        .expect("no client sees 4329");
    let standing = proof("Copy", absent.as_str(), MarkLogKind::Stopmark);
    let state = fleet.newest_mark(&pay1, &standing).await;
    assert_eq!(state.expect("a state").state, "RESTORING");
}

#[tokio::test]
async fn a_piece_is_taken_once_and_half_a_piece_is_written_over() {
    let (hosts, ledger) = one_host().await;
    let (fleet, told) = (hosts.fleet(), Told::default());
    let full = hosts.backup(&ledger, PieceKind::Full, 1);
    let file = &full.stripes[0].agent_path;
    std::fs::write(file, "half of a backup, of which msdb has no row").expect("writes");
    let taken = fleet.back_up(&full, &told).await.expect("taken");
    let bytes = std::fs::read(file).expect("a file");
    let again = fleet.back_up(&full, &told).await.expect("found");
    assert_eq!(again, taken);
    assert!(
        std::fs::read(file).expect("a file") == bytes,
        "written over"
    );

    // Another piece whose file happens to have this name is not this one.
    let other = BackUp {
        piece: PieceId(uuid::Uuid::from_u128(77)),
        ..full.clone()
    };
    assert_eq!(fleet.find_backup(&other).await.expect("asked"), None);
    let replaced = fleet.back_up(&other, &told).await.expect("taken");
    assert_ne!(replaced.backup_set_guid, taken.backup_set_guid);
}

#[tokio::test]
async fn a_copy_is_restored_once_and_anew_where_it_was_dropped() {
    let (hosts, ledger) = one_host().await;
    let (fleet, told, pay1) = (hosts.fleet(), Told::default(), named("PAY1"));
    let full = hosts.backup(&ledger, PieceKind::Full, 1);
    fleet.back_up(&full, &told).await.expect("a full");
    let name = "BTS_2026_11_21_02_00_00_007";
    let placed = mark(name, "PAY1", &["Ledger"], &[]);
    fleet.place_mark(&placed).await.expect("placed");
    let log = hosts.backup(&ledger, PieceKind::Log, 1);
    fleet.back_up(&log, &told).await.expect("a log");
    let copy = restore_full(&hosts, &full);
    let end = restore_log(&log, &named(name), true);
    for _ in 0..2 {
        let restored = fleet.restore_database(&pay1, &copy, &told).await;
        restored.expect("restored once");
    }
    for _ in 0..2 {
        let restored = fleet.restore_log(&pay1, &end, &told).await;
        restored.expect("opened once");
    }
    // The history still tells of the restore, but the database is another.
    let anew = "DROP DATABASE Copy; CREATE DATABASE Copy;";
    hosts.run("PAY1", anew).await;
    let refused = fleet.restore_log(&pay1, &end, &told).await;
    let error = refused.expect_err("it is no copy");
    assert_eq!(
        error.sql().map(|cause| cause.number),
        Some(3117),
        "{error:?}"
    );
    hosts.run("PAY1", "DROP DATABASE Copy;").await;
    let restored = fleet.restore_database(&pay1, &copy, &told).await;
    restored.expect("restored anew");
    let restored = fleet.restore_log(&pay1, &end, &told).await;
    restored.expect("opened anew");
    let standing = proof("Copy", name, MarkLogKind::Stopmark);
    let state = fleet.newest_mark(&pay1, &standing);
    assert_eq!(state.await.expect("a state").newest, Some(named(name)));
}
