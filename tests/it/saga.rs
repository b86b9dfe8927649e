//! The four saga tests of every kind of run: it succeeds; a failure at any step leaves a world that the next
//! run can use; what is undone may be undone twice; what is done may be done twice.
//!
//! Start at [`play`]: one driver for all kinds, which are in `saga_kinds`; doing and undoing twice is in
//! `saga_twice`. Failures are injected between the
//! agent and its world, never inside either.

use std::collections::BTreeSet;
use std::path::PathBuf;

use stopmark::error::{Error, Result};
use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;

use crate::bank::TOTAL;
use crate::fate::WORDS;
use crate::saga_kinds::{Kind, SPARE, Scene};
use crate::saga_story::story;
use crate::saga_twice::do_and_undo_twice;
use crate::strike::{Strike, Target, When};
use crate::strike_share::READING;

/// More effects than any run of these scenes has: a run that is struck this often never ends.
const EFFECTS_MAX: usize = 200;

/// Points that are brought back at the end of a series, spread over it.
const RESTORES_MAX: usize = 3;

/// Where the answer is lost the agent asks the world what became of these, and may go on.
const LOOKED_UP: [&str; 3] = ["back_up", "place_mark", "append"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_run_is_a_saga() {
    play(
        Kind::Full,
        &[
            "back_up",
            "upload",
            "prove",
            "write_manifest",
            "append",
            "remove",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_differential_run_is_a_saga() {
    play(
        Kind::Differential,
        &[
            "back_up",
            "upload",
            "prove",
            "write_manifest",
            "append",
            "remove",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_run_is_a_saga() {
    play(
        Kind::Log,
        &[
            "host_facts",
            "place_mark",
            "mark_history",
            "make_room",
            "back_up",
            "sizes",
            "upload",
            "append",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_run_that_mends_a_chain_is_a_saga() {
    play(
        Kind::LogWithNewChain,
        &["place_mark", "back_up", "upload", "append"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_chain_on_request_is_a_saga() {
    play(
        Kind::FullNewChain,
        &["place_mark", "back_up", "upload", "append"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preparing_members_is_a_saga() {
    play(Kind::Prepare, &["prepare_member"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn making_links_is_a_saga() {
    play(Kind::Links, &["ensure_link", "test_link"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_is_a_saga() {
    play(
        Kind::Restore,
        &[
            "make_room",
            "fetch",
            "restore_database",
            "restore_log",
            "newest_mark",
            "remove",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_is_a_saga() {
    play(
        Kind::Adopt,
        &[
            "host_facts",
            "bring",
            "upload",
            "prove",
            "write_manifest",
            "append",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trials_of_a_check_are_a_saga() {
    play(
        Kind::Check,
        &[
            "make_room",
            "probe_share",
            "sizes",
            "honours_create",
            "remove",
            "remove_probe",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prune_is_a_saga() {
    play(
        Kind::Prune,
        &[
            "append",
            "remove_piece",
            "sweep",
            "list",
            "remove",
            "trim_mark_log",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_companions_is_a_saga() {
    play(
        Kind::Companions,
        &[
            "host_facts",
            "back_up",
            "upload",
            "prove",
            "write_manifest",
            "append",
            "remove",
        ],
    )
    .await;
}

/// Plays the four tests with one kind of run, and sees to it that each of the `wanted` verbs is struck.
async fn play(kind: Kind, wanted: &[&'static str]) {
    let scene = Scene::set().await;
    succeed(kind, &scene).await;
    let mut struck = BTreeSet::new();
    for when in [When::Before, When::After] {
        struck.extend(strike_every_effect(kind, &scene, when).await);
    }
    for verb in wanted.iter().filter(|verb| !struck.contains(*verb)) {
        strike_by_name(kind, &scene, verb).await;
    }
    do_and_undo_twice(kind, &scene).await;
    heal(kind, &scene, "after everything twice").await;
    bring_back(&scene).await;
}

async fn succeed(kind: Kind, scene: &Scene) {
    kind.arrange(scene).await;
    let record = kind.act(scene, &scene.world).await.expect("it is done");
    assert_eq!(verdict(&record), Some(Verdict::Done), "{}", story(&record));
}

/// Fails the first effect, then the second, until a run has no more of them.
async fn strike_every_effect(kind: Kind, scene: &Scene, when: When) -> BTreeSet<&'static str> {
    let mut struck = BTreeSet::new();
    for nth in 1..EFFECTS_MAX {
        match strike(kind, scene, Target::Nth(nth), when).await {
            Some(verb) => struck.insert(verb),
            None => return struck,
        };
    }
    panic!("{kind:?} never ran to its end");
}

/// Lanes go on side by side, so that an effect's number may be another one's in the next run: two numbers may
/// both have struck the one verb, and none the other.
async fn strike_by_name(kind: Kind, scene: &Scene, verb: &'static str) {
    for when in [When::Before, When::After] {
        if when == When::After && READING.contains(&verb) {
            continue;
        }
        let struck = strike(kind, scene, Target::First(verb), when).await;
        assert_eq!(struck, Some(verb), "{kind:?} never does `{verb}`");
    }
}

/// A run with one failure, and the run that heals what it left; the verb that was struck.
async fn strike(kind: Kind, scene: &Scene, target: Target, when: When) -> Option<&'static str> {
    kind.arrange(scene).await;
    let strike = Strike::at(target, when);
    let result = kind.act(scene, &strike.world(&scene.world)).await;
    let Some(verb) = strike.struck() else {
        let record = result.expect("nothing was struck");
        assert_eq!(verdict(&record), Some(Verdict::Done), "{}", story(&record));
        return None;
    };
    let place = format!("{kind:?}: {target:?}, `{verb}`, {when:?}");
    assert_is_told(&result, verb, when, &place);
    heal(kind, scene, &place).await;
    Some(verb)
}

fn assert_is_told(result: &Result<Record>, verb: &str, when: When, place: &str) {
    // What a run can do without it tells in a warning, and goes on.
    let is_told_beside = ["sweep", "take_lease"].contains(&verb)
        && matches!(result, Ok(record) if story(record).contains(WORDS));
    let is_found_out =
        when == When::After && LOOKED_UP.contains(&verb) || is_found_published(result);
    assert!(
        is_found_out || is_told_beside || tells_of_the_strike(result),
        "{place}: {}",
        told(result)
    );
}

/// The next undisturbed run ends well, and nothing is lost or told twice.
async fn heal(kind: Kind, scene: &Scene, place: &str) {
    let result = kind.act(scene, &scene.world).await;
    let record = result.unwrap_or_else(|error| panic!("{place}: {error:?}"));
    assert_eq!(
        verdict(&record),
        Some(Verdict::Done),
        "{place}: {}",
        story(&record)
    );
    let left = scene.world.journals.unfinished().expect("journals");
    if kind == Kind::Check {
        assert_eq!(left, [], "{place}: runs that nobody finished");
        assert_eq!(scene.remains(), Vec::<PathBuf>::new(), "{place}");
    }
    let publishes = matches!(kind, Kind::Adopt | Kind::Prune | Kind::Companions);
    if kind.is_backup() || publishes {
        assert_eq!(left, [], "{place}: runs that nobody finished");
        scene.assert_nothing_is_lost(place).await;
        scene.assert_the_shares_are_clear(place);
    }
    scene.assert_no_set_twice(place).await;
}

fn verdict(record: &Record) -> Option<Verdict> {
    record.ended.map(|(verdict, _)| verdict)
}

/// A publication failed before anybody could say that it stands, and was found in the group's log: both are told.
fn is_found_published(result: &Result<Record>) -> bool {
    let Ok(record) = result else { return false };
    let text = story(record);
    let lines = text.lines().filter(|line| line.contains("Publish: "));
    let lines: Vec<&str> = lines.collect();
    lines.windows(2).any(|pair| {
        let is_retold = pair[0].contains(WORDS) && pair[0].ends_with("; tried again");
        is_retold && pair[1].ends_with(": published")
    })
}

/// The failure is told by the error, by a failed step, or by a warning of the plan; never swallowed.
fn tells_of_the_strike(result: &Result<Record>) -> bool {
    match result {
        Err(error) => format!("{error:?}").contains(WORDS),
        Ok(record) => told(result).contains(WORDS) && verdict(record) != Some(Verdict::Done),
    }
}

fn told(result: &Result<Record, Error>) -> String {
    match result {
        Err(error) => format!("{error:?}"),
        Ok(record) => story(record),
    }
}

/// Points of the series, spread over it, come back whole.
async fn bring_back(scene: &Scene) {
    scene.back_up(BackupKind::Log).await;
    let points = scene.points().await;
    assert!(!points.is_empty(), "a series ends with a Point");
    let stride = points.len().div_ceil(RESTORES_MAX);
    for point in points.iter().rev().step_by(stride) {
        scene.restore(point).await;
        let mark = &point.mark.name;
        assert_eq!(
            scene.bank.sum_on(&scene.stage, SPARE).await,
            TOTAL,
            "{mark}"
        );
    }
}
