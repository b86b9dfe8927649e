//! The linked-server doctor on simulated hosts: broken, found, mended by the printed T-SQL, healthy.

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::Stage;

async fn linked() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    stage.must(&["link", "apply"]).await;
    stage
}

/// The T-SQL that mends what was found, in the order of the findings.
async fn cures(stage: &Stage) -> Vec<String> {
    let found = stage.run(&["link", "check", "--json"]).await;
    let found: Value = serde_json::from_str(&found.stdout).expect("json");
    let findings = found["findings"].as_array().expect("findings");
    let script = |finding: &Value| finding["script"].as_str().map(str::to_owned);
    findings.iter().filter_map(script).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_a_link_is_found_and_its_t_sql_mends_it() {
    let stage = linked().await;
    let well = stage.run(&["link", "check"]).await;
    assert_eq!(well.exit, Exit::Ok, "{}{}", well.stdout, well.stderr);
    for (breaks, exit, told) in [
        (
            "EXEC sp_serveroption N'SQL2', N'rpc out', N'false';",
            Exit::Failed,
            "BLOCKS `SQL2`: `rpc out` is off",
        ),
        (
            "EXEC sp_serveroption N'SQL2', N'remote proc transaction promotion', N'false';",
            Exit::Failed,
            "BLOCKS `SQL2`: `remote proc transaction promotion` is off",
        ),
        (
            "EXEC sp_serveroption N'SQL2', N'data access', N'false';",
            Exit::Degraded,
            "`SQL2`: `data access` is off",
        ),
        (
            "EXEC sp_serveroption N'SQL2', N'collation compatible', N'true';",
            Exit::Degraded,
            "`SQL2`: `collation compatible` is on",
        ),
        (
            "EXEC sp_serveroption N'SQL2', N'connect timeout', N'900';",
            Exit::Degraded,
            "`SQL2`: the connect timeout is 900 s",
        ),
        (
            "EXEC sp_addlinkedsrvlogin N'SQL2', 'TRUE', NULL;",
            Exit::Degraded,
            "`SQL2`: every local login may pass as itself",
        ),
    ] {
        stage.script("SQL1", "master", breaks).await;
        let found = stage.run(&["link", "check"]).await;
        assert_eq!(found.exit, exit, "{}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains(told), "{told}\n{}", found.stdout);
        for cure in cures(&stage).await {
            stage.script("SQL1", "master", &cure).await;
        }
        let mended = stage.run(&["link", "check"]).await;
        assert_eq!(mended.exit, Exit::Ok, "{}{}", mended.stdout, mended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_somebody_dropped_is_found_and_made_again() {
    let stage = linked().await;
    let drop = "EXEC sp_dropserver N'SQL2', 'droplogins';";
    stage.script("SQL1", "master", drop).await;
    let found = stage.run(&["link", "check"]).await;
    assert_eq!(found.exit, Exit::Failed);
    assert!(
        found.stdout.contains("stopmark link apply"),
        "{}",
        found.stdout
    );
    stage.run(&["link", "apply"]).await;
    assert_eq!(stage.run(&["link", "check"]).await.exit, Exit::Ok);
}
