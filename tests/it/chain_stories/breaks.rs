//! Breaks that no statement refuses: somebody else's backups, another fork, damage in the store, bulk changes.
//!
//! Start at [`BREAKS`]. Each is seen by a survey, named, cured as cheaply as it can be, and marked anew in one run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use stopmark::plan::BackupKind;
use stopmark::run::record::Record;

use super::{assert_healthy, back_up, hasty_scene, told};
use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};

/// One break, as T-SQL on `SQL1`; `{folder}` is a folder that is no share.
const BREAKS: &[(&str, &str)] = &[
    (
        "somebody else takes a log backup",
        "BACKUP LOG Ledger TO DISK = N'{folder}/stolen1.trn' WITH CHECKSUM;",
    ),
    (
        "somebody else takes a full, then a log backup",
        "BACKUP DATABASE Ledger TO DISK = N'{folder}/stolen.bak' WITH CHECKSUM;\n\
         BACKUP LOG Ledger TO DISK = N'{folder}/stolen2.trn' WITH CHECKSUM;",
    ),
    (
        "somebody else takes copies, which break nothing",
        "BACKUP DATABASE Ledger TO DISK = N'{folder}/copy.bak' WITH COPY_ONLY;\n\
         BACKUP LOG Ledger TO DISK = N'{folder}/copy.trn' WITH COPY_ONLY;",
    ),
    (
        "somebody else's log backup, and msdb was purged after it",
        "BACKUP LOG Ledger TO DISK = N'{folder}/stolen3.trn' WITH CHECKSUM;\n\
         EXEC msdb.dbo.sp_delete_database_backuphistory @database_name = N'Ledger';",
    ),
    (
        "bulk-logged changes",
        "EXEC sp_sim_fault @kind = 'bulk change', @database = 'Ledger';",
    ),
    (
        "the database is restored over from somebody's full",
        "BACKUP DATABASE Ledger TO DISK = N'{folder}/over.bak' WITH COPY_ONLY;\n\
         ALTER DATABASE Ledger SET SINGLE_USER WITH ROLLBACK IMMEDIATE;\n\
         RESTORE DATABASE Ledger FROM DISK = N'{folder}/over.bak' WITH REPLACE;\n\
         ALTER DATABASE Ledger SET MULTI_USER;",
    ),
];

async fn tell(scene: &Scene, (title, script): (&str, &str)) -> String {
    scene.bank.transfer(&scene.stage, 5).await;
    let folder = scene.stage.path("elsewhere").display().to_string();
    let script = script.replace("{folder}", &folder);
    scene.stage.script("SQL1", "master", &script).await;
    scene.bank.transfer(&scene.stage, 6).await;
    let record = back_up(scene, BackupKind::Log, &[]).await;
    assert_healthy(scene, &record, title).await;
    format!("{title}\n{}", told(scene, &record))
}

/// A mark that is no Point yet: the log of one member, which carries it, failed.
pub(super) async fn marked_without_a_log() -> Scene {
    let scene = hasty_scene().await;
    let fault = "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', \
                 @database = 'Ledger', @number = 924, @text = N'a fault';";
    scene.stage.script("SQL1", "master", fault).await;
    scene.bank.transfer(&scene.stage, 4).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    assert!(scene.points().await.is_empty());
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_that_can_be_read_is_brought_in_by_the_run_itself() {
    // Somebody else's log backup then carries the mark away.
    let scene = marked_without_a_log().await;
    let file = scene.stage.path("share/0/olaf.trn");
    // Others may take theirs without checksums, and a restore must not ask for any.
    let steal = format!("BACKUP LOG Ledger TO DISK = N'{}';", file.display());
    scene.stage.script("SQL1", "master", &steal).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a stolen log is brought in").await;
    insta::assert_snapshot!(told(&scene, &record));
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "the mark inside the stolen log counts");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    assert!(file.exists(), "it is only read");
}

