//! Event sessions (Extended Events).
//!
//! Start at [`CreateEventSession`]. Events, actions and targets are named without their package's
//! GUID; predicates keep their text beside their tree, since catalog views show it.

use serde::{Deserialize, Serialize};

use super::NamedOption;

/// `CREATE EVENT SESSION`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateEventSession {
    /// The session.
    pub name: String,
    /// `ADD EVENT`.
    pub events: Vec<EventDefinition>,
    /// `ADD TARGET`.
    pub targets: Vec<EventTarget>,
    /// `WITH (..)`.
    pub options: Vec<NamedOption>,
}

/// What `ALTER EVENT SESSION` does.
#[derive(Clone, Debug, PartialEq)]
pub enum EventSessionAction {
    /// `STATE = START` (true) or `STOP`.
    State(bool),
    /// `ADD` and `DROP` of events and targets, and `WITH (..)`.
    Change {
        /// What is added, and the options that change.
        add: CreateEventSession,
        /// `DROP EVENT`, by name.
        drop_events: Vec<String>,
        /// `DROP TARGET`, by name.
        drop_targets: Vec<String>,
    },
}

/// One event of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDefinition {
    /// The package, such as `sqlserver`; none if it was not said.
    pub package: Option<String>,
    /// The event, such as `error_reported`.
    pub name: String,
    /// `ACTION (..)`: names without package.
    pub actions: Vec<String>,
    /// `WHERE`.
    pub predicate: Option<EventPredicate>,
    /// The predicate as it was written; empty without one.
    pub predicate_text: String,
}

/// A condition on an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventPredicate {
    /// `AND` of all.
    All(Vec<Self>),
    /// `OR` of all.
    Any(Vec<Self>),
    /// `NOT a`
    Not(Box<Self>),
    /// `source = value`
    Compare {
        /// The attribute or global source, in lower case, without package.
        source: String,
        /// How.
        comparison: EventComparison,
        /// With what.
        value: EventValue,
    },
}

/// How a predicate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "every variant is the operator of that name")]
pub enum EventComparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// What a predicate compares with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventValue {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// One target of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTarget {
    /// The target without package: `ring_buffer`, `event_file`.
    pub name: String,
    /// `SET name = value`, names in lower case.
    pub settings: Vec<(String, String)>,
}
