//! A member whose chain somebody breaks again and again: mended a few times, then shouted about, then released.
//!
//! Start at [`a_chain_that_breaks_again_and_again_is_left_and_shouted_about`].

use stopmark::error::Exit;
use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;

use crate::chain_stories::{back_up, hasty};
use crate::saga_kinds::Scene;
use crate::saga_story::story;

/// A scene that leaves a member after two cures, and whose every run is mended in vain.
async fn scene() -> Scene {
    let mut scene = Scene::set().await;
    scene.stage.edit("cures_max = 0", "cures_max = 2");
    let (config, world) = scene.stage.world();
    scene.config = config;
    scene.world = hasty(&world);
    scene
}

/// Somebody takes a log, and the next run meets it.
async fn stolen(scene: &Scene) -> Record {
    scene.bank.transfer(&scene.stage, 2).await;
    let file = scene.stage.path(&scene.world.ids.next().to_string());
    let steal = format!("BACKUP LOG Ledger TO DISK = N'{}';", file.display());
    scene.stage.script("SQL1", "master", &steal).await;
    back_up(scene, BackupKind::Log, &[]).await
}

fn verdict(record: &Record) -> Option<Verdict> {
    record.ended.map(|(verdict, _)| verdict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_breaks_again_and_again_is_left_and_shouted_about() {
    let scene = scene().await;
    for _ in 0..2 {
        let cured = stolen(&scene).await;
        assert_eq!(verdict(&cured), Some(Verdict::Done), "{}", story(&cured));
    }
    let points = scene.points().await.len();
    let left = stolen(&scene).await;
    let told = story(&left);
    assert_eq!(verdict(&left), Some(Verdict::Degraded), "{told}");
    assert!(told.contains("SM0606"), "{told}");
    assert!(!told.contains("Bases:"), "it is not mended: {told}");
    assert!(
        told.contains("Logs: log of SQL2/Accounts (scheduled): done"),
        "{told}"
    );
    assert_eq!(scene.points().await.len(), points);
    let status = scene.stage.run(&["status"]).await;
    assert_eq!(status.exit, Exit::Degraded, "{}", status.stdout);
    assert!(
        status.stdout.contains("QUARANTINE SQL1/Ledger"),
        "{}",
        status.stdout
    );

    let unknown = scene.stage.run(&["group", "release", "SQL1/Nobody"]).await;
    assert_eq!(unknown.exit, Exit::Failed, "{}", unknown.stderr);
    let released = scene.stage.run(&["group", "release", "SQL1/Ledger"]).await;
    assert_eq!(released.exit, Exit::Ok, "{}", released.stderr);
    let mended = back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(verdict(&mended), Some(Verdict::Done), "{}", story(&mended));
    assert_eq!(scene.points().await.len(), points + 1);
}
