//! Points: marks to which every member can be restored. Start at [`points`]; [`judge`] also says why not.

use std::collections::BTreeMap;

use super::{Break, Chain, Path, Point};
use crate::model::{Lsn, Mark, MemberName, Piece, PieceKind, Set, SetId};

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
    let judged = sets.iter().filter_map(|set| {
        let mark = set.mark.clone()?;
        let verdict = verdict(set, &mark, &chains, members);
        Some(Judged {
            set: set.id,
            mark,
            verdict,
        })
    });
    judged.collect()
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

fn verdict(
    set: &Set,
    mark: &Mark,
    chains: &BTreeMap<&MemberName, Chain<'_>>,
    members: &[MemberName],
) -> Result<Point, Vec<(MemberName, Break)>> {
    let mut paths = BTreeMap::new();
    let mut breaks = Vec::new();
    let further = members
        .iter()
        .filter(|member| !set.members.contains(member));
    let mut lacking = Vec::new();
    for member in set.members.iter().chain(further) {
        let is_best_effort = set.best_effort.contains(member);
        match path_of(set, mark, chains.get(member), member) {
            Ok(path) => {
                paths.insert(member.clone(), path);
            }
            Err(found) if is_best_effort => lacking.push((member.clone(), found)),
            Err(found) => breaks.push((member.clone(), found)),
        }
    }
    if breaks.is_empty() && !paths.is_empty() {
        Ok(Point {
            mark: mark.clone(),
            set: set.id,
            made_at: set.made_at,
            paths,
            lacking,
        })
    } else {
        Err(breaks)
    }
}

/// Where the set holds the member's log, the mark must stand in that one; where that log was not delivered,
/// a later log may carry the mark as well.
fn path_of(
    set: &Set,
    mark: &Mark,
    chain: Option<&Chain<'_>>,
    member: &MemberName,
) -> Result<Path, Break> {
    let placed = mark.members.iter().find(|placed| placed.member == *member);
    let (Some(placed), Some(chain)) = (placed, chain) else {
        return Err(Break::MarkMissing);
    };
    let own = set.pieces.iter().find(|piece| {
        let carries = piece.first_lsn <= placed.lsn && placed.lsn < piece.last_lsn;
        piece.kind == PieceKind::Log && piece.member == *member && carries
    });
    match own {
        Some(own) => {
            chain.path_through(placed.lsn, |log| log.backup_set_guid == own.backup_set_guid)
        }
        None => match chain.path_to(placed.lsn) {
            Err(Break::MarkMissing) if chain.ends_before(placed.lsn) => Err(Break::NotYet),
            other => other,
        },
    }
}
