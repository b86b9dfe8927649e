//! Two-phase commit between hosts: all or nothing, also when one of them dies on the way.

use std::sync::Arc;
use std::time::Duration;

use sqlsim::clock::{Clock, SystemClock};
use sqlsim::faults::{Fault, FaultKind};
use sqlsim::value::Value;

use super::clock::HandClock;
use super::hosts::{Client, Cluster};

/// Two hosts, each with a database of one table and a procedure that adds a row.
async fn pair() -> Cluster {
    pair_at(Arc::new(SystemClock::new())).await
}

async fn pair_at(clock: Arc<dyn Clock>) -> Cluster {
    banks_at(&["SQL1", "SQL2"], clock).await
}

async fn banks_at(names: &[&str], clock: Arc<dyn Clock>) -> Cluster {
    let cluster = Cluster::start_at(names, clock).await;
    cluster.link().await;
    for host in &cluster.hosts {
        host.client().await.script(
            "CREATE DATABASE D\nGO\nUSE D\nGO\nCREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY)\n\
             GO\nCREATE PROCEDURE dbo.Put @id int AS INSERT INTO dbo.T (Id) VALUES (@id)",
        )
        .await;
    }
    cluster
}

const PUT_BOTH: &str = "SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO D.dbo.T VALUES (1); \
     EXEC SQL2.D.dbo.Put 1;";

fn put_both(id: u32) -> String {
    format!(
        "SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO D.dbo.T VALUES ({id}); \
         EXEC SQL2.D.dbo.Put {id};"
    )
}

async fn count(client: &mut Client) -> Value {
    client
        .run("SELECT COUNT(*) FROM D.dbo.T")
        .await
        .value()
        .clone()
}

/// Lets time pass until a host counts this many rows: outcomes travel in the background.
async fn settles_at(cluster: &Cluster, clock: &HandClock, host: usize, rows: i64) {
    for _ in 0..2000 {
        let mut client = cluster.hosts[host].client().await;
        let seen = client.try_run("SELECT COUNT(*) FROM D.dbo.T").await;
        let in_doubt = cluster.hosts[host].instance.dtc.in_doubt();
        if in_doubt.is_empty() && seen.rows == [[Value::Int(rows)]] {
            return;
        }
        clock.advance(Duration::from_millis(50));
        tokio::task::yield_now().await;
    }
    panic!("host {host} never came to {rows} rows");
}

#[tokio::test]
async fn a_commit_reaches_both_hosts() {
    let cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client.run(&format!("{PUT_BOTH} COMMIT")).await;
    assert_eq!(count(&mut client).await, Value::Int(1));
    assert_eq!(
        count(&mut cluster.hosts[1].client().await).await,
        Value::Int(1)
    );
    assert!(cluster.hosts[1].instance.dtc.in_doubt().is_empty());
}

#[tokio::test]
async fn a_rollback_reaches_both_hosts() {
    let cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client.run(&format!("{PUT_BOTH} ROLLBACK")).await;
    assert_eq!(count(&mut client).await, Value::Int(0));
    assert_eq!(
        count(&mut cluster.hosts[1].client().await).await,
        Value::Int(0)
    );
}

#[tokio::test]
async fn a_failure_on_the_other_host_undoes_both() {
    let cluster = pair().await;
    cluster.hosts[1]
        .client()
        .await
        .run("INSERT INTO D.dbo.T VALUES (1)")
        .await;
    let mut client = cluster.hosts[0].client().await;
    let errors = client.fail(&format!("{PUT_BOTH} COMMIT")).await;
    assert_eq!(errors, [2627]);
    assert_eq!(count(&mut client).await, Value::Int(0));
}

#[tokio::test]
async fn without_promotion_the_other_host_commits_on_its_own() {
    let cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client
        .run("EXEC sp_serveroption 'SQL2', 'remote proc transaction promotion', 'false'")
        .await;
    client.run(&format!("{PUT_BOTH} ROLLBACK")).await;
    assert_eq!(count(&mut client).await, Value::Int(0));
    assert_eq!(
        count(&mut cluster.hosts[1].client().await).await,
        Value::Int(1)
    );
}

#[tokio::test]
async fn with_msdtc_off_nothing_is_promoted() {
    let cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client.run("EXEC sp_sim_fault 'dtc off'").await;
    assert_eq!(client.fail(&format!("{PUT_BOTH} COMMIT")).await, [8501]);
    cluster.hosts[1]
        .client()
        .await
        .run("EXEC sp_sim_fault 'dtc off'")
        .await;
    assert_eq!(client.fail(&format!("{PUT_BOTH} COMMIT")).await, [7391]);
    assert_eq!(count(&mut client).await, Value::Int(0));
}

#[tokio::test]
async fn a_link_back_to_the_own_host_is_refused() {
    let cluster = pair().await;
    cluster
        .network
        .enter("MIRROR", &address_of(&cluster, "SQL1"));
    let mut client = cluster.hosts[0].client().await;
    client.run("EXEC sp_addlinkedserver 'MIRROR'").await;
    let errors = client.fail("BEGIN TRAN; EXEC MIRROR.D.dbo.Put 1").await;
    assert_eq!(errors, [3910]);
}

