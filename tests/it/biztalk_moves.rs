//! A BizTalk group whose hosts move: its management database fails over, its listener leads elsewhere, a server is renamed,
//! a recovery model changes. Each is told, nothing changes in silence, and the group goes on.

use stopmark::error::Exit;

use crate::biztalk_stage::{MANAGEMENT, biztalk, ends, history_on, pay};
use crate::stage::Stage;

/// The management database has a replica on the other host.
async fn grouped() -> Stage {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let replica = |name: &str| {
        format!(
            "N'{name}' WITH (ENDPOINT_URL = N'TCP://{name}:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"
        )
    };
    let replicas = format!("{}, {}", replica("BTS1"), replica("BTS2"));
    let file = |end: &str| stage.path(&format!("replica{end}")).display().to_string();
    let (full, data, log) = (file(".bak"), file(".mdf"), file(".ldf"));
    let primary = format!(
        "CREATE AVAILABILITY GROUP ag WITH (DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE)\n\
         FOR DATABASE {MANAGEMENT} REPLICA ON {replicas};\n\
         BACKUP DATABASE {MANAGEMENT} TO DISK = N'{full}' WITH COPY_ONLY;"
    );
    let secondary = format!(
        "RESTORE DATABASE {MANAGEMENT} FROM DISK = N'{full}' WITH NORECOVERY,\n\
         MOVE '{MANAGEMENT}' TO N'{data}', MOVE '{MANAGEMENT}_log' TO N'{log}';\n\
         ALTER AVAILABILITY GROUP ag JOIN;\n\
         ALTER DATABASE {MANAGEMENT} SET HADR AVAILABILITY GROUP = ag;"
    );
    stage.script("BTS1", "master", &primary).await;
    stage.script("BTS2", "master", &secondary).await;
    in_step(&stage, "BTS2").await;
    stage
}

/// Returns when log arrives at this host's secondary replica.
async fn in_step(stage: &Stage, host: &str) {
    let wait = "DECLARE @left int = 1000;\n\
                WHILE @left > 0 AND NOT EXISTS (SELECT 1 FROM sys.dm_hadr_database_replica_states\n\
                WHERE is_local = 1 AND synchronization_state_desc = N'SYNCHRONIZED')\n\
                BEGIN WAITFOR DELAY '00:00:00.010'; SET @left = @left - 1; END;\n\
                IF @left = 0 THROW 50000, N'log never arrived', 1;";
    stage.script(host, "master", wait).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_management_database_that_failed_over_is_found_where_it_is_and_the_history_goes_on() {
    let stage = grouped().await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let before = history_on(&stage, "BTS1").await.len();
    let failover = "ALTER AVAILABILITY GROUP ag FAILOVER;";
    stage.script("BTS2", "master", failover).await;
    pay(&stage, 1).await;
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    let told = "`BTS1/BizTalkMgmtDb` is `BTS2/BizTalkMgmtDb`";
    assert!(log.stdout.contains(told), "{}", log.stdout);
    assert!(!log.stdout.contains("SM0233"), "{}", log.stdout);
    let history = history_on(&stage, "BTS2").await;
    assert!(history.len() > before, "{history:?}");
    let newest = history.last().expect("a set");
    assert!(newest.ends_with("lg 4/4 marked 4"), "{history:?}");
    let checked = stage.run(&["check", "biztalk"]).await;
    let head = "BizTalk group of `BizTalkMgmtDb` on `BTS2`";
    assert!(checked.stdout.contains(head), "{}", checked.stdout);
    ends(&stage, &["verify"], Exit::Ok).await;
    stage.script("BTS1", "master", failover).await;
    let back = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(!back.stdout.contains("SM0214"), "{}", back.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_management_database_on_another_host_is_not_taken_for_it() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let files = stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let args = ["restore", "run", "--to-host", "DR", "--files-in", &files];
    ends(&stage, &args, Exit::Ok).await;
    stage.host("BTS1").instance().kill();
    let silent = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    assert!(
        silent.stdout.contains("on `BTS1`\n  not examined"),
        "{}",
        silent.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_leads_to_another_host_is_told_before_anything_is_touched() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let port = |host: &str| format!("127.0.0.1,{}\"", stage.host(host).address().port());
    let (own, other) = (port("BTS1"), port("DR"));
    stage.edit(&own, &other);
    let found = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    assert!(found.stdout.contains("not examined"), "{}", found.stdout);
    assert!(found.stdout.contains("cure: "), "{}", found.stdout);
    let dry = stage.run(&["backup", "log", "--dry-run"]).await;
    assert!(!dry.stdout.contains("place mark"), "{}", dry.stdout);
    let told = "says that its true name is `DR`";
    assert!(dry.stdout.contains(told), "{}", dry.stdout);
    stage.edit(&other, &own);
    ends(&stage, &["backup", "log"], Exit::Ok).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_server_gets_no_mark_until_list_and_configuration_say_its_name() {
    let mut stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    stage.rename("BTS2", "BTS9").await;
    let told = "says that its true name is `BTS9`";
    let dry = stage.run(&["backup", "log", "--dry-run"]).await;
    assert!(dry.stdout.contains(told), "{}", dry.stdout);
    assert!(!dry.stdout.contains("place mark"), "{}", dry.stdout);
    let list = "UPDATE adm_MessageBox SET DBServerName = N'BTS9';\n\
                UPDATE adm_Group SET TrackingDBServerName = N'BTS9';";
    stage.script("BTS1", MANAGEMENT, list).await;
    let unknown = ends(&stage, &["check", "biztalk"], Exit::Failed).await;
    let told = "it is listed on server `BTS9`, which is no configured host";
    assert!(unknown.stdout.contains(told), "{}", unknown.stdout);
    stage.edit("[hosts.\"BTS2\"]", "[hosts.\"BTS9\"]");
    let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(log.stdout.contains("SM0233"), "{}", log.stdout);
    assert!(
        log.stdout.contains("`BTS9/BizTalkMsgBoxDb`"),
        "{}",
        log.stdout
    );
    let quiet = ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert!(!quiet.stdout.contains("SM0233"), "{}", quiet.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_model_that_somebody_changed_is_told_and_a_chain_begins_when_it_is_back() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let model = |word: &str| format!("ALTER DATABASE SSODB SET RECOVERY {word};");
    stage.script("BTS1", "master", &model("SIMPLE")).await;
    let simple = stage.run(&["backup", "log"]).await;
    assert_ne!(simple.exit, Exit::Ok, "{}", simple.stdout);
    assert!(simple.stdout.contains("SM0206"), "{}", simple.stdout);
    stage.script("BTS1", "master", &model("BULK_LOGGED")).await;
    let bulk = stage.run(&["backup", "log"]).await;
    assert!(bulk.stdout.contains("SM0212"), "{}", bulk.stdout);
    stage.script("BTS1", "master", &model("FULL")).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let newest = history_on(&stage, "BTS1").await.pop().expect("a set");
    assert!(newest.ends_with("lg 4/4 marked 4"), "{newest}");
    ends(&stage, &["verify"], Exit::Ok).await;
}
