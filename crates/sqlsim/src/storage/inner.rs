//! The inside of a database: files, rows, locks and boot record under one lock.
//!
//! Start at [`Inner`]. Every method here runs with the lock held and never waits for anything but
//! the disk. The order that keeps a kill harmless: log before rows, a new data file before its
//! rename, the boot record after what it speaks of.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mtf::{Lsn, page};

use super::boot::Boot;
use super::codec::Malformed;
use super::database::PrepareInfo;
use super::disk::{Disk, DiskFile};
use super::facts::{DatabaseFiles, DatabaseState, Facts, RecoveryModel};
use super::ids::TxId;
use super::image::{Damage, Image};
use super::locks::{Locks, Resource};
use super::log::{Joiner, LogFile, layout};
use super::raise;
use super::record::Record;
use super::redo::{Notice, Pending, Replay};
use super::rows::{Tables, WriteSet};
use crate::error::{SqlError, SqlResult};
use crate::messages;

/// A transaction whose session lives.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Its number in the log, and as the owner of locks.
    pub(super) number: u64,
    pub(super) writes: WriteSet,
    /// The LSN of its first record; `None` as long as it wrote nothing.
    pub(super) began: Option<Lsn>,
    pub(super) prepared: Option<PrepareInfo>,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: DatabaseFiles,
    pub(super) data: Box<dyn DiskFile>,
    pub(super) data_bytes: u64,
    pub(super) log: LogFile,
    pub(super) boot: Boot,
    pub(super) tables: Tables,
    pub(super) open: HashMap<TxId, Transaction>,
    /// Transactions that the log began and that have no session: in doubt, or not yet decided
    /// because the database is being restored.
    pub(super) orphans: BTreeMap<u64, Pending>,
    pub(super) locks: Locks,
    pub(super) next_transaction: u64,
    pub(super) base_map: Vec<u64>,
    /// A full or differential backup runs.
    pub(super) is_backing_up: bool,
    /// A log backup runs.
    pub(super) is_backing_up_log: bool,
    /// From where on other replicas lack log, by their hosts' names.
    pub(super) needed_by_replicas: BTreeMap<String, Lsn>,
    /// The files belong to another database now, or to none.
    pub(super) is_retired: bool,
}

impl Inner {
    /// Opens the files and redoes the log, without writing anything.
    pub(super) fn open(disk: Arc<dyn Disk>, files: DatabaseFiles) -> SqlResult<Self> {
        let (data, image, data_bytes) = read_data(&*disk, &files.data)?;
        let log = open_log(&*disk, &files.log)?;
        let mut inner = Self {
            disk,
            files,
            data,
            data_bytes,
            log,
            boot: image.boot,
            tables: Tables::default(),
            open: HashMap::new(),
            orphans: BTreeMap::new(),
            locks: Locks::default(),
            next_transaction: image.next_transaction,
            base_map: image.base_map,
            is_backing_up: false,
            is_backing_up_log: false,
            needed_by_replicas: BTreeMap::new(),
            is_retired: false,
        };
        if inner.boot.is_replica {
            inner.base_map.clear();
        }
        inner.redo(image.tables)?;
        Ok(inner)
    }

    /// Crash recovery after `open`: what is not prepared is ended, what is prepared gets its locks.
    pub(super) fn recover(&mut self) -> SqlResult<()> {
        let losers: Vec<u64> = self
            .orphans
            .iter()
            .filter(|(_, pending)| pending.prepared.is_none())
            .map(|(number, _)| *number)
            .collect();
        for transaction in losers {
            self.orphans.remove(&transaction);
            self.append(&Record::Abort { transaction })?;
        }
        self.flush()?;
        self.lock_orphans();
        Ok(())
    }

    /// Writes a new data file and lets the log go as far as nobody needs it.
    pub(super) fn checkpoint(&mut self) -> SqlResult<(Lsn, Vec<u8>)> {
        if let Some(end) = self.boot.redo_end.filter(|_| self.boot.is_replica) {
            return self.restart_point(end);
        }
        self.flush()?;
        let checkpoint = self.log.end();
        self.append(&Record::Checkpoint)?;
        self.flush()?;
        self.boot.checkpoint_lsn = checkpoint;
        self.boot.redo_lsn = self
            .oldest_change()
            .map_or(checkpoint, |lsn| lsn.min(checkpoint));
        let pages = self.write_image()?;
        self.release_log();
        Ok((checkpoint, pages))
    }

