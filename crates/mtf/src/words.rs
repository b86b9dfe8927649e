//! Reports in honest words: what was looked at, what was proved, and what was not.
//!
//! Start at [`Report::in_words`]. Whoever shows a report uses these words, so that no two places
//! promise different things.
//!
//! This file never judges; it says what the report holds.

use std::fmt;

use crate::{Coverage, Level, LogCoverage, PageCoverage, RecordCoverage, Report, StreamCoverage};

impl Level {
    /// What a file that passed this level is, and what that does not mean.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Structure => {
                "the file is whole and its parts stand in order; this says nothing of its contents"
            }
            Self::Identity => {
                "the file is whole, and agrees with itself on what it is; this says nothing of \
                 its contents"
            }
            Self::Content => {
                "the bytes are what SQL Server wrote, as far as they have checksums; this is not \
                 a proof that they restore"
            }
        }
    }
}

impl fmt::Display for Level {
    /// `level 1` to `level 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.number())
    }
}

impl Report {
    /// The level reached and what that means, in a line; what stood in the way, if anything did.
    #[must_use]
    pub fn in_words(&self) -> String {
        let reached = self.level_reached().map_or_else(
            || "no level: nothing is proved".to_owned(),
            |level| format!("{level}: {}", level.meaning()),
        );
        match self.gravest() {
            Some(finding) => {
                format!("{reached}; byte {}: {}", finding.offset, finding.kind)
            }
            None => reached,
        }
    }
}

impl fmt::Display for Coverage {
    /// What was looked at of pages, log, streams and records; what was not there is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.pages.seen > 0 {
            parts.push(self.pages.to_string());
        }
        if self.log.blocks > 0 {
            parts.push(self.log.to_string());
        }
        if self.streams.seen > 0 {
            parts.push(self.streams.to_string());
        }
        if self.records.seen > 0 {
            parts.push(self.records.to_string());
        }
        if parts.is_empty() {
            parts.push("no contents were looked at".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

impl fmt::Display for PageCoverage {
    /// Seen, allocated, protected, verified and unprotected; then what is not so common.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pages seen, {} allocated, {} protected, {} verified, {} unprotected",
            self.seen,
            self.allocated(),
            self.protected(),
            self.verified,
            self.unprotected
        )?;
        also(f, self.not_torn, "verified by torn-page bits only")?;
        also(f, self.bad, "damaged")?;
        also(f, self.unplaced_sound, "verified but perhaps not in use")?;
        also(f, self.unplaced_suspect, "damaged but perhaps not in use")?;
        also(f, self.unplaced, "of unknown use and not verified")
    }
}

impl fmt::Display for LogCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} log blocks seen, {} verified, {} unprotected",
            self.blocks, self.verified, self.unprotected
        )?;
        also(f, self.bad, "damaged")
    }
}

impl fmt::Display for StreamCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counted(f, "stream", self.seen, self.verified, self.bad)
    }
}

impl fmt::Display for RecordCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counted(f, "record", self.seen, self.verified, self.bad)
    }
}

fn counted(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    seen: u64,
    verified: u64,
    bad: u64,
) -> fmt::Result {
    let plural = if seen == 1 { "" } else { "s" };
    write!(f, "{seen} {what}{plural} seen, {verified} verified")?;
    also(f, bad, "damaged")
}

fn also(f: &mut fmt::Formatter<'_>, count: u64, what: &str) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    write!(f, ", {count} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_names_what_was_seen_and_what_was_not_proved() {
        let pages = PageCoverage {
            seen: 30,
            verified: 20,
            unprotected: 3,
            bad: 1,
            free: 4,
            unplaced: 2,
            ..PageCoverage::default()
        };
        let mut coverage = Coverage {
            pages,
            ..Coverage::default()
        };
        coverage.streams.seen = 1;
        assert_eq!(
            coverage.to_string(),
            "30 pages seen, 24 allocated, 21 protected, 20 verified, 3 unprotected, 1 damaged, \
             2 of unknown use and not verified; 1 stream seen, 0 verified"
        );
        let nothing = Coverage::default().to_string();
        assert_eq!(nothing, "no contents were looked at");
    }

    #[test]
    fn no_level_promises_a_restore() {
        assert_eq!(Level::ALL.map(Level::number), [1, 2, 3]);
        let text = Level::Content.meaning();
        assert!(text.ends_with("not a proof that they restore"), "{text}");
        assert_eq!(Report::default().in_words(), "no level: nothing is proved");
    }
}
