//! Who else may back the members of one host up, as its msdb tells. Start at [`RivalFacts`].
//!
//! A rival is a job or tool beside Stopmark that takes logs or fulls of a member. These are facts and nothing else:
//! what they mean is for `doctor` to say.

use serde::{Deserialize, Serialize};

use crate::model::DatabaseName;

/// What one host's msdb says of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RivalFacts {
    /// The steps of the Agent's jobs, by job and in order.
    pub steps: Vec<JobStep>,
    /// Databases whose logs are shipped from here, each with its job.
    pub shipped: Vec<ShippedDatabase>,
    /// Databases that managed backup to Azure backs up.
    pub managed: Vec<DatabaseName>,
    /// Backups that others took since the newest full of ours, at most 14 days back, newest first; no copies.
    pub taken: Vec<TakenByOthers>,
    /// What the login may not see, by the rights that it lacks.
    pub unseen: Vec<String>,
}

/// One step of a job of the Agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStep {
    /// The job.
    pub job: String,
    /// Whether the Agent runs it.
    pub is_enabled: bool,
    /// `TSQL`, `CmdExec`, `PowerShell`, `SSIS`..
    pub subsystem: String,
    /// The database that a T-SQL step runs in.
    pub database: Option<String>,
    /// What it runs.
    pub command: String,
}

/// One database of log shipping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedDatabase {
    /// The database.
    pub database: DatabaseName,
    /// The job that takes its logs, and whether the Agent runs it; none where it is not to be seen.
    pub job: Option<(String, bool)>,
}

/// One backup of a member that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenByOthers {
    /// The member's database.
    pub database: DatabaseName,
    /// A log backup; else a full.
    pub is_log: bool,
    /// A snapshot, as VSS takes them.
    pub is_snapshot: bool,
    /// It went to a program instead of a file (`backupmediafamily.device_type` 7).
    pub is_virtual: bool,
    /// `backupset.name`.
    pub name: String,
    /// The login that took it.
    pub user: String,
    /// `backupmediaset.software_name`.
    pub program: String,
    /// The file or device.
    pub device: String,
    /// When it ended, in the host's own time, `2026-11-21 02:00`.
    pub finished: String,
}
