//! When a store is asked again, for how long, and when it is left alone: as data, in one place.
//!
//! Start at [`Calls::call`], which is for bytes, and [`Calls::once`], which is for small things that somebody waits
//! for. The client library repeats a request by itself for [`CLIENT_TRIES_FOR`]; what fails even so is asked again
//! as [`Limits`] say. Whether asking again may help is the error's own verdict. The `breaker` leaves a store alone
//! that fails all the same: pieces that wait for it stay on the share, and the next mark does not wait for them.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker::{Breaker, Gate, Patience};
use crate::error::{Code, Error, Result, Retry};
use crate::world::Clock;

/// How often the client library repeats one request.
pub(super) const CLIENT_TRIES_MAX: usize = 10;

/// How long the client library goes on repeating one request; its signature is not made anew meanwhile.
pub(super) const CLIENT_TRIES_FOR: Duration = Duration::from_secs(60);

/// How long a call that carries bytes goes on.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The pauses before it is made again; each is lengthened by up to a half, differently for each call, so that
    /// calls that failed together do not come back together.
    waits: &'static [Duration],
    /// When it is given up, repeats and pauses included, even in the middle of an answer.
    deadline: Duration,
}

/// Parts and pieces, either way: 8 MiB in that time is 14 KiB a second.
const BYTES: Limits = Limits {
    waits: &[
        Duration::from_secs(2),
        Duration::from_secs(15),
        Duration::from_secs(60),
    ],
    deadline: Duration::from_secs(10 * 60),
};

/// Leases, log entries, manifests, lists: somebody waits, and the client library has repeated them already.
const SMALL_DEADLINE: Duration = Duration::from_secs(2 * 60);

/// A call of [`BYTES`] was tried for minutes, so one is enough.
const PATIENCE: Patience = Patience {
    given_up_max: 1,
    alone_for: Duration::from_secs(60),
    alone_for_max: Duration::from_secs(15 * 60),
    trial_for: BYTES.deadline,
};

/// Calls to one store, by all its uploads together.
pub(super) struct Calls {
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    chance: RandomState,
    pauses: AtomicUsize,
}