    /// Writes rows and boot record as they are into a new data file, and puts it in place.
    pub(super) fn write_image(&mut self) -> SqlResult<Vec<u8>> {
        if self.is_retired {
            return Err(messages::database_restoring(&self.boot.name));
        }
        self.boot.version += 1;
        let image = Image {
            boot: self.boot.clone(),
            tables: self.tables.clone(),
            next_transaction: self.next_transaction,
            base_map: self.base_map.clone(),
        };
        let pages = image
            .build()
            .map_err(|damage| damaged(&self.files.data, damage))?;
        self.log.sync().map_err(|error| self.log_failed(&error))?;
        self.data = replace_file(&*self.disk, &self.files.data, &pages)?;
        self.data_bytes = pages.len() as u64;
        Ok(pages)
    }

    /// Writes the boot record alone, into the page that the last write left untouched.
    pub(super) fn write_boot(&mut self) -> SqlResult<()> {
        self.boot.version += 1;
        let path = &self.files.data;
        let too_long = || damaged(path, Damage::Contents);
        let (page_id, bytes) = self.boot.page().ok_or_else(too_long)?;
        let offset = u64::from(page_id) * page::SIZE as u64;
        let written = self
            .data
            .write_at(offset, &bytes[..])
            .and_then(|()| self.data.sync());
        written.map_err(|error| raise::data_file(path, &error))
    }

    /// Adds a record to the block in the making.
    pub(super) fn append(&mut self, record: &Record) -> SqlResult<Lsn> {
        self.log
            .append(&record.encode())
            .map_err(|error| self.log_failed(&error))
    }

    /// Writes the block in the making.
    pub(super) fn flush(&mut self) -> SqlResult<()> {
        self.log.flush().map_err(|error| self.log_failed(&error))
    }

    pub(super) fn log_failed(&self, error: &io::Error) -> SqlError {
        raise::log_not_available(&self.boot.name, error)
    }

    /// Lets go of log that neither redo nor the next log backup needs.
    pub(super) fn release_log(&mut self) {
        let archived = match self.boot.model {
            RecoveryModel::Simple => None,
            RecoveryModel::Full | RecoveryModel::BulkLogged => self.boot.last_log_backup_lsn,
        };
        let needed = archived.map_or(self.boot.redo_lsn, |lsn| lsn.min(self.boot.redo_lsn));
        let lacking = self.needed_by_replicas.values().copied().min();
        let needed = lacking.map_or(needed, |lsn| lsn.min(needed));
        self.log.release_before(needed);
    }

    /// Raises what using a database in this state raises.
    pub(super) fn check_usable(&self) -> SqlResult<()> {
        if self.is_retired {
            return Err(messages::database_restoring(&self.boot.name));
        }
        match self.boot.state {
            DatabaseState::Online | DatabaseState::Standby => Ok(()),
            DatabaseState::Restoring => Err(messages::database_restoring(&self.boot.name)),
            DatabaseState::Offline => Err(messages::database_offline(&self.boot.name)),
        }
    }

    /// Raises what changing a database in this state raises.
    pub(super) fn check_writable(&self) -> SqlResult<()> {
        self.check_usable()?;
        if self.boot.is_read_only || self.boot.state == DatabaseState::Standby {
            return Err(messages::database_read_only(&self.boot.name));
        }
        Ok(())
    }

    /// See [`Facts`].
    pub(super) fn facts(&self) -> Facts {
        let boot = &self.boot;
        let begins = boot.last_log_backup_lsn.unwrap_or_else(|| self.log.end());
        let (first_fork, fork) = (boot.fork_at(begins), boot.fork());
        let backed_up = boot.last_log_backup_lsn.unwrap_or(boot.redo_lsn);
        Facts {
            name: boot.name.clone(),
            files: self.files.clone(),
            state: boot.state,
            is_replica: boot.is_replica,
            is_read_only: boot.is_read_only,
            recovery_model: boot.model,
            created: boot.created,
            compatibility_level: boot.compatibility_level,
            collation: boot.collation.clone(),
            database_guid: boot.database_guid,
            family_guid: boot.family_guid,
            recovery_fork_guid: fork.guid,
            first_recovery_fork_guid: first_fork.guid,
            fork_point_lsn: (first_fork.guid != fork.guid).then_some(fork.begins),
            last_log_backup_lsn: boot.last_log_backup_lsn,
            begins_log_chain: boot.begins_log_chain,
            differential_base: boot.differential_base,
            checkpoint_lsn: boot.checkpoint_lsn,
            end_lsn: self.end_lsn(),
            has_bulk_logged_changes: boot.bulk_in_log.is_some(),
            might_hold_unbacked_bulk_changes: boot.bulk_unbacked.is_some()
                || boot.last_log_backup_lsn.is_none(),
            log_since_backup_bytes: layout::distance_bytes(backed_up, self.log.end()),
            log_since_checkpoint_bytes: self.log_since_checkpoint(),
            data_size_bytes: self.data_bytes
                + u64::from(boot.ballast_extents) * page::EXTENT_SIZE as u64,
            log_size_bytes: self.log.length_bytes(),
        }
    }

