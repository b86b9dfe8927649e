//! The database as the rest of the simulator uses it.
//!
//! Start at [`Database`]. Every method takes the one lock inside, does its work and lets go; only
//! waiting for a row or key lock is asynchronous. Nothing here blocks on another transaction.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::DateTime;
use mtf::Lsn;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ballast;
use super::disk::Disk;
use super::facts::{DatabaseFiles, DatabaseState, Facts, NewDatabase, RecoveryModel};
use super::ids::{RowId, Savepoint, TableId, TxId};
use super::inner::Inner;
use super::locks::{Resource, Taken};
use super::rows::{Write, WriteSet};
use crate::error::SqlResult;
use crate::messages;
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
    inner: Mutex<Inner>,
}

impl Database {
    /// Makes the files of a new, empty database. Raises 5170 where a file is there already.
    pub fn create(disk: Arc<dyn Disk>, files: DatabaseFiles, new: &NewDatabase) -> SqlResult<Self> {
        let taken = [&files.data, &files.log]
            .into_iter()
            .find(|path| disk.exists(path));
        match taken {
            Some(path) => Err(messages::file_exists(&path.display().to_string())),
            None => Inner::create(disk, files, new).map(Self::around),
        }
    }

    /// Opens the files and does crash recovery. Raises 5120 where a file cannot be opened, 824
    /// where the data file is damaged. A database that was being restored stays so; prepared
    /// transactions are in doubt and hold their row locks.
    pub fn open(disk: Arc<dyn Disk>, files: DatabaseFiles) -> SqlResult<Self> {
        let mut inner = Inner::open(disk, files)?;
        if inner.boot.redo_end.is_none() {
            inner.recover()?;
        }
        Ok(Self::around(inner))
    }

