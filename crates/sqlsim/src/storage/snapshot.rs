//! What a backup takes out of a database, and what the database remembers of it.
//!
//! Start at [`Database::snapshot_data`] and [`Database::snapshot_log`]. A snapshot changes nothing
//! but a flag, which goes when the snapshot is dropped; only the `.._backed_up` methods move LSNs,
//! so that a backup that fails has never been.

use mtf::Lsn;
use uuid::Uuid;

use super::database::Database;
use super::facts::{DatabaseState, DifferentialBase, Facts, RecoveryModel};
use super::ids::TxId;
use super::image::{changed_extents, hashes};
use super::inner::Inner;
use super::log::Extent;
use super::raise;
use super::redo::Pending;
use crate::error::SqlResult;
use crate::messages;

/// A stretch of log, and the forks that it runs through.
#[derive(Debug)]
pub struct LogRange {
    /// Whole blocks, in order.
    pub extents: Vec<Extent>,
    /// The LSN of the first record.
    pub first_lsn: Lsn,
    /// The LSN after the last record.
    pub last_lsn: Lsn,
    /// The fork in which it begins.
    pub first_fork: Uuid,
    /// The fork in which it ends.
    pub last_fork: Uuid,
    /// Where the last fork began, if the two differ.
    pub fork_point: Option<Lsn>,
}

/// What a full or differential backup carries.
#[derive(Debug)]
pub struct DataSnapshot<'a> {
    /// The database at that moment.
    pub facts: Facts,
    /// The pages of the data file.
    pub pages: Vec<u8>,
    /// The extents to carry: all of them, or those that a differential needs.
    pub extents: Vec<u32>,
    /// How many extents of ballast to carry: all or, on a base that has them, none.
    pub ballast_extents: u32,
    /// The log from the oldest change to the end.
    pub log: LogRange,
    /// The base of a differential; `None` for a full.
    pub base: Option<DifferentialBase>,
    _running: Running<'a>,
}

/// What a log backup carries.
#[derive(Debug)]
pub struct LogSnapshot<'a> {
    /// The database at that moment.
    pub facts: Facts,
    /// The log since the last log backup.
    pub log: LogRange,
    _running: Running<'a>,
}

impl Database {
    /// Takes a checkpoint and everything that a full or differential backup needs. Raises 3023
    /// while another runs, 3035 for a differential without a base, 927 or 942 by state.
    pub fn snapshot_data(&self, differential: bool) -> SqlResult<DataSnapshot<'_>> {
        let mut inner = self.lock();
        inner.check_backup()?;
        if inner.is_backing_up {
            return Err(messages::backup_serialized());
        }
        let base = inner.boot.differential_base.filter(|_| differential);
        if differential && base.is_none() {
            return Err(messages::differential_without_full(&inner.boot.name));
        }
        let (_, pages) = inner.checkpoint()?;
        let none = Vec::new();
        let base_map = if differential { &inner.base_map } else { &none };
        let extents = changed_extents(&pages, base_map);
        let (first, last) = (inner.boot.redo_lsn, inner.end_lsn());
        let log = inner.log_range(first, last)?;
        inner.is_backing_up = true;
        let running = Running {
            database: self,
            of_log: false,
        };
        let facts = inner.facts();
        let is_in_base =
            base.is_some_and(|base| inner.boot.ballast_changed.is_none_or(|at| at < base.lsn));
        let ballast_extents = if is_in_base {
            0
        } else {
            inner.boot.ballast_extents
        };
        Ok(DataSnapshot {
            facts,
            pages,
            extents,
            ballast_extents,
            log,
            base,
            _running: running,
        })
    }

    /// The full or differential was written. A full without `copy_only` becomes the base of
    /// differentials; either without it begins a log chain where none runs.
    pub fn data_backed_up(
        &self,
        snapshot: &DataSnapshot<'_>,
        set_guid: Uuid,
        copy_only: bool,
    ) -> SqlResult<()> {
        let mut inner = self.lock();
        let before = (inner.boot.clone(), inner.base_map.clone());
        if snapshot.base.is_none() && !copy_only {
            let lsn = snapshot.facts.checkpoint_lsn;
            inner.base_map = hashes(&snapshot.pages);
            inner.boot.differential_base = Some(DifferentialBase {
                lsn,
                guid: set_guid,
            });
        }
        let logs = inner.boot.model != RecoveryModel::Simple;
        if !copy_only && logs && inner.boot.last_log_backup_lsn.is_none() {
            inner.boot.last_log_backup_lsn = Some(snapshot.log.first_lsn);
            inner.boot.begins_log_chain = true;
        }
        // The map of the base stands in the data file, so a boot record alone is not enough.
        let written = inner.checkpoint().map(|_| ());
        if written.is_err() {
            (inner.boot, inner.base_map) = before;
        }
        written
    }

    /// Takes the log since the last log backup. Raises 4208 under SIMPLE, 4214 where no full began
    /// a chain, 3023 while another log backup runs, 35295 on a secondary replica that lacks log which
    /// is backed up already, 927 or 942 by state.
    pub fn snapshot_log(&self) -> SqlResult<LogSnapshot<'_>> {
        let mut inner = self.lock();
        inner.check_backup()?;
        if inner.boot.model == RecoveryModel::Simple {
            return Err(messages::log_backup_under_simple("BACKUP LOG"));
        }
        let first = inner
            .boot
            .last_log_backup_lsn
            .ok_or_else(messages::log_backup_without_full)?;
        if inner.is_backing_up_log {
            return Err(messages::backup_serialized());
        }
        inner.flush()?;
        let last = inner.end_lsn();
        if first > last {
            let name = &inner.boot.name;
            return Err(messages::replica_behind_last_backup(name, first, last));
        }
        let log = inner.log_range(first, last)?;
        inner.is_backing_up_log = true;
        let running = Running {
            database: self,
            of_log: true,
        };
        let facts = inner.facts();
        Ok(LogSnapshot {
            facts,
            log,
            _running: running,
        })
    }

    /// The log backup was written (and not as a copy only): the next one begins where it ended.
    pub fn log_backed_up(&self, snapshot: &LogSnapshot<'_>) -> SqlResult<()> {
        self.lock().log_backed_up_to(snapshot.log.last_lsn)
    }

    /// Ends all work, as `BACKUP LOG .. WITH NORECOVERY` does before it takes the tail.
    pub fn end_all_work(&self) -> SqlResult<()> {
        let mut inner = self.lock();
        let open: Vec<TxId> = inner.open.keys().copied().collect();
        for tx in open {
            if inner.is_prepared(tx) {
                inner.make_orphan(tx);
            } else {
                inner.rollback(tx)?;
            }
        }
        inner.flush()
    }

    /// Leaves the database RESTORING at the end of its log, after a tail log backup. Work that came
    /// after the tail is lost to the log backup but not to the log: a recovery would keep it.
    pub fn leave_restoring(&self) -> SqlResult<()> {
        let mut inner = self.lock();
        inner.flush()?;
        let end = inner.end_lsn();
        inner.change_boot(|boot| {
            boot.state = DatabaseState::Restoring;
            boot.is_replica = false;
            boot.resume_log_lsn = boot.last_log_backup_lsn;
            boot.redo_end = Some(end);
        })
    }
}

