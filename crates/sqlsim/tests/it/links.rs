//! Linked servers: making, changing, calling, and every refusal.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sqlsim::certificate::Authority;
use sqlsim::link::Network;
use sqlsim::value::Value;
use sqlsim::{InstanceOptions, Simulator};

use super::clock::HandClock;
use super::hosts::{Client, Cluster, PASSWORD};

#[tokio::test]
async fn a_new_link_maps_every_login_to_itself_and_may_be_called() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    let answer = client
        .run(
            "SELECT is_linked, is_rpc_out_enabled, \
        is_remote_proc_transaction_promotion_enabled, data_source FROM sys.servers \
        WHERE name = 'SQL2'",
        )
        .await;
    let expected = [
        Value::Bit(true),
        Value::Bit(true),
        Value::Bit(true),
        "SQL2".into(),
    ];
    assert_eq!(answer.rows, [expected]);
    let answer = client
        .run("SELECT uses_self_credential FROM sys.linked_logins")
        .await;
    assert_eq!(answer.rows, [[Value::Bit(true)]]);
    client.run("EXEC sp_testlinkedserver N'SQL2'").await;
    let name = client
        .run("EXEC ('SELECT SERVERPROPERTY(''ServerName'')') AT SQL2")
        .await;
    assert_eq!(name.value(), &"SQL2".into());
}

#[tokio::test]
async fn a_link_is_made_once_and_dropped_with_its_logins() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    assert_eq!(
        client.fail("EXEC sp_addlinkedserver N'sql2'").await,
        [15028]
    );
    assert_eq!(client.fail("EXEC sp_dropserver N'SQL2'").await, [15190]);
    client.run("EXEC sp_dropserver N'SQL2', 'droplogins'").await;
    assert_eq!(
        client
            .fail("EXEC sp_dropserver N'SQL2', 'droplogins'")
            .await,
        [15015]
    );
    assert_eq!(client.fail("EXEC SQL2.master.dbo.sp_who").await, [7202]);
    assert_eq!(client.fail("SELECT * FROM SQL2.master.dbo.t").await, [7202]);
}

#[tokio::test]
async fn each_option_is_a_gate_of_its_own() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_serveroption 'SQL2', 'rpc out', 'false'")
        .await;
    assert_eq!(client.fail("EXEC ('SELECT 1') AT SQL2").await, [7411]);
    client
        .run("EXEC sp_serveroption 'SQL2', 'data access', 'off'")
        .await;
    assert_eq!(
        client.fail("SELECT * FROM SQL2.msdb.dbo.backupset").await,
        [7411]
    );
    assert_eq!(
        client
            .fail("EXEC sp_serveroption 'SQL2', 'no such', 'on'")
            .await,
        [15600]
    );
    assert_eq!(
        client
            .fail("EXEC sp_serveroption 'SQL9', 'rpc', 'on'")
            .await,
        [15015]
    );
}

#[tokio::test]
async fn without_a_mapping_the_link_is_closed_and_with_one_it_opens() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    client.run("EXEC sp_droplinkedsrvlogin 'SQL2', NULL").await;
    assert_eq!(client.fail("EXEC ('SELECT 1') AT SQL2").await, [7416]);
    cluster.hosts[1]
        .instance
        .create_login("far", "far-pass1", &["sysadmin"])
        .expect("a login");
    client
        .run("EXEC sp_addlinkedsrvlogin 'SQL2', 'FALSE', 'sa', 'far', 'wrong'")
        .await;
    assert_eq!(client.fail("EXEC ('SELECT 1') AT SQL2").await, [18456]);
    client
        .run("EXEC sp_addlinkedsrvlogin 'SQL2', 'FALSE', 'sa', 'far', 'far-pass1'")
        .await;
    let who = client.run("EXEC ('SELECT SUSER_SNAME()') AT SQL2").await;
    assert_eq!(who.value(), &"far".into());
    assert_eq!(
        client
            .fail("EXEC sp_addlinkedsrvlogin 'SQL2', 'TRUE', 'nobody'")
            .await,
        [15007]
    );
}

#[tokio::test]
async fn an_unreachable_host_is_7303_after_what_the_provider_said() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    cluster.network.strike("SQL2");
    let mut client = cluster.hosts[0].client().await;
    let answer = client.try_run("EXEC sp_testlinkedserver 'SQL2'").await;
    assert_eq!(answer.numbers(), [7303]);
    assert_eq!(answer.info_numbers(), [7412]);
}

#[tokio::test]
async fn links_may_be_changed_by_those_only_who_have_the_right() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let host = &cluster.hosts[0];
    host.instance
        .create_login("plain", PASSWORD, &[])
        .expect("a login");
    let mut client = host.client_of("plain", PASSWORD).await.expect("may log in");
    assert_eq!(client.fail("EXEC sp_addlinkedserver N'X'").await, [15247]);
    assert_eq!(
        client
            .fail("EXEC sp_serveroption 'SQL2', 'rpc', 'on'")
            .await,
        [15247]
    );
    assert_eq!(
        client.fail("EXEC sp_droplinkedsrvlogin 'SQL2', NULL").await,
        [15247]
    );
    let mut sa = host.client().await;
    sa.run("GRANT ALTER ANY LINKED SERVER TO plain").await;
    client.run("EXEC sp_serveroption 'SQL2', 'rpc', 'on'").await;
    assert_eq!(
        client.fail("EXEC sp_droplinkedsrvlogin 'SQL2', NULL").await,
        [15247]
    );
}

