//! A backup set of foreign media in the words of `model`, so that `chain/` can place it.
//!
//! Start at [`piece`]. This file never guesses: what media do not say is absent.

use jiff::civil;
use mtf::{BackupKind, BackupSet, MediaTime};

use crate::model::{
    DatabaseFile, DifferentialBase, MemberName, Piece, PieceId, PieceKind, ServerLocal,
    StoredStripe,
};

/// The piece that this backup set is, as `member`; none for kinds that stand in no chain (backups of files,
/// filegroups and parts).
#[must_use]
pub fn piece(
    set: &BackupSet,
    id: PieceId,
    member: MemberName,
    stripes: Vec<StoredStripe>,
) -> Option<Piece> {
    let started = local(set, set.started);
    Some(Piece {
        id,
        member,
        kind: kind_of(set.kind)?,
        backup_set_guid: set.set_guid,
        family_guid: set.family_guid,
        first_lsn: set.first_lsn,
        last_lsn: set.last_lsn,
        checkpoint_lsn: set.checkpoint_lsn,
        database_backup_lsn: set.database_backup_lsn,
        differential_base: set
            .differential_base_guid
            .map(|backup_set_guid| DifferentialBase {
                lsn: set.differential_base_lsn,
                backup_set_guid,
            }),
        first_fork_guid: set.first_recovery_fork_guid,
        last_fork_guid: set.recovery_fork_guid,
        fork_point_lsn: Some(set.fork_point_lsn).filter(|lsn| *lsn != mtf::Lsn::ZERO),
        has_bulk_logged_data: set.has_bulk_logged_data(),
        begins_log_chain: false,
        is_copy_only: false,
        has_backup_checksums: set.has_backup_checksums(),
        started,
        finished: set.finished.map_or(started, |at| local(set, at)),
        server_version: set.server_version.to_string(),
        files: set.files.iter().map(DatabaseFile::from).collect(),
        position: set.position.max(1),
        stripes,
        proof: None,
    })
}

/// A time of the medium as its server's clock showed it; the first moment of year 0 where media hold none.
#[must_use]
pub fn local(set: &BackupSet, at: MediaTime) -> ServerLocal {
    let small = |value: u8| i8::try_from(value).unwrap_or(i8::MAX);
    let civil = civil::DateTime::new(
        i16::try_from(at.year).unwrap_or(i16::MAX),
        small(at.month),
        small(at.day),
        small(at.hour),
        small(at.minute),
        small(at.second),
        0,
    );
    ServerLocal {
        civil: civil.unwrap_or(civil::DateTime::ZERO),
        offset_minutes: set
            .time_zone_quarters
            .map(|quarters| i16::from(quarters) * 15),
    }
}

/// The kind in a chain.
pub(super) const fn kind_of(kind: BackupKind) -> Option<PieceKind> {
    match kind {
        BackupKind::Full => Some(PieceKind::Full),
        BackupKind::Differential => Some(PieceKind::Differential),
        BackupKind::Log => Some(PieceKind::Log),
        BackupKind::Other(_) => None,
    }
}
