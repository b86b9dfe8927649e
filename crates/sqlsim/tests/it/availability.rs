//! Availability groups: joining, roles, and what a replica may back up.

use sqlsim::value::Value;

use super::backups::{one, to};
use super::hosts::Cluster;

#[tokio::test]
async fn joining_an_availability_group_is_1475_until_a_new_chain_has_begun() {
    let (cluster, mut client) = one().await;
    client
        .run(
            "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR REPLICA ON 'SQL1' \
        WITH (ENDPOINT_URL = 'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
        FAILOVER_MODE = MANUAL)",
        )
        .await;
    let join = "ALTER AVAILABILITY GROUP ag ADD DATABASE D";
    assert_eq!(client.fail(join).await, [1475]);
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT, COPY_ONLY"))
        .await;
    assert_eq!(client.fail(join).await, [1475]);
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run(&to(&cluster, "LOG", "a.trn", "FORMAT")).await;
    client.run("EXEC sp_sim_bulk_change 'D'").await;
    assert_eq!(client.fail(join).await, [1475]);
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run(&to(&cluster, "LOG", "b.trn", "FORMAT")).await;
    client.run(join).await;
    let is_primary = client
        .run("SELECT sys.fn_hadr_is_primary_replica('D')")
        .await;
    assert_eq!(is_primary.value(), &Value::Bit(true));
    let again = format!(
        "RESTORE DATABASE D FROM DISK = '{}' WITH REPLACE",
        cluster.path("a.bak")
    );
    assert_eq!(client.fail(&again).await, [3104, 3013]);
}

#[tokio::test]
async fn a_secondary_takes_copies_and_logs_and_is_preferred_as_the_group_says() {
    let (cluster, mut client) = one().await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run(&to(&cluster, "LOG", "a.trn", "FORMAT")).await;
    client
        .run(
            "CREATE AVAILABILITY GROUP ag WITH (AUTOMATED_BACKUP_PREFERENCE = SECONDARY_ONLY, \
             DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE) FOR DATABASE D REPLICA ON \
             N'SQL1' WITH (ENDPOINT_URL = N'TCP://sql1:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, BACKUP_PRIORITY = 70), \
             N'SQL2' WITH (ENDPOINT_URL = N'TCP://sql2:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)",
        )
        .await;
    let preferred = "SELECT sys.fn_hadr_is_primary_replica('D'), \
                     sys.fn_hadr_backup_is_preferred_replica('D')";
    let bits = |primary, preferred| [[Value::Bit(primary), Value::Bit(preferred)]];
    assert_eq!(client.run(preferred).await.rows, bits(true, false));
    client
        .run("ALTER AVAILABILITY GROUP ag SET (ROLE = SECONDARY)")
        .await;
    assert_eq!(client.run(preferred).await.rows, bits(false, true));
    for with in ["FORMAT", "FORMAT, DIFFERENTIAL"] {
        let refused = client.fail(&to(&cluster, "DATABASE", "b.bak", with)).await;
        assert_eq!(refused, [3059, 3013], "{with}");
    }
    let copied_log = to(&cluster, "LOG", "b.trn", "FORMAT, COPY_ONLY");
    assert_eq!(client.fail(&copied_log).await, [3059, 3013]);
    client
        .run(&to(&cluster, "DATABASE", "b.bak", "FORMAT, COPY_ONLY"))
        .await;
    client.run(&to(&cluster, "LOG", "b.trn", "FORMAT")).await;
    client
        .run("ALTER AVAILABILITY GROUP ag MODIFY REPLICA ON N'SQL2' WITH (BACKUP_PRIORITY = 90)")
        .await;
    assert_eq!(client.run(preferred).await.rows, bits(false, false));
    client.run("ALTER AVAILABILITY GROUP ag FAILOVER").await;
    let state = client
        .run(
            "SELECT r.replica_server_name, s.role_desc, r.backup_priority \
             FROM sys.availability_replicas r JOIN sys.dm_hadr_availability_replica_states s \
             ON s.replica_id = r.replica_id ORDER BY r.replica_server_name",
        )
        .await;
    let row = |name: &str, role: &str, priority| -> Vec<Value> {
        vec![name.into(), role.into(), Value::Int(priority)]
    };
    assert_eq!(
        state.rows,
        [row("SQL1", "PRIMARY", 70), row("SQL2", "SECONDARY", 90)]
    );
}

#[tokio::test]
async fn a_database_joins_a_secondary_when_it_was_restored_without_recovery() {
    let cluster = Cluster::start(&["SQL1", "SQL2"]).await;
    let mut primary = cluster.hosts[0].client().await;
    let mut secondary = cluster.hosts[1].client().await;
    primary.run("CREATE DATABASE D").await;
    primary
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    primary.run(&to(&cluster, "LOG", "a.trn", "FORMAT")).await;
    primary
        .run("CREATE AVAILABILITY GROUP ag FOR DATABASE D REPLICA ON 'SQL1', 'SQL2'")
        .await;
    secondary
        .run("ALTER AVAILABILITY GROUP ag JOIN WITH (CLUSTER_TYPE = NONE)")
        .await;
    let joins = "ALTER DATABASE D SET HADR AVAILABILITY GROUP = ag";
    secondary.run("CREATE DATABASE D").await;
    assert_eq!(secondary.fail(joins).await, [1464]);
    secondary.run("DROP DATABASE D").await;
    for (what, file) in [("DATABASE", "a.bak"), ("LOG", "a.trn")] {
        let file_of = |kind| cluster.path(&format!("second.{kind}"));
        let moves = format!(
            "MOVE 'D' TO '{}', MOVE 'D_log' TO '{}'",
            file_of("mdf"),
            file_of("ldf")
        );
        let with = if what == "LOG" {
            String::new()
        } else {
            format!(", {moves}")
        };
        let path = cluster.path(file);
        secondary
            .run(&format!(
                "RESTORE {what} D FROM DISK = '{path}' WITH NORECOVERY{with}"
            ))
            .await;
    }
    secondary.run(joins).await;
    let ids = "SELECT group_id, group_database_id FROM sys.availability_databases_cluster";
    assert_eq!(primary.run(ids).await.rows, secondary.run(ids).await.rows);
    let state = secondary
        .run(
            "SELECT is_primary_replica, synchronization_state_desc \
             FROM sys.dm_hadr_database_replica_states",
        )
        .await;
    assert_eq!(
        state.rows,
        [[Value::Bit(false), "NOT SYNCHRONIZING".into()]]
    );
}
