//! Time for a story: it stands while anybody works, and passes where everybody waits.
//!
//! Start at [`StoryClock`] and [`Passing`]. The hosts and the agent look at one clock. A thread beside the story's
//! looks whether that one sleeps; the longer it does, the larger the steps in which time passes, so that a
//! moment in which a file is written costs little time and a wait of minutes costs a blink.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stopmark::model::Timestamp;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// When every story begins, in milliseconds since 1970: a day of 2027.
const BEGIN_MS: i64 = 1_800_000_000_000;

/// How often it is looked whether the story's thread sleeps.
const LOOK: Duration = Duration::from_millis(1);

/// A look that comes so late tells of a busy machine: then a thread that reads a file for the story may only wait for
/// its turn, and nobody sleeps.
const LATE: Duration = Duration::from_millis(5);

/// What each look in a row that finds it asleep adds to the step.
const STEP: Duration = Duration::from_millis(20);

/// The clock of a story.
#[derive(Debug, Default)]
pub(crate) struct StoryClock(Mutex<Sleepers>);

/// Who waits, by the time until which.
#[derive(Debug, Default)]
struct Sleepers {
    passed: Duration,
    waiting: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
}

/// Whether a runtime's thread sleeps, and how often it woke.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    is_asleep: AtomicBool,
    wakes: AtomicU64,
}

/// A clock on the wall that is so many milliseconds early, or late where they are negative; time passes on it as on
/// the other.
pub(crate) struct Skewed(pub(crate) Arc<dyn stopmark::world::Clock>, pub(crate) i64);

#[async_trait]
impl stopmark::world::Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.0.now().plus_millis(self.1)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.0.sleep_until(deadline).await;
    }
}

/// Lets time pass on a clock as long as it is held.
pub(crate) struct Passing {
    _stop: mpsc::Sender<()>,
}

impl StoryClock {
    /// Lets so much time pass at once.
    pub(crate) fn advance(&self, by: Duration) {
        let mut sleepers = self.sleepers();
        sleepers.passed += by;
        let still = (sleepers.passed + Duration::from_nanos(1), 0);
        let later = sleepers.waiting.split_off(&still);
        let due = std::mem::replace(&mut sleepers.waiting, later);
        for sleeper in due.into_values() {
            // Who was dropped meanwhile waits no more.
            let _ = sleeper.send(());
        }
    }

    /// Time since the story began.
    pub(crate) fn passed(&self) -> Duration {
        self.sleepers().passed
    }

    /// Returns when so much has passed since the story began.
    async fn wait_until(&self, deadline: Duration) {
        let awake = {
            let mut sleepers = self.sleepers();
            if sleepers.passed >= deadline {
                return;
            }
            sleepers.count += 1;
            let (sender, awake) = oneshot::channel();
            let place = (deadline, sleepers.count);
            sleepers.waiting.insert(place, sender);
            awake
        };
        // The sender lives until it is used: the clock is held by whoever waits.
        let _ = awake.await;
    }

    /// Returns after so many milliseconds.
    pub(crate) async fn wait_ms(&self, milliseconds: u64) {
        let deadline = self.passed() + Duration::from_millis(milliseconds);
        self.wait_until(deadline).await;
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        BEGIN_MS + i64::try_from(self.passed().as_millis()).unwrap_or_default()
    }
}

#[async_trait]
impl sqlsim::clock::Clock for StoryClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.now_ms()).expect("a story is short")
    }

    fn monotonic(&self) -> Duration {
        self.passed()
    }

    async fn sleep(&self, duration: Duration) {
        self.wait_until(self.passed().saturating_add(duration))
            .await;
    }
}

#[async_trait]
impl stopmark::world::Clock for StoryClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }

    fn monotonic(&self) -> Duration {
        self.passed()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.wait_until(deadline).await;
    }
}

impl Idle {
    /// Watches the thread of a runtime that is about to be built.
    pub(crate) fn watch(self: &Arc<Self>, runtime: &mut Builder) {
        let (parks, unparks) = (Arc::clone(self), Arc::clone(self));
        runtime.on_thread_park(move || parks.is_asleep.store(true, Ordering::SeqCst));
        runtime.on_thread_unpark(move || {
            unparks.is_asleep.store(false, Ordering::SeqCst);
            unparks.wakes.fetch_add(1, Ordering::SeqCst);
        });
    }
}

impl Passing {
    /// Begins to let time pass.
    pub(crate) fn on(clock: Arc<StoryClock>, idle: Arc<Idle>) -> Self {
        let (stop, stopped) = mpsc::channel();
        thread::spawn(move || pass(&clock, &idle, &stopped));
        Self { _stop: stop }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is asked here is how busy the real machine is"
)]
fn pass(clock: &StoryClock, idle: &Idle, stopped: &mpsc::Receiver<()>) {
    let (mut looks, mut before) = (0, 0);
    let mut looked = Instant::now();
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let wakes = idle.wakes.load(Ordering::SeqCst);
        let is_late = looked.elapsed() > LATE;
        looked = Instant::now();
        let is_still = idle.is_asleep.load(Ordering::SeqCst) && wakes == before && !is_late;
        looks = if is_still { looks + 1 } else { 0 };
        before = wakes;
        clock.advance(STEP * looks);
    }
}
