//! Proof of a piece while it passes: its medium is parsed in the same pass that hashes and uploads it.
//!
//! Start at [`MediaTap`], then [`check_piece`]. Facts come from the header behind the contents, so they can
//! only be checked after the last byte; they must agree with msdb and with the plan before anything is
//! published.
//!
//! This room never reads files or stores, and never repairs.

mod agree;

use mtf::{Finding, Report, Severity};

use crate::error::{Code, Error, Result};
use crate::model::{DatabaseFile, MemberName, Piece, PieceKind};
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
    /// The database's files; empty where no medium could be read.
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
    check_stripes(reports).map_err(|fault| fault.about(expected.member))?;
    let read = reports.iter().filter(|report| !is_unread(report));
    for report in read.clone() {
        agree::with_host(&report.sets[0].identity, expected)?;
    }
    let files = read
        .clone()
        .map(|report| &report.sets[0].identity.files)
        .next();
    let files = files.map(|files| files.iter().map(DatabaseFile::from).collect());
    Ok(Seen {
        files: files.unwrap_or_default(),
        is_unread: reports.iter().any(is_unread),
    })
}

/// Compares the reports of an adopted backup's stripes, family 1 first, with the piece that it was examined to
/// be. What else lies on its media is somebody else's affair.
///
/// # Errors
/// `SM0707` with the first disagreement.
pub fn check_adopted(reports: &[Report], piece: &Piece) -> Result<()> {
    let parts: Vec<Report> = reports.iter().map(|it| part_of(it, piece)).collect();
    check_stripes(&parts).map_err(|fault| fault.about(&piece.member))?;
    let mut read = parts.iter().filter(|report| !is_unread(report));
    read.try_for_each(|report| agree::with_piece(&report.sets[0].identity, piece))
}

/// The report as if the piece were alone on its medium; all of it where the piece is not there, which is then told.
fn part_of(report: &Report, piece: &Piece) -> Report {
    let mut sets = report.sets.iter();
    sets.position(|set| set.identity.position == piece.position)
        .map_or_else(|| report.clone(), |at| report.part(at))
}

/// Requires that these are the whole and sound stripes of one backup each file, family 1 first. Those that cannot
/// be read count as such.
///
/// # Errors
/// The first fault: damage with its offset, a stripe out of its place or of another media set, another number
/// of backups in a file than one.
fn check_stripes(reports: &[Report]) -> Result<(), Unsound> {
    let of_all = reports.iter().enumerate();
    for (at, report) in of_all.filter(|(_, report)| !is_unread(report)) {
        check_sound(report)?;
        check_family(report, at + 1, reports.len())?;
        if report.sets.len() != 1 {
            let count = report.sets.len();
            return Err(Unsound::new(format!(
                "the medium holds {count} backups, not one"
            )));
        }
    }
    if reports.iter().any(is_unread) {
        return Ok(());
    }
    mtf::check_stripes(reports)
        .first()
        .map_or(Ok(()), |fault| Err(Unsound::new(fault.to_string())))
}

/// What is wrong with a medium, before it is known whose it should have been.
struct Unsound {
    what: String,
    offset: Option<u64>,
}

impl Unsound {
    const fn new(what: String) -> Self {
        Self { what, offset: None }
    }

    fn about(self, member: &MemberName) -> Error {
        let error = unsound(member, &self.what);
        match self.offset {
            Some(offset) => error.at("offset", offset),
            None => error,
        }
    }
}

/// Whether the file is a container that this version cannot read, and nothing worse.
fn is_unread(report: &Report) -> bool {
    report.is_compressed && report.worst() == Some(Severity::Unreadable)
}

/// A suspect page speaks against nothing: whether it is in use stands in another stripe or backup, and a page
/// that is not may be stale.
fn check_sound(report: &Report) -> Result<(), Unsound> {
    let grave = |finding: &&Finding| finding.kind.severity() > Severity::Suspect;
    match report.findings.iter().find(grave) {
        Some(finding) => Err(Unsound {
            what: finding.kind.to_string(),
            offset: Some(finding.offset),
        }),
        None if report.sets.is_empty() => {
            Err(Unsound::new("the medium holds no backup".to_owned()))
        }
        None => Ok(()),
    }
}

fn check_family(report: &Report, number: usize, count: usize) -> Result<(), Unsound> {
    let family = report.media.as_ref();
    let said = family.map(|f| (usize::from(f.family_number), usize::from(f.family_count)));
    if said == Some((number, count)) {
        return Ok(());
    }
    let (said_number, said_count) = said.unwrap_or_default();
    Err(Unsound::new(format!(
        "stripe {said_number} of {said_count} stands where {number} of {count} belongs"
    )))
}

fn unsound(member: &MemberName, what: &str) -> Error {
    Error::new(
        Code::MediaUnsound,
        format!("a backup file is not what was asked for: {what}"),
    )
    .at("member", member)
    .hint("look at the disk and the network behind the share; the next run takes a new backup")
}

#[cfg(test)]
mod tests;
