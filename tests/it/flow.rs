//! The job from end to end on two hosts: prepare, full, mark and logs, list, verify, restore, prove.

use crate::stage::{Stage, must};

/// A table in SQL1's Ledger with a row before the full and one before the log.
async fn back_up_two_rows(stage: &Stage) {
    stage
        .script(
            "SQL1",
            "Ledger",
            "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);",
        )
        .await;
    must(&stage.run(&["backup", "full"]).await);
    stage
        .script("SQL1", "Ledger", "INSERT INTO dbo.T VALUES (2);")
        .await;
    must(&stage.run(&["backup", "log"]).await);
}

/// Brings the whole group back on the host SPARE, with all files in the folder `restored`.
async fn restore_on_spare(stage: &Stage) {
    let files = stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    must(
        &stage
            .run(&["restore", "run", "--to-host", "SPARE", "--files-in", &files])
            .await,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_on_two_hosts_is_backed_up_marked_and_brought_back() {
    let stage = Stage::set(&[
        ("SQL1", &["Orders", "Ledger"]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ])
    .await;
    back_up_two_rows(&stage).await;
    stage
        .script("SQL1", "Ledger", "INSERT INTO dbo.T VALUES (3);")
        .await;
    must(&stage.run(&["backup", "log"]).await);
    must(&stage.run(&["list"]).await);
    must(&stage.run(&["verify"]).await);
    restore_on_spare(&stage).await;
    let sum = stage
        .number("SPARE", "Ledger", "SELECT SUM(id) FROM dbo.T;")
        .await;
    assert_eq!(
        sum, 6,
        "everything before the newest mark, and nothing else"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_catalog_is_folded_again_from_the_store() {
    let stage = Stage::set(&[("SQL1", &["Orders"]), ("SPARE", &[])]).await;
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    let before = stage.run(&["list", "--json"]).await.stdout;
    must(&stage.run(&["catalog", "rebuild"]).await);
    assert_eq!(stage.run(&["list", "--json"]).await.stdout, before);
    std::fs::remove_file(stage.path("state/catalog.sqlite")).expect("it is there");
    assert_eq!(stage.run(&["list", "--json"]).await.stdout, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_pieces_are_proven_by_their_media_and_brought_back() {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SPARE", &[])]).await;
    let text = std::fs::read_to_string(stage.config_path()).expect("it is there");
    let compressed = "{ name = \"SQL1/Ledger\", stripes = 2, compression = true }";
    let text = text.replace("\"SQL1/Ledger\"", compressed);
    std::fs::write(stage.config_path(), text).expect("writes");
    back_up_two_rows(&stage).await;
    must(&stage.run(&["verify"]).await);
    let listed = stage
        .text(
            "SQL1",
            "SELECT DISTINCT compression_algorithm FROM msdb.dbo.backupset;",
        )
        .await;
    assert_eq!(listed, "MS_XPRESS", "no backup was taken another way");
    restore_on_spare(&stage).await;
    // Where the data file went tells that the media's own list of files was read.
    let there = std::fs::read_dir(stage.path("restored"));
    let count = there.expect("it is there").count();
    assert!(
        count >= 2,
        "data and log, not where they were on their host"
    );
    let sum = stage
        .number("SPARE", "Ledger", "SELECT SUM(id) FROM dbo.T;")
        .await;
    assert_eq!(sum, 3);
}
