//! The bandwidth limit: how fast bytes may leave, by the hour of the day.
//!
//! Start at [`Throttle::pass`]. All uploads of a store share one throttle; each part waits its turn before it is
//! sent, so the limit holds over a few parts, not within one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::config::BandwidthWindow;
use crate::model::Timestamp;
use crate::world::Clock;

/// A limit that a store's uploads share.
pub(super) struct Throttle {
    windows: Vec<BandwidthWindow>,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    /// When the next part may be sent, on the monotonic clock.
    free_at: Mutex<Duration>,
}

impl Throttle {
    /// A limit by these windows of local time; no window, no limit.
    pub(super) fn new(windows: Vec<BandwidthWindow>, clock: Arc<dyn Clock>) -> Self {
        Self {
            windows,
            zone: TimeZone::system(),
            clock,
            free_at: Mutex::default(),
        }
    }

    /// Returns when these bytes may be sent.
    pub(super) async fn pass(&self, size_bytes: u64) {
        let Some(rate) = rate_at(&self.windows, local_time(self.clock.now(), &self.zone)) else {
            return;
        };
        let now = self.clock.monotonic();
        let turn = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = now.max(*free_at);
            *free_at = turn + time_for(size_bytes, rate);
            turn
        };
        if turn > now {
            self.clock.sleep_until(turn).await;
        }
    }
}

fn local_time(now: Timestamp, zone: &TimeZone) -> civil::Time {
    let now =
        jiff::Timestamp::from_millisecond(now.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(now).time()
}

/// The limit in bytes a second at this time of day: the first window that holds it.
fn rate_at(windows: &[BandwidthWindow], time: civil::Time) -> Option<u64> {
    let window = windows.iter().find(|window| {
        if window.from <= window.until {
            window.from <= time && time < window.until
        } else {
            window.from <= time || time < window.until
        }
    });
    window.map(|window| window.bytes_per_second.max(1))
}

fn time_for(size_bytes: u64, bytes_per_second: u64) -> Duration {
    let nanos = u128::from(size_bytes) * 1_000_000_000 / u128::from(bytes_per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn window(from: civil::Time, until: civil::Time, mib: u64) -> BandwidthWindow {
        BandwidthWindow {
            from,
            until,
            bytes_per_second: mib << 20,
        }
    }

    #[test]
    fn the_first_window_that_holds_the_time_counts_and_may_span_midnight() {
        let windows = [
            window(civil::time(22, 0, 0, 0), civil::time(6, 0, 0, 0), 100),
            window(civil::time(5, 0, 0, 0), civil::time(18, 0, 0, 0), 10),
        ];
        let at = |hour| rate_at(&windows, civil::time(hour, 0, 0, 0));
        assert_eq!(at(23), Some(100 << 20));
        assert_eq!(at(5), Some(100 << 20));
        assert_eq!(at(6), Some(10 << 20));
        assert_eq!(at(18), None);
    }

    #[tokio::test]
    async fn parts_wait_their_turn() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let all_day = window(civil::time(0, 0, 0, 0), civil::Time::MAX, 8);
        let throttle = Throttle::new(vec![all_day], clock.clone());
        let chunk = 8 << 20;
        throttle.pass(chunk).await;
        let mut second = std::pin::pin!(throttle.pass(chunk));
        assert!(futures::poll!(second.as_mut()).is_pending());
        clock.advance(Duration::from_millis(999));
        assert!(futures::poll!(second.as_mut()).is_pending());
        clock.advance(Duration::from_millis(1));
        assert!(futures::poll!(second.as_mut()).is_ready());
    }
}
