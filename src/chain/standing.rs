//! How a set stands: planned, running, complete, degraded or void. Start at [`SetState`].
//!
//! A published set is judged by its manifest and by whether the group can come back to its mark ([`published`]);
//! one that a run has yet to publish, by the run's record (`run::verdict`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Break, Verdict};
use crate::model::{Lsn, Mark, MemberName, Piece, PieceKind, Set};

/// Where a set stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetState {
    /// Its run has a plan and did nothing of it yet.
    Planned,
    /// Its run is at work, or the next start goes on with it.
    Running,
    /// Everything that it should hold is there; the group can come back to its mark if it has one.
    Complete,
    /// Something is missing. A mark may still become a Point: the next log backups of the members that are
    /// waited for carry it.
    Degraded,
    /// Nobody can come back to its mark as a group, or its run ended without publishing it.
    Void,
}

impl SetState {
    /// The state in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Degraded => "degraded",
            Self::Void => "void",
        }
    }
}

impl fmt::Display for SetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where the newest log of each member ends: the next one holds what comes after.
pub type LogEnds = BTreeMap<MemberName, Lsn>;

/// The ends of the logs in these sets, the newest ones of a group; zero for members that have other pieces only. What was
/// found `damaged` in the store was taken all the same: no later log holds what it held.
#[must_use]
pub fn log_ends(sets: &[Set], damaged: &[Piece]) -> LogEnds {
    let mut ends = LogEnds::new();
    for piece in sets.iter().flat_map(|set| &set.pieces).chain(damaged) {
        let end = ends.entry(piece.member.clone()).or_insert(Lsn::ZERO);
        if piece.kind == PieceKind::Log {
            *end = piece.last_lsn.max(*end);
        }
    }
    ends
}

/// What stands in a mark's way, members apart whose next log backup will carry it.
#[must_use]
pub fn worded(
    mark: &Mark,
    breaks: &[(MemberName, Break)],
    ends: &LogEnds,
) -> Vec<(MemberName, Break)> {
    let is_to_come = |member: &MemberName| {
        let placed = mark.members.iter().find(|placed| placed.member == *member);
        let end = ends.get(member);
        placed
            .zip(end)
            .is_some_and(|(placed, end)| *end <= placed.lsn)
    };
    let word = |(member, found): &(MemberName, Break)| match found {
        Break::MarkMissing if is_to_come(member) => (member.clone(), Break::NotYet),
        other => (member.clone(), other.clone()),
    };
    breaks.iter().map(word).collect()
}

/// How a published set stands. A set whose mark is a Point is complete although a log came late, in a set of its
/// own; one without a mark is complete when nobody is missing whose absence counts.
#[must_use]
pub fn published(set: &Set, verdict: Option<&Verdict>, ends: &LogEnds) -> SetState {
    match (verdict, &set.mark) {
        (Some(Verdict::Point { .. }), _) => SetState::Complete,
        (Some(Verdict::NoPoint { breaks }), Some(mark)) => {
            let breaks = worded(mark, breaks, ends);
            let is_waiting = breaks.iter().all(|(_, found)| *found == Break::NotYet);
            if is_waiting && !breaks.is_empty() {
                SetState::Degraded
            } else {
                SetState::Void
            }
        }
        _ => {
            let counts = |member: &MemberName| !set.best_effort.contains(member);
            let is_whole = !set.missing.iter().any(|missing| counts(&missing.member));
            if is_whole {
                SetState::Complete
            } else {
                SetState::Degraded
            }
        }
    }
}
