//! Health: whether the next log backup of a member will continue what we hold. Start at [`health`].

use jiff::{Span, civil};
use uuid::Uuid;

use super::errors::{Class, classify};
use super::{Break, Chain};
use crate::model::{Lsn, Piece, PieceKind};
use crate::survey::{BackupRow, MemberFacts, PROGRAM_NAME, RecoveryModel, ReportedError};

/// What a clock may run while its host answers, in seconds.
const CLOCK_SLACK_S: i64 = 60;

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

/// What we have of one member, for [`health`] and [`cure`](super::cure).
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// Its delivered pieces, whole as far as anybody knows.
    pub pieces: &'a [&'a Piece],
    /// Those that were found damaged in the store, or gone from it.
    pub damaged: &'a [&'a Piece],
    /// The folders on the shares that our own backups go to: a log backup there that we do not hold was ours and got
    /// lost.
    pub our_folders: &'a [String],
}

/// Compares what the host says with our pieces.
#[must_use]
pub fn health(facts: &MemberFacts, held: Holding<'_>) -> Health {
    if facts.recovery_model == RecoveryModel::Simple {
        return Health::Broken(Break::RecoverySimple);
    }
    let pieces = held.pieces;
    if pieces.is_empty() && held.damaged.is_empty() {
        return Health::NeverBased;
    }
    let all = || pieces.iter().chain(held.damaged);
    if facts
        .family_guid
        .is_some_and(|family| all().all(|p| p.family_guid != family))
    {
        return Health::Broken(Break::Replaced);
    }
    let Some(next) = facts.last_log_backup_lsn else {
        return Health::Broken(Break::NoLogBackupPossible);
    };
    if let Some(error) = unanswered(facts, pieces) {
        return Health::Broken(Break::Reported {
            number: error.number,
            when: error.at,
            login: error.login.clone(),
            server: error.server.clone(),
        });
    }
    let chain = Chain::build(pieces.iter().copied());
    if chain.is_continued_at(next, facts.recovery_fork_guid) {
        Health::Running { next }
    } else {
        Health::Broken(reason(facts, held, &chain, next))
    }
}

/// The newest error that calls for a new chain and that no full of ours has answered: a full answers what was met
/// before it began, on whichever replica. Both times are of one host's clock: the survey sees to that. What our own
/// sessions met, their run has answered.
///
/// What is dated later than the host's clock shows now was written before that clock was set back, and is compared with
/// nothing: such an error would stay unanswered by every full until the clock has caught up, and such a full would answer
/// whatever is met until then. Whoever meets the error again will be heard again.
fn unanswered<'f>(facts: &'f MemberFacts, pieces: &[&Piece]) -> Option<&'f ReportedError> {
    let latest = facts.asked_at.map_or(civil::DateTime::MAX, |at| {
        at.civil_utc()
            .saturating_add(Span::new().seconds(CLOCK_SLACK_S))
    });
    let answers = |piece: &&&Piece| piece.kind == PieceKind::Full && !piece.is_copy_only;
    let fulls = pieces.iter().filter(answers);
    let begun: Vec<_> = fulls.map(|piece| piece.started.civil_utc()).collect();
    if begun.is_empty() {
        return None; // What is lacking then is told as that.
    }
    let begun = begun.into_iter().filter(|begun| *begun <= latest);
    let newest = begun.max();
    // msdb keeps whole seconds. What was met within the second in which the full began is taken for answered: whoever
    // meets it again will be heard again, and a full too many helps nobody.
    let newest = newest.map(|begun| begun.saturating_add(Span::new().seconds(1)));
    let calls = |error: &&ReportedError| {
        let class = classify(error.number, None).map(|known| known.class);
        let is_our_own = error.program.as_deref() == Some(PROGRAM_NAME);
        let at = error.at.civil_utc();
        let is_later = newest.is_none_or(|newest| at >= newest);
        class == Some(Class::NewChain) && !is_our_own && is_later && at <= latest
    };
    facts
        .reported
        .iter()
        .filter(calls)
        .max_by_key(|error| error.at.civil_utc())
}

