//! Steps that try marks out, or watch one. Wire types like all steps: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use super::step_mark::PlaceMark;

/// A marked transaction that nobody's Point is made of: to see whether hosts join it, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeMark {
    /// What a mark would do, under a prefix of its own.
    pub place: PlaceMark,
    /// It is committed; else it is rolled back, which proves that every host joins and nothing more.
    pub commits: bool,
}

/// Makes and starts an event session that watches what comes to a host through a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchLink {
    /// The event session's name, of this run alone.
    pub name: String,
    /// The program that the link's connections say they are.
    pub program: String,
}

/// Reads what the event session of a [`WatchLink`] saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadWatch {
    /// The event session.
    pub name: String,
    /// The program that the link's connections say they are: what they left open is looked for too.
    pub program: String,
}
