//! What the group's log says of keeping: pins, drills, what was let go, and what of that is gone.
//!
//! Pure folds over the facts, which come in the log's order. Start at [`pins`] and [`pruned`].

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{MarkName, Piece, PieceId, Set, Timestamp};
use crate::retention::{Pin, PrunedSet};
use crate::world::LogFact;

/// The pins that were not taken back and hold at this time, by mark.
#[must_use]
pub fn pins(facts: &[LogFact], now: Timestamp) -> Vec<Pin> {
    let mut pins: BTreeMap<&MarkName, &Pin> = BTreeMap::new();
    for fact in facts {
        match fact {
            LogFact::Pinned(pin) => {
                pins.insert(&pin.mark, pin);
            }
            LogFact::Unpinned { mark, .. } => {
                pins.remove(mark);
            }
            _ => {}
        }
    }
    let pins = pins.into_values().filter(|pin| pin.holds_at(now));
    pins.cloned().collect()
}

/// The marks whose newest drill passed.
#[must_use]
pub fn drilled(facts: &[LogFact]) -> BTreeSet<MarkName> {
    let mut drilled = BTreeSet::new();
    for fact in facts {
        match fact {
            LogFact::Drilled { mark, passed: true } => {
                drilled.insert(mark.clone());
            }
            LogFact::Drilled {
                mark,
                passed: false,
            } => {
                drilled.remove(mark);
            }
            _ => {}
        }
    }
    drilled
}

/// Everything that was ever let go.
#[must_use]
pub fn pruned(facts: &[LogFact]) -> Vec<PrunedSet> {
    let sets = facts.iter().filter_map(|fact| match fact {
        LogFact::Pruned { sets } => Some(sets),
        _ => None,
    });
    sets.flatten().cloned().collect()
}

/// The pieces of these published sets that were let go and are not known to be gone.
#[must_use]
pub fn unremoved(published: Vec<Set>, facts: &[LogFact]) -> Vec<Piece> {
    let pruned = pruned(facts);
    let mut open: BTreeSet<PieceId> = pruned.into_iter().flat_map(|set| set.pieces).collect();
    for fact in facts {
        if let LogFact::Removed { pieces } = fact {
            pieces.iter().for_each(|piece| {
                open.remove(piece);
            });
        }
    }
    let pieces = published.into_iter().flat_map(|set| set.pieces);
    pieces.filter(|piece| open.contains(&piece.id)).collect()
}
