//! Companions: databases beside the group, backed up without a mark and without touching whoever else backs them up.
//!
//! Start at [`companions_are_taken_told_and_written_into_the_runbook`]. `Side` belongs to somebody else: it is in the
//! FULL recovery model, and has a chain and a differential base of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use stopmark::error::Exit;

use crate::bank::{Bank, TOTAL};
use crate::scrub::shaped;
use crate::stage::{Stage, must};

const SIDE: &str = "CREATE DATABASE Side;";

const NAMED: &str = "[companions]\ndatabases = ['SQL1/master', 'SQL1/msdb', 'SQL1/model', 'SQL1/Side', 'SQL2/master']\n\n\
                     [policy]";

/// The sum of a row that only `Side` has.
const SUM: &str = "SELECT SUM(id) FROM dbo.T;";

/// A group with a Point before it, and a database beside it whose chain is somebody else's.
async fn beside() -> Stage {
    let stage = Stage::set(&[
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ])
    .await;
    stage.edit("[policy]", NAMED);
    stage.script("SQL1", "master", SIDE).await;
    let rows = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (7);";
    stage.script("SQL1", "Side", rows).await;
    let folder = stage.path("theirs");
    fs::create_dir_all(&folder).expect("a folder");
    let folder = folder.display();
    let theirs = format!(
        "BACKUP DATABASE Side TO DISK = N'{folder}/full.bak';\n\
         BACKUP LOG Side TO DISK = N'{folder}/log.bak';"
    );
    stage.script("SQL1", "master", &theirs).await;
    must(&stage.run(&["backup", "full"]).await);
    stage
}

/// Where the next log backup of `Side` begins, and what its next differential builds on.
async fn chain_of_side(stage: &Stage) -> [String; 2] {
    let log = "SELECT CAST(last_log_backup_lsn AS nvarchar(40)) FROM sys.database_recovery_status \
               WHERE database_id = DB_ID(N'Side');";
    let base = "SELECT TOP (1) CAST(differential_base_guid AS nvarchar(40)) FROM Side.sys.database_files \
                WHERE type = 0;";
    [
        stage.text("SQL1", log).await,
        stage.text("SQL1", base).await,
    ]
}

