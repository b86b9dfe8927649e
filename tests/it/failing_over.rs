//! A group that fails over while a run goes on: before each of the run's effects in turn, back and forth.
//!
//! Start at [`fail_over_before_every_effect`]. A failover in good order loses no log, so that the run ends with a Point
//! all the same, and the run after it goes on with logs alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sqlsim::instance::{Instance, run_script};
use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::run::{self, Interrupt};
use tokio::runtime::Builder;

use crate::bank::TOTAL;
use crate::chain_stories::hasty;
use crate::fate::{Fate, Fates};
use crate::replicas::{SECOND, grouped, healthy, taken, verdict, wait_for_step};
use crate::saga_kinds::{Kind, SPARE, Scene};
use crate::saga_story::story;
use crate::strike::Strike;

/// More effects than any of these runs has.
const EFFECTS_MAX: usize = 200;

/// Points that are brought back at the end, spread over all of them.
const RESTORES_MAX: usize = 4;

/// The host of the primary replica at first.
const FIRST: &str = "SQL2";

/// The group fails over to this host before the effect of this number.
struct Failover {
    nth: usize,
    to: Arc<Instance>,
    seen: AtomicUsize,
    struck: Mutex<Option<&'static str>>,
}

impl Failover {
    fn struck(&self) -> Option<&'static str> {
        *self.struck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fates for Failover {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
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

/// Where the primary replica is, and where the other one is.
#[derive(Clone, Copy)]
struct Roles {
    primary: &'static str,
    other: &'static str,
}

impl Roles {
    fn exchange(&mut self) {
        std::mem::swap(&mut self.primary, &mut self.other);
    }
}

async fn fail_over_before_every_effect(preference: &str) {
    let mut scene = grouped(FIRST, "Accounts", preference).await;
    scene.world = hasty(&scene.world);
    let mut roles = Roles {
        primary: FIRST,
        other: SECOND,
    };
    for nth in 1..EFFECTS_MAX {
        if !fail_over_before(&scene, &mut roles, nth).await {
            bring_back(&scene).await;
            return;
        }
    }
    panic!("a log run never came to its end");
}

/// One run in which the group fails over, and the run after it; whether the run had such an effect.
async fn fail_over_before(scene: &Scene, roles: &mut Roles, nth: usize) -> bool {
    if roles.primary == FIRST {
        scene.bank.transfer(&scene.stage, 5).await;
    }
    let failover = Arc::new(Failover {
        nth,
        to: Arc::clone(scene.stage.host(roles.other).instance()),
        seen: AtomicUsize::new(0),
        struck: Mutex::new(None),
    });
    let world = Strike::by(failover.clone()).world(&scene.world);
    let record = log_run(scene, &world).await;
    let Some(verb) = failover.struck() else {
        healthy(scene, &record).await;
        return false;
    };
    roles.exchange();
    let place = format!("the group failed over before `{verb}`, number {nth}");
    assert_eq!(
        verdict(&record),
        Some(Verdict::Done),
        "{place}: {}",
        story(&record)
    );
    healthy(scene, &record).await;
    wait_for_step(scene, roles.other).await;
    goes_on(scene, &place).await;
    true
}

async fn log_run(scene: &Scene, world: &stopmark::world::World) -> Record {
    let wanted = Kind::Log.wanted();
    let record = run::back_up(world, &scene.config, &wanted, &Interrupt::default()).await;
    record.expect("a record")
}

/// The next run needs nothing but logs, and leaves nothing behind.
async fn goes_on(scene: &Scene, place: &str) {
    let record = scene.back_up(BackupKind::Log).await;
    let kinds: Vec<&str> = taken(&record, "Accounts").iter().map(|it| it.1).collect();
    assert_eq!(kinds, ["log"], "{place}: {}", story(&record));
    healthy(scene, &record).await;
    let left = scene.world.journals.unfinished().expect("journals");
    assert_eq!(left, [], "{place}: runs that nobody finished");
    scene.assert_the_shares_are_clear(place);
    scene.assert_no_set_twice(place).await;
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
async fn a_failover_in_a_run_that_takes_its_logs_on_the_primary_replica_breaks_no_chain() {
    fail_over_before_every_effect("primary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_in_a_run_that_takes_its_logs_on_a_secondary_replica_breaks_no_chain() {
    fail_over_before_every_effect("secondary").await;
}