fn reason(facts: &MemberFacts, held: Holding<'_>, chain: &Chain<'_>, next: Lsn) -> Break {
    if let Some(damaged) = damage(facts, held, next) {
        return damaged;
    }
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
    match foreign_logs(facts, held).first() {
        Some(row) => Break::ForeignLog {
            user: row.user_name.clone(),
            when: row.finished,
            device: row.device.clone(),
            machine: row.machine.as_deref().map(Into::into),
            program: row.program.as_deref().map(Into::into),
            is_virtual: row.is_virtual,
            first: row.first_lsn,
            last: row.last_lsn,
        },
        None => Break::LogLost { reached, next },
    }
}

/// The oldest of the damaged pieces, where the chain would run with all of them whole.
fn damage(facts: &MemberFacts, held: Holding<'_>, next: Lsn) -> Option<Break> {
    let oldest = held.damaged.iter().min_by_key(|piece| piece.last_lsn)?;
    let whole = Chain::build(held.pieces.iter().chain(held.damaged).copied());
    whole
        .is_continued_at(next, facts.recovery_fork_guid)
        .then_some(Break::Damaged {
            piece: oldest.id,
            piece_kind: oldest.kind,
        })
}

/// Those of [`logs_past_ours`] that are not ours: they lie in no folder of ours.
#[must_use]
pub fn foreign_logs<'r>(facts: &'r MemberFacts, held: Holding<'_>) -> Vec<&'r BackupRow> {
    let is_ours = |row: &BackupRow| {
        let mut folders = held.our_folders.iter();
        folders.any(|folder| row.device.starts_with(folder))
    };
    let mut logs = logs_past_ours(facts, held);
    logs.retain(|row| !is_ours(row));
    logs
}

/// The log backups past what we reach that no piece holds, oldest first, whoever took them. Copy-only logs move no archive
/// point and break nothing.
#[must_use]
pub fn logs_past_ours<'r>(facts: &'r MemberFacts, held: Holding<'_>) -> Vec<&'r BackupRow> {
    let chain = Chain::build(held.pieces.iter().copied());
    let reached = chain.reach().map_or(Lsn::ZERO, |piece| piece.last_lsn);
    let is_held = |row: &BackupRow| {
        let mut pieces = held.pieces.iter().chain(held.damaged);
        pieces.any(|piece| piece.backup_set_guid == row.backup_set_guid)
    };
    let rows = facts.history.iter();
    let mut logs: Vec<&BackupRow> = rows
        .filter(|row| {
            row.kind == PieceKind::Log
                && !row.is_copy_only
                && row.last_lsn > reached
                && !is_held(row)
        })
        .collect();
    logs.sort_by_key(|row| (row.first_lsn, row.last_lsn));
    logs
}

/// Whether the next differential would build on a full that we hold: that full.
///
/// # Errors
/// The full that it would build on instead, where the history names it. The database's own word counts; where
/// it says nothing, the history does, and a history too short to show any full tells nothing: then the newest
/// full that we hold is believed.
pub fn differential_base<'p, 'f>(
    facts: &'f MemberFacts,
    pieces: &[&'p Piece],
) -> Result<&'p Piece, Option<&'f BackupRow>> {
    let fulls = || {
        let is_base = |piece: &&&Piece| piece.kind == PieceKind::Full && !piece.is_copy_only;
        pieces.iter().filter(is_base).copied()
    };
    let ours = |guid: Uuid| fulls().find(|piece| piece.backup_set_guid == guid);
    let row_of = |guid: Uuid| facts.history.iter().find(|it| it.backup_set_guid == guid);
    let is_base = |row: &&BackupRow| row.kind == PieceKind::Full && !row.is_copy_only;
    let newest = || facts.history.iter().find(is_base);
    match (facts.differential_base_guid, newest()) {
        (Some(guid), _) => ours(guid).ok_or_else(|| row_of(guid)),
        (None, Some(row)) => ours(row.backup_set_guid).ok_or(Some(row)),
        (None, None) => fulls().max_by_key(|piece| piece.last_lsn).ok_or(None),
    }
}