impl Calls {
    /// With the limits of this file.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            breaker: Mutex::new(Breaker::new(PATIENCE)),
            chance: RandomState::new(),
            pauses: AtomicUsize::new(0),
        }
    }

    /// Makes a call that carries bytes until it succeeds, fails for good, or has been tried often or long enough.
    pub(super) async fn call<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let is_trial = self.pass()?;
        let deadline = self.clock.monotonic() + BYTES.deadline;
        let mut waits = BYTES.waits.iter().filter(|_| !is_trial);
        loop {
            let error = match self.within(deadline, BYTES.deadline, call()).await {
                Err(error) if error.retry_verdict() == Retry::Safe => error,
                settled => {
                    self.breaker().answered();
                    return settled;
                }
            };
            let wait = waits.next().map(|wait| self.lengthened(*wait));
            let wait = wait.filter(|wait| self.clock.monotonic() + *wait < deadline);
            let Some(wait) = wait else {
                self.breaker().given_up(self.clock.monotonic());
                return Err(error);
            };
            tracing::warn!("a store is asked again in {wait:?}: {error}");
            let until = self.clock.monotonic() + wait;
            self.clock.sleep_until(until).await;
            // Others may have given it up meanwhile; what this call met says more than that.
            if self.pass().is_err() {
                return Err(error);
            }
        }
    }

    /// Makes a small call, with the client library's own repeats. It is made even while no bytes are sent: a mark
    /// needs the lease and the group's log, and a store may well answer small things when large ones fail.
    pub(super) async fn once<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let deadline = self.clock.monotonic() + SMALL_DEADLINE;
        self.within(deadline, SMALL_DEADLINE, call()).await
    }

    async fn within<T>(
        &self,
        deadline: Duration,
        patience: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            settled = call => settled,
            () = self.clock.sleep_until(deadline) => Err(too_late(patience)),
        }
    }

    /// Up to half as long again.
    fn lengthened(&self, wait: Duration) -> Duration {
        let pause = self.pauses.fetch_add(1, Ordering::Relaxed);
        let chance = u32::try_from(self.chance.hash_one(pause) % 512).unwrap_or(0);
        wait + wait / 1024 * chance
    }

    /// Whether the call that may be made now is the one that tries; an error where none may.
    fn pass(&self) -> Result<bool> {
        match self.breaker().ask(self.clock.monotonic()) {
            Gate::Open => Ok(false),
            Gate::Trial => Ok(true),
            Gate::Shut { until } => Err(left_alone(until.saturating_sub(self.clock.monotonic()))),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn left_alone(for_more: Duration) -> Error {
    Error::new(
        Code::StoreUnreachable,
        "the store failed many times in a row and is left alone for a while",
    )
    .at("seconds", for_more.as_secs())
    .hint("look at the store and the way to it; what waits for it stays on the share")
    .retry(Retry::Safe)
}

fn too_late(deadline: Duration) -> Error {
    Error::new(Code::StoreUnreachable, "the store did not answer in time")
        .at("seconds", deadline.as_secs())
        .hint("look at the store and the way to it; nothing counts as stored")
        .retry(Retry::Safe)
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
            calls.call(|| {
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
        let never = calls.call(|| {
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
        assert!(settled(&clock, calls.call(failing)).await.is_err());
        let all = BYTES.waits.len() + 1;
        assert_eq!(tries.get(), all);
        assert!(calls.call(failing).await.is_err());
        assert_eq!(tries.get(), all, "nobody asked");
        let lease = calls.once(|| async { Ok(()) });
        assert!(lease.await.is_ok(), "what a mark needs is asked for");
        clock.advance(PATIENCE.alone_for);
        assert!(calls.call(failing).await.is_err());
        assert_eq!(tries.get(), all + 1, "one try tells that it is not back");
        clock.advance(PATIENCE.alone_for * 2);
        let well = calls.call(|| async { Ok(7) });
        assert_eq!(well.await.expect("asked again"), 7);
        assert!(settled(&clock, calls.call(failing)).await.is_err());
        assert_eq!(tries.get(), 2 * all + 1, "as patient as ever");
    }

    #[tokio::test]
    async fn a_store_that_never_answers_is_given_up_at_the_deadline() {
        let (clock, calls) = calls();
        let began = clock.monotonic();
        let silent = || std::future::pending::<Result<()>>();
        let small = settled(&clock, calls.once(silent)).await;
        assert_eq!(clock.monotonic() - began, SMALL_DEADLINE);
        assert!(small.is_err_and(|error| error.retry_verdict() == Retry::Safe));
        assert!(calls.call(|| async { Ok(()) }).await.is_ok());
        let began = clock.monotonic();
        assert!(settled(&clock, calls.call(silent)).await.is_err());
        assert_eq!(clock.monotonic() - began, BYTES.deadline);
        assert!(calls.call(|| async { Ok(()) }).await.is_err(), "left alone");
    }

    #[tokio::test]
    async fn a_call_that_waits_while_others_give_the_store_up_ends_with_what_it_met() {
        let (clock, calls) = calls();
        let tries = Cell::new(0);
        let mut late = std::pin::pin!(calls.call(|| {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(failure(Retry::Safe)) }
        }));
        assert!(futures::poll!(late.as_mut()).is_pending());
        calls.breaker().given_up(clock.monotonic());
        let late = settled(&clock, late).await;
        assert!(late.is_err_and(|error| error.message() == "no answer"));
        assert_eq!(tries.get(), 1);
    }

    #[test]
    fn pauses_differ_and_are_at_most_half_as_long_again() {
        let (_, calls) = calls();
        let wait = Duration::from_secs(60);
        let pauses: Vec<Duration> = (0..32).map(|_| calls.lengthened(wait)).collect();
        assert!(pauses.iter().all(|it| (wait..wait * 3 / 2).contains(it)));
        assert!(pauses.iter().any(|it| *it != pauses[0]), "{pauses:?}");
    }
}
