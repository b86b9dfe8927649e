//! The verdict over a group's history. Start at [`verdict`].
//!
//! Points on offer are judged by themselves. Marks that would be Points if no piece had been found damaged, or if more
//! stores held them, are judged among all: a piece that is whole again counts again, so what would need it is kept as long
//! as it would have been.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::candidates::{Candidate, Candidates};
use super::companions::fates;
use super::rules::{kept_by_time, since};
use super::running::running;
use super::{Kept, Pin, PrunedSet};
use crate::config::RetentionConfig;
use crate::model::{MarkName, MemberName, PieceId, Set, SetId, Timestamp};

/// What is known of a group, as far as keeping goes.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Every set that was published, oldest first, without what was let go.
    pub sets: &'a [Set],
    /// Pieces found damaged and not whole again since.
    pub damaged: &'a BTreeSet<PieceId>,
    /// Pieces that are whole in fewer stores than a Point asks for.
    pub short: &'a BTreeSet<PieceId>,
    /// Pieces found whole after their delivery.
    pub proven: &'a BTreeSet<PieceId>,
    /// The pins that were not taken back.
    pub pins: &'a [Pin],
    /// Marks whose drill passed.
    pub drilled: &'a BTreeSet<MarkName>,
}

/// What becomes of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Every Point, oldest first, those included that damage stands in the way of.
    pub points: Vec<PointVerdict>,
    /// Every piece, in the order of the sets.
    pub pieces: Vec<PieceVerdict>,
    /// What to let go of, set by set; empty where nothing is.
    pub let_go: Vec<PrunedSet>,
}

/// One Point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointVerdict {
    /// The mark.
    pub mark: MarkName,
    /// The set that published it.
    pub set: SetId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The group can be brought back to it now.
    pub is_offered: bool,
    /// It is offered, and every piece that it needs was read back, in part at least.
    pub is_proven: bool,
    /// The rules that keep it; empty: it is let go.
    pub kept: Vec<Kept>,
}

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceVerdict {
    /// Its set.
    pub set: SetId,
    /// The piece.
    pub piece: PieceId,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The newest kept Point that needs it.
    NeededBy(MarkName),
    /// Published with the newest Point or after it.
    New,
    /// The next backup goes on from it.
    Continued,
    /// Of no Point at all, and not older than Points are kept for by age, or what such a piece stands on: what is missing
    /// may yet come.
    Spare,
    /// Nobody needs it.
    Unneeded,
}

impl Verdict {
    /// The oldest Point that is kept.
    #[must_use]
    pub fn oldest_kept(&self) -> Option<&PointVerdict> {
        self.points.iter().find(|point| !point.kept.is_empty())
    }

    /// The Points on offer that are kept.
    pub fn kept(&self) -> impl Iterator<Item = &PointVerdict> {
        let points = self.points.iter();
        points.filter(|point| point.is_offered && !point.kept.is_empty())
    }

    /// The Points on offer that are let go.
    pub fn gone(&self) -> impl Iterator<Item = &PointVerdict> {
        let points = self.points.iter();
        points.filter(|point| point.is_offered && point.kept.is_empty())
    }

    /// Whether a kept Point is proven; else nothing may be let go.
    #[must_use]
    pub fn keeps_a_proven_point(&self) -> bool {
        self.kept().any(|point| point.is_proven)
    }
}

/// What becomes of every Point and piece. Without a policy all is kept.
#[must_use]
pub fn verdict(history: &History<'_>, policy: Option<&RetentionConfig>, now: Timestamp) -> Verdict {
    let candidates = Candidates::of(history);
    let kept = kept(&candidates.list, history, policy, now);
    let pieces = pieces(history, &candidates, &kept, (policy, now));
    let let_go = let_go(history.sets, &candidates, &kept, &pieces);
    let points = candidates.list.into_iter().zip(kept);
    let points = points.map(|(it, kept)| PointVerdict {
        mark: it.reached.mark.name.clone(),
        set: it.reached.set.id,
        placed_at: it.reached.mark.placed_at,
        is_offered: it.is_offered,
        is_proven: it.is_proven,
        kept,
    });
    Verdict {
        points: points.collect(),
        pieces,
        let_go,
    }
}

