//! What hosts reported of others' errors: the state of our event session, and the errors that it heard.
//!
//! Start at [`ReportedError`]. 1475 and its kin are raised mostly in somebody else's session and stand in no error
//! log, so an event session of ours on each host keeps them until the next survey. Values only.

use serde::{Deserialize, Serialize};

use crate::model::{GroupName, HostName, ServerLocal};

/// The program name of the agent's own connections: what they meet, the run that made them answers.
pub const PROGRAM_NAME: &str = "Stopmark";

/// The Extended Events session that hears a group's errors on a host, by name.
#[must_use]
pub fn event_session_name(group: &GroupName) -> String {
    // A group's name has nothing that an event session's, or its file's, may not have.
    format!("stopmark_{group}")
}

/// How our event session on a host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EventSession {
    /// Nobody asked, or the login may not see it.
    #[default]
    Unknown,
    /// There is none; `may_make` tells whether the login may make one (`ALTER ANY EVENT SESSION`).
    Absent {
        /// The right is there.
        may_make: bool,
    },
    /// It exists and does not run.
    Stopped {
        /// The right to start it is there.
        may_make: bool,
    },
    /// It runs, and its errors were read.
    Running,
    /// It runs, and its errors could not be read.
    Unreadable {
        /// What the host said.
        why: String,
    },
}

/// An error about a member that somebody's session met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// Its number, such as 1475.
    pub number: i32,
    /// The host that heard it, where it is not the member's own: each replica hears what is met on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<HostName>,
    /// When, on the clock of the member's own host, whichever heard it.
    pub at: ServerLocal,
    /// SQL Server's text.
    pub message: String,
    /// The login that met it.
    pub login: Option<String>,
    /// The machine that it came from.
    pub client: Option<String>,
    /// The program.
    pub program: Option<String>,
}
