//! `CREATE`, `ALTER` and `DROP EVENT SESSION`.
//!
//! Start at [`Session::event_session`].

use super::EventSession;
use super::definition::sessions;
use crate::catalog::record;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{CreateEventSession, EventSessionAction, NamedOption, StatementKind};
use crate::link::server::same;
use crate::messages;
use crate::session::Session;

impl Session {
    /// The three statements; 15247 without ALTER ANY EVENT SESSION.
    pub(crate) fn event_session(&mut self, kind: &StatementKind) -> SqlResult<()> {
        self.require_server("ALTER ANY EVENT SESSION")?;
        match kind {
            StatementKind::CreateEventSession(create) => self.create_event_session(create),
            StatementKind::AlterEventSession { name, action } => {
                let session = self.needed_event_session(name, "alter")?;
                self.alter_event_session(session, action)
            }
            StatementKind::DropEventSession { name } => {
                let session = self.needed_event_session(name, "drop")?;
                self.instance.events.stop(&session.name);
                self.keep_event_session(&session.name, None)
            }
            _ => Ok(()),
        }
    }

    fn create_event_session(&self, create: &CreateEventSession) -> SqlResult<()> {
        let known = sessions(&self.instance);
        if known
            .iter()
            .any(|session| same(&session.name, &create.name))
        {
            return Err(already_exists(&create.name));
        }
        let last = known.iter().map(|session| session.id).max();
        let session = EventSession {
            id: last.map_or(FIRST_ID, |last| last + 1),
            name: create.name.clone(),
            events: create.events.clone(),
            targets: create.targets.clone(),
            options: self.event_options(&create.options)?,
        };
        session.check()?;
        self.keep_event_session(&session.name, Some(&session))
    }

    fn alter_event_session(
        &self,
        mut session: EventSession,
        action: &EventSessionAction,
    ) -> SqlResult<()> {
        let events = &self.instance.events;
        let is_running = events.is_running(&session.name);
        match action {
            EventSessionAction::State(true) if is_running => Err(already_started()),
            EventSessionAction::State(true) => events.start(&self.instance, session),
            EventSessionAction::State(false) if !is_running => Err(already_stopped()),
            EventSessionAction::State(false) => {
                events.stop(&session.name);
                Ok(())
            }
            EventSessionAction::Change {
                add,
                drop_events,
                drop_targets,
            } => {
                for name in drop_events {
                    let name = name.to_lowercase();
                    remove(&mut session.events, "event", &name, |event| {
                        event.name == name
                    })?;
                }
                for name in drop_targets {
                    let name = name.to_lowercase();
                    let targets = &mut session.targets;
                    remove(targets, "event target", &name, |target| target.name == name)?;
                }
                session.events.extend(add.events.iter().cloned());
                session.targets.extend(add.targets.iter().cloned());
                for (name, value) in self.event_options(&add.options)? {
                    session.options.retain(|(known, _)| *known != name);
                    session.options.push((name, value));
                }
                session.check()?;
                events.change(&self.instance, &session)?;
                self.keep_event_session(&session.name, Some(&session))
            }
        }
    }

    /// Options as text, in capitals; 25702 for one that is said twice, 25706 for an unknown one.
    fn event_options(&self, options: &[NamedOption]) -> SqlResult<Vec<(String, String)>> {
        let mut read: Vec<(String, String)> = Vec::new();
        for option in options {
            if !OPTIONS.contains(&option.name.as_str()) {
                return Err(unknown_option(&option.name));
            }
            if read.iter().any(|(name, _)| *name == option.name) {
                return Err(option_twice(&option.name));
            }
            let value = option
                .values
                .first()
                .map(|value| self.text(value))
                .transpose()?;
            let value = value.flatten().unwrap_or_default().to_uppercase();
            read.push((option.name.clone(), value));
        }
        Ok(read)
    }

    fn needed_event_session(&self, name: &str, verb: &str) -> SqlResult<EventSession> {
        let all = sessions(&self.instance);
        let found = all.into_iter().find(|session| same(&session.name, name));
        found.ok_or_else(|| messages::principal_not_found(verb, "event session", name))
    }

    fn keep_event_session(&self, name: &str, session: Option<&EventSession>) -> SqlResult<()> {
        self.instance.change_quietly(|master, tx| {
            let known = record::all::<EventSession>(master, Some(tx)).into_iter();
            let mut known = known
                .filter(|(_, known)| same(&known.name, name))
                .map(|(row, _)| row);
            match (known.next(), session) {
                (Some(row), Some(session)) => record::replace(master, tx, row, session),
                (None, Some(session)) => record::add(master, tx, session).map(drop),
                (Some(row), None) => record::remove::<EventSession>(master, tx, row),
                (None, None) => Ok(()),
            }
        })
    }
}

/// Numbers below belong to the sessions that a real server brings along.
const FIRST_ID: i32 = 65536;

/// What `WITH` may say.
const OPTIONS: [&str; 8] = [
    "MAX_MEMORY",
    "EVENT_RETENTION_MODE",
    "MAX_DISPATCH_LATENCY",
    "MAX_EVENT_SIZE",
    "MEMORY_PARTITION_MODE",
    "TRACK_CAUSALITY",
    "STARTUP_STATE",
    "MAX_DURATION",
];

fn remove<T>(from: &mut Vec<T>, what: &str, name: &str, is: impl Fn(&T) -> bool) -> SqlResult<()> {
    let place = from.iter().position(is);
    let place = place.ok_or_else(|| not_in_session(what, name))?;
    from.remove(place);
    Ok(())
}

/// 25631: the name is taken.
fn already_exists(name: &str) -> SqlError {
    let text = format!(
        "The event session, \"{name}\", already exists.  Choose a unique name for the event session."
    );
    SqlError::new(25631, 16, text)
}

/// 25653: there is nothing of this name to drop.
fn not_in_session(what: &str, name: &str) -> SqlError {
    let text = format!(
        "The {what}, \"{name}\", does not exist in the event session. Object cannot be dropped from \
         the event session."
    );
    SqlError::new(25653, 16, text)
}

/// 25702: an option said twice.
fn option_twice(name: &str) -> SqlError {
    let name = name.to_lowercase();
    let text = format!(
        "The event session option, \"{name}\", is set more than once. Remove the duplicate session \
         option and re-issue the statement."
    );
    SqlError::new(25702, 16, text)
}

/// 25704
fn already_stopped() -> SqlError {
    SqlError::new(25704, 16, "The event session has already been stopped.")
}

/// 25705
fn already_started() -> SqlError {
    SqlError::new(25705, 16, "The event session has already been started.")
}

/// 25706: an option that nobody knows.
fn unknown_option(name: &str) -> SqlError {
    let text = format!(
        "The event session option, \"{}\", could not be found.",
        name.to_lowercase()
    );
    SqlError::new(25706, 16, text)
}
