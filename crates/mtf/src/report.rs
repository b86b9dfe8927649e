//! What a scan found out: the media, the backup sets, how much of them could be proved.
//!
//! Start at [`Report`]. Coverage is counted in the open: a backup of a database without page
//! checksums can be sound to the last bit and still have little that was verified.
//!
//! This file never judges; the scanner filled it in.

use serde::{Deserialize, Serialize};

use crate::scan::MARKS_MAX;
use crate::{BackupSet, Finding, Level, MediaFamily, Severity};

/// The outcome of a scan of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The media header, if there was a readable one.
    pub media: Option<MediaFamily>,
    /// The backup sets, in order. A set that never came to its identity is a finding only.
    pub sets: Vec<SetReport>,
    /// What was noticed, in order of place; of each level and severity the first 256 are kept.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound, counted but not kept.
    pub findings_not_kept: u64,
    /// Offsets of the filemarks in bytes, newest first, as far as a filemark can list them.
    pub filemarks: Vec<u64>,
    /// Bytes scanned.
    pub bytes: u64,
    /// How deep was looked; how deep the file passed says [`level_reached`](Self::level_reached).
    pub level: Level,
    /// The media stand in the container of compressed backups. All offsets are those in the file;
    /// of what is inside of a record, that of the record.
    #[serde(default)]
    pub is_compressed: bool,
}

impl Report {
    /// Whether the file is whole, understood, holds a backup set, and nothing spoke against it.
    ///
    /// Sound means "the bytes are what SQL Server wrote", not "this will restore". Notes do not
    /// speak against it; a mere suspicion does, so ask [`worst`](Self::worst) to tell them apart.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.sets.is_empty() && self.worst().is_none_or(|worst| worst == Severity::Note)
    }

    /// The deepest level that all of the file passed, `None` if not even the first.
    ///
    /// It is never deeper than was looked. Contents of which no checksum could be compared have not
    /// passed [`Level::Content`], though nothing speaks against them.
    #[must_use]
    pub fn level_reached(&self) -> Option<Level> {
        if self.sets.is_empty() {
            return None;
        }
        let is_passed = |level: &Level| {
            *level <= self.level
                && !self.speaks_against(*level)
                && (*level != Level::Content || self.sets.iter().all(|set| set.coverage.proves()))
        };
        Level::ALL.into_iter().take_while(is_passed).last()
    }

    fn speaks_against(&self, level: Level) -> bool {
        let speaks =
            |finding: &Finding| finding.level == level && finding.kind.severity() > Severity::Note;
        self.findings.iter().any(speaks)
    }

    /// The gravest severity of all findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings
            .iter()
            .map(|finding| finding.kind.severity())
            .max()
    }

    /// The first of the gravest findings, notes aside.
    #[must_use]
    pub fn gravest(&self) -> Option<&Finding> {
        let worst = self.worst().filter(|worst| *worst > Severity::Note)?;
        let is_worst = |finding: &&Finding| finding.kind.severity() == worst;
        self.findings.iter().find(is_worst)
    }
}

impl Report {
    /// The report as if this backup set, which counts from 0, were alone in its file.
    #[must_use]
    pub fn part(&self, set: usize) -> Self {
        Self {
            media: self.media.clone(),
            sets: self.sets.get(set).cloned().into_iter().collect(),
            findings: self.concerning(set).cloned().collect(),
            findings_not_kept: self.findings_not_kept,
            bytes: self.bytes,
            level: self.level,
            is_compressed: self.is_compressed,
            ..Self::default()
        }
    }

    /// The findings that concern this backup set, which counts from 0. What is said of the media header, before the
    /// first of them, concerns each, and so does a filemark those that it stands between.
    pub fn concerning(&self, set: usize) -> impl Iterator<Item = &Finding> {
        let bounds = self.bounds(set);
        let first = self.filemarks.last().copied().unwrap_or(0);
        self.findings.iter().filter(move |finding| {
            let at = finding.offset;
            bounds.is_none_or(|(from, to)| at < first || (from..=to).contains(&at))
        })
    }

    /// Where a backup set lies in its file, in bytes. None where nobody can tell: then every finding concerns every
    /// backup set. That is so where the filemarks do not say it, or the list of them was cut; and where findings were
    /// counted and not kept, for those may lie anywhere.
    fn bounds(&self, set: usize) -> Option<(u64, u64)> {
        let is_cut = self.filemarks.len() >= MARKS_MAX || self.findings_not_kept > 0;
        if self.sets.len() == 1 || is_cut {
            return None;
        }
        let position = usize::from(self.sets.get(set)?.identity.position);
        // Filemarks stand after the media header, and for each backup set after its contents and after its end.
        let mark = |number: usize| {
            let newest_first = self.filemarks.len().checked_sub(number + 1)?;
            self.filemarks.get(newest_first).copied()
        };
        let is_in_order = self
            .sets
            .iter()
            .zip(1_usize..)
            .all(|(set, number)| usize::from(set.identity.position) == number);
        let begin = mark(position.checked_sub(1)? * 2)?;
        let end = mark(position * 2)?;
        is_in_order.then_some((begin, end))
    }
}

/// One backup set and what was proved of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReport {
    /// The identity, from the authoritative copy behind the contents.
    pub identity: BackupSet,
    /// What was seen and verified.
    pub coverage: Coverage,
}

