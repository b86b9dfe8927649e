//! Points: marks to which every member can be restored. Start at [`points`]; [`judge`] also says why not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Break, Chain, Path, Point};
use crate::model::{Lsn, Mark, MemberName, Piece, PieceId, PieceKind, ProofLevel, Set, SetId};

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
    let chains = chains(sets);
    let ask = |member: &MemberName, carrier| {
        Ok::<_, std::convert::Infallible>(way(chains.get(member), carrier))
    };
    let judged = sets.iter().filter_map(|set| {
        let Ok(judged) = judge_by(set, members, ask);
        judged
    });
    judged.collect()
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
    let Some(mark) = set.mark.clone() else {
        return Ok(None);
    };
    let mut paths = BTreeMap::new();
    let (mut breaks, mut lacking) = (Vec::new(), Vec::new());
    let further = members.iter().filter(|it| !set.members.contains(it));
    for member in set.members.iter().chain(further) {
        let found = match mark.members.iter().find(|placed| placed.member == *member) {
            Some(placed) => {
                let carrier = Carrier {
                    mark: placed.lsn,
                    fork: placed.fork_guid,
                    own: own_log(set, member, placed.lsn),
                };
                ask(member, carrier)?
            }
            None => Err(Break::MarkMissing),
        };
        match found {
            Ok(path) => {
                paths.insert(member.clone(), path);
            }
            Err(found) if set.best_effort.contains(member) => {
                lacking.push((member.clone(), found));
            }
            Err(found) => breaks.push((member.clone(), found)),
        }
    }
    let verdict = if breaks.is_empty() && !paths.is_empty() {
        Ok(Point {
            mark: mark.clone(),
            set: set.id,
            made_at: set.made_at,
            paths,
            lacking,
        })
    } else {
        Err(breaks)
    };
    Ok(Some(Judged {
        set: set.id,
        mark,
        verdict,
    }))
}

/// A member's way to a mark.
fn way(chain: Option<&Chain<'_>>, carrier: Carrier) -> Result<Path, Break> {
    let chain = chain.ok_or(Break::MarkMissing)?;
    chain.path_through(carrier.mark, |log| carries(log, carrier))
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
fn own_log(set: &Set, member: &MemberName, mark: Lsn) -> Option<Uuid> {
    let own = set.pieces.iter().find(|piece| {
        let carries = piece.first_lsn <= mark && mark < piece.last_lsn;
        piece.kind == PieceKind::Log && piece.member == *member && carries
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

fn chains(sets: &[Set]) -> BTreeMap<&MemberName, Chain<'_>> {
    let mut pieces: BTreeMap<&MemberName, Vec<&Piece>> = BTreeMap::new();
    for piece in sets.iter().flat_map(|set| &set.pieces) {
        pieces.entry(&piece.member).or_default().push(piece);
    }
    let chains = pieces.into_iter();
    chains
        .map(|(member, pieces)| (member, Chain::build(pieces)))
        .collect()
}
