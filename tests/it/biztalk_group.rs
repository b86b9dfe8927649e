//! A BizTalk group as it lives: Microsoft's procedures driven, its list changing, its setup half done, its job taken over.

use stopmark::error::Exit;

use crate::biztalk_stage::{MANAGEMENT, MEMBERS, biztalk, ends, history, pay};
use crate::stage::Stage;

/// A second message box, ready for marks, on the first host.
async fn add_message_box(stage: &Stage) {
    let instance = stage.host("BTS1").instance();
    stage
        .script("BTS1", "master", "CREATE DATABASE BizTalkMsgBoxDb2;")
        .await;
    sqlsim::biztalk::install_member(instance, "BizTalkMsgBoxDb2")
        .await
        .expect("installed");
    let sql = "INSERT INTO adm_MessageBox (DBServerName, DBName, IsMasterMsgBox)\n\
               VALUES (N'BTS1', N'BizTalkMsgBoxDb2', 0);";
    stage.script("BTS1", MANAGEMENT, sql).await;
}

/// How many members the newest set has a mark in.
async fn members(stage: &Stage) -> usize {
    let shown = stage.run(&["show", "--json"]).await.stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("json");
    let mark = shown["set"]["mark"]["members"].as_array();
    mark.unwrap_or_else(|| panic!("{shown:#}")).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn microsofts_own_procedures_mark_and_back_up_and_the_group_comes_back() {
    let stage = biztalk("engine = \"microsoft\"").await;
    pay(&stage, 1).await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    pay(&stage, 2).await;
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    pay(&stage, 4).await;
    assert_eq!(
        history(&stage).await,
        ["1 db 4/4 marked 0", "2 lg 4/4 marked 4"]
    );
    let folder = stage.path("share/1/stage");
    let names = std::fs::read_dir(folder).expect("it is there");
    let names: Vec<String> = names
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let is_theirs = |name: &&String| name.starts_with("BTS2_BizTalkMsgBoxDb_Log_BTS_");
    assert_eq!(names.iter().filter(is_theirs).count(), 1, "{names:?}");
    let sql =
        "SELECT CAST(COUNT(*) AS bigint) FROM msdb.dbo.backupset WHERE has_backup_checksums = 1;";
    assert_eq!(
        stage.number("BTS2", "master", sql).await,
        0,
        "{}",
        log.stdout
    );
    ends(&stage, &["verify"], Exit::Ok).await;
    let files = stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let args = ["restore", "run", "--to-host", "DR", "--files-in", &files];
    ends(&stage, &args, Exit::Ok).await;
    let sql = "SELECT SUM(id) FROM dbo.Amount;";
    assert_eq!(stage.number("DR", "BizTalkMsgBoxDb", sql).await, 3);
    assert_eq!(stage.number("DR", "SSODB", sql).await, 3);
}

/// Restores the group to a mark on the spare host, and requires what it holds there.
async fn comes_back(stage: &Stage, mark: &str, sum: i64) {
    let files = stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let place = ["restore", "run", "--mark", mark, "--to-host", "DR"];
    let over = ["--files-in", &files, "--yes-overwrite", "stage"];
    ends(stage, &[&place[..], &over].concat(), Exit::Ok).await;
    for database in ["SSODB", "BizTalkMsgBoxDb"] {
        let sql = "SELECT SUM(id) FROM dbo.Amount;";
        assert_eq!(stage.number("DR", database, sql).await, sum, "{database}");
    }
}

/// The marks of the group's points, oldest first.
async fn marks(stage: &Stage) -> Vec<String> {
    let shown = ends(stage, &["points", "--json"], Exit::Ok).await.stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("json");
    let points = shown["points"].as_array().expect("a list").iter();
    let marks = points.map(|point| point["mark"].as_str().expect("a mark").to_owned());
    let mut marks: Vec<String> = marks.collect();
    marks.sort_unstable();
    marks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_that_biztalks_own_job_named_after_local_time_spoil_no_restore() {
    let stage = biztalk("").await;
    let in_two_hours = stage.world().1.clock.now().plus_millis(7_200_000);
    let sql = format!(
        "INSERT INTO dbo.MarkLog (MarkName) VALUES (N'BTS_{}');",
        in_two_hours.file_stamp()
    );
    for (host, database) in MEMBERS {
        stage.script(host, database, &sql).await;
    }
    pay(&stage, 1).await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    pay(&stage, 2).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    pay(&stage, 4).await;
    let marks = marks(&stage).await;
    comes_back(&stage, &marks[0], 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_whose_log_holds_a_later_one_too_is_proven_to_be_without_it() {
    let stage = biztalk("log_shipping = false").await;
    pay(&stage, 1).await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    pay(&stage, 2).await;
    let fault = "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', \
                 @database = 'SSODB', @number = 924, @text = N'a fault';";
    stage.script("BTS1", "master", fault).await;
    ends(&stage, &["backup", "log"], Exit::Degraded).await;
    pay(&stage, 4).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let marks = marks(&stage).await;
    assert_eq!(marks.len(), 2, "{marks:?}");
    let args = [
        "restore",
        "plan",
        "--mark",
        &marks[0],
        "--to-host",
        "DR",
        "--json",
    ];
    let plan = ends(&stage, &args, Exit::Ok).await.stdout;
    let told = "\"later_marks\": [\n";
    assert!(plan.contains(told) && plan.contains(&marks[1]), "{plan}");
    comes_back(&stage, &marks[0], 3).await;
    comes_back(&stage, &marks[1], 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_message_box_is_told_and_gets_a_full_before_it_counts() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert_eq!(members(&stage).await, 4);
    add_message_box(&stage).await;
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(log.stdout.contains("SM0233"), "{}", log.stdout);
    assert!(
        log.stdout.contains("is new in BizTalk's list"),
        "{}",
        log.stdout
    );
    assert_eq!(members(&stage).await, 5);
    assert_eq!(
        history(&stage).await[2..],
        [
            "3 db 5/5 marked 0",
            "4 lg 5/5 marked 0",
            "5 lg 5/5 marked 5"
        ]
    );
    let again = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(!again.stdout.contains("SM0233"), "{}", again.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_leaves_the_list_stays_a_member_until_somebody_approves() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let leave = "DELETE FROM adm_OtherBackupDatabases WHERE DatabaseName = N'SSODB';";
    stage.script("BTS1", MANAGEMENT, leave).await;
    for _ in 0..2 {
        let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
        assert!(log.stdout.contains("it stays a member"), "{}", log.stdout);
        assert_eq!(members(&stage).await, 4);
    }
    let approved = ends(&stage, &["backup", "log", "--approve"], Exit::Ok).await;
    assert!(
        approved.stdout.contains("left the group"),
        "{}",
        approved.stdout
    );
    assert_eq!(members(&stage).await, 3);
    let after = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(!after.stdout.contains("SM0233"), "{}", after.stdout);
}

/// The message box is restored on the first host, as far as the list is concerned.
async fn move_message_box(stage: &Stage) {
    let instance = stage.host("BTS1").instance();
    stage
        .script("BTS1", "master", "CREATE DATABASE BizTalkMsgBoxDb;")
        .await;
    sqlsim::biztalk::install_member(instance, "BizTalkMsgBoxDb")
        .await
        .expect("installed");
    let sql = "UPDATE adm_MessageBox SET DBServerName = N'BTS1';";
    stage.script("BTS1", MANAGEMENT, sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_moved_is_followed_once_its_old_host_has_it_no_more() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    move_message_box(&stage).await;
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(
        log.stdout.contains("its old host has it still"),
        "{}",
        log.stdout
    );
    assert_eq!(members(&stage).await, 5);
    stage
        .script("BTS2", "master", "DROP DATABASE BizTalkMsgBoxDb;")
        .await;
    // Of two names the newer one is a member already, so that the older one has left the list.
    let gone = stage.run(&["backup", "log"]).await;
    assert_ne!(gone.exit, Exit::Ok, "a member is missing: {}", gone.stdout);
    ends(&stage, &["backup", "log", "--approve"], Exit::Ok).await;
    assert_eq!(members(&stage).await, 4);
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    move_message_box(&stage).await;
    stage
        .script("BTS2", "master", "DROP DATABASE BizTalkMsgBoxDb;")
        .await;
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(log.stdout.contains("begins anew there"), "{}", log.stdout);
    assert_eq!(members(&stage).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_biztalk_group_is_found_before_anything_is_touched() {
    let stage = biztalk("servers = { 'bts-listener,1433' = 'BTS2' }").await;
    let well = ends(&stage, &["check", "biztalk"], Exit::Degraded).await;
    insta::assert_snapshot!("biztalk_well", stage.scrub(&well.stdout));
    let instance = stage.host("BTS1").instance();
    let full = "'d', 'BTS', '\\\\nas\\bts', 0";
    sqlsim::biztalk::install_job(instance, MANAGEMENT, true, (full, "'BTS', '\\\\nas\\bts'"))
        .await
        .expect("a job");
    for (host, database, sql) in [
        (
            "BTS1",
            "SSODB",
            "DROP TABLE dbo.MarkLog; CREATE TABLE dbo.MarkLog (Name nvarchar(128) NULL);",
        ),
        (
            "BTS2",
            "BizTalkDTADb",
            "DROP PROCEDURE dbo.sp_SetMarkRemote;",
        ),
        (
            "BTS1",
            MANAGEMENT,
            "INSERT INTO adm_OtherBackupDatabases VALUES (N'Twice', N'BizTalkMsgBoxDb', N'bts-listener,1433', N'');\n\
             INSERT INTO adm_OtherBackupDatabases VALUES (N'Lost', N'Orders', N'ELSEWHERE', N'');",
        ),
        ("BTS1", MANAGEMENT, "EXEC sp_ForceFullBackup;"),
    ] {
        stage.script(host, database, sql).await;
    }
    let broken = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    insta::assert_snapshot!("biztalk_broken", stage.scrub(&broken.stdout));
    let log = stage.run(&["backup", "log", "--dry-run"]).await;
    assert!(!log.stdout.contains("place mark"), "{}", log.stdout);
    stage
        .script(
            "BTS1",
            MANAGEMENT,
            "DROP PROCEDURE dbo.sp_GetNextBackupSetId;",
        )
        .await;
    let missing = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    assert!(
        missing.stdout.contains("lacks sp_GetNextBackupSetId"),
        "{}",
        missing.stdout
    );
    stage
        .script("BTS1", MANAGEMENT, "DROP VIEW dbo.admv_BackupDatabases;")
        .await;
    let none = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    assert!(none.stdout.contains("has no list"), "{}", none.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_biztalk_has_prepared_gets_ears_and_what_it_has_not_is_named() {
    let stage = biztalk("").await;
    ends(&stage, &["group", "prepare"], Exit::Ok).await;
    let drop = "DROP PROCEDURE dbo.sp_SetMarkRemote;";
    stage.script("BTS2", "BizTalkDTADb", drop).await;
    let told = ends(&stage, &["group", "prepare"], Exit::Failed).await;
    let words =
        "BizTalk's mark log is missing in `BTS2/BizTalkDTADb`, and Stopmark does not make it";
    assert!(told.stdout.contains(words), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_availability_group_forgets_distributed_transactions_is_found() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    let group = "CREATE AVAILABILITY GROUP bts WITH (CLUSTER_TYPE = NONE)\n\
                 FOR DATABASE BizTalkMsgBoxDb REPLICA ON N'BTS2' WITH (ENDPOINT_URL = N'TCP://BTS2:5022',\n\
                 FAILOVER_MODE = MANUAL, AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);";
    stage.script("BTS2", "master", group).await;
    let found = ends(&stage, &["check", "biztalk"], Exit::Degraded).await;
    let cure = "ALTER AVAILABILITY GROUP [bts] SET (DTC_SUPPORT = PER_DB);";
    assert!(found.stdout.contains(cure), "{}", found.stdout);
    stage.script("BTS2", "master", cure).await;
    let mended = ends(&stage, &["check", "biztalk"], Exit::Degraded).await;
    assert!(!mended.stdout.contains("PER_DB"), "{}", mended.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_is_read_and_becomes_a_configuration_and_a_cut_over() {
    let stage = biztalk("").await;
    let instance = stage.host("BTS1").instance();
    let full = "'d' /* Frequency */, 'BTS' /* Mark */, '\\\\nas\\bts' /* Path */, 1, 3, 1";
    sqlsim::biztalk::install_job(
        instance,
        MANAGEMENT,
        true,
        (full, "'BTS', '\\\\nas\\bts', 1"),
    )
    .await
    .expect("a job");
    let mut client = stage.client("BTS1", MANAGEMENT).await;
    let folder = stage.path("share/0").display().to_string();
    let old = format!("EXEC sp_BackupAllFull 'BTS', N'{folder}';");
    let ran = client.simple_query(old).await.expect("it is understood");
    ran.into_results().await.expect("it is done");
    let new = stage.path("new").display().to_string();
    let printed = ends(
        &stage,
        &["migrate-from-biztalk-job", "--folder", &new],
        Exit::Ok,
    )
    .await;
    insta::assert_snapshot!("biztalk_migration", stage.scrub(&printed.stdout));
    let text = std::fs::read_to_string(stage.path("new/stopmark.toml")).expect("it is written");
    let config = stopmark::config::parse(&text, &stage.path("new/stopmark.toml"), &AnySecret);
    let config = config.unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    assert_eq!(config.mark_prefix.as_str(), "BTS");
    assert_eq!(config.hosts.len(), 2);
    let again = stage
        .run(&["migrate-from-biztalk-job", "--folder", &new])
        .await;
    assert_eq!(again.exit, Exit::Config, "nothing is written over");
}

/// Whoever fills the configuration in has the passwords.
struct AnySecret;

impl stopmark::config::SecretSource for AnySecret {
    fn env(&self, _: &str) -> Option<secrecy::SecretString> {
        Some("Pa55-word".to_owned().into())
    }

    fn file(&self, _: &std::path::Path) -> std::io::Result<secrecy::SecretString> {
        Ok("Pa55-word".to_owned().into())
    }

    fn credentials(&self) -> Option<std::path::PathBuf> {
        None
    }
}
