//! Members that the configuration loses, takes in, or calls by another name: told before the run, and by the run that does
//! without them; never a silent change of what the group is.

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::Stage;

/// Two hosts of three, with a Point; the third has no member yet.
async fn grouped() -> Stage {
    let layout: [(&str, &[&str]); 3] = [
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts", "Cards"]),
        ("SQL3", &[]),
    ];
    let stage = Stage::set(&layout).await;
    stage.must(&["link", "apply"]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    stage
}

/// Without the section of a host.
fn forget(stage: &Stage, host: &str) {
    let text = std::fs::read_to_string(stage.config_path()).expect("the configuration");
    let at = text
        .find(&format!("[hosts.\"{host}\"]"))
        .expect("its section");
    let end = text[at + 1..]
        .find("[hosts.")
        .map_or(text.len(), |end| at + 1 + end);
    let text = format!("{}{}", &text[..at], &text[end..]);
    std::fs::write(stage.config_path(), text).expect("writes");
}

async fn warned(stage: &Stage, args: &[&str], told: &str) {
    let printed = stage.run(args).await;
    let said = format!("{}{}", printed.stdout, printed.stderr);
    assert_ne!(printed.exit, Exit::Ok, "{args:?}: {said}");
    assert!(
        said.contains("SM0233") && said.contains(told),
        "{args:?}: {said}"
    );
}

/// What the newest set with a mark says of itself, the members of its mark among it.
async fn marked(stage: &Stage) -> String {
    let shown = stage.must(&["show", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("json");
    shown["set"]["mark"]["members"].to_string()
}

async fn told_no_more(stage: &Stage) {
    let log = stage.must(&["backup", "log"]).await;
    assert!(!log.contains("SM0233"), "{log}");
    stage.must(&["check"]).await;
    stage.must(&["verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_taken_out_of_the_configuration_is_told_with_the_members_that_go_with_it() {
    let stage = grouped().await;
    forget(&stage, "SQL2");
    stage.edit(", \"SQL2/Accounts\", \"SQL2/Cards\"", "");
    let told =
        "`SQL2/Cards` is in the newest set, and the configuration has it, or its host, no more";
    warned(&stage, &["check"], told).await;
    let log = stage.run(&["backup", "log"]).await;
    assert!(log.stdout.contains(told), "{}{}", log.stdout, log.stderr);
    told_no_more(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_renamed_is_told_under_its_old_name_and_begins_a_chain_under_the_new_one()
{
    let stage = grouped().await;
    stage
        .script(
            "SQL2",
            "master",
            "ALTER DATABASE Cards MODIFY NAME = Plastic;",
        )
        .await;
    let missing = stage.run(&["check"]).await;
    assert_eq!(missing.exit, Exit::Failed, "{}", missing.stdout);
    assert!(missing.stdout.contains("SQL2/Cards"), "{}", missing.stdout);
    stage.edit("SQL2/Cards", "SQL2/Plastic");
    warned(&stage, &["check"], "`SQL2/Cards` is in the newest set").await;
    let log = stage.run(&["backup", "log"]).await;
    assert!(
        log.stdout.contains("SM0233"),
        "{}{}",
        log.stdout,
        log.stderr
    );
    assert!(marked(&stage).await.contains("SQL2/Plastic"));
    told_no_more(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_members_have_no_full_yet_gets_them_before_they_count() {
    let stage = grouped().await;
    stage
        .script("SQL3", "master", "CREATE DATABASE Rates;")
        .await;
    stage.edit("\"SQL2/Cards\"]", "\"SQL2/Cards\", \"SQL3/Rates\"]");
    let found = stage.run(&["check"]).await;
    assert_ne!(found.exit, Exit::Ok, "{}", found.stdout);
    assert!(found.stdout.contains("SQL3/Rates"), "{}", found.stdout);
    stage.must(&["group", "prepare"]).await;
    let planned = stage.must(&["backup", "log", "--dry-run"]).await;
    assert!(planned.contains("SQL3/Rates"), "{planned}");
    stage.must(&["backup", "log"]).await;
    stage.must(&["backup", "log"]).await;
    assert!(marked(&stage).await.contains("SQL3/Rates"));
    told_no_more(&stage).await;
}
