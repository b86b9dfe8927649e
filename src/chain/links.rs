//! Links between the pieces of one member. Start at [`Chain::build`].
//!
//! A restore that stands at an LSN on a fork takes a log when that log begins there or before, ends after it,
//! and was on the same fork there (4305, 4326 and 4330 are the refusals). Everything here follows from that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use uuid::Uuid;

use super::{Break, Path};
use crate::model::{Lsn, Piece, PieceId, PieceKind};

/// The pieces of one member, linked.
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    /// Newest first by the LSN that they end at.
    fulls: Vec<&'a Piece>,
    /// Newest first.
    differentials: Vec<&'a Piece>,
    /// By first LSN, last LSN, finish and identity.
    logs: Vec<&'a Piece>,
    /// For each log the logs that it can follow, the best first.
    parents: Vec<Vec<usize>>,
    /// For each log how far it and those before it in the list reach: marks are found without looking at all logs.
    reaches: Vec<Lsn>,
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
        let reaches = logs.iter().scan(Lsn::ZERO, |reach, log| {
            *reach = log.last_lsn.max(*reach);
            Some(*reach)
        });
        Self {
            fulls: newest_first(PieceKind::Full),
            differentials: newest_first(PieceKind::Differential),
            parents: parents(&logs),
            reaches: reaches.collect(),
            logs,
        }
    }

    /// The way to a mark: the newest full that ends before it, a differential where one helps, then logs.
    ///
    /// # Errors
    /// The break that is nearest to the mark.
    pub fn path_to(&self, mark: Lsn) -> Result<Path, Break> {
        self.path_through(mark, |_| true)
    }

    /// Like [`Self::path_to`], but the mark must stand in a log that `accepts` takes: LSNs of two forks may be
    /// alike, so a set's mark is looked for in that set's log.
    ///
    /// # Errors
    /// The break that is nearest to the mark.
    pub fn path_through(&self, mark: Lsn, accepts: impl Fn(&Piece) -> bool) -> Result<Path, Break> {
        let mut nearest = Break::MarkMissing;
        let mut paths = Vec::new();
        for carrier in self.carriers(mark, accepts) {
            match self.path_by(carrier, mark) {
                Ok(path) => paths.push(path),
                Err(found) if nearest == Break::MarkMissing => nearest = found,
                Err(_) => {}
            }
        }
        self.newest(paths).ok_or(nearest)
    }

    /// The path that begins at the newest full, of several the first: a mark may stand in more than one log.
    fn newest(&self, paths: Vec<Path>) -> Option<Path> {
        let full_of = |path: &Path| self.fulls.iter().position(|full| full.id == path.full);
        paths.into_iter().min_by_key(full_of)
    }

    /// What [`Self::path_through`] says of the whole chain, asked of a part of it; none where what is not in
    /// the part could change the answer. A part holds every piece that ends at `floor` or after it and begins at
    /// the mark or before, and with each differential the full that it builds on; `floor` is where some full ends.
    pub fn path_in_part(
        &self,
        floor: Lsn,
        mark: Lsn,
        accepts: impl Fn(&Piece) -> bool,
    ) -> Option<Result<Path, Break>> {
        let mut nearest = Break::MarkMissing;
        let mut paths = Vec::new();
        let mut is_whole_asked = false;
        for carrier in self.carriers(mark, accepts) {
            match self.path_by(carrier, mark) {
                Ok(path) if self.is_full_in(path.full, floor) => paths.push(path),
                Err(found) if !found.may_be_mended_before(floor) => {
                    if nearest == Break::MarkMissing {
                        nearest = found;
                    }
                }
                Ok(_) | Err(_) => is_whole_asked = true,
            }
        }
        // What is not in the part can lead to older fulls only.
        match self.newest(paths) {
            Some(path) => Some(Ok(path)),
            None if is_whole_asked => None,
            None => Some(Err(nearest)),
        }
    }

    /// The logs in which the mark may stand, the best first.
    fn carriers(&self, mark: Lsn, accepts: impl Fn(&Piece) -> bool) -> Vec<usize> {
        let begun = self.logs.partition_point(|log| log.first_lsn <= mark);
        let mut carriers: Vec<usize> = (0..begun)
            .rev()
            .take_while(|&at| self.reaches[at] > mark)
            .filter(|&at| covers(self.logs[at], mark) && accepts(self.logs[at]))
            .collect();
        carriers.sort_by_key(|&at| (self.logs[at].is_copy_only, at));
        carriers
    }

    fn is_full_in(&self, full: PieceId, floor: Lsn) -> bool {
        let mut fulls = self.fulls.iter();
        fulls.any(|piece| piece.id == full && piece.last_lsn >= floor)
    }

    /// The way to a mark that stands in this log.
    fn path_by(&self, carrier: usize, mark: Lsn) -> Result<Path, Break> {
        let log = self.logs[carrier];
        if log.has_bulk_logged_data {
            return Err(Break::BulkLogged { piece: log.id });
        }
        if let Some(path) = self.way_to(carrier, mark) {
            return Ok(path);
        }
        if self.fulls.iter().any(|full| full.last_lsn < mark) {
            let next = self.leading_to(carrier, mark, Lsn::ZERO);
            let at = next.keys().map(|&at| self.logs[at].first_lsn).min();
            Err(Break::Gap {
                at: at.unwrap_or(log.first_lsn),
            })
        } else {
            Err(Break::NoFull)
        }
    }

    /// The newest full that ends before `until` and leads to this log, a differential where one helps, then
    /// logs.
    fn way_to(&self, carrier: usize, until: Lsn) -> Option<Path> {
        let before = self.fulls.partition_point(|full| full.last_lsn >= until);
        for full in &self.fulls[before..] {
            let next = self.leading_to(carrier, until, full.last_lsn);
            let differentials = self.differentials.iter().copied();
            let on_it =
                differentials.filter(|diff| is_based_on(diff, full) && diff.last_lsn < until);
            for base in on_it.map(Some).chain([None]) {
                let stand = base.unwrap_or(full);
                if let Some(first) = self.first_after(&next, stand) {
                    return Some(Path {
                        full: full.id,
                        differential: base.map(|piece| piece.id),
                        logs: self.walk(&next, first),
                    });
                }
            }
        }
        None
    }

    /// Every log from which `carrier` can be reached and that ends at `floor` or after it, nearest first. Logs
    /// that end past the mark are no way to it.
    fn leading_to(&self, carrier: usize, mark: Lsn, floor: Lsn) -> BTreeMap<usize, Step> {
        let mut steps = BTreeMap::from([(
            carrier,
            Step {
                next: None,
                to_go: 0,
            },
        )]);
        let mut open = VecDeque::from([(carrier, 0)]);
        while let Some((at, to_go)) = open.pop_front() {
            for &parent in &self.parents[at] {
                let ends_at = self.logs[parent].last_lsn;
                if (floor..=mark).contains(&ends_at) && !steps.contains_key(&parent) {
                    steps.insert(
                        parent,
                        Step {
                            next: Some(at),
                            to_go: to_go + 1,
                        },
                    );
                    open.push_back((parent, to_go + 1));
                }
            }
        }
        steps
    }

    /// The log to begin with after a full or differential: a copy-only one only if no other fits, then the
    /// one that is nearest to the mark.
    fn first_after(&self, steps: &BTreeMap<usize, Step>, stand: &Piece) -> Option<usize> {
        let fitting = steps.iter().filter(|(at, _)| self.follows(**at, stand));
        fitting
            .min_by_key(|(at, step)| (self.logs[**at].is_copy_only, step.to_go))
            .map(|(at, _)| *at)
    }

    fn walk(&self, steps: &BTreeMap<usize, Step>, first: usize) -> Vec<PieceId> {
        let way = std::iter::successors(Some(first), |at| steps.get(at)?.next);
        way.map(|at| self.logs[at].id).collect()
    }

    /// The way to the end of a log, minimally logged changes or not; none where no full leads to it.
    #[must_use]
    pub fn path_to_end(&self, log: PieceId) -> Option<Path> {
        let at = self.logs.iter().position(|piece| piece.id == log)?;
        self.way_to(at, self.logs[at].last_lsn)
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
    fn follows(&self, at: usize, base: &Piece) -> bool {
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

/// One log on the way to a mark.
#[derive(Clone, Copy)]
struct Step {
    /// The log after it; none for the one that carries the mark.
    next: Option<usize>,
    /// How many logs come after it.
    to_go: usize,
}

/// Whether the log holds the record at this LSN.
fn covers(log: &Piece, lsn: Lsn) -> bool {
    log.first_lsn <= lsn && lsn < log.last_lsn
}

/// A differential begins after its full has ended; facts that say otherwise are not believed.
fn is_based_on(differential: &Piece, full: &Piece) -> bool {
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
            let ends = by_end.range(log.first_lsn..=log.last_lsn);
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
