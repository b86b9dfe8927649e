//! When a further store is left alone: data, and one clock.
//!
//! Start at [`Breaker::brief`]. The store that leads is never left alone for the others' sake: without it nothing is
//! published. A further one that fails is asked again later, and its copies are owed meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Code, Error, Result, Retry};
use crate::world::Clock;

/// How long a store is left alone after its first, second, ... failure in a row; after more, as after the last.
const LEFT_ALONE_FOR: &[Duration] = &[
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];

/// How long small questions to a further store may take, since a run waits for the answer.
const BRIEF_MAX: Duration = Duration::from_secs(30);

/// What is remembered of a store's failures.
pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: usize,
    /// Until when, on the monotonic clock, nobody asks, and why.
    until: Option<(Duration, String)>,
}

impl Breaker {
    /// Of a store that has not failed.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Refuses while the store is left alone.
    ///
    /// # Errors
    /// `SM0701` with the failure that it was left alone for.
    pub(super) fn pass(&self) -> Result<()> {
        let state = self.state();
        let Some((until, reason)) = &state.until else {
            return Ok(());
        };
        if self.clock.monotonic() >= *until {
            return Ok(());
        }
        Err(Error::new(
            Code::StoreUnreachable,
            "the store failed a moment ago and is left alone for a while",
        )
        .at("failure", reason)
        .hint("look at the store and the way to it; copies that it lacks are made later")
        .retry(Retry::Safe))
    }

    /// Remembers how an exchange ended. Damage and refusals of single objects say nothing about the store.
    pub(super) fn note<T>(&self, result: &Result<T>) {
        let mut state = self.state();
        match result {
            Ok(_) => *state = State::default(),
            Err(error) if is_about_the_store(error) => {
                let waits = LEFT_ALONE_FOR.get(state.failures);
                let wait = waits.or(LEFT_ALONE_FOR.last()).copied();
                let until = self.clock.monotonic() + wait.unwrap_or_default();
                state.failures += 1;
                state.until = Some((until, error.to_string()));
            }
            Err(_) => {}
        }
    }

    /// An exchange that must not take long: refused while the store is left alone, given up after a while.
    pub(super) async fn brief<T>(&self, exchange: impl Future<Output = Result<T>>) -> Result<T> {
        self.pass()?;
        let deadline = self.clock.monotonic() + BRIEF_MAX;
        let result = tokio::select! {
            result = exchange => result,
            () = self.clock.sleep_until(deadline) => Err(too_slow("the store does not answer in time")),
        };
        self.note(&result);
        result
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store that is left behind.
pub(super) fn too_slow(message: &str) -> Error {
    Error::new(Code::StoreUnreachable, message)
        .hint("look at the store and the way to it; copies that it lacks are made later")
        .retry(Retry::Safe)
}

fn is_about_the_store(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::StoreUnreachable | Code::StoreRefused | Code::DiskFull
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::Timestamp;

    #[tokio::test]
    async fn a_store_that_fails_is_left_alone_longer_each_time_until_it_answers() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let breaker = Breaker::new(clock.clone());
        for wait in LEFT_ALONE_FOR.iter().chain(LEFT_ALONE_FOR.last()) {
            breaker.pass().expect("it is asked");
            breaker.note::<()>(&Err(too_slow("no answer")));
            clock.advance(*wait - Duration::from_secs(1));
            let refused = breaker.pass().expect_err("left alone");
            assert!(format!("{refused:?}").contains("no answer"), "{refused:?}");
            clock.advance(Duration::from_secs(1));
        }
        breaker.note(&Ok(()));
        breaker.note::<()>(&Err(Error::new(Code::StoreMismatch, "one bad object")));
        breaker.pass().expect("damage is no outage");
    }

    #[tokio::test]
    async fn nobody_waits_long_for_a_store_that_says_nothing() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let breaker = Breaker::new(clock.clone());
        let mut silent = std::pin::pin!(breaker.brief(std::future::pending::<Result<()>>()));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        clock.advance(BRIEF_MAX);
        assert!(silent.await.is_err());
        assert!(breaker.pass().is_err());
    }
}
