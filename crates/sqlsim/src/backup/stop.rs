//! Where rolling forward stops. Pure.
//!
//! Start at [`find`]. Every commit record is the last of its block, so a stop lies between blocks:
//! behind the block of the last commit that counts, or before the block of the first that does not.

use jiff::civil::DateTime;
use mtf::Lsn;

use crate::error::SqlResult;
use crate::messages;
use crate::storage::{Commit, Extent, commits, layout};

/// The `STOP..` clause of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// `STOPATMARK`: the marked transaction is the last to be restored.
    AtMark {
        /// The mark's name; case-sensitive.
        name: String,
        /// `AFTER`: the first mark of that name at or after this time.
        after: Option<DateTime>,
    },
    /// `STOPBEFOREMARK`: the marked transaction is the first that is not restored.
    BeforeMark {
        /// See `AtMark`.
        name: String,
        /// See `AtMark`.
        after: Option<DateTime>,
    },
    /// `STOPAT`: what committed up to this time, local to the host that made the log.
    AtTime(DateTime),
    /// `STOPATMARK = 'lsn:..'`.
    AtLsn(Lsn),
    /// `STOPBEFOREMARK = 'lsn:..'`.
    BeforeLsn(Lsn),
}

/// What a stretch of log has to do with a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Roll forward to this LSN, the end of a block, and no further.
    Here(Lsn),
    /// The stop lies in log that is applied already.
    Passed,
    /// The stop is not in this log.
    Later,
}

impl Stop {
    /// `STOPATMARK = 'name'`, or with an LSN in the name. Raises 4334 for what begins as an LSN and
    /// is none.
    pub fn at_mark(name: &str, after: Option<DateTime>) -> SqlResult<Self> {
        Ok(match lsn_in(name)? {
            Some(lsn) => Self::AtLsn(lsn),
            None => Self::AtMark {
                name: name.to_owned(),
                after,
            },
        })
    }

    /// `STOPBEFOREMARK = 'name'`; see `at_mark`.
    pub fn before_mark(name: &str, after: Option<DateTime>) -> SqlResult<Self> {
        Ok(match lsn_in(name)? {
            Some(lsn) => Self::BeforeLsn(lsn),
            None => Self::BeforeMark {
                name: name.to_owned(),
                after,
            },
        })
    }

    /// Whether a mark is looked for, rather than a time.
    #[must_use]
    pub fn is_mark(&self) -> bool {
        !matches!(self, Self::AtTime(_))
    }

    /// The place of the stop if this commit decides it.
    fn decided_by(&self, commit: &Commit) -> Option<Lsn> {
        let behind = layout::after(commit.block, commit.block_bytes);
        match self {
            Self::AtMark { name, after } if is_mark(commit, name, *after) => Some(behind),
            Self::BeforeMark { name, after } if is_mark(commit, name, *after) => Some(commit.block),
            Self::AtTime(time) if commit.at > *time => Some(commit.block),
            Self::AtLsn(lsn) if commit.lsn == *lsn => Some(behind),
            Self::AtLsn(lsn) | Self::BeforeLsn(lsn) if commit.lsn > *lsn => Some(commit.block),
            Self::BeforeLsn(lsn) if commit.lsn == *lsn => Some(commit.block),
            _ => None,
        }
    }
}

/// Looks for the stop in this log; what lies before `from` is applied already. A stop exactly at
/// `from` is found: so a restore that was killed before its recovery can be said again.
pub(super) fn find(stop: &Stop, log: &[Extent], from: Lsn) -> Found {
    for commit in commits(log) {
        match stop.decided_by(&commit) {
            Some(end) if end < from => return Found::Passed,
            Some(end) => return Found::Here(end),
            None => {}
        }
    }
    Found::Later
}

fn is_mark(commit: &Commit, name: &str, after: Option<DateTime>) -> bool {
    let Some(mark) = &commit.mark else {
        return false;
    };
    mark.name == name && after.is_none_or(|after| mark.time >= after)
}

fn lsn_in(name: &str) -> SqlResult<Option<Lsn>> {
    let Some(digits) = name.strip_prefix("lsn:") else {
        return Ok(None);
    };
    digits
        .parse()
        .map(Some)
        .map_err(|_| messages::mark_is_no_lsn())
}