    /// A copy of what the database knows about itself.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.lock().facts()
    }

    /// The transaction will work in this database; needed before its first write or lock, and
    /// harmless when said again. Raises 927 while restoring, 942 while offline.
    pub fn begin(&self, tx: TxId) -> SqlResult<()> {
        self.lock().begin(tx)
    }

    /// Whether the transaction changed anything here, so that its commit will be in the log.
    #[must_use]
    pub fn has_writes(&self, tx: TxId) -> bool {
        self.lock()
            .open
            .get(&tx)
            .is_some_and(|open| open.began.is_some())
    }

    /// Committed rows under the transaction's own writes, in order of insertion.
    #[must_use]
    pub fn scan(&self, tx: Option<TxId>, table: TableId) -> Vec<(RowId, Row)> {
        let inner = self.lock();
        inner.tables.scan(inner.write_set(tx), table)
    }

    /// One row as the transaction sees it. Read again after a lock was granted: the row may have
    /// changed while waiting.
    #[must_use]
    pub fn get(&self, tx: Option<TxId>, table: TableId, row: RowId) -> Option<Row> {
        let inner = self.lock();
        inner.tables.get(inner.write_set(tx), table, row)
    }

    /// Adds a row and locks it. Raises 3906 where nothing may be changed.
    pub fn insert(&self, tx: TxId, table: TableId, row: Row) -> SqlResult<RowId> {
        self.lock().insert(tx, table, row)
    }

    /// Replaces a row. Its lock is taken if it is free; raises 1222 if another holds it.
    pub fn update(&self, tx: TxId, table: TableId, id: RowId, row: Row) -> SqlResult<()> {
        self.lock().write(
            tx,
            Write {
                table,
                row: id,
                value: Some(row),
            },
        )
    }

    /// Removes a row; about its lock see `update`.
    pub fn delete(&self, tx: TxId, table: TableId, id: RowId) -> SqlResult<()> {
        self.lock().write(
            tx,
            Write {
                table,
                row: id,
                value: None,
            },
        )
    }

    /// Takes the exclusive lock of a row, to the end of the transaction. Raises 1205 at once where
    /// waiting would be a deadlock inside this database, and when `timeout` ends first.
    pub async fn lock_row(
        &self,
        tx: TxId,
        table: TableId,
        row: RowId,
        timeout: impl Future<Output = ()> + Send,
    ) -> SqlResult<()> {
        self.wait_for(tx, Resource::Row(table, row), timeout).await
    }

    /// Takes the exclusive lock of a key, whether or not a row has it: what keeps two inserts of
    /// one unique key apart. The bytes are the caller's own; times out like `lock_row`.
    pub async fn lock_key(
        &self,
        tx: TxId,
        table: TableId,
        key: &[u8],
        timeout: impl Future<Output = ()> + Send,
    ) -> SqlResult<()> {
        self.wait_for(tx, Resource::Key(table, key.to_vec()), timeout)
            .await
    }

    /// Takes the exclusive lock of a whole table; times out like `lock_row`.
    pub async fn lock_table(
        &self,
        tx: TxId,
        table: TableId,
        timeout: impl Future<Output = ()> + Send,
    ) -> SqlResult<()> {
        self.wait_for(tx, Resource::Table(table), timeout).await
    }

    /// The place to which `rollback_to` comes back.
    #[must_use]
    pub fn savepoint(&self, tx: TxId) -> Savepoint {
        let inner = self.lock();
        inner
            .write_set(Some(tx))
            .map_or(Savepoint(0), WriteSet::savepoint)
    }

    /// Undoes what the transaction changed since the savepoint; its locks stay.
    pub fn rollback_to(&self, tx: TxId, savepoint: Savepoint) -> SqlResult<()> {
        self.lock().rollback_to(tx, savepoint)
    }

    /// Promises, durably, to commit or roll back as the coordinator will say. No more work after.
    pub fn prepare(&self, tx: TxId, info: &PrepareInfo) -> SqlResult<()> {
        self.lock().prepare(tx, info)
    }

    /// Makes the transaction permanent. `at` is the time by which `STOPAT` knows it, local to the
    /// host. The mark goes into the log with it; a prepared transaction's mark is used where none
    /// is given. The LSN is that of the commit record (`logmarkhistory.lsn`); `None` when nothing
    /// was written here, and then no mark was left either. Raises 9001 where the log cannot be
    /// written; the outcome is then unknown until the database is opened again.
    pub fn commit(
        &self,
        tx: TxId,
        at: DateTime,
        mark: Option<&MarkInfo>,
    ) -> SqlResult<Option<Lsn>> {
        let mut inner = self.lock();
        let lsn = inner.commit(tx, at, mark)?;
        inner.checkpoint_when_due();
        Ok(lsn)
    }

    /// Ends the transaction as if it had never been. One that is not known has ended already.
    pub fn rollback(&self, tx: TxId) -> SqlResult<()> {
        self.lock().rollback(tx)
    }

    /// Prepared transactions without an outcome: of living sessions, and of before the restart.
    #[must_use]
    pub fn in_doubt(&self) -> Vec<InDoubt> {
        self.lock().in_doubt()
    }

    /// Ends a prepared transaction as its coordinator decided; `None` when none of this GUID is in
    /// doubt here (it was resolved already, or never prepared).
    pub fn resolve(
        &self,
        gtrid: Uuid,
        committed: bool,
        at: DateTime,
    ) -> SqlResult<Option<Resolved>> {
        self.lock().resolve(gtrid, committed, at)
    }

    /// The last value that the table's counter gave out.
    #[must_use]
    pub fn counter(&self, table: TableId) -> Option<i64> {
        self.lock().tables.0.get(&table)?.counter
    }

    /// The counter's next value: the seed, then each time a step more. Outside transactions, never
    /// given twice to what commits.
    pub fn advance(&self, table: TableId, seed: i64, step: i64) -> SqlResult<i64> {
        self.lock().advance(table, seed, step)
    }

    /// Sets the value after which the counter goes on.
    pub fn set_counter(&self, table: TableId, value: i64) -> SqlResult<()> {
        self.lock().set_counter(table, value)
    }

    /// Writes the committed rows into a new data file and lets the log go as far as nobody needs
    /// it. Returns the checkpoint's LSN.
    pub fn checkpoint(&self) -> SqlResult<Lsn> {
        let mut inner = self.lock();
        inner.check_usable()?;
        if inner.boot.redo_end.is_some() {
            return Ok(inner.boot.checkpoint_lsn);
        }
        inner.checkpoint().map(|(lsn, _)| lsn)
    }

    /// Sets the recovery model. SIMPLE ends the log chain; leaving it begins none.
    pub fn set_recovery_model(&self, model: RecoveryModel) -> SqlResult<()> {
        self.lock().set_recovery_model(model)
    }

    /// A minimally logged change was made: the next log backup cannot be stopped inside, and until
    /// it is taken joining an availability group raises 1475.
    pub fn mark_bulk_logged(&self) -> SqlResult<()> {
        self.lock().mark_bulk_logged()
    }

    /// Gives the data file this much ballast, rounded up to whole extents: pages that hold no rows,
    /// fill backups, and take no room here. Not logged.
    pub fn set_ballast(&self, bytes: u64) -> SqlResult<()> {
        self.lock().set_ballast(ballast::extents_of(bytes))
    }

    /// `SET READ_ONLY` and `SET READ_WRITE`.
    pub fn set_read_only(&self, read_only: bool) -> SqlResult<()> {
        self.lock()
            .change_boot(|boot| boot.is_read_only = read_only)
    }

    /// `SET OFFLINE` and `SET ONLINE`. Only these two follow each other here: a database that is
    /// being restored stays so, and no other state can be set.
    pub fn set_state(&self, state: DatabaseState) -> SqlResult<()> {
        let mut inner = self.lock();
        match (inner.boot.state, state) {
            (DatabaseState::Online, DatabaseState::Offline)
            | (DatabaseState::Offline, DatabaseState::Online) => {
                inner.change_boot(|boot| boot.state = state)
            }
            _ => Ok(()),
        }
    }

    /// Gives the database another name.
    pub fn rename(&self, name: &str) -> SqlResult<()> {
        self.lock()
            .change_boot(|boot| name.clone_into(&mut boot.name))
    }

    /// Sets the compatibility level, such as 160.
    pub fn set_compatibility_level(&self, level: u8) -> SqlResult<()> {
        self.lock()
            .change_boot(|boot| boot.compatibility_level = level)
    }

    /// Ends work in good order: a last checkpoint, so that the next open has nothing to redo.
    /// Dropping the database without it is what a kill does.
    pub fn shutdown(&self) -> SqlResult<()> {
        let mut inner = self.lock();
        if inner.is_retired {
            return Ok(());
        }
        let open: Vec<TxId> = inner.open.keys().copied().collect();
        for tx in open
            .into_iter()
            .filter(|tx| !inner.is_prepared(*tx))
            .collect::<Vec<_>>()
        {
            inner.rollback(tx)?;
        }
        if inner.boot.redo_end.is_none() {
            inner.checkpoint()?;
        }
        Ok(())
    }

    /// Its files are about to belong to another database, or to be removed: from now on whoever
    /// still holds this one cannot write them. `false` takes that back.
    pub fn retire(&self, retired: bool) {
        self.lock().is_retired = retired;
    }

    pub(super) fn around(inner: Inner) -> Self {
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// No method leaves the inside half-changed on a panic that could be caught, so a poisoned lock
    /// is taken as it is.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_for(
        &self,
        tx: TxId,
        resource: Resource,
        timeout: impl Future<Output = ()> + Send,
    ) -> SqlResult<()> {
        let mut timeout = pin!(timeout);
        loop {
            let taken = self.lock().take_lock(tx, &resource)?;
            let ticket = match taken {
                Taken::Yes => return Ok(()),
                Taken::Deadlock => return Err(messages::deadlock_victim(0, "lock")),
                Taken::Wait(ticket) => ticket,
            };
            tokio::select! {
                biased;
                _ = ticket => {}
                () = &mut timeout => {
                    self.lock().give_up_waiting(tx);
                    return Err(messages::deadlock_victim(0, "lock"));
                }
            }
        }
    }
}
