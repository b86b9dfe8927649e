//! Members in availability groups: logs taken on secondary replicas, one chain whoever takes them, and failovers between
//! a mark and its log. Each story goes from the trouble to a healthy Point, and is restored.
//!
//! Start at [`grouped`]. `Accounts` has its primary replica on `SQL2`, and another one on `SQL3`.

use std::fs;

use stopmark::chain::{Break, Point, judge};
use stopmark::error::Exit;
use stopmark::plan::{BackupKind, Step};
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};

use crate::bank::{Bank, TOTAL};
use crate::chain_stories::{back_up, hasty};
use crate::fate::Fate;
use crate::forgotten::{die_in_a_log_run, die_when, log_run_of_the_next_start};
use crate::saga_kinds::{SPARE, Scene};
use crate::saga_story::story;
use crate::stage::{Stage, must};

/// The host of the secondary replica.
pub(crate) const SECOND: &str = "SQL3";
const FORCE: &str = "ALTER AVAILABILITY GROUP ag FORCE_FAILOVER_ALLOW_DATA_LOSS;";
pub(crate) const CLEAR: &str = "EXEC sp_sim_fault 'clear';";

/// A scene whose `database` is in a group of its host and of `SQL3`; log backups are wanted where `preference` says.
pub(crate) async fn grouped(host: &str, database: &str, preference: &str) -> Scene {
    let layout: [(&str, &[&str]); 4] = [
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        (SPARE, &[]),
        (SECOND, &[]),
    ];
    let stage = Stage::set(&layout).await;
    let wanted = format!(
        "[policy]\ncures_max = 0\nreplica_wait = \"10s\"\nlog_backup_preference = \"{preference}\""
    );
    stage.edit("[policy]", &wanted);
    let bank = Bank::open(&stage).await;
    let (config, world) = stage.world();
    let scene = Scene {
        stage,
        bank,
        config,
        world,
    };
    scene.back_up(BackupKind::Full).await;
    scene.back_up(BackupKind::Log).await;
    join(&scene, host, database).await;
    scene
}

async fn join(scene: &Scene, host: &str, database: &str) {
    let replica = |name: &str| {
        format!(
            "N'{name}' WITH (ENDPOINT_URL = N'TCP://{name}:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"
        )
    };
    let replicas = format!("{}, {}", replica(host), replica(SECOND));
    let with = "WITH (DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE)";
    let file = |end: &str| {
        let path = scene.stage.path(&format!("replica{end}"));
        path.display().to_string()
    };
    let (full, data, log) = (file(".bak"), file(".mdf"), file(".ldf"));
    let primary = format!(
        "CREATE AVAILABILITY GROUP ag {with} FOR DATABASE {database} REPLICA ON {replicas};\n\
         BACKUP DATABASE {database} TO DISK = N'{full}' WITH COPY_ONLY;"
    );
    let secondary = format!(
        "RESTORE DATABASE {database} FROM DISK = N'{full}' WITH NORECOVERY, \
         MOVE '{database}' TO N'{data}', MOVE '{database}_log' TO N'{log}';\n\
         ALTER AVAILABILITY GROUP ag JOIN;\n\
         ALTER DATABASE {database} SET HADR AVAILABILITY GROUP = ag;"
    );
    scene.stage.script(host, "master", &primary).await;
    scene.stage.script(SECOND, "master", &secondary).await;
    wait_for_step(scene, SECOND).await;
}

/// Returns when log arrives at this host's secondary replica.
pub(crate) async fn wait_for_step(scene: &Scene, host: &str) {
    let wait = "DECLARE @left int = 1000;\n\
                WHILE @left > 0 AND NOT EXISTS (SELECT 1 FROM sys.dm_hadr_database_replica_states \
                WHERE is_local = 1 AND synchronization_state_desc = N'SYNCHRONIZED')\n\
                BEGIN WAITFOR DELAY '00:00:00.010'; SET @left = @left - 1; END;\n\
                IF @left = 0 THROW 50000, N'log never arrived', 1;";
    scene.stage.script(host, "master", wait).await;
}

