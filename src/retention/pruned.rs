//! What a prune lets go of, and what is left of the sets. Start at [`without`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{PieceId, Set, SetId};

/// What is let go of one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedSet {
    /// The set.
    pub set: SetId,
    /// The pieces; they are offered to nobody any more, and their objects go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<PieceId>,
    /// The set claims its mark no longer: a piece that it would need is let go, here or in another set.
    pub ends_mark: bool,
}

/// Some pieces of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PiecesOf {
    /// The set.
    pub set: SetId,
    /// The pieces.
    pub pieces: Vec<PieceId>,
}

/// The sets after these prunes: without the pieces and marks that were let go, and without sets that have nothing
/// left.
#[must_use]
pub fn without(sets: Vec<Set>, pruned: &[PrunedSet]) -> Vec<Set> {
    let mut gone: BTreeMap<SetId, Vec<&PrunedSet>> = BTreeMap::new();
    for pruned in pruned {
        gone.entry(pruned.set).or_default().push(pruned);
    }
    let left = sets.into_iter().filter_map(|mut set| {
        let Some(gone) = gone.get(&set.id) else {
            return Some(set);
        };
        let is_gone = |piece: &PieceId| gone.iter().any(|it| it.pieces.contains(piece));
        set.pieces.retain(|piece| !is_gone(&piece.id));
        set.adopted.retain(|origin| !is_gone(&origin.piece));
        if gone.iter().any(|it| it.ends_mark) {
            set.mark = None;
        }
        (!set.pieces.is_empty()).then_some(set)
    });
    left.collect()
}
