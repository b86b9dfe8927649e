//! Pieces for tests: a small member whose log positions are small numbers.

use jiff::civil::date;
use uuid::Uuid;

use crate::model::{DifferentialBase, Lsn, MemberName, Piece, PieceId, PieceKind, ServerLocal};
use crate::survey::{MarkLogFacts, MemberFacts, MemberState, RecoveryModel};

pub(crate) const FORK: u128 = 0xf0;

pub(crate) fn member() -> MemberName {
    r"PAY1\SQL/Ledger".parse().expect("a member")
}

pub(crate) fn lsn(at: u32) -> Lsn {
    Lsn::from_parts(at, 0, 0)
}

pub(crate) fn local(minute: i8) -> ServerLocal {
    ServerLocal {
        civil: date(2026, 11, 21).at(2, minute, 0, 0),
        offset_minutes: Some(0),
    }
}

/// A piece whose identity and backup GUID are both `id`.
pub(crate) fn piece(id: u128, kind: PieceKind, first: u32, last: u32) -> Piece {
    Piece {
        id: PieceId(Uuid::from_u128(id)),
        member: member(),
        kind,
        backup_set_guid: Uuid::from_u128(id),
        family_guid: Uuid::from_u128(0xfa),
        first_lsn: lsn(first),
        last_lsn: lsn(last),
        checkpoint_lsn: lsn(first),
        database_backup_lsn: Lsn::ZERO,
        differential_base: None,
        first_fork_guid: Uuid::from_u128(FORK),
        last_fork_guid: Uuid::from_u128(FORK),
        fork_point_lsn: None,
        has_bulk_logged_data: false,
        begins_log_chain: false,
        is_copy_only: false,
        has_backup_checksums: true,
        started: local(0),
        finished: local(1),
        server_version: "16.0.1000".to_owned(),
        files: Vec::new(),
        position: 1,
        stripes: Vec::new(),
        proof: None,
    }
}

pub(crate) fn full(id: u128, first: u32, last: u32) -> Piece {
    piece(id, PieceKind::Full, first, last)
}

pub(crate) fn log(id: u128, first: u32, last: u32) -> Piece {
    piece(id, PieceKind::Log, first, last)
}

pub(crate) fn differential(id: u128, base: &Piece, first: u32, last: u32) -> Piece {
    Piece {
        differential_base: Some(DifferentialBase {
            lsn: base.first_lsn,
            backup_set_guid: base.backup_set_guid,
        }),
        ..piece(id, PieceKind::Differential, first, last)
    }
}

pub(crate) fn copy_only(piece: Piece) -> Piece {
    Piece {
        is_copy_only: true,
        ..piece
    }
}

pub(crate) fn on_fork(piece: Piece, first: u128, last: u128, point: Option<u32>) -> Piece {
    Piece {
        first_fork_guid: Uuid::from_u128(first),
        last_fork_guid: Uuid::from_u128(last),
        fork_point_lsn: point.map(lsn),
        ..piece
    }
}

/// What the host of a member says whose next log backup begins at `next`.
pub(crate) fn facts(next: Option<u32>) -> MemberFacts {
    MemberFacts {
        state: MemberState::Online,
        recovery_model: RecoveryModel::Full,
        is_read_only: false,
        database_guid: None,
        family_guid: Some(Uuid::from_u128(0xfa)),
        recovery_fork_guid: Some(Uuid::from_u128(FORK)),
        last_log_backup_lsn: next.map(lsn),
        differential_base_guid: None,
        availability_group: None,
        size_bytes: 0,
        mark_log: MarkLogFacts {
            has_table: true,
            has_procedure: true,
            has_remote_procedure: true,
            newest: None,
            blocks_tracking: false,
        },
        history: Vec::new(),
        reported: Vec::new(),
        asked_at: None,
        replica: None,
        seeding: None,
        settings: None,
    }
}
