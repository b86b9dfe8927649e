//! On the way to an Azure SQL Managed Instance: what is missing is found, mended by what is printed, and healthy then.

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::{Stage, must};

async fn two_members() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    must(&stage.run(&["link", "apply"]).await);
    stage
}

/// The rows of `milink check` that fail, by what they are about.
async fn failing(stage: &Stage, member: &str) -> Vec<String> {
    let checked = stage.run(&["milink", "check", member, "--json"]).await;
    let rows: Value = serde_json::from_str(&checked.stdout).expect("json");
    let rows = rows["rows"].as_array().expect("rows").clone();
    let failed = rows.iter().filter(|row| row["standing"] == "fail");
    let failed: Vec<String> = failed
        .filter_map(|row| row["what"].as_str().map(str::to_owned))
        .collect();
    let is_failed = checked.exit == Exit::Failed;
    assert_eq!(is_failed, !failed.is_empty(), "{}", checked.stdout);
    failed
}

/// What the host is given, as people would by the printed T-SQL: no simulated host can make keys and endpoints.
async fn give(stage: &Stage, what: &str, name: &str, value: &str) {
    let sql = format!("EXEC sp_sim_estate N'{what}', N'{name}', N'{value}';");
    stage.script("SQL1", "master", &sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_lacks_fails_row_by_row_until_it_is_there() {
    let stage = two_members().await;
    let member = "SQL1/Ledger";
    assert_eq!(
        failing(&stage, member).await,
        ["master key", "certificate", "endpoint", "chain"]
    );
    give(&stage, "master key", "-", "1").await;
    give(&stage, "certificate", "Cert_SQL1_endpoint", "2099-01-31").await;
    give(&stage, "endpoint", "Cert_SQL1_endpoint", "5022").await;
    assert_eq!(failing(&stage, member).await, ["chain"]);
    let prepared = stage.run(&["milink", "prepare", member]).await;
    must(&prepared);
    assert_eq!(failing(&stage, member).await, [""; 0]);
    let again = stage.run(&["milink", "prepare", member]).await;
    must(&again);
    assert!(
        again.stdout.contains("every chain is as a link needs it"),
        "{}",
        again.stdout
    );
    must(&stage.run(&["points"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_met_bulk_changes_is_begun_anew_for_the_link() {
    let stage = two_members().await;
    must(&stage.run(&["milink", "prepare", "SQL1/Ledger"]).await);
    give(&stage, "hadr", "-", "0").await;
    let lost = stage.run(&["milink", "check", "SQL1/Ledger"]).await;
    assert!(
        lost.stdout.contains("FAIL  availability groups: off"),
        "{}",
        lost.stdout
    );
    give(&stage, "hadr", "-", "1").await;
    let copy = "BACKUP DATABASE Ledger TO DISK = N'copy.bak' WITH COPY_ONLY, FORMAT;";
    stage.script("SQL1", "Ledger", copy).await;
    let simple =
        "ALTER DATABASE Ledger SET RECOVERY SIMPLE; ALTER DATABASE Ledger SET RECOVERY FULL;";
    stage.script("SQL1", "master", simple).await;
    assert!(
        failing(&stage, "SQL1/Ledger")
            .await
            .contains(&"chain".to_owned())
    );
    must(&stage.run(&["milink", "prepare", "SQL1/Ledger"]).await);
    assert!(
        !failing(&stage, "SQL1/Ledger")
            .await
            .contains(&"chain".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_recovery_models_and_system_databases_are_refused_with_the_statement_that_mends() {
    let stage = two_members().await;
    let simple = "ALTER DATABASE Ledger SET RECOVERY SIMPLE;";
    stage.script("SQL1", "master", simple).await;
    let refused = stage.run(&["milink", "prepare", "SQL1/Ledger"]).await;
    assert_eq!(refused.exit, Exit::Failed, "{}", refused.stdout);
    assert!(refused.stderr.contains("SM0206"), "{}", refused.stderr);
    let checked = stage.run(&["milink", "check", "SQL1/Ledger"]).await;
    let cure = "ALTER DATABASE [Ledger] SET RECOVERY FULL;";
    assert!(checked.stdout.contains(cure), "{}", checked.stdout);
    stage.script("SQL1", "master", cure).await;
    must(&stage.run(&["milink", "prepare", "SQL1/Ledger"]).await);
    let system = stage.run(&["milink", "check", "SQL1/msdb"]).await;
    assert!(
        system.stdout.contains("FAIL  database: a system database"),
        "{}",
        system.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steps_of_a_link_have_their_names_their_order_and_their_way_back() {
    let stage = two_members().await;
    let words = [
        "milink",
        "script",
        "SQL1/Ledger",
        "--instance",
        "MI1.abc.database.windows.net",
        "--resource-group",
        "o'group",
        "--endpoint",
        "10.1.0.4:5022",
    ];
    let written = stage.run(&words).await;
    must(&written);
    let order = [
        "CREATE MASTER KEY",
        "CREATE CERTIFICATE [Cert_SQL1_endpoint]",
        "CREATE ENDPOINT",
        "New-AzSqlInstanceServerTrustCertificate -ResourceGroupName 'o''group' -InstanceName 'mi1'",
        "CREATE CERTIFICATE [mi1.abc.database.windows.net] FROM BINARY",
        "CREATE AVAILABILITY GROUP [AG_Ledger]",
        "DROP AVAILABILITY GROUP [AG_Ledger];",
        "CREATE AVAILABILITY GROUP [DAG_Ledger]",
        "tcp://mi1.abc.database.windows.net:5022;Server=[mi1]",
        "New-AzSqlInstanceLink",
        "Remove-AzSqlInstanceLink",
        "dm_hadr_physical_seeding_stats",
    ];
    let mut rest = written.stdout.as_str();
    for text in order {
        let at = rest
            .find(text)
            .unwrap_or_else(|| panic!("`{text}` is not in:\n{rest}"));
        rest = &rest[at..];
    }
    let mut short = words;
    short[4] = "mi1";
    let refused = stage.run(&short).await;
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeding_is_followed_with_what_its_pause_costs_until_it_ends() {
    let stage = two_members().await;
    must(&stage.run(&["milink", "prepare", "SQL1/Ledger"]).await);
    let watch = ["milink", "watch", "SQL1/Ledger", "--once"];
    let quiet = stage.run(&watch).await;
    assert!(
        quiet.stdout.contains("no seeding goes on"),
        "{}",
        quiet.stdout
    );
    let group = "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR DATABASE Ledger \
        REPLICA ON N'SQL1' WITH (ENDPOINT_URL = N'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
        FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC);";
    stage.script("SQL1", "master", group).await;
    stage
        .script("SQL1", "master", "EXEC sp_sim_seeding 'Ledger', 1;")
        .await;
    let seeding = stage.run(&watch).await;
    must(&seeding);
    assert!(
        seeding
            .stdout
            .contains("its log backups are paused (SM0507)"),
        "{}",
        seeding.stdout
    );
    stage
        .script("SQL1", "master", "DBCC TRACEON (12381, -1);")
        .await;
    let kept = stage.run(&watch).await;
    assert!(
        kept.stdout.contains("log backups may go on"),
        "{}",
        kept.stdout
    );
    stage
        .script("SQL1", "master", "EXEC sp_sim_seeding 'Ledger', 0;")
        .await;
    let ended = stage.run(&["milink", "watch", "SQL1/Ledger"]).await;
    must(&ended);
    assert!(
        ended.stdout.contains("no seeding goes on"),
        "{}",
        ended.stdout
    );
}
