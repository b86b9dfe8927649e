//! Links between the pieces of one member. Start at [`Chain::build`].
//!
//! A restore that stands at an LSN on a fork takes a log when that log begins there or before, ends after it,
//! and was on the same fork there (4305, 4326 and 4330 are the refusals). Everything here follows from that.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::model::{Lsn, Piece, PieceKind};

/// The pieces of one member, linked. The ways through it are found in `way`.
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    /// Newest first by the LSN that they end at.
    pub(super) fulls: Vec<&'a Piece>,
    /// Newest first.
    pub(super) differentials: Vec<&'a Piece>,
    /// The places of the differentials that name a full as their base, by its backup set.
    pub(super) on_base: BTreeMap<Uuid, Vec<usize>>,
    /// By first LSN, last LSN, finish and identity.
    pub(super) logs: Vec<&'a Piece>,
    /// Where each log begins: what is looked for by LSN is found without touching the pieces.
    pub(super) begins: Vec<Lsn>,
    /// Where each log ends.
    pub(super) ends: Vec<Lsn>,
    /// For each log the logs that it can follow, the best first.
    pub(super) parents: Vec<Vec<usize>>,
    /// For each log the first of the run that it stands in: each log of a run can follow the one before it in the
    /// list and no other, so that there is one way through it.
    pub(super) runs: Vec<usize>,
    /// For each log how far it and those before it in the list reach: marks are found without looking at all logs.
    pub(super) reaches: Vec<Lsn>,
}

impl<'a> Chain<'a> {
    /// Links the pieces of one member, given in any order; the same backup delivered twice counts once.
    pub fn build(pieces: impl IntoIterator<Item = &'a Piece>) -> Self {
        let mut pieces: Vec<&Piece> = pieces.into_iter().collect();
        pieces.sort_by_key(|piece| {
            let finished = piece.finished.civil;
            (piece.first_lsn, piece.last_lsn, finished, piece.id)
        });
        let mut seen = BTreeSet::new();
        pieces.retain(|piece| seen.insert(piece.backup_set_guid));
        let of = |kind| pieces.iter().copied().filter(move |p| p.kind == kind);
        let newest_first = |kind| {
            let mut found: Vec<&Piece> = of(kind).collect();
            found.sort_by_key(|piece| (std::cmp::Reverse(piece.last_lsn), piece.id));
            found
        };
        let logs: Vec<&Piece> = of(PieceKind::Log).collect();
        let ends: Vec<Lsn> = logs.iter().map(|log| log.last_lsn).collect();
        let reaches = ends.iter().scan(Lsn::ZERO, |reach, end| {
            *reach = (*end).max(*reach);
            Some(*reach)
        });
        let parents = parents(&logs);
        let differentials = newest_first(PieceKind::Differential);
        Self {
            fulls: newest_first(PieceKind::Full),
            on_base: on_base(&differentials),
            differentials,
            begins: logs.iter().map(|log| log.first_lsn).collect(),
            reaches: reaches.collect(),
            ends,
            runs: runs(&parents),
            parents,
            logs,
        }
    }

    /// How each log hangs in the chain, by LSN.
    #[must_use]
    pub fn links(&self) -> Vec<Link<'a>> {
        let bases: Vec<&Piece> = self.stands().collect();
        let connected = self.connected(&bases);
        let link = |at: usize| {
            let parents = &self.parents[at];
            let reached = parents.iter().find(|&&parent| connected[parent]);
            let by_log = reached.or_else(|| parents.first());
            let by_base = bases.iter().copied().filter(|base| self.follows(at, base));
            let oldest = by_base.min_by_key(|base| (base.last_lsn, base.id));
            let before = match reached {
                Some(&parent) => Some(self.logs[parent]),
                None => oldest.or_else(|| by_log.map(|&parent| self.logs[parent])),
            };
            Link {
                log: self.logs[at],
                before,
                is_reached: connected[at],
            }
        };
        (0..self.logs.len()).map(link).collect()
    }

    /// Fulls, and differentials whose full is held, by where they end; each with whether a log follows it.
    #[must_use]
    pub fn bases(&self) -> Vec<(&'a Piece, bool)> {
        let is_followed = |base: &Piece| (0..self.logs.len()).any(|at| self.follows(at, base));
        let mut bases: Vec<_> = self
            .stands()
            .map(|base| (base, is_followed(base)))
            .collect();
        bases.sort_by_key(|(base, _)| (base.last_lsn, base.id));
        bases
    }

    /// The full that a base builds on, itself if it is one; none for what is not in this chain.
    #[must_use]
    pub fn full_of(&self, base: &Piece) -> Option<&'a Piece> {
        let is_it = |full: &&&Piece| full.id == base.id || is_based_on(base, full);
        self.fulls.iter().find(is_it).copied()
    }

    /// Differentials whose full is not held.
    pub fn baseless(&self) -> impl Iterator<Item = &'a Piece> + '_ {
        let differentials = self.differentials.iter().copied();
        differentials.filter(|diff| self.full_of(diff).is_none())
    }

    /// Whether log `at` can be applied right after the full or differential.
    pub(super) fn follows(&self, at: usize, base: &Piece) -> bool {
        can_apply(
            self.logs[at],
            base.last_lsn,
            base.last_fork_guid,
            base.family_guid,
        )
    }

    /// Whether the next log backup, which begins at `lsn` on `fork`, continues something that these pieces
    /// can restore.
    #[must_use]
    pub fn is_continued_at(&self, lsn: Lsn, fork: Option<Uuid>) -> bool {
        let fits = |piece: &Piece| {
            piece.last_lsn >= lsn && fork.is_none_or(|fork| fork == piece.last_fork_guid)
        };
        self.stands().any(fits) || self.connected_logs().any(fits)
    }

    /// The highest LSN that a restore from these pieces can reach; none without a full.
    #[must_use]
    pub fn reach(&self) -> Option<&'a Piece> {
        self.stands()
            .chain(self.connected_logs())
            .max_by_key(|piece| piece.last_lsn)
    }

    /// Whether a full of any kind is among the pieces.
    #[must_use]
    pub fn has_full(&self) -> bool {
        !self.fulls.is_empty()
    }

    /// Fulls, and differentials whose full is held.
    fn stands(&self) -> impl Iterator<Item = &'a Piece> + '_ {
        let differentials = self.differentials.iter().copied();
        let usable =
            differentials.filter(|diff| self.fulls.iter().any(|full| is_based_on(diff, full)));
        self.fulls.iter().copied().chain(usable)
    }

    /// Logs that some full leads to.
    fn connected_logs(&self) -> impl Iterator<Item = &'a Piece> + '_ {
        let stands: Vec<&Piece> = self.stands().collect();
        let logs = self.logs.iter().copied().zip(self.connected(&stands));
        logs.filter_map(|(log, is_connected)| is_connected.then_some(log))
    }

    /// For each log whether one of these bases leads to it.
    fn connected(&self, bases: &[&Piece]) -> Vec<bool> {
        let mut connected = vec![false; self.logs.len()];
        // What a log follows ends before it does, so every parent is decided before its children.
        let mut order: Vec<usize> = (0..self.logs.len()).collect();
        order.sort_by_key(|&at| (self.logs[at].last_lsn, at));
        for at in order {
            let by_base = bases.iter().any(|base| self.follows(at, base));
            let by_log = self.parents[at].iter().any(|&parent| connected[parent]);
            connected[at] = by_base || by_log;
        }
        connected
    }
}

