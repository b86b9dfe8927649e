//! Availability groups: joining, 1475, and what a lone host says of them. What travels between replicas is tested in
//! `replicas.rs`.

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
    // The primary tells who the replicas are, and log begins to arrive.
    let state = "SELECT COUNT(*) FROM sys.dm_hadr_database_replica_states \
                 WHERE is_primary_replica = 0 AND synchronization_state_desc = N'SYNCHRONIZING'";
    secondary.wait_for(state, &Value::Int(1)).await;
}
