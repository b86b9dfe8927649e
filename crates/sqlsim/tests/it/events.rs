//! Event sessions on errors, as somebody uses them who waits for 1475.

use sqlsim::value::Value;

use super::hosts::{Client, Cluster};

const CREATE: &str = "CREATE EVENT SESSION [watch] ON SERVER \
    ADD EVENT sqlserver.error_reported (\
        ACTION (sqlserver.client_app_name, sqlserver.database_name, sqlserver.client_hostname) \
        WHERE ([error_number] = (4214) OR [error_number] = (1475))) \
    ADD TARGET package0.ring_buffer (SET max_events_limit = (50)), \
    ADD TARGET package0.event_file (SET filename = N'watch.xel', max_file_size = (5)) \
    WITH (MAX_DISPATCH_LATENCY = 1 SECONDS, STARTUP_STATE = ON)";

const RING: &str = "SELECT CAST(t.target_data AS nvarchar(max)) FROM sys.dm_xe_sessions s \
    JOIN sys.dm_xe_session_targets t ON t.event_session_address = s.address \
    WHERE s.name = N'watch' AND t.target_name = N'ring_buffer'";

const FILES: &str = "SELECT event_data, file_name, file_offset \
    FROM sys.fn_xe_file_target_read_file(N'watch*.xel', NULL, NULL, NULL)";

async fn watching() -> (Cluster, Client) {
    let cluster = Cluster::start(&["SQL1"]).await;
    let mut client = cluster.hosts[0].client().await;
    client.run("CREATE DATABASE D").await;
    client.run(CREATE).await;
    client
        .run("ALTER EVENT SESSION [watch] ON SERVER STATE = START")
        .await;
    (cluster, client)
}

async fn refused_log(client: &mut Client) {
    assert_eq!(
        client.fail("BACKUP LOG D TO DISK = 'NUL'").await,
        [4214, 3013]
    );
}

fn text(value: &Value) -> &str {
    value.as_text().expect("a text")
}

#[tokio::test]
async fn a_session_keeps_the_errors_that_its_predicate_names() {
    let (_cluster, mut client) = watching().await;
    client.fail("SELECT 1/0").await;
    refused_log(&mut client).await;
    let ring = client.run(RING).await;
    let xml = text(ring.value());
    assert_eq!(xml.matches("<event ").count(), 1, "{xml}");
    for part in [
        "<event name=\"error_reported\" package=\"sqlserver\" timestamp=\"",
        "<data name=\"error_number\"><type name=\"int32\" package=\"package0\"/><value>4214</value>",
        "<value>false</value>",
        "there is no current database backup.</value>",
        "<action name=\"client_app_name\" package=\"sqlserver\">",
        "<value>test</value>",
        "<value>master</value>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
}

#[tokio::test]
async fn an_error_that_a_catch_keeps_is_heard_as_intercepted() {
    let (_cluster, mut client) = watching().await;
    client
        .run("BEGIN TRY BACKUP LOG D TO DISK = 'NUL' END TRY BEGIN CATCH PRINT 'no' END CATCH")
        .await;
    let ring = client.run(RING).await;
    let data = "<data name=\"is_intercepted\"><type name=\"boolean\" package=\"package0\"/>\
                <value>true</value>";
    assert!(text(ring.value()).contains(data), "{:?}", ring.rows);
}

#[tokio::test]
async fn files_outlive_a_restart_and_are_read_on_from_an_offset() {
    let (mut cluster, mut client) = watching().await;
    refused_log(&mut client).await;
    drop(client);
    cluster.hosts[0].kill_and_restart().await;
    let mut client = cluster.hosts[0].client().await;
    assert_eq!(
        text(client.run(RING).await.value())
            .matches("<event ")
            .count(),
        0
    );
    let first = client.run(FILES).await;
    assert_eq!(first.rows.len(), 1);
    refused_log(&mut client).await;
    let all = client.run(FILES).await;
    assert_eq!(all.rows.len(), 2);
    let (file, Value::Int(offset)) = (text(&first.rows[0][1]), &first.rows[0][2]) else {
        panic!("{:?}", first.rows)
    };
    let next = client
        .run(&format!(
            "SELECT event_data FROM sys.fn_xe_file_target_read_file(N'watch*.xel', NULL, \
             N'{file}', {offset})"
        ))
        .await;
    assert_eq!(next.rows.len(), 1);
    assert_eq!(next.rows[0][0], all.rows[1][0]);
}

#[tokio::test]
async fn definitions_are_listed_and_changed_while_the_session_runs() {
    let (_cluster, mut client) = watching().await;
    let listed = client
        .run("SELECT name, startup_state FROM sys.server_event_sessions")
        .await;
    assert_eq!(listed.rows, [["watch".into(), Value::Bit(true)]]);
    client
        .run(
            "ALTER EVENT SESSION watch ON SERVER DROP EVENT sqlserver.error_reported \
             ADD EVENT sqlserver.error_reported (WHERE severity > 10 AND error_number <> 3013)",
        )
        .await;
    client.fail("SELECT 1/0").await;
    refused_log(&mut client).await;
    let ring = client.run(RING).await;
    assert_eq!(text(ring.value()).matches("<event ").count(), 2);
    client.run("DROP EVENT SESSION watch ON SERVER").await;
    let gone = client.run("SELECT COUNT(*) FROM sys.dm_xe_sessions").await;
    assert_eq!(gone.value(), &Value::Int(0));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_true_numbers() {
    let (_cluster, mut client) = watching().await;
    for (sql, number) in [
        (CREATE, 25631),
        ("ALTER EVENT SESSION watch ON SERVER STATE = START", 25705),
        ("ALTER EVENT SESSION nobody ON SERVER STATE = START", 15151),
        ("DROP EVENT SESSION nobody ON SERVER", 15151),
        (
            "CREATE EVENT SESSION s ON SERVER ADD EVENT sqlserver.nothing",
            25623,
        ),
        (
            "CREATE EVENT SESSION s ON SERVER ADD EVENT sqlserver.error_reported \
             ADD TARGET package0.event_file",
            25642,
        ),
        (
            "ALTER EVENT SESSION watch ON SERVER DROP TARGET package0.nothing",
            25653,
        ),
        (
            "SELECT * FROM sys.fn_xe_file_target_read_file(N'none*.xel', NULL, NULL, NULL)",
            25718,
        ),
    ] {
        assert_eq!(client.fail(sql).await, [number], "{sql}");
    }
    client
        .run("ALTER EVENT SESSION watch ON SERVER STATE = STOP")
        .await;
    let stop = "ALTER EVENT SESSION watch ON SERVER STATE = STOP";
    assert_eq!(client.fail(stop).await, [25704]);
}
