//! What a host is and holds that a restore goes to. Start at [`TargetFacts`].
//!
//! These are facts and nothing else: whether a restore may go there is for the planner to say.

use serde::{Deserialize, Serialize};

use super::RecoveryModel;
use crate::model::{DatabaseName, HostName, Lsn, PieceId};

/// One host, as a restore must know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// `SERVERPROPERTY('ServerName')`.
    pub true_name: HostName,
    /// `SERVERPROPERTY('ProductVersion')`, `16.0.1000.6`.
    pub version: String,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// `SERVERPROPERTY('Collation')`.
    pub collation: String,
    /// Where new data files go; none where the server does not say.
    pub data_folder: Option<String>,
    /// Where new log files go; none where the server does not say.
    pub log_folder: Option<String>,
    /// Every database, in the order of their names.
    pub databases: Vec<TargetDatabase>,
    /// The thumbprints, in capital hex digits, of the certificates and keys that it has; none where the login may not
    /// see them.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
    /// The volumes that hold files of databases, as far as the server tells of them.
    pub volumes: Vec<Volume>,
    /// It is a destination of BizTalk's log shipping; none where it is none, or where the login may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_shipping: Option<ShippingDestination>,
}

/// What a host says of itself as a destination of BizTalk's log shipping: `master.dbo.bts_LogShippingDatabases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingDestination {
    /// Every database's data files are restored to a folder of its own (`DBFileLocation`).
    pub moves_data: bool,
    /// Every database's log files are (`LogFileLocation`).
    pub moves_logs: bool,
}

/// A database that is there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDatabase {
    /// Its name.
    pub name: DatabaseName,
    /// Its state.
    pub state: TargetState,
    /// Its recovery model.
    pub recovery_model: RecoveryModel,
    /// The availability group that holds it.
    pub availability_group: Option<String>,
    /// The group's primary replica of it is this one, as far as the host says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_primary: bool,
    /// Its files.
    pub files: Vec<TargetFile>,
    /// What was last restored into it; none where nothing ever was, or where the login may not read that.
    pub restored: Option<LastRestored>,
}

/// Whether a database is in use, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// In use.
    Online,
    /// Readable, and more may be restored.
    Standby,
    /// Waiting for more pieces.
    Restoring,
    /// Anything else: offline, recovering, suspect, emergency.
    Unusable,
}

/// One file of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    /// The logical name.
    pub logical_name: String,
    /// Where it lies.
    pub physical_name: String,
    /// Rows; else log or anything else.
    pub is_data: bool,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where rolling forward goes on; none where the file is not being restored.
    pub redo_start_lsn: Option<Lsn>,
}

/// The newest row of `restorehistory` of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRestored {
    /// The piece of ours that it was; none for a backup of others.
    pub piece: Option<PieceId>,
    /// The LSN after the backup.
    pub last_lsn: Lsn,
    /// The mark that was asked for.
    pub stop_at_mark: Option<String>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// What the paths of its files begin with: `D:\`, a mounted folder, `/`.
    pub root: String,
    /// Bytes that are free.
    pub free_bytes: u64,
}

impl TargetFacts {
    /// The database of this name; names are compared without regard to case.
    #[must_use]
    pub fn database(&self, name: &DatabaseName) -> Option<&TargetDatabase> {
        let letters = name.as_str().to_lowercase();
        let mut databases = self.databases.iter();
        databases.find(|database| database.name.as_str().to_lowercase() == letters)
    }

    /// The volume that a path lies on: of those whose root it begins with, the one with the longest.
    #[must_use]
    pub fn volume(&self, path: &str) -> Option<&Volume> {
        let path = path.to_lowercase();
        let holds = |volume: &&Volume| path.starts_with(&volume.root.to_lowercase());
        let volumes = self.volumes.iter().filter(holds);
        volumes.max_by_key(|volume| volume.root.len())
    }
}

impl TargetDatabase {
    /// Whether all of what was last restored is in every data file, and more may follow.
    #[must_use]
    pub fn is_rolled_through(&self, last_lsn: Lsn) -> bool {
        let mut data = self.files.iter().filter(|file| file.is_data).peekable();
        let has_all = |file: &TargetFile| file.redo_start_lsn.is_some_and(|at| at >= last_lsn);
        self.state == TargetState::Restoring && data.peek().is_some() && data.all(has_all)
    }
}
