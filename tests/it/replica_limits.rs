//! What befalls members in availability groups beside their chains: errors that are met on a secondary replica, a share
//! that it cannot write to, and waits that come to their end. Each story ends with a Point.
//!
//! Start at [`an_error_that_is_met_on_a_secondary_replica_is_heard_there_and_answered_once`].

use stopmark::error::Exit;
use stopmark::plan::{BackupKind, Step};
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};

use crate::chain_stories::back_up;
use crate::replicas::{CLEAR, SECOND, grouped, healthy, on, restores, taken, verdict};
use crate::saga_kinds::Scene;
use crate::saga_story::story;

const FAILOVER: &str = "ALTER AVAILABILITY GROUP ag FAILOVER;";

/// Whether the agent's event session runs on a host.
const RUNNING: &str =
    "SELECT CAST(COUNT(*) AS bigint) FROM sys.dm_xe_sessions WHERE name = N'stopmark_stage';";

/// The texts of the warnings of a run with this code.
fn warned(record: &Record, code: &str) -> Vec<String> {
    let warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
    let own = warnings.filter(|it| it.code == code);
    own.map(|it| it.message.clone()).collect()
}

async fn command(scene: &Scene, args: &[&str]) -> String {
    let printed = scene.stage.run(args).await;
    let (out, err) = (&printed.stdout, &printed.stderr);
    assert_eq!(printed.exit, Exit::Ok, "{out}{err}");
    printed.stdout
}

/// A full answers what was met shortly before it: here some seconds pass on both hosts.
async fn pass_some_seconds(scene: &Scene) {
    for host in ["SQL2", SECOND] {
        let later = "EXEC sp_sim_fault @kind = 'skew clock', @milliseconds = 10000;";
        on(scene, host, later).await;
    }
}

