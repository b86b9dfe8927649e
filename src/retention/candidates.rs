//! Marks that are Points, or would be if no piece were damaged, and which pieces lie on their ways.
//!
//! Start at [`Candidates::of`]. A history of years has tens of millions of steps on its ways, so none of them is walked:
//! ways are runs of places, and what is asked of many ways is reckoned along the places once.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use super::History;
use crate::chain::{Chain, Reached, Way, chains, reached};
use crate::model::{MemberName, Piece, PieceId, PieceKind, ProofLevel, SetId, Timestamp};

/// One mark that is a Point, or would be if no piece were damaged.
pub(super) struct Candidate<'a> {
    pub(super) reached: Reached<'a>,
    /// The ways of members that it is without, being of best effort, because one of their pieces is damaged.
    beyond: Vec<(&'a MemberName, Way)>,
    /// Its ways lead through whole pieces.
    is_sound: bool,
    /// Enough stores hold what it needs, too: the group can be brought back to it.
    pub(super) is_offered: bool,
    pub(super) is_proven: bool,
}

/// All of them, in the order of their marks.
pub(super) struct Candidates<'a> {
    pub(super) list: Vec<Candidate<'a>>,
    /// The chains of what is whole, in which those that are sound have their ways.
    pub(super) sound: BTreeMap<&'a MemberName, Chain<'a>>,
    /// The chains of everything, in which the others have theirs.
    all: BTreeMap<&'a MemberName, Chain<'a>>,
}

/// How much later than its run's beginning a mark may be stamped.
const STAMPED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

impl Candidate<'_> {
    /// When the mark was placed, as far as rules go. Stamps rise above all before them, so that after a clock that ran ahead
    /// they are of a day to come, all of them of the same one; the run's identity still tells the time.
    pub(super) fn judged_at(&self) -> Timestamp {
        let (placed_at, run) = (self.reached.mark.placed_at, self.reached.set.run);
        let begun_at = Some(run.made_at()).filter(|_| run.tells_time());
        let earlier = begun_at.filter(|it| it.plus(STAMPED_WITHIN) < placed_at);
        earlier.unwrap_or(placed_at)
    }
}

impl<'a> Candidates<'a> {
    pub(super) fn of(history: &History<'a>) -> Self {
        let sound = chains(history.sets, history.damaged);
        let whole = reached(history.sets, history.damaged, &sound).into_iter();
        let mut list: Vec<Candidate> = whole.map(|it| Candidate::of(it, true)).collect();
        let mut all = BTreeMap::new();
        if !history.damaged.is_empty() {
            all = chains(history.sets, &BTreeSet::new());
            add_if_all_were_whole(&mut list, history, &all);
        }
        list.sort_by_key(|it| (it.reached.mark.placed_at, it.reached.set.id));
        let mut candidates = Self { list, sound, all };
        candidates.offer(history);
        candidates.prove(history);
        candidates
    }

    /// One that is sound is on offer if enough stores hold every piece that it needs.
    fn offer(&mut self, history: &History<'_>) {
        let is_short = self.on_ways(|piece| history.short.contains(&piece.id));
        for (candidate, is_short) in self.list.iter_mut().zip(is_short) {
            candidate.is_offered = candidate.is_sound && !is_short;
        }
    }

    /// One on offer is proven if some bytes at least of every piece that it needs were read back and compared.
    fn prove(&mut self, history: &History<'_>) {
        let is_unproven = self.on_ways(|piece| {
            let at_delivery = piece.proof.is_some_and(|proof| proof >= ProofLevel::Sample);
            !at_delivery && !history.proven.contains(&piece.id)
        });
        for (candidate, is_unproven) in self.list.iter_mut().zip(is_unproven) {
            candidate.is_proven = candidate.is_offered && !is_unproven;
        }
    }

