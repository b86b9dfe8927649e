//! Letting go, from the rules to the last object: months of runs, pins, locks, refusals, leftovers on the shares.
//!
//! Start at [`months_of_runs_shrink_to_what_the_rules_keep`]. Time is the agent's own clock, moved between runs; a
//! transfer spans two hosts, so that a copy can be told from a torn copy.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use insta::assert_snapshot;
use stopmark::catalog;
use stopmark::clock::{RandomIds, SystemClock};
use stopmark::config::{Config, RetentionConfig};
use stopmark::error::Code;
use stopmark::model::{PieceKind, Timestamp};
use stopmark::plan::{BackupKind, Step};
use stopmark::report::run::RunReport;
use stopmark::run::Interrupt;
use stopmark::run::events::Verdict;
use stopmark::run::prune::{self, Pruning};
use stopmark::run::record::{Record, Round};
use stopmark::world::{Clock, Ids, World};
use uuid::Uuid;

use crate::bank::TOTAL;
use crate::clock_time::prepared;
use crate::saga_kinds::{SPARE, Scene, files_below};
use crate::stage::{Printed, Stage};
use crate::strike::{Strike, Target, When};

/// The agent's clock, ahead of the real one.
struct Ahead {
    inner: SystemClock,
    hours: Arc<AtomicI64>,
}

/// A host's clock, as far ahead.
#[derive(Debug)]
struct HostAhead {
    inner: sqlsim::clock::SystemClock,
    hours: Arc<AtomicI64>,
}

impl Ahead {
    fn by(hours: &Arc<AtomicI64>) -> Arc<Self> {
        Arc::new(Self {
            inner: SystemClock::new(),
            hours: hours.clone(),
        })
    }

    fn pass(&self, hours: i64) {
        self.hours.fetch_add(hours, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let hours = self.hours.load(Ordering::SeqCst);
        self.inner.now().plus_millis(hours * 3_600_000)
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.inner.sleep_until(deadline).await;
    }
}

#[async_trait]
impl sqlsim::clock::Clock for HostAhead {
    fn now(&self) -> jiff::Timestamp {
        let hours = self.hours.load(Ordering::SeqCst);
        self.inner.now() + jiff::SignedDuration::from_hours(hours)
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}

/// Identities tell the time of the agent's clock, as real ones do.
impl Ids for Ahead {
    fn next(&self) -> Uuid {
        let millis = u64::try_from(self.now().millis()).expect("after 1970");
        let random = RandomIds.next().into_bytes();
        let random = random[6..].try_into().expect("ten of them");
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
    }
}

/// The scene on hosts whose clocks are so far ahead.
async fn scene_on(hours: &Arc<AtomicI64>) -> Scene {
    let layout: &[(&str, &[&str])] =
        &[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])];
    let clock_of = |_: &str| -> Arc<dyn sqlsim::clock::Clock> {
        Arc::new(HostAhead {
            inner: sqlsim::clock::SystemClock::new(),
            hours: hours.clone(),
        })
    };
    prepared(Stage::on_clocks(layout, clock_of).await).await
}

async fn pruned(world: &World, config: &Config) -> (Pruning, Record) {
    let done = prune::prune(world, config, &Interrupt::default()).await;
    let (pruning, record) = done.expect("nothing is in its way");
    let record = record.expect("a run");
    let verdict = record.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Done), "{record:#?}");
    (pruning, record)
}

/// What stands below the group's pieces is what its sets name, and nothing else.
async fn assert_nothing_else_is_stored(scene: &Scene) {
    let sets = scene.sets().await;
    let stripes = sets.iter().flat_map(|set| &set.pieces);
    let keys = stripes.flat_map(|piece| &piece.stripes);
    let wanted: BTreeSet<_> = keys
        .flat_map(|stripe| [stripe.key.clone(), format!("{}.chunks", stripe.key)])
        .map(|key| scene.stage.path("store").join(key))
        .collect();
    let found = files_below(scene.stage.path("store/v1/stage/pieces"));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
}

