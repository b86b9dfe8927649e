//! The steps that only a drill has: look through what was restored, ask the user's checks, remove it all, certify.
//!
//! These are wire types, as all of [`Step`](super::Step) is: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use super::retry::RetryRule;
use crate::model::{DatabaseName, GroupName, HostName, MarkName, MemberName, PieceId, Timestamp};

/// `DBCC CHECKDB` of a restored member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckDatabase {
    /// The member.
    pub member: MemberName,
    /// The scratch database on the lane's host.
    pub target: DatabaseName,
    /// Pages only, `PHYSICAL_ONLY`: quicker, and blind to what tables mean.
    pub physical_only: bool,
}

/// One of the user's own checks, run on the lane's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCheck {
    /// Its name: the file's.
    pub name: String,
    /// The T-SQL as it stands in the file, with `{Ledger}` or `{SQL1/Ledger}` where a member's database belongs.
    pub text: String,
    /// What stands for what: the words between the braces, and the scratch database.
    pub names: Vec<(String, DatabaseName)>,
    /// What the first cell of the first row must be; none: there must be no row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Removes a scratch database that this drill made, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropScratch {
    /// Whose scratch database it is. A failure of the member must not keep it from being removed, so the step is not
    /// about the member.
    pub of: MemberName,
    /// The database on the lane's host.
    pub target: DatabaseName,
    /// What may have been restored into it: a database that holds anything else is somebody's.
    pub pieces: Vec<PieceId>,
    /// How often it is tried again where a failure passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

/// Writes the drill's certificate, and its entry in the group's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certify {
    /// The group.
    pub group: GroupName,
    /// The mark that was drilled.
    pub mark: MarkName,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// How long a recovery may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_target_ms: Option<i64>,
}

impl RunCheck {
    /// What it must find, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        self.value.as_ref().map_or_else(
            || "no rows".to_owned(),
            |value| format!("the value `{value}`"),
        )
    }
}

/// The scratch database of a member, with its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scratch {
    /// The drill host.
    pub(super) host: HostName,
    /// The database.
    pub(super) database: DatabaseName,
}
