//! Marks over three hosts under load: every database restored to the mark gives the exact sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sqlsim::biztalk;
use sqlsim::clock::{Clock, SystemClock};
use sqlsim::value::Value;

use super::clock::HandClock;
use super::hosts::{Client, Cluster};

const ACCOUNTS: i64 = 4;
const START: i64 = 1000;

/// Three hosts with one member database each, and a fourth to restore to.
async fn bank() -> Cluster {
    bank_at(Arc::new(SystemClock::new())).await
}

async fn bank_at(clock: Arc<dyn Clock>) -> Cluster {
    let cluster = Cluster::start_at(&["SQL1", "SQL2", "SQL3", "DRILL"], clock).await;
    cluster.link().await;
    for (at, host) in cluster.hosts.iter().take(3).enumerate() {
        let db = format!("Bank{}", at + 1);
        let mut client = host.client().await;
        client
            .script(&format!(
                "CREATE DATABASE {db}\nGO\nUSE {db}\nGO\n\
            CREATE TABLE dbo.Account (Id int NOT NULL PRIMARY KEY, Total bigint NOT NULL)\nGO\n\
            CREATE PROCEDURE dbo.Credit @id int, @amount bigint AS BEGIN SET NOCOUNT ON; \
            UPDATE dbo.Account SET Total = Total + @amount WHERE Id = @id; END"
            ))
            .await;
        for id in 0..ACCOUNTS {
            client
                .run(&format!(
                    "INSERT INTO {db}.dbo.Account VALUES ({id}, {START})"
                ))
                .await;
        }
        biztalk::install_member(&host.instance, &db)
            .await
            .expect("a member");
        let full = cluster.path(&format!("{db}.bak"));
        client
            .run(&format!(
                "BACKUP DATABASE {db} TO DISK = '{full}' WITH FORMAT, CHECKSUM"
            ))
            .await;
    }
    cluster
}

/// Transfers that go on until told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    done: AtomicU32,
}

/// Transfers between two hosts, each over its own account, so that none waits for another's locks.
async fn transfer(mut client: Client, from: usize, load: Arc<Load>) {
    let (own, other) = (from + 1, (from + 1) % 3 + 1);
    let sql = format!(
        "SET XACT_ABORT ON; BEGIN TRAN; EXEC Bank{own}.dbo.Credit {from}, -7; \
         EXEC SQL{other}.Bank{other}.dbo.Credit {from}, 7; COMMIT"
    );
    while !load.stop.load(Ordering::Relaxed) {
        client.run(&sql).await;
        load.done.fetch_add(1, Ordering::Relaxed);
    }
}

