//! Chains that break between two runs: seen by the service at its next look, told, and mended before the next run is due.

use std::collections::BTreeSet;
use std::fs;

use stopmark::chain::Break;
use stopmark::clock::SystemClock;
use stopmark::config::Job;
use stopmark::error::Exit;
use stopmark::model::{MemberName, Severity, Timestamp};
use stopmark::plan::{BrokenChain, ChainsSeen, Remedy};
use stopmark::service::Seen;
use stopmark::service::watch::{Mending, Watch};
use stopmark::world::Clock as _;

use crate::stage::Stage;
use crate::story::{SCHEDULE, Story};

/// A service after its first full and log, at one o'clock; the next ones come at two.
async fn based() -> Story {
    let mut story = Story::begin().await;
    let seen = story.rest_at("21T01:00").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    story
}

/// Takes what was just done in `SQL1/Ledger` to where no agent sees it.
async fn steal(stage: &Stage, file: &str) {
    let spend = "CREATE TABLE dbo.Spent (Amount int NOT NULL);";
    stage.script("SQL1", "Ledger", spend).await;
    let folder = stage.path("elsewhere");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(file);
    let steal = format!("BACKUP LOG Ledger TO DISK = N'{}';", file.display());
    stage.script("SQL1", "master", &steal).await;
}

fn log_began_at(seen: &Seen) -> Option<Timestamp> {
    seen.last.get(&Job::Log).map(|log| log.began_at)
}

/// Waits until a run of logs that began at this time is over, and a look after it found every chain sound.
async fn mended_by_a_run_of(story: &mut Story, at: Timestamp) -> Seen {
    story
        .until("a run that mends it", |seen| {
            log_began_at(seen) == Some(at) && seen.working.is_empty() && seen.broken.is_empty()
        })
        .await
}

