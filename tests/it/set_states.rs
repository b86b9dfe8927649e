//! Sets as a state machine: a set that waits for a log, one that is void, members of best effort.
//!
//! Start at [`a_mark_becomes_a_point_after_all_when_the_next_log_carries_it`].

use serde_json::Value;
use stopmark::chain::{SetState, log_ends, published};
use stopmark::error::Exit;
use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;

use crate::bank::TOTAL;
use crate::chain_stories::{back_up, hasty, hasty_scene};
use crate::saga_kinds::{SPARE, Scene};

/// How the newest marked sets stand, oldest first.
async fn states(scene: &Scene, count: usize) -> Vec<SetState> {
    let group = &scene.config.group;
    scene.sets().await;
    let sets = scene.world.catalog.page(group, None, 100).await;
    let newest = scene.world.catalog.recent(group, 1, &[]).await;
    let ends = log_ends(&newest.expect("a catalog"), &[]);
    let sets = sets.expect("a catalog");
    let marked = sets.iter().rev().filter(|it| it.verdict.is_some());
    let marked = marked.map(|it| published(&it.set, it.verdict.as_ref(), &ends));
    let marked: Vec<SetState> = marked.collect();
    marked[marked.len() - count..].to_vec()
}

async fn fail_once(scene: &Scene, number: i32) {
    let fault = format!(
        "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @database = 'Ledger', \
         @number = {number}, @text = N'a fault';"
    );
    scene.stage.script("SQL1", "master", &fault).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_becomes_a_point_after_all_when_the_next_log_carries_it() {
    let scene = hasty_scene().await;
    scene.bank.transfer(&scene.stage, 7).await;
    fail_once(&scene, 924).await;
    let first = back_up(&scene, BackupKind::Log, &[]).await;
    let verdict = first.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Degraded));
    assert_eq!(states(&scene, 1).await, [SetState::Degraded]);
    assert!(scene.points().await.is_empty());
    let listed = scene.stage.run(&["list"]).await;
    assert!(listed.stdout.contains("degraded"), "{}", listed.stdout);
    let waits = "its next log backup carries it";
    assert!(listed.stdout.contains(waits), "{}", listed.stdout);
    scene.bank.transfer(&scene.stage, 8).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(
        states(&scene, 2).await,
        [SetState::Complete, SetState::Complete]
    );
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "nothing of the first mark is lost");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_whose_log_somebody_took_is_void() {
    let scene = hasty_scene().await;
    fail_once(&scene, 924).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let file = scene.stage.path("stolen.trn");
    let steal = format!("BACKUP LOG Ledger TO DISK = N'{}';", file.display());
    scene.stage.script("SQL1", "master", &steal).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(
        states(&scene, 2).await,
        [SetState::Void, SetState::Complete]
    );
}

/// Two required members, and one that is not.
async fn with_a_spare_part() -> Scene {
    let mut scene = Scene::of(&["Ledger"], &["Accounts", "Notes"]).await;
    let plain = "\"SQL2/Notes\"";
    let loose = "{ name = \"SQL2/Notes\", best_effort = true }";
    scene.stage.edit(plain, loose);
    let (config, world) = scene.stage.world();
    scene.config = config;
    scene.world = hasty(&world);
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_best_effort_holds_nobody_up_and_is_named_as_lacking() {
    let scene = with_a_spare_part().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let offline = "ALTER DATABASE Notes SET OFFLINE WITH ROLLBACK IMMEDIATE;";
    scene.stage.script("SQL2", "master", offline).await;
    scene.bank.transfer(&scene.stage, 9).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    let verdict = record.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Done), "{record:#?}");
    let points = scene.points().await;
    let lacking = |at: usize| points[at].lacking.len();
    assert_eq!((points.len(), lacking(0), lacking(1)), (2, 0, 1));
    let told = scene.stage.run(&["status"]).await;
    assert_eq!(told.exit, Exit::Ok, "{}", told.stdout);
    assert!(
        told.stdout.contains("without   SQL2/Notes"),
        "{}",
        told.stdout
    );
    let listed = scene.stage.run(&["list", "--json"]).await.stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let newest = listed["sets"].as_array().and_then(|sets| sets.last());
    let newest = newest.expect("a set");
    assert_eq!(newest["state"], "complete");
    assert_eq!(newest["lacking"].as_array().map(Vec::len), Some(1));
    // The rest of the group comes back, and the restore says what it is without.
    let plan = scene.restore_plan(&points[1]).await;
    assert!(plan.warnings[0].message.contains("SQL2/Notes"));
    let restored = scene.carry_out(&scene.world, &plan).await;
    restored.expect("restored");
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    let online = "ALTER DATABASE Notes SET ONLINE;";
    scene.stage.script("SQL2", "master", online).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let newest = scene.points().await.pop().expect("a Point");
    assert!(newest.lacking.is_empty(), "{:?}", newest.lacking);
}
