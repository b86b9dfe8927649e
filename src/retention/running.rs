//! The pieces that the next backups go on from. Start at [`running`].
//!
//! A log backup continues the newest log; a differential builds on the newest full that counts. Where these stand
//! is known without asking a host, since what is newest was published last.

use std::collections::{BTreeMap, BTreeSet};

use super::History;
use crate::chain::{Chain, Path};
use crate::model::{MemberName, Piece, PieceId, PieceKind};

/// The pieces of the chains that run, of the members that the newest set names; `sound` are the chains without what
/// was found damaged.
pub(super) fn running(
    history: &History<'_>,
    sound: &BTreeMap<&MemberName, Chain<'_>>,
) -> BTreeSet<PieceId> {
    let mut pieces: BTreeMap<&MemberName, Vec<&Piece>> = BTreeMap::new();
    let members = history.sets.last().map(|set| set.members.as_slice());
    for piece in history.sets.iter().flat_map(|set| &set.pieces) {
        let is_member = members.is_some_and(|members| members.contains(&piece.member));
        if is_member && !history.damaged.contains(&piece.id) {
            pieces.entry(&piece.member).or_default().push(piece);
        }
    }
    let pieces = pieces.iter();
    pieces
        .flat_map(|(member, it)| of_member(&sound[member], it))
        .collect()
}

/// Of one member, in the order of publication.
fn of_member(chain: &Chain<'_>, pieces: &[&Piece]) -> Vec<PieceId> {
    let newest =
        |wanted: &dyn Fn(&Piece) -> bool| pieces.iter().rev().copied().find(|it| wanted(it));
    let log = newest(&|piece| piece.kind == PieceKind::Log);
    let differential = newest(&|piece| piece.kind == PieceKind::Differential);
    let full = newest(&|piece| piece.kind == PieceKind::Full);
    let base = newest(&|piece| piece.kind == PieceKind::Full && !piece.is_copy_only);
    let way = log.and_then(|log| chain.path_to_end(log.id));
    let mut found: Vec<PieceId> = way.iter().flat_map(Path::pieces).collect();
    found.extend(log.map(|piece| piece.id));
    let bases = [full, base, differential].into_iter().flatten();
    for base in bases {
        found.push(base.id);
        found.extend(chain.full_of(base).map(|full| full.id));
    }
    found
}
