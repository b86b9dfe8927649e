//! Files side by side: the stripes of one media set become one backup, copies of it are counted once.
//!
//! Start at [`join`]. What decides is the media set, the stripe's number and the backup set GUID, never a
//! name. Of several copies the soundest and most complete one counts.
//!
//! This file never asks what follows what.

use std::collections::BTreeMap;

use mtf::{BackupSet, Report, Severity, StripeFault, check_stripes};
use uuid::Uuid;

use super::Examined;

/// One backup, as it lies in one file or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What it is, from the first of its stripes.
    pub identity: BackupSet,
    /// Its stripes that were found, by number.
    pub stripes: Vec<Stripe>,
    /// How many stripes it has.
    pub stripe_count: u16,
    /// The gravest that was found in its bytes.
    pub worst: Option<Severity>,
    /// What is wrong with the stripes side by side, a missing one excepted.
    pub disagreements: Vec<String>,
    /// Further files that hold the same backup.
    pub copies: Vec<usize>,
}

/// Where a stripe of a backup lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stripe {
    /// Its number, from 1.
    pub number: u16,
    /// The file, as it was given, from 0.
    pub file: usize,
    /// The backup set in that file's report, from 0.
    pub set: usize,
}

impl Backup {
    /// The numbers of the stripes that were not found.
    pub fn missing(&self) -> impl Iterator<Item = u16> + '_ {
        let is_there = |number: u16| self.stripes.iter().any(|stripe| stripe.number == number);
        (1..=self.stripe_count).filter(move |number| !is_there(*number))
    }

    /// Whether every stripe is there and nothing says that its bytes are damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing().next().is_none() && !self.is_damaged()
    }

    /// Whether its bytes are not what SQL Server wrote.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.worst == Some(Severity::Damage) || !self.disagreements.is_empty()
    }

    /// The files that it lies in, copies left out.
    pub fn files(&self) -> impl Iterator<Item = usize> + '_ {
        self.stripes.iter().map(|stripe| stripe.file)
    }

    /// How little it is worth beside a copy of itself: the least counts.
    fn faults(&self) -> (usize, Option<Severity>, Option<usize>) {
        let missing = self.missing().count();
        let worst = self.worst.filter(|worst| *worst > Severity::Note);
        (missing, worst, self.files().next())
    }
}

/// The backups in these files, by their first file and place in it. Those that say the same of themselves
/// under one backup set GUID are one; those that differ stay apart, for `follow` to tell.
#[must_use]
pub fn join(examined: &[Examined]) -> Vec<Backup> {
    let mut media: BTreeMap<(Uuid, u16), Vec<usize>> = BTreeMap::new();
    let mut found = Vec::new();
    for (file, it) in examined.iter().enumerate() {
        match &it.report.media {
            Some(family) if family.family_count > 1 => {
                let key = (family.media_set_id, family.family_count);
                media.entry(key).or_default().push(file);
            }
            _ => found.extend(alone(examined, file)),
        }
    }
    for ((_, count), files) in media {
        found.extend(striped(examined, &files, count));
    }
    merge_copies(found)
}

/// The gravest finding that concerns this backup set of the report, which counts from 0.
fn worst_of(report: &Report, set: usize) -> Option<Severity> {
    let severities = report
        .concerning(set)
        .map(|finding| finding.kind.severity());
    severities.max()
}

/// The backups of a file that is no stripe.
fn alone(examined: &[Examined], file: usize) -> impl Iterator<Item = Backup> + '_ {
    let report = &examined[file].report;
    let backup = move |(set, found): (usize, &mtf::SetReport)| Backup {
        identity: found.identity.clone(),
        stripes: vec![Stripe {
            number: 1,
            file,
            set,
        }],
        stripe_count: 1,
        worst: worst_of(report, set),
        disagreements: Vec::new(),
        copies: Vec::new(),
    };
    report.sets.iter().enumerate().map(backup)
}

