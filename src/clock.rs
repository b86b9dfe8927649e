//! Time and identities for real use, and the clock that moves only when it is told.
//!
//! This is the one place that asks the operating system for the time; everything else asks `World`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::{ContextV7, Uuid};

use crate::model::Timestamp;
use crate::world::{Clock, Ids};

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation of the clock seam"
    )]
    pub fn new() -> Self {
        Self {
            started: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation of the clock seam"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation of the clock seam"
    )]
    async fn sleep_until(&self, deadline: Duration) {
        tokio::time::sleep(deadline.saturating_sub(self.monotonic())).await;
    }
}

/// A clock that stands still until it is moved; sleepers wake when it passes their deadline.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    elapsed: watch::Sender<Duration>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            start,
            elapsed: watch::Sender::new(Duration::ZERO),
        }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX);
        self.start.plus_millis(elapsed)
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    async fn sleep_until(&self, deadline: Duration) {
        let mut watch = self.elapsed.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = watch.wait_for(|elapsed| *elapsed >= deadline).await;
    }
}

/// Identities from the operating system's randomness and time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

/// Those of this process rise together.
static RISING: Mutex<Rising> = Mutex::new(Rising::new());

impl Ids for RandomIds {
    fn next(&self) -> Uuid {
        let mut rising = RISING.lock().unwrap_or_else(PoisonError::into_inner);
        rising.next(SystemClock::new().now())
    }
}

/// UUIDv7 that rise as long as the clock does, and go back with one that was put right: retention reads from them when
/// a run began.
struct Rising {
    context: ContextV7,
    last_ms: i64,
}

/// A clock that steps back by less is one that is kept in time.
const STEP_MAX_MS: i64 = 60_000;

impl Rising {
    const fn new() -> Self {
        Self {
            context: ContextV7::new(),
            last_ms: 0,
        }
    }

    fn next(&mut self, now: Timestamp) -> Uuid {
        if now.millis().saturating_add(STEP_MAX_MS) < self.last_ms {
            self.context = ContextV7::new();
        }
        self.last_ms = now.millis();
        let since_1970 = Duration::from_millis(u64::try_from(now.millis()).unwrap_or_default());
        let (seconds, nanos) = (since_1970.as_secs(), since_1970.subsec_nanos());
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.context, seconds, nanos))
    }
}

/// Identities that count up from a seed: the same seed gives the same run.
#[derive(Debug)]
pub struct CountingIds(Mutex<u128>);

impl CountingIds {
    /// Identities after `seed`.
    #[must_use]
    pub const fn new(seed: u128) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Ids for CountingIds {
    fn next(&self) -> Uuid {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        Uuid::from_u128(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn made_at(id: Uuid) -> Timestamp {
        RunId(id).made_at()
    }

    #[test]
    fn identities_rise_within_one_millisecond_and_over_small_steps_back() {
        let mut rising = Rising::new();
        let noon = Timestamp::from_millis(1_800_000_000_000);
        let times = [0, 0, 0, 1, -STEP_MAX_MS + 1, 2];
        let made = times.map(|apart_ms| rising.next(noon.plus_millis(apart_ms)));
        assert!(made.is_sorted(), "{made:?}");
    }

    #[test]
    fn identities_go_back_with_a_clock_that_is_put_right() {
        let mut rising = Rising::new();
        let noon = Timestamp::from_millis(1_800_000_000_000);
        let ahead = noon.plus_millis(365 * 24 * 60 * 60 * 1_000);
        assert_eq!(made_at(rising.next(ahead)), ahead);
        assert_eq!(made_at(rising.next(noon)), noon);
    }
}
