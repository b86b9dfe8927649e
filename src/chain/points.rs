//! Points: marks to which every member can be restored. Start at [`points`]; [`judge`] also says why not.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Break, Chain, Path, Point, Way};
use crate::model::{
    Lsn, Mark, MemberMark, MemberName, Piece, PieceId, PieceKind, ProofLevel, Set, SetId,
};

/// What became of one set's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The set.
    pub set: SetId,
    /// Its confirmed mark.
    pub mark: Mark,
    /// The Point, or every member that stands in its way with the reason.
    pub verdict: Result<Point, Vec<(MemberName, Break)>>,
}

/// What is kept of a judgement: paths are found again when somebody goes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The mark is a Point.
    Point {
        /// The weakest proof among the pieces of its paths; none where an older version wrote one of them and
        /// did not say.
        weakest_proof: Option<ProofLevel>,
        /// Members of best effort that it is without, with the reason.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<(MemberName, Break)>,
    },
    /// It is none.
    NoPoint {
        /// Every member that stands in its way, with the reason.
        breaks: Vec<(MemberName, Break)>,
    },
}

/// The way of one member's pieces to a mark at this LSN of its log.
///
/// # Errors
/// The break that is nearest to the mark.
pub fn restore_path<'a>(
    pieces: impl IntoIterator<Item = &'a Piece>,
    mark: Lsn,
) -> Result<Path, Break> {
    Chain::build(pieces).path_to(mark)
}

/// The marks to which every member can be restored from delivered pieces, oldest set first. A set's members
/// are those of the group when its round was planned; `members` asks for these as well (empty: for no others).
#[must_use]
pub fn points(sets: &[Set], members: &[MemberName]) -> Vec<Point> {
    let judged = judge(sets, members);
    judged
        .into_iter()
        .filter_map(|it| it.verdict.ok())
        .collect()
}

/// Every set that has a confirmed mark, oldest first, with its Point or what stands in its way.
#[must_use]
pub fn judge(sets: &[Set], members: &[MemberName]) -> Vec<Judged> {
    let chains = chains(sets, &BTreeSet::new());
    let ask = |member: &MemberName, carrier| {
        let chain = chains.get(member).ok_or(Break::MarkMissing);
        let path = chain.and_then(|chain| Ok(chain.path(&way(chain, carrier)?)));
        Ok::<_, Infallible>(path)
    };
    let judged = sets.iter().filter_map(|set| {
        let Ok(judged) = judge_by(set, members, ask);
        judged
    });
    judged.collect()
}

/// A mark to which every member can be restored, each member's way by its places in the member's chain.
#[derive(Clone, Debug)]
pub struct Reached<'a> {
    /// The set that published it.
    pub set: &'a Set,
    /// The mark.
    pub mark: &'a Mark,
    /// Each member's way.
    pub ways: Vec<(&'a MemberName, Way)>,
}

/// Like [`points`] of the sets without the pieces in `lost`, for histories that are too long for paths: a way takes
/// the same room whatever it leads through. `chains` are those that [`chains`] builds of the same.
#[must_use]
pub fn reached<'a>(
    sets: &'a [Set],
    lost: &BTreeSet<PieceId>,
    chains: &BTreeMap<&'a MemberName, Chain<'a>>,
) -> Vec<Reached<'a>> {
    let reached = sets.iter().filter_map(|set| {
        let mark = set.mark.as_ref()?;
        let Ok(answers) = answers(set, mark, &[], |placed, member| {
            let chain = chains.get(member).ok_or(Break::MarkMissing);
            Ok::<_, Infallible>(chain.and_then(|it| way(it, carrier(set, placed, lost))))
        });
        let ways = answers.is_point().then_some(answers.ways)?;
        Some(Reached { set, mark, ways })
    });
    reached.collect()
}

/// Each member's chain, without the pieces in `lost`.
#[must_use]
pub fn chains<'a>(
    sets: &'a [Set],
    lost: &BTreeSet<PieceId>,
) -> BTreeMap<&'a MemberName, Chain<'a>> {
    let mut pieces: BTreeMap<&MemberName, Vec<&Piece>> = BTreeMap::new();
    let held = sets.iter().flat_map(|set| &set.pieces);
    for piece in held.filter(|piece| !lost.contains(&piece.id)) {
        pieces.entry(&piece.member).or_default().push(piece);
    }
    let chains = pieces.into_iter();
    chains
        .map(|(member, pieces)| (member, Chain::build(pieces)))
        .collect()
}

/// The log that a mark must stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Where the mark stands.
    pub mark: Lsn,
    /// The fork that it was placed on, where that is known.
    pub fork: Option<Uuid>,
    /// The backup, where it is a certain one.
    pub own: Option<Uuid>,
}

