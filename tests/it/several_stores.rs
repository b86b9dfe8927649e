//! Several stores: every piece goes to all of them in one read, a point needs enough copies, what lacks is made later,
//! and the group comes back when the store that leads is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stopmark::error::Exit;
use stopmark::run::Interrupt;
use stopmark::run::events::Verdict;
use stopmark::run::scrub::scrub;

use crate::fate::WORDS;
use crate::stage::{Printed, Stage};
use crate::strike::{Strike, Target, When};

/// The stores of these stories, with their folders; the first leads.
const STORES: [(&str, &str); 2] = [("main", "store"), ("cloud", "cloud")];

/// A stage with a second store, `cloud`, beside `main`.
async fn stage_of_two(layout: &[(&str, &[&str])]) -> Stage {
    let stage = Stage::set(layout).await;
    let text = fs::read_to_string(stage.config_path()).expect("reads");
    let begin = text.find("[store]").expect("a store");
    let end = text.find("[paths]").expect("paths");
    stage.edit(&text[begin..end], &sections(&stage, &STORES));
    stage
}

/// The sections of stores in this order.
fn sections(stage: &Stage, stores: &[(&str, &str)]) -> String {
    let section = |(name, folder): &(&str, &str)| {
        let folder = stage.path(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let url = url::Url::from_file_path(&folder).expect("absolute");
        format!("[[store]]\nname = \"{name}\"\nurl = \"{url}\"\n\n")
    };
    stores.iter().map(section).collect()
}

/// The other store leads from now on.
fn let_cloud_lead(stage: &Stage) {
    let [main, cloud] = STORES;
    let (before, after) = (sections(stage, &STORES), sections(stage, &[cloud, main]));
    stage.edit(&before, &after);
}

async fn must(stage: &Stage, args: &[&str]) -> String {
    ends(stage, args, Exit::Ok).await
}

/// Runs a command that must end so; everything that it printed.
async fn ends(stage: &Stage, args: &[&str], wanted: Exit) -> String {
    let Printed {
        exit,
        stdout,
        stderr,
    } = stage.run(args).await;
    assert_eq!(exit, wanted, "{args:?}\n{stdout}\n{stderr}");
    stdout + &stderr
}

/// How many sets of the list are points.
async fn points(stage: &Stage) -> usize {
    let list = stage.run(&["list", "--json"]).await.stdout;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let sets = list["sets"].as_array().expect("sets").iter();
    sets.filter(|set| set["is_point"] == Value::Bool(true))
        .count()
}

/// What a store keeps for ever: pieces, manifests and the group's log, by key.
fn kept(stage: &Stage, store: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = stage.path(store).join("v1/stage");
    let mut kept = BTreeMap::new();
    for folder in ["pieces", "sets", "log"] {
        collect(&root.join(folder), &root, &mut kept);
    }
    kept
}

fn collect(folder: &Path, root: &Path, kept: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, root, kept);
        } else {
            let key = path.strip_prefix(root).expect("below").to_owned();
            kept.insert(key, fs::read(&path).expect("reads"));
        }
    }
}

/// The piece whose key ends so.
fn piece(stage: &Stage, store: &str, end: &str) -> PathBuf {
    let kept = kept(stage, store);
    let key = kept.keys().find(|key| key.to_string_lossy().ends_with(end));
    stage
        .path(store)
        .join("v1/stage")
        .join(key.expect("a piece"))
}

/// Changes one bit of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("someone writes");
}

/// Puts a file where a store needs a folder, so that everything there fails until it is mended.
fn break_store(stage: &Stage, store: &str) {
    let root = stage.path(store).join("v1");
    if root.exists() {
        fs::rename(&root, stage.path("broken")).expect("moves");
    }
    fs::write(&root, "not a folder").expect("writes");
}

fn mend_store(stage: &Stage, store: &str) {
    let root = stage.path(store).join("v1");
    fs::remove_file(&root).expect("it is there");
    if stage.path("broken").exists() {
        fs::rename(stage.path("broken"), &root).expect("moves");
    }
}

/// Restores the newest point, or that mark, on the host SPARE; the sum of the rows.
async fn restored_sum(stage: &Stage, mark: Option<&str>) -> i64 {
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let mut args = vec!["restore", "run", "--to-host", "SPARE", "--files-in", &files];
    args.extend(["--yes-overwrite", "stage"]);
    args.extend(mark.into_iter().flat_map(|mark| ["--mark", mark]));
    must(stage, &args).await;
    let sum = "SELECT SUM(id) FROM dbo.T;";
    stage.number("SPARE", "Orders", sum).await
}

