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
            LogFact::Drilled {
                mark, passed: true, ..
            } => {
                drilled.insert(mark.clone());
            }
            LogFact::Drilled {
                mark,
                passed: false,
                ..
            } => {
                drilled.remove(mark);
            }
            _ => {}
        }
    }
    drilled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The facts as they stand in groups' logs, for ever readable.
    const FACTS: &str = r#"[
        {"fact": "pinned", "mark": "SM_1", "reason": "audit", "by": "ada", "until": "2026-11-22T00:00:00.000Z"},
        {"fact": "pinned", "mark": "SM_2", "reason": "audit", "by": "ada"},
        {"fact": "pinned", "mark": "SM_3", "reason": "audit", "by": "ada"},
        {"fact": "unpinned", "mark": "SM_3", "by": "bob"},
        {"fact": "drilled", "mark": "SM_1", "passed": true},
        {"fact": "drilled", "mark": "SM_2", "passed": true},
        {"fact": "drilled", "mark": "SM_2", "passed": false},
        {"fact": "pruned", "sets": [
            {"set": "0193a000-0000-7000-8000-000000000001", "ends_mark": true},
            {"set": "0193a000-0000-7000-8000-000000000002", "ends_mark": false,
             "pieces": ["0193a000-0000-7000-8000-000000000003"]}]},
        {"fact": "removed", "sets": [
            {"set": "0193a000-0000-7000-8000-000000000002",
             "pieces": ["0193a000-0000-7000-8000-000000000003"]}]}
    ]"#;

    #[test]
    fn pins_and_drills_are_what_was_said_last() {
        let facts: Vec<LogFact> = serde_json::from_str(FACTS).expect("facts");
        let pinned = |text: &str| {
            let pins = pins(&facts, text.parse().expect("an instant"));
            let marks = pins.iter().map(|pin| pin.mark.to_string());
            marks.collect::<Vec<_>>()
        };
        assert_eq!(pinned("2026-11-21T23:59:59.999Z"), ["SM_1", "SM_2"]);
        assert_eq!(pinned("2026-11-22T00:00:00.000Z"), ["SM_2"]);
        let drilled: Vec<String> = drilled(&facts).iter().map(MarkName::to_string).collect();
        assert_eq!(drilled, ["SM_1"]);
    }

    #[test]
    fn facts_are_written_as_they_are_read() {
        let facts: Vec<LogFact> = serde_json::from_str(FACTS).expect("facts");
        let text = serde_json::to_value(&facts).expect("written");
        let was: serde_json::Value = serde_json::from_str(FACTS).expect("JSON");
        assert_eq!(text, was);
    }
}