/// One set's mark, each member's way asked for where its chain is: with what must carry the mark in the member's log
/// (`way` answers that for a chain). None where the set has no
/// mark.
///
/// # Errors
/// Those of `ask`.
pub fn judge_by<E>(
    set: &Set,
    members: &[MemberName],
    mut ask: impl FnMut(&MemberName, Carrier) -> Result<Result<Path, Break>, E>,
) -> Result<Option<Judged>, E> {
    let Some(mark) = &set.mark else {
        return Ok(None);
    };
    let none = BTreeSet::new();
    let answers = answers(set, mark, members, |placed, member| {
        ask(member, carrier(set, placed, &none))
    })?;
    let verdict = if answers.is_point() {
        let paths = answers.ways.into_iter();
        Ok(Point {
            mark: mark.clone(),
            set: set.id,
            made_at: set.made_at,
            paths: paths.map(|(it, path)| (it.clone(), path)).collect(),
            lacking: answers.lacking,
        })
    } else {
        Err(answers.breaks)
    };
    Ok(Some(Judged {
        set: set.id,
        mark: mark.clone(),
        verdict,
    }))
}

/// What the chains of a set's members said of its mark.
struct Answers<'a, W> {
    ways: Vec<(&'a MemberName, W)>,
    breaks: Vec<(MemberName, Break)>,
    lacking: Vec<(MemberName, Break)>,
}

impl<W> Answers<'_, W> {
    fn is_point(&self) -> bool {
        self.breaks.is_empty() && !self.ways.is_empty()
    }
}

/// Asks for the members of the set's round, and for `further` ones.
fn answers<'a, W, E>(
    set: &'a Set,
    mark: &Mark,
    further: &'a [MemberName],
    mut ask: impl FnMut(&MemberMark, &'a MemberName) -> Result<Result<W, Break>, E>,
) -> Result<Answers<'a, W>, E> {
    let mut answers = Answers {
        ways: Vec::new(),
        breaks: Vec::new(),
        lacking: Vec::new(),
    };
    let further = further.iter().filter(|it| !set.members.contains(it));
    for member in set.members.iter().chain(further) {
        let found = match mark.members.iter().find(|placed| placed.member == *member) {
            Some(placed) => ask(placed, member)?,
            None => Err(Break::MarkMissing),
        };
        match found {
            Ok(way) => answers.ways.push((member, way)),
            Err(found) if set.best_effort.contains(member) => {
                answers.lacking.push((member.clone(), found));
            }
            Err(found) => answers.breaks.push((member.clone(), found)),
        }
    }
    Ok(answers)
}

fn carrier(set: &Set, placed: &MemberMark, lost: &BTreeSet<PieceId>) -> Carrier {
    Carrier {
        mark: placed.lsn,
        fork: placed.fork_guid,
        own: own_log(set, placed, lost),
    }
}

/// A member's way to a mark.
fn way(chain: &Chain<'_>, carrier: Carrier) -> Result<Way, Break> {
    chain.way_through(carrier.mark, |log| carries(log, carrier))
}

/// Whether a mark may stand in this log, which covers its LSN.
#[must_use]
pub fn carries(log: &Piece, carrier: Carrier) -> bool {
    let is_own = carrier.own.is_none_or(|own| own == log.backup_set_guid);
    is_own
        && carrier
            .fork
            .is_none_or(|fork| may_be_on(log, carrier.mark, fork))
}

/// Whether the record at this place of a log may be on this fork: a forced failover that lost a mark writes other
/// records at the LSNs from its fork point on. Of a log that runs through more than two forks only the last is known.
fn may_be_on(log: &Piece, at: Lsn, fork: Uuid) -> bool {
    let is_last = fork == log.last_fork_guid;
    match log.fork_point_lsn {
        Some(point) => is_last == (at >= point),
        None => is_last || log.first_fork_guid != log.last_fork_guid,
    }
}

/// Where the set holds the member's log, the mark must stand in that one; where that log was not delivered,
/// a later log may carry the mark as well.
fn own_log(set: &Set, placed: &MemberMark, lost: &BTreeSet<PieceId>) -> Option<Uuid> {
    let own = set.pieces.iter().find(|piece| {
        let carries = piece.first_lsn <= placed.lsn && placed.lsn < piece.last_lsn;
        let is_own = piece.kind == PieceKind::Log && piece.member == placed.member;
        carries && is_own && !lost.contains(&piece.id)
    });
    own.map(|own| own.backup_set_guid)
}

/// The weakest proof among the pieces of all ways to a point; none where one of them has none.
#[must_use]
pub fn weakest_proof(
    point: &Point,
    proof_of: impl Fn(PieceId) -> Option<ProofLevel>,
) -> Option<ProofLevel> {
    let pieces = point.paths.values().flat_map(Path::pieces);
    let levels: Option<Vec<ProofLevel>> = pieces.map(proof_of).collect();
    levels?.into_iter().min()
}
