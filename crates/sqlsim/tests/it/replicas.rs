//! Replicas of an availability group: log that travels, log backups on any of them, and changes of role.
//!
//! Start at [`Pair::joined`].

use sqlsim::value::Value;

use super::backups::to;
use super::hosts::{Client, Cluster};

/// Two hosts with a replica each of `D`, the first one primary.
struct Pair {
    cluster: Cluster,
    one: Client,
    two: Client,
}

const ENDS: &str = "SELECT COUNT(DISTINCT end_of_log_lsn) \
                    FROM sys.dm_hadr_database_replica_states WHERE end_of_log_lsn IS NOT NULL";
const HARDENED: &str =
    "SELECT last_hardened_lsn FROM sys.dm_hadr_database_replica_states WHERE is_local = 1";
const LOGS: &str = "SELECT first_lsn, last_lsn FROM msdb.dbo.backupset WHERE type = 'L' \
                    ORDER BY backup_set_id";
const FORK: &str = "SELECT recovery_fork_guid FROM sys.database_recovery_status \
                    WHERE database_id = DB_ID('D')";
const PREFERRED_AND_SEEDED: &str = "SELECT automated_backup_preference_desc, \
    (SELECT COUNT(*) FROM sys.dm_hadr_automatic_seeding) FROM sys.availability_groups";
const COUNT: &str = "SELECT COUNT(*) FROM D.dbo.T";

impl Pair {
    async fn joined() -> Self {
        let cluster = Cluster::start(&["SQL1", "SQL2"]).await;
        let mut one = cluster.hosts[0].client().await;
        let mut two = cluster.hosts[1].client().await;
        one.script("CREATE DATABASE D\nGO\nCREATE TABLE D.dbo.T (Id int NOT NULL)")
            .await;
        let full = to(&cluster, "DATABASE", "first.bak", "FORMAT");
        one.run(&full).await;
        one.run(&to(&cluster, "LOG", "first.trn", "FORMAT")).await;
        let mode = "WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL)";
        one.run(&format!(
            "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR DATABASE D \
             REPLICA ON N'SQL1' {mode}, N'SQL2' {mode}"
        ))
        .await;
        two.run("ALTER AVAILABILITY GROUP ag JOIN WITH (CLUSTER_TYPE = NONE)")
            .await;
        let file = |end: &str| cluster.path(&format!("second.{end}"));
        two.run(&format!(
            "RESTORE DATABASE D FROM DISK = '{}' WITH NORECOVERY, MOVE 'D' TO '{}', MOVE 'D_log' TO '{}'",
            cluster.path("first.bak"),
            file("mdf"),
            file("ldf")
        ))
        .await;
        two.run("ALTER DATABASE D SET HADR AVAILABILITY GROUP = ag")
            .await;
        let mut pair = Self { cluster, one, two };
        pair.add(1).await;
        pair.two.wait_for(COUNT, &Value::Int(1)).await;
        pair.level().await;
        pair
    }

    async fn add(&mut self, id: i32) {
        let insert = format!("INSERT INTO D.dbo.T VALUES ({id})");
        self.one.run(&insert).await;
    }

    /// Returns when the primary knows that the other replica has everything.
    async fn level(&mut self) {
        self.one.wait_for(ENDS, &Value::Int(1)).await;
    }

    async fn hold(&mut self) {
        let fault = "EXEC sp_sim_fault 'hold log', @database = 'D', @times = 0";
        self.two.run(fault).await;
    }

    fn log_to(&self, file: &str) -> String {
        to(&self.cluster, "LOG", file, "FORMAT")
    }
}

