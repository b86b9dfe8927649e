//! Damage in the store: it is found, it voids what needs it, the next runs heal the group, and what comes back
//! counts again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::Stage;

async fn points(stage: &Stage) -> u64 {
    let printed = stage.run(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    status["points"].as_u64().expect("a number")
}

/// Files of the store whose names end so, in order.
pub(crate) fn stored(stage: &Stage, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&stage.path("store"), end, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_piece_voids_its_points_and_the_next_run_heals_the_group() {
    let stage = Stage::set(&[("SQL1", &["Orders", "Ledger"])]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    assert_eq!(points(&stage).await, 1);
    let clean = stage.must(&["scrub"]).await;
    assert!(clean.starts_with("4 pieces"), "{clean}");
    let full = stored(&stage, ".full.1of1.bak").remove(0);
    let whole = fs::read(&full).expect("reads");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&full, &damaged).expect("someone writes");
    let scrubbed = stage.run(&["scrub"]).await;
    assert_eq!(scrubbed.exit, Exit::Degraded, "{}", scrubbed.stdout);
    assert!(scrubbed.stdout.contains("SM0703"), "{}", scrubbed.stdout);
    assert_eq!(points(&stage).await, 0, "the point needs that full");
    let again = stage.run(&["verify"]).await;
    assert_eq!(again.exit, Exit::Degraded, "known damage is still damage");
    // The planner sees a member without a base and begins its chain anew, then marks.
    stage.run(&["backup", "log"]).await;
    stage.run(&["backup", "log"]).await;
    let healed = points(&stage).await;
    assert!(healed >= 1, "a point again without anybody's help");
    stage.must(&["catalog", "rebuild"]).await;
    assert_eq!(points(&stage).await, healed, "the store knows it all");
    fs::write(&full, &whole).expect("someone brings it back");
    let back = stage.must(&["scrub"]).await;
    assert!(back.contains("1 pieces are whole again"), "{back}");
    assert!(points(&stage).await > healed, "the first mark counts again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_keeps_to_its_budget_and_comes_round() {
    let stage = Stage::set(&[("SQL1", &["Orders"])]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    let first = stage.must(&["scrub", "--budget", "1KiB"]).await;
    assert!(first.contains("1 left for another time"), "{first}");
    let full = stored(&stage, ".bak").len();
    assert_eq!(full, 2);
    let log = stored(&stage, ".log.1of1.bak").remove(0);
    fs::remove_file(&log).expect("someone deletes");
    let second = stage.run(&["scrub", "--budget", "1KiB"]).await;
    assert_eq!(second.exit, Exit::Degraded, "{}", second.stdout);
    assert!(second.stdout.contains("SM0703"), "{}", second.stdout);
    let held = stage.run(&["points"]).await.stdout;
    assert!(held.contains("no delivered log carries"), "{held}");
    assert!(!held.contains("its next log backup"), "none will: {held}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_altered_or_cut_off_in_the_log_is_found() {
    let stage = Stage::set(&[("SQL1", &["Orders"])]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    stage.must(&["verify", "--chain"]).await;
    let logs: Vec<PathBuf> = stored(&stage, ".json")
        .into_iter()
        .filter(|path| path.parent().is_some_and(|it| it.ends_with("log")))
        .collect();
    let manifest = stored(&stage, ".json")
        .into_iter()
        .find(|path| path.parent().is_some_and(|it| it.ends_with("sets")));
    for (path, what) in [
        (&logs[1], "missing"),
        (logs.last().expect("entries"), "ends at entry"),
        (&manifest.expect("a manifest"), "missing from the store"),
    ] {
        let kept = fs::read(path).expect("reads");
        fs::remove_file(path).expect("someone deletes");
        let printed = stage.run(&["verify", "--chain"]).await;
        assert_eq!(printed.exit, Exit::Degraded, "{}", printed.stdout);
        assert!(printed.stdout.contains(what), "{}", printed.stdout);
        let altered = String::from_utf8(kept.clone()).expect("JSON");
        let altered = altered.replacen("20", "21", 1);
        fs::write(path, altered).expect("someone forges");
        let printed = stage.run(&["verify", "--chain"]).await;
        // No later entry holds the digest of the last one, but the catalog does.
        assert_eq!(printed.exit, Exit::Degraded, "{}", printed.stdout);
        if Some(path) == logs.last() {
            let words = "is not what it was when it was read";
            // Where the change fell into the digest of the entry before, that does not fit any more.
            let found = [words, "does not follow from the one before"];
            let is_told = found.iter().any(|words| printed.stdout.contains(words));
            assert!(is_told, "{}", printed.stdout);
            let listed = stage.run(&["list"]).await;
            assert!(listed.stderr.contains(words), "{}", listed.stderr);
        }
        fs::write(path, kept).expect("brings back");
    }
    stage.must(&["verify", "--chain"]).await;
}