async fn row(stage: &Stage, id: u32) {
    let script = match id {
        1 => "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);".to_owned(),
        id => format!("INSERT INTO dbo.T VALUES ({id});"),
    };
    stage.script("SQL1", "Orders", &script).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_store_holds_every_piece_and_the_whole_log() {
    let stage = stage_of_two(&[("SQL1", &["Orders", "Ledger"])]).await;
    must(&stage, &["backup", "full"]).await;
    must(&stage, &["backup", "log"]).await;
    assert_eq!(points(&stage).await, 1);
    let cloud = kept(&stage, "cloud");
    assert_eq!(kept(&stage, "store"), cloud);
    assert!(cloud.len() > 4 + 4 + 2, "{:?}", cloud.keys());
    for store in ["main", "cloud"] {
        let verified = must(&stage, &["verify", "--store", store]).await;
        assert!(verified.starts_with("4 pieces"), "{verified}");
    }
    let unknown = ends(&stage, &["verify", "--store", "moon"], Exit::Usage).await;
    assert!(unknown.contains("main, cloud"), "{unknown}");
    let checked = stage.run(&["check"]).await.stdout;
    for store in ["main", "cloud"] {
        let fine = format!("store `{store}`: writable, and honours create-if-absent");
        assert!(checked.contains(&fine), "{checked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_owes_copies_and_gets_them_later() {
    let stage = stage_of_two(&[("SQL1", &["Orders"]), ("SPARE", &[])]).await;
    row(&stage, 1).await;
    must(&stage, &["backup", "full"]).await;
    break_store(&stage, "cloud");
    row(&stage, 2).await;
    let told = ends(&stage, &["backup", "log"], Exit::Degraded).await;
    assert!(told.contains("`cloud`"), "{told}");
    assert_eq!(points(&stage).await, 0, "a copy that is owed is none");
    let listed = ends(&stage, &["list"], Exit::NothingRestorable).await;
    let lack = "its log is held in 1 of 2 copies; missing in `cloud`";
    assert!(listed.contains(lack), "{listed}");
    let status = ends(&stage, &["status"], Exit::NothingRestorable).await;
    assert!(status.contains(lack), "{status}");
    // Disaster does not wait for the second copy.
    let mark = listed
        .lines()
        .find_map(|line| line.split_once(" is no point"));
    let (mark, _) = mark.expect("the mark");
    assert_eq!(restored_sum(&stage, Some(mark)).await, 3);
    mend_store(&stage, "cloud");
    must(&stage, &["backup", "log"]).await;
    assert_eq!(points(&stage).await, 2, "both marks are safe now");
    assert_eq!(kept(&stage, "store"), kept(&stage, "cloud"));
    must(&stage, &["catalog", "rebuild"]).await;
    assert_eq!(points(&stage).await, 2, "the log knows the later copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_mark_is_no_point_says_so_though_nothing_in_it_failed() {
    let stage = stage_of_two(&[("SQL1", &["Orders"])]).await;
    stage.edit("[policy]", "[policy]\ncopy_budget = \"1KiB\"");
    must(&stage, &["backup", "full"]).await;
    break_store(&stage, "cloud");
    ends(&stage, &["backup", "log"], Exit::Degraded).await;
    mend_store(&stage, "cloud");
    // The log before it lacks a copy that is larger than the budget.
    let told = ends(&stage, &["backup", "log"], Exit::Degraded).await;
    let why = "is no point yet: SQL1/Orders: its log is held in 1 of 2 copies; missing in `cloud`";
    assert!(told.contains("SM0608") && told.contains(why), "{told}");
    assert_eq!(points(&stage).await, 0);
    must(&stage, &["scrub"]).await;
    assert_eq!(points(&stage).await, 2);
    must(&stage, &["backup", "log"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_let_go_goes_from_every_store_later_copies_too() {
    let stage = stage_of_two(&[("SQL1", &["Orders"])]).await;
    let text = fs::read_to_string(stage.config_path()).expect("reads");
    let policy = "\n[retention]\nkeep_last = 1\nkeep_for = \"0m\"\n\
                  daily = 0\nweekly = 0\nmonthly = 0\nyearly = 0\ndrilled = 0\n";
    fs::write(stage.config_path(), text + policy).expect("writes");
    must(&stage, &["backup", "full"]).await;
    break_store(&stage, "cloud");
    ends(&stage, &["backup", "log"], Exit::Degraded).await;
    mend_store(&stage, "cloud");
    must(&stage, &["backup", "log"]).await;
    let pieces = |store| -> Vec<PathBuf> {
        let keys = kept(&stage, store).into_keys();
        keys.filter(|key| key.starts_with("pieces")).collect()
    };
    assert_eq!(pieces("store"), pieces("cloud"), "the log was copied later");
    let before = pieces("store").len();
    must(&stage, &["backup", "full"]).await;
    must(&stage, &["backup", "log"]).await;
    must(&stage, &["prune", "run"]).await;
    assert!(pieces("store").len() <= before, "{:?}", pieces("store"));
    assert_eq!(pieces("store"), pieces("cloud"), "nothing stays behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_copy_is_enough_where_the_policy_says_so() {
    let stage = stage_of_two(&[("SQL1", &["Orders"])]).await;
    stage.edit("[policy]", "[policy]\ncopies = 1");
    must(&stage, &["backup", "full"]).await;
    break_store(&stage, "cloud");
    ends(&stage, &["backup", "log"], Exit::Degraded).await;
    assert_eq!(points(&stage).await, 1);
    must(&stage, &["status"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_comes_back_when_the_leading_store_is_gone() {
    let stage = stage_of_two(&[("SQL1", &["Orders"]), ("SPARE", &[])]).await;
    row(&stage, 1).await;
    must(&stage, &["backup", "full"]).await;
    row(&stage, 2).await;
    must(&stage, &["backup", "log"]).await;
    fs::remove_dir_all(stage.path("store")).expect("someone deletes");
    fs::remove_file(stage.path("state/catalog.sqlite")).expect("the machine is new");
    let rebuilt = must(&stage, &["catalog", "rebuild", "--from", "cloud"]).await;
    assert!(rebuilt.contains("2 sets"), "{rebuilt}");
    assert_eq!(points(&stage).await, 1);
    assert_eq!(restored_sum(&stage, None).await, 3);
    // An empty store must not begin a second history of the group.
    let refused = ends(&stage, &["backup", "log"], Exit::Failed).await;
    assert!(refused.contains("SM0741"), "{refused}");
    assert!(kept(&stage, "store").is_empty(), "nothing was written");
    let_cloud_lead(&stage);
    row(&stage, 3).await;
    must(&stage, &["backup", "log"]).await;
    // What a manifest says to be in the lost store is missed by whoever looks, and made anew.
    let lost = ends(&stage, &["scrub"], Exit::Degraded).await;
    assert!(lost.contains("2 copies made"), "{lost}");
    must(&stage, &["verify", "--store", "main"]).await;
    must(&stage, &["verify", "--chain"]).await;
    assert_eq!(points(&stage).await, 2);
    assert_eq!(restored_sum(&stage, None).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_one_store_heals_from_another_under_a_key_of_its_own() {
    let stage = stage_of_two(&[("SQL1", &["Orders"]), ("SPARE", &[])]).await;
    row(&stage, 1).await;
    must(&stage, &["backup", "full"]).await;
    row(&stage, 2).await;
    must(&stage, &["backup", "log"]).await;
    let full = piece(&stage, "store", ".full.1of1.bak");
    flip(&full);
    let flipped = fs::read(&full).expect("reads");
    let gone = piece(&stage, "cloud", ".log.1of1.bak");
    fs::remove_file(&gone).expect("someone deletes");
    let scrubbed = ends(&stage, &["scrub"], Exit::Degraded).await;
    for told in [
        "DAMAGED SQL1/Orders: v1/stage/pieces/",
        "in `main`: SM0703",
        "in `cloud`: SM0703",
        "2 copies made that a store lacked",
    ] {
        assert!(scrubbed.contains(told), "{told}\n{scrubbed}");
    }
    assert!(!scrubbed.contains("no points any more"), "{scrubbed}");
    assert_eq!(points(&stage).await, 1, "no moment without enough copies");
    assert_eq!(
        fs::read(&full).expect("reads"),
        flipped,
        "nothing is overwritten"
    );
    let healed = piece(&stage, "store", ".full.1of1.bak.copy2");
    let whole = fs::read(piece(&stage, "cloud", ".full.1of1.bak")).expect("reads");
    assert_eq!(fs::read(healed).expect("reads"), whole);
    must(&stage, &["scrub"]).await;
    must(&stage, &["verify"]).await;
    must(&stage, &["catalog", "rebuild"]).await;
    fs::remove_dir_all(stage.path("cloud")).expect("someone deletes");
    assert_eq!(restored_sum(&stage, None).await, 3, "from the healed copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_keeps_what_it_found_when_a_store_fails() {
    let stage = stage_of_two(&[("SQL1", &["Orders"])]).await;
    must(&stage, &["backup", "full"]).await;
    must(&stage, &["backup", "log"]).await;
    flip(&piece(&stage, "store", ".full.1of1.bak"));
    break_store(&stage, "cloud");
    let scrubbed = ends(&stage, &["scrub"], Exit::Degraded).await;
    assert!(scrubbed.starts_with("2 pieces"), "{scrubbed}");
    assert!(scrubbed.contains("DAMAGED SQL1/Orders"), "{scrubbed}");
    assert!(
        scrubbed.contains("FAILED proof of the full of SQL1/Orders in `cloud`"),
        "{scrubbed}"
    );
    let held = "its full is held in 1 of 2 copies; missing in `main`";
    let listed = ends(&stage, &["list"], Exit::NothingRestorable).await;
    assert!(listed.contains(held), "{listed}");
    mend_store(&stage, "cloud");
    let healed = ends(&stage, &["scrub"], Exit::Degraded).await;
    assert!(healed.contains("1 copies made"), "{healed}");
    must(&stage, &["scrub"]).await;
    assert_eq!(points(&stage).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_in_a_scrub_the_next_ones_make_the_copy() {
    let stage = stage_of_two(&[("SQL1", &["Orders"])]).await;
    must(&stage, &["backup", "full"]).await;
    must(&stage, &["backup", "log"]).await;
    let (config, world) = stage.world();
    let quiet = Interrupt::default();
    let mut struck = BTreeSet::new();
    for when in [When::Before, When::After] {
        for nth in 1..EFFECTS_MAX {
            let copies = kept(&stage, "cloud").into_keys();
            let newest = copies
                .filter(|key| is_copy_of_the_full(key))
                .max_by_key(|key| copy_of(key));
            flip(
                &stage
                    .path("cloud")
                    .join("v1/stage")
                    .join(newest.expect("a copy")),
            );
            let strike = Strike::at(Target::Nth(nth), when);
            let result = scrub(&strike.world(&world), &config, None, &quiet).await;
            let Some(verb) = strike.struck() else {
                break;
            };
            struck.insert(verb);
            let told = result.map_or_else(|error| format!("{error:?}"), |it| format!("{it:?}"));
            assert!(
                told.contains(WORDS) || when == When::After,
                "{verb}: {told}"
            );
            // One to find the damage or to go on, one to find nothing more.
            scrub(&world, &config, None, &quiet)
                .await
                .expect("it is found");
            let last = scrub(&world, &config, None, &quiet)
                .await
                .expect("nothing is left");
            let verdict = last.record.ended.map(|(verdict, _)| verdict);
            assert_eq!(
                verdict,
                Some(Verdict::Done),
                "{nth}, {verb}, {when:?}: {last:#?}"
            );
        }
    }
    for verb in ["prove", "append", "copy", "mirror_log"] {
        assert!(struck.contains(verb), "{verb} was never struck: {struck:?}");
    }
    assert_eq!(points(&stage).await, 1);
    must(&stage, &["verify"]).await;
}

/// More effects than a scrub of two pieces has.
const EFFECTS_MAX: usize = 40;

fn is_copy_of_the_full(key: &Path) -> bool {
    let key = key.to_string_lossy();
    key.contains(".full.1of1.bak") && !key.ends_with(".chunks")
}

/// The number of a copy, as its key says.
fn copy_of(key: &Path) -> u32 {
    let key = key.to_string_lossy();
    let number = key.rsplit_once(".copy").map(|(_, number)| number.parse());
    number.map_or(1, |number| number.expect("a number"))
}
