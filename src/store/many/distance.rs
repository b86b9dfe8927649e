//! How far a further store is from answering, and how long nobody asks it then.
//!
//! Start at [`Distance::brief`]. The store that leads is never left alone for the others' sake: without it nothing is
//! published. A further one that fails is asked again later, and its copies are owed meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Code, Error, Result, Retry};
use crate::store::breaker::{Breaker, Gate, Patience};
use crate::world::Clock;

/// A piece was offered for minutes, so one failure is enough; and a copy that is owed is no worse off tomorrow.
const PATIENCE: Patience = Patience {
    given_up_max: 1,
    alone_for: Duration::from_secs(60),
    alone_for_max: Duration::from_secs(15 * 60),
    trial_for: Duration::from_secs(10 * 60),
};

/// How long small questions to a further store may take, since a run waits for the answer.
const BRIEF_MAX: Duration = Duration::from_secs(30);

/// How a further store did lately.
pub(super) struct Distance {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    /// The last failure.
    reason: String,
}

impl Distance {
    /// Of a store that has not failed.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                breaker: Breaker::new(PATIENCE),
                reason: String::new(),
            }),
        }
    }

    /// Refuses while the store is left alone. Whoever passes tells with [`Self::note`] what came of it.
    ///
    /// # Errors
    /// `SM0701` with the failure that it was left alone for.
    pub(super) fn pass(&self) -> Result<()> {
        let mut state = self.state();
        match state.breaker.ask(self.clock.monotonic()) {
            Gate::Open | Gate::Trial => Ok(()),
            Gate::Shut { .. } => Err(Error::new(
                Code::StoreUnreachable,
                "the store failed a moment ago and is left alone for a while",
            )
            .at("failure", &state.reason)
            .hint("look at the store and the way to it; copies that it lacks are made later")
            .retry(Retry::Safe)),
        }
    }

    /// Remembers how an exchange ended. Damage and refusals of single objects say nothing about the store.
    pub(super) fn note<T>(&self, result: &Result<T>) {
        let mut state = self.state();
        match result {
            Err(error) if is_about_the_store(error) => {
                state.breaker.given_up(self.clock.monotonic());
                state.reason = error.to_string();
            }
            Ok(_) | Err(_) => state.breaker.answered(),
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

    fn state(&self) -> MutexGuard<'_, State> {
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
    async fn a_store_that_fails_is_left_alone_until_it_answers() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let distance = Distance::new(clock.clone());
        distance.pass().expect("it is asked");
        distance.note::<()>(&Err(too_slow("no answer")));
        clock.advance(PATIENCE.alone_for - Duration::from_secs(1));
        let refused = distance.pass().expect_err("left alone");
        assert!(format!("{refused:?}").contains("no answer"), "{refused:?}");
        clock.advance(Duration::from_secs(1));
        distance.pass().expect("it is tried");
        distance.note(&Ok(()));
        distance.note::<()>(&Err(Error::new(Code::StoreMismatch, "one bad object")));
        distance.pass().expect("damage is no outage");
    }

    #[tokio::test]
    async fn nobody_waits_long_for_a_store_that_says_nothing() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let distance = Distance::new(clock.clone());
        let mut silent = std::pin::pin!(distance.brief(std::future::pending::<Result<()>>()));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        clock.advance(BRIEF_MAX);
        assert!(silent.await.is_err());
        assert!(distance.pass().is_err());
    }
}
