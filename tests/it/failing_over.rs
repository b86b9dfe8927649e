//! A group that fails over while a run goes on: before each of the run's effects in turn, to its other host in one run and
//! back in the next.
//!
//! Start at [`fail_over_before_every_effect`]. A failover in good order loses no log, so that each of these runs ends with a
//! Point all the same, and takes logs alone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sqlsim::instance::{Instance, run_script};
use stopmark::model::MemberName;
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::run::{self, Interrupt};
use stopmark::survey;
use tokio::runtime::Builder;

use crate::bank::TOTAL;
use crate::chain_stories::hasty;
use crate::fate::{Fate, Fates};
use crate::replicas::{CLEAR, SECOND, grouped, healthy, on, taken, verdict, wait_for_step};
use crate::saga_kinds::{Kind, SPARE, Scene};
use crate::saga_story::story;
use crate::strike::Strike;

/// More effects than any of these runs has.
const EFFECTS_MAX: usize = 200;

/// Points that are brought back at the end, spread over all of them.
const RESTORES_MAX: usize = 4;

/// The host of the primary replica at first.
const FIRST: &str = "SQL2";

/// Which effect the group fails over before.
#[derive(Clone, Copy)]
enum Before {
    Nth(usize),
    FirstBackup,
}

/// The group fails over to this host, once.
struct Failover {
    before: Before,
    to: Arc<Instance>,
    seen: AtomicUsize,
    struck: Mutex<Option<&'static str>>,
}

impl Failover {
    fn before(before: Before, to: &Arc<Instance>) -> Arc<Self> {
        Arc::new(Self {
            before,
            to: Arc::clone(to),
            seen: AtomicUsize::new(0),
            struck: Mutex::new(None),
        })
    }

    fn struck(&self) -> Option<&'static str> {
        *self.struck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fates for Failover {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        let nth = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let is_due = match self.before {
            Before::Nth(due) => nth == due,
            Before::FirstBackup => verb == "back_up" && self.struck().is_none(),
        };
        if is_due {
            *self.struck.lock().unwrap_or_else(PoisonError::into_inner) = Some(verb);
            fail_over_to(&self.to);
        }
        Fate::Passes
    }
}

/// Returns when it is done. On a thread of its own: a runtime that waits within another one's work on the same thread takes
/// the calls that would have woken that work.
fn fail_over_to(host: &Arc<Instance>) {
    let failover = async {
        let done = run_script(host, "master", "ALTER AVAILABILITY GROUP ag FAILOVER;").await;
        done.expect("both replicas are in step");
    };
    let alone = || {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(failover);
    };
    thread::scope(|scope| scope.spawn(alone).join().expect("it fails over"));
}

async fn fail_over_before_every_effect(preference: &str) {
    let mut scene = grouped(FIRST, "Accounts", preference).await;
    scene.world = hasty(&scene.world);
    for nth in 1..EFFECTS_MAX {
        scene.bank.transfer(&scene.stage, 5).await;
        let there = fail_over_before(&scene, SECOND, Before::Nth(nth)).await;
        let back = there && fail_over_before(&scene, FIRST, Before::Nth(nth)).await;
        if !back {
            bring_back(&scene).await;
            return;
        }
        assert_nothing_is_left(&scene, nth).await;
    }
    panic!("a log run never came to its end");
}

/// One run in which the group fails over to a host, and that needs logs alone; whether it had such an effect.
async fn fail_over_before(scene: &Scene, host: &'static str, before: Before) -> bool {
    let failover = Failover::before(before, scene.stage.host(host).instance());
    let world = Strike::by(failover.clone()).world(&scene.world);
    let record = log_run(scene, &world).await;
    let struck = failover.struck();
    let place = format!(
        "to {host} before `{struck:?}`, after {} effects",
        failover.seen.load(Ordering::SeqCst)
    );
    assert_eq!(
        verdict(&record),
        Some(Verdict::Done),
        "{place}: {}",
        story(&record)
    );
    healthy(scene, &record).await;
    let kinds: BTreeSet<&str> = taken(&record, "Accounts").iter().map(|it| it.1).collect();
    assert_eq!(
        Vec::from_iter(kinds),
        ["log"],
        "{place}: {}",
        story(&record)
    );
    if struck.is_some() {
        let other = if host == FIRST { SECOND } else { FIRST };
        wait_for_step(scene, other).await;
    }
    struck.is_some()
}

async fn log_run(scene: &Scene, world: &stopmark::world::World) -> Record {
    let wanted = Kind::Log.wanted();
    let record = run::back_up(world, &scene.config, &wanted, &Interrupt::default()).await;
    record.expect("a record")
}

async fn assert_nothing_is_left(scene: &Scene, nth: usize) {
    let place = format!("after the failovers before effect number {nth}");
    let left = scene.world.journals.unfinished().expect("journals");
    assert_eq!(left, [], "{place}: runs that nobody finished");
    scene.assert_the_shares_are_clear(&place);
    scene.assert_no_set_twice(&place).await;
}

async fn bring_back(scene: &Scene) {
    let points = scene.points().await;
    let stride = points.len().div_ceil(RESTORES_MAX);
    for point in points.iter().rev().step_by(stride) {
        scene.restore(point).await;
        let sum = scene.bank.sum_on(&scene.stage, SPARE).await;
        assert_eq!(sum, TOTAL, "{}", point.mark.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_in_which_the_group_fails_over_sees_one_primary_replica() {
    let scene = grouped(FIRST, "Accounts", "primary").await;
    let accounts: MemberName = "SQL2/Accounts".parse().expect("a member");
    for nth in 1..EFFECTS_MAX {
        for to in [SECOND, FIRST] {
            let failover = Failover::before(Before::Nth(nth), scene.stage.host(to).instance());
            let world = Strike::by(failover.clone()).world(&scene.world);
            let survey = survey::take(&world, &scene.config).await;
            let facts = survey.member(&accounts).expect("its facts");
            let is_primary = facts.replica.as_ref().map(|it| it.is_primary);
            let place = format!("to {to} before {:?}, number {nth}", failover.struck());
            assert_eq!(is_primary, Some(true), "{place}");
            assert_eq!(survey.contested, [], "{place}");
            if failover.struck().is_none() {
                return;
            }
            wait_for_step(&scene, if to == FIRST { SECOND } else { FIRST }).await;
        }
    }
    panic!("a survey never came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_in_a_run_that_takes_its_logs_on_the_primary_replica_breaks_no_chain() {
    fail_over_before_every_effect("primary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_in_a_run_that_takes_its_logs_on_a_secondary_replica_breaks_no_chain() {
    fail_over_before_every_effect("secondary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_a_host_refuses_since_the_group_failed_over_is_taken_by_the_other_in_the_same_run()
 {
    let mut scene = grouped(FIRST, "Accounts", "primary").await;
    scene.world = hasty(&scene.world);
    for number in [983, 3059, 3062, 35294] {
        scene.bank.transfer(&scene.stage, 5).await;
        let refuses = format!(
            "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @database = 'Accounts', @times = 0, @number = \
             {number}, @text = 'This replica is no primary one.';"
        );
        on(&scene, FIRST, &refuses).await;
        assert!(fail_over_before(&scene, SECOND, Before::FirstBackup).await);
        on(&scene, FIRST, CLEAR).await;
        assert!(fail_over_before(&scene, FIRST, Before::FirstBackup).await);
    }
    bring_back(&scene).await;
}
