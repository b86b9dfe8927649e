//! Health: whether the next log backup of a member will continue what we hold. Start at [`health`].

use super::errors::{Class, classify};
use super::{Break, Chain};
use crate::model::{Lsn, Piece, PieceKind};
use crate::survey::{BackupRow, MemberFacts, RecoveryModel, ReportedError};

/// How a member's chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The next log backup, which begins here, continues our pieces.
    Running {
        /// `last_log_backup_lsn`.
        next: Lsn,
    },
    /// We hold nothing of this member.
    NeverBased,
    /// The next log backup would lead nowhere.
    Broken(Break),
}

/// Compares what the host says with our pieces. `our_folder` is the folder on the share that our own backups
/// of this host go to: a log backup there that we do not hold was ours and got lost.
#[must_use]
pub fn health<'a>(
    facts: &MemberFacts,
    pieces: impl IntoIterator<Item = &'a Piece>,
    our_folder: Option<&str>,
) -> Health {
    if facts.recovery_model == RecoveryModel::Simple {
        return Health::Broken(Break::RecoverySimple);
    }
    let pieces: Vec<&Piece> = pieces.into_iter().collect();
    if pieces.is_empty() {
        return Health::NeverBased;
    }
    if facts
        .family_guid
        .is_some_and(|family| pieces.iter().all(|p| p.family_guid != family))
    {
        return Health::Broken(Break::Replaced);
    }
    let Some(next) = facts.last_log_backup_lsn else {
        return Health::Broken(Break::NoLogBackupPossible);
    };
    if let Some(error) = unanswered(facts, &pieces) {
        return Health::Broken(Break::Reported {
            number: error.number,
            when: error.at,
            login: error.login.clone(),
        });
    }
    let chain = Chain::build(pieces.iter().copied());
    if chain.is_continued_at(next, facts.recovery_fork_guid) {
        Health::Running { next }
    } else {
        Health::Broken(reason(facts, &pieces, &chain, next, our_folder))
    }
}

/// The newest error that calls for a new chain and that no full of ours has answered: a full answers what was met
/// before it began. Both times are of one host's clock.
fn unanswered<'f>(facts: &'f MemberFacts, pieces: &[&Piece]) -> Option<&'f ReportedError> {
    let answers = |piece: &&&Piece| piece.kind == PieceKind::Full && !piece.is_copy_only;
    let begun = pieces
        .iter()
        .filter(answers)
        .map(|piece| piece.started.civil_utc());
    let newest = begun.max()?;
    let calls = |error: &&ReportedError| {
        let class = classify(error.number, None).map(|known| known.class);
        class == Some(Class::NewChain) && error.at.civil_utc() >= newest
    };
    facts
        .reported
        .iter()
        .filter(calls)
        .max_by_key(|error| error.at.civil_utc())
}

fn reason(
    facts: &MemberFacts,
    pieces: &[&Piece],
    chain: &Chain<'_>,
    next: Lsn,
    our_folder: Option<&str>,
) -> Break {
    let Some(reach) = chain.reach() else {
        return Break::NoFull;
    };
    if let Some(now) = facts
        .recovery_fork_guid
        .filter(|fork| *fork != reach.last_fork_guid)
    {
        return Break::Forked {
            ours: reach.last_fork_guid,
            now,
        };
    }
    let reached = reach.last_lsn;
    match foreign_log(&facts.history, pieces, reached, our_folder) {
        Some(row) => Break::ForeignLog {
            user: row.user_name.clone(),
            when: row.finished,
            device: row.device.clone(),
        },
        None => Break::LogLost { reached, next },
    }
}

/// The oldest log backup past what we reach that is not ours. Copy-only logs move no archive point and
/// break nothing.
fn foreign_log<'r>(
    history: &'r [BackupRow],
    pieces: &[&Piece],
    reached: Lsn,
    our_folder: Option<&str>,
) -> Option<&'r BackupRow> {
    let is_ours = |row: &BackupRow| {
        let is_held = pieces
            .iter()
            .any(|p| p.backup_set_guid == row.backup_set_guid);
        is_held || our_folder.is_some_and(|folder| row.device.starts_with(folder))
    };
    let foreign = history.iter().filter(|row| {
        row.kind == PieceKind::Log && !row.is_copy_only && row.last_lsn > reached && !is_ours(row)
    });
    foreign.min_by_key(|row| (row.first_lsn, row.last_lsn))
}

/// Whether the next differential would build on a full that we hold.
///
/// # Errors
/// The full that it would build on instead, or none where we hold no full at all. A history too short to
/// show any full tells nothing, and then the newest full that we hold is believed.
pub fn differential_base<'f>(
    facts: &'f MemberFacts,
    pieces: &[&Piece],
) -> Result<(), Option<&'f BackupRow>> {
    let ours = |row: &BackupRow| {
        pieces
            .iter()
            .any(|p| p.backup_set_guid == row.backup_set_guid)
    };
    let is_base = |row: &&BackupRow| row.kind == PieceKind::Full && !row.is_copy_only;
    match facts.history.iter().find(is_base) {
        Some(row) if ours(row) => Ok(()),
        Some(row) => Err(Some(row)),
        None if pieces
            .iter()
            .any(|p| p.kind == PieceKind::Full && !p.is_copy_only) =>
        {
            Ok(())
        }
        None => Err(None),
    }
}
