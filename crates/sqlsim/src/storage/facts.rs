//! What a database knows about itself: names, identities, and how far its backups reach.
//!
//! Start at [`Facts`], the value that catalog views and backups read. It is a copy: changing it
//! changes nothing.

use std::path::PathBuf;

use jiff::civil::DateTime;
use mtf::Lsn;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a database lives on disk and under which names SQL Server shows its two files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFiles {
    /// The data file as this process opens it.
    pub data: PathBuf,
    /// The log file as this process opens it.
    pub log: PathBuf,
    /// `sys.database_files.name` of the data file.
    pub data_logical_name: String,
    /// `sys.database_files.name` of the log file.
    pub log_logical_name: String,
    /// `physical_name` of the data file as the server shows it, such as `C:\data\a.mdf`.
    pub data_physical_name: String,
    /// `physical_name` of the log file as the server shows it.
    pub log_physical_name: String,
}

/// What a new database is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDatabase {
    /// Its name; renaming is the instance's business and only a text here.
    pub name: String,
    /// `database_guid`: new for every database, also for a restored copy.
    pub database_guid: Uuid,
    /// `family_guid`: kept by every restored copy.
    pub family_guid: Uuid,
    /// The recovery fork that the first log record opens.
    pub fork_guid: Uuid,
    /// Creation time, local to the host.
    pub created: DateTime,
    /// The recovery model to begin with.
    pub recovery_model: RecoveryModel,
    /// Such as 160 for SQL Server 2022.
    pub compatibility_level: u8,
    /// Such as `SQL_Latin1_General_CP1_CI_AS`.
    pub collation: String,
}

/// How much of the log is kept, and whether it may be backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecoveryModel {
    /// `FULL`: everything is logged in full; the log is kept until it is backed up.
    Full,
    /// `BULK_LOGGED`: bulk changes are logged minimally.
    BulkLogged,
    /// `SIMPLE`: the log is cut at every checkpoint and never backed up (4208).
    Simple,
}

/// Whether a database can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DatabaseState {
    /// Open for reading and writing.
    Online,
    /// `RESTORING`: more backups may be applied; nobody can read it (927).
    Restoring,
    /// `STANDBY`: readable, and more logs may be applied.
    Standby,
    /// `OFFLINE`, set by a person.
    Offline,
}

/// One stretch of a database's history between two recoveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The recovery fork.
    pub guid: Uuid,
    /// The LSN at which it left the fork before it; zero for the first.
    pub begins: Lsn,
}

/// The full backup that differentials are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferentialBase {
    /// The base's checkpoint LSN.
    pub lsn: Lsn,
    /// The base's backup set GUID.
    pub guid: Uuid,
}

/// A copy of what a database knows about itself.
#[expect(
    clippy::struct_excessive_bools,
    reason = "SQL Server has these as bits, too"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: DatabaseFiles,
    /// Whether it can be used.
    pub state: DatabaseState,
    /// It is a secondary replica's.
    pub is_replica: bool,
    /// `is_read_only`.
    pub is_read_only: bool,
    /// Its recovery model.
    pub recovery_model: RecoveryModel,
    /// Creation (or restore) time, local to the host.
    pub created: DateTime,
    /// Compatibility level.
    pub compatibility_level: u8,
    /// Collation name.
    pub collation: String,
    /// `database_guid`.
    pub database_guid: Uuid,
    /// `family_guid`.
    pub family_guid: Uuid,
    /// `recovery_fork_guid`: the fork that grows now.
    pub recovery_fork_guid: Uuid,
    /// `first_recovery_fork_guid`: the fork in which the next log backup begins.
    pub first_recovery_fork_guid: Uuid,
    /// `fork_point_lsn`: set while the two fork GUIDs differ.
    pub fork_point_lsn: Option<Lsn>,
    /// `last_log_backup_lsn`: where the next log backup begins; `None` when no chain runs (under
    /// SIMPLE, or as long as no full has been taken since SIMPLE was left).
    pub last_log_backup_lsn: Option<Lsn>,
    /// The next log backup will be the first of its chain.
    pub begins_log_chain: bool,
    /// The last full without `COPY_ONLY`: the base of differentials, and `database_backup_lsn`.
    pub differential_base: Option<DifferentialBase>,
    /// The last checkpoint.
    pub checkpoint_lsn: Lsn,
    /// The LSN that the next log record will get.
    pub end_lsn: Lsn,
    /// Minimally logged changes were made since the last log backup (`has_bulk_logged_data`).
    pub has_bulk_logged_changes: bool,
    /// Joining an availability group raises 1475: either minimally logged changes are in no log
    /// backup, or no regular full and log began a chain since SIMPLE was left.
    pub might_hold_unbacked_bulk_changes: bool,
    /// Bytes of log that no log backup holds; what `log_reuse_wait_desc` waits for.
    pub log_since_backup_bytes: u64,
    /// Bytes of log written since the last checkpoint.
    pub log_since_checkpoint_bytes: u64,
    /// Sizes of the data and the log file.
    pub data_size_bytes: u64,
    /// See `data_size_bytes`.
    pub log_size_bytes: u64,
}