    /// For each candidate whether such a piece lies on one of its ways.
    pub(super) fn on_ways(&self, is_asked: impl Fn(&Piece) -> bool) -> Vec<bool> {
        let sound = counts(&self.sound, &is_asked);
        let all = counts(&self.all, &is_asked);
        let lies = |candidate: &Candidate| {
            let chains = self.chains(candidate.is_sound);
            let counts = if candidate.is_sound { &sound } else { &all };
            let mut ways = candidate.reached.ways.iter();
            ways.any(|(member, way)| {
                let before = &counts[member];
                let mut runs = runs(&chains[member], way);
                runs.any(|run| before[run.end] > before[run.start])
            })
        };
        self.list.iter().map(lies).collect()
    }

    /// Every piece that a candidate needs, with the newest among those that count, by its place in the list.
    pub(super) fn needed(
        &self,
        is_counted: impl Fn(usize) -> bool,
    ) -> HashMap<PieceId, Option<usize>> {
        let mut needed: HashMap<PieceId, Option<usize>> = HashMap::new();
        for is_sound in [true, false] {
            let chains = self.chains(is_sound);
            for (member, on_ways) in self.runs_by_member(is_sound) {
                let pieces: Vec<&Piece> = places(&chains[member]).collect();
                let counted = on_ways.iter().filter(|(at, _)| is_counted(*at)).cloned();
                let newest_counted = highest(pieces.len(), counted.collect());
                let newest = highest(pieces.len(), on_ways);
                for (at, piece) in pieces.into_iter().enumerate() {
                    if newest[at].is_some() {
                        let known = needed.entry(piece.id).or_default();
                        *known = newest_counted[at].max(*known);
                    }
                }
            }
        }
        needed
    }

    fn runs_by_member(
        &self,
        is_sound: bool,
    ) -> BTreeMap<&'a MemberName, Vec<(usize, Range<usize>)>> {
        let chains = self.chains(is_sound);
        let mut found: BTreeMap<&MemberName, Vec<(usize, Range<usize>)>> = BTreeMap::new();
        for (at, candidate) in self.list.iter().enumerate() {
            for (member, way) in candidate.ways(is_sound) {
                let runs = runs(&chains[member], way);
                found
                    .entry(member)
                    .or_default()
                    .extend(runs.map(|run| (at, run)));
            }
        }
        found
    }

    /// The pieces that these logs and differentials need, themselves included, as far as whole ones lead to them.
    pub(super) fn bases_of(&self, asked: &HashSet<PieceId>) -> HashSet<PieceId> {
        let mut found = HashSet::new();
        let chains = self.sound.values().filter(|_| !asked.is_empty());
        for chain in chains {
            let logs = chain.logs().iter().enumerate();
            let logs = logs.filter(|(_, log)| asked.contains(&log.id));
            let ways = logs.filter_map(|(at, _)| chain.way_to_end(at));
            let on_ways = ways.flat_map(|way| runs(chain, &way).collect::<Vec<_>>());
            let on_ways: Vec<_> = on_ways.map(|run| (0, run)).collect();
            let pieces: Vec<&Piece> = places(chain).collect();
            let is_on_way = highest(pieces.len(), on_ways).into_iter();
            let held = pieces.iter().zip(is_on_way).filter(|(_, it)| it.is_some());
            found.extend(held.map(|(piece, _)| piece.id));
            let bases = pieces
                .iter()
                .filter(|piece| piece.kind == PieceKind::Differential && asked.contains(&piece.id));
            found.extend(bases.filter_map(|piece| Some(chain.full_of(piece)?.id)));
        }
        found
    }

    fn chains(&self, is_sound: bool) -> &BTreeMap<&'a MemberName, Chain<'a>> {
        if is_sound { &self.sound } else { &self.all }
    }
}

impl<'a> Candidate<'a> {
    fn of(reached: Reached<'a>, is_sound: bool) -> Self {
        Self {
            reached,
            beyond: Vec::new(),
            is_sound,
            is_offered: false,
            is_proven: false,
        }
    }

