//! Which stored copies are to be proven again now: those whose last proof is the oldest, within a budget.
//!
//! Start at [`due`]. Scrubbed with the same budget day by day, everything comes round.

use std::collections::BTreeMap;

use crate::chain::Holdings;
use crate::model::{Piece, PieceCopy, PieceId, ProofLevel, Set, SetId, Timestamp};
use crate::world::PieceProof;

/// A copy that is due, and the set that its piece's manifest belongs to.
#[derive(Clone, Debug)]
pub struct Due<'a> {
    /// The set.
    pub set: SetId,
    /// The piece.
    pub piece: &'a Piece,
    /// The copy.
    pub copy: PieceCopy,
    /// When all of it was last known to be whole or found damaged; none where its bytes were never read back.
    pub last: Option<Timestamp>,
}

/// The copies to be proven, those never read back first, then those with the oldest proof. A copy is added while
/// the sum stays within the budget; the first is always there, or a large one would never be looked at.
#[must_use]
pub fn due<'a>(
    manifests: &'a [Set],
    proofs: &[PieceProof],
    holdings: &Holdings,
    budget_bytes: Option<u64>,
) -> Vec<Due<'a>> {
    let proofs: BTreeMap<(PieceId, Option<&PieceCopy>), Timestamp> = proofs
        .iter()
        .map(|proof| ((proof.piece, proof.copy.as_ref()), proof.at))
        .collect();
    let proven_at = |piece: PieceId, copy: &PieceCopy| {
        let own = proofs.get(&(piece, Some(copy)));
        own.or_else(|| proofs.get(&(piece, None))).copied()
    };
    let mut all: Vec<Due<'_>> = Vec::new();
    for set in manifests {
        for piece in &set.pieces {
            let at_delivery = (piece.proof == Some(ProofLevel::Whole)).then_some(set.made_at);
            let copies = holdings.newest(piece.id).into_iter();
            all.extend(copies.map(|(copy, _)| Due {
                set: set.id,
                piece,
                last: proven_at(piece.id, &copy).or(at_delivery),
                copy,
            }));
        }
    }
    all.sort_by_key(|due| due.last);
    let mut left = budget_bytes.unwrap_or(u64::MAX);
    let mut is_first = true;
    all.retain(|due| {
        let size_bytes = due.piece.size_bytes();
        let fits = is_first || size_bytes <= left;
        is_first = false;
        left = if fits {
            left.saturating_sub(size_bytes)
        } else {
            // What is due later does not overtake what is due now.
            0
        };
        fits
    });
    all
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chain::samples;
    use crate::model::{PieceKind, RunId, SetKind, Sha256Digest, StoredStripe};

    fn piece(id: u128, size_bytes: u64, proof: Option<ProofLevel>) -> Piece {
        Piece {
            stripes: vec![StoredStripe {
                key: id.to_string(),
                size_bytes,
                chunk_size_bytes: 8 << 20,
                root: Sha256Digest([0; 32]),
                sha256: None,
                segment_size_bytes: None,
            copies: Vec::new(),
            }],
            proof,
            ..samples::piece(id, PieceKind::Log, 1, 2)
        }
    }

    fn held(sets: &[Set]) -> Holdings {
        Holdings::fold(sets, &[], [], &[crate::model::StoreName::default()])
    }

    fn set(made_at: i64, pieces: Vec<Piece>) -> Set {
        Set {
            id: SetId(Uuid::from_u128(1)),
            group: "payments".parse().expect("a name"),
            kind: SetKind::Log,
            run: RunId(Uuid::from_u128(1)),
            made_at: Timestamp::from_millis(made_at),
            mark: None,
            members: Vec::new(),
            pieces,
            missing: Vec::new(),
            adopted: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_proof_comes_first_within_the_budget() {
        let whole = Some(ProofLevel::Whole);
        let sets = [
            set(10, vec![piece(1, 100, whole), piece(2, 100, None)]),
            set(20, vec![piece(3, 100, whole), piece(4, 500, whole)]),
        ];
        let again = PieceProof {
            piece: PieceId(Uuid::from_u128(1)),
            copy: None,
            at: Timestamp::from_millis(15),
            is_whole: true,
        };
        let ids = |budget| {
            let again = std::slice::from_ref(&again);
            let due = due(&sets, again, &held(&sets), budget).into_iter();
            due.map(|due| due.piece.id.0.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(ids(None), [2, 1, 3, 4]);
        assert_eq!(ids(Some(0)), [2], "one at least");
        assert_eq!(ids(Some(300)), [2, 1, 3]);
        assert_eq!(ids(Some(799)), [2, 1, 3], "the large one has to wait");
    }

    #[test]
    fn a_large_piece_is_not_overtaken_for_ever() {
        let sets = [set(10, vec![piece(1, 500, None), piece(2, 1, None)])];
        let first = due(&sets, &[], &held(&sets), Some(100));
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].piece.id.0.as_u128(), 1);
    }
}
