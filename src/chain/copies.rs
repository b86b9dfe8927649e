//! Which stores hold which pieces whole: the fold of manifests, later copies and proofs.
//!
//! Start at [`Holdings::fold`]; [`require_copies`] asks of a Point that enough stores hold every piece of its way.

use std::collections::{BTreeMap, BTreeSet};

use super::{Break, Judged, Point};
use crate::model::{MemberName, Piece, PieceCopy, PieceId, Set, StoreName};

/// The copies of pieces, and whether each is whole as far as anybody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The stores of the configuration, the one that leads first; copies elsewhere do not count.
    stores: Vec<StoreName>,
    of: BTreeMap<PieceId, BTreeMap<PieceCopy, bool>>,
}

impl Holdings {
    /// Folds what manifests, `copied` and `proved` facts say. A proof that names no copy is of the first one in the
    /// store that leads: whoever wrote it knew one store only.
    #[must_use]
    pub fn fold(
        manifests: &[Set],
        copied: &[(PieceId, PieceCopy)],
        proofs: impl IntoIterator<Item = (PieceId, Option<PieceCopy>, bool)>,
        stores: &[StoreName],
    ) -> Self {
        let only = PieceCopy::first(stores.first().cloned().unwrap_or_default());
        let mut holdings = Self {
            stores: stores.to_vec(),
            of: BTreeMap::new(),
        };
        for piece in manifests.iter().flat_map(|set| &set.pieces) {
            let mut copies = piece.copies();
            if copies.is_empty() {
                copies.push(only.clone());
            }
            let copies = copies.into_iter().map(|copy| (copy, true));
            holdings.of.entry(piece.id).or_default().extend(copies);
        }
        for (piece, copy) in copied {
            holdings.set(*piece, copy.clone(), true);
        }
        for (piece, copy, is_whole) in proofs {
            holdings.set(piece, copy.unwrap_or_else(|| only.clone()), is_whole);
        }
        holdings
    }

    fn set(&mut self, piece: PieceId, copy: PieceCopy, is_whole: bool) {
        self.of.entry(piece).or_default().insert(copy, is_whole);
    }

    /// The whole copies of a piece, those in the first store first.
    #[must_use]
    pub fn whole(&self, piece: PieceId) -> Vec<PieceCopy> {
        let mut whole = Vec::new();
        for store in &self.stores {
            let copies = self.in_store(piece, store).filter(|(_, whole)| *whole);
            whole.extend(copies.map(|(copy, _)| copy.clone()));
        }
        whole
    }

    /// The newest copy of a piece in each store, with whether it is whole: those that it replaced are past.
    #[must_use]
    pub fn newest(&self, piece: PieceId) -> Vec<(PieceCopy, bool)> {
        let newest = |store: &StoreName| {
            let last = self.in_store(piece, store).last();
            last.map(|(copy, is_whole)| (copy.clone(), is_whole))
        };
        self.stores.iter().filter_map(newest).collect()
    }

    /// The stores that lack a whole copy of a piece.
    #[must_use]
    pub fn lacking(&self, piece: PieceId) -> Vec<StoreName> {
        let lacks = |store: &&StoreName| !self.in_store(piece, store).any(|(_, whole)| whole);
        self.stores.iter().filter(lacks).cloned().collect()
    }

    /// The copy that a store would get next.
    #[must_use]
    pub fn next(&self, piece: PieceId, store: &StoreName) -> PieceCopy {
        let last = self.in_store(piece, store).last();
        PieceCopy {
            store: store.clone(),
            number: last.map_or(0, |(copy, _)| copy.number) + 1,
        }
    }

    fn in_store<'a>(
        &'a self,
        piece: PieceId,
        store: &'a StoreName,
    ) -> impl DoubleEndedIterator<Item = (&'a PieceCopy, bool)> {
        let copies = self.of.get(&piece).into_iter().flatten();
        copies
            .filter(move |(copy, _)| copy.store == *store)
            .map(|(copy, is_whole)| (copy, *is_whole))
    }
}

/// Of these marks only those are Points for which `wanted` stores hold every piece whole; the others say what lacks
/// where. They can be restored all the same, as long as one store has each piece.
#[must_use]
pub fn require_copies(
    mut judged: Vec<Judged>,
    sets: &[Set],
    holdings: &Holdings,
    wanted: usize,
) -> Vec<Judged> {
    let pieces = sets.iter().flat_map(|set| &set.pieces);
    let pieces: BTreeMap<PieceId, &Piece> = pieces.map(|piece| (piece.id, piece)).collect();
    for mark in &mut judged {
        let Ok(point) = &mark.verdict else {
            continue;
        };
        let breaks = lacks(point, &pieces, holdings, wanted);
        if !breaks.is_empty() {
            mark.verdict = Err(breaks);
        }
    }
    judged
}