    /// Whether the member comes back with it.
    pub(super) fn has(&self, member: &MemberName) -> bool {
        self.reached.ways.iter().any(|(it, _)| *it == member)
    }

    /// Its ways through whole pieces, or those that would be ways if all were whole.
    fn ways(&self, is_sound: bool) -> &[(&'a MemberName, Way)] {
        match (is_sound == self.is_sound, is_sound) {
            (true, _) => &self.reached.ways,
            (false, true) => &[],
            (false, false) => &self.beyond,
        }
    }
}

/// Marks that would be Points if no piece were damaged, and the members that some would have then.
fn add_if_all_were_whole<'a>(
    list: &mut Vec<Candidate<'a>>,
    history: &History<'a>,
    all: &BTreeMap<&'a MemberName, Chain<'a>>,
) {
    let sound = list.iter().enumerate();
    let sound: HashMap<SetId, usize> = sound.map(|(at, it)| (it.reached.set.id, at)).collect();
    for found in reached(history.sets, &BTreeSet::new(), all) {
        let Some(&at) = sound.get(&found.set.id) else {
            list.push(Candidate::of(found, false));
            continue;
        };
        if found.ways.len() > list[at].reached.ways.len() {
            let ways = found.ways.into_iter();
            list[at].beyond = ways.filter(|(it, _)| !list[at].has(it)).collect();
        }
    }
}

/// The pieces of a chain in one line: fulls, differentials, logs.
fn places<'a>(chain: &Chain<'a>) -> impl Iterator<Item = &'a Piece> {
    let bases = chain.fulls().iter().chain(chain.differentials());
    bases.chain(chain.logs()).copied()
}

/// The parts of that line that a way holds.
fn runs(chain: &Chain<'_>, way: &Way) -> impl Iterator<Item = Range<usize>> {
    let differentials = chain.fulls().len();
    let logs = differentials + chain.differentials().len();
    let differential = way.differential.map(|at| differentials + at);
    let bases = std::iter::once(way.full).chain(differential);
    let runs = way
        .logs
        .iter()
        .map(move |run| logs + run.start..logs + run.end);
    bases.map(|at| at..at + 1).chain(runs)
}

/// How many such pieces stand before each place, and before the end.
fn counts<'a>(
    chains: &BTreeMap<&'a MemberName, Chain<'a>>,
    is_asked: impl Fn(&Piece) -> bool,
) -> BTreeMap<&'a MemberName, Vec<u32>> {
    let count = |chain: &Chain<'a>| {
        let mut counts = vec![0];
        let mut before = 0;
        for piece in places(chain) {
            before += u32::from(is_asked(piece));
            counts.push(before);
        }
        counts
    };
    let chains = chains.iter();
    chains
        .map(|(member, chain)| (*member, count(chain)))
        .collect()
}

/// For each of so many places the highest number among the runs that hold it.
fn highest(places: usize, mut runs: Vec<(usize, Range<usize>)>) -> Vec<Option<usize>> {
    runs.sort_by_key(|(_, run)| run.start);
    let mut to_come = runs.into_iter().peekable();
    let mut open: BinaryHeap<(usize, usize)> = BinaryHeap::new();
    let highest = (0..places).map(|at| {
        while let Some((number, run)) = to_come.next_if(|(_, run)| run.start <= at) {
            open.push((number, run.end));
        }
        while open.peek().is_some_and(|(_, end)| *end <= at) {
            open.pop();
        }
        open.peek().map(|(number, _)| *number)
    });
    highest.collect()
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn the_highest_number_stands_where_runs_overlap() {
        let runs = vec![(3, 1..3), (1, 0..6), (2, 2..5), (9, 7..7)];
        let found = highest(8, runs);
        let expected = [1, 3, 3, 2, 2, 1].map(Some).into_iter().chain([None, None]);
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
