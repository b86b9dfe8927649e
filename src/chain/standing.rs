//! How a set stands: planned, running, complete, degraded or void. Start at [`SetState`].
//!
//! A published set is judged by its manifest and by whether the group can come back to its mark ([`published`]);
//! one that a run has yet to publish, by the run's record (`run::verdict`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Break, Judged};
use crate::model::{MemberName, Set};

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

/// How a published set stands. A set whose mark is a Point is complete although a log came late, in a set of its
/// own; one without a mark is complete when nobody is missing whose absence counts.
#[must_use]
pub fn published(set: &Set, judged: Option<&Judged>) -> SetState {
    match judged.map(|judged| &judged.verdict) {
        Some(Ok(_)) => SetState::Complete,
        Some(Err(breaks)) if is_waiting(breaks) => SetState::Degraded,
        Some(Err(_)) => SetState::Void,
        None => {
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

/// Whether the mark waits for log backups and for nothing else.
fn is_waiting(breaks: &[(MemberName, Break)]) -> bool {
    !breaks.is_empty() && breaks.iter().all(|(_, found)| *found == Break::NotYet)
}
