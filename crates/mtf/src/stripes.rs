//! Whether files are the stripes of one media set, all of them and each once.
//!
//! Start at [`check_stripes`]. A single file only knows which stripe it is; what is missing,
//! doubled or strange shows when the files lie side by side.
//!
//! This file never looks at bytes: it compares reports.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BackupKind, BackupSet, FileKind, Report};

/// What is wrong with a number of files as the stripes of one media set. `file` counts the files as
/// they were given, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StripeFault {
    /// The file has no readable media header.
    NotMedia {
        /// The file.
        file: usize,
    },
    /// The file is of another media set than the first one.
    OtherMediaSet {
        /// The file.
        file: usize,
    },
    /// The stripe was there already.
    GivenTwice {
        /// The file.
        file: usize,
        /// The stripe, from 1.
        number: u16,
    },
    /// No file is this stripe.
    Missing {
        /// The stripe, from 1.
        number: u16,
    },
    /// The file holds other backup sets than the first one, or says other things of them.
    OtherSets {
        /// The file.
        file: usize,
    },
    /// The stripes together do not hold as many pages as the backup set says.
    PagesDisagree {
        /// Number of the backup set on its media.
        position: u16,
        /// Pages by its identity.
        expected: u64,
        /// Pages found in all stripes.
        found: u64,
    },
}

/// Compares the reports of files that ought to be the stripes of one media set; nothing to say
/// means that they are, and none is missing. A single file that is no stripe passes.
#[must_use]
pub fn check_stripes(reports: &[Report]) -> Vec<StripeFault> {
    let Some(first) = reports.first() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut numbers = Vec::new();
    for (file, report) in reports.iter().enumerate() {
        faults.extend(check_file(file, report, first, &mut numbers));
    }
    let count = first.media.as_ref().map_or(0, |media| media.family_count);
    let is_missing = |number: &u16| !numbers.contains(number);
    faults.extend(
        (1..=count)
            .filter(is_missing)
            .map(|number| StripeFault::Missing { number }),
    );
    if faults.is_empty() {
        faults.extend((0..first.sets.len()).filter_map(|index| check_pages(reports, index)));
    }
    faults
}

fn check_file(
    file: usize,
    report: &Report,
    first: &Report,
    numbers: &mut Vec<u16>,
) -> Option<StripeFault> {
    let (Some(media), Some(model)) = (&report.media, &first.media) else {
        return Some(StripeFault::NotMedia { file });
    };
    let media_set = (media.media_set_id, media.family_count);
    if media_set != (model.media_set_id, model.family_count) {
        return Some(StripeFault::OtherMediaSet { file });
    }
    let number = media.family_number;
    if numbers.contains(&number) {
        return Some(StripeFault::GivenTwice { file, number });
    }
    numbers.push(number);
    let sets = |report: &Report| -> Vec<_> {
        report
            .sets
            .iter()
            .map(|set| what_stripes_share(&set.identity))
            .collect()
    };
    (sets(report) != sets(first)).then_some(StripeFault::OtherSets { file })
}

/// What a backup set says alike in all its stripes.
fn what_stripes_share(set: &BackupSet) -> BackupSet {
    // When a stripe was finished, and how large it grew, are its own business.
    BackupSet {
        finished: None,
        backup_size_bytes: 0,
        compressed_size_bytes: 0,
        ..set.clone()
    }
}

/// Where one file list speaks for all stripes: before 2019, and databases of rows alone.
fn check_pages(reports: &[Report], index: usize) -> Option<StripeFault> {
    let sets: Option<Vec<_>> = reports
        .iter()
        .map(|report| report.sets.get(index))
        .collect();
    let sets = sets?;
    let identity = &sets.first()?.identity;
    let has_others = identity
        .files
        .iter()
        .any(|file| matches!(file.kind, FileKind::Other(_)));
    let is_late = identity.server_version.major >= crate::SERVER_2019;
    let found = sets.iter().map(|set| set.coverage.pages.seen).sum();
    let data_files = identity
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Data);
    let expected = data_files.map(|file| u64::from(file.pages_in_backup)).sum();
    // Reports of headers alone have seen no page, which says nothing.
    let is_told = identity.kind != BackupKind::Log && !has_others && !is_late && found > 0;
    let position = identity.position;
    (is_told && found != expected).then_some(StripeFault::PagesDisagree {
        position,
        expected,
        found,
    })
}

impl fmt::Display for StripeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMedia { .. } => f.write_str("the file has no readable media header"),
            Self::OtherMediaSet { .. } => f.write_str("the file is of another media set"),
            Self::GivenTwice { number, .. } => write!(f, "stripe {number} was given twice"),
            Self::Missing { number } => write!(f, "stripe {number} is missing"),
            Self::OtherSets { .. } => f.write_str("the file holds other backup sets"),
            Self::PagesDisagree {
                position,
                expected,
                found,
            } => {
                write!(
                    f,
                    "the stripes hold {found} pages of backup set {position}, not {expected}"
                )
            }
        }
    }
}
