//! What the clients of a story know: which transfers and marks were acknowledged, and which media
//! there are.
//!
//! Start at [`Books`]. What a client was not told it does not write down.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The notes of all clients.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<Pages>);

/// The notes themselves.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Numbers of acknowledged transfers, with the hosts that they moved money on.
    pub(crate) moved: Vec<(u64, Vec<usize>)>,
    /// Media of each host, whether their backup was acknowledged or not, in the order of their
    /// beginning.
    pub(crate) media: Vec<(usize, PathBuf)>,
    /// What happened.
    pub(crate) told: Told,
    numbers: u64,
}

/// How much happened in a story.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Transfers that were acknowledged.
    pub(crate) transfers: u64,
    /// Marks that every member has in its history.
    pub(crate) marks: u64,
    /// Backups that were acknowledged.
    pub(crate) backups: u64,
    /// Hosts that died.
    pub(crate) crashes: u64,
    /// Transactions that a host was in doubt about after a crash.
    pub(crate) in_doubt: u64,
    /// Databases that were restored to a mark.
    pub(crate) restores: u64,
}

impl Told {
    /// Adds what another story tells.
    pub(crate) const fn add(&mut self, other: &Self) {
        self.transfers += other.transfers;
        self.marks += other.marks;
        self.backups += other.backups;
        self.crashes += other.crashes;
        self.in_doubt += other.in_doubt;
        self.restores += other.restores;
    }
}

impl Books {
    /// To read or to write.
    pub(crate) fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a transfer, a mark or a medium, unlike all before.
    pub(crate) fn number(&self) -> u64 {
        let mut pages = self.open();
        pages.numbers += 1;
        pages.numbers
    }
}
