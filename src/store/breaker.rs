//! When a store is left alone: a circuit breaker as a pure state machine over the monotonic clock.
//!
//! Start at [`Breaker::ask`]. Calls that were given up, after all their repeats and one after the other without a
//! success between them, shut it: then nobody sends to the store for a while, and pieces stay on the share. After
//! that time one call alone tries whether the store is back, and each time that it is not, the pause doubles.
//!
//! It knows no store, no error and no clock: it is told what happened and when.

use std::time::Duration;

/// How patient a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// Calls in a row that were given up before the store is left alone.
    pub(super) given_up_max: u32,
    /// How long it is left alone at first.
    pub(super) alone_for: Duration,
    /// The longest that it is left alone.
    pub(super) alone_for_max: Duration,
    /// After how long without news of the call that tries, another may.
    pub(super) trial_for: Duration,
}

/// Whether a store may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// It may, by this call alone: it tries whether the store is back, and does so once.
    Trial,
    /// Not before that moment of the monotonic clock.
    Shut {
        /// When it may be asked again.
        until: Duration,
    },
}

/// One store's breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    patience: Patience,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody asks; so many calls in a row were given up.
    Well { given_up: u32 },
    /// Nobody asks until then; it was left alone so many times in a row.
    Alone { until: Duration, times: u32 },
    /// One call tries; it is not waited for beyond that moment.
    Tried { until: Duration, times: u32 },
}

impl Breaker {
    /// A breaker that lets everybody through.
    pub(super) const fn new(patience: Patience) -> Self {
        Self {
            patience,
            state: State::Well { given_up: 0 },
        }
    }

    /// Whether the store may be asked now. Who is told [`Gate::Trial`] must tell what came of it.
    pub(super) fn ask(&mut self, now: Duration) -> Gate {
        match self.state {
            State::Well { .. } => Gate::Open,
            State::Alone { until, .. } | State::Tried { until, .. } if now < until => {
                Gate::Shut { until }
            }
            State::Alone { times, .. } | State::Tried { times, .. } => {
                let until = now + self.patience.trial_for;
                self.state = State::Tried { until, times };
                Gate::Trial
            }
        }
    }

    /// The store answered, be it with a refusal.
    pub(super) const fn answered(&mut self) {
        self.state = State::Well { given_up: 0 };
    }

    /// A call was given up after all its repeats.
    pub(super) fn given_up(&mut self, now: Duration) {
        self.state = match self.state {
            State::Well { given_up } if given_up + 1 < self.patience.given_up_max => State::Well {
                given_up: given_up + 1,
            },
            State::Well { .. } => self.alone(now, 0),
            State::Tried { times, .. } => self.alone(now, times),
            // A call that began before the others were given up says nothing new.
            State::Alone { .. } => self.state,
        };
    }

    fn alone(&self, now: Duration, times: u32) -> State {
        let doubled = 2_u32.saturating_pow(times.min(16));
        let pause = self.patience.alone_for.saturating_mul(doubled);
        State::Alone {
            until: now + pause.min(self.patience.alone_for_max),
            times: times + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        given_up_max: 2,
        alone_for: at(60),
        alone_for_max: at(200),
        trial_for: at(30),
    };

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A breaker that was shut at second 0.
    fn shut() -> Breaker {
        let mut breaker = Breaker::new(PATIENCE);
        breaker.given_up(at(0));
        assert_eq!(breaker.ask(at(0)), Gate::Open, "once may be chance");
        breaker.given_up(at(0));
        breaker
    }

    #[test]
    fn a_store_is_left_alone_after_calls_in_a_row_and_not_before() {
        let mut breaker = Breaker::new(PATIENCE);
        for _ in 0..5 {
            breaker.given_up(at(0));
            breaker.answered();
        }
        assert_eq!(breaker.ask(at(0)), Gate::Open);
        assert_eq!(shut().ask(at(59)), Gate::Shut { until: at(60) });
    }

    #[test]
    fn one_call_alone_tries_whether_the_store_is_back() {
        let mut breaker = shut();
        assert_eq!(breaker.ask(at(60)), Gate::Trial);
        assert_eq!(breaker.ask(at(61)), Gate::Shut { until: at(90) });
        breaker.answered();
        assert_eq!(breaker.ask(at(61)), Gate::Open);
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit_while_the_store_stays_away() {
        let mut breaker = shut();
        let mut now = at(60);
        for pause in [120, 200, 200] {
            assert_eq!(breaker.ask(now), Gate::Trial);
            breaker.given_up(now);
            // News of a call that began long ago changes nothing.
            breaker.given_up(now + at(1));
            let until = now + at(pause);
            assert_eq!(breaker.ask(now), Gate::Shut { until });
            now = until;
        }
    }

    #[test]
    fn a_trial_that_is_never_heard_of_is_made_again() {
        let mut breaker = shut();
        assert_eq!(breaker.ask(at(60)), Gate::Trial);
        assert_eq!(breaker.ask(at(90)), Gate::Trial);
    }
}
