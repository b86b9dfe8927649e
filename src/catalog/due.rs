//! Which stored pieces are to be proven again now: those whose last proof is the oldest, within a budget.
//!
//! Start at [`due`]. Scrubbed with the same budget day by day, everything comes round.

use std::collections::BTreeMap;

use crate::model::{Piece, ProofLevel, Set, SetId, Timestamp};
use crate::world::PieceProof;

/// A piece that is due, and the set that its manifest belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    /// The set.
    pub set: SetId,
    /// The piece.
    pub piece: &'a Piece,
    /// When all of it was last known to be whole or found damaged; none where its bytes were never read back.
    pub last: Option<Timestamp>,
}

/// The pieces to be proven, those never read back first, then those with the oldest proof. A piece is added while
/// the sum stays within the budget; the first is always there, or a large one would never be looked at.
#[must_use]
pub fn due<'a>(
    manifests: &'a [Set],
    proofs: &[PieceProof],
    budget_bytes: Option<u64>,
) -> Vec<Due<'a>> {
    let proofs: BTreeMap<_, _> = proofs.iter().map(|proof| (proof.piece, proof.at)).collect();
    let mut all: Vec<Due<'_>> = Vec::new();
    for set in manifests {
        all.extend(set.pieces.iter().map(|piece| {
            let at_delivery = (piece.proof == Some(ProofLevel::Whole)).then_some(set.made_at);
            Due {
                set: set.id,
                piece,
                last: proofs.get(&piece.id).copied().or(at_delivery),
            }
        }));
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
    use crate::model::{PieceId, PieceKind, RunId, SetKind, Sha256Digest, StoredStripe};

    fn piece(id: u128, size_bytes: u64, proof: Option<ProofLevel>) -> Piece {
        Piece {
            stripes: vec![StoredStripe {
                key: id.to_string(),
                size_bytes,
                chunk_size_bytes: 8 << 20,
                root: Sha256Digest([0; 32]),
                sha256: None,
                segment_size_bytes: None,
            }],
            proof,
            ..samples::piece(id, PieceKind::Log, 1, 2)
        }
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
            best_effort: Vec::new(),
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
            at: Timestamp::from_millis(15),
            is_whole: true,
        };
        let ids = |budget| {
            let due = due(&sets, &[again], budget).into_iter();
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
        let first = due(&sets, &[], Some(100));
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].piece.id.0.as_u128(), 1);
    }
}
