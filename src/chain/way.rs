//! Ways through a chain: which pieces bring a member to a mark. Start at [`Chain::way_through`].
//!
//! A way is told by places in its chain, and its logs by runs of places: a history of years has a hundred thousand
//! marks, and nearly every way to one of them is a single run. [`Chain::path`] names the pieces of one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::links::{covers, is_based_on};
use super::{Break, Chain, Path};
use crate::model::{Lsn, Piece, PieceId};

/// How one member is brought to a mark, by places in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The place of the full.
    pub full: usize,
    /// The place of the differential on that full, when one shortens the way.
    pub differential: Option<usize>,
    /// The places of the logs in the order of restoring, never empty.
    pub logs: Vec<Range<usize>>,
}

/// The logs that lead to one that carries a mark, it included.
enum Leading {
    /// These, one after the other, and no others.
    Run(Range<usize>),
    /// Logs of which some can be followed by several.
    Steps(BTreeMap<usize, Step>),
}

/// One log on the way to a mark.
#[derive(Clone, Copy)]
struct Step {
    /// The log after it; none for the one that carries the mark.
    next: Option<usize>,
    /// How many logs come after it.
    to_go: usize,
}

impl<'a> Chain<'a> {
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
        let way = self.way_through(mark, accepts)?;
        Ok(self.path(&way))
    }

    /// [`Self::path_through`] by places.
    ///
    /// # Errors
    /// The break that is nearest to the mark.
    pub fn way_through(&self, mark: Lsn, accepts: impl Fn(&Piece) -> bool) -> Result<Way, Break> {
        let mut nearest = Break::MarkMissing;
        let mut ways = Vec::new();
        for carrier in self.carriers(mark, accepts) {
            match self.way_by(carrier, mark) {
                Ok(way) => ways.push(way),
                Err(found) if nearest == Break::MarkMissing => nearest = found,
                Err(_) => {}
            }
        }
        newest(ways).ok_or(nearest)
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
        let mut ways = Vec::new();
        let mut is_whole_asked = false;
        for carrier in self.carriers(mark, accepts) {
            match self.way_by(carrier, mark) {
                Ok(way) if self.fulls[way.full].last_lsn >= floor => ways.push(way),
                Err(found) if !found.may_be_mended_before(floor) => {
                    if nearest == Break::MarkMissing {
                        nearest = found;
                    }
                }
                Ok(_) | Err(_) => is_whole_asked = true,
            }
        }
        // What is not in the part can lead to older fulls only.
        match newest(ways) {
            Some(way) => Some(Ok(self.path(&way))),
            None if is_whole_asked => None,
            None => Some(Err(nearest)),
        }
    }

    /// The way to the end of a log, minimally logged changes or not; none where no full leads to it.
    #[must_use]
    pub fn path_to_end(&self, log: PieceId) -> Option<Path> {
        let at = self.logs.iter().position(|piece| piece.id == log)?;
        Some(self.path(&self.way_to_end(at)?))
    }

    /// The same by the log's place in the chain.
    #[must_use]
    pub fn way_to_end(&self, log: usize) -> Option<Way> {
        self.way_to(log, self.logs[log].last_lsn)
    }

    /// The pieces of a way through this chain.
    #[must_use]
    pub fn path(&self, way: &Way) -> Path {
        let logs = way.logs.iter().flat_map(|run| &self.logs[run.clone()]);
        Path {
            full: self.fulls[way.full].id,
            differential: way.differential.map(|at| self.differentials[at].id),
            logs: logs.map(|log| log.id).collect(),
        }
    }

    /// The fulls, in their places.
    #[must_use]
    pub fn fulls(&self) -> &[&'a Piece] {
        &self.fulls
    }

    /// The differentials, in their places.
    #[must_use]
    pub fn differentials(&self) -> &[&'a Piece] {
        &self.differentials
    }

    /// The logs, in their places.
    #[must_use]
    pub fn logs(&self) -> &[&'a Piece] {
        &self.logs
    }

    /// The logs in which the mark may stand, the best first.
    fn carriers(&self, mark: Lsn, accepts: impl Fn(&Piece) -> bool) -> Vec<usize> {
        let begun = self.begins.partition_point(|begin| *begin <= mark);
        let mut carriers: Vec<usize> = (0..begun)
            .rev()
            .take_while(|&at| self.reaches[at] > mark)
            .filter(|&at| covers(self.logs[at], mark) && accepts(self.logs[at]))
            .collect();
        carriers.sort_by_key(|&at| (self.logs[at].is_copy_only, at));
        carriers
    }

    /// The way to a mark that stands in this log.
    fn way_by(&self, carrier: usize, mark: Lsn) -> Result<Way, Break> {
        let log = self.logs[carrier];
        if log.has_bulk_logged_data {
            return Err(Break::BulkLogged { piece: log.id });
        }
        if let Some(way) = self.way_to(carrier, mark) {
            return Ok(way);
        }
        if self.fulls.iter().any(|full| full.last_lsn < mark) {
            // Logs are listed by where they begin.
            let first = match self.leading_to(carrier, mark, Lsn::ZERO) {
                Leading::Run(run) => run.start,
                Leading::Steps(steps) => steps.keys().next().copied().unwrap_or(carrier),
            };
            Err(Break::Gap {
                at: self.begins[first],
            })
        } else {
            Err(Break::NoFull)
        }
    }

    /// The newest full that ends before `until` and leads to this log, a differential where one helps, then
    /// logs.
    fn way_to(&self, carrier: usize, until: Lsn) -> Option<Way> {
        let before = self.fulls.partition_point(|full| full.last_lsn >= until);
        (before..self.fulls.len()).find_map(|full| self.way_from(full, carrier, until))
    }

    fn way_from(&self, at: usize, carrier: usize, until: Lsn) -> Option<Way> {
        let full = self.fulls[at];
        let leading = self.leading_to(carrier, until, full.last_lsn);
        let named = self.on_base.get(&full.backup_set_guid);
        let on_it = named.into_iter().flatten().copied().filter(|&at| {
            let differential = self.differentials[at];
            is_based_on(differential, full) && differential.last_lsn < until
        });
        on_it.map(Some).chain([None]).find_map(|differential| {
            let stand = differential.map_or(full, |at| self.differentials[at]);
            let first = self.first_after(&leading, stand)?;
            Some(Way {
                full: at,
                differential,
                logs: leading.from(first),
            })
        })
    }

    /// Every log from which `carrier` can be reached and that ends at `floor` or after it. Logs that end past the
    /// mark are no way to it.
    fn leading_to(&self, carrier: usize, mark: Lsn, floor: Lsn) -> Leading {
        match self.run_to(carrier, mark, floor) {
            Some(run) => Leading::Run(run),
            None => Leading::Steps(self.steps_to(carrier, mark, floor)),
        }
    }

    /// The same where it is part of one run; none where it may not be. Along a run the ends never go back, for a log
    /// ends where the one that it follows does, or later.
    fn run_to(&self, carrier: usize, mark: Lsn, floor: Lsn) -> Option<Range<usize>> {
        let first = self.runs[carrier];
        if carrier > first && self.ends[carrier - 1] > mark {
            return Some(carrier..carrier + 1);
        }
        let too_old = self.ends[first..carrier].partition_point(|end| *end < floor);
        let leads = |parent: &usize| (floor..=mark).contains(&self.ends[*parent]);
        let goes_on = too_old == 0 && self.parents[first].iter().any(leads);
        (!goes_on).then_some(first + too_old..carrier + 1)
    }

    /// The same for any chain, nearest first.
    fn steps_to(&self, carrier: usize, mark: Lsn, floor: Lsn) -> BTreeMap<usize, Step> {
        let step = |next, to_go| Step { next, to_go };
        let mut steps = BTreeMap::from([(carrier, step(None, 0))]);
        let mut open = VecDeque::from([(carrier, 0)]);
        while let Some((at, to_go)) = open.pop_front() {
            for &parent in &self.parents[at] {
                let leads = (floor..=mark).contains(&self.ends[parent]);
                if leads && !steps.contains_key(&parent) {
                    steps.insert(parent, step(Some(at), to_go + 1));
                    open.push_back((parent, to_go + 1));
                }
            }
        }
        steps
    }

    /// The log to begin with after a full or differential: a copy-only one only if no other fits, then the
    /// one that is nearest to the mark.
    fn first_after(&self, leading: &Leading, stand: &Piece) -> Option<usize> {
        match leading {
            Leading::Run(run) => {
                let begun = self.begins[run.clone()].partition_point(|it| *it <= stand.last_lsn);
                let past = self.ends[run.clone()].partition_point(|it| *it < stand.last_lsn);
                let fitting = (run.start + past..run.start + begun).rev();
                let fitting = fitting.filter(|&at| self.follows(at, stand));
                fitting.min_by_key(|&at| self.logs[at].is_copy_only)
            }
            Leading::Steps(steps) => {
                let fitting = steps.iter().filter(|(at, _)| self.follows(**at, stand));
                fitting
                    .min_by_key(|(at, step)| (self.logs[**at].is_copy_only, step.to_go))
                    .map(|(at, _)| *at)
            }
        }
    }
}