/// Somebody's session is refused on the secondary replica.
async fn meet_1475(scene: &Scene) {
    let file = scene.stage.path("olaf.trn").display().to_string();
    let refused = format!(
        "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @database = 'Accounts', @number = 1475, \
         @text = N'Database \"Accounts\" might contain bulk logged changes that have not been backed up.';\n\
         BEGIN TRY BACKUP LOG Accounts TO DISK = N'{file}'; THROW 50000, N'it was taken', 1; END TRY \
         BEGIN CATCH IF ERROR_NUMBER() NOT IN (1475, 3013) THROW; END CATCH;"
    );
    on(scene, SECOND, &refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_is_met_on_a_secondary_replica_is_heard_there_and_answered_once() {
    let scene = grouped("SQL2", "Accounts", "primary").await;
    let running = || scene.stage.number(SECOND, "master", RUNNING);
    assert_eq!(
        running().await,
        0,
        "it had no replica when others were made"
    );
    let told = scene.stage.run(&["check"]).await.stdout;
    let unheard = "error 1475 and its kin are not heard: there is no event session of ours";
    assert!(told.contains(unheard), "{told}");
    command(&scene, &["group", "prepare"]).await;
    assert_eq!(running().await, 1);

    // The clocks of the two hosts are an hour apart.
    let apart = "EXEC sp_sim_fault @kind = 'skew clock', @milliseconds = 3600000;";
    on(&scene, SECOND, apart).await;
    pass_some_seconds(&scene).await;
    meet_1475(&scene).await;
    pass_some_seconds(&scene).await;
    let record = scene.back_up(BackupKind::Log).await;
    let [full, log] = ["full", "log"].map(|kind| ("SQL2".to_owned(), kind));
    assert_eq!(
        taken(&record, "Accounts"),
        [full, log.clone(), log.clone()],
        "{}",
        story(&record)
    );
    let heard = "met error 1475 on ";
    assert!(story(&record).contains(heard), "{}", story(&record));
    assert!(story(&record).contains(" on the replica of `SQL3`"));
    let point = healthy(&scene, &record).await;
    restores(&scene, &point).await;
    let next = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&next, "Accounts"), [log], "it is answered");
    assert_eq!(warned(&next, "SM0213"), [] as [String; 0]);

    // A session that somebody stopped is told by the next run, which is no worse for it.
    let stop = "ALTER EVENT SESSION stopmark_stage ON SERVER STATE = STOP;";
    on(&scene, SECOND, stop).await;
    let deaf = scene.back_up(BackupKind::Log).await;
    let told = warned(&deaf, "SM0213");
    assert!(told.len() == 1 && told[0].contains("`SQL3`"), "{told:?}");
    command(&scene, &["group", "prepare", "--remove"]).await;
    assert_eq!(running().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_replica_that_cannot_write_to_its_share_is_passed_over_in_the_next_round() {
    let scene = grouped("SQL2", "Accounts", "secondary").await;
    let denied = "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @database = 'Accounts', @times = 0, \
                  @number = 3201, @text = N'Cannot open backup device ''x''. Operating system error 5(Access is \
                  denied.).';";
    on(&scene, SECOND, denied).await;
    scene.bank.transfer(&scene.stage, 5).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    let failed = record.rounds[0].failures().next().expect("a failure").1;
    assert_eq!(failed.code, "SM0505", "{}", story(&record));
    assert_eq!(taken(&record, "Accounts"), [("SQL2".to_owned(), "log")]);
    let mut steps = record.rounds.iter().flat_map(Round::ended);
    let reason = steps.find_map(|(step, _)| match step {
        Step::BackUp(step) if step.member.database.as_str() == "Accounts" => {
            Some(step.reason.clone())
        }
        _ => None,
    });
    let reason = reason.expect("its log");
    assert!(
        reason.contains("since the one of `SQL3` failed: "),
        "{reason}"
    );
    assert!(reason.contains("(SM0505, error 3201)"), "{reason}");
    let point = healthy(&scene, &record).await;
    restores(&scene, &point).await;
    on(&scene, SECOND, CLEAR).await;
    let next = scene.back_up(BackupKind::Log).await;
    assert_eq!(taken(&next, "Accounts"), [(SECOND.to_owned(), "log")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_do_not_wait_for_ever_for_a_secondary_replica() {
    let mut scene = grouped("SQL2", "Accounts", "secondary_only").await;
    let none = "ALTER AVAILABILITY GROUP ag MODIFY REPLICA ON N'SQL3' WITH (BACKUP_PRIORITY = 0);";
    on(&scene, "SQL2", none).await;
    scene.bank.transfer(&scene.stage, 5).await;
    let waiting = back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(taken(&waiting, "Accounts"), []);
    let told = warned(&waiting, "SM0507");
    for words in ["% full (now ", ", or it is 20", " min ago"] {
        assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
    }
    let before = scene.points().await.len();
    scene
        .stage
        .edit("cures_max = 0", "cures_max = 0\npause_max = \"1ms\"");
    (scene.config, scene.world) = scene.stage.world();
    scene.bank.transfer(&scene.stage, 6).await;
    let over = back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(taken(&over, "Accounts"), [("SQL2".to_owned(), "log")]);
    let told = warned(&over, "SM0510");
    assert!(
        told.len() == 1 && told[0].contains("although only a secondary one may"),
        "{told:?}"
    );
    assert_eq!(
        verdict(&over),
        Some(Verdict::Degraded),
        "it is shouted about"
    );
    let points = scene.points().await;
    assert_eq!(points.len(), before + 2, "the mark that waited, too");
    restores(&scene, points.last().expect("a Point")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_which_the_primary_replica_may_not_know_are_kept_and_the_chain_goes_on() {
    let scene = grouped("SQL2", "Accounts", "secondary").await;
    for (amount, lost) in [(5, "word"), (6, "answer")] {
        let fault = format!("EXEC sp_sim_fault 'lose {lost} of point', @database = 'Accounts';");
        on(&scene, SECOND, &fault).await;
        scene.bank.transfer(&scene.stage, amount).await;
        let record = back_up(&scene, BackupKind::Log, &[]).await;
        assert_eq!(taken(&record, "Accounts"), [(SECOND.to_owned(), "log")]);
        healthy(&scene, &record).await;
    }
    // Wherever the next one is taken, and wherever it begins, it continues what there is.
    let unheard = "EXEC sp_sim_fault 'lose word of point', @database = 'Accounts';";
    on(&scene, SECOND, unheard).await;
    back_up(&scene, BackupKind::Log, &[]).await;
    on(&scene, SECOND, FAILOVER).await;
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_eq!(
        taken(&record, "Accounts"),
        [("SQL2".to_owned(), "log")],
        "no full: {}",
        story(&record)
    );
    insta::assert_snapshot!(scene.stage.scrub(&story(&record)));
    healthy(&scene, &record).await;
    let points = scene.points().await;
    assert_eq!(points.len(), 5, "{points:#?}");
    for point in &points {
        restores(&scene, point).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_replica_whose_primary_one_takes_no_note_of_its_log_is_passed_over() {
    let scene = grouped("SQL2", "Accounts", "secondary").await;
    for number in [35294, 35295, 35296] {
        let refused = format!(
            "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @database = 'Accounts', @times = 0, \
             @number = {number}, @text = N'Log backup for database \"Accounts\" on a secondary replica failed.';"
        );
        on(&scene, SECOND, &refused).await;
        scene.bank.transfer(&scene.stage, 5).await;
        let record = back_up(&scene, BackupKind::Log, &[]).await;
        assert_eq!(taken(&record, "Accounts"), [("SQL2".to_owned(), "log")]);
        healthy(&scene, &record).await;
        on(&scene, SECOND, CLEAR).await;
    }
    let point = scene.points().await.pop().expect("a Point");
    restores(&scene, &point).await;
}
