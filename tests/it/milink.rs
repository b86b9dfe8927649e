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
    let versions = "ALTER DATABASE Ledger SET ACCELERATED_DATABASE_RECOVERY = ON;";
    stage.script("SQL1", "master", versions).await;
    let checked = stage.run(&["milink", "check", "SQL1/Ledger"]).await.stdout;
    assert!(
        checked.contains("WARN  accelerated recovery: on"),
        "{checked}"
    );
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
        "DROP ENDPOINT [database_mirroring_endpoint];",
        "DROP CERTIFICATE [Cert_SQL1_endpoint];",
        "DROP MASTER KEY;",
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
        .script("SQL1", "master", "EXEC sp_sim_seeding 'Ledger', 2;")
        .await;
    let failed = stage.run(&watch).await;
    let told = "its seeding failed: Seeding Check Message Timeout (1412)";
    assert!(failed.stdout.contains(told), "{}", failed.stdout);
    must(&stage.run(&["backup", "log"]).await);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_an_earlier_try_left_is_found_by_its_name_and_dropped() {
    let stage = two_members().await;
    must(&stage.run(&["milink", "prepare", "SQL1/Ledger"]).await);
    let row = "names of groups";
    assert!(
        !failing(&stage, "SQL1/Ledger")
            .await
            .iter()
            .any(|it| it == row)
    );
    let left = "CREATE AVAILABILITY GROUP ag_ledger WITH (CLUSTER_TYPE = NONE) FOR \
        REPLICA ON N'SQL1' WITH (ENDPOINT_URL = N'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
        FAILOVER_MODE = MANUAL);";
    stage.script("SQL1", "master", left).await;
    let found = stage.run(&["milink", "check", "SQL1/Ledger"]).await;
    let told = "FAIL  names of groups: taken by other groups: `AG_Ledger`";
    assert!(found.stdout.contains(told), "{}", found.stdout);
    assert!(
        failing(&stage, "SQL1/Ledger")
            .await
            .iter()
            .any(|it| it == row)
    );
    let drop = "DROP AVAILABILITY GROUP ag_ledger;";
    stage.script("SQL1", "master", drop).await;
    assert!(
        !failing(&stage, "SQL1/Ledger")
            .await
            .iter()
            .any(|it| it == row)
    );
}

/// A stage whose `Ledger` is in a group of its own host.
async fn linked_by_a_group() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger", "Orders"]), ("SQL2", &["Accounts"])]).await;
    must(&stage.run(&["backup", "full"]).await);
    let group = "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR DATABASE Ledger \
        REPLICA ON N'SQL1' WITH (ENDPOINT_URL = N'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
        FAILOVER_MODE = MANUAL);";
    stage.script("SQL1", "master", group).await;
    stage
}

/// The roles of the two sides of the link to `mi1`.
async fn sides(stage: &Stage, here: &str, there: &str) {
    let sql = format!("EXEC sp_sim_distributed 'ag', 'DAG_Ledger', 'mi1', '{here}', '{there}';");
    stage.script("SQL1", "master", &sql).await;
}

/// The members that the newest point holds.
async fn marked(stage: &Stage) -> Vec<String> {
    let shown = stage.must(&["show", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("json");
    let members = shown["set"]["mark"]["members"].as_array();
    let members = members.unwrap_or_else(|| panic!("{shown:#}")).iter();
    let name = |it: &Value| it["member"].as_str().expect("a name").to_owned();
    members.map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_primary_is_the_managed_instance_leaves_the_marked_set_until_it_fails_back()
{
    let stage = linked_by_a_group().await;
    sides(&stage, "PRIMARY", "SECONDARY").await;
    let linked = stage.must(&["backup", "log"]).await;
    assert!(!linked.contains("SM0217"), "{linked}");
    assert_eq!(marked(&stage).await.len(), 3);
    for there in ["PRIMARY", ""] {
        sides(&stage, "SECONDARY", there).await;
        let away = stage.must(&["backup", "log"]).await;
        assert!(away.contains("SM0217"), "{away}");
        let told = "`SQL1/Ledger` leaves the marked set: its primary is `mi1`";
        assert!(away.contains(told), "{away}");
        assert_eq!(marked(&stage).await, ["SQL1/Orders", "SQL2/Accounts"]);
        let points = stage.must(&["points"]).await;
        assert!(
            points.contains("SQL1/Ledger"),
            "what it lacks is named: {points}"
        );
        let checked = stage.run(&["check"]).await;
        assert_eq!(checked.exit, Exit::Degraded, "{}", checked.stdout);
        assert!(checked.stdout.contains(told), "{}", checked.stdout);
        let row = stage.run(&["milink", "check", "SQL1/Ledger"]).await;
        let told = "`DAG_Ledger` to `mi1`, primary over there";
        assert!(row.stdout.contains(told), "{}", row.stdout);
    }
    sides(&stage, "PRIMARY", "SECONDARY").await;
    stage.must(&["backup", "log"]).await;
    assert_eq!(marked(&stage).await.len(), 3);
    stage.must(&["verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_brain_after_a_forced_failover_is_named_and_no_mark_is_placed() {
    let stage = linked_by_a_group().await;
    sides(&stage, "PRIMARY", "PRIMARY").await;
    let split = stage.run(&["backup", "log"]).await;
    assert_ne!(split.exit, Exit::Ok, "{}", split.stdout);
    let told = "split brain: after a forced failover both this side and `mi1` claim to be primary of member \
                `SQL1/Ledger`";
    assert!(split.stdout.contains(told), "{}", split.stdout);
    assert!(split.stdout.contains("SM0215"), "{}", split.stdout);
    let checked = stage.run(&["check"]).await;
    assert_eq!(checked.exit, Exit::Failed, "{}", checked.stdout);
    assert!(checked.stdout.contains(told), "{}", checked.stdout);
    let row = stage.run(&["milink", "check", "SQL1/Ledger"]).await;
    let told = "FAIL  link: `DAG_Ledger` to `mi1`, primary on both sides (split brain)";
    assert!(row.stdout.contains(told), "{}", row.stdout);
    sides(&stage, "", "").await;
    stage.must(&["backup", "log"]).await;
    stage.must(&["check"]).await;
    assert_eq!(marked(&stage).await.len(), 3);
}
