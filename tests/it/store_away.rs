//! The store is away for hours: marks and logs go on, and every mark of that time is a Point when it is back.
//!
//! Start at [`marks_and_logs_go_on_while_the_store_is_away`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stopmark::error::Code;
use stopmark::model::{PieceKind, Timestamp};
use stopmark::plan::{BackupKind, RunKind, Warning};
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::{Clock, World};

use crate::bank::TOTAL;
use crate::chain_stories::assert_healthy;
use crate::fate::Fate;
use crate::forgotten::die_in_a_log_run;
use crate::saga_kinds::{SPARE, Scene, files_below};
use crate::saga_story::story;
use crate::stage::world_of;
use crate::strike::{Strike, Target, When};

async fn log_run(scene: &Scene, world: &World) -> stopmark::error::Result<Record> {
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    run::back_up(world, &scene.config, &wanted, &Interrupt::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_and_logs_go_on_while_the_store_is_away() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let before = scene.points().await.len();
    let strike = Strike::at(Target::StoreAway, When::Before);
    let without = strike.world(&scene.world);
    for amount in [11, 12, 13] {
        scene.bank.transfer(&scene.stage, amount).await;
        let record = log_run(&scene, &without).await.expect("it goes on");
        assert_eq!(record.ended, None, "its pieces wait for the store");
        let plan = &record.rounds[0].plan;
        let told = plan.warnings.iter().map(|it| it.message.as_str());
        let told = told.collect::<Vec<_>>().join("\n");
        assert!(told.contains("the store is away"), "{told}");
        assert!(!told.contains("somebody else"), "its own logs: {told}");
        let rounds = record.rounds.iter().map(|round| round.plan.kind);
        let of_logs = rounds.filter(|kind| *kind == RunKind::Log).count();
        assert_eq!(of_logs, 1, "no chain was broken: {told}");
    }
    let status = scene.stage.run(&["status"]).await.stdout;
    let waits = "waiting   6 pieces of 1 MiB on the shares for the store, since ";
    assert!(status.contains(waits), "{status}");
    strike.mend();
    scene.bank.transfer(&scene.stage, 14).await;
    scene.back_up(BackupKind::Log).await;
    let points = scene.points().await;
    assert_eq!(points.len(), before + 4, "every mark is a Point");
    let fulls = scene.sets().await;
    let fulls = fulls.iter().flat_map(|set| &set.pieces);
    let fulls = fulls.filter(|piece| piece.kind == PieceKind::Full).count();
    assert_eq!(fulls, 2, "nobody began a new chain");
    scene.assert_the_shares_are_clear("when the store was back");
    for point in &points[before..] {
        scene.restore(point).await;
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_never_held_the_lease_does_not_begin_without_it() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let state = scene.stage.path("state");
    let moved = scene.stage.path("state-of-the-first");
    std::fs::rename(&state, &moved).expect("another agent has another folder");
    let (_, other) = scene.stage.world();
    let strike = Strike::at(Target::StoreAway, When::Before);
    let error = log_run(&scene, &strike.world(&other)).await;
    let error = error.expect_err("somebody else may be at work");
    assert_eq!(error.code(), Code::StoreUnreachable);
}

/// The same world on a clock that is this far ahead.
pub(crate) struct Ahead(pub(crate) Arc<dyn Clock>, pub(crate) Duration);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus(self.1)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.0.sleep_until(deadline).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_no_store_knows_share_no_file_although_the_clock_is_behind() {
    let mut scene = Scene::set().await;
    let world = scene.world.clone();
    let hours = Duration::from_secs(3 * 60 * 60);
    scene.world = World {
        clock: Arc::new(Ahead(world.clock.clone(), hours)),
        ..world
    };
    scene.back_up(BackupKind::Log).await;
    // Stamps go on from there, and a run without a mark places none that the next one would see.
    scene.world = world_of(&scene.stage.config_path()).1;
    let alter = |what: &str| format!("ALTER DATABASE Accounts SET {what} WITH ROLLBACK IMMEDIATE;");
    let stage = &scene.stage;
    stage.script("SQL2", "master", &alter("READ_ONLY")).await;
    die_in_a_log_run(&scene, Fate::NeverBegins).await;
    let (_, next) = world_of(&stage.config_path());
    let without = Strike::at(Target::StoreAway, When::Before).world(&next);
    let record = log_run(&scene, &without).await.expect("it goes on");
    assert_eq!(record.ended, None, "its pieces wait for the store");
    drop(record);
    stage.script("SQL2", "master", &alter("READ_WRITE")).await;
    let (_, next) = world_of(&stage.config_path());
    let record = log_run(&scene, &next).await.expect("a record");
    // What the first run never took was tidied up, and the second one's files with it if they had its names.
    assert_healthy(&scene, &record, "behind").await;
    let cures = run::verdict::cures(&record).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    scene.assert_the_shares_are_clear("behind");
    assert_eq!(next.journals.unfinished().expect("journals"), []);
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "{points:#?}");
    for point in &points {
        scene.restore(point).await;
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_somebody_removed_from_the_shares_cost_their_marks_and_are_shouted_about() {
    let mut scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let strike = Strike::at(Target::StoreAway, When::Before);
    let without = strike.world(&scene.world);
    scene.bank.transfer(&scene.stage, 11).await;
    let record = log_run(&scene, &without).await.expect("it goes on");
    assert_eq!(record.ended, None, "its pieces wait for the store");
    for file in files_below(scene.stage.path("share")) {
        std::fs::remove_file(file).expect("it is there");
    }
    scene.bank.transfer(&scene.stage, 12).await;
    // The share might restart: they are looked for once more when some minutes have passed, and nothing is mended before.
    for _ in 0..2 {
        let record = log_run(&scene, &scene.world).await.expect("a record");
        is_told_of_what_is_owed(&record);
        assert_eq!(scene.points().await.len(), 1);
    }
    let world = scene.world.clone();
    let minutes = Duration::from_secs(6 * 60);
    scene.world = World {
        clock: Arc::new(Ahead(world.clock.clone(), minutes)),
        ..world
    };
    let record = log_run(&scene, &scene.world).await.expect("a record");
    assert_healthy(&scene, &record, "mended").await;
    assert_eq!(run::verdict::cures(&record).cured.len(), 2);
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    let points = scene.points().await;
    // The mark of the second run with files has its logs in a chain that is mended only by the last one.
    scene.restore(points.last().expect("a Point")).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

/// The run shouts about two files that are not there.
fn is_told_of_what_is_owed(record: &Record) {
    let verdict = record.ended.map(|it| it.0);
    assert_eq!(verdict, Some(Verdict::Degraded), "{}", story(record));
    let warnings = &record.rounds[0].plan.warnings;
    let owed = |it: &&Warning| it.code == Code::BackupsOwed.text();
    let told: Vec<&str> = warnings
        .iter()
        .filter(owed)
        .map(|it| it.message.as_str())
        .collect();
    assert!(
        told.len() == 1 && told[0].contains("2 in number: SM0503"),
        "{told:?}"
    );
}