fn mark_batch(name: &str) -> String {
    format!(
        "SET XACT_ABORT ON; DECLARE @m nvarchar(32) = N'{name}'; BEGIN TRAN @m WITH MARK @m; \
        EXEC dbo.sp_SetMark @m; EXEC SQL2.Bank2.dbo.sp_SetMarkRemote @m; \
        EXEC SQL3.Bank3.dbo.sp_SetMarkRemote @m; COMMIT"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restoring_all_members_to_the_mark_gives_the_exact_sum() {
    let cluster = bank().await;
    let load = Arc::new(Load::default());
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..3_usize {
        let client = cluster.hosts[worker].client().await;
        workers.spawn(transfer(client, worker, Arc::clone(&load)));
    }
    let marks = ["BTS_1", "BTS_2", "BTS_3", "BTS_4"];
    let mut client = cluster.hosts[0].client().await;
    client.run("USE Bank1").await;
    for mark in marks {
        let goal = load.done.load(Ordering::Relaxed) + 8;
        while load.done.load(Ordering::Relaxed) < goal {
            tokio::task::yield_now().await;
        }
        client.run(&mark_batch(mark)).await;
    }
    load.stop.store(true, Ordering::Relaxed);
    while let Some(done) = workers.join_next().await {
        done.expect("no worker panics");
    }
    for mark in marks {
        check_history(&cluster, mark).await;
    }
    back_up_logs(&cluster).await;
    for mark in marks {
        let (sum, newest) = restore_to(&cluster, mark).await;
        assert_eq!(sum, 3 * ACCOUNTS * START, "the sum at {mark}");
        assert_eq!(newest, [mark; 3]);
    }
}

async fn check_history(cluster: &Cluster, mark: &str) {
    for (at, host) in cluster.hosts.iter().take(3).enumerate() {
        let answer = host
            .client()
            .await
            .run(&format!(
                "SELECT database_name FROM msdb.dbo.logmarkhistory WHERE mark_name = '{mark}'"
            ))
            .await;
        assert_eq!(
            answer.rows,
            [[Value::text(format!("Bank{}", at + 1))]],
            "{mark} on {}",
            host.name
        );
    }
}

async fn back_up_logs(cluster: &Cluster) {
    for (at, host) in cluster.hosts.iter().take(3).enumerate() {
        let db = format!("Bank{}", at + 1);
        let log = cluster.path(&format!("{db}.trn"));
        let sql = format!("BACKUP LOG {db} TO DISK = '{log}' WITH FORMAT, CHECKSUM");
        host.client().await.run(&sql).await;
    }
}

/// The sum over all accounts at a mark, and the newest mark of each member.
async fn restore_to(cluster: &Cluster, mark: &str) -> (i64, Vec<String>) {
    let mut client = cluster.hosts[3].client().await;
    let (mut sum, mut newest) = (0, Vec::new());
    for member in 1..=3 {
        let (db, copy) = (format!("Bank{member}"), format!("Copy{member}_{mark}"));
        let (full, log) = (
            cluster.path(&format!("{db}.bak")),
            cluster.path(&format!("{db}.trn")),
        );
        let (mdf, ldf) = (
            cluster.path(&format!("{copy}.mdf")),
            cluster.path(&format!("{copy}.ldf")),
        );
        client
            .run(&format!(
                "RESTORE DATABASE {copy} FROM DISK = '{full}' WITH NORECOVERY, \
            MOVE '{db}' TO '{mdf}', MOVE '{db}_log' TO '{ldf}'"
            ))
            .await;
        let answer = client
            .run(&format!(
                "RESTORE LOG {copy} FROM DISK = '{log}' WITH STOPATMARK = '{mark}', RECOVERY"
            ))
            .await;
        assert!(
            !answer.info_numbers().contains(&4329),
            "{mark} is in the log"
        );
        let answer = client
            .run(&format!("SELECT SUM(Total) FROM {copy}.dbo.Account"))
            .await;
        sum += whole(answer.value());
        let answer = client
            .run(&format!("SELECT MAX(MarkName) FROM {copy}.dbo.MarkLog"))
            .await;
        newest.push(answer.value().as_text().expect("a mark").to_owned());
    }
    (sum, newest)
}

fn whole(value: &Value) -> i64 {
    match value {
        Value::Decimal(number) => number.to_i64().expect("whole"),
        other => other.as_int().expect("a number"),
    }
}

#[tokio::test]
async fn a_second_mark_on_one_host_within_a_transaction_is_3920() {
    let cluster = bank().await;
    let mut client = cluster.hosts[0].client().await;
    client.run("USE Bank1").await;
    let errors = client
        .fail(
            "BEGIN TRAN a WITH MARK; BEGIN TRAN b WITH MARK; \
        INSERT INTO dbo.MarkLog VALUES ('a'); COMMIT; COMMIT",
        )
        .await;
    assert_eq!(errors, [3920]);
    let answer = client
        .run("SELECT mark_name FROM msdb.dbo.logmarkhistory")
        .await;
    assert_eq!(answer.rows, [["a".into()]]);
}

#[tokio::test]
async fn two_links_to_one_host_are_one_host_in_a_transaction() {
    let cluster = bank().await;
    cluster.network.enter("ALIAS", &cluster.hosts[1].address());
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_addlinkedserver 'ALIAS'; USE Bank1")
        .await;
    let errors = client
        .fail(
            "BEGIN TRAN m WITH MARK; EXEC dbo.sp_SetMark 'm'; \
        EXEC SQL2.Bank2.dbo.sp_SetMarkRemote 'm'; EXEC ALIAS.Bank2.dbo.sp_SetMarkRemote 'm'",
        )
        .await;
    assert_eq!(errors, [3920]);
}

#[tokio::test]
async fn a_mark_begun_in_master_is_in_no_history() {
    let cluster = bank().await;
    let mut client = cluster.hosts[0].client().await;
    client.run("USE master").await;
    client
        .run("BEGIN TRAN m WITH MARK; EXEC Bank1.dbo.sp_SetMark 'm'; COMMIT")
        .await;
    let answer = client
        .run("SELECT mark_name FROM msdb.dbo.logmarkhistory")
        .await;
    assert!(answer.rows.is_empty());
}

#[tokio::test]
async fn the_view_of_the_group_lists_every_member_once() {
    let cluster = bank().await;
    let host = &cluster.hosts[0];
    let mut client = host.client().await;
    client.run("CREATE DATABASE Mgmt").await;
    let at = |server: &str, db: &str| (server.to_owned(), db.to_owned());
    let group = biztalk::Group {
        name: "Group".to_owned(),
        tracking: Some(at("SQL2", "Bank2")),
        message_boxes: vec![at("SQL1", "Bank1"), at("SQL3", "Bank3")],
        others: vec![("SSO".to_owned(), "SQL2".to_owned(), "Bank2".to_owned())],
        ..biztalk::Group::default()
    };
    biztalk::install_management(&host.instance, "Mgmt", &group)
        .await
        .expect("installed");
    let answer = client
        .run(
            "SELECT ServerName, DatabaseName FROM Mgmt.dbo.admv_BackupDatabases \
        ORDER BY ServerName, DatabaseName",
        )
        .await;
    let expected: Vec<Vec<Value>> = [
        ["SQL1", "Bank1"],
        ["SQL1", "Mgmt"],
        ["SQL2", "Bank2"],
        ["SQL3", "Bank3"],
    ]
    .iter()
    .map(|row| row.iter().map(|cell| Value::text(*cell)).collect())
    .collect();
    assert_eq!(answer.rows, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_whose_coordinator_died_stands_on_every_host_after_its_restart() {
    let clock = Arc::new(HandClock::new());
    let mut cluster = bank_at(clock.clone()).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_sim_fault 'kill after decision'; USE Bank1")
        .await;
    let killed = cluster.hosts[0].instance.faults.killed();
    let batch = mark_batch("BTS_1");
    tokio::select! {
        _ = client.try_run(&batch) => {}
        () = killed.cancelled() => {}
    }
    assert_eq!(cluster.hosts[1].instance.dtc.in_doubt().len(), 1);
    assert_eq!(cluster.hosts[2].instance.dtc.in_doubt().len(), 1);
    cluster.hosts[0].kill_and_restart().await;
    for host in &cluster.hosts[1..3] {
        while !host.instance.dtc.in_doubt().is_empty() {
            clock.advance(Duration::from_millis(50));
            host.client().await.run("SELECT 1").await;
        }
    }
    check_history(&cluster, "BTS_1").await;
    // The gates are open again: another mark passes.
    let mut client = cluster.hosts[0].client().await;
    client.run("USE Bank1").await;
    client.run(&mark_batch("BTS_2")).await;
    check_history(&cluster, "BTS_2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_from_two_hosts_at_once_are_placed_or_are_the_victim_of_1205() {
    let cluster = bank().await;
    let mut first = cluster.hosts[0].client().await;
    let mut second = cluster.hosts[1].client().await;
    let mut placed = 0;
    for round in 0..6 {
        let (one, two) = (format!("A_{round}"), format!("B_{round}"));
        let from_first = format!(
            "SET XACT_ABORT ON; BEGIN TRAN {one} WITH MARK; EXEC Bank1.dbo.sp_SetMark '{one}'; \
             EXEC SQL2.Bank2.dbo.sp_SetMarkRemote '{one}'; COMMIT"
        );
        let from_second = format!(
            "SET XACT_ABORT ON; BEGIN TRAN {two} WITH MARK; EXEC Bank2.dbo.sp_SetMark '{two}'; \
             EXEC SQL1.Bank1.dbo.sp_SetMarkRemote '{two}'; COMMIT"
        );
        let answers = tokio::join!(first.try_run(&from_first), second.try_run(&from_second));
        for answer in [answers.0, answers.1] {
            match answer.numbers()[..] {
                [] => placed += 1,
                [1205 | 1206] => {}
                ref other => panic!("{other:?}"),
            }
        }
    }
    assert!(placed >= 6, "at least one of each two, but {placed} of 12");
}

#[tokio::test]
async fn a_second_mark_may_end_its_transaction_where_the_switch_says_so() {
    let cluster = bank().await;
    let mut client = cluster.hosts[0].client().await;
    client.run("USE Bank1").await;
    let twice = "SET XACT_ABORT ON; BEGIN TRAN a WITH MARK; BEGIN TRAN b WITH MARK;";
    let depth = "SELECT @@TRANCOUNT";
    assert_eq!(client.fail(twice).await, [3920]);
    assert_eq!(client.run(depth).await.value(), &Value::Int(2));
    client.run("ROLLBACK").await;
    client
        .run("EXEC sp_sim_fault 'second mark ends transaction', @times = 0")
        .await;
    assert_eq!(client.fail(twice).await, [3920]);
    assert_eq!(client.run(depth).await.value(), &Value::Int(0));
}
