//! `points`: what can be restored now and what it would lose, said before anybody asks a host.

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::{Printed, Stage};

fn json(printed: &Printed) -> Value {
    serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{}", printed.stdout))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_without_a_point_says_so_and_one_with_points_says_what_would_be_lost() {
    let stage = Stage::set(&[("SQL1", &["Orders"]), ("SQL2", &["Ledger"])]).await;
    let none = stage.run(&["points"]).await;
    assert_eq!(none.exit, Exit::NothingRestorable, "{}", none.stdout);
    assert!(none.stdout.contains("NO POINT"), "{}", none.stdout);

    assert_eq!(stage.run(&["backup", "full"]).await.exit, Exit::Ok);
    for _ in 0..3 {
        assert_eq!(stage.run(&["backup", "log"]).await.exit, Exit::Ok);
    }
    let points = stage.run(&["points", "--limit", "2"]).await;
    assert_eq!(points.exit, Exit::Ok, "{}", points.stdout);
    let (head, rest) = points.stdout.split_once("\n\n").expect("two parts");
    assert!(
        head.contains("if every host died now: back to mark SM_"),
        "{head}"
    );
    assert!(rest.contains("read back whole"), "{rest}");
    assert!(
        rest.ends_with("and 1 older point: `stopmark points --limit N`\n"),
        "{rest}"
    );

    let told = json(&stage.run(&["points", "--json"]).await);
    assert_eq!(told["count"], 3);
    let lost: Vec<i64> = told["points"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|point| point["lost_ms"].as_i64().expect("a number"))
        .collect();
    assert_eq!(Some(lost[0]), told["lost_now_ms"].as_i64());
    assert!(
        lost.is_sorted() && lost[0] >= 0,
        "the newest loses least: {lost:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_member_that_holds_the_newest_mark_back_is_named_with_the_reason() {
    let stage = Stage::set(&[("SQL1", &["Orders"]), ("SQL2", &["Ledger"])]).await;
    assert_eq!(stage.run(&["backup", "full"]).await.exit, Exit::Ok);
    assert_eq!(stage.run(&["backup", "log"]).await.exit, Exit::Ok);
    stage
        .script(
            "SQL2",
            "master",
            "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @number = 3271, @text = N'I/O';",
        )
        .await;
    let failed = stage.run(&["backup", "log"]).await;
    assert_ne!(failed.exit, Exit::Ok, "{}", failed.stdout);
    let points = stage.run(&["points", "--json"]).await;
    assert_eq!(points.exit, Exit::Degraded, "{}", points.stdout);
    let told = json(&points);
    assert_eq!(told["count"], 1);
    let held = &told["held_back"][0]["members"];
    assert_eq!(held[0]["member"], "SQL2/Ledger", "{told:#}");
    assert_eq!(held.as_array().map(Vec::len), Some(1));
    assert_eq!(held[0]["is_to_come"], true, "its next log carries the mark");
}
