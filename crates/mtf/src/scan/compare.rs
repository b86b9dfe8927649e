//! What a backup set says of itself in several places, compared.
//!
//! Start at [`copies`]. A backup set tells its identity twice, its number and date four times, its
//! log range by LSN and by place, its pages by count and by content: all must agree.
//!
//! This file never holds state; it is pure.

use crate::frame::records::SetStart;
use crate::{BackupKind, BackupSet, FileKind, LogExtent, Lsn, SERVER_2019};

/// Whether the server was of 2019 or later.
pub(super) fn is_late(set: &BackupSet) -> bool {
    set.server_version.major >= SERVER_2019
}

/// The first field in which the start of the backup set and its identity differ.
pub(super) fn start(start: &SetStart, set: &BackupSet) -> Option<&'static str> {
    let version = (start.version.major, start.version.minor);
    let said = (set.server_version.major, set.server_version.minor);
    first_false(&[
        (
            "kind",
            start.is_differential == (set.kind == BackupKind::Differential),
        ),
        ("start", start.date == set.started),
        ("server version", version == said),
    ])
}

/// The first field in which the copies of an identity differ though both must know it.
pub(super) fn copies(front: &BackupSet, set: &BackupSet) -> Option<&'static str> {
    let lsns = |s: &BackupSet| (s.first_lsn, s.last_lsn, s.checkpoint_lsn);
    let bases = |s: &BackupSet| {
        (
            s.database_backup_lsn,
            s.differential_base_lsn,
            s.differential_base_guid,
            s.base_full_guid,
        )
    };
    let forks = |s: &BackupSet| {
        (
            s.recovery_fork_guid,
            s.first_recovery_fork_guid,
            s.fork_point_lsn,
        )
    };
    let collations = |s: &BackupSet| (s.collation, s.locale_id, s.compare_style, s.sort_order);
    let versions = |s: &BackupSet| (s.server_version, s.database_version, s.compatibility_level);
    first_false(&[
        ("database name", front.database_name == set.database_name),
        ("server name", front.server_name == set.server_name),
        ("kind", front.kind == set.kind),
        (
            "flags",
            front.has_backup_checksums() == set.has_backup_checksums(),
        ),
        ("version", versions(front) == versions(set)),
        ("start", front.started == set.started),
        (
            "creation date",
            front.database_created == set.database_created,
        ),
        ("database identity", front.binding_id == set.binding_id),
        ("family", front.family_guid == set.family_guid),
        ("recovery fork", forks(front) == forks(set)),
        ("base", bases(front) == bases(set)),
        ("collation", collations(front) == collations(set)),
        (
            "files",
            front.filegroups == set.filegroups && files(front).eq(files(set)),
        ),
        // Since 2019 the front LSNs are those of a moment before the backup began.
        ("LSNs", is_late(set) || lsns(front) == lsns(set)),
    ])
}

/// The LSN of the identity that is not where the log of the backup set begins or ends.
pub(super) fn log_range(lowest: &LogExtent, highest: &LogExtent, set: &BackupSet) -> Option<Lsn> {
    let begins = lowest.position_of(set.first_lsn) == Some(lowest.start_bytes);
    let ends = match highest.position_of(set.last_lsn) {
        Some(position) => position == highest.end_bytes,
        // The next LSN may be the first of a virtual log file of which nothing is here yet.
        None => highest.vlfs.last().is_some_and(|vlf| {
            set.last_lsn.vlf.checked_sub(vlf.sequence) == Some(1)
                && vlf.start_bytes.checked_add(vlf.size_bytes) == Some(highest.end_bytes)
        }),
    };
    match (begins, ends) {
        (false, _) => Some(set.first_lsn),
        (true, false) => Some(set.last_lsn),
        (true, true) => None,
    }
}

/// Pages by the file list, where they are not what was seen. Since 2019 the list counts the last
/// pass over the data only; what it counts of several files is not known then.
pub(super) fn pages(set: &BackupSet, seen: u64, in_last_block: u64) -> Option<u64> {
    let data_files = || set.files.iter().filter(|file| file.kind == FileKind::Data);
    let has_others = set
        .files
        .iter()
        .any(|file| matches!(file.kind, FileKind::Other(_)));
    let is_unknown = is_late(set) && data_files().count() > 1;
    if set.kind == BackupKind::Log || has_others || is_unknown {
        return None;
    }
    let said = data_files()
        .map(|file| u64::from(file.pages_in_backup))
        .sum();
    let agrees = said == seen || is_late(set) && said == in_last_block;
    (!agrees).then_some(said)
}

fn first_false(pairs: &[(&'static str, bool)]) -> Option<&'static str> {
    pairs
        .iter()
        .find(|(_, agrees)| !agrees)
        .map(|(field, _)| *field)
}

/// What the copies must agree on of the files; sizes and page counts may change on the way.
fn files(set: &BackupSet) -> impl Iterator<Item = (u32, FileKind, u32, &str, &str)> {
    set.files.iter().map(|file| {
        let names = (file.logical_name.as_str(), file.physical_name.as_str());
        (file.file_id, file.kind, file.filegroup_id, names.0, names.1)
    })
}