/// How much of a backup set was seen and verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Streams of `WITH CHECKSUM`.
    pub streams: StreamCoverage,
    /// Data pages.
    pub pages: PageCoverage,
    /// Log blocks.
    pub log: LogCoverage,
    /// Records of compressed media; none in plain ones.
    #[serde(default)]
    pub records: RecordCoverage,
}

/// Records of the container of compressed media. That which holds the media header belongs to no
/// backup set and is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCoverage {
    /// Records with contents of the backup set.
    pub seen: u64,
    /// Records that have their checksum and, as far as was looked, could be decoded.
    pub verified: u64,
    /// Records that do not or could not.
    pub bad: u64,
}

impl Coverage {
    /// Whether some checksum was compared, or there was nothing that could have one.
    fn proves(&self) -> bool {
        let compared = self.streams.verified + self.pages.compared() + self.log.verified;
        compared + self.records.verified > 0 || self.streams.seen == 0
    }
}

/// Data and log streams, and the checksums that follow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCoverage {
    /// Streams that held data or log.
    pub seen: u64,
    /// Bytes of data and log in them.
    pub bytes: u64,
    /// Streams followed by a checksum that agreed.
    pub verified: u64,
    /// Streams followed by a checksum that did not agree.
    pub bad: u64,
}

/// Data pages; every page seen is counted in exactly one of the fields below `seen`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCoverage {
    /// Pages in the data streams, fillers not counted.
    pub seen: u64,
    /// Known to be in use, checksum right.
    pub verified: u64,
    /// Known to be in use, torn-page bits agree.
    pub not_torn: u64,
    /// Known to be in use, no protection: nothing can be said.
    pub unprotected: u64,
    /// Known to be in use, damaged.
    pub bad: u64,
    /// Known to be free: not judged.
    pub free: u64,
    /// Use unknown (the page that says so is elsewhere), protection agrees.
    pub unplaced_sound: u64,
    /// Use unknown, protection disagrees: perhaps damaged, perhaps only stale.
    pub unplaced_suspect: u64,
    /// Use unknown, nothing to judge by.
    pub unplaced: u64,
    /// Filler pages of stripes and differentials, not counted in `seen`.
    pub fillers: u64,
}

impl PageCoverage {
    /// Pages known to be in use.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.protected() + self.unprotected
    }

    /// Pages known to be in use that have a checksum or torn-page bits, damaged ones included.
    #[must_use]
    pub fn protected(&self) -> u64 {
        self.verified + self.not_torn + self.bad
    }

    /// Pages of which nobody knows whether they are in use: what would say so is not in this file.
    #[must_use]
    pub fn use_unknown(&self) -> u64 {
        self.unplaced_sound + self.unplaced_suspect + self.unplaced
    }

    /// Pages whose protection agreed, in use or not known to be.
    fn compared(&self) -> u64 {
        self.verified + self.not_torn + self.unplaced_sound
    }
}

/// Log blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCoverage {
    /// Log extents that held bytes.
    pub extents: u64,
    /// Log blocks seen.
    pub blocks: u64,
    /// Blocks whose place and checksum are right.
    pub verified: u64,
    /// Blocks whose place is right and that have no checksum.
    pub unprotected: u64,
    /// Blocks that are damaged or not where they say.
    pub bad: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FindingKind;

    /// Two backups between the filemarks at 10, 20, 30, 40 and 50, and damage at these places.
    fn damaged_at(offsets: &[u64]) -> Report {
        let set = |position| SetReport {
            identity: BackupSet {
                position,
                ..BackupSet::default()
            },
            ..SetReport::default()
        };
        let finding = |at: &u64| Finding::new(*at, FindingKind::BadBlockHeader);
        Report {
            sets: vec![set(1), set(2)],
            filemarks: vec![50, 40, 30, 20, 10],
            findings: offsets.iter().map(finding).collect(),
            ..Report::default()
        }
    }

    fn damaged_sets(report: &Report) -> Vec<usize> {
        let is_damaged = |set: &usize| report.concerning(*set).next().is_some();
        (0..report.sets.len()).filter(is_damaged).collect()
    }

    #[test]
    fn damage_inside_one_backup_concerns_that_one() {
        assert_eq!(damaged_sets(&damaged_at(&[])), [0; 0]);
        assert_eq!(damaged_sets(&damaged_at(&[15])), [0]);
        assert_eq!(damaged_sets(&damaged_at(&[45])), [1]);
    }

    #[test]
    fn damage_of_the_media_header_or_of_a_mark_concerns_all_that_it_may() {
        assert_eq!(damaged_sets(&damaged_at(&[3])), [0, 1]);
        assert_eq!(damaged_sets(&damaged_at(&[30])), [0, 1]);
        assert_eq!(damaged_sets(&damaged_at(&[50])), [1]);
    }

    #[test]
    fn damage_that_was_counted_and_not_kept_may_lie_anywhere() {
        let report = Report {
            findings_not_kept: 1,
            ..damaged_at(&[15])
        };
        assert_eq!(damaged_sets(&report), [0, 1]);
        assert_eq!(report.part(1).findings_not_kept, 1);
    }

    #[test]
    fn where_the_list_of_filemarks_was_cut_nobody_can_tell() {
        let mut report = damaged_at(&[15]);
        report.filemarks = vec![0; MARKS_MAX];
        assert_eq!(damaged_sets(&report), [0, 1]);
    }

    #[test]
    fn whatever_is_said_of_a_file_with_one_backup_concerns_it() {
        let mut report = damaged_at(&[1, 99]);
        report.sets.truncate(1);
        assert_eq!(report.concerning(0).count(), 2);
    }
}
