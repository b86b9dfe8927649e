//! What an adopted backup does for its chain, in words for people. Start at [`tell`].
//!
//! The chain's own rules decide; nothing is adopted or refused here.

use std::collections::BTreeMap;

use super::AdoptPiece;
use crate::chain::{Chain, Link};
use crate::model::{MemberName, Piece, PieceId, PieceKind};
use crate::plan::CatalogView;
use crate::survey::{MemberFacts, Survey};

/// Says of every step what it is for.
pub(super) fn tell(have: &CatalogView, survey: &Survey, steps: &mut [AdoptPiece]) {
    let mut adopted: BTreeMap<&MemberName, Vec<&Piece>> = BTreeMap::new();
    for step in steps.iter() {
        let pieces = adopted.entry(&step.piece.member).or_default();
        pieces.push(&step.piece);
    }
    let reasons: BTreeMap<PieceId, String> = adopted
        .into_iter()
        .flat_map(|(member, adopted)| reasons(have, survey.member(member), member, &adopted))
        .collect();
    for step in steps {
        if let Some(reason) = reasons.get(&step.piece.id) {
            step.reason.clone_from(reason);
        }
    }
}

fn reasons(
    have: &CatalogView,
    facts: Option<&MemberFacts>,
    member: &MemberName,
    adopted: &[&Piece],
) -> Vec<(PieceId, String)> {
    let held: Vec<&Piece> = have.pieces(member).collect();
    let before = Chain::build(held.iter().copied());
    let after = Chain::build(held.iter().copied().chain(adopted.iter().copied()));
    let change = Change {
        links: after.links(),
        unreached: unreached(&before),
        had_a_chain: before.has_full(),
        heals_at: facts.and_then(|facts| {
            let next = facts.last_log_backup_lsn?;
            let fork = facts.recovery_fork_guid;
            let is_mended =
                !before.is_continued_at(next, fork) && after.is_continued_at(next, fork);
            is_mended.then_some(next)
        }),
        after: &after,
    };
    let told = adopted.iter().map(|piece| (piece.id, change.of(piece)));
    told.collect()
}

fn unreached(chain: &Chain<'_>) -> Vec<PieceId> {
    let links = chain.links().into_iter();
    links
        .filter(|link| !link.is_reached)
        .map(|link| link.log.id)
        .collect()
}

/// A member's chain with what is adopted, beside what it was.
struct Change<'a> {
    after: &'a Chain<'a>,
    links: Vec<Link<'a>>,
    /// Held logs to which nothing led.
    unreached: Vec<PieceId>,
    /// Something was held of the member before.
    had_a_chain: bool,
    /// Where the next log backup begins, if only now something leads there.
    heals_at: Option<crate::model::Lsn>,
}

impl Change<'_> {
    fn of(&self, piece: &Piece) -> String {
        match piece.kind {
            PieceKind::Full => format!("restores can begin with it, from LSN {}", piece.last_lsn),
            PieceKind::Differential if self.after.full_of(piece).is_some() => {
                format!(
                    "its full is at hand: restores can go on from LSN {}",
                    piece.last_lsn
                )
            }
            PieceKind::Differential => {
                "its full is not at hand, so nothing can use it yet".to_owned()
            }
            PieceKind::Log => self.of_log(piece),
        }
    }

    fn of_log(&self, log: &Piece) -> String {
        let (first, last) = (log.first_lsn, log.last_lsn);
        let is_reached = |link: &Link<'_>| link.log.id == log.id && link.is_reached;
        if !self.links.iter().any(is_reached) {
            return format!("a gap is before it: nothing leads to LSN {first} yet");
        }
        if self
            .heals_at
            .is_some_and(|next| first < next && next <= last)
        {
            let heals = if self.had_a_chain {
                "heals the chain: "
            } else {
                ""
            };
            return format!("{heals}the next log backup begins where it ends, at LSN {last}");
        }
        let mends = |link: &Link<'_>| {
            let follows = first < link.log.first_lsn && link.log.first_lsn <= last;
            follows && link.is_reached && self.unreached.contains(&link.log.id)
        };
        if self.links.iter().any(mends) {
            return format!("closes the gap from LSN {first} to {last}");
        }
        format!("goes on from LSN {first} to {last}")
    }
}
