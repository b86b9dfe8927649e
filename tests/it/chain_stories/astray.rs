//! Others' backups in places that are not their own: media that hold many, and fulls that became the base of differentials.
//!
//! Start at [`stolen_logs_on_a_medium_with_others_are_brought_in_from_their_places_there`]. What can be read is brought in
//! by the run that needs it; what cannot is named, and bridged.

use std::path::{Path, PathBuf};

use stopmark::model::PieceKind::{Differential, Full, Log};
use stopmark::model::{Piece, PieceKind};
use stopmark::plan::BackupKind;

use super::breaks::marked_without_a_log;
use super::{assert_healthy, back_up, hasty_scene, told};
use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};

/// Somebody else's backup of `Ledger`: `LOG` or `DATABASE`, and the options.
async fn steal(scene: &Scene, what: &str, file: &Path, options: &str) {
    // A log without changes breaks nothing.
    scene.bank.transfer(&scene.stage, 2).await;
    let script = format!(
        "BACKUP {what} Ledger TO DISK = N'{}'{options};",
        file.display()
    );
    scene.stage.script("SQL1", "master", &script).await;
}

/// A place that the agent sees, and one that it does not.
fn places(scene: &Scene) -> (PathBuf, PathBuf) {
    let elsewhere = scene.stage.path("elsewhere");
    std::fs::create_dir_all(&elsewhere).expect("a folder");
    (
        scene.stage.path("share/0/olaf.bak"),
        elsewhere.join("olaf.trn"),
    )
}

/// The pieces that the newest Point brings `Ledger` back with, in the order of restoring; it is restored.
async fn way(scene: &Scene) -> Vec<Piece> {
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    let path = &newest.paths[&"SQL1/Ledger".parse().expect("a member")];
    let sets = scene.sets().await;
    let pieces: Vec<Piece> = sets.into_iter().flat_map(|set| set.pieces).collect();
    let of = |id| pieces.iter().find(|piece| piece.id == id).cloned();
    path.pieces().map(|id| of(id).expect("its set")).collect()
}

/// What the newest Point is restored from: kinds, and where others' backups stand on their media.
async fn kinds_and_places(scene: &Scene) -> Vec<(PieceKind, u16)> {
    let way = way(scene).await.into_iter();
    way.map(|piece| (piece.kind, piece.position)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stolen_logs_on_a_medium_with_others_are_brought_in_from_their_places_there() {
    let scene = marked_without_a_log().await;
    let (file, _) = places(&scene);
    // Without INIT or FORMAT each is appended to what is there, as SSMS writes it.
    steal(&scene, "DATABASE", &file, " WITH COPY_ONLY").await;
    steal(&scene, "LOG", &file, "").await;
    steal(&scene, "LOG", &file, "").await;
    let first = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &first, "appended logs are brought in").await;
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "the mark inside a stolen log counts");
    scene.restore(&points[0]).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    steal(&scene, "LOG", &file, "").await;
    let second = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &second, "the medium has grown").await;
    insta::assert_snapshot!(format!(
        "{}  and again\n{}",
        told(&scene, &first),
        told(&scene, &second)
    ));
    let way = kinds_and_places(&scene).await;
    assert_eq!(
        way,
        [(Full, 1), (Log, 2), (Log, 3), (Log, 1), (Log, 4), (Log, 1)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_that_was_begun_anew_has_lost_the_stolen_log_and_the_run_says_so() {
    let scene = marked_without_a_log().await;
    let (file, _) = places(&scene);
    steal(&scene, "LOG", &file, "").await;
    steal(&scene, "DATABASE", &file, " WITH COPY_ONLY, INIT").await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "the log is bridged").await;
    insta::assert_snapshot!(told(&scene, &record));
    assert_eq!(
        scene.points().await.len(),
        1,
        "the mark inside the stolen log is lost"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_s_full_is_brought_in_as_the_base_of_the_differential_that_was_asked_for() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let (file, _) = places(&scene);
    steal(&scene, "DATABASE", &file, "").await;
    let first = back_up(&scene, BackupKind::Differential, &[]).await;
    scene.bank.transfer(&scene.stage, 3).await;
    let second = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &second, "a log after the differential").await;
    insta::assert_snapshot!(format!(
        "{}  and again\n{}",
        told(&scene, &first),
        told(&scene, &second)
    ));
    let way = way(&scene).await;
    let [full, differential, _] = way.as_slice() else {
        panic!("{way:?}");
    };
    let base = differential.differential_base.expect("a base");
    assert_eq!(base.backup_set_guid, full.backup_set_guid);
    assert!(
        !full.has_backup_checksums,
        "it is the one without checksums, somebody else's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_differential_on_somebody_else_s_full_bridges_a_log_that_cannot_be_read() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let (file, unseen) = places(&scene);
    steal(&scene, "DATABASE", &file, "").await;
    steal(&scene, "LOG", &unseen, "").await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a log is bridged").await;
    insta::assert_snapshot!(told(&scene, &record));
    let way = way(&scene).await;
    let kinds: Vec<PieceKind> = way.iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds[..2], [Full, Differential]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_s_full_behind_a_stolen_log_leaves_nothing_to_mend() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let (file, unseen) = places(&scene);
    steal(&scene, "LOG", &unseen, "").await;
    steal(&scene, "DATABASE", &file, "").await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a full is brought in").await;
    insta::assert_snapshot!(told(&scene, &record));
    assert_eq!(kinds_and_places(&scene).await, [(Full, 1), (Log, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_took_without_a_file_is_named_and_answered_with_a_full() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    for (what, name) in [("DATABASE", "vss.bak"), ("LOG", "vdi.trn")] {
        steal(&scene, what, &scene.stage.path(name), "").await;
        let is_snapshot = u8::from(what == "DATABASE");
        let virtually = format!(
            "UPDATE msdb.dbo.backupmediafamily SET device_type = 7, physical_device_name = N'{{5F1C}}1'\n\
             WHERE media_set_id = (SELECT MAX(media_set_id) FROM msdb.dbo.backupset);\nGO\n\
             UPDATE msdb.dbo.backupset SET is_snapshot = {is_snapshot}\n\
             WHERE media_set_id = (SELECT MAX(media_set_id) FROM msdb.dbo.backupset);"
        );
        scene.stage.script("SQL1", "master", &virtually).await;
    }
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "a full is taken").await;
    insta::assert_snapshot!(told(&scene, &record));
    way(&scene).await;
}
