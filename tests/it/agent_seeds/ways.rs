//! Ways to a mark through the backups that a story's book knows: the oracle's own reckoning, beside the agent's.
//!
//! Start at [`way_to`]. It is stricter than a restore: a way that it finds is certainly one, and of those that a restore
//! may take besides (a copy-only log in a gap, logs that overlap) it wants none. It shares nothing with `src/chain`.

use stopmark::model::{Lsn, MemberMark, Piece, PieceKind};
use stopmark::plan::BackUp;
use stopmark::run::events::BackedUp;
use uuid::Uuid;

/// What a backup of one member is to a restore.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    kind: PieceKind,
    guid: Uuid,
    family: Uuid,
    first: Lsn,
    last: Lsn,
    first_fork: Uuid,
    last_fork: Uuid,
    fork_point: Option<Lsn>,
    /// The full that a differential builds on.
    base: Option<Uuid>,
    is_copy_only: bool,
    has_bulk: bool,
}

/// Where a restore stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stand {
    at: Lsn,
    fork: Uuid,
    family: Uuid,
}

impl Backup {
    /// What a host said of a backup that it took.
    pub(super) fn of(step: &BackUp, facts: &BackedUp) -> Self {
        Self {
            kind: step.piece_kind,
            guid: facts.backup_set_guid,
            family: facts.family_guid,
            first: facts.first_lsn,
            last: facts.last_lsn,
            first_fork: facts.first_fork_guid,
            last_fork: facts.last_fork_guid,
            fork_point: facts.fork_point_lsn,
            base: facts.differential_base.map(|base| base.backup_set_guid),
            is_copy_only: facts.is_copy_only,
            has_bulk: facts.has_bulk_logged_data,
        }
    }

    /// What was found in a backup that somebody else took.
    pub(super) fn adopted(piece: &Piece) -> Self {
        Self {
            kind: piece.kind,
            guid: piece.backup_set_guid,
            family: piece.family_guid,
            first: piece.first_lsn,
            last: piece.last_lsn,
            first_fork: piece.first_fork_guid,
            last_fork: piece.last_fork_guid,
            fork_point: piece.fork_point_lsn,
            base: piece.differential_base.map(|base| base.backup_set_guid),
            is_copy_only: piece.is_copy_only,
            has_bulk: piece.has_bulk_logged_data,
        }
    }

    /// Where it begins and ends, for people.
    pub(super) fn words(&self) -> String {
        let kind = self.kind.word();
        format!("{kind} from {} to {}", self.first, self.last)
    }

    fn stand(&self) -> Stand {
        Stand {
            at: self.last,
            fork: self.last_fork,
            family: self.family,
        }
    }

    /// Whether this log holds the mark's record: its place, on its fork.
    fn holds(&self, mark: &MemberMark) -> bool {
        let covers = self.first <= mark.lsn && mark.lsn < self.last;
        let is_on = |fork| self.is_on(mark.lsn, fork);
        self.kind == PieceKind::Log && covers && mark.fork_guid.is_none_or(is_on)
    }

    /// Whether a restore that stands there takes this log next.
    fn follows(&self, stand: Stand) -> bool {
        let covers = self.first <= stand.at && stand.at < self.last;
        let is_log = self.kind == PieceKind::Log && !self.is_copy_only;
        is_log && covers && self.is_on(stand.at, stand.fork) && self.family == stand.family
    }

    /// Whether the record at this place of the log is on this fork: where forks part, the new one begins.
    fn is_on(&self, at: Lsn, fork: Uuid) -> bool {
        match self.fork_point {
            Some(point) if at >= point => fork == self.last_fork,
            Some(_) => fork == self.first_fork,
            None => fork == self.first_fork && fork == self.last_fork,
        }
    }
}

/// Whether these backups of one member lead to the mark.
///
/// # Errors
/// What is missing.
pub(super) fn way_to(mark: &MemberMark, backups: &[&Backup]) -> Result<(), &'static str> {
    let carriers = || backups.iter().filter(|log| log.holds(mark));
    if carriers().next().is_none() {
        return Err("no log with the mark was taken");
    }
    if carriers().all(|log| log.has_bulk) {
        return Err("the log with the mark holds minimally logged changes");
    }
    let mut open = bases(mark, backups);
    let mut seen: Vec<Stand> = Vec::new();
    while let Some(stand) = open.pop() {
        if seen.contains(&stand) {
            continue;
        }
        seen.push(stand);
        for log in backups.iter().filter(|log| log.follows(stand)) {
            if log.holds(mark) && !log.has_bulk {
                return Ok(());
            }
            // A log that ends past the mark and does not hold it leads past it.
            if log.last <= mark.lsn {
                open.push(log.stand());
            }
        }
    }
    Err("no way leads from a full to the log with the mark")
}

/// Where the fulls and differentials that end before the mark bring the member.
fn bases(mark: &MemberMark, backups: &[&Backup]) -> Vec<Stand> {
    let ends_before = |it: &&&Backup| it.last < mark.lsn && !it.is_copy_only;
    let of = |kind| move |it: &&&Backup| it.kind == kind;
    let mut stands = Vec::new();
    let fulls = backups.iter().filter(of(PieceKind::Full));
    for full in fulls.filter(ends_before) {
        stands.push(full.stand());
        let differentials = backups.iter().filter(of(PieceKind::Differential));
        let on_it = differentials.filter(|it| it.base == Some(full.guid));
        stands.extend(on_it.filter(ends_before).map(|it| it.stand()));
    }
    stands
}
