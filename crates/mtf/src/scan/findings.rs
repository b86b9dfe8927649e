//! A bounded list of findings: hostile media may give rise to millions.
//!
//! Start at [`Findings::add`]. Each level and severity has room of its own, so that a flood of
//! damaged pages does not wash away what was said about structure, nor notes what was damage.
//!
//! This file never loses count.

use super::places::Places;
use crate::{Finding, FindingKind};

/// Findings kept of one level and severity.
const KEPT_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    counts: [[usize; 4]; 3],
    not_kept: u64,
    pub(super) places: Places,
}

impl Findings {
    /// Notes what was noticed at this offset of the media.
    pub(super) fn add(&mut self, offset: u64, kind: FindingKind) {
        self.add_in_file(self.places.file_offset(offset), kind);
    }

    /// Notes what was noticed at this offset of the file.
    pub(super) fn add_in_file(&mut self, offset: u64, kind: FindingKind) {
        let finding = Finding::new(offset, kind);
        let count = &mut self.counts[finding.level as usize][finding.kind.severity() as usize];
        if *count < KEPT_MAX {
            *count += 1;
            self.kept.push(finding);
        } else {
            self.not_kept += 1;
        }
    }

    /// What was kept, in order of place, and how many were not.
    pub(super) fn take(mut self) -> (Vec<Finding>, u64) {
        self.kept.sort_by_key(|finding| finding.offset);
        (self.kept, self.not_kept)
    }
}
