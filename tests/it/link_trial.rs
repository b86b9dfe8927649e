//! Marks that are tried through links: what passes, what does not, what it cost, and what the other host saw.

use serde_json::Value;
use stopmark::error::Exit;
use stopmark::plan::plan_link_explain;
use stopmark::run::{self, Interrupt, PlanNames};
use stopmark::survey;

use crate::stage::{Printed, Stage, must};
use crate::strike::{Strike, Target, When};

/// Two hosts with links, three members.
async fn linked() -> Stage {
    let layout: [(&str, &[&str]); 2] = [("SQL1", &["Ledger"]), ("SQL2", &["Accounts", "Cards"])];
    let stage = Stage::set(&layout).await;
    must(&stage.run(&["link", "apply"]).await);
    stage
}

async fn marks_in(stage: &Stage, host: &str, database: &str) -> i64 {
    let sql = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog WHERE mark_name LIKE N'SMPROBE%'";
    stage.number(host, database, sql).await
}

async fn watches_on(stage: &Stage, host: &str) -> i64 {
    let sql =
        "SELECT COUNT_BIG(*) FROM sys.server_event_sessions WHERE name LIKE N'stopmark[_]watch%'";
    stage.number(host, "master", sql).await
}

fn json(printed: &Printed) -> Value {
    serde_json::from_str(&printed.stdout).expect("json")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_mark_joins_every_host_and_stands_nowhere() {
    let stage = linked().await;
    let tried = stage.run(&["link", "check", "--trial-mark"]).await;
    must(&tried);
    assert!(
        tried.stdout.contains("trial  `SQL2`: joins"),
        "{}",
        tried.stdout
    );
    assert!(
        tried.stdout.contains("proves enlistment only"),
        "{}",
        tried.stdout
    );
    assert_eq!(marks_in(&stage, "SQL1", "Ledger").await, 0);
    assert_eq!(marks_in(&stage, "SQL2", "Accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_committed_probe_is_measured_and_is_never_a_point() {
    let stage = linked().await;
    must(&stage.run(&["backup", "full"]).await);
    let tried = stage
        .run(&["link", "check", "--trial-mark", "--commit", "--json"])
        .await;
    must(&tried);
    let trials = json(&tried)["trials"].clone();
    let probe = &trials[1];
    assert_eq!(probe["committed"], true, "{trials}");
    assert!(
        probe["cost"]["ended_us"].as_i64().is_some_and(|us| us >= 0),
        "{trials}"
    );
    assert!(
        probe["mark"]
            .as_str()
            .is_some_and(|mark| mark.starts_with("SMPROBE_"))
    );
    for (host, database) in [("SQL1", "Ledger"), ("SQL2", "Accounts"), ("SQL2", "Cards")] {
        assert_eq!(
            marks_in(&stage, host, database).await,
            1,
            "{host}/{database}"
        );
    }
    must(&stage.run(&["backup", "log"]).await);
    let points = stage.run(&["points"]).await;
    must(&points);
    assert!(points.stdout.contains("SM_"), "{}", points.stdout);
    assert!(!points.stdout.contains("SMPROBE"), "{}", points.stdout);
    let past = stage.run(&["link", "check"]).await;
    assert!(
        past.stdout.contains("past    1 mark placed"),
        "{}",
        past.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_is_off_is_found_by_the_trial_alone() {
    let stage = linked().await;
    let off = "EXEC sp_sim_fault @kind = 'dtc off', @times = 0;";
    stage.script("SQL2", "master", off).await;
    must(&stage.run(&["link", "check"]).await);
    let tried = stage.run(&["link", "check", "--trial-mark"]).await;
    assert_eq!(tried.exit, Exit::Failed, "{}", tried.stdout);
    assert!(
        tried.stdout.contains("trial  `SQL2`: FAILED: SM0405"),
        "{}",
        tried.stdout
    );
    assert!(
        tried.stdout.contains("MSDTC runs on both hosts"),
        "{}",
        tried.stdout
    );
    stage
        .script("SQL2", "master", "EXEC sp_sim_fault 'clear';")
        .await;
    must(&stage.run(&["link", "check", "--trial-mark"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_did_not_join_is_found_by_the_mark_that_outlives_its_rollback() {
    let stage = linked().await;
    let option = "EXEC sp_serveroption N'SQL2', N'remote proc transaction promotion', N'false';";
    stage.script("SQL1", "master", option).await;
    let tried = stage.run(&["link", "check", "--trial-mark"]).await;
    assert_eq!(tried.exit, Exit::Failed, "{}", tried.stdout);
    assert!(
        tried.stdout.contains("stands all the same"),
        "{}",
        tried.stdout
    );
    assert!(tried.stdout.contains("SM0302"), "{}", tried.stdout);
    must(&stage.run(&["link", "apply"]).await);
    must(&stage.run(&["link", "check", "--trial-mark"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_take_no_mark_are_left_out_by_name() {
    let stage = linked().await;
    let unready = "DROP PROCEDURE stopmark.SetMarkRemote;";
    stage.script("SQL2", "Cards", unready).await;
    let tried = stage.run(&["link", "check", "--trial-mark"]).await;
    assert_eq!(tried.exit, Exit::Degraded, "{}", tried.stdout);
    assert!(
        tried
            .stdout
            .contains("untried: SM0403: no mark is tried in `SQL2/Cards`"),
        "{}",
        tried.stdout
    );
    assert!(
        tried.stdout.contains("trial  `SQL2`: joins"),
        "{}",
        tried.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_host_tells_step_by_step_what_a_mark_did_there() {
    let stage = linked().await;
    let explained = stage.run(&["link", "explain", "SQL2", "--json"]).await;
    must(&explained);
    let steps = json(&explained)["steps"].clone();
    let steps = steps.as_array().expect("steps");
    let phases: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["phase"].as_str())
        // Its connection ends when the management host's does, which nobody waits for.
        .filter(|phase| *phase != "disconnect")
        .collect();
    assert_eq!(
        phases,
        [
            "connect", "metadata", "join", "mark", "member", "prepare", "promise", "commit"
        ],
        "{}",
        explained.stdout
    );
    assert_eq!(watches_on(&stage, "SQL2").await, 0);
    let told = stage.run(&["link", "explain", "SQL2"]).await;
    assert!(
        told.stdout
            .contains("prepare     the coordinator asks this host"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("nothing that died"), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_management_host_has_no_link_to_explain() {
    let stage = linked().await;
    let told = stage.run(&["link", "explain", "SQL1"]).await;
    assert_ne!(told.exit, Exit::Ok, "{}", told.stdout);
    assert!(
        told.stdout.contains("marks begin on `SQL1`"),
        "{}",
        told.stdout
    );
    assert_eq!(marks_in(&stage, "SQL2", "Accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_session_that_was_not_dropped_is_dropped_by_the_run_that_made_it() {
    for verb in ["remove_event_session", "read_watch", "watch_link"] {
        let stage = linked().await;
        let (config, world) = stage.world();
        let survey = survey::take(&world, &config).await;
        let mut names = PlanNames(world.ids.as_ref());
        let host = "SQL2".parse().expect("a host");
        let now = world.clock.now();
        let plan = plan_link_explain(&config, &survey, &host, None, &mut names, now);
        let strike = Strike::at(Target::First(verb), When::After);
        let struck = strike.world(&world);
        let record = run::check(&struck, &config, &plan, &Interrupt::default()).await;
        let record = record.expect("a record");
        assert_eq!(record.untidied(), [], "{verb}");
        assert_eq!(watches_on(&stage, "SQL2").await, 0, "{verb}");
    }
}