pub(crate) async fn on(scene: &Scene, host: &str, script: &str) {
    scene.stage.script(host, "master", script).await;
}

fn steps(record: &Record) -> impl Iterator<Item = &Step> {
    let ended = record.rounds.iter().flat_map(Round::ended);
    ended.map(|(step, _)| step)
}

/// The hosts that took backups of a database, in order, each with what it took.
pub(crate) fn taken(record: &Record, database: &str) -> Vec<(String, &'static str)> {
    let taken = steps(record).filter_map(|step| match step {
        Step::BackUp(step) if step.member.database.as_str() == database => {
            Some((step.host().to_string(), step.piece_kind.word()))
        }
        _ => None,
    });
    taken.collect()
}

pub(crate) fn verdict(record: &Record) -> Option<Verdict> {
    record.ended.map(|(verdict, _)| verdict)
}

/// The newest Point: the mark of this run, with the members by the names that they are listed with.
pub(crate) async fn healthy(scene: &Scene, record: &Record) -> Point {
    assert_eq!(verdict(record), Some(Verdict::Done), "{}", story(record));
    let newest = scene.points().await.pop().expect("a Point");
    assert!(newest.made_at >= record.began_at, "{}", story(record));
    let members: Vec<String> = newest.paths.keys().map(ToString::to_string).collect();
    assert_eq!(members, ["SQL1/Ledger", "SQL2/Accounts"]);
    newest
}