/// The stretches of log that a host's history names.
async fn logs(client: &mut Client) -> Vec<(Value, Value)> {
    let answer = client.run(LOGS).await;
    let rows = answer.rows.into_iter();
    rows.map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[tokio::test]
async fn log_travels_to_the_secondary_replica_and_the_primary_knows_how_far() {
    let mut pair = Pair::joined().await;
    assert_eq!(
        pair.two.fail("INSERT INTO D.dbo.T VALUES (9)").await,
        [3906]
    );
    let states = "SELECT r.replica_server_name, s.is_primary_replica, s.synchronization_state_desc \
                  FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_replicas r \
                  ON r.replica_id = s.replica_id ORDER BY r.replica_server_name";
    let row = |name: &str, is_primary| -> Vec<Value> {
        vec![name.into(), Value::Bit(is_primary), "SYNCHRONIZED".into()]
    };
    let known = pair.one.run(states).await.rows;
    assert_eq!(known, [row("SQL1", true), row("SQL2", false)]);
    assert_eq!(pair.two.run(states).await.rows, [row("SQL2", false)]);
    let shown = "SELECT state_desc, is_in_standby FROM sys.databases WHERE name = 'D'";
    let online = vec![Value::from("ONLINE"), Value::Bit(false)];
    assert_eq!(pair.two.run(shown).await.rows, [online]);
    let hardened =
        "SELECT COUNT(DISTINCT last_hardened_lsn) FROM sys.dm_hadr_database_replica_states";
    pair.one.wait_for(hardened, &Value::Int(1)).await;
}

#[tokio::test]
async fn log_backups_of_both_replicas_are_one_chain_and_each_is_known_where_it_was_taken() {
    let mut pair = Pair::joined().await;
    let on_two = pair.log_to("2.trn");
    pair.two.run(&on_two).await;
    pair.add(2).await;
    let on_one = pair.log_to("3.trn");
    pair.one.run(&on_one).await;
    pair.add(3).await;
    pair.level().await;
    let on_two = pair.log_to("4.trn");
    pair.two.run(&on_two).await;
    let (one, two) = (logs(&mut pair.one).await, logs(&mut pair.two).await);
    assert_eq!((one.len(), two.len()), (2, 2), "{one:?} {two:?}");
    let chain = [&one[0], &two[0], &one[1], &two[1]];
    for next in chain.windows(2) {
        assert_eq!(next[0].1, next[1].0, "{chain:?}");
    }
    let archive = "SELECT last_log_backup_lsn FROM sys.database_recovery_status \
                   WHERE database_id = DB_ID('D')";
    assert_eq!(pair.one.run(archive).await.value(), &two[1].1);
}

#[tokio::test]
async fn a_copy_of_the_secondary_replica_and_logs_of_both_bring_everything_back() {
    let mut pair = Pair::joined().await;
    for with in ["FORMAT", "FORMAT, DIFFERENTIAL"] {
        let refused = to(&pair.cluster, "DATABASE", "no.bak", with);
        assert_eq!(pair.two.fail(&refused).await, [3059, 3013], "{with}");
    }
    let copied_log = to(&pair.cluster, "LOG", "no.trn", "FORMAT, COPY_ONLY");
    assert_eq!(pair.two.fail(&copied_log).await, [3059, 3013]);
    let copy = to(&pair.cluster, "DATABASE", "copy.bak", "FORMAT, COPY_ONLY");
    pair.two.run(&copy).await;
    pair.add(2).await;
    let log = pair.log_to("1.trn");
    pair.one.run(&log).await;
    pair.add(3).await;
    pair.level().await;
    let log = pair.log_to("2.trn");
    pair.two.run(&log).await;
    let path = |name: &str| pair.cluster.path(name);
    let restore = format!(
        "RESTORE DATABASE E FROM DISK = '{}' WITH NORECOVERY, MOVE 'D' TO '{}', MOVE 'D_log' TO '{}'\nGO\n\
         RESTORE LOG E FROM DISK = '{}' WITH NORECOVERY\nGO\n\
         RESTORE LOG E FROM DISK = '{}' WITH RECOVERY",
        path("copy.bak"),
        path("e.mdf"),
        path("e.ldf"),
        path("1.trn"),
        path("2.trn")
    );
    pair.two.script(&restore).await;
    let rows = pair.two.run("SELECT COUNT(*) FROM E.dbo.T").await;
    assert_eq!(rows.value(), &Value::Int(3));
}

#[tokio::test]
async fn a_replica_that_is_held_back_shows_it_and_backs_up_what_it_has() {
    let mut pair = Pair::joined().await;
    pair.hold().await;
    let before = pair.two.run(HARDENED).await;
    pair.add(2).await;
    let behind = "SELECT COUNT(*) FROM sys.dm_hadr_database_replica_states \
                  WHERE is_local = 0 AND synchronization_state_desc = N'SYNCHRONIZING'";
    pair.one.wait_for(behind, &Value::Int(1)).await;
    assert_eq!(pair.two.run(HARDENED).await.rows, before.rows);
    assert_eq!(
        pair.two.fail("ALTER AVAILABILITY GROUP ag FAILOVER").await,
        [41142]
    );
    let log = pair.log_to("2.trn");
    pair.two.run(&log).await;
    pair.two.run("EXEC sp_sim_fault 'clear'").await;
    pair.two.wait_for(COUNT, &Value::Int(2)).await;
    let log = pair.log_to("3.trn");
    pair.one.run(&log).await;
    let (one, two) = (logs(&mut pair.one).await, logs(&mut pair.two).await);
    assert_eq!(two[0].1, one[1].0, "{one:?} {two:?}");
}

#[tokio::test]
async fn a_failover_in_good_order_loses_nothing_and_keeps_the_fork() {
    let mut pair = Pair::joined().await;
    pair.add(2).await;
    let fork = pair.one.run(FORK).await;
    pair.two.run("ALTER AVAILABILITY GROUP ag FAILOVER").await;
    assert_eq!(pair.two.run(COUNT).await.value(), &Value::Int(2));
    assert_eq!(pair.two.run(FORK).await.rows, fork.rows);
    pair.two.run("INSERT INTO D.dbo.T VALUES (3)").await;
    // The old primary follows now.
    pair.one.wait_for(COUNT, &Value::Int(3)).await;
    assert_eq!(
        pair.one.fail("INSERT INTO D.dbo.T VALUES (9)").await,
        [3906]
    );
    let log = pair.log_to("2.trn");
    pair.two.run(&log).await;
    let (one, two) = (logs(&mut pair.one).await, logs(&mut pair.two).await);
    assert_eq!(one[0].1, two[0].0, "the chain goes on");
    // And back again.
    pair.one.run("ALTER AVAILABILITY GROUP ag FAILOVER").await;
    pair.add(4).await;
    pair.two.wait_for(COUNT, &Value::Int(4)).await;
}

#[tokio::test]
async fn a_transaction_whose_log_travels_in_two_parts_is_there_once_it_has_committed() {
    let mut pair = Pair::joined().await;
    let begun = "BEGIN TRAN; INSERT INTO D.dbo.T VALUES (2)";
    pair.one.run(begun).await;
    pair.level().await;
    pair.one.run("INSERT INTO D.dbo.T VALUES (3); COMMIT").await;
    pair.two.wait_for(COUNT, &Value::Int(3)).await;
}

#[tokio::test]
async fn a_forced_failover_goes_on_from_what_had_arrived_on_a_fork_of_its_own() {
    let mut pair = Pair::joined().await;
    let fork = pair.one.run(FORK).await;
    pair.hold().await;
    pair.add(2).await;
    let force = "ALTER AVAILABILITY GROUP ag FORCE_FAILOVER_ALLOW_DATA_LOSS";
    pair.two.run(force).await;
    pair.two.run("EXEC sp_sim_fault 'clear'").await;
    assert_eq!(pair.two.run(COUNT).await.value(), &Value::Int(1));
    assert_ne!(pair.two.run(FORK).await.rows, fork.rows);
    pair.two.run("INSERT INTO D.dbo.T VALUES (3)").await;
    let log = pair.log_to("2.trn");
    pair.two.run(&log).await;
    // The old primary has log that the new one lacks.
    let parted = "SELECT COUNT(*) FROM sys.dm_hadr_database_replica_states \
                  WHERE synchronization_state_desc = N'NOT SYNCHRONIZING'";
    pair.one.wait_for(parted, &Value::Int(1)).await;
    let log = pair.log_to("3.trn");
    assert_eq!(pair.one.fail(&log).await, [3062, 3013]);
}

/// Where the next log backup begins, as a host knows it.
async fn archive_point(client: &mut Client) -> Value {
    let asked = "SELECT last_log_backup_lsn FROM sys.database_recovery_status \
                 WHERE database_id = DB_ID('D')";
    client.run(asked).await.value().clone()
}

#[tokio::test]
async fn a_replica_that_lacks_log_which_is_backed_up_already_backs_up_nothing_until_it_has_it() {
    let mut pair = Pair::joined().await;
    pair.hold().await;
    pair.add(2).await;
    let log = pair.log_to("2.trn");
    pair.one.run(&log).await;
    let log = pair.log_to("3.trn");
    assert_eq!(pair.two.fail(&log).await, [35295, 3013]);
    pair.two.run("EXEC sp_sim_fault 'clear'").await;
    pair.two.wait_for(COUNT, &Value::Int(2)).await;
    pair.two.run(&log).await;
    let (one, two) = (logs(&mut pair.one).await, logs(&mut pair.two).await);
    assert_eq!(one[1].1, two[0].0, "{one:?} {two:?}");
}

#[tokio::test]
async fn a_forced_failover_that_lost_backed_up_log_backs_up_from_where_it_took_over() {
    let mut pair = Pair::joined().await;
    pair.hold().await;
    pair.add(2).await;
    pair.one
        .run(&to(&pair.cluster, "DATABASE", "later.bak", "FORMAT"))
        .await;
    let log = pair.log_to("2.trn");
    pair.one.run(&log).await;
    // It hears how far log backups have come, and has not come there itself.
    let log = pair.log_to("no.trn");
    assert_eq!(pair.two.fail(&log).await, [35295, 3013]);
    let force = "ALTER AVAILABILITY GROUP ag FORCE_FAILOVER_ALLOW_DATA_LOSS";
    pair.two.run(force).await;
    pair.two.run("INSERT INTO D.dbo.T VALUES (3)").await;
    let log = pair.log_to("3.trn");
    pair.two.run(&log).await;
    let range = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE type = 'L' AND first_lsn < last_lsn \
                 AND first_lsn <= fork_point_lsn AND first_recovery_fork_guid <> last_recovery_fork_guid";
    assert_eq!(pair.two.run(range).await.value(), &Value::Int(1));
    let base = "SELECT COUNT(*) FROM sys.master_files WHERE database_id = DB_ID('D') \
                AND differential_base_guid = (SELECT TOP (1) backup_set_uuid FROM msdb.dbo.backupset)";
    assert_eq!(pair.two.run(base).await.value(), &Value::Int(0));
}

#[tokio::test]
async fn a_log_backup_is_kept_although_nobody_knows_whether_the_primary_took_note_of_it() {
    let mut pair = Pair::joined().await;
    for (lost, moves) in [("answer", true), ("word", false)] {
        let before = archive_point(&mut pair.one).await;
        let fault = format!("EXEC sp_sim_fault 'lose {lost} of point', @database = 'D'");
        pair.two.run(&fault).await;
        pair.add(2).await;
        pair.level().await;
        let log = pair.log_to(&format!("{lost}.trn"));
        let told = pair.two.run(&log).await.infos;
        assert!(told.iter().any(|it| it.number == 35297), "{told:?}");
        let after = archive_point(&mut pair.one).await;
        assert_eq!(before != after, moves, "{lost}");
    }
    let log = pair.log_to("next.trn");
    pair.two.run(&log).await;
    let two = logs(&mut pair.two).await;
    assert_eq!(two[0].1, two[1].0, "the primary took note of the first");
    assert_eq!(two[1].0, two[2].0, "and not of the second");
}

/// Returns when a backup's file is there: it is made when the backup knows where it begins.
async fn made(pair: &mut Pair, file: &str) {
    let file = std::path::PathBuf::from(pair.cluster.path(file));
    for _ in 0..10_000 {
        if file.exists() {
            return;
        }
        pair.two.run("WAITFOR DELAY '00:00:00.001'").await;
    }
    panic!("it never begins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_backup_counts_for_nothing_where_another_ran_beside_it_on_the_primary_replica() {
    let mut pair = Pair::joined().await;
    pair.one
        .run("EXEC sp_sim_fault 'stall backup', @database = 'D', @offset = 1")
        .await;
    let log = pair.log_to("1.trn");
    let mut other = pair.cluster.hosts[0].client().await;
    let stalled = tokio::spawn(async move {
        other.run(&log).await;
    });
    made(&mut pair, "1.trn").await;
    let log = pair.log_to("2.trn");
    assert_eq!(pair.two.fail(&log).await, [35294, 3013]);
    pair.one.run("EXEC sp_sim_fault 'clear'").await;
    stalled.await.expect("it goes on");

    pair.add(2).await;
    pair.level().await;
    pair.two
        .run("EXEC sp_sim_fault 'stall backup', @database = 'D', @offset = 1")
        .await;
    let mut other = pair.cluster.hosts[1].client().await;
    let log = pair.log_to("3.trn");
    let stalled = tokio::spawn(async move { other.fail(&log).await });
    made(&mut pair, "3.trn").await;
    let log = pair.log_to("4.trn");
    pair.one.run(&log).await;
    pair.two.run("EXEC sp_sim_fault 'clear'").await;
    assert_eq!(stalled.await.expect("it ends"), [35296, 3013]);
    assert_eq!(logs(&mut pair.two).await, [], "it has no row");
}

#[tokio::test]
async fn a_primary_that_was_dead_at_a_forced_failover_steps_down_when_it_is_back() {
    let mut pair = Pair::joined().await;
    pair.cluster.hosts[0].instance.kill();
    let planned = pair.two.fail("ALTER AVAILABILITY GROUP ag FAILOVER").await;
    assert_eq!(planned, [41142]);
    let force = "ALTER AVAILABILITY GROUP ag FORCE_FAILOVER_ALLOW_DATA_LOSS";
    pair.two.run(force).await;
    pair.two.run("INSERT INTO D.dbo.T VALUES (2)").await;
    pair.cluster.hosts[0].kill_and_restart().await;
    pair.one = pair.cluster.hosts[0].client().await;
    // Nothing of its own was lost, so it can follow.
    pair.one.wait_for(COUNT, &Value::Int(2)).await;
    let role = "SELECT sys.fn_hadr_is_primary_replica('D')";
    assert_eq!(pair.one.run(role).await.value(), &Value::Bit(false));
}

#[tokio::test]
async fn backups_are_preferred_where_the_group_says() {
    let mut pair = Pair::joined().await;
    let preferred = "SELECT sys.fn_hadr_backup_is_preferred_replica('D')";
    for (preference, on_one, on_two) in [
        ("SECONDARY", false, true),
        ("SECONDARY_ONLY", false, true),
        ("PRIMARY", true, false),
    ] {
        pair.one
            .run(&format!(
                "ALTER AVAILABILITY GROUP ag SET (AUTOMATED_BACKUP_PREFERENCE = {preference})"
            ))
            .await;
        // The other replica hears of it.
        pair.two.wait_for(preferred, &Value::Bit(on_two)).await;
        let bit = pair.one.run(preferred).await;
        assert_eq!(bit.value(), &Value::Bit(on_one), "{preference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_sessions_change_of_a_group_at_once_is_changed_both() {
    let mut pair = Pair::joined().await;
    let mut other = pair.cluster.hosts[0].client().await;
    for round in 0..50 {
        let (preference, goes_on) = [("PRIMARY", 1), ("SECONDARY", 0)][round % 2];
        let seeding = tokio::spawn(async move {
            let seed = format!("EXEC sp_sim_seeding 'D', {goes_on}");
            other.run(&seed).await;
            other
        });
        let set =
            format!("ALTER AVAILABILITY GROUP ag SET (AUTOMATED_BACKUP_PREFERENCE = {preference})");
        pair.one.run(&set).await;
        other = seeding.await.expect("nobody stops it");
        let known = pair.one.run(PREFERRED_AND_SEEDED).await.rows;
        let wanted = vec![Value::from(preference), Value::Int(goes_on)];
        assert_eq!(known, [wanted], "after {round} rounds");
    }
}