fn file(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_are_taken_told_and_written_into_the_runbook() {
    let stage = beside().await;
    let before = chain_of_side(&stage).await;
    let check = stage.run(&["check"]).await.stdout;
    assert!(check.contains("5 databases beside the group"), "{check}");
    let plan = stage.must(&["backup", "companions", "--dry-run"]).await;
    let taken = stage.must(&["backup", "companions"]).await;
    assert_eq!(
        chain_of_side(&stage).await,
        before,
        "it is somebody else's to back up"
    );
    must(&stage.run(&["backup", "log"]).await);
    let list = stage.must(&["list"]).await;
    let status = stage.must(&["status"]).await;
    let beside = status.lines().filter(|line| line.contains("beside"));
    let status: Vec<&str> = beside.collect();
    let status = status.join("\n");
    assert!(stage.must(&["points"]).await.contains("back to mark"));
    let told = stage.scrub(&format!("{plan}\n{taken}\n{list}\n{status}"));
    // How much of msdb is in use hangs on what came before.
    assert_snapshot!(shaped(&told, "0.0 MiB", "<size>"));

    let (printed, folder) = stage.on_paper().await;
    must(&printed);
    let runbook = file(&folder, "RUNBOOK.md");
    let (_, own) = runbook
        .split_once("## Beside the group")
        .expect("its section");
    let (own, _) = own.split_once("\n## ").expect("another section");
    let script = file(&folder, "restore-companions-SQL1.sql");
    let paper = stage.scrub(&format!("## Beside the group{own}\n{script}"));
    let paper = shaped(&paper, &"x".repeat(64), "<digest>");
    let paper = shaped(&paper, "000 KiB", "<size>");
    assert_snapshot!(shaped(&paper, "0000-00-00 00:00:00", "<time>"));

    let brought = Command::new("sh")
        .arg(folder.join("fetch-companions-SQL1.sh"))
        .output()
        .expect("a shell");
    assert!(brought.status.success(), "{brought:?}");
    let batches = script.split("\nGO\n").filter(|it| !it.trim().is_empty());
    stage.script("SQL1", "master", "DROP DATABASE Side;").await;
    for batch in batches {
        stage.script("SQL1", "master", batch).await;
    }
    assert_eq!(stage.number("SQL1", "Side", SUM).await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_fails_is_told_and_neither_the_others_nor_the_group_are_the_worse() {
    let stage = beside().await;
    stage.edit("'SQL1/Side'", "'SQL1/Side', 'SQL2/Gone'");
    let check = stage.run(&["check"]).await;
    assert!(
        check.stdout.contains("companion `SQL2/Gone` is left out"),
        "{}",
        check.stdout
    );
    let fail = "EXEC sp_sim_fault 'fail', @statement = 'BACKUP DATABASE', @number = 3041, @class = 16, \
                @text = N'BACKUP failed to complete the command.';";
    stage.script("SQL2", "master", fail).await;
    let taken = stage.run(&["backup", "companions"]).await;
    assert_eq!(taken.exit, Exit::Degraded, "{}", taken.stdout);
    assert!(taken.stdout.contains("SM0509"), "{}", taken.stdout);
    assert!(taken.stdout.contains("SQL2/Gone"), "{}", taken.stdout);
    assert!(taken.stdout.contains("SM0501"), "{}", taken.stdout);
    must(&stage.run(&["backup", "log"]).await);
    let status = stage.must(&["status"]).await;
    assert!(status.contains("SQL2/master: none yet"), "{status}");
    assert!(status.contains("SQL1/msdb: of 2"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prune_keeps_the_companions_before_each_kept_point_and_the_newest() {
    let stage = beside().await;
    let bank = Bank::open(&stage).await;
    let policy = "[retention]\nkeep_last = 1\nkeep_for = \"0h\"\n\n[companions]";
    stage.edit("[companions]", policy);
    for act in [
        "log",
        "companions",
        "companions",
        "log",
        "companions",
        "companions",
    ] {
        bank.transfer(&stage, 1).await;
        must(&stage.run(&["backup", act]).await);
    }
    let of_master = || {
        let all = crate::damage::stored(&stage, ".full.1of1.bak").into_iter();
        let masters = all.filter(|path| path.display().to_string().contains("/sql1-"));
        let masters = masters.filter(|path| path.display().to_string().contains("/master-"));
        masters.collect::<Vec<_>>()
    };
    let all = of_master();
    assert_eq!(all.len(), 4);
    must(&stage.run(&["prune", "run"]).await);
    let mut left = of_master();
    left.sort();
    assert_eq!(left, [all[1].clone(), all[3].clone()]);
    must(&stage.run(&["prune", "run"]).await);
    assert_eq!(of_master().len(), 2, "there is nothing more to let go");
    must(&stage.run(&["scrub"]).await);
    must(
        &stage
            .run(&["restore", "run", "--to-host", "SPARE", "--default-folders"])
            .await,
    );
    assert_eq!(bank.sum_on(&stage, "SPARE").await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_that_cannot_be_meant_are_refused_with_the_configuration() {
    let stage = beside().await;
    stage.edit(
        "'SQL1/Side'",
        "'SQL1/Ledger', 'SQL1/tempdb', 'SQL1/MASTER', 'SQL9/msdb', { name = 'SQL2/msdb', best_effort = true }",
    );
    let told = stage.run(&["status"]).await;
    assert_eq!(told.exit, Exit::Config);
    assert_snapshot!(stage.scrub(&told.stderr));
    let none = Stage::set(&[("SQL1", &["Ledger"])]).await;
    let refused = none.run(&["backup", "companions"]).await;
    assert!(refused.stderr.contains("SM0509"), "{}", refused.stderr);
    none.edit(
        "[policy]",
        "[schedule]\ncompanions = \"0 1 * * *\"\n\n[policy]",
    );
    let refused = none.run(&["status"]).await;
    assert!(
        refused.stderr.contains("nobody says which"),
        "{}",
        refused.stderr
    );
}