/// How one log hangs in a chain.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The log.
    pub log: &'a Piece,
    /// What it is best applied after: a log that can be reached, else the oldest full or differential that it
    /// follows, else a log that cannot be reached; none where nothing held leads to it.
    pub before: Option<&'a Piece>,
    /// Whether some full leads to it.
    pub is_reached: bool,
}

/// Whether the log holds the record at this LSN.
pub(super) fn covers(log: &Piece, lsn: Lsn) -> bool {
    log.first_lsn <= lsn && lsn < log.last_lsn
}

/// A differential begins after its full has ended; facts that say otherwise are not believed.
pub(super) fn is_based_on(differential: &Piece, full: &Piece) -> bool {
    !full.is_copy_only
        && differential.last_lsn >= full.last_lsn
        && differential
            .differential_base
            .is_some_and(|base| base.backup_set_guid == full.backup_set_guid)
}

/// Whether a restore that stands at `lsn` on `fork` takes this log next. A log of no length moves nothing,
/// but it may carry a change of fork.
fn can_apply(log: &Piece, lsn: Lsn, fork: Uuid, family: Uuid) -> bool {
    let fits = covers(log, lsn) || (log.first_lsn == lsn && log.last_lsn == lsn);
    fits && log.family_guid == family && is_on_fork(log, lsn, fork)
}

/// Whether the log was on `fork` at `lsn`; at the very point where forks part it is on both.
fn is_on_fork(log: &Piece, lsn: Lsn, fork: Uuid) -> bool {
    if log.first_fork_guid == log.last_fork_guid {
        return log.last_fork_guid == fork;
    }
    let point = log.fork_point_lsn.unwrap_or(log.first_lsn);
    (lsn <= point && fork == log.first_fork_guid) || (lsn >= point && fork == log.last_fork_guid)
}

fn on_base(differentials: &[&Piece]) -> BTreeMap<Uuid, Vec<usize>> {
    let mut found: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (at, piece) in differentials.iter().enumerate() {
        let base = piece.differential_base.iter();
        base.for_each(|base| found.entry(base.backup_set_guid).or_default().push(at));
    }
    found
}

fn runs(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut runs: Vec<usize> = Vec::with_capacity(parents.len());
    for (at, parents) in parents.iter().enumerate() {
        let goes_on = at > 0 && *parents == [at - 1];
        let first = if goes_on { runs[at - 1] } else { at };
        runs.push(first);
    }
    runs
}

/// For each log those that it can follow. Copy-only logs come last: they moved no archive point and only
/// fill a gap; exact neighbours come before overlaps, and logs of no length are passed by where possible.
fn parents(logs: &[&Piece]) -> Vec<Vec<usize>> {
    let mut by_end: BTreeMap<Lsn, Vec<usize>> = BTreeMap::new();
    for (at, log) in logs.iter().enumerate() {
        by_end.entry(log.last_lsn).or_default().push(at);
    }
    (0..logs.len())
        .map(|at| {
            let log = logs[at];
            // Whoever wrote it, one that ends before it begins leads nowhere, and ends no program.
            let ends = by_end.range(log.first_lsn..=log.last_lsn.max(log.first_lsn));
            let mut found: Vec<usize> = ends
                .flat_map(|(_, ends)| ends.iter().copied())
                // A log of no length follows what ends there, but never one that is sorted after it.
                .filter(|&before| logs[before].last_lsn < log.last_lsn || before < at)
                .filter(|&before| {
                    let before = logs[before];
                    can_apply(
                        log,
                        before.last_lsn,
                        before.last_fork_guid,
                        before.family_guid,
                    )
                })
                .collect();
            found.sort_by_key(|&before| {
                let piece = logs[before];
                let is_empty = piece.first_lsn == piece.last_lsn;
                (
                    piece.is_copy_only,
                    piece.last_lsn != log.first_lsn,
                    is_empty,
                    before,
                )
            });
            found
        })
        .collect()
}
