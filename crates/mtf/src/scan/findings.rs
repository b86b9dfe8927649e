//! A bounded list of findings: hostile media may give rise to millions.
//!
//! Start at [`Findings::add`]. Each level has room of its own, so that a flood of damaged pages
//! does not wash away what was said about structure and identity.
//!
//! This file never drops the gravest severity, nor the count.

use crate::{Finding, FindingKind, Level, Severity};

/// Findings kept per level.
pub(super) const KEPT_PER_LEVEL: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    per_level: [usize; 3],
    not_kept: u64,
    worst: Option<Severity>,
}

impl Findings {
    pub(super) fn add(&mut self, offset: u64, kind: FindingKind) {
        let finding = Finding::new(offset, kind);
        self.worst = self.worst.max(Some(finding.kind.severity()));
        let count = &mut self.per_level[match finding.level {
            Level::Structure => 0,
            Level::Identity => 1,
            Level::Content => 2,
        }];
        if *count < KEPT_PER_LEVEL {
            *count += 1;
            self.kept.push(finding);
        } else {
            self.not_kept += 1;
        }
    }

    /// What was kept in order of place, how many were not, and the gravest severity.
    pub(super) fn take(mut self) -> (Vec<Finding>, u64, Option<Severity>) {
        self.kept.sort_by_key(|finding| finding.offset);
        (self.kept, self.not_kept, self.worst)
    }
}
