//! What `follow` answers with: lineages, and in them spans, gaps and contests. Values only.

use uuid::Uuid;

use super::Backup;
use crate::chain::Break;
use crate::model::Lsn;

/// The backups of one database over all its forks, and what can be restored from them. Numbers in it are
/// places in `backups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// What stays the same over restores; nil where media do not say.
    pub family_guid: Uuid,
    /// The names that the database had, the newest first.
    pub databases: Vec<String>,
    /// The servers that it was backed up on, the newest first.
    pub servers: Vec<String>,
    /// Every backup, in the order of restoring.
    pub backups: Vec<Backup>,
    /// What can be restored, oldest first; empty when nothing can.
    pub spans: Vec<Span>,
    /// Where a chain stops, in the order of the log.
    pub gaps: Vec<Gap>,
    /// Backups of which at most one can be right.
    pub contests: Vec<Contest>,
}

/// A stretch of moments to which the database can be restored: the end of the base, and with logs any moment
/// from there to the end of the last one. A log with minimally logged changes can be passed, not stopped in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The full or differential that it begins with.
    pub base: usize,
    /// The logs that follow it, each on the one before.
    pub logs: Vec<usize>,
    /// The fewest backups that reach its end, in the order of restoring.
    pub way: Vec<usize>,
    /// Where the log stands at its beginning.
    pub from: Lsn,
    /// Where the log stands at its end.
    pub to: Lsn,
}

/// Where a chain stops: backups that nothing held leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: Break,
    /// What cannot be reached, in the order of restoring.
    pub unreached: Vec<usize>,
    /// Backups that would have led on if they were whole.
    pub spoiled: Vec<usize>,
}

/// Backups that claim the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// What they claim.
    pub kind: ContestKind,
    /// Who claims it; the first one was used.
    pub backups: Vec<usize>,
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContestKind {
    /// One backup set GUID, but other facts: one of them was altered.
    Identity,
    /// The same stretch of log on the same fork.
    Place,
}

impl Lineage {
    /// Whether anything can be restored.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        !self.spans.is_empty()
    }

    /// Whether everything here serves: no gap, no contest, nothing damaged or incomplete.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_calm = self.gaps.is_empty() && self.contests.is_empty();
        self.is_restorable() && is_calm && self.backups.iter().all(Backup::is_whole)
    }
}
