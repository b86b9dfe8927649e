//! A clock that leaps from one sleeper's waking to the next, identities that tell its time, and chances that a seed
//! repeats: for lives that must not take as long as they do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stopmark::clock::ManualClock;
use stopmark::model::Timestamp;
use stopmark::world::{Clock, Ids};
use uuid::Uuid;

/// A clock that knows until when everybody sleeps.
pub(crate) struct LeapingClock {
    clock: ManualClock,
    sleepers: Mutex<BTreeMap<u64, Duration>>,
    next: AtomicU64,
}

struct Sleeper<'a> {
    clock: &'a LeapingClock,
    number: u64,
}

impl LeapingClock {
    pub(crate) fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::new(start),
            sleepers: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Leaps to when the first sleeper wakes; nobody sleeps where there is none.
    pub(crate) fn leap(&self) {
        let first = self.lock().values().min().copied();
        if let Some(first) = first {
            self.clock.advance(first.saturating_sub(self.monotonic()));
        }
    }

    /// Changes whenever somebody goes to sleep or wakes.
    pub(crate) fn activity(&self) -> (u64, usize) {
        (self.next.load(Ordering::Relaxed), self.lock().len())
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Duration>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.lock().remove(&self.number);
    }
}

#[async_trait]
impl Clock for LeapingClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep_until(&self, deadline: Duration) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, deadline);
        let _sleeper = Sleeper {
            clock: self,
            number,
        };
        self.clock.sleep_until(deadline).await;
    }
}

/// Identities that tell the time of the clock, as real ones do.
pub(crate) struct ClockIds {
    pub(crate) clock: Arc<LeapingClock>,
    pub(crate) next: AtomicU64,
}

impl Ids for ClockIds {
    fn next(&self) -> Uuid {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let millis = u64::try_from(self.clock.now().millis()).expect("after 1970");
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Chances that a seed repeats (splitmix64).
#[derive(Debug)]
pub(crate) struct Chances(pub(crate) u64);

impl Chances {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (drawn ^ (drawn >> 31)) % bound
    }
}