/// The rules that keep each candidate.
fn kept(
    candidates: &[Candidate<'_>],
    history: &History<'_>,
    policy: Option<&RetentionConfig>,
    now: Timestamp,
) -> Vec<Vec<Kept>> {
    let mut kept = match policy {
        Some(policy) => by_policy(candidates, history, policy, now),
        None => vec![vec![Kept::NoPolicy]; candidates.len()],
    };
    if let Some(newest) = candidates.iter().rposition(|it| it.is_offered) {
        kept[newest].insert(0, Kept::Newest);
    }
    if let Some(newest) = candidates.iter().rposition(|it| it.is_proven) {
        kept[newest].push(Kept::Proven);
    }
    for (at, member) in newest_with_members(candidates, history) {
        kept[at].push(Kept::NewestWith { member });
    }
    for pin in history.pins.iter().filter(|pin| pin.holds_at(now)) {
        let is_pinned = |it: &Candidate<'_>| it.reached.mark.name == pin.mark;
        if let Some(at) = candidates.iter().position(is_pinned) {
            kept[at].push(Kept::Pinned {
                by: pin.by.clone(),
                reason: pin.reason.clone(),
                until: pin.until,
            });
        }
    }
    kept
}

/// The newest Point with each member that the newest Point is without: a member of best effort that is away for long is
/// not to lose the last moment that it has in common with the others.
fn newest_with_members(
    candidates: &[Candidate<'_>],
    history: &History<'_>,
) -> Vec<(usize, MemberName)> {
    let mut sets = history.sets.iter().rev();
    let members = sets.find(|set| !set.is_of_companions());
    let members = members.map_or(&[][..], |set| &set.members);
    let Some(newest) = candidates.iter().rfind(|it| it.is_offered) else {
        return Vec::new();
    };
    let away = members.iter().filter(|member| !newest.has(member));
    let last = away.filter_map(|member| {
        let has = |it: &Candidate<'_>| it.is_offered && it.has(member);
        Some((candidates.iter().rposition(has)?, member.clone()))
    });
    last.collect()
}

fn by_policy(
    candidates: &[Candidate<'_>],
    history: &History<'_>,
    policy: &RetentionConfig,
    now: Timestamp,
) -> Vec<Vec<Kept>> {
    let rules_of = |is_judged: &dyn Fn(&Candidate<'_>) -> bool| {
        let judged: Vec<usize> = (0..candidates.len())
            .filter(|&at| is_judged(&candidates[at]))
            .collect();
        let times = judged.iter().map(|&at| candidates[at].judged_at());
        let rules = kept_by_time(&times.collect::<Vec<_>>(), policy, now);
        let drilled = judged
            .iter()
            .copied()
            .filter(|&at| history.drilled.contains(&candidates[at].reached.mark.name));
        let drilled: BTreeMap<usize, u32> = drilled.rev().zip(1..=policy.drilled).collect();
        let mut found: BTreeMap<usize, Vec<Kept>> = judged.into_iter().zip(rules).collect();
        for (at, nth) in drilled {
            let of = policy.drilled;
            found.entry(at).or_default().push(Kept::Drilled { nth, of });
        }
        found
    };
    let mut among_all = rules_of(&|_| true);
    among_all.extend(rules_of(&|it| it.is_offered));
    among_all.into_values().collect()
}

fn pieces(
    history: &History<'_>,
    candidates: &Candidates<'_>,
    kept: &[Vec<Kept>],
    (policy, now): (Option<&RetentionConfig>, Timestamp),
) -> Vec<PieceVerdict> {
    let needed = candidates.needed(|at| !kept[at].is_empty());
    let list = &candidates.list;
    let newest = list.iter().rfind(|it| it.is_offered);
    let newest_set = newest.map(|it| it.reached.set.id);
    let sets = history.sets.iter();
    let newest_place = sets.clone().position(|set| Some(set.id) == newest_set);
    let newest_place = newest_place.unwrap_or(0);
    let running = running(history, &candidates.sound);
    let young_since = newest
        .zip(policy)
        .map(|(newest, policy)| since(newest.judged_at(), policy.keep_for, now));
    let beside = companions(history, list, kept, policy);
    let is_young = |set: &Set| young_since.is_none_or(|since| set.made_at >= since);
    let young = sets.clone().filter(|set| is_young(set));
    let young = young.flat_map(|set| &set.pieces).map(|piece| piece.id);
    let spare: HashSet<PieceId> = match policy {
        Some(_) => young.filter(|id| !needed.contains_key(id)).collect(),
        None => HashSet::new(),
    };
    let bases = candidates.bases_of(&spare);
    let fate = |place: usize, set: &Set, piece: PieceId| match needed.get(&piece) {
        _ if set.is_of_companions() => beside.get(&piece).cloned().unwrap_or(Fate::Spare),
        Some(&Some(newest)) => Fate::NeededBy(list[newest].reached.mark.name.clone()),
        _ if place >= newest_place => Fate::New,
        _ if running.contains(&piece) => Fate::Continued,
        _ if policy.is_none() => Fate::Spare,
        _ if bases.contains(&piece) => Fate::Spare,
        Some(None) => Fate::Unneeded,
        _ if is_young(set) => Fate::Spare,
        None => Fate::Unneeded,
    };
    let all = sets.enumerate().flat_map(|(place, set)| {
        let pieces = set.pieces.iter();
        pieces.map(move |piece| (place, set, piece.id))
    });
    let verdicts = all.map(|(place, set, piece)| PieceVerdict {
        set: set.id,
        piece,
        fate: fate(place, set, piece),
    });
    verdicts.collect()
}

/// What becomes of companions; empty where all of them stay, for nobody says what may go, or no Point stands for which
/// one would be the right one.
fn companions(
    history: &History<'_>,
    candidates: &[Candidate<'_>],
    kept: &[Vec<Kept>],
    policy: Option<&RetentionConfig>,
) -> BTreeMap<PieceId, Fate> {
    let kept = candidates.iter().zip(kept).filter(|(_, it)| !it.is_empty());
    let marks = kept.map(|(it, _)| (it.reached.mark.placed_at, &it.reached.mark.name));
    let marks: Vec<_> = marks.collect();
    if policy.is_none() || marks.is_empty() {
        return BTreeMap::new();
    }
    fates(history.sets, history.damaged, &marks)
}

/// A set whose mark is let go claims it no longer once a piece goes that it would need.
fn let_go(
    sets: &[Set],
    candidates: &Candidates<'_>,
    kept: &[Vec<Kept>],
    pieces: &[PieceVerdict],
) -> Vec<PrunedSet> {
    let gone = pieces.iter().filter(|it| it.fate == Fate::Unneeded);
    let mut by_set: BTreeMap<SetId, Vec<PieceId>> = BTreeMap::new();
    for piece in gone.clone() {
        by_set.entry(piece.set).or_default().push(piece.piece);
    }
    let gone: HashSet<PieceId> = gone.map(|it| it.piece).collect();
    let has_lost = candidates.on_ways(|piece| gone.contains(&piece.id));
    let (mut keeps, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for (at, candidate) in candidates.list.iter().enumerate() {
        if !kept[at].is_empty() {
            keeps.insert(candidate.reached.set.id);
        } else if has_lost[at] {
            ends.insert(candidate.reached.set.id);
        }
    }
    let pruned = sets.iter().filter_map(|set| {
        let pieces = by_set.remove(&set.id).unwrap_or_default();
        let has_lost = !pieces.is_empty() || ends.contains(&set.id);
        let ends_mark = set.mark.is_some() && has_lost && !keeps.contains(&set.id);
        (!pieces.is_empty() || ends_mark).then_some(PrunedSet {
            set: set.id,
            pieces,
            ends_mark,
        })
    });
    pruned.collect()
}
