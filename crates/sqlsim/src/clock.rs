//! The seam through which the simulator sees time, and waits.
//!
//! Start at [`Clock`]. Everything that needs a date, a duration or a time-out takes it from here,
//! so that a test can hold time still and move it on by hand.
//!
//! No other room reads the system clock or sleeps.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::DateTime;

/// What a host knows about time.
#[async_trait]
pub trait Clock: Send + Sync + Debug {
    /// The wall clock, in UTC.
    fn now(&self) -> Timestamp;
    /// Time passed since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Returns once `duration` has passed.
    async fn sleep(&self, duration: Duration);
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
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
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock together with the zone of the host that looks at it.
#[derive(Clone, Debug)]
pub struct HostClock {
    clock: Arc<dyn Clock>,
    offset_minutes: i16,
    /// Milliseconds that the host's clock is wrong by; its copies share it.
    skew_ms: Arc<AtomicI64>,
}

impl HostClock {
    /// A host in the zone `offset_minutes` east of UTC.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, offset_minutes: i16) -> Self {
        Self {
            clock,
            offset_minutes,
            skew_ms: Arc::default(),
        }
    }

    /// Sets the host's clock forward, or back, by so much. Waiting is not concerned.
    pub fn skew(&self, by: jiff::SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or_default();
        self.skew_ms.fetch_add(by, Ordering::Relaxed);
    }

    /// Minutes that local time is ahead of UTC.
    #[must_use]
    pub fn offset_minutes(&self) -> i16 {
        self.offset_minutes
    }

    /// The moment, in UTC, as the host sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let skew = jiff::SignedDuration::from_millis(self.skew_ms.load(Ordering::Relaxed));
        let now = self.clock.now();
        now.checked_add(skew).unwrap_or(now)
    }

    /// `SYSUTCDATETIME()`.
    #[must_use]
    pub fn utc(&self) -> DateTime {
        self.now().to_zoned(jiff::tz::TimeZone::UTC).datetime()
    }

    /// `SYSDATETIME()`: what the wall clock of the host shows.
    #[must_use]
    pub fn local(&self) -> DateTime {
        let offset = jiff::SignedDuration::from_mins(i64::from(self.offset_minutes));
        self.utc().saturating_add(offset)
    }

    /// Time passed since some fixed moment.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The clock behind the host, for rooms that know no zone.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Returns once `duration` has passed.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// The outcome of `work`, or nothing when it took longer than `limit` (no limit: waits for
    /// ever).
    pub async fn within<T>(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        let Some(limit) = limit else {
            return Some(work.await);
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(limit) => None,
        }
    }
}