impl Leading {
    /// From this log on.
    fn from(&self, first: usize) -> Vec<Range<usize>> {
        match self {
            Self::Run(run) => std::iter::once(first..run.end).collect(),
            Self::Steps(steps) => {
                let way = std::iter::successors(Some(first), |at| steps.get(at)?.next);
                let mut runs: Vec<Range<usize>> = Vec::new();
                for at in way {
                    match runs.last_mut() {
                        Some(run) if run.end == at => run.end += 1,
                        _ => runs.push(at..at + 1),
                    }
                }
                runs
            }
        }
    }
}

/// The way that begins at the newest full, of several the first: a mark may stand in more than one log.
fn newest(ways: Vec<Way>) -> Option<Way> {
    ways.into_iter().min_by_key(|way| way.full)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::samples::lsn;
    use crate::chain::tests::brute_force::some_pieces;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_run_holds_exactly_the_logs_that_any_walk_would_find(pieces in some_pieces(), mark in 2_u32..18, floor in 0_u32..18) {
            let chain = Chain::build(&pieces);
            let (mark, floor) = (lsn(mark), lsn(floor));
            for carrier in 0..chain.logs.len() {
                let steps = chain.steps_to(carrier, mark, floor);
                if let Some(run) = chain.run_to(carrier, mark, floor) {
                    prop_assert_eq!(run.collect::<Vec<_>>(), steps.keys().copied().collect::<Vec<_>>());
                }
                let stands = chain.fulls.iter().chain(&chain.differentials);
                for stand in stands.filter(|stand| stand.last_lsn >= floor) {
                    let quick = chain.first_after(&chain.leading_to(carrier, mark, floor), stand);
                    let slow = chain.first_after(&Leading::Steps(steps.clone()), stand);
                    prop_assert_eq!(quick, slow);
                }
            }
        }
    }
}
