//! Which stores hold a piece whole: what its manifest says, and what was found or made since.
//!
//! Start at [`Copies::of`]. No store is asked here, and nothing says what is to be done about a copy that lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::Break;
use crate::model::{Piece, PieceCopy, StoreName};

/// The copies of one piece, and whether each is whole as far as anybody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// The stores that count, the one that leads first.
    stores: Vec<StoreName>,
    of: BTreeMap<PieceCopy, bool>,
}

impl Copies {
    /// The copies that were whole at delivery. Where an older version wrote the manifest there is one, in the store
    /// that leads. Only copies in these stores count; no stores: wherever there are some.
    #[must_use]
    pub fn of(piece: &Piece, stores: &[StoreName]) -> Self {
        let mut copies = piece.copies();
        if copies.is_empty() {
            copies.push(only(stores));
        }
        let mut seen = BTreeSet::new();
        let own = copies.iter().map(|copy| copy.store.clone());
        let own = own.filter(|store| seen.insert(store.clone())).collect();
        Self {
            stores: if stores.is_empty() {
                own
            } else {
                stores.to_vec()
            },
            of: copies.into_iter().map(|copy| (copy, true)).collect(),
        }
    }

    /// What was found later, or made. A fact that names no copy is of the only one that its writer knew.
    pub fn note(&mut self, copy: Option<PieceCopy>, is_whole: bool) {
        let copy = copy.unwrap_or_else(|| only(&self.stores));
        self.of.insert(copy, is_whole);
    }

    /// The whole copies, those in the first store first.
    #[must_use]
    pub fn whole(&self) -> Vec<PieceCopy> {
        let mut whole = Vec::new();
        for store in &self.stores {
            let copies = self.in_store(store).filter(|(_, is_whole)| *is_whole);
            whole.extend(copies.map(|(copy, _)| copy.clone()));
        }
        whole
    }

    /// Every copy that was ever made, whole or not.
    #[must_use]
    pub fn all(&self) -> Vec<PieceCopy> {
        self.of.keys().cloned().collect()
    }

    /// The newest copy in each store, with whether it is whole: those that it replaced are past.
    #[must_use]
    pub fn newest(&self) -> Vec<(PieceCopy, bool)> {
        let newest = |store: &StoreName| {
            let last = self.in_store(store).last();
            last.map(|(copy, is_whole)| (copy.clone(), is_whole))
        };
        self.stores.iter().filter_map(newest).collect()
    }

    /// The copy that each store without a whole one would get next.
    #[must_use]
    pub fn lacking(&self) -> Vec<PieceCopy> {
        let lacks = |store: &&StoreName| !self.in_store(store).any(|(_, is_whole)| is_whole);
        let next = |store: &StoreName| PieceCopy {
            store: store.clone(),
            number: self
                .in_store(store)
                .last()
                .map_or(0, |(copy, _)| copy.number)
                + 1,
        };
        self.stores.iter().filter(lacks).map(next).collect()
    }

    /// Why a Point may not need the piece: fewer stores than `wanted` hold it whole.
    #[must_use]
    pub fn too_few(&self, piece: &Piece, wanted: usize) -> Option<Break> {
        let lacking: Vec<StoreName> = self.lacking().into_iter().map(|it| it.store).collect();
        let have = self.stores.len() - lacking.len();
        (have < wanted).then(|| Break::TooFewCopies {
            piece: piece.id,
            piece_kind: piece.kind,
            have,
            wanted,
            lacking,
        })
    }

    fn in_store<'a>(
        &'a self,
        store: &'a StoreName,
    ) -> impl DoubleEndedIterator<Item = (&'a PieceCopy, bool)> {
        let copies = self.of.iter().filter(move |(copy, _)| copy.store == *store);
        copies.map(|(copy, is_whole)| (copy, *is_whole))
    }
}

/// The first copy in the store that leads.
fn only(stores: &[StoreName]) -> PieceCopy {
    PieceCopy::first(stores.first().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::samples;
    use crate::model::{PieceKind, Sha256Digest, StoredStripe};

    fn copy(text: &str) -> PieceCopy {
        text.parse().expect("a copy")
    }

    fn stores(names: &[&str]) -> Vec<StoreName> {
        let names = names.iter();
        names.map(|name| name.parse().expect("a name")).collect()
    }

    /// A piece of two stripes; each stripe is held by these.
    fn piece(held_by: [&[&str]; 2]) -> Piece {
        let stripe = |held: &[&str]| StoredStripe {
            key: "k".to_owned(),
            size_bytes: 1,
            chunk_size_bytes: 8 << 20,
            root: Sha256Digest([0; 32]),
            sha256: None,
            segment_size_bytes: None,
            sealed: None,
            copies: held.iter().map(|text| copy(text)).collect(),
        };
        Piece {
            stripes: held_by.map(stripe).to_vec(),
            ..samples::piece(7, PieceKind::Log, 1, 2)
        }
    }

    #[test]
    fn a_copy_counts_when_it_holds_every_stripe() {
        let piece = piece([&["main", "cloud"], &["main"]]);
        let copies = Copies::of(&piece, &stores(&["main", "cloud"]));
        assert_eq!(copies.whole(), [copy("main")]);
        assert_eq!(copies.lacking(), [copy("cloud")]);
        let few = copies.too_few(&piece, 2).expect("one of two").to_string();
        assert_eq!(few, "its log is held in 1 of 2 copies; missing in `cloud`");
        assert_eq!(copies.too_few(&piece, 1), None);
    }

    #[test]
    fn a_damaged_copy_is_replaced_by_the_next_one_of_its_store() {
        let piece = piece([&["main", "cloud"], &["main", "cloud"]]);
        let mut copies = Copies::of(&piece, &stores(&["main", "cloud"]));
        copies.note(Some(copy("main")), false);
        assert_eq!(copies.whole(), [copy("cloud")]);
        assert_eq!(copies.lacking(), [copy("main#2")]);
        copies.note(Some(copy("main#2")), true);
        assert_eq!(copies.whole(), [copy("main#2"), copy("cloud")]);
        assert_eq!(copies.lacking(), []);
        let newest = [(copy("main#2"), true), (copy("cloud"), true)];
        assert_eq!(copies.newest(), newest);
    }

    #[test]
    fn what_an_older_version_wrote_is_in_the_store_that_leads() {
        let mut copies = Copies::of(&piece([&[], &[]]), &stores(&["nas", "cloud"]));
        assert_eq!(copies.whole(), [copy("nas")]);
        copies.note(None, false);
        assert_eq!(copies.whole(), []);
    }

    #[test]
    fn a_store_that_is_configured_no_more_holds_nothing() {
        let piece = piece([&["main"], &["main"]]);
        assert_eq!(Copies::of(&piece, &stores(&["cloud"])).whole(), []);
        assert_eq!(Copies::of(&piece, &[]).whole(), [copy("main")]);
    }
}
