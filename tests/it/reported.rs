//! 1475 in its own setting: somebody else's session meets it, nobody tells, and the next run cures it.

use stopmark::error::Exit;

use crate::stage::{Printed, Stage};

const GROUP: &str = "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR REPLICA ON N'SQL1' WITH \
    (ENDPOINT_URL = N'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL);";
const JOIN: &str = "ALTER AVAILABILITY GROUP ag ADD DATABASE Ledger;";
/// A statement of its own that ends well if the join is refused with 1475.
const JOIN_REFUSED: &str = "BEGIN TRY ALTER AVAILABILITY GROUP ag ADD DATABASE Ledger; THROW 50000, N'joined', 1; \
    END TRY BEGIN CATCH IF ERROR_NUMBER() <> 1475 THROW; END CATCH;";

async fn based() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Orders", "Ledger"]), ("SQL2", &["Accounts"])]).await;
    for args in [["backup", "full"], ["backup", "log"]] {
        let printed = stage.run(&args).await;
        assert_eq!(
            printed.exit,
            Exit::Ok,
            "{}{}",
            printed.stdout,
            printed.stderr
        );
    }
    stage
}

/// A full answers what was met in the second in which it began: here some seconds pass.
async fn pass_some_seconds(stage: &Stage) {
    let later = "EXEC sp_sim_fault @kind = 'skew clock', @milliseconds = 3000;";
    stage.script("SQL1", "master", later).await;
}

async fn meet_1475(stage: &Stage) {
    pass_some_seconds(stage).await;
    stage
        .script("SQL1", "master", "EXEC sp_sim_bulk_change N'Ledger';")
        .await;
    stage.script("SQL1", "master", GROUP).await;
    stage.script("SQL1", "master", JOIN_REFUSED).await;
}

async fn log_plan(stage: &Stage) -> String {
    let printed = stage.run(&["backup", "log", "--dry-run"]).await;
    assert_eq!(
        printed.exit,
        Exit::Ok,
        "{}{}",
        printed.stdout,
        printed.stderr
    );
    printed.stdout
}

fn fulls(printed: &Printed) -> usize {
    printed.stdout.matches("back up the full").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_met_1475_joins_after_the_next_log_run() {
    let stage = based().await;
    assert!(!log_plan(&stage).await.contains("back up the full"));
    meet_1475(&stage).await;
    let plan = log_plan(&stage).await;
    assert!(
        plan.contains("back up the full of `SQL1/Ledger`: chain broken: "),
        "{plan}"
    );
    assert!(plan.contains("met error 1475 on "), "{plan}");
    assert_eq!(
        plan.matches("back up the full").count(),
        1,
        "no other member: {plan}"
    );
    pass_some_seconds(&stage).await;
    let cured = stage.run(&["backup", "log"]).await;
    assert_eq!(cured.exit, Exit::Ok, "{}{}", cured.stdout, cured.stderr);
    stage.script("SQL1", "master", JOIN).await;
    assert!(
        !log_plan(&stage).await.contains("back up the full"),
        "it is answered"
    );
    let points = stage.run(&["list", "--json"]).await.stdout;
    assert!(points.contains("SM_"), "{points}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_made_kept_and_dropped_by_plan() {
    let stage = Stage::set(&[("SQL1", &["Orders"]), ("SQL2", &["Accounts"])]).await;
    let running =
        "SELECT CAST(COUNT(*) AS bigint) FROM sys.dm_xe_sessions WHERE name = N'stopmark_stage';";
    assert_eq!(stage.number("SQL2", "master", running).await, 1);
    let again = stage.run(&["group", "prepare", "--dry-run"]).await;
    assert!(!again.stdout.contains("event session"), "{}", again.stdout);
    let stop = "ALTER EVENT SESSION stopmark_stage ON SERVER STATE = STOP;";
    stage.script("SQL2", "master", stop).await;
    let mended = stage.run(&["group", "prepare"]).await;
    assert!(
        mended.stdout.contains("event session `stopmark_stage`"),
        "{}",
        mended.stdout
    );
    assert_eq!(stage.number("SQL2", "master", running).await, 1);
    let removed = stage.run(&["group", "prepare", "--remove"]).await;
    assert_eq!(
        removed.exit,
        Exit::Ok,
        "{}{}",
        removed.stdout,
        removed.stderr
    );
    for host in ["SQL1", "SQL2"] {
        assert_eq!(stage.number(host, "master", running).await, 0, "{host}");
    }
    let told = stage.run(&["check"]).await.stdout;
    assert!(
        told.contains("error 1475 and its kin are not heard"),
        "{told}"
    );
    assert_eq!(
        fulls(&stage.run(&["backup", "full", "--dry-run"]).await),
        2,
        "backups need none"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_refused_is_named_and_keeps_nobody_from_working() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    stage
        .script(
            "SQL1",
            "master",
            "DENY ALTER ANY EVENT SESSION TO stopmark; \
             ALTER SERVER ROLE sysadmin DROP MEMBER stopmark; GRANT CONTROL SERVER TO stopmark;",
        )
        .await;
    let prepared = stage.run(&["group", "prepare"]).await;
    assert!(
        prepared.stdout.contains("lacks ALTER ANY EVENT SESSION"),
        "{}",
        prepared.stdout
    );
}