pub(crate) async fn restores(scene: &Scene, point: &Point) {
    scene.restore(point).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_both_replicas_are_one_chain() {
    let mut scene = grouped("SQL2", "Accounts", "secondary").await;
    scene.bank.transfer(&scene.stage, 5).await;
    let first = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&first, "Accounts"), [(SECOND.to_owned(), "log")]);
    assert_eq!(taken(&first, "Ledger"), [("SQL1".to_owned(), "log")]);
    let point = healthy(&scene, &first).await;
    restores(&scene, &point).await;
    scene.stage.edit("= \"secondary\"", "= \"primary\"");
    (scene.config, scene.world) = scene.stage.world();
    scene.bank.transfer(&scene.stage, 6).await;
    let second = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&second, "Accounts"), [("SQL2".to_owned(), "log")]);
    scene.stage.edit("= \"primary\"", "= \"secondary_only\"");
    (scene.config, scene.world) = scene.stage.world();
    scene.bank.transfer(&scene.stage, 7).await;
    let third = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&third, "Accounts"), [(SECOND.to_owned(), "log")]);
    let point = healthy(&scene, &third).await;
    restores(&scene, &point).await;
    scene.assert_the_shares_are_clear("after three runs");
    insta::assert_snapshot!(scene.stage.scrub(&story(&third)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lacks_the_mark_is_waited_for_and_then_passed_over() {
    let mut scene = grouped("SQL2", "Accounts", "secondary").await;
    scene.world = hasty(&scene.world);
    on(
        &scene,
        SECOND,
        "EXEC sp_sim_fault 'hold log', @database = 'Accounts', @times = 0;",
    )
    .await;
    scene.bank.transfer(&scene.stage, 5).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    let failed = record.rounds[0].failures().next().expect("a failure").1;
    assert_eq!(failed.code, "SM0508", "{}", story(&record));
    assert_eq!(taken(&record, "Accounts"), [("SQL2".to_owned(), "log")]);
    let point = healthy(&scene, &record).await;
    assert_eq!(
        scene.points().await.len(),
        3,
        "the mark that it lacked, too"
    );
    restores(&scene, &point).await;
    on(&scene, SECOND, CLEAR).await;
    wait_for_step(&scene, SECOND).await;
    let next = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&next, "Accounts"), [(SECOND.to_owned(), "log")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_that_may_be_taken_on_a_secondary_replica_only_wait_for_one() {
    let scene = grouped("SQL2", "Accounts", "secondary_only").await;
    scene.stage.host(SECOND).instance().kill();
    let mode = "ALTER AVAILABILITY GROUP ag MODIFY REPLICA ON N'SQL3' WITH (BACKUP_PRIORITY = 0);";
    on(&scene, "SQL2", mode).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(taken(&record, "Accounts"), []);
    assert_eq!(verdict(&record), Some(Verdict::Degraded));
    let warnings = &record.rounds[0].plan.warnings;
    let is_told = warnings.iter().any(|it| it.code == "SM0507");
    assert!(is_told, "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_somebody_took_on_the_other_replica_is_found_there_and_brought_in() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    scene.bank.transfer(&scene.stage, 5).await;
    let file = scene.stage.path("share/3/olaf.trn").display().to_string();
    let foreign = format!("BACKUP LOG Accounts TO DISK = N'{file}' WITH CHECKSUM;");
    on(&scene, SECOND, &foreign).await;
    scene.bank.transfer(&scene.stage, 6).await;
    let record = scene.back_up(BackupKind::Log).await;
    assert_eq!(
        taken(&record, "Accounts"),
        [("SQL2".to_owned(), "log")],
        "{}",
        story(&record)
    );
    let point = healthy(&scene, &record).await;
    restores(&scene, &point).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_replica_s_host_that_is_gone_holds_up_no_chain_that_its_home_knows() {
    let mut scene = grouped("SQL2", "Accounts", "secondary").await;
    scene.bank.transfer(&scene.stage, 5).await;
    die_in_a_log_run(&scene, Fate::NeverBegins).await;
    scene.stage.host(SECOND).instance().kill();
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_eq!(taken(&record, "Accounts"), [("SQL2".to_owned(), "log")]);
    let warnings = &record.rounds[0].plan.warnings;
    let goes_on = "its chain goes on from host `SQL2`";
    let is_told = warnings.iter().any(|it| it.message.contains(goes_on));
    assert!(is_told, "{warnings:?}");
    let open = scene.world.journals.unfinished().expect("journals");
    assert_eq!(open.len(), 1, "the run that died is not ended");
    let point = scene.points().await.pop().expect("a Point");
    assert!(point.made_at >= record.began_at, "{}", story(&record));
    restores(&scene, &point).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_a_replica_took_before_its_host_was_gone_is_bridged_and_comes_home_when_it_is_seen()
 {
    let mut scene = grouped("SQL2", "Accounts", "secondary").await;
    scene.bank.transfer(&scene.stage, 5).await;
    let is_taken = || async {
        let logs = "SELECT COUNT_BIG(*) FROM msdb.dbo.backupset WHERE type = 'L';";
        let stage = &scene.stage;
        stage.number("SQL1", "master", logs).await == 2
            && stage.number(SECOND, "master", logs).await == 1
    };
    die_when(&scene, Fate::NeverReturns, is_taken).await;
    scene.stage.host(SECOND).instance().kill();
    let (share, aside) = (scene.stage.path("share/3"), scene.stage.path("aside"));
    fs::rename(&share, &aside).expect("it goes");
    fs::write(&share, "no folder").expect("nothing can be made there");
    let record = log_run_of_the_next_start(&mut scene).await;
    let kinds: Vec<_> = taken(&record, "Accounts")
        .into_iter()
        .map(|it| it.1)
        .collect();
    assert_eq!(kinds, ["diff", "log", "log"], "{}", story(&record));
    let point = scene.points().await.pop().expect("a Point");
    assert!(point.made_at >= record.began_at, "{}", story(&record));
    restores(&scene, &point).await;
    let before = scene.points().await.len();
    fs::remove_file(&share).expect("it is there");
    fs::rename(&aside, &share).expect("it is back");
    scene.bank.transfer(&scene.stage, 6).await;
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_eq!(taken(&record, "Accounts"), [("SQL2".to_owned(), "log")]);
    let points = scene.points().await;
    assert_eq!(
        points.len(),
        before + 2,
        "the mark of the agent that died, too"
    );
    for point in points.iter().rev().take(3) {
        restores(&scene, point).await;
    }
}

/// A run that marks, and in which the log of `Accounts` fails on its primary replica.
async fn marked_without_a_log(scene: &Scene) {
    let fault = "EXEC sp_sim_fault 'fail', @statement = 'BACKUP LOG', @database = 'Accounts', \
                 @number = 3271, @text = N'A nonrecoverable I/O error.';";
    on(scene, "SQL2", fault).await;
    let record = back_up(scene, BackupKind::Log, &[]).await;
    assert_eq!(
        verdict(&record),
        Some(Verdict::Degraded),
        "{}",
        story(&record)
    );
    assert_eq!(scene.points().await.len(), 1, "its mark is no Point yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_was_placed_before_a_failover_is_a_point_with_the_log_after_it() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    scene.bank.transfer(&scene.stage, 5).await;
    marked_without_a_log(&scene).await;
    on(&scene, SECOND, "ALTER AVAILABILITY GROUP ag FAILOVER;").await;
    let record = scene.back_up(BackupKind::Log).await;
    assert_eq!(
        taken(&record, "Accounts"),
        [(SECOND.to_owned(), "log")],
        "the chain goes on: {}",
        story(&record)
    );
    healthy(&scene, &record).await;
    let points = scene.points().await;
    assert_eq!(points.len(), 3, "the mark that waited is a Point too");
    restores(&scene, &points[1]).await;
    insta::assert_snapshot!(scene.stage.scrub(&story(&record)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_a_forced_failover_lost_is_none_and_the_chain_is_mended() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    on(
        &scene,
        SECOND,
        "EXEC sp_sim_fault 'hold log', @database = 'Accounts', @times = 0;",
    )
    .await;
    marked_without_a_log(&scene).await;
    let lost = scene.sets().await.pop().expect("its set").mark;
    let lost = lost.expect("a confirmed mark").name;
    on(&scene, SECOND, FORCE).await;
    on(&scene, SECOND, CLEAR).await;
    let record = scene.back_up(BackupKind::Log).await;
    let kinds: Vec<&str> = taken(&record, "Accounts").iter().map(|it| it.1).collect();
    assert!(kinds.len() > 1, "a new chain: {}", story(&record));
    let point = healthy(&scene, &record).await;
    let points = scene.points().await;
    assert!(
        points.iter().all(|it| it.mark.name != lost),
        "it is in no log"
    );
    assert_eq!(points.len(), 2);
    restores(&scene, &point).await;
    let judged = judge(&scene.sets().await, &[]);
    let judged = judged.into_iter().find(|it| it.mark.name == lost);
    let breaks = judged.expect("a judgement").verdict.expect_err("no Point");
    let accounts = "SQL2/Accounts".parse().expect("a member");
    assert_eq!(breaks, [(accounts, Break::MarkMissing)]);
    insta::assert_snapshot!(scene.stage.scrub(&story(&record)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_begin_on_the_host_that_the_management_host_s_member_failed_over_to() {
    let mut scene = grouped("SQL1", "Ledger", "primary").await;
    on(&scene, SECOND, "ALTER AVAILABILITY GROUP ag FAILOVER;").await;
    let record = scene.back_up(BackupKind::Log).await;
    healthy(&scene, &record).await;
    let began = steps(&record).find_map(|step| match step {
        Step::PlaceMark(step) => Some(step.management_host.to_string()),
        _ => None,
    });
    assert_eq!(began.as_deref(), Some(SECOND));
    assert_eq!(taken(&record, "Ledger"), [(SECOND.to_owned(), "log")]);
    // A listener's name leads to another host than before.
    let port = |host: &str| format!("127.0.0.1,{}", scene.stage.host(host).address().port());
    scene.stage.edit(&port("SQL1"), &port(SECOND));
    (scene.config, scene.world) = scene.stage.world();
    let through_listener = scene.back_up(BackupKind::Log).await;
    healthy(&scene, &through_listener).await;
    // The old host goes down, and marks go on.
    scene.stage.host("SQL1").instance().kill();
    let again = scene.back_up(BackupKind::Log).await;
    let point = healthy(&scene, &again).await;
    scene.restore(&point).await;
}

/// The state of a host's copy of the member.
async fn state(scene: &Scene, host: &str) -> String {
    let sql = "SELECT state_desc FROM sys.databases WHERE name = N'Accounts';";
    scene.stage.text(host, sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_a_group_is_restored_over_itself_only_by_those_who_let_it_leave() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    let stage = &scene.stage;
    scene.bank.transfer(stage, 10).await;
    scene.back_up(BackupKind::Log).await;
    scene.bank.transfer(stage, 20).await;
    let released = scene.world.store.release_lease(&scene.config.group).await;
    released.expect("the commands may have it");

    let over = ["--in-place", "--yes-overwrite", "stage"];
    let refused = stage.run(&[&["restore", "run"][..], &over].concat()).await;
    assert_eq!(refused.exit, Exit::Failed);
    assert!(refused.stderr.contains("SM0805"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--leave-group"),
        "{}",
        refused.stderr
    );
    let ledger = "SELECT SUM(balance) FROM dbo.Account;";
    let before = stage.number("SQL1", "Ledger", ledger).await;
    let leaving = ["restore", "plan", "--in-place", "--leave-group"];
    insta::assert_snapshot!(stage.scrub(&stage.must(&leaving).await));
    let run = [&["restore", "run", "--leave-group"][..], &over].concat();
    let done = stage.run(&run).await;
    assert_eq!(done.exit, Exit::Degraded, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("ADD DATABASE"), "{}", done.stdout);
    let after = stage.number("SQL1", "Ledger", ledger).await;
    assert_eq!(after - before, 20, "the second transfer is undone");
    let accounts = stage.number("SQL2", "Accounts", ledger).await;
    assert_eq!(after + accounts, TOTAL);
    // A simulated secondary replica does not hear by itself that its database has left the group.
    on(&scene, SECOND, "ALTER DATABASE Accounts SET HADR OFF;").await;
    assert_eq!(state(&scene, SECOND).await, "RESTORING");

    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    let copy = stage.path("again.bak").display().to_string();
    let primary = format!(
        "ALTER AVAILABILITY GROUP ag ADD DATABASE Accounts;\n\
         BACKUP DATABASE Accounts TO DISK = N'{copy}' WITH COPY_ONLY;"
    );
    on(&scene, "SQL2", &primary).await;
    let secondary = format!(
        "RESTORE DATABASE Accounts FROM DISK = N'{copy}' WITH NORECOVERY, REPLACE, \
         MOVE 'Accounts' TO N'{0}.mdf', MOVE 'Accounts_log' TO N'{0}.ldf';\n\
         ALTER DATABASE Accounts SET HADR AVAILABILITY GROUP = ag;",
        stage.path("replica").display()
    );
    on(&scene, SECOND, &secondary).await;
    wait_for_step(&scene, SECOND).await;
    scene.bank.transfer(stage, 5).await;
    must(&stage.run(&["backup", "log"]).await);
    must(
        &stage
            .run(&["restore", "run", "--to-host", SPARE, "--default-folders"])
            .await,
    );
    assert_eq!(scene.bank.sum_on(stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_replica_is_not_restored_over() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    let released = scene.world.store.release_lease(&scene.config.group).await;
    released.expect("the commands may have it");
    let onto = ["restore", "run", "--to-host", SECOND, "--default-folders"];
    let over = ["--leave-group", "--yes-overwrite", "stage"];
    let refused = scene.stage.run(&[&onto[..], &over].concat()).await;
    assert!(refused.stderr.contains("SM0805"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("primary replica"),
        "{}",
        refused.stderr
    );
    assert_eq!(state(&scene, SECOND).await, "ONLINE");
}
