//! What the group's log says of keeping: pins and drills; and where the logs of its members end.
//!
//! Folds over the facts, which come in the log's order. Start at [`pins`].

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::chain::{self, LogEnds};
use crate::error::Result;
use crate::model::{GroupName, MarkName, Timestamp};
use crate::retention::Pin;
use crate::world::{Catalog, LogFact};

/// The newest drill of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDrill {
    /// The mark of the Point that was restored.
    pub mark: MarkName,
    /// Everything that the drill asks for was found.
    pub passed: bool,
    /// When it began; none where an older version wrote of it.
    pub begun_at: Option<Timestamp>,
}

/// Where the logs of the group end, by its newest pieces, damaged ones too.
///
/// # Errors
/// Those of the catalog.
pub async fn log_ends(catalog: &dyn Catalog, group: &GroupName) -> Result<LogEnds> {
    let newest = catalog.recent(group, 1, &[]).await?;
    let damaged = catalog.damaged(group).await?;
    Ok(chain::log_ends(&newest, &damaged))
}

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

/// The newest drill; none where nobody ever held one.
#[must_use]
pub fn last_drill(facts: &[LogFact]) -> Option<LastDrill> {
    facts.iter().rev().find_map(|fact| match fact {
        LogFact::Drilled {
            mark,
            passed,
            certificate,
            ..
        } => Some(LastDrill {
            mark: mark.clone(),
            passed: *passed,
            begun_at: certificate.as_deref().and_then(begun_at),
        }),
        _ => None,
    })
}

/// A certificate is named by its run, whose id tells the time.
fn begun_at(certificate: &str) -> Option<Timestamp> {
    let run = certificate.rsplit('/').next()?.strip_suffix(".json")?;
    let stamp = run.parse::<Uuid>().ok()?.get_timestamp()?;
    let (seconds, nanos) = stamp.to_unix();
    let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
    Some(Timestamp::from_millis(
        millis + i64::from(nanos / 1_000_000),
    ))
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
    fn the_name_of_a_certificate_tells_when_its_drill_began() {
        let key = "group/drills/019e4cf2-a800-7000-8000-000000000000.json";
        let at = begun_at(key).map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some("2026-05-21T23:50:31.680Z"));
        assert_eq!(begun_at("group/drills/other.json"), None);
    }

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
        let last = last_drill(&facts).expect("one was held");
        assert_eq!(
            (last.mark.as_str(), last.passed, last.begun_at),
            ("SM_2", false, None)
        );
        assert_eq!(last_drill(&[]), None);
    }

    #[test]
    fn facts_are_written_as_they_are_read() {
        let facts: Vec<LogFact> = serde_json::from_str(FACTS).expect("facts");
        let text = serde_json::to_value(&facts).expect("written");
        let was: serde_json::Value = serde_json::from_str(FACTS).expect("JSON");
        assert_eq!(text, was);
    }
}
