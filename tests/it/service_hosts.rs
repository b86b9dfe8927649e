//! The service with simulated hosts behind it: fulls, marks and logs by the schedule, a log beside a full, a stop
//! in the middle, and a configuration that changes while it runs.

use std::fs;
use std::sync::atomic::Ordering;

use stopmark::config::Job;
use stopmark::error::Exit;
use stopmark::service::due::Why;
use stopmark::service::outlook::why;
use stopmark::service::{Ask, Seen};
use stopmark::world::Clock as _;

use crate::damage::stored;
use crate::stage::Stage;
use crate::story::{SCHEDULE, Story};

#[track_caller]
fn all_ended_well(seen: &Seen) {
    assert!(
        seen.last.values().all(|last| last.end.is_good()),
        "{seen:?}"
    );
}

/// Waits for a log of the 22nd that was taken while a full is at work.
async fn a_log_beside_the_full(story: &mut Story) -> Seen {
    story
        .until("a log beside the full", |seen| {
            let log = seen.last.get(&Job::Log);
            let is_new = log.is_some_and(|log| log.began_at.to_string().starts_with("2026-11-22"));
            is_new && seen.working.contains_key(&Job::Full)
        })
        .await
}

/// Stops the service; the group stands well afterwards.
async fn stops_in_order(story: Story) -> Stage {
    let (stage, _, _) = story.stop().await;
    stage.must(&["status"]).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_the_schedule_makes_points_and_a_stop_leaves_nothing_open() {
    let mut story = Story::begin().await;
    let seen = story.rest_at("21T01:00").await;
    let told: Vec<String> = seen.last.values().map(|last| last.end.words()).collect();
    assert_eq!(told, ["done", "done"], "a full, and the first log after it");
    for hour in 2..8 {
        story.rest_at(&format!("21T{hour:02}:05")).await;
    }
    // A day of absence is made up for once.
    let seen = story.rest_at("22T12:10").await;
    all_ended_well(&seen);
    let stage = stops_in_order(story).await;
    let list = stage.must(&["list"]).await;
    let points = list.lines().filter(|line| line.contains("yes")).count();
    assert_eq!(points, 8, "{list}");
    // A command's clock is the real one, by which all of it may have been missed since.
    let schedule = stage.must(&["schedule"]).await;
    for expression in ["`0 1 * * *`", "`0 * * * *`", "`30 4 * * *`"] {
        assert!(schedule.contains(expression), "{schedule}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_come_by_schedule_beside_the_group() {
    let schedule = format!(
        "[companions]\ndatabases = ['SQL1/master', 'SQL2/msdb']\n\n{}",
        SCHEDULE.replace("prune", "companions = \"30 1 * * *\"\nprune")
    );
    let mut story = Story::with(&schedule).await;
    for time in ["21T01:00", "21T01:30", "21T02:00"] {
        let seen = story.rest_at(time).await;
        all_ended_well(&seen);
    }
    let (stage, _, _) = story.stop().await;
    let list = stage.must(&["list"]).await;
    let words: Vec<&str> = list.split_whitespace().collect();
    let first = words.iter().position(|word| *word == "companions");
    assert!(
        first.is_some_and(|at| words[at..].contains(&"log")),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_go_on_beside_a_full_and_do_not_take_it_for_a_leftover() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    story.deeds.holds_full.store(true, Ordering::SeqCst);
    story.leap("22T01:00");
    a_log_beside_the_full(&mut story).await;
    story.deeds.go.notify_one();
    let seen = story.rest_at("22T01:10").await;
    all_ended_well(&seen);
    stops_in_order(story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_is_placed_and_logs_are_taken_while_a_full_is_half_done_on_its_host() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    let stall = "EXEC sp_sim_fault 'stall backup', 'BACKUP DATABASE', 'Ledger'";
    story.stage.script("SQL1", "master", stall).await;
    story.leap("22T01:00");
    let seen = a_log_beside_the_full(&mut story).await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let half_done = "SELECT CAST(COUNT(*) AS bigint) FROM sys.dm_exec_requests WHERE command = 'BACKUP DATABASE'";
    assert_eq!(story.stage.number("SQL1", "master", half_done).await, 1);
    let go_on = "EXEC sp_sim_fault 'clear'";
    story.stage.script("SQL1", "master", go_on).await;
    let seen = story.rest_at("22T01:10").await;
    all_ended_well(&seen);
    stops_in_order(story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_that_have_grown_make_a_full_due_within_its_window() {
    let schedule = SCHEDULE.replace(
        "\"0 1 * * *\"",
        "{ at = \"0 1 1 1 *\", log_since = \"1KiB\", window = { from = \"22:00\", until = \"06:00\" } }",
    );
    let mut story = Story::with(&schedule).await;
    let seen = story.rest_at("21T01:00").await;
    assert!(
        seen.last[&Job::Full].end.is_good(),
        "after the first log: {seen:?}"
    );
    let seen = story.rest_at("21T12:00").await;
    let full = seen.turns.iter().find(|turn| turn.job == Job::Full);
    let full = full.expect("a turn");
    assert_eq!(full.at.to_string(), "2026-11-21T22:00:00.000Z");
    let told = why(full, story.clock.now());
    assert!(told.contains("the logs since the full of SQL"), "{told}");
    assert!(told.ends_with("it waits for its window"), "{told}");
    let seen = story.rest_at("21T22:05").await;
    let began = seen.last[&Job::Full].began_at.to_string();
    assert!(began.starts_with("2026-11-21T22:0"), "{began}");
    assert!(seen.last[&Job::Full].end.is_good(), "{seen:?}");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_a_scrub_finds_broken_is_mended_before_the_next_log_is_due() {
    let schedule = SCHEDULE.replace("log = \"0 * * * *\"", "log = \"0 */6 * * *\"");
    let mut story = Story::with(&schedule).await;
    story.rest_at("21T06:00").await;
    let full = stored(&story.stage, ".full.1of1.bak").remove(0);
    let mut bytes = fs::read(&full).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&full, bytes).expect("someone writes");
    let scrubbed = story.stage.run(&["scrub"]).await;
    assert_eq!(scrubbed.exit, Exit::Degraded, "{}", scrubbed.stdout);
    story.leap("21T06:30");
    let seen = story
        .until("a log long before noon", |seen| {
            let log = seen.last.get(&Job::Log);
            log.is_some_and(|log| log.began_at.to_string().starts_with("2026-11-21T06:30"))
        })
        .await;
    let is_broken = |why: &Why| matches!(why, Why::Broken { .. });
    assert!(
        !seen.turns.iter().any(|turn| is_broken(&turn.why)),
        "it is mended: {seen:?}"
    );
    stops_in_order(story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_is_seen_between_runs() {
    let alarms = format!("[alarms]\ndisk_free = \"999TiB\"\n{SCHEDULE}");
    let mut story = Story::with(&alarms).await;
    let seen = story
        .until("an alarm", |seen| !seen.alarms.is_empty())
        .await;
    assert_eq!(seen.rooms.len(), 2, "both hosts were asked");
    assert!(
        seen.alarms.iter().all(|alarm| alarm.code == "SM0223"),
        "{seen:?}"
    );
    assert!(story.stage.path("state/alarms.json").exists());
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_broken_by_an_edit_leaves_the_old_one_in_force_and_is_told() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    let log_of = |story: &Story| {
        let scene = story.scene.borrow();
        let config = &scene.as_ref().expect("it is in force").config;
        config.schedule.jobs[&Job::Log].expression.clone()
    };
    story.stage.edit("log = \"0 * * * *\"", "log = \"0 * * *\"");
    story.asks.send(Ask::Reload).await.expect("it listens");
    let seen = story.until("the fault", |seen| seen.fault.is_some()).await;
    assert!(
        seen.fault
            .is_some_and(|fault| fault.contains("five fields"))
    );
    assert_eq!(log_of(&story), "0 * * * *");
    let seen = story.rest_at("21T02:00").await;
    assert_eq!(
        seen.last[&Job::Log].began_at.to_string(),
        "2026-11-21T02:00:00.000Z"
    );
    story
        .stage
        .edit("log = \"0 * * *\"", "log = \"30 * * * *\"");
    story.asks.send(Ask::Reload).await.expect("it listens");
    let seen = story.until("its end", |seen| seen.fault.is_none()).await;
    let next = seen.turns.iter().find(|turn| turn.job == Job::Log);
    assert_eq!(
        next.expect("a turn").at.to_string(),
        "2026-11-21T02:30:00.000Z"
    );
    assert_eq!(log_of(&story), "30 * * * *");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_waits_while_a_command_is_at_work() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    let held = stopmark::service::lock::acting(&story.stage.path("state")).expect("it is free");
    story.leap("21T02:00");
    let seen = story.until("it waits", |seen| seen.waiting.is_some()).await;
    assert!(seen.working.is_empty() && seen.waiting.expect("a reason").contains("SM0904"));
    drop(held);
    let seen = story.rest_at("21T02:01").await;
    // It may have looked again before the minute had passed.
    let began = seen.last[&Job::Log].began_at.to_string();
    let minutes = ["2026-11-21T02:00:00.000Z", "2026-11-21T02:01:00.000Z"];
    assert!(minutes.contains(&began.as_str()), "{began}");
    story.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_comes_by_schedule_and_one_that_fails_is_not_held_again_before_its_next_time() {
    let layout: &[(&str, &[&str])] = &[
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ];
    let stage = Stage::set(layout).await;
    let drill = "[drill]\nhosts = [\"SPARE\"]\npoint = \"random\"\n";
    stage.edit("[policy]", &format!("{drill}{SCHEDULE}"));
    stage.edit("prune = ", "drill = \"30 2 * * *\"\nprune = ");
    let mut story = Story::begin_on(stage).await;
    story.rest_at("21T01:00").await;
    let seen = story.rest_at("21T02:30").await;
    assert!(seen.last[&Job::Drill].end.is_good(), "{seen:?}");
    let damaged = "EXEC sp_sim_fault 'fail', @statement = 'RESTORE LOG', @times = 0, @number = 3183, \
                   @text = N'A page is damaged.';";
    story.stage.script("SPARE", "master", damaged).await;
    let seen = story.rest_at("22T02:31").await;
    let told = seen.last[&Job::Drill].end.words();
    assert!(
        !seen.last[&Job::Drill].end.is_good() && told.contains("SM0801"),
        "{told}"
    );
    let next = seen.turns.iter().find(|turn| turn.job == Job::Drill);
    let next = next.expect("a turn").at.to_string();
    assert_eq!(
        next, "2026-11-23T02:30:00.000Z",
        "its certificate says it all"
    );
    let (stage, _, _) = story.stop().await;
    let list = stage.run(&["drill", "list"]).await.stdout;
    let verdicts: Vec<&str> = list
        .split_whitespace()
        .filter(|it| ["passed", "FAILED"].contains(it))
        .collect();
    assert_eq!(verdicts, ["passed", "FAILED"], "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_that_cannot_be_read_is_waited_for() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    let (runs, away) = (
        story.stage.path("state/runs"),
        story.stage.path("state/away"),
    );
    fs::rename(&runs, &away).expect("somebody moves it");
    fs::write(&runs, "").expect("writes");
    story.leap("21T02:00");
    let seen = story.until("it waits", |seen| seen.waiting.is_some()).await;
    let waiting = seen.waiting.expect("a reason");
    assert!(waiting.contains("SM0901"), "{waiting}");
    fs::remove_file(&runs).expect("it is mended");
    fs::rename(&away, &runs).expect("somebody brings it back");
    let seen = story.rest_at("21T02:01").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let began = seen.last[&Job::Log].began_at.to_string();
    assert!(began.starts_with("2026-11-21T02:0"), "{began}");
    story.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_ledger_keeps_no_run_from_its_work() {
    let mut story = Story::begin().await;
    story.rest_at("21T01:00").await;
    let full = story.stage.path("state/schedule.json.new");
    std::os::unix::fs::symlink("/dev/full", &full).expect("a disk without room");
    let seen = story.rest_at("21T02:00").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let next = seen.turns.iter().find(|turn| turn.job == Job::Log);
    let next = next.expect("a turn").at.to_string();
    assert_eq!(
        next, "2026-11-21T03:00:00.000Z",
        "the journal says that it was done"
    );
    fs::remove_file(&full).expect("there is room again");
    story.rest_at("21T03:00").await;
    let ledger = fs::read_to_string(story.stage.path("state/schedule.json")).expect("reads");
    assert!(ledger.contains("2026-11-21T03:00"), "{ledger}");
    story.stop().await;
}
