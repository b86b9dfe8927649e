//! Faults arranged in T-SQL: what strikes, where, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use sqlsim::clock::Clock as _;
use sqlsim::value::Value;

use super::clock::HandClock;
use super::hosts::{Client, Cluster};
use super::support::Host;

/// One host with a database whose chain has begun.
async fn based() -> (Cluster, Client) {
    let cluster = Cluster::start(&["SQL1"]).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .script(
            "CREATE DATABASE D\nGO\nCREATE TABLE D.dbo.T (Id int NOT NULL)\nGO\n\
             BACKUP DATABASE D TO DISK = 'd.bak' WITH FORMAT",
        )
        .await;
    (cluster, client)
}

#[tokio::test]
async fn a_foreign_log_backup_moves_the_chain_and_stands_in_history() {
    let (_cluster, mut client) = based().await;
    client
        .run("BACKUP LOG D TO DISK = '1.trn' WITH FORMAT")
        .await;
    client
        .run("EXEC sp_sim_fault 'foreign log backup', @database = 'D', @text = 'theirs.trn'")
        .await;
    client
        .run("BACKUP LOG D TO DISK = '2.trn' WITH FORMAT")
        .await;
    let sets = client
        .run(
            "SELECT f.physical_device_name FROM msdb.dbo.backupset s JOIN \
             msdb.dbo.backupmediafamily f ON f.media_set_id = s.media_set_id \
             WHERE s.type = 'L' ORDER BY s.backup_set_id",
        )
        .await;
    assert_eq!(
        sets.rows,
        [
            ["1.trn".into()],
            ["theirs.trn".into()],
            [Value::from("2.trn")]
        ]
    );
}

#[tokio::test]
async fn an_act_may_wait_for_the_statement_that_it_comes_before() {
    let (_cluster, mut client) = based().await;
    client
        .run(
            "EXEC sp_sim_fault 'switch recovery model', 'BACKUP LOG', 'D', @skip = 1, \
             @text = 'SIMPLE'",
        )
        .await;
    let log = "BACKUP LOG D TO DISK = 'NUL'";
    client.run(log).await;
    assert_eq!(client.fail(log).await, [4208, 3013]);
}

#[tokio::test]
async fn a_skewed_clock_tells_another_time() {
    let (_cluster, mut client) = based().await;
    let hours = "SELECT DATEDIFF(minute, @before, SYSUTCDATETIME())";
    let ahead = client
        .run(&format!(
            "DECLARE @before datetime2 = SYSUTCDATETIME(); \
             EXEC sp_sim_fault 'skew clock', @milliseconds = 7200000; {hours}"
        ))
        .await;
    assert!(
        matches!(ahead.value(), Value::Int(119..=121)),
        "{:?}",
        ahead.rows
    );
}

#[tokio::test]
async fn a_stalled_backup_is_seen_half_done_and_ends_when_it_is_killed() {
    let (cluster, mut client) = based().await;
    let mut other = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_sim_fault 'stall backup', @offset = 60000")
        .await;
    let spid = client.run("SELECT @@SPID").await;
    let Value::Int(spid) = *spid.value() else {
        panic!("a number")
    };
    let backing_up = async {
        client
            .fail("BACKUP DATABASE D TO DISK = 'd2.bak' WITH FORMAT")
            .await
    };
    let watching = async {
        let sql = format!(
            "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = {spid} AND \
             command = 'BACKUP DATABASE' AND percent_complete > 0"
        );
        while other.run(&sql).await.value() != &Value::Int(1) {
            tokio::task::yield_now().await;
        }
        other.run(&format!("KILL {spid}")).await;
    };
    let (errors, ()) = tokio::join!(backing_up, watching);
    assert_eq!(errors, [3204, 3013]);
}

#[tokio::test]
async fn a_stalled_backup_goes_on_when_the_faults_are_cleared() {
    let (cluster, mut client) = based().await;
    let mut other = cluster.hosts[0].client().await;
    client.run("EXEC sp_sim_fault 'stall backup'").await;
    let clearing = async {
        let sql = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command = 'BACKUP LOG'";
        while other.run(sql).await.value() != &Value::Int(1) {
            tokio::task::yield_now().await;
        }
        other.run("EXEC sp_sim_fault 'clear'").await;
    };
    let log = client.run("BACKUP LOG D TO DISK = 'NUL'");
    let (answer, ()) = tokio::join!(log, clearing);
    assert_eq!(answer.info_numbers().last(), Some(&3014));
}

