//! Steps on linked servers. Wire types like all steps: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use crate::model::HostName;

/// A linked server as a mark needs it; values for `sp_addlinkedserver` and `sp_serveroption`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnsureLink {
    /// Its name, the target's true name.
    pub link: String,
    /// The host that it leads to.
    pub target: HostName,
    /// `tcp:host,port`.
    pub data_source: String,
    /// `MSOLEDBSQL` or `SQLNCLI`, by the version of the host that holds the link.
    pub provider: String,
    /// Encryption words for the provider, right for its version.
    pub provider_string: String,
    /// Seconds a call may take.
    pub query_timeout_s: i32,
    /// Who may use it, and as whom.
    pub security: LinkSecurity,
    /// It exists and is mended in place; else it is made.
    pub exists: bool,
    /// What is wrong with it or why it is needed, for people.
    pub reason: String,
}

/// Removes a linked server that Stopmark made; one that others made is left alone and is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveLink {
    /// Its name.
    pub link: String,
}

/// Who may use a link: always one local login, never everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkSecurity {
    /// The local login's own identity travels on (Kerberos, or the agent runs on the management host).
    UseSelf,
    /// A SQL login of the target; its password is looked up in the configuration by the target's name.
    Mapped {
        /// The login on the target.
        remote_login: String,
    },
}

/// A trial call through a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLink {
    /// The link.
    pub link: String,
    /// The true name that must answer.
    pub target: HostName,
}
