//! What lies between the agent and its world in a story: effects that fail, and the agent's death.
//!
//! Start at [`Weather`]. A dead agent does nothing more: its effects never return, its journal takes nothing. Nothing
//! here changes what an effect does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlsim::faults::Dice;
use stopmark::error::{Code, Error, Result};
use stopmark::run::Interrupt;
use stopmark::run::events::Event;
use stopmark::world::{Journal, World};
use tokio_util::sync::CancellationToken;

use super::books::Books;
use super::clock::Skewed;
use crate::fate::{Fate, Fates};
use crate::journals::Watched;
use crate::strike::Strike;

/// The verbs that hosts answer; their faults are the simulator's.
const OF_HOSTS: [&str; 28] = [
    "biztalk_facts",
    "write_backup_history",
    "old_backup_history",
    "trim_backup_history",
    "host_facts",
    "biztalk_members",
    "databases",
    "probe_share",
    "ensure_link",
    "remove_link",
    "test_link",
    "prepare_member",
    "remove_prepared",
    "trim_mark_log",
    "ensure_event_session",
    "remove_event_session",
    "place_mark",
    "mark_history",
    "back_up",
    "find_backup",
    "restore_database",
    "restore_log",
    "newest_mark",
    "bring",
    "list",
    "names",
    "alone",
    "let_go",
];

/// How the agent's life ends, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It lives.
    None,
    /// It dies at this effect or line of the journal, counted from 1.
    Killed(u64),
    /// It dies at this backup, counted from 1: what it took stands in no journal.
    KilledAtBackup(u64),
    /// A person asks it to stop there.
    Stopped(u64),
}

/// The weather of one run.
pub(crate) struct Weather {
    books: Arc<Books>,
    /// Effects in a thousand that fail.
    failing: u64,
    end: End,
    /// How early the clock on the agent's wall is.
    skew_ms: i64,
    /// Asked at [`End::Stopped`].
    pub(crate) interrupt: Interrupt,
    /// Fires when the agent dies.
    pub(crate) died: CancellationToken,
    now: Mutex<Now>,
}

struct Now {
    dice: Dice,
    moments: u64,
    backups: u64,
}

impl Weather {
    /// Weather in which so many effects in a thousand fail, and the clock on the agent's wall is so early, or late.
    pub(crate) fn new(
        books: &Arc<Books>,
        (failing, skew_ms): (u64, i64),
        end: End,
        dice: Dice,
    ) -> Arc<Self> {
        Arc::new(Self {
            books: Arc::clone(books),
            failing,
            end,
            skew_ms,
            interrupt: Interrupt::default(),
            died: CancellationToken::new(),
            now: Mutex::new(Now {
                dice,
                moments: 0,
                backups: 0,
            }),
        })
    }

    /// The world in this weather.
    pub(crate) fn world(self: &Arc<Self>, world: &World) -> World {
        let weather = Arc::clone(self);
        let journals = Watched::by(Arc::clone(&world.journals), move |_, inner| {
            let weather = Arc::clone(&weather);
            Box::new(OneJournal { inner, weather })
        });
        World {
            journals,
            clock: Arc::new(Skewed(Arc::clone(&world.clock), self.skew_ms)),
            ..Strike::by(Arc::clone(self) as _).world(world)
        }
    }

    /// Whether the agent dies of the next moment; counts it.
    fn is_last(&self, is_backup: bool) -> bool {
        let mut now = self.now();
        now.moments += 1;
        now.backups += u64::from(is_backup);
        match self.end {
            End::Stopped(moment) if moment == now.moments => {
                self.books.note("a person asks the agent to stop");
                self.interrupt.ask();
                false
            }
            End::Killed(moment) => moment == now.moments,
            End::KilledAtBackup(backup) => is_backup && backup == now.backups,
            End::Stopped(_) | End::None => false,
        }
    }

    fn die(&self, of: &str) {
        self.books.note(format!("the agent is killed at {of}"));
        self.died.cancel();
    }

    /// A fault in so many cases out of a thousand.
    fn strikes(&self, in_a_thousand: u64) -> bool {
        self.now().dice.below(1000) < in_a_thousand
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fates for Weather {
    fn of(&self, verb: &'static str, key: &str) -> Fate {
        if self.died.is_cancelled() {
            return Fate::NeverBegins;
        }
        if self.is_last(verb == "back_up") {
            self.die(verb);
            return if self.strikes(500) {
                Fate::NeverBegins
            } else {
                Fate::NeverReturns
            };
        }
        if OF_HOSTS.contains(&verb) || !self.strikes(self.failing) {
            return Fate::Passes;
        }
        self.books.count(|told| {
            told.struck += 1;
            told.left += u64::from(verb == "remove");
        });
        if verb == "sizes" {
            self.books.marks.look_has_failed();
        }
        self.books.note(format!("`{verb}` {key} fails"));
        if self.strikes(500) {
            Fate::FailsBefore
        } else {
            Fate::FailsAfter
        }
    }
}

struct OneJournal {
    inner: Box<dyn Journal>,
    weather: Arc<Weather>,
}

impl Journal for OneJournal {
    fn append(&mut self, event: &Event) -> Result<()> {
        let weather = &self.weather;
        if weather.died.is_cancelled() {
            return Err(Error::new(Code::StateUnwritable, "the agent is dead"));
        }
        if weather.strikes(weather.failing / 10) {
            weather.books.note("the journal's disk is full");
            return Err(Error::new(
                Code::DiskFull,
                "the journal cannot be written: struck by the test",
            ));
        }
        let is_last = weather.is_last(false);
        self.inner.append(event)?;
        if is_last {
            weather.die("a line of its journal");
        }
        Ok(())
    }
}
