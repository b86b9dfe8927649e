//! Proof of a piece while it passes: its medium is parsed in the same pass that hashes and uploads it.
//!
//! Start at [`MediaTap`], then [`check_piece`]. Facts come from the header behind the contents, so they can
//! only be checked after the last byte; they must agree with msdb and with the plan before anything is
//! published.
//!
//! This room never reads files or stores, and never repairs.

use mtf::{BackupKind, BackupSet, FileKind, Report, Severity};

use crate::error::{Code, Error, Result};
use crate::model::{DatabaseFile, DatabaseFileKind, MemberName, PieceKind};
use crate::run::events::BackedUp;
use crate::world::Tap;

/// Parses one stripe as its bytes pass.
#[derive(Debug, Default)]
pub struct MediaTap {
    scanner: mtf::Scanner,
}

impl MediaTap {
    /// What the medium is, after the last byte.
    #[must_use]
    pub fn report(self) -> Report {
        self.scanner.finish().0
    }
}

impl Tap for MediaTap {
    fn bytes(&mut self, bytes: &[u8]) {
        self.scanner.feed(bytes);
    }
}

/// What a piece's media must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The member.
    pub member: &'a MemberName,
    /// Full, differential or log.
    pub kind: PieceKind,
    /// What msdb says of it.
    pub facts: &'a BackedUp,
}

/// What was read from a piece's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The database's files; empty where the media could not be read.
    pub files: Vec<DatabaseFile>,
    /// Some of the media were encrypted, or compressed in a way that this version cannot read: only size and
    /// digests prove those.
    pub is_unread: bool,
}

/// Compares the reports of all stripes, family 1 first, with what was expected. Containers that cannot be read
/// pass, since nothing speaks against them: SQL Server wrote what it was configured to write.
///
/// # Errors
/// `SM0707` with the first disagreement: damage with its offset, another database, other LSNs, a missing
/// stripe.
pub fn check_piece(reports: &[Report], expected: Expected<'_>) -> Result<Seen> {
    let count = reports.len();
    let readable = reports
        .iter()
        .enumerate()
        .filter(|(_, report)| !is_unread(report));
    for (at, report) in readable {
        check_sound(report, expected)?;
        check_family(report, at + 1, count, expected)?;
        check_identity(only_set(report, expected)?, expected)?;
    }
    let files = reports.first().and_then(|report| report.sets.first());
    let files = files.map(|set| set.identity.files.iter().map(database_file).collect());
    Ok(Seen {
        files: files.unwrap_or_default(),
        is_unread: reports.iter().any(is_unread),
    })
}

/// Whether the file is a container that this version cannot read, and nothing worse.
fn is_unread(report: &Report) -> bool {
    report.is_compressed && report.worst() == Some(Severity::Unreadable)
}

fn check_sound(report: &Report, expected: Expected<'_>) -> Result<()> {
    if report.is_sound() {
        return Ok(());
    }
    let gravest = report
        .findings
        .iter()
        .find(|finding| finding.kind.severity() > Severity::Note);
    let (what, offset) = gravest.map_or_else(
        || ("the medium holds no backup".to_owned(), 0),
        |finding| (finding.kind.to_string(), finding.offset),
    );
    Err(unsound(expected, &what).at("offset", offset))
}

fn check_family(
    report: &Report,
    number: usize,
    count: usize,
    expected: Expected<'_>,
) -> Result<()> {
    let family = report.media.as_ref();
    let said = family.map(|f| (usize::from(f.family_number), usize::from(f.family_count)));
    if said == Some((number, count)) {
        return Ok(());
    }
    let (said_number, said_count) = said.unwrap_or_default();
    let what =
        format!("stripe {said_number} of {said_count} stands where {number} of {count} belongs");
    Err(unsound(expected, &what))
}

fn only_set<'a>(report: &'a Report, expected: Expected<'_>) -> Result<&'a BackupSet> {
    match report.sets.as_slice() {
        [set] => Ok(&set.identity),
        sets => Err(unsound(
            expected,
            &format!("the medium holds {} backups, not one", sets.len()),
        )),
    }
}

/// Every fact that both the medium and msdb hold, by name.
fn check_identity(set: &BackupSet, expected: Expected<'_>) -> Result<()> {
    let facts = expected.facts;
    let facts_of_medium = [
        (
            "database",
            set.database_name.clone(),
            expected.member.database.to_string(),
        ),
        (
            "kind",
            set.kind.letter().to_string(),
            letter(expected.kind).letter().to_string(),
        ),
        (
            "backup set GUID",
            set.set_guid.to_string(),
            facts.backup_set_guid.to_string(),
        ),
        (
            "family GUID",
            set.family_guid.to_string(),
            facts.family_guid.to_string(),
        ),
        (
            "first LSN",
            set.first_lsn.to_string(),
            facts.first_lsn.to_string(),
        ),
        (
            "last LSN",
            set.last_lsn.to_string(),
            facts.last_lsn.to_string(),
        ),
        (
            "checkpoint LSN",
            set.checkpoint_lsn.to_string(),
            facts.checkpoint_lsn.to_string(),
        ),
        (
            "last fork",
            set.recovery_fork_guid.to_string(),
            facts.last_fork_guid.to_string(),
        ),
    ];
    let disagreement = facts_of_medium
        .into_iter()
        .find(|(_, medium, msdb)| medium != msdb);
    disagreement.map_or(Ok(()), |(name, medium, msdb)| {
        Err(unsound(
            expected,
            &format!("its {name} is `{medium}`, the host says `{msdb}`"),
        ))
    })
}

const fn letter(kind: PieceKind) -> BackupKind {
    match kind {
        PieceKind::Full => BackupKind::Full,
        PieceKind::Differential => BackupKind::Differential,
        PieceKind::Log => BackupKind::Log,
    }
}

fn database_file(file: &mtf::DatabaseFile) -> DatabaseFile {
    DatabaseFile {
        logical_name: file.logical_name.clone(),
        physical_name: file.physical_name.clone(),
        kind: match file.kind {
            FileKind::Log => DatabaseFileKind::Log,
            FileKind::Data | FileKind::Other(_) => DatabaseFileKind::Data,
        },
        size_bytes: file.size_bytes,
    }
}

fn unsound(expected: Expected<'_>, what: &str) -> Error {
    Error::new(
        Code::MediaUnsound,
        format!("a backup file is not what was asked for: {what}"),
    )
    .at("member", expected.member)
    .hint("look at the disk and the network behind the share; the next run takes a new backup")
}

#[cfg(test)]
mod tests;