/// Lets the clock leap, and waits for a look at the chains of then.
async fn looked_at(story: &mut Story, time: &str) -> Seen {
    let at = story.leap(time);
    story
        .until(&format!("a look at {time}"), |seen| {
            seen.chains_looked_at >= Some(at) && seen.working.is_empty()
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_is_seen_told_and_mended_before_the_next_run_is_due() {
    let mut story = based().await;
    steal(&story.stage, "olaf.trn").await;
    let at = story.leap("21T01:10");
    let seen = mended_by_a_run_of(&mut story, at).await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let told = story.told("SQL1/Ledger", 2).await;
    assert!(
        told[0].is_bad && told[0].severity == Severity::Warning,
        "{told:?}"
    );
    for part in [
        "SM0601",
        "took the log from LSN",
        "olaf.trn",
        "the next log run bridges it",
    ] {
        assert!(told[0].body.contains(part), "{part}: {told:?}");
    }
    assert!(!told[1].is_bad, "and it is well again: {told:?}");
    assert_eq!((told.len(), story.heard.of("SQL2").len()), (2, 0));
    // The run of the schedule comes at its time as ever.
    let seen = story.rest_at("21T02:00").await;
    let scheduled = story.clock.now();
    assert_eq!(log_began_at(&seen), Some(scheduled));
    let (stage, _, _) = story.stop().await;
    stage.must(&["status"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_1475_in_somebody_elses_session_is_heard_between_runs() {
    let mut story = based().await;
    // A full answers what was met in the second in which it began.
    for script in [
        "EXEC sp_sim_fault @kind = 'skew clock', @milliseconds = 3000;",
        "EXEC sp_sim_bulk_change N'Ledger';",
        "CREATE AVAILABILITY GROUP ag WITH (CLUSTER_TYPE = NONE) FOR REPLICA ON N'SQL1' WITH \
         (ENDPOINT_URL = N'TCP://sql1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL);",
        "BEGIN TRY ALTER AVAILABILITY GROUP ag ADD DATABASE Ledger; THROW 50000, N'joined', 1; END TRY \
         BEGIN CATCH IF ERROR_NUMBER() <> 1475 THROW; END CATCH;",
    ] {
        story.stage.script("SQL1", "master", script).await;
    }
    let at = story.leap("21T01:10");
    let seen = mended_by_a_run_of(&mut story, at).await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let told = story.told("SQL1/Ledger", 1).await;
    for part in ["met error 1475", "begins the chain anew with a full"] {
        assert!(told[0].body.contains(part), "{part}: {told:?}");
    }
    let join = "ALTER AVAILABILITY GROUP ag ADD DATABASE Ledger;";
    story.stage.script("SQL1", "master", join).await;
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_simple_is_told_once_starts_nothing_and_is_mended_when_it_is_back_in_full() {
    let mut story = based().await;
    let first = log_began_at(&story.seen.borrow().clone());
    let simple = "ALTER DATABASE Ledger SET RECOVERY SIMPLE;";
    story.stage.script("SQL1", "master", simple).await;
    for time in ["21T01:10", "21T01:20", "21T01:30"] {
        let seen = looked_at(&mut story, time).await;
        let reasons: Vec<&Break> = seen.broken.iter().map(|it| &it.reason).collect();
        assert_eq!(reasons, [&Break::RecoverySimple], "{seen:?}");
        assert!(matches!(seen.broken[0].remedy, Remedy::Person { .. }));
        assert_eq!(log_began_at(&seen), first, "no run would help");
    }
    let told = story.told("SQL1/Ledger", 1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].severity, Severity::Error);
    let full = "ALTER DATABASE Ledger SET RECOVERY FULL;";
    story.stage.script("SQL1", "master", full).await;
    let at = story.leap("21T01:40");
    let seen = mended_by_a_run_of(&mut story, at).await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_answer_has_no_broken_chain_and_mends_none() {
    let mut story = based().await;
    let first = log_began_at(&story.seen.borrow().clone());
    for host in ["SQL1", "SQL2"] {
        let deny = "ALTER LOGIN stopmark DISABLE;";
        story.stage.script(host, "master", deny).await;
    }
    let seen = looked_at(&mut story, "21T01:10").await;
    assert_eq!((seen.broken.len(), log_began_at(&seen)), (0, first));
    steal(&story.stage, "unseen.trn").await;
    let seen = looked_at(&mut story, "21T01:20").await;
    assert_eq!((seen.broken.len(), log_began_at(&seen)), (0, first));
    for host in ["SQL1", "SQL2"] {
        let allow = "ALTER LOGIN stopmark ENABLE;";
        story.stage.script(host, "master", allow).await;
    }
    let at = story.leap("21T01:30");
    mended_by_a_run_of(&mut story, at).await;
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_runs_of_logs_in_the_schedule_a_broken_chain_is_told_only() {
    let schedule = SCHEDULE.replace("log = \"0 * * * *\"\n", "");
    let mut story = Story::with(&schedule).await;
    story.rest_at("21T01:00").await;
    steal(&story.stage, "olaf.trn").await;
    let seen = looked_at(&mut story, "21T01:10").await;
    assert_eq!(seen.broken.len(), 1, "{seen:?}");
    assert!(!seen.last.contains_key(&Job::Log));
    let told = story.told("SQL1/Ledger", 1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].body.contains("no logs are scheduled"), "{told:?}");
    let (stage, _, _) = story.stop().await;
    assert!(stage.path("state/chains.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_broken_while_a_command_is_at_work_is_looked_at_again() {
    let mut story = based().await;
    let first = log_began_at(&story.seen.borrow().clone());
    let held = stopmark::service::lock::acting(&story.stage.path("state")).expect("it is free");
    steal(&story.stage, "olaf.trn").await;
    let clock = story.leap("21T01:10");
    let seen = story
        .until("a look of then", |seen| seen.looked_at >= Some(clock))
        .await;
    assert_eq!((seen.broken.len(), log_began_at(&seen)), (0, first));
    drop(held);
    let at = story.leap("21T01:11");
    let seen = story
        .until("it is mended", |seen| {
            log_began_at(seen) >= Some(clock) && seen.broken.is_empty() && seen.working.is_empty()
        })
        .await;
    assert!(log_began_at(&seen) <= Some(at), "{seen:?}");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_does_not_mend_starts_no_second_one_and_is_told_as_graver() {
    let mut story = based().await;
    steal(&story.stage, "olaf.trn").await;
    let refuse = "EXEC sp_sim_fault 'fail', @statement = 'BACKUP DATABASE', @database = 'Ledger', @times = 0, \
                  @number = 3271, @text = N'a disk is broken';";
    story.stage.script("SQL1", "master", refuse).await;
    let at = story.leap("21T01:10");
    let seen = story
        .until("a run that does not mend it", |seen| {
            let mut broken = seen.broken.iter();
            broken.any(|it| matches!(it.mending, Mending::InVain { .. }))
        })
        .await;
    assert_eq!(log_began_at(&seen), Some(at));
    let told = story.told("SQL1/Ledger", 2).await;
    let grave: Vec<Severity> = told.iter().map(|it| it.severity).collect();
    assert_eq!(grave, [Severity::Warning, Severity::Error], "{told:?}");
    story
        .stage
        .script("SQL1", "master", "EXEC sp_sim_fault 'clear'")
        .await;
    let seen = story.rest_at("21T02:00").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let seen = story
        .until("it is mended", |seen| seen.broken.is_empty())
        .await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_what_a_service_saw_of_the_chains_until_a_run_has_looked_itself() {
    let stage = Stage::set(&[("SQL1", &["Ledger"])]).await;
    for kind in ["full", "log"] {
        stage.must(&["backup", kind]).await;
    }
    let member: MemberName = "SQL1/Ledger".parse().expect("a name");
    let seen = ChainsSeen {
        members: [member.clone()].into(),
        sound: BTreeSet::new(),
        broken: vec![BrokenChain {
            member,
            reason: Break::Replaced,
            remedy: Remedy::Run {
                how: "begins the chain anew with a full".to_owned(),
            },
        }],
    };
    let now = SystemClock::new().now();
    let mut watch = Watch::default();
    watch.take_in(&seen, now);
    watch.keep(&stage.path("state"), now).expect("writes");
    let status = stage.run(&["status"]).await;
    assert_eq!(status.exit, Exit::Degraded, "{}", status.stdout);
    let line = "ALARM     SQL1/Ledger: its chain is broken since";
    assert!(status.stdout.contains(line), "{}", status.stdout);
    stage.must(&["backup", "log"]).await;
    stage.must(&["status"]).await;
}