fn address_of(cluster: &Cluster, name: &str) -> String {
    let host = cluster
        .hosts
        .iter()
        .find(|host| host.name == name)
        .expect("known");
    host.address()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_killed_before_its_decision_leaves_nothing_behind() {
    let clock = Arc::new(HandClock::new());
    let mut cluster = pair_at(clock.clone()).await;
    kill_during_commit(&mut cluster, 0, "kill before decision").await;
    settles_at(&cluster, &clock, 0, 0).await;
    settles_at(&cluster, &clock, 1, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_killed_after_its_decision_is_heard_after_its_restart() {
    let clock = Arc::new(HandClock::new());
    let mut cluster = pair_at(clock.clone()).await;
    kill_during_commit(&mut cluster, 0, "kill after decision").await;
    settles_at(&cluster, &clock, 0, 1).await;
    settles_at(&cluster, &clock, 1, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_killed_when_prepared_asks_and_the_others_do_not_wait_for_it() {
    let clock = Arc::new(HandClock::new());
    let mut cluster = pair_at(clock.clone()).await;
    kill_during_commit(&mut cluster, 1, "kill after prepare").await;
    // The coordinator heard no yes: it rolled back, and says so when it is asked.
    settles_at(&cluster, &clock, 0, 0).await;
    settles_at(&cluster, &clock, 1, 0).await;
}

async fn kill_during_commit(cluster: &mut Cluster, victim: usize, fault: &str) {
    cluster.hosts[victim]
        .client()
        .await
        .run(&format!("EXEC sp_sim_fault '{fault}'"))
        .await;
    let killed = cluster.hosts[victim].instance.faults.killed();
    let mut client = cluster.hosts[0].client().await;
    let sql = format!("{PUT_BOTH} COMMIT");
    tokio::select! {
        _ = client.try_run(&sql) => {}
        () = killed.cancelled() => {}
    }
    assert!(killed.is_cancelled());
    cluster.hosts[victim].kill_and_restart().await;
}

#[tokio::test]
async fn databases_of_one_host_commit_together_and_survive_a_kill_together() {
    let mut cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client
        .script("CREATE DATABASE E\nGO\nUSE E\nGO\nCREATE TABLE dbo.T (Id int NOT NULL)")
        .await;
    client.run("EXEC sp_sim_fault 'kill after decision'").await;
    let killed = cluster.hosts[0].instance.faults.killed();
    tokio::select! {
        _ = client.try_run("BEGIN TRAN; INSERT INTO D.dbo.T VALUES (5); \
            INSERT INTO E.dbo.T VALUES (5); COMMIT") => {}
        () = killed.cancelled() => {}
    }
    cluster.hosts[0].kill_and_restart().await;
    let mut client = cluster.hosts[0].client().await;
    let answer = client
        .run("SELECT Id FROM D.dbo.T UNION ALL SELECT Id FROM E.dbo.T")
        .await;
    assert_eq!(answer.rows, [[Value::Int(5)], [Value::Int(5)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_connection_is_cut_both_hosts_end_alike() {
    let clock = Arc::new(HandClock::new());
    let cluster = pair_at(clock.clone()).await;
    let mut committed = 0;
    for skip in 0..8 {
        let mut client = cluster.hosts[0].client().await;
        client.run(&put_both(skip)).await;
        let faults = &cluster.hosts[1].instance.faults;
        let cut = Fault::once(FaultKind::Cut);
        faults.arm(Fault { skip, ..cut });
        let _either = client.try_run("COMMIT").await;
        faults.clear();
        let mut own = cluster.hosts[0].client().await;
        let rows = count(&mut own).await.as_int().expect("a count");
        committed += i64::from(rows > committed);
        assert_eq!(rows, committed);
        settles_at(&cluster, &clock, 1, rows).await;
    }
    assert!(
        (1..8).contains(&committed),
        "{committed} of 8 were committed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_stalls_leaves_the_other_host_in_doubt_until_it_goes_on() {
    let cluster = pair().await;
    let mut client = cluster.hosts[0].client().await;
    client.run("EXEC sp_sim_fault 'stall commit'").await;
    client.run(&put_both(1)).await;
    let other = &cluster.hosts[1];
    let watching = async {
        while other.instance.dtc.in_doubt().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut watcher = other.client().await;
        let doubts = watcher
            .run("SELECT COUNT(*) FROM sys.dm_tran_active_transactions")
            .await;
        assert!(doubts.errors.is_empty());
        let mut own = cluster.hosts[0].client().await;
        own.run("EXEC sp_sim_fault 'clear'").await;
    };
    let (answer, ()) = tokio::join!(client.run("COMMIT"), watching);
    assert!(answer.errors.is_empty());
    for host in &cluster.hosts {
        assert_eq!(count(&mut host.client().await).await, Value::Int(1));
    }
}

/// The one in the middle forgets with its life whom it had called; they must not take its silence
/// for an abort.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_below_one_that_died_in_doubt_commits_as_the_root_decided() {
    let clock = Arc::new(HandClock::new());
    let mut cluster = banks_at(&["SQL1", "SQL2", "SQL3"], clock.clone()).await;
    let pass = "USE D; EXEC('CREATE PROCEDURE dbo.Pass @id int AS BEGIN EXEC dbo.Put @id; \
                EXEC SQL3.D.dbo.Put @id; END')";
    cluster.hosts[1].client().await.run(pass).await;
    let mut client = cluster.hosts[0].client().await;
    client.run("EXEC sp_sim_fault 'stall commit'").await;
    let sql = "SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO D.dbo.T VALUES (1); \
               EXEC SQL2.D.dbo.Pass 1; COMMIT";
    let committing = tokio::spawn(async move { client.try_run(sql).await.numbers() });
    // The root prepares last, and then waits before it decides.
    let root = cluster.hosts[0]
        .instance
        .database("D")
        .expect("it is there");
    while root.storage().in_doubt().is_empty() {
        tokio::task::yield_now().await;
    }
    cluster.hosts[1].kill_and_restart().await;
    let mut own = cluster.hosts[0].client().await;
    own.run("EXEC sp_sim_fault 'clear'").await;
    assert!(committing.await.expect("it ends").is_empty());
    for host in 0..3 {
        settles_at(&cluster, &clock, host, 1).await;
    }
}
