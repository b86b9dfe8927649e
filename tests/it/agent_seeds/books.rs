//! What a story was, line by line, and how much happened in it.
//!
//! Start at [`Books`]. They outlive a story that panics: they are what a person reads then.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::StoryClock;
use super::marks::Marks;

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Transfers that were acknowledged.
    pub(crate) transfers: u64,
    /// Runs of the agent that came to their own end.
    pub(crate) runs: u64,
    /// Runs that ended with an error, degraded or failed.
    pub(crate) unwell: u64,
    /// Times that the agent was killed.
    pub(crate) kills: u64,
    /// Hosts that died.
    pub(crate) crashes: u64,
    /// Availability groups that failed over.
    pub(crate) failovers: u64,
    /// Joins of an availability group that were refused with 1475.
    pub(crate) refused: u64,
    /// Purges of the history of backups after an agent's death.
    pub(crate) purges: u64,
    /// Faults of hosts that were armed.
    pub(crate) faults: u64,
    /// Effects that failed between the agent and its world.
    pub(crate) struck: u64,
    /// Removals of files on shares that failed: a prune sweeps them.
    pub(crate) left: u64,
    /// Points that were offered at the end.
    pub(crate) points: u64,
    /// Points that were brought back.
    pub(crate) restores: u64,
    /// Points whose media carry no checksums and were damaged where nobody can see it.
    pub(crate) unprovable: u64,
    /// Marks that were owed, and offered, after the faults had ended.
    pub(crate) owed: u64,
    /// Marks that a misfortune excused then.
    pub(crate) excused: u64,
}

/// The notes of a story.
#[derive(Debug)]
pub(crate) struct Books {
    clock: Arc<StoryClock>,
    /// What should be a Point.
    pub(crate) marks: Arc<Marks>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    lines: Vec<String>,
    told: Told,
}

impl Told {
    /// Adds what another story tells.
    pub(crate) const fn add(&mut self, other: &Self) {
        self.transfers += other.transfers;
        self.runs += other.runs;
        self.unwell += other.unwell;
        self.kills += other.kills;
        self.crashes += other.crashes;
        self.failovers += other.failovers;
        self.refused += other.refused;
        self.purges += other.purges;
        self.faults += other.faults;
        self.struck += other.struck;
        self.left += other.left;
        self.points += other.points;
        self.restores += other.restores;
        self.owed += other.owed;
        self.unprovable += other.unprovable;
        self.excused += other.excused;
    }
}

impl Books {
    /// Empty books that are dated by this clock.
    pub(crate) fn by(clock: &Arc<StoryClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            marks: Arc::default(),
            pages: Mutex::default(),
        })
    }

    /// Writes down what happened.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let at = self.clock.passed().as_millis();
        let text = text.as_ref().trim_end().replace('\n', "\n              ");
        self.pages().lines.push(format!("{at:>10} ms {text}"));
    }

    /// Counts what happened.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Told)) {
        count(&mut self.pages().told);
    }

    /// How much happened so far.
    pub(crate) fn told(&self) -> Told {
        self.pages().told
    }

    /// The story.
    pub(crate) fn text(&self) -> String {
        let pages = self.pages();
        let lines = pages.lines.iter();
        lines.fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("a string");
            text
        })
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
