//! What the agent knows and what the world says differ: found, named, and nothing is deleted or published for it.
//!
//! Start at [`a_purged_msdb_is_named_and_breaks_nothing`]. A host with another true name is in `bad_input`, a purged msdb with a
//! foreign log in `chain_stories`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stopmark::plan::BackupKind;
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::World;

use crate::agent_seeds::clock::Skewed;
use crate::bank::{LEDGERS, TOTAL};
use crate::chain_stories::{assert_healthy, back_up, hasty_scene};
use crate::saga_kinds::{SPARE, Scene};

/// Every file below a folder with its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut open = vec![folder.to_owned()];
    let mut files = BTreeMap::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).expect("reads");
                files.insert(path, bytes);
            }
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in content(from) {
        let below = path.strip_prefix(from).expect("below it");
        let place = to.join(below);
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        fs::write(place, bytes).expect("writes");
    }
}

async fn bring_back(scene: &Scene) {
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_msdb_is_named_and_breaks_nothing() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    scene.bank.transfer(&scene.stage, 5).await;
    for (host, database) in LEDGERS {
        // As after a purge that is too eager.
        let forget = format!(
            "EXEC msdb.dbo.sp_delete_database_backuphistory @database_name = N'{database}';"
        );
        scene.stage.script(host, "master", &forget).await;
    }
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a purged msdb").await;
    let cures = stopmark::run::verdict::cures(&record);
    assert!(
        cures.cured.is_empty(),
        "the database knows its log: {cures:?}"
    );
    let warnings = &record.rounds[0].plan.warnings;
    let told = warnings.iter().filter(|it| it.code == "SM0218");
    assert_eq!(told.count(), 2, "a purge is told: {warnings:?}");
    let record = back_up(&scene, BackupKind::Differential, &[]).await;
    let taken = crate::saga_story::story(&record);
    assert!(
        taken.contains("diff of SQL1/Ledger (scheduled)"),
        "the database knows its base: {taken}"
    );
    bring_back(&scene).await;
}

/// The number of the newest row of a host's backup history.
async fn newest_row(scene: &Scene, host: &str) -> i64 {
    let newest = "SELECT CAST(MAX(backup_set_id) AS bigint) FROM msdb.dbo.backupset;";
    scene.stage.number(host, "master", newest).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_last_week_in_msdb_are_named_and_break_nothing() {
    let scene = hasty_scene().await;
    let last_week = newest_row(&scene, "SQL1").await;
    back_up(&scene, BackupKind::Log, &[]).await;
    scene.bank.transfer(&scene.stage, 5).await;
    assert!(newest_row(&scene, "SQL1").await > last_week);
    // As after a restore of msdb: what was before last week is there, and nothing that came later.
    for table in ["restorehistory", "backupfile", "backupset"] {
        let later = format!("DELETE FROM msdb.dbo.{table} WHERE backup_set_id > {last_week};");
        scene.stage.script("SQL1", "master", &later).await;
    }
    assert_eq!(newest_row(&scene, "SQL1").await, last_week);
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "rows of last week").await;
    assert!(stopmark::run::verdict::cures(&record).cured.is_empty());
    let warnings = &record.rounds[0].plan.warnings;
    let told: Vec<&str> = warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(told.len(), 1, "one host, one member: {told:?}");
    assert_eq!(warnings[0].code, "SM0218");
    assert!(told[0].contains("`SQL1/Ledger`"), "{told:?}");
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert!(record.rounds[0].plan.warnings.is_empty(), "told once");
    bring_back(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_run_backwards_change_no_order() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let before = scene.points().await.pop().expect("a Point").mark;
    let hours = 3 * 60 * 60 * 1000;
    // The agent's clock and one host's go back.
    let skew = format!("EXEC sp_sim_fault @kind = 'skew clock', @milliseconds = -{hours};");
    scene.stage.script("SQL1", "master", &skew).await;
    scene.bank.transfer(&scene.stage, 6).await;
    let late = World {
        clock: Arc::new(Skewed(scene.world.clock.clone(), -hours)),
        ..scene.world.clone()
    };
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    let record = run::back_up(&late, &scene.config, &wanted, &Interrupt::default()).await;
    record.expect("a record");
    let points = scene.points().await;
    let after = &points.last().expect("a Point").mark;
    assert_eq!(points.len(), 2);
    assert!(after.name.as_str() > before.name.as_str(), "marks rise");
    assert!(after.placed_at > before.placed_at);
    bring_back(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_went_back_in_time_is_found_before_anything_is_published() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let (store, older) = (scene.stage.path("store"), scene.stage.path("older"));
    copy(&store, &older);
    scene.bank.transfer(&scene.stage, 7).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    // Somebody puts the store of yesterday in its place.
    fs::remove_dir_all(&store).expect("removed");
    copy(&older, &store);
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    let refused = run::back_up(&scene.world, &scene.config, &wanted, &Interrupt::default()).await;
    let error = refused.expect_err("the catalog knows more than the store");
    let told = format!("{error:?}");
    assert!(told.contains("/log/"), "the entry is named: {told}");
    let sets = |files: BTreeMap<PathBuf, Vec<u8>>| {
        let sets = files
            .into_keys()
            .filter(|path| path.to_string_lossy().contains("/sets/"));
        sets.count()
    };
    assert_eq!(
        sets(content(&store)),
        sets(content(&older)),
        "nothing was published"
    );
}
