//! The database as the rest of the simulator uses it.
//!
//! Start at [`Database`]. Every method takes the one lock inside, does its work and lets go; only
//! waiting for a row or key lock is asynchronous. Nothing here blocks on another transaction.

use std::future::Future;
use std::sync::Arc;

use jiff::civil::DateTime;
use mtf::Lsn;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::disk::Disk;
use super::facts::{DatabaseFiles, DatabaseState, Facts, NewDatabase, RecoveryModel};
use super::ids::{RowId, Savepoint, TableId, TxId};
use crate::error::SqlResult;
use crate::value::Row;

/// A mark: what `BEGIN TRANSACTION .. WITH MARK` leaves in the log at commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkInfo {
    /// The mark's name, at most 32 characters, case-sensitive.
    pub name: String,
    /// The description, or empty.
    pub description: String,
    /// Who marked.
    pub user: String,
    /// When, local to the host (`logmarkhistory.mark_time`); `STOPATMARK .. AFTER` compares it.
    pub time: DateTime,
}

/// What a participant of a distributed transaction promises, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareInfo {
    /// The distributed transaction.
    pub gtrid: Uuid,
    /// Whom to ask for the outcome.
    pub coordinator: String,
    /// The mark that its commit will leave in this database.
    pub mark: Option<MarkInfo>,
}

/// A prepared transaction whose outcome is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    /// What was promised.
    pub info: PrepareInfo,
    /// Its number while its session still lives; `None` after a restart.
    pub tx: Option<TxId>,
}

/// How a transaction in doubt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The LSN of its commit or abort record.
    pub lsn: Lsn,
    /// The mark that the commit left, for `logmarkhistory`.
    pub mark: Option<MarkInfo>,
}

/// One database. Share it by `Arc`.
#[derive(Debug)]
pub struct Database {
    inner: std::sync::Mutex<super::inner::Inner>,
}

impl Database {
    /// Makes the files of a new, empty database. Raises 5170 where a file is there already.
    pub fn create(
        disk: Arc<dyn Disk>,
        files: DatabaseFiles,
        new: &NewDatabase,
    ) -> SqlResult<Self>;
    /// Opens the files, doing crash recovery. Raises 5120 where a file cannot be opened, 824 where
    /// one is damaged. `at` is the time of the abort records that recovery writes.
    pub fn open(disk: Arc<dyn Disk>, files: DatabaseFiles) -> SqlResult<Self>;

    /// A copy of what the database knows about itself.
    pub fn facts(&self) -> Facts;

    // Transactions: `begin` is needed once per database before the first write or lock.
    pub fn begin(&self, tx: TxId) -> SqlResult<()>;             // 927/942/3906 when not writable; idempotent
    pub fn has_writes(&self, tx: TxId) -> bool;
    pub fn scan(&self, tx: Option<TxId>, table: TableId) -> Vec<(RowId, Row)>;
    pub fn get(&self, tx: Option<TxId>, table: TableId, row: RowId) -> Option<Row>;
    pub fn insert(&self, tx: TxId, table: TableId, row: Row) -> SqlResult<RowId>;   // locks the new row
    pub fn update(&self, tx: TxId, table: TableId, id: RowId, row: Row) -> SqlResult<()>;
    pub fn delete(&self, tx: TxId, table: TableId, id: RowId) -> SqlResult<()>;
    pub async fn lock_row(&self, tx: TxId, table: TableId, row: RowId, timeout: impl Future<Output = ()> + Send) -> SqlResult<()>;
    pub async fn lock_key(&self, tx: TxId, table: TableId, key: &[u8], timeout: impl Future<Output = ()> + Send) -> SqlResult<()>;
    pub fn savepoint(&self, tx: TxId) -> Savepoint;
    pub fn rollback_to(&self, tx: TxId, savepoint: Savepoint) -> SqlResult<()>;
    pub fn prepare(&self, tx: TxId, info: &PrepareInfo) -> SqlResult<()>;
    pub fn commit(&self, tx: TxId, at: DateTime, mark: Option<&MarkInfo>) -> SqlResult<Lsn>;
    pub fn rollback(&self, tx: TxId) -> SqlResult<()>;
    pub fn in_doubt(&self) -> Vec<InDoubt>;
    pub fn resolve(&self, gtrid: Uuid, committed: bool, at: DateTime) -> SqlResult<Option<Resolved>>;

    // Counters (identity columns, object ids): outside transactions, never go back.
    pub fn counter(&self, table: TableId) -> Option<i64>;
    pub fn advance(&self, table: TableId, seed: i64, step: i64) -> SqlResult<i64>;
    pub fn set_counter(&self, table: TableId, value: i64) -> SqlResult<()>;

    pub fn checkpoint(&self) -> SqlResult<Lsn>;
    pub fn set_recovery_model(&self, model: RecoveryModel) -> SqlResult<()>;
    pub fn mark_bulk_logged(&self) -> SqlResult<()>;
    pub fn set_read_only(&self, read_only: bool) -> SqlResult<()>;
    pub fn set_state(&self, state: DatabaseState) -> SqlResult<()>;   // Online <-> Offline
    pub fn rename(&self, name: &str) -> SqlResult<()>;
    pub fn set_compatibility_level(..)
    pub fn shutdown(&self) -> SqlResult<()>;   // checkpoint and let go; kill = drop
}