#[tokio::test]
async fn a_stalled_restore_is_seen_half_done_and_ends_when_it_is_killed() {
    let (cluster, mut client) = based().await;
    let mut other = cluster.hosts[0].client().await;
    client
        .run("BACKUP DATABASE D TO DISK = 'whole.bak' WITH FORMAT")
        .await;
    client
        .run("EXEC sp_sim_fault 'stall backup', 'RESTORE DATABASE', @offset = 60000")
        .await;
    let spid = client.run("SELECT @@SPID").await;
    let Value::Int(spid) = *spid.value() else {
        panic!("a number")
    };
    let restore = "RESTORE DATABASE Copied FROM DISK = 'whole.bak' WITH STATS = 10, \
                   MOVE 'D' TO 'copied.mdf', MOVE 'D_log' TO 'copied.ldf'";
    let watching = async {
        let sql = format!(
            "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = {spid} AND \
             command = 'RESTORE DATABASE' AND percent_complete > 0"
        );
        while other.run(&sql).await.value() != &Value::Int(1) {
            tokio::task::yield_now().await;
        }
        other.run(&format!("KILL {spid}")).await;
    };
    let (errors, ()) = tokio::join!(client.fail(restore), watching);
    assert_eq!(errors, [3204, 3013]);
    let made = other
        .run("SELECT COUNT(*) FROM sys.databases WHERE name = 'Copied'")
        .await;
    assert_eq!(made.value(), &Value::Int(0), "nothing was changed yet");
    other.run("EXEC sp_sim_fault 'clear'").await;
    let told = other.run(restore).await;
    let percents = told
        .info_numbers()
        .iter()
        .filter(|number| **number == 3211)
        .count();
    assert!((1..=10).contains(&percents), "{:?}", told.infos);
}

#[tokio::test]
async fn an_unknown_share_or_drive_is_refused_and_a_relative_path_has_a_home() {
    let (cluster, mut client) = based().await;
    let share = client
        .try_run(r"BACKUP DATABASE D TO DISK = '\\nowhere\b\d.bak'")
        .await;
    assert_eq!(share.numbers(), [3201, 3013]);
    assert!(share.errors[0].text.contains("53("), "{:?}", share.errors);
    let drive = client
        .try_run(r"BACKUP DATABASE D TO DISK = 'Q:\d.bak'")
        .await;
    assert!(drive.errors[0].text.contains("3("), "{:?}", drive.errors);
    let home = cluster.hosts[0].instance.backup_folder();
    assert!(home.join("d.bak").is_file());
}

#[tokio::test]
async fn a_host_that_was_told_to_die_is_gone_and_comes_back_with_what_it_committed() {
    let (mut cluster, mut client) = based().await;
    client.run("INSERT INTO D.dbo.T VALUES (7)").await;
    client
        .run("EXEC sp_sim_fault 'kill', @statement = 'BACKUP LOG', @skip = 1")
        .await;
    client.run("BACKUP LOG D TO DISK = 'NUL'").await;
    let killed = cluster.hosts[0].instance.faults.killed();
    tokio::select! {
        answer = client.try_run("BACKUP LOG D TO DISK = 'NUL'") => panic!("{answer:?}"),
        () = killed.cancelled() => {}
    }
    drop(client);
    cluster.hosts[0].kill_and_restart().await;
    let mut client = cluster.hosts[0].client().await;
    let rows = client.run("SELECT Id FROM D.dbo.T").await.rows;
    assert_eq!(rows, [[Value::Int(7)]]);
}

#[tokio::test]
async fn a_delayed_statement_waits_as_long_as_the_fault_says() {
    let clock = Arc::new(HandClock::new());
    let cluster = Cluster::start_at(&["SQL1"], clock.clone()).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_sim_fault 'delay', 'SELECT', @milliseconds = 60000")
        .await;
    let begun = clock.monotonic();
    let passing = async {
        loop {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = client.run("SELECT 1") => assert_eq!(answer.value(), &Value::Int(1)),
        () = passing => {}
    }
    assert!(clock.monotonic() >= begun + Duration::from_secs(60));
}

#[tokio::test]
async fn a_dropped_statement_is_not_answered_until_the_faults_are_cleared() {
    let host = Host::new("SQL1").await;
    let (mut one, mut two) = (host.client().await, host.client().await);
    two.check("EXEC sp_sim_fault 'drop', 'SELECT'", "").await;
    let silent = one.run("SELECT 1");
    tokio::pin!(silent);
    let clearing = async {
        // The fault has struck once it is armed no more.
        let faults = &host.instance().faults;
        while !faults.is_idle() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut silent => panic!("{answer}"),
        () = clearing => {}
    }
    two.check("EXEC sp_sim_fault 'clear'", "").await;
    let answer = silent.await;
    // It ends as a killed session does.
    assert!(answer.starts_with("error 596"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_falls_silent_at_its_commit_leaves_no_transaction_open() {
    let host = Host::new("SQL1").await;
    let (mut one, mut two) = (host.client().await, host.client().await);
    one.check("CREATE DATABASE D", "").await;
    one.check("CREATE TABLE D.dbo.T (Id int)", "").await;
    two.check("EXEC sp_sim_fault 'drop', 'COMMIT TRANSACTION'", "")
        .await;
    let silent = one.run("BEGIN TRAN Mine; INSERT D.dbo.T VALUES (7); COMMIT");
    tokio::pin!(silent);
    let struck = async {
        while !host.instance().faults.is_idle() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut silent => panic!("{answer}"),
        () = struck => {}
    }
    let open = "SELECT COUNT(*) FROM sys.dm_tran_active_transactions WHERE name = 'Mine'";
    two.check(open, "1").await;
    two.check("EXEC sp_sim_fault 'clear'", "").await;
    silent.await;
    // Its locks are waited for, so that it is over when the answer comes.
    two.check("SELECT COUNT(*) FROM D.dbo.T", "0").await;
    two.check(open, "0").await;
}
