//! When a store is asked again, and when it is left alone for a while: as data, in one place.
//!
//! Start at [`Calls::call`]. The client library repeats a request by itself for [`CLIENT_TRIES_FOR`]; what fails
//! even so is asked again after each of [`WAITS`]. A store that fails all of them is not asked by anybody for
//! [`LEFT_ALONE_FOR`]: pieces that wait for it stay on the share, and the next mark does not wait for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Code, Error, Result, Retry};
use crate::world::Clock;

/// How often the client library repeats one request.
pub(super) const CLIENT_TRIES_MAX: usize = 10;

/// How long the client library goes on repeating one request; its signature is not made anew meanwhile.
pub(super) const CLIENT_TRIES_FOR: Duration = Duration::from_secs(60);

/// The pauses before a call is made again.
const WAITS: &[Duration] = &[
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// How long a store that failed every try is left alone.
const LEFT_ALONE_FOR: Duration = Duration::from_secs(60);

/// Calls to one store, by all its uploads together.
pub(super) struct Calls {
    clock: Arc<dyn Clock>,
    waits: &'static [Duration],
    /// Until when, on the monotonic clock, nobody asks.
    left_alone_until: Mutex<Option<Duration>>,
}

impl Calls {
    /// With the pauses of this file.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            waits: WAITS,
            left_alone_until: Mutex::default(),
        }
    }

    /// Makes a call until it succeeds, fails for good, or has been tried often enough. `spread` differs between
    /// calls that fail together, so that they do not come back together.
    pub(super) async fn call<T, F>(&self, spread: usize, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.refuse_if_left_alone()?;
        for wait in self.waits {
            match call().await {
                Err(error) if error.retry_verdict() == Retry::Safe => {
                    tracing::warn!("a store is asked again in {wait:?}: {error}");
                    self.pause(*wait, spread).await;
                }
                settled => return settled,
            }
        }
        let last = call().await;
        if last
            .as_ref()
            .is_err_and(|error| error.retry_verdict() == Retry::Safe)
        {
            let until = self.clock.monotonic() + LEFT_ALONE_FOR;
            *self.until() = Some(until);
        }
        last
    }

    /// Up to half as long again, by eighths.
    async fn pause(&self, wait: Duration, spread: usize) {
        let eighths = u32::try_from(spread % 5).unwrap_or(0);
        let until = self.clock.monotonic() + wait + wait / 8 * eighths;
        self.clock.sleep_until(until).await;
    }

    fn refuse_if_left_alone(&self) -> Result<()> {
        let mut until = self.until();
        if until.is_some_and(|until| self.clock.monotonic() < until) {
            return Err(Error::new(
                Code::StoreUnreachable,
                "the store failed many times in a row and is left alone for a minute",
            )
            .hint("look at the store and the way to it; what waits for it stays on the share")
            .retry(Retry::Safe));
        }
        *until = None;
        Ok(())
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        self.left_alone_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::ManualClock;
    use crate::model::Timestamp;

    fn calls() -> (Arc<ManualClock>, Calls) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        (clock.clone(), Calls::new(clock))
    }

    fn failure(retry: Retry) -> Error {
        Error::new(Code::StoreUnreachable, "no answer").retry(retry)
    }

    /// Polls the call, moving the clock until it has settled.
    async fn settled<T>(clock: &ManualClock, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut call = std::pin::pin!(call);
        loop {
            if let std::task::Poll::Ready(settled) = futures::poll!(call.as_mut()) {
                return settled;
            }
            clock.advance(Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn what_may_help_is_tried_again_and_what_cannot_is_not() {
        let (clock, calls) = calls();
        let tries = Cell::new(0);
        let third = settled(
            &clock,
            calls.call(0, || {
                tries.set(tries.get() + 1);
                let result = if tries.get() < 3 {
                    Err(failure(Retry::Safe))
                } else {
                    Ok(tries.get())
                };
                async move { result }
            }),
        );
        assert_eq!(third.await.expect("the third"), 3);
        let never = calls.call(0, || {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(failure(Retry::Never)) }
        });
        assert!(settled(&clock, never).await.is_err());
        assert_eq!(tries.get(), 4, "once");
    }

    #[tokio::test]
    async fn a_store_that_fails_every_try_is_left_alone_for_a_while() {
        let (clock, calls) = calls();
        let tries = Cell::new(0);
        let failing = || {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(failure(Retry::Safe)) }
        };
        assert!(settled(&clock, calls.call(0, failing)).await.is_err());
        assert_eq!(tries.get(), WAITS.len() + 1);
        assert!(calls.call(0, failing).await.is_err());
        assert_eq!(tries.get(), WAITS.len() + 1, "nobody asked");
        clock.advance(LEFT_ALONE_FOR);
        let well = calls.call(0, || async { Ok(7) });
        assert_eq!(well.await.expect("asked again"), 7);
    }
}
