//! What an event session is defined to be, and whether that makes sense.
//!
//! Start at [`EventSession`]. Definitions are records of master; `sys.server_event_sessions` shows
//! them.

use serde::{Deserialize, Serialize};

use super::happening::EVENTS;
use super::predicate;
use crate::catalog::record::{self, Record};
use crate::error::{SqlError, SqlResult};
use crate::instance::Instance;
use crate::lang::ast::{EventDefinition, EventTarget};
use crate::storage::TableId;

/// An event session as it is defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSession {
    /// `event_session_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What it listens for.
    pub events: Vec<EventDefinition>,
    /// Where it keeps what it hears.
    pub targets: Vec<EventTarget>,
    /// `WITH (..)`: names in capitals, values as text.
    pub options: Vec<(String, String)>,
}

impl Record for EventSession {
    const TABLE: TableId = TableId(17);
}

/// Packages that have what is known here.
const PACKAGES: [&str; 2] = ["sqlserver", "package0"];

/// Actions that can be collected.
pub(super) const ACTIONS: [&str; 14] = [
    "client_app_name",
    "client_hostname",
    "client_pid",
    "collect_system_time",
    "database_id",
    "database_name",
    "event_sequence",
    "is_system",
    "nt_username",
    "server_instance_name",
    "server_principal_name",
    "session_id",
    "sql_text",
    "username",
];

impl EventSession {
    /// An option's value.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `STARTUP_STATE = ON`.
    #[must_use]
    pub fn starts_up(&self) -> bool {
        self.option("STARTUP_STATE") == Some("ON")
    }

    /// Raises 25623 for names that nobody knows, 25626 for what is named twice, 25642 for a file
    /// target without its file.
    pub(super) fn check(&self) -> SqlResult<()> {
        for (at, event) in self.events.iter().enumerate() {
            check_event(event)?;
            if self.events[..at]
                .iter()
                .any(|other| other.name == event.name)
            {
                return Err(named_twice("event", &event.name));
            }
        }
        for (at, target) in self.targets.iter().enumerate() {
            check_target(target)?;
            if self.targets[..at]
                .iter()
                .any(|other| other.name == target.name)
            {
                return Err(named_twice("event target", &target.name));
            }
        }
        Ok(())
    }
}

/// The event sessions that are defined, in the order of their making.
pub(super) fn sessions(instance: &Instance) -> Vec<EventSession> {
    let all = record::all::<EventSession>(&instance.master().storage(), None);
    all.into_iter().map(|(_, session)| session).collect()
}

fn check_event(event: &EventDefinition) -> SqlResult<()> {
    let package = event
        .package
        .as_deref()
        .unwrap_or("sqlserver")
        .to_lowercase();
    if !PACKAGES.contains(&package.as_str()) {
        return Err(unknown("event package", &package));
    }
    if !EVENTS.contains(&event.name.as_str()) {
        return Err(unknown("event", &event.name));
    }
    if let Some(action) = event
        .actions
        .iter()
        .find(|a| !ACTIONS.contains(&a.as_str()))
    {
        return Err(unknown("event action", action));
    }
    event.predicate.as_ref().map_or(Ok(()), predicate::check)
}

fn check_target(target: &EventTarget) -> SqlResult<()> {
    match target.name.as_str() {
        "ring_buffer" => Ok(()),
        "event_file" | "asynchronous_file_target" => {
            let has_file = target.settings.iter().any(|(name, _)| name == "filename");
            if has_file {
                Ok(())
            } else {
                Err(attributes_missing(&target.name))
            }
        }
        other => Err(unknown("event target", other)),
    }
}

/// 25623: no such event, action, target, package or attribute.
pub(super) fn unknown(what: &str, name: &str) -> SqlError {
    let text = format!("The {what} name, \"{name}\", is invalid, or the object could not be found");
    SqlError::new(25623, 16, text)
}

fn named_twice(what: &str, name: &str) -> SqlError {
    let text = format!("The {what}, \"{name}\", was specified multiple times.");
    SqlError::new(25626, 16, text)
}

fn attributes_missing(target: &str) -> SqlError {
    let text =
        format!("Mandatory customizable attributes are missing for event target, \"{target}\".");
    SqlError::new(25642, 16, text)
}
