//! A clock that moves only when the test says so.
//!
//! Start at [`HandClock`]. Share one among hosts by `Arc`.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlsim::clock::Clock;
use tokio::sync::watch;

/// Time that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct HandClock {
    passed: watch::Sender<Duration>,
}

impl HandClock {
    /// A clock that begins on a day of 2026.
    pub(crate) fn new() -> Self {
        Self {
            passed: watch::Sender::new(Duration::ZERO),
        }
    }

    /// Lets time pass; whoever slept until then wakes up.
    pub(crate) fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        start + *self.passed.borrow()
    }

    fn monotonic(&self) -> Duration {
        *self.passed.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.monotonic() + duration;
        let mut passed = self.passed.subscribe();
        // The sender lives as long as the clock, which whoever sleeps holds.
        let _ = passed.wait_for(|passed| *passed >= until).await;
    }
}