/// Somebody else's log backup of `Ledger` in two files at a place that the agent sees; the files.
async fn stolen_in_stripes(scene: &Scene) -> [PathBuf; 2] {
    let files = ["olaf_1.trn", "olaf_2.trn"].map(|name| scene.stage.path("share/0").join(name));
    let steal = format!(
        "BACKUP LOG Ledger TO DISK = N'{}', DISK = N'{}' WITH CHECKSUM;",
        files[0].display(),
        files[1].display()
    );
    scene.stage.script("SQL1", "master", &steal).await;
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_in_several_files_is_brought_in_with_all_of_them() {
    let scene = marked_without_a_log().await;
    stolen_in_stripes(&scene).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a striped log is brought in").await;
    insta::assert_snapshot!(told(&scene, &record));
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "the mark inside the stolen log counts");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_of_which_a_file_is_gone_is_bridged_and_the_run_says_why() {
    let scene = marked_without_a_log().await;
    let [_, second] = stolen_in_stripes(&scene).await;
    std::fs::remove_file(second).expect("it is there");
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a striped log is bridged").await;
    insta::assert_snapshot!(told(&scene, &record));
    let points = scene.points().await;
    assert_eq!(points.len(), 1, "the mark inside the stolen log is lost");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_that_was_written_over_is_bridged_and_the_run_says_what_lies_there() {
    let scene = marked_without_a_log().await;
    let file = scene.stage.path("share/0/olaf.trn");
    let steal = format!("BACKUP LOG Ledger TO DISK = N'{}';", file.display());
    scene.stage.script("SQL1", "master", &steal).await;
    std::fs::write(&file, "dear customer").expect("writes");
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a log that is none is bridged").await;
    insta::assert_snapshot!(told(&scene, &record));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_ours_that_no_run_brought_away_is_brought_in_by_the_next_one() {
    let scene = marked_without_a_log().await;
    // As of an agent whose machine is lost with its journal: the log is cut off, and its file lies in our folder.
    let folder = format!("share/0/{}", scene.config.group);
    let file = scene.stage.path(&folder).join("left.log.1of1.bak");
    let left = format!(
        "BACKUP LOG Ledger TO DISK = N'{}' WITH CHECKSUM;",
        file.display()
    );
    scene.stage.script("SQL1", "master", &left).await;
    scene.bank.transfer(&scene.stage, 6).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a log of ours is brought in").await;
    insta::assert_snapshot!(told(&scene, &record));
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "the mark inside that log counts");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

/// The newest file of this kind in the store.
fn newest(folder: &Path, end: &str) -> PathBuf {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    let stamp = |path: &PathBuf| path.file_name().map(std::ffi::OsStr::to_owned);
    found.into_iter().max_by_key(stamp).expect("a file")
}

/// The newest log of `Ledger` vanishes from the store, and a scrub notices.
async fn lose_a_log(scene: &Scene) -> Record {
    let store = scene.stage.path("store/v1/stage/pieces");
    let hosts = std::fs::read_dir(store).expect("pieces");
    let mut hosts = hosts.map(|entry| entry.expect("a host").path());
    let sql1 = hosts.find(|path| path.to_string_lossy().contains("/sql1-"));
    std::fs::remove_file(newest(&sql1.expect("its pieces"), ".log.1of1.bak")).expect("removed");
    // The scrub is another agent's.
    let group = &scene.config.group;
    let released = scene.world.store.release_lease(group).await;
    released.expect("it was ours");
    scene.stage.run(&["scrub"]).await;
    back_up(scene, BackupKind::Log, &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_break_is_seen_named_and_cured_in_one_run() {
    let scene = hasty_scene().await;
    let elsewhere = scene.stage.path("elsewhere");
    std::fs::create_dir_all(elsewhere).expect("a folder");
    back_up(&scene, BackupKind::Log, &[]).await;
    let mut text = String::new();
    for it in BREAKS {
        text.push_str(&tell(&scene, *it).await);
    }
    let record = lose_a_log(&scene).await;
    assert_healthy(&scene, &record, "a log is lost").await;
    let lost = told(&scene, &record);
    write!(text, "a log vanishes from the store\n{lost}").expect("a string");
    insta::assert_snapshot!(text);
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    scene.assert_the_shares_are_clear("after all breaks");
}
