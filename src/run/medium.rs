//! What the files on the share say of a backup that no host remembers.
//!
//! Start at [`taken`], and at [`of_an_earlier_try`] for what a step itself left behind. A row in msdb is written after the
//! backup, and may be missing although the log is cut off: msdb is full (3009), was purged, or came back as it was last
//! week. What lies on the share whole, under the piece's own name, was taken; what is half of a backup was not. The bytes
//! themselves are proven when they are delivered.
//!
//! Nothing is written to a file here, and no host is asked.

use mtf::{FindingKind, Level, Severity};

use super::events::BackedUp;
use crate::error::{Code, Error, Result};
use crate::media::{Examined, Gathered, Source, gather, join, piece};
use crate::model::{Piece, PieceId};
use crate::plan::BackUp;
use crate::world::World;

/// The backup of this step, if its files are whole; none where they are not there, or are half of one.
///
/// # Errors
/// `SM0503` where the share cannot be reached, `SM0712` where a file cannot be read, and `SM0714` where a file is neither
/// whole nor broken off (compressed or encrypted in an unknown way, damaged, of somebody else): then nothing is known.
pub(super) async fn taken(world: &World, step: &BackUp) -> Result<Option<BackedUp>> {
    // A share that is away looks like one without the file, and on the bare folder that it would be mounted on anything
    // can be made. The backup was written into a folder that was there before its statement.
    world.staging.require_folders(&step.stripes).await?;
    let files = step.stripes.iter();
    let files: Vec<Source> = files
        .map(|stripe| Source::Path(stripe.agent_path.clone()))
        .collect();
    let found = match gather(&files, Level::Identity, world.progress.as_ref()).await {
        Err(error) if error.code() == Code::PlaceUnknown => return Ok(None),
        found => found?,
    };
    let Gathered {
        examined, faults, ..
    } = found;
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault.at("member", &step.member));
    }
    match own(&examined, step) {
        Some(piece) => Ok(Some(facts(piece, step, &examined))),
        None if examined.iter().any(is_broken_off) => Ok(None),
        None => Err(unread(step)),
    }
}

/// The backup of a try of this step whose answer never came; none where it did not happen, so that the next try may write
/// over what it left. Written over, a whole file would be lost with the log that it cut off, if its host remembers it no
/// more than the agent does.
///
/// # Errors
/// `SM0512` while the host may still be writing it, and those of asking it; as [`taken`] where the host knows nothing.
pub(super) async fn of_an_earlier_try(world: &World, step: &BackUp) -> Result<Option<BackedUp>> {
    match world.fleet.find_backup(step).await? {
        Some(row) => Ok(Some(row)),
        None => taken(world, step).await,
    }
}

/// The one backup that all the files are the stripes of, if it is the step's own.
fn own(examined: &[Examined], step: &BackUp) -> Option<Piece> {
    let [backup] = &join(examined)[..] else {
        return None;
    };
    let is_sound = backup.is_whole() && backup.worst <= Some(Severity::Suspect);
    let is_all = backup.stripes.len() == step.stripes.len();
    let set = &backup.identity;
    // BizTalk's procedures give no name; their files' names are this step's own.
    let is_named = match PieceId::of_backup_name(&set.name) {
        Some(piece) => piece == step.piece,
        None => step.by_procedure.is_some() && set.name.is_empty(),
    };
    let piece = piece(set, step.piece, step.member.clone(), Vec::new())?;
    (is_sound && is_all && is_named && piece.kind == step.piece_kind).then_some(piece)
}

fn facts(piece: Piece, step: &BackUp, examined: &[Examined]) -> BackedUp {
    let mut sets = examined.iter().flat_map(|file| &file.report.sets);
    BackedUp {
        piece: piece.id,
        backup_set_guid: piece.backup_set_guid,
        family_guid: piece.family_guid,
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        checkpoint_lsn: piece.checkpoint_lsn,
        database_backup_lsn: piece.database_backup_lsn,
        differential_base: piece.differential_base,
        first_fork_guid: piece.first_fork_guid,
        last_fork_guid: piece.last_fork_guid,
        fork_point_lsn: piece.fork_point_lsn,
        has_bulk_logged_data: piece.has_bulk_logged_data,
        begins_log_chain: piece.begins_log_chain,
        // Where media note it is not known; the statement was our own.
        is_copy_only: step.is_copy_only,
        has_backup_checksums: piece.has_backup_checksums,
        started: piece.started,
        finished: piece.finished,
        server_version: piece.server_version,
        server_name: sets.next().map(|set| set.identity.server_name.clone()),
        is_from_medium: true,
    }
}

/// Whether the file ends where a backup does not: whoever wrote it was stopped. Anything else that is not a whole backup
/// may be one for all that this version can tell, and is nobody's to remove; so is what looks cut because it is of a kind
/// that is not understood.
fn is_broken_off(file: &Examined) -> bool {
    let kinds = || file.report.findings.iter().map(|finding| &finding.kind);
    let is_end = |kind: &FindingKind| {
        matches!(
            kind,
            FindingKind::Empty
                | FindingKind::Truncated { .. }
                | FindingKind::Unwritten { .. }
                | FindingKind::Aborted
                | FindingKind::NoSets
        )
    };
    let is_unknown = |kind: &FindingKind| kind.severity() == Severity::Unreadable && !is_end(kind);
    kinds().any(is_end) && !kinds().any(is_unknown)
}

fn unread(step: &BackUp) -> Error {
    let file = step.stripes.first().map_or("", |it| it.sql_path.as_str());
    Error::new(
        Code::NoMedia,
        "no host remembers this backup, and its file is neither whole nor broken off",
    )
    .at("host", step.host())
    .at("member", &step.member)
    .at("file", file)
    .hint("the file is left where it is; the next run mends the chain")
}

#[cfg(test)]
mod tests {
    use mtf::{Finding, Report};

    use super::*;
    use crate::media::Place;

    fn is_to_be_cleared(kinds: &[FindingKind]) -> bool {
        let finding = |kind: &FindingKind| Finding {
            offset: 0,
            level: Level::Structure,
            kind: kind.clone(),
        };
        is_broken_off(&Examined {
            place: Place::File("a.trn".into()),
            size_bytes: 512,
            level: Level::Identity,
            digest: None,
            report: Report {
                findings: kinds.iter().map(finding).collect(),
                ..Report::default()
            },
        })
    }

    #[test]
    fn only_a_file_that_was_broken_off_is_half_of_a_backup() {
        let cut = || FindingKind::Truncated {
            expected: "the end of the backup".to_owned(),
        };
        let unknown = || FindingKind::UnknownRecord {
            found: "NEWS".to_owned(),
        };
        assert!(is_to_be_cleared(&[FindingKind::Empty]));
        assert!(is_to_be_cleared(&[cut()]));
        assert!(is_to_be_cleared(&[FindingKind::RecordDamaged, cut()]));
        assert!(is_to_be_cleared(&[FindingKind::Unwritten {
            expected: "a block".to_owned(),
        }]));
        assert!(is_to_be_cleared(&[FindingKind::NoSets]));
        assert!(!is_to_be_cleared(&[]));
        assert!(!is_to_be_cleared(&[FindingKind::BadBlockHeader]));
        assert!(!is_to_be_cleared(&[FindingKind::NotMedia]));
        assert!(!is_to_be_cleared(&[unknown(), cut()]));
        assert!(!is_to_be_cleared(&[
            FindingKind::Container,
            FindingKind::NoSets
        ]));
    }
}
