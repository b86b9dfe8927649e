//! Agreement: every fact that the medium tells and somebody else tells too, compared by name.
//!
//! Start at [`with_host`] for a backup that a host has just taken. A medium that tells another story than msdb
//! and the plan is not the piece that was asked for, whatever its file is called.
//!
//! This file never repairs and never prefers one side.

use mtf::{BackupKind, BackupSet};
use uuid::Uuid;

use super::{Expected, unsound};
use crate::error::Result;
use crate::model::{Lsn, Piece, PieceKind};
use crate::run::events::BackedUp;

/// Compares a medium with the plan (member, kind) and with msdb (everything else).
///
/// # Errors
/// `SM0707` with the first fact in which they differ.
pub(super) fn with_host(set: &BackupSet, expected: Expected<'_>) -> Result<()> {
    let facts = expected.facts;
    let planned = [
        Fact::of(
            "database",
            &set.database_name,
            &expected.member.database.as_str(),
        ),
        Fact::of("kind", &set.kind.letter(), &letter(expected.kind).letter()),
    ];
    let told = [of_place(set, facts), of_chain(set, facts)].concat();
    let mut all = planned.into_iter().chain(told);
    all.find(|fact| fact.medium != fact.host)
        .map_or(Ok(()), |fact| {
            let Fact { name, medium, host } = fact;
            let what = format!("its {name} is `{medium}`, the host says `{host}`");
            Err(unsound(expected.member, &what))
        })
}

/// Compares a medium with the piece that it was examined to be. Its bytes have the digest of the examination, so
/// these facts can differ only where the examination and this reading do not see alike.
///
/// # Errors
/// `SM0707` with the first fact in which they differ.
pub(super) fn with_piece(set: &BackupSet, piece: &Piece) -> Result<()> {
    let told = [
        Fact::of("kind", &set.kind.letter(), &letter(piece.kind).letter()),
        Fact::of("backup set GUID", &set.set_guid, &piece.backup_set_guid),
        Fact::of("family GUID", &set.family_guid, &piece.family_guid),
        Fact::of("first LSN", &set.first_lsn, &piece.first_lsn),
        Fact::of("last LSN", &set.last_lsn, &piece.last_lsn),
        Fact::of("last fork", &set.recovery_fork_guid, &piece.last_fork_guid),
    ];
    let mut differing = told.into_iter().filter(|fact| fact.medium != fact.host);
    differing.next().map_or(Ok(()), |fact| {
        let Fact { name, medium, host } = fact;
        let what = format!("its {name} is `{medium}`, the examination found `{host}`");
        Err(unsound(&piece.member, &what))
    })
}

/// One fact, as both sides write it.
#[derive(Clone)]
struct Fact {
    name: &'static str,
    medium: String,
    host: String,
}

impl Fact {
    fn of(name: &'static str, medium: &impl ToString, host: &impl ToString) -> Self {
        Self {
            name,
            medium: medium.to_string(),
            host: host.to_string(),
        }
    }
}

/// Whose backup it is. The names of servers are alike whatever their letters' case.
fn of_place(set: &BackupSet, facts: &BackedUp) -> Vec<Fact> {
    // Journals of older versions do not say which server it was.
    let server = facts.server_name.as_ref().map(|server| {
        let (medium, host) = (set.server_name.to_lowercase(), server.to_lowercase());
        Fact::of("server", &medium, &host)
    });
    let of_backup = [
        Fact::of("family GUID", &set.family_guid, &facts.family_guid),
        Fact::of("backup set GUID", &set.set_guid, &facts.backup_set_guid),
    ];
    server.into_iter().chain(of_backup).collect()
}

/// Where in its chain it stands.
fn of_chain(set: &BackupSet, facts: &BackedUp) -> Vec<Fact> {
    let lsn = |name, medium: &Lsn, host: &Lsn| Fact::of(name, medium, host);
    let mut told = vec![
        lsn("first LSN", &set.first_lsn, &facts.first_lsn),
        lsn("last LSN", &set.last_lsn, &facts.last_lsn),
        lsn("checkpoint LSN", &set.checkpoint_lsn, &facts.checkpoint_lsn),
        lsn(
            "database backup LSN",
            &set.database_backup_lsn,
            &facts.database_backup_lsn,
        ),
        Fact::of(
            "first fork",
            &set.first_recovery_fork_guid,
            &facts.first_fork_guid,
        ),
        Fact::of("last fork", &set.recovery_fork_guid, &facts.last_fork_guid),
        // Media write zero, msdb null, where a backup crosses no fork.
        lsn(
            "fork point LSN",
            &set.fork_point_lsn,
            &facts.fork_point_lsn.unwrap_or(Lsn::ZERO),
        ),
    ];
    // Other kinds have no base, whatever their columns hold.
    if let Some(base) = facts.differential_base.filter(|_| is_differential(set)) {
        told.push(lsn(
            "differential base LSN",
            &set.differential_base_lsn,
            &base.lsn,
        ));
        told.push(Fact::of(
            "differential base GUID",
            &set.differential_base_guid.unwrap_or(Uuid::nil()),
            &base.backup_set_guid,
        ));
    }
    told
}

fn is_differential(set: &BackupSet) -> bool {
    set.kind == BackupKind::Differential
}

const fn letter(kind: PieceKind) -> BackupKind {
    match kind {
        PieceKind::Full => BackupKind::Full,
        PieceKind::Differential => BackupKind::Differential,
        PieceKind::Log => BackupKind::Log,
    }
}