/// Twenty days of backups a day and a half apart, a full every fifth time.
async fn months_of_runs() -> (Scene, Arc<Ahead>) {
    let clock = Ahead::by(&Arc::default());
    let mut scene = scene_on(&clock.hours).await;
    scene.world.clock = clock.clone();
    scene.world.ids = clock.clone();
    for nth in 0..20 {
        clock.pass(36);
        if nth % 5 == 0 {
            scene.back_up(BackupKind::Full).await;
        }
        scene.bank.transfer(&scene.stage, 10).await;
        scene.back_up(BackupKind::Log).await;
    }
    (scene, clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_of_runs_shrink_to_what_the_rules_keep() {
    let (scene, clock) = months_of_runs().await;
    let config = Config {
        retention: Some(RetentionConfig {
            keep_last: 2,
            keep_for: Duration::ZERO,
            daily: 3,
            weekly: 3,
            monthly: 0,
            ..RetentionConfig::default()
        }),
        ..(*scene.config).clone()
    };
    let (pruning, _) = pruned(&scene.world, &config).await;
    let kept: Vec<_> = pruning
        .verdict
        .kept()
        .map(|point| point.mark.clone())
        .collect();
    assert!(
        (4..=6).contains(&kept.len()),
        "{:?}",
        pruning.verdict.points
    );
    let offered: BTreeSet<_> = scene
        .points()
        .await
        .into_iter()
        .map(|it| it.mark.name)
        .collect();
    assert!(
        kept.iter().all(|mark| offered.contains(mark)),
        "a kept point is gone"
    );
    assert!(offered.len() < 20, "nothing went");
    assert_nothing_else_is_stored(&scene).await;

    let oldest = scene.points().await.remove(0);
    scene.restore(&oldest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);

    clock.pass(1);
    let record = scene.back_up(BackupKind::Log).await;
    let fulls = record.rounds.iter().flat_map(Round::ended);
    let is_full =
        |step: &Step| matches!(step, Step::BackUp(it) if it.piece_kind == PieceKind::Full);
    assert_eq!(
        fulls.filter(|(step, _)| is_full(step)).count(),
        0,
        "the chain goes on"
    );

    let (_, group) = (pruned(&scene.world, &config).await, &scene.config.group);
    let before = scene.sets().await;
    scene.world.catalog.clear(group).await.expect("it forgets");
    catalog::catch_up(&scene.world, group)
        .await
        .expect("the store is sound");
    assert_eq!(
        scene.sets().await,
        before,
        "the group's log says what was let go"
    );
    let again = prune::plan_only(&scene.world, &config)
        .await
        .expect("a plan");
    assert_eq!(again.verdict.let_go, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_clock_jumped_ahead_lets_nothing_go() {
    let mut scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    scene.leave_something_to_prune().await;
    let clock = Ahead::by(&Arc::default());
    let right = std::mem::replace(&mut scene.world.clock, clock.clone());
    clock.pass(366 * 24);
    let config = scene.keeping_one();
    // By the newest mark nothing is to be seen of it yet.
    let refused = prune::plan_only(&scene.world, &config).await;
    assert_eq!(refused.expect_err("no").code(), Code::ClocksApart);
    scene.back_up(BackupKind::Log).await;
    let refused = prune::plan_only(&scene.world, &config).await;
    assert_eq!(refused.expect_err("no").code(), Code::ClocksApart);
    scene.world.clock = right;
    scene.back_up(BackupKind::Log).await;
    pruned(&scene.world, &config).await;
    let newest = scene.points().await.pop().expect("a point");
    scene.restore(&newest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lock_holds_back_is_asked_for_again_by_the_next_prune() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    scene.leave_something_to_prune().await;
    let strike = Strike::at(Target::HoldBack(".full."), When::Before);
    let locked = strike.world(&scene.world);
    let (_, record) = pruned(&locked, &scene.keeping_one()).await;
    let told = RunReport::of(&record).text();
    assert_eq!(told.matches("holds a full").count(), 2, "{told}");
    let left = scene.world.catalog.unremoved(&scene.config.group).await;
    let left = left.expect("a catalog");
    assert!(!left.is_empty() && left.iter().all(|(_, piece)| piece.kind == PieceKind::Full));

    let (pruning, _) = pruned(&scene.world, &scene.keeping_one()).await;
    assert_eq!(pruning.verdict.let_go, [], "nothing new goes");
    assert_nothing_else_is_stored(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_marks_go_from_the_members_with_the_points_that_held_them() {
    let scene = Scene::set().await;
    for _ in 0..3 {
        scene.back_up(BackupKind::Log).await;
    }
    scene.leave_something_to_prune().await;
    let rows = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog;";
    assert_eq!(scene.stage.number("SQL2", "Accounts", rows).await, 4);
    pruned(&scene.world, &scene.keeping_one()).await;
    assert_eq!(scene.stage.number("SQL2", "Accounts", rows).await, 1);
    let newest = scene.points().await.pop().expect("a point");
    scene.restore(&newest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_others_on_a_share_stay_however_old() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let share = scene.stage.path("share/0/stage");
    let id = "0193a000-0000-7000-8000-000000000000";
    let (foreign, young) = ("Ledger.bak", format!("restore_{id}_1of1.bak"));
    let old = format!("stopmark_probe_{id}.bak");
    for name in [foreign, &young, &old] {
        std::fs::write(share.join(name), "somebody's").expect("writes");
    }
    for name in [foreign, &old] {
        forget(&share.join(name));
    }
    pruned(&scene.world, &scene.keeping_one()).await;
    let left: Vec<bool> = [foreign, &young, &old]
        .iter()
        .map(|name| share.join(name).exists())
        .collect();
    assert_eq!(left, [true, true, false]);
}

/// Makes a file look as if nobody had written to it for a year.
fn forget(path: &Path) {
    let file = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("opens");
    let year = Duration::from_secs(366 * 86_400);
    let written = file
        .metadata()
        .and_then(|meta| meta.modified())
        .expect("a time");
    file.set_modified(written - year).expect("sets");
}

/// A group of two hosts whose configuration keeps one point, and how its commands are told.
async fn commands() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    let policy = "[retention]\nkeep_last = 1\nkeep_for = \"0s\"\ndaily = 0\nweekly = 0\nmonthly = 0\n\n[paths]";
    stage.edit("[paths]", policy);
    stage
}

fn told(stage: &Stage, args: &[&str], printed: &Printed) -> String {
    let told = format!(
        "$ stopmark {}\n{}{}exit {}\n",
        args.join(" "),
        printed.stdout,
        printed.stderr,
        printed.exit as u8
    );
    let told = stage.scrub(&without_person(&told));
    // The line below a table's header is as long as the longest name.
    let lines = told.lines().filter(|line| !line.starts_with('─'));
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// Who gave the command differs from machine to machine.
fn without_person(text: &str) -> String {
    let mut told = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("pinned by ") {
        let (before, after) = rest.split_at(at + "pinned by ".len());
        told += before;
        told += "<person>";
        rest = &after[after.find(':').unwrap_or(after.len())..];
    }
    told + rest
}

async fn tell(stage: &Stage, args: &[&str]) -> String {
    let printed = stage.run(args).await;
    told(stage, args, &printed)
}

/// The mark of the newest set.
async fn newest_mark(stage: &Stage) -> String {
    let listed = stage.run(&["list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let sets = list["sets"].as_array().expect("sets");
    let newest = sets.last().expect("a set");
    newest["stamp"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_point_stays_until_it_is_unpinned() {
    let stage = commands().await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    let mark = newest_mark(&stage).await;
    let mut story = tell(&stage, &["pin", &mark, "--reason", "the auditors asked"]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    story += &tell(&stage, &["prune", "plan"]).await;
    story += &tell(&stage, &["list"]).await;
    let status = stage.run(&["status"]).await;
    assert!(status.stdout.contains("is pinned by "), "{}", status.stdout);
    story += &tell(&stage, &["unpin", &mark]).await;
    story += &tell(&stage, &["unpin", &mark]).await;
    story += &tell(&stage, &["prune", "run"]).await;
    story += &tell(&stage, &["list"]).await;
    story += &tell(&stage, &["prune", "plan"]).await;
    assert_snapshot!(story);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_leave_no_proven_point_is_refused_until_one_is_proven() {
    let stage = commands().await;
    stage.edit("[policy]\n", "[policy]\nread_back = \"size\"\n");
    for _ in 0..2 {
        stage.must(&["backup", "full"]).await;
        stage.must(&["backup", "log"]).await;
    }
    let mut story = tell(&stage, &["prune", "run"]).await;
    stage.must(&["scrub"]).await;
    story += &tell(&stage, &["prune", "run"]).await;
    assert_snapshot!(story);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_policy_everything_is_kept() {
    let stage = Stage::set(&[("SQL1", &["Ledger"])]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
    let pin = ["pin", "SM_2026_11_21_02_00_00_000", "--reason", "why not"];
    let story = [
        tell(&stage, &["prune", "run"]).await,
        tell(&stage, &pin).await,
        tell(&stage, &["pin", "x y", "--reason", "r"]).await,
        tell(
            &stage,
            &["pin", "x", "--reason", "r", "--until", "2020-01-01"],
        )
        .await,
    ];
    assert_snapshot!(story.concat());
}