/// The backups of the files of one striped media set.
fn striped(examined: &[Examined], files: &[usize], count: u16) -> Vec<Backup> {
    let (chosen, spare) = choose(examined, files);
    let faults = side_by_side(examined, &chosen);
    let mut backups: BTreeMap<(Uuid, u16), Backup> = BTreeMap::new();
    for &file in &chosen {
        let report = &examined[file].report;
        let number = number_of(report);
        for (set, found) in report.sets.iter().enumerate() {
            let identity = &found.identity;
            let key = (identity.set_guid, identity.position);
            let backup = backups.entry(key).or_insert_with(|| Backup {
                identity: identity.clone(),
                stripes: Vec::new(),
                stripe_count: count,
                worst: None,
                disagreements: disagreements(&faults, identity.position),
                copies: copies_of(examined, &spare, identity.set_guid),
            });
            backup.stripes.push(Stripe { number, file, set });
            backup.worst = backup.worst.max(worst_of(report, set));
            backup.identity.finished = backup.identity.finished.max(identity.finished);
        }
    }
    backups.into_values().collect()
}

/// Of each stripe the soundest file, by number; and the files that are left over.
fn choose(examined: &[Examined], files: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut ranked = files.to_vec();
    ranked.sort_by_key(|&file| {
        let report = &examined[file].report;
        (number_of(report), report.worst(), file)
    });
    let mut chosen: Vec<usize> = Vec::new();
    let mut spare = Vec::new();
    for file in ranked {
        let number = number_of(&examined[file].report);
        let last = chosen.last().map(|&file| number_of(&examined[file].report));
        if last == Some(number) {
            spare.push(file);
        } else {
            chosen.push(file);
        }
    }
    (chosen, spare)
}

fn number_of(report: &Report) -> u16 {
    report.media.as_ref().map_or(0, |media| media.family_number)
}

fn side_by_side(examined: &[Examined], chosen: &[usize]) -> Vec<StripeFault> {
    let reports: Vec<Report> = chosen
        .iter()
        .map(|&file| examined[file].report.clone())
        .collect();
    check_stripes(&reports)
}

/// What the stripes say against each other about this backup set; that one is missing is told by its number,
/// that one holds other backup sets by what is then missing.
fn disagreements(faults: &[StripeFault], position: u16) -> Vec<String> {
    let concerns = |fault: &&StripeFault| match fault {
        StripeFault::PagesDisagree { position: of, .. } => *of == position,
        _ => false,
    };
    faults
        .iter()
        .filter(concerns)
        .map(ToString::to_string)
        .collect()
}

fn copies_of(examined: &[Examined], spare: &[usize], guid: Uuid) -> Vec<usize> {
    let holds = |file: &&usize| {
        let sets = &examined[**file].report.sets;
        sets.iter().any(|set| set.identity.set_guid == guid)
    };
    spare.iter().filter(holds).copied().collect()
}

/// Draws together what is the same backup; the best copy counts.
fn merge_copies(mut found: Vec<Backup>) -> Vec<Backup> {
    // Counting what is missing may take a while, where media claim thousands of stripes.
    found.sort_by_cached_key(Backup::faults);
    let mut kept: Vec<Backup> = Vec::new();
    let mut by_guid: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for backup in found {
        let guid = backup.identity.set_guid;
        let same = by_guid.entry(guid).or_default();
        let twin = same
            .iter()
            .copied()
            .find(|&at| is_same(&kept[at].identity, &backup.identity));
        if let Some(at) = twin {
            let files = backup.files().chain(backup.copies.iter().copied());
            let further: Vec<usize> = files.collect();
            kept[at].copies.extend(further);
        } else {
            same.push(kept.len());
            kept.push(backup);
        }
    }
    kept.sort_by_key(|backup| backup.stripes.first().copied().map(|at| (at.file, at.set)));
    kept
}

/// Whether two say the same of themselves, wherever they stand and whenever their last stripe was done.
fn is_same(one: &BackupSet, other: &BackupSet) -> bool {
    let core = |set: &BackupSet| {
        (
            (set.set_guid, set.family_guid, set.kind),
            (set.first_lsn, set.last_lsn, set.checkpoint_lsn),
            (set.recovery_fork_guid, set.first_recovery_fork_guid),
            (set.database_backup_lsn, set.differential_base_guid),
        )
    };
    let is_same_name =
        one.database_name == other.database_name && one.server_name == other.server_name;
    core(one) == core(other) && is_same_name && !one.set_guid.is_nil()
}
