//! A member that is being seeded to another replica: its backups wait, visibly and not for ever.
//!
//! Start at [`the_logs_of_a_member_wait_until_it_has_been_seeded`].

use stopmark::plan::{BackupKind, Step};
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;

use crate::bank::TOTAL;
use crate::chain_stories::back_up;
use crate::saga_kinds::{SPARE, Scene};

/// A scene whose `Ledger` is in an availability group.
async fn grouped() -> Scene {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let group = "CREATE AVAILABILITY GROUP ag WITH (DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE) \
                 FOR DATABASE Ledger REPLICA ON N'SQL1' WITH (ENDPOINT_URL = N'TCP://sql1:5022', \
                 FAILOVER_MODE = MANUAL, AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)";
    scene.stage.script("SQL1", "master", group).await;
    scene
}

async fn seed(scene: &Scene, goes_on: u8) {
    let script = format!("EXEC sp_sim_seeding 'Ledger', {goes_on};");
    scene.stage.script("SQL1", "master", &script).await;
}

fn is_warned(record: &Record) -> bool {
    let mut warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
    warnings.any(|it| it.code == "SM0507" && it.message.contains("SQL1/Ledger"))
}

fn took_a_log(record: &Record, database: &str) -> bool {
    let mut ended = record
        .rounds
        .iter()
        .flat_map(stopmark::run::record::Round::ended);
    ended.any(
        |(step, _)| matches!(step, Step::BackUp(step) if step.member.database.as_str() == database),
    )
}

fn verdict(record: &Record) -> Option<Verdict> {
    record.ended.map(|(verdict, _)| verdict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_of_a_member_wait_until_it_has_been_seeded() {
    let scene = grouped().await;
    seed(&scene, 1).await;
    scene.bank.transfer(&scene.stage, 5).await;
    let waiting = back_up(&scene, BackupKind::Log, &[]).await;
    assert!(is_warned(&waiting), "the pause is told");
    assert_eq!(verdict(&waiting), Some(Verdict::Degraded));
    assert!(!took_a_log(&waiting, "Ledger") && took_a_log(&waiting, "Accounts"));
    assert_eq!(scene.points().await.len(), 1, "its mark is no Point yet");
    scene.bank.transfer(&scene.stage, 6).await;
    seed(&scene, 0).await;
    let after = scene.back_up(BackupKind::Log).await;
    assert!(!is_warned(&after), "there is nothing to tell any more");
    let points = scene.points().await;
    assert_eq!(points.len(), 3, "the mark that waited is a Point too");
    scene.restore(&points[1]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_too_full_waits_for_no_seeding() {
    let mut scene = grouped().await;
    scene
        .stage
        .edit("cures_max = 0", "cures_max = 0\nlog_used_max = 0");
    (scene.config, scene.world) = scene.stage.world();
    seed(&scene, 1).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert!(is_warned(&record), "that the seeding may break is told");
    assert!(took_a_log(&record, "Ledger"));
    assert_eq!(verdict(&record), Some(Verdict::Done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_seeding_is_waited_for_when_the_newest_log_is_too_old() {
    let mut scene = grouped().await;
    scene
        .stage
        .edit("cures_max = 0", "cures_max = 0\npause_max = \"1ms\"");
    (scene.config, scene.world) = scene.stage.world();
    seed(&scene, 1).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    let mut warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
    let told = warnings.find(|it| it.code == "SM0510").expect("it is told");
    let why = "and the newest log of it that we hold is from ";
    assert!(told.message.contains(why), "{}", told.message);
    assert!(took_a_log(&record, "Ledger"));
    assert_eq!(
        verdict(&record),
        Some(Verdict::Degraded),
        "and shouted about"
    );
    assert_eq!(scene.points().await.len(), 2, "the group has its Point");
}
