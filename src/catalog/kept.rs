//! What the group's log says of keeping: pins and drills.
//!
//! Pure folds over the facts, which come in the log's order. Start at [`pins`].

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{MarkName, Timestamp};
use crate::retention::Pin;
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