#[tokio::test]
async fn links_are_not_changed_within_a_transaction() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    let errors = client
        .fail("BEGIN TRAN; EXEC sp_addlinkedserver N'X'")
        .await;
    assert_eq!(errors, [15002]);
}

#[tokio::test]
async fn a_remote_procedure_gives_back_status_outputs_and_rows() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut far = cluster.hosts[1].client().await;
    far.script(
        "CREATE DATABASE Pay\nGO\nUSE Pay\nGO\n\
         CREATE PROCEDURE dbo.Twice @in int, @out int OUTPUT AS BEGIN \
         SELECT @in AS given, N'x''y' AS word; SET @out = @in * 2; RETURN 7; END",
    )
    .await;
    let mut client = cluster.hosts[0].client().await;
    let answer = client
        .run(
            "DECLARE @o int = 0, @rc int; \
        EXEC @rc = SQL2.Pay.dbo.Twice 21, @o OUTPUT; SELECT @o, @rc",
        )
        .await;
    let expected: [Vec<Value>; 2] = [
        vec![Value::Int(21), "x'y".into()],
        vec![Value::Int(42), Value::Int(7)],
    ];
    assert_eq!(answer.rows, expected);
    assert_eq!(client.fail("EXEC SQL2.Pay.dbo.Nothing").await, [2812]);
}

#[tokio::test]
async fn tables_of_other_hosts_are_read_and_changed() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut far = cluster.hosts[1].client().await;
    far.script(
        "CREATE DATABASE Pay\nGO\nUSE Pay\nGO\n\
         CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Word nvarchar(20) NULL, Price money)",
    )
    .await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run(
            "DECLARE @id int = 1; \
        INSERT INTO SQL2.Pay.dbo.T (Id, Word, Price) VALUES (@id, N'one', 1.5)",
        )
        .await;
    client
        .run(
            "SELECT 2 AS a, N'two' AS b INTO #t; \
        INSERT INTO SQL2.Pay.dbo.T (Id, Word) SELECT a, b FROM #t",
        )
        .await;
    client
        .run("UPDATE [SQL2].Pay.dbo.T SET Word = N'uno' WHERE Id = 1")
        .await;
    let answer = client
        .run("SELECT Id, Word, Price FROM SQL2.Pay.dbo.T AS t ORDER BY Id")
        .await;
    assert_eq!(answer.rows.len(), 2);
    assert_eq!(answer.rows[0][1], "uno".into());
    assert_eq!(answer.rows[1][1], "two".into());
    client.run("DELETE FROM SQL2.Pay.dbo.T WHERE Id = 2").await;
    let count = client.run("SELECT COUNT(*) FROM SQL2.Pay.dbo.T").await;
    assert_eq!(count.value(), &Value::Int(1));
    assert_eq!(
        client.fail("SELECT * FROM SQL2.Pay.dbo.Missing").await,
        [7314]
    );
    assert_eq!(client.fail("SELECT * FROM SQL2.Pay..T").await, [7313]);
}

#[tokio::test]
async fn a_link_that_verifies_certificates_trusts_its_ca_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::open(folder.path()).expect("a CA");
    let network = Arc::new(Network::new());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut hosts = Vec::new();
    for name in ["SQL1", "SQL2"] {
        let options = InstanceOptions::new(name).with_dial(network.clone());
        let host = Simulator::start(&folder.path().join(name), options, any, &authority).await;
        let host = host.expect("the host starts");
        let made = host.instance().create_login("sa", PASSWORD, &["sysadmin"]);
        made.expect("a login");
        hosts.push(host);
    }
    let mut client = Client::open(hosts[0].instance(), "sa", PASSWORD)
        .await
        .expect("sa may log in");
    client
        .run(
            "EXEC sp_addlinkedserver @server = 'SQL2', @srvproduct = '', @provider = 'MSOLEDBSQL', \
             @datasrc = 'SQL2', @provstr = 'Encrypt=Mandatory'",
        )
        .await;
    let answer = client.try_run("EXEC sp_testlinkedserver 'SQL2'").await;
    assert_eq!(answer.numbers(), [7303]);
    assert!(
        answer.infos[0].text.contains("certificate"),
        "{:?}",
        answer.infos
    );
    let pem = std::fs::read_to_string(authority.file()).expect("the CA's file");
    network.trust(&pem);
    client.run("EXEC sp_testlinkedserver 'SQL2'").await;
}

#[tokio::test]
async fn a_link_whose_password_is_wrong_is_refused_as_the_other_host_refuses() {
    let cluster = Cluster::linked(&["SQL1", "SQL2"]).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_addlinkedsrvlogin 'SQL2', 'false', NULL, 'sa', 'not this one'")
        .await;
    let refused = client.fail("EXEC sp_testlinkedserver 'SQL2'").await;
    assert_eq!(refused, [18456]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_takes_connections_and_says_nothing_is_7303_after_the_login_time_out() {
    let clock = Arc::new(HandClock::new());
    let cluster = Cluster::start_at(&["SQL1", "SQL2"], clock.clone()).await;
    cluster.link().await;
    let mut other = cluster.hosts[1].client().await;
    other
        .run("EXEC sp_sim_fault 'drop', 'CONNECT', @times = 0")
        .await;
    let mut client = cluster.hosts[0].client().await;
    let passing = async {
        loop {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::select! {
        answer = client.try_run("EXEC sp_testlinkedserver 'SQL2'") => answer,
        () = passing => unreachable!("time never ends"),
    };
    assert_eq!(answer.numbers(), [7303]);
    assert!(
        answer.infos[0].text.contains("Login timeout expired"),
        "{:?}",
        answer.infos
    );
    other.run("EXEC sp_sim_fault 'clear'").await;
}
