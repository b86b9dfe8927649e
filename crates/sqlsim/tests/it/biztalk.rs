//! The backup job of a BizTalk group, run as its Agent runs it.

use std::sync::Arc;

use sqlsim::biztalk::{Group, create_group};
use sqlsim::value::Value;

use super::hosts::{Client, Cluster};

async fn group() -> (Cluster, Client) {
    let cluster = Cluster::start(&["SQL1", "SQL2"]).await;
    let hosts: Vec<_> = cluster
        .hosts
        .iter()
        .map(|host| Arc::clone(&host.instance))
        .collect();
    let at = |server: &str, database: &str| (server.to_owned(), database.to_owned());
    let group = Group {
        name: "Group".to_owned(),
        tracking: Some(at("SQL2", "BizTalkDTADb")),
        message_boxes: vec![at("SQL2", "BizTalkMsgBoxDb")],
        others: vec![("SSO".to_owned(), "SQL1".to_owned(), "SSODB".to_owned())],
        ..Group::default()
    };
    create_group(&hosts, ("SQL1", "BizTalkMgmtDb"), &group)
        .await
        .expect("the group is made");
    let mut client = cluster.hosts[0].client().await;
    client.run("USE BizTalkMgmtDb").await;
    (cluster, client)
}

async fn job(client: &mut Client, cluster: &Cluster, call: &str) -> Value {
    let folder = cluster.path("");
    let sql = format!(
        "DECLARE @status int; EXEC @status = {call}, '{}'; SELECT @status",
        folder.trim_end_matches('/')
    );
    client.run(&sql).await.value().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_and_a_marked_run_are_complete_and_the_mark_stands_in_every_database() {
    let (cluster, mut client) = group().await;
    let full = "sp_BackupAllFull_Schedule 'd', 'BTS'";
    assert_eq!(job(&mut client, &cluster, full).await, Value::Int(0));
    assert_eq!(job(&mut client, &cluster, full).await, Value::Int(0));
    assert_eq!(
        job(&mut client, &cluster, "sp_MarkAll 'BTS'").await,
        Value::Int(0)
    );
    let history = client
        .run(
            "SELECT BackupType, COUNT(*), MIN(CONVERT(int, SetComplete)), COUNT(MarkName) \
             FROM adm_BackupHistory GROUP BY BackupType ORDER BY BackupType",
        )
        .await;
    let row = |kind: &str, marked| -> Vec<Value> {
        vec![
            kind.into(),
            Value::Int(4),
            Value::Int(1),
            Value::Int(marked),
        ]
    };
    assert_eq!(history.rows, [row("db", 0), row("lg", 4)]);
    let mark = client
        .run("SELECT DISTINCT MarkName, LEN(MarkName) FROM adm_BackupHistory WHERE BackupType = 'lg'")
        .await;
    assert_eq!(mark.rows[0][1], Value::Int(27));
    let name = mark.rows[0][0].as_text().expect("a name").to_owned();
    let mut marked = Vec::new();
    for host in &cluster.hosts {
        let sql = format!(
            "SELECT database_name FROM msdb.dbo.logmarkhistory WHERE mark_name = '{name}' \
             ORDER BY database_name"
        );
        marked.extend(host.client().await.run(&sql).await.rows);
    }
    let databases = ["BizTalkMgmtDb", "SSODB", "BizTalkDTADb", "BizTalkMsgBoxDb"];
    assert_eq!(marked, databases.map(|name| vec![Value::from(name)]));
    let file = client
        .run(
            "SELECT TOP 1 BackupFileName FROM adm_BackupHistory WHERE DatabaseName = 'SSODB' \
              AND BackupType = 'lg'",
        )
        .await;
    assert_eq!(file.value(), &format!("SQL1_SSODB_Log_{name}.bak").into());
    let path = cluster.path(&format!("SQL1_SSODB_Log_{name}.bak"));
    assert!(std::path::Path::new(&path).is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_full_leaves_a_partial_set_that_counts_as_this_days_full() {
    let (cluster, mut client) = group().await;
    client
        .run("EXEC sp_sim_fault 'disk full', 'BACKUP DATABASE', 'SSODB'")
        .await;
    let full = |flag: u8| {
        format!(
            "EXEC sp_BackupAllFull_Schedule 'd', 'BTS', '{}', {flag}",
            cluster.path("").trim_end_matches('/')
        )
    };
    let failed = client.fail(&full(0)).await;
    assert_eq!(failed.last(), Some(&50000), "{failed:?}");
    client.run(&full(0)).await;
    let sets = "SELECT COUNT(DISTINCT BackupSetId), MAX(CONVERT(int, SetComplete)) \
                FROM adm_BackupHistory";
    assert_eq!(
        client.run(sets).await.rows,
        [[Value::Int(1), Value::Int(0)]]
    );
    client.run(&full(1)).await;
    assert_eq!(
        client.run(sets).await.rows,
        [[Value::Int(2), Value::Int(1)]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_decoder_stands_still_to_the_end_of_the_transaction_that_marks() {
    let (cluster, mut marking) = group().await;
    cluster.link().await;
    let mut decoder = cluster.hosts[1].client().await;
    decoder.run("SET LOCK_TIMEOUT 0; USE BizTalkDTADb").await;
    let moves_on = "UPDATE dbo.TDDS_StreamStatus SET LastSeqNum = LastSeqNum + 1";
    decoder.run(moves_on).await;
    marking
        .run("SET XACT_ABORT ON; BEGIN TRANSACTION; EXEC dbo.sp_BlockTDDS;")
        .await;
    let waits = decoder.fail(moves_on).await;
    assert!(waits.contains(&1222), "{waits:?}");
    marking.run("COMMIT TRANSACTION;").await;
    decoder.run(moves_on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_stands_in_the_agents_tables_as_it_was_filled_in() {
    let (cluster, mut client) = group().await;
    let full = "'d', 'BTS', '\\\\nas\\it''s', 0";
    sqlsim::biztalk::install_job(
        &cluster.hosts[0].instance,
        "BizTalkMgmtDb",
        true,
        (full, "'BTS', '\\\\nas'"),
    )
    .await
    .expect("it is written down");
    let sql = "SELECT s.command FROM msdb.dbo.sysjobs AS j\n\
               INNER JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id\n\
               WHERE j.enabled = 1 AND s.step_id = 2";
    let command = format!("exec [dbo].[sp_BackupAllFull_Schedule] {full}");
    assert_eq!(client.run(sql).await.value(), &command.into());
}