/// The first piece of each member's way that too few stores hold.
fn lacks(
    point: &Point,
    pieces: &BTreeMap<PieceId, &Piece>,
    holdings: &Holdings,
    wanted: usize,
) -> Vec<(MemberName, Break)> {
    let lack = |id: PieceId| {
        let stores: BTreeSet<_> = holdings.whole(id).into_iter().map(|it| it.store).collect();
        let piece = pieces.get(&id)?;
        (stores.len() < wanted).then(|| Break::TooFewCopies {
            piece: id,
            piece_kind: piece.kind,
            have: stores.len(),
            wanted,
            lacking: holdings.lacking(id),
        })
    };
    let ways = point.paths.iter();
    ways.filter_map(|(member, path)| Some((member.clone(), path.pieces().find_map(lack)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chain::samples;
    use crate::model::{PieceKind, RunId, SetId, SetKind, Sha256Digest, StoredStripe, Timestamp};

    const PIECE: PieceId = PieceId(Uuid::from_u128(7));

    fn copy(text: &str) -> PieceCopy {
        text.parse().expect("a copy")
    }

    fn stores(names: &[&str]) -> Vec<StoreName> {
        names
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect()
    }

    /// One piece of two stripes; each stripe is held by these.
    fn manifest(held_by: [&[&str]; 2]) -> Set {
        let stripe = |held: &[&str]| StoredStripe {
            key: "k".to_owned(),
            size_bytes: 1,
            chunk_size_bytes: 8 << 20,
            root: Sha256Digest([0; 32]),
            sha256: None,
            segment_size_bytes: None,
            copies: held.iter().map(|text| copy(text)).collect(),
        };
        let piece = Piece {
            stripes: held_by.map(stripe).to_vec(),
            ..samples::piece(7, PieceKind::Log, 1, 2)
        };
        Set {
            id: SetId(Uuid::from_u128(1)),
            group: "payments".parse().expect("a name"),
            kind: SetKind::Log,
            run: RunId(Uuid::from_u128(1)),
            made_at: Timestamp::from_millis(0),
            mark: None,
            members: Vec::new(),
            pieces: vec![piece],
            missing: Vec::new(),
            adopted: Vec::new(),
        }
    }

    #[test]
    fn a_copy_counts_when_it_holds_every_stripe() {
        let sets = [manifest([&["main", "cloud"], &["main"]])];
        let holdings = Holdings::fold(&sets, &[], [], &stores(&["main", "cloud"]));
        assert_eq!(holdings.whole(PIECE), [copy("main")]);
        assert_eq!(holdings.lacking(PIECE), stores(&["cloud"]));
        assert_eq!(holdings.next(PIECE, &stores(&["cloud"])[0]), copy("cloud"));
    }

    #[test]
    fn a_damaged_copy_is_replaced_by_the_next_one_of_its_store() {
        let sets = [manifest([&["main", "cloud"], &["main", "cloud"]])];
        let names = stores(&["main", "cloud"]);
        let damaged = (PIECE, Some(copy("main")), false);
        let holdings = Holdings::fold(&sets, &[], [damaged.clone()], &names);
        assert_eq!(holdings.whole(PIECE), [copy("cloud")]);
        assert_eq!(holdings.next(PIECE, &names[0]), copy("main#2"));
        let healed = Holdings::fold(&sets, &[(PIECE, copy("main#2"))], [damaged], &names);
        assert_eq!(healed.whole(PIECE), [copy("main#2"), copy("cloud")]);
        assert_eq!(healed.lacking(PIECE), []);
        let newest = [(copy("main#2"), true), (copy("cloud"), true)];
        assert_eq!(healed.newest(PIECE), newest);
    }

    #[test]
    fn what_an_older_version_wrote_is_in_the_store_that_leads() {
        let sets = [manifest([&[], &[]])];
        let names = stores(&["nas", "cloud"]);
        let whole = |proofs: &[_]| {
            let proofs = proofs.iter().map(|whole| (PIECE, None, *whole));
            Holdings::fold(&sets, &[], proofs, &names).whole(PIECE)
        };
        assert_eq!(whole(&[]), [copy("nas")]);
        assert_eq!(whole(&[false]), []);
    }

    #[test]
    fn a_store_that_is_configured_no_more_holds_nothing() {
        let sets = [manifest([&["main"], &["main"]])];
        let holdings = Holdings::fold(&sets, &[], [], &stores(&["cloud"]));
        assert_eq!(holdings.whole(PIECE), []);
    }
}