impl Inner {
    fn check_backup(&self) -> SqlResult<()> {
        match self.boot.redo_end {
            Some(_) if !self.boot.is_replica => Err(messages::database_restoring(&self.boot.name)),
            Some(_) | None => self.check_usable(),
        }
    }

    /// All log before `last` is in log backups.
    pub(super) fn log_backed_up_to(&mut self, last: Lsn) -> SqlResult<()> {
        // The boot record must not speak of log that a loss of power could take away.
        self.log.sync().map_err(|error| self.log_failed(&error))?;
        self.change_boot(|boot| {
            boot.last_log_backup_lsn = Some(last);
            boot.begins_log_chain = false;
            boot.bulk_in_log = boot.bulk_in_log.filter(|at| *at >= last);
            boot.bulk_unbacked = boot.bulk_unbacked.filter(|at| *at >= last);
        })?;
        self.release_log();
        Ok(())
    }

    fn log_range(&mut self, first_lsn: Lsn, last_lsn: Lsn) -> SqlResult<LogRange> {
        let read = self.log.extents(first_lsn, last_lsn);
        let extents = read.map_err(|error| self.log_failed(&error))?;
        let reached = extents.last().map_or(first_lsn, Extent::after);
        if reached < last_lsn {
            return Err(raise::log_damaged(&self.boot.name));
        }
        let (first, last) = (self.boot.fork_at(first_lsn), self.boot.fork());
        Ok(LogRange {
            extents,
            first_lsn,
            last_lsn,
            first_fork: first.guid,
            last_fork: last.guid,
            fork_point: (first.guid != last.guid).then_some(last.begins),
        })
    }

    /// A prepared transaction whose session is gone.
    fn make_orphan(&mut self, tx: TxId) {
        let Some(open) = self.open.remove(&tx) else {
            return;
        };
        let Some(began) = open.began else { return };
        let writes = open.writes.into_writes();
        self.orphans.insert(
            open.number,
            Pending {
                writes,
                began,
                prepared: open.prepared,
            },
        );
    }
}

/// Says that a backup runs, as long as it is there.
#[derive(Debug)]
struct Running<'a> {
    database: &'a Database,
    of_log: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut inner = self.database.lock();
        if self.of_log {
            inner.is_backing_up_log = false;
        } else {
            inner.is_backing_up = false;
        }
    }
}