    pub(super) fn log_since_checkpoint(&self) -> u64 {
        layout::distance_bytes(self.boot.checkpoint_lsn, self.log.end())
    }

    /// What the log says beside rows, taken into the boot record.
    pub(super) fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Model(model) => self.boot.model = model,
            Notice::BulkChange(at) => self.boot.bulk_in_log = Some(at),
            Notice::Forked(fork) => self.boot.push_fork(fork),
        }
    }

    /// Redoes log from `from` to `to` over the rows in memory.
    pub(super) fn replay(&mut self, from: Lsn, to: Lsn) -> SqlResult<Lsn> {
        let extents = self
            .log
            .extents(from, to)
            .map_err(|error| self.log_failed(&error))?;
        let mut replay = Replay {
            tables: std::mem::take(&mut self.tables),
            pending: std::mem::take(&mut self.orphans),
            next_transaction: self.next_transaction,
            checkpoint: self.boot.checkpoint_lsn,
        };
        let (mut joiner, mut notices) = (Joiner::default(), Vec::new());
        let mut redone = Ok(());
        for extent in &extents {
            match replay.apply_extent(extent, &mut joiner) {
                Ok(more) => notices.extend(more),
                Err(Malformed) => redone = Err(self.log_malformed()),
            }
        }
        self.tables = replay.tables;
        self.orphans = replay.pending;
        self.next_transaction = replay.next_transaction;
        // A database that is open knows these better from its boot record.
        if self.boot.redo_end.is_some() {
            for notice in notices {
                self.note(notice);
            }
        }
        redone.map(|()| extents.last().map_or(from, super::log::Extent::after))
    }

    /// Gives every transaction in doubt the locks of the rows it changed.
    pub(super) fn lock_orphans(&mut self) {
        for (number, pending) in &self.orphans {
            for write in &pending.writes {
                // Nobody else has begun yet, so each of these locks is free.
                let _ = self
                    .locks
                    .take(*number, &Resource::Row(write.table, write.row));
            }
        }
    }

    fn redo(&mut self, tables: Tables) -> SqlResult<()> {
        self.tables = tables;
        let (from, limit) = (self.boot.redo_lsn, self.boot.redo_end);
        let end = self.replay(from, limit.unwrap_or(Lsn::from_parts(u32::MAX, 0, 1)))?;
        match limit {
            Some(limit) if end < limit => Err(self.log_malformed()),
            Some(_) => Ok(()),
            None => self.log.cut(end).map_err(|error| self.log_failed(&error)),
        }
    }

    fn log_malformed(&self) -> SqlError {
        let error = io::Error::new(io::ErrorKind::InvalidData, "the log file is damaged");
        self.log_failed(&error)
    }

    fn oldest_change(&self) -> Option<Lsn> {
        let open = self
            .open
            .values()
            .filter_map(|transaction| transaction.began);
        open.chain(self.orphans.values().map(|pending| pending.began))
            .min()
    }
}

/// Makes a file with these bytes beside the old one and puts it in its place.
pub(super) fn replace_file(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
) -> SqlResult<Box<dyn DiskFile>> {
    let replace = || {
        let beside = beside(path);
        disk.remove(&beside)?;
        let mut file = disk.open(&beside, true)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        disk.rename(&beside, path)?;
        Ok(file)
    };
    replace().map_err(|error| raise::data_file(path, &error))
}

/// The name under which a file is made before it takes its place.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// The SQL Server message for a damaged data file.
pub(super) fn damaged(path: &Path, damage: Damage) -> SqlError {
    match damage {
        Damage::Page(page_id) => raise::data_damaged(path, page_id),
        Damage::Contents => raise::data_damaged(path, 0),
    }
}

fn read_data(disk: &dyn Disk, path: &Path) -> SqlResult<(Box<dyn DiskFile>, Image, u64)> {
    let read = || {
        let mut file = disk.open(path, false)?;
        let length = usize::try_from(file.length_bytes()?).map_err(io::Error::other)?;
        let mut pages = vec![0; length];
        file.read_at(0, &mut pages)?;
        Ok((file, pages))
    };
    let (file, pages) = read().map_err(|error| raise::cannot_open(path, &error))?;
    let image = Image::read(&pages).map_err(|damage| damaged(path, damage))?;
    Ok((file, image, pages.len() as u64))
}

fn open_log(disk: &dyn Disk, path: &Path) -> SqlResult<LogFile> {
    let file = disk.open(path, false);
    let log = file.and_then(|file| LogFile::open(file, disk.syncs_commits()));
    log.map_err(|error| raise::cannot_open(path, &error))
}
