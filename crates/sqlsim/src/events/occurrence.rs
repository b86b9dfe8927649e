//! One event: what happened, in which session, and its XML.
//!
//! Start at [`Ears`], through which all that a session does comes here, and [`Occurrence::xml`]. The
//! shape of the XML is that of SQL Server's `target_data` and `event_data`.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::happening::Happening;
use crate::error::SqlError;
use crate::instance::{Instance, SessionRecord};

/// Something that happened in a session.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// When, in UTC.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// `session_id`.
    pub session_id: i16,
    /// `client_app_name`.
    pub program_name: String,
    /// `client_hostname`.
    pub host_name: String,
    /// The login.
    pub login_name: String,
    /// `database_id` of the session's current database, which is seldom the one that a backup is
    /// of.
    pub database_id: i32,
    /// Its name.
    pub database_name: String,
    /// Text of the batch.
    pub sql_text: String,
    /// The instance.
    pub server_name: String,
}

/// What lets the event sessions of an instance hear the messages of one session.
#[derive(Clone, Debug)]
pub struct Ears {
    instance: Arc<Instance>,
    record: Arc<SessionRecord>,
}

impl Ears {
    /// For one session.
    #[must_use]
    pub fn new(instance: &Arc<Instance>, record: &Arc<SessionRecord>) -> Self {
        Self {
            instance: Arc::clone(instance),
            record: Arc::clone(record),
        }
    }

    /// A message was reported.
    pub fn hear(&self, message: &SqlError, is_intercepted: bool) {
        if self.is_listened_to() {
            self.tell(Happening::Error {
                message: message.clone(),
                is_intercepted,
            });
        }
    }

    /// Whether anybody listens; what nobody hears need not be described.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        !self.instance.events.is_idle()
    }

    /// The host's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.instance.clock.now()
    }

    /// Something happened.
    pub fn tell(&self, what: Happening) {
        let (now, record) = (self.record.activity(), &self.record);
        let databases = self.instance.databases();
        let current = databases.iter().find(|db| db.id() == now.database);
        self.instance.events.fire(&Occurrence {
            at: self.instance.clock.now(),
            what,
            session_id: record.id,
            program_name: record.program_name.clone(),
            host_name: record.host_name.clone(),
            login_name: record.login_name.clone(),
            database_id: now.database,
            database_name: current.map_or_else(String::new, |db| db.name()),
            sql_text: now.request.map(|request| request.text).unwrap_or_default(),
            server_name: self.instance.name(),
        });
    }
}

/// A value of an attribute or action, by which predicates compare.
pub(super) enum Attribute {
    Number(i64),
    Text(String),
}

impl Occurrence {
    /// The value of an attribute of the event or of a global source; none if there is none of this
    /// name.
    pub(super) fn attribute(&self, name: &str) -> Option<Attribute> {
        if let Some(value) = self.of_message(name) {
            return Some(value);
        }
        Some(match name {
            "is_system" => Attribute::Number(0),
            "session_id" => Attribute::Number(self.session_id.into()),
            "database_id" => Attribute::Number(self.database_id.into()),
            "database_name" => Attribute::Text(self.database_name.clone()),
            "client_app_name" => Attribute::Text(self.program_name.clone()),
            "client_hostname" => Attribute::Text(self.host_name.clone()),
            "username" | "server_principal_name" | "nt_username" | "nt_user" => {
                Attribute::Text(self.login_name.clone())
            }
            "sql_text" => Attribute::Text(self.sql_text.clone()),
            "server_instance_name" => Attribute::Text(self.server_name.clone()),
            _ => return None,
        })
    }

    /// The value of an attribute that only messages have.
    fn of_message(&self, name: &str) -> Option<Attribute> {
        let Happening::Error {
            message,
            is_intercepted,
        } = &self.what
        else {
            return None;
        };
        Some(match name {
            "error_number" | "error" => Attribute::Number(message.number.into()),
            "severity" => Attribute::Number(message.class.into()),
            "state" => Attribute::Number(message.state.into()),
            "user_defined" => Attribute::Number((message.number >= 50_000).into()),
            "category" | "destination" => Attribute::Number(2),
            "is_intercepted" => Attribute::Number((*is_intercepted).into()),
            "message" => Attribute::Text(message.text.clone()),
            _ => return None,
        })
    }

    /// The event as XML, with these actions.
    #[must_use]
    pub fn xml(&self, actions: &[String]) -> String {
        let mut xml = format!(
            "<event name=\"{}\" package=\"sqlserver\" timestamp=\"{}\">",
            self.what.event(),
            self.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        );
        self.what.values(&mut xml);
        for name in actions {
            self.action(&mut xml, name);
        }
        xml.push_str("</event>");
        xml
    }

    /// An action for which there is nothing to tell has an empty value.
    fn action(&self, xml: &mut String, name: &str) {
        let (ty, value) = match self.attribute(name) {
            Some(Attribute::Number(number)) if name == "session_id" => {
                ("uint16", number.to_string())
            }
            Some(Attribute::Number(number)) => ("uint32", number.to_string()),
            Some(Attribute::Text(text)) => ("unicode_string", text),
            None => ("unicode_string", String::new()),
        };
        let package = if name == "event_sequence" || name == "collect_system_time" {
            "package0"
        } else {
            "sqlserver"
        };
        let _ = write!(
            xml,
            "<action name=\"{name}\" package=\"{package}\"><type name=\"{ty}\" \
             package=\"package0\"/><value>{}</value></action>",
            escaped(&value)
        );
    }
}

pub(super) fn data(xml: &mut String, name: &str, ty: &str, value: &str) {
    let _ = write!(
        xml,
        "<data name=\"{name}\"><type name=\"{ty}\" package=\"package0\"/><value>{}</value></data>",
        escaped(value)
    );
}

pub(super) fn map(xml: &mut String, name: &str, ty: &str, (value, text): (&str, &str)) {
    let _ = write!(
        xml,
        "<data name=\"{name}\"><type name=\"{ty}\" package=\"sqlserver\"/><value>{value}</value>\
         <text>{text}</text></data>"
    );
}

/// Text as XML carries it; characters that XML cannot carry are left out.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#x0d;"),
            '\n' => out.push_str("&#x0a;"),
            '\t' => out.push('\t'),
            c if c < ' ' => {}
            c => out.push(c),
        }
    }
    out
}
