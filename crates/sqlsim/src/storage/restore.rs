//! What a restore puts into a database: pages and log as a backup carried them.
//!
//! Start at [`Database::restore_full`]. Blocks of log go into the log file where their LSNs say, so
//! that rolling forward is the redo of any crash, up to an LSN that the boot record holds. Whether
//! a backup fits is decided in `backup/`, before anything here is called.

use std::sync::Arc;

use jiff::civil::DateTime;
use mtf::Lsn;
use uuid::Uuid;

use super::boot::Boot;
use super::database::Database;
use super::disk::Disk;
use super::facts::{DatabaseFiles, DatabaseState, DifferentialBase, Fork, RecoveryModel};
use super::image::{self, Damage, Image, hashes, lay_over};
use super::inner::{Inner, beside, damaged, replace_file};
use super::log::{Extent, LogFile};
use super::raise;
use super::record::Record;
use crate::error::SqlResult;
use crate::messages;

/// A full or differential backup, read and found sound.
#[derive(Debug)]
pub struct RestoredData {
    /// Pages with their numbers, in runs of whole pages.
    pub pages: Vec<(u32, Vec<u8>)>,
    /// The log that it carried.
    pub log: Vec<Extent>,
    /// The LSN after that log.
    pub last_lsn: Lsn,
}

/// Who a restored database is.
#[derive(Debug, Clone)]
pub struct RestoredIdentity {
    /// Its name here.
    pub name: String,
    /// Its own GUID, not that of the database that was backed up.
    pub database_guid: Uuid,
    /// The time of the restore, local to the host (`sys.databases.create_date`).
    pub created: DateTime,
    /// The full itself: it becomes the base of differentials.
    pub full: DifferentialBase,
}

impl Database {
    /// Makes a database out of a full backup, over any files of those names. It is RESTORING
    /// afterwards. The outer error is SQL Server's, the inner one says which page is damaged.
    pub fn restore_full(
        disk: Arc<dyn Disk>,
        files: DatabaseFiles,
        data: RestoredData,
        identity: &RestoredIdentity,
    ) -> SqlResult<Result<Self, Damage>> {
        let pages = join(Vec::new(), data.pages);
        let mut image = match Image::read(&pages) {
            Ok(image) => image,
            Err(damage) => return Ok(Err(damage)),
        };
        image.base_map = hashes(&pages);
        identity.name.clone_into(&mut image.boot.name);
        image.boot.database_guid = identity.database_guid;
        image.boot.created = identity.created;
        image.boot.differential_base = Some(identity.full);
        begin_restoring(&mut image.boot, data.last_lsn);
        put_files(&*disk, &files, &image, &data.log)?;
        Inner::open(disk, files).map(|inner| Ok(Self::around(inner)))
    }

    /// Lays a differential over the base, which the data file still is.
    pub fn restore_differential(&self, data: RestoredData) -> SqlResult<Result<(), Damage>> {
        let mut inner = self.lock();
        let pages = join(inner.read_pages()?, data.pages);
        let mut image = match Image::read(&pages) {
            Ok(image) => image,
            Err(damage) => return Ok(Err(damage)),
        };
        image.base_map.clone_from(&inner.base_map);
        keep_identity(&mut image.boot, &inner.boot);
        begin_restoring(&mut image.boot, data.last_lsn);
        // Its log goes beside the log that is there, so that a kill before the new data file is in
        // place leaves the old one whole.
        inner.put_log(&data.log)?;
        put_data(&*inner.disk, &inner.files, &image)?;
        *inner = Inner::open(Arc::clone(&inner.disk), inner.files.clone())?;
        Ok(Ok(()))
    }

    /// Rolls forward through blocks of log, which must end at `end`. `resume` is where the first
    /// log backup after a recovery at this point has to begin.
    pub fn restore_log(&self, blocks: &[Extent], end: Lsn, resume: Lsn) -> SqlResult<()> {
        let mut inner = self.lock();
        let from = inner.boot.redo_end.ok_or_else(messages::no_files_ready)?;
        inner.put_log(blocks)?;
        inner.change_boot(|boot| {
            boot.redo_end = Some(end);
            boot.resume_log_lsn = Some(resume);
            boot.state = DatabaseState::Restoring;
        })?;
        inner.replay(from, end)?;
        inner.write_boot()
    }

    /// Where rolling forward has come to; `None` when the database is not being restored.
    #[must_use]
    pub fn redo_end(&self) -> Option<Lsn> {
        self.lock().boot.redo_end
    }

    /// Opens the restored database for reading, so that more logs may follow.
    pub fn open_standby(&self) -> SqlResult<()> {
        let mut inner = self.lock();
        if inner.boot.redo_end.is_none() {
            return Err(messages::no_files_ready());
        }
        inner.change_boot(|boot| boot.state = DatabaseState::Standby)
    }

    /// Opens the restored database: what did not commit is ended, and a new fork begins.
    pub fn recover(&self, fork_guid: Uuid) -> SqlResult<()> {
        let mut inner = self.lock();
        let Some(end) = inner.boot.redo_end else {
            return Ok(());
        };
        inner
            .log
            .cut(end)
            .map_err(|error| inner.log_failed(&error))?;
        let (before, resume) = (inner.boot.clone(), inner.boot.resume_log_lsn);
        let simple = inner.boot.model == RecoveryModel::Simple;
        inner.boot.state = DatabaseState::Online;
        inner.boot.redo_end = None;
        inner.boot.resume_log_lsn = None;
        inner.boot.last_log_backup_lsn = resume.filter(|_| !simple);
        inner.boot.begins_log_chain = false;
        inner.boot.push_fork(Fork {
            guid: fork_guid,
            begins: end,
        });
        let recovered = inner.begin_fork(fork_guid, end);
        if recovered.is_err() {
            inner.boot = before;
        }
        recovered
    }
}

impl Inner {
    /// Until the new data file is in place a kill leaves the database RESTORING, at the same point.
    fn begin_fork(&mut self, guid: Uuid, begins: Lsn) -> SqlResult<()> {
        self.append(&Record::Forked { guid, begins })?;
        self.recover()?;
        self.checkpoint().map(|_| ())
    }

    pub(super) fn put_log(&mut self, log: &[Extent]) -> SqlResult<()> {
        let mut extents = log.iter();
        let put = extents.try_for_each(|extent| self.log.put(extent.first, &extent.bytes));
        let synced = put.and_then(|()| self.log.sync());
        synced.map_err(|error| self.log_failed(&error))
    }

    fn read_pages(&mut self) -> SqlResult<Vec<u8>> {
        let length = usize::try_from(self.data_bytes).unwrap_or(usize::MAX);
        let mut pages = vec![0; length];
        let read = self.data.read_at(0, &mut pages);
        read.map_err(|error| raise::data_file(&self.files.data, &error))?;
        Ok(pages)
    }
}

fn join(mut base: Vec<u8>, pages: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
    for (page_id, bytes) in pages {
        lay_over(&mut base, page_id, &bytes);
    }
    // A differential of a database that has shrunk leaves pages of its base behind the end.
    base.truncate(image::length_bytes(&base));
    base
}

fn begin_restoring(boot: &mut Boot, last_lsn: Lsn) {
    boot.state = DatabaseState::Restoring;
    boot.is_read_only = false;
    boot.is_replica = false;
    boot.redo_end = Some(last_lsn);
    boot.resume_log_lsn = Some(last_lsn);
    boot.last_log_backup_lsn = None;
    boot.bulk_in_log = None;
    boot.bulk_unbacked = None;
}

fn keep_identity(boot: &mut Boot, of: &Boot) {
    boot.name.clone_from(&of.name);
    boot.database_guid = of.database_guid;
    boot.created = of.created;
    boot.differential_base = of.differential_base;
}

/// The log first: a data file that is in place speaks of log that is there.
fn put_files(
    disk: &dyn Disk,
    files: &DatabaseFiles,
    image: &Image,
    log: &[Extent],
) -> SqlResult<()> {
    let put_log = || {
        let path = beside(&files.log);
        disk.remove(&path)?;
        let first = log
            .first()
            .map_or(image.boot.redo_lsn, |extent| extent.first);
        let mut file = LogFile::create(disk.open(&path, true)?, first, disk.syncs_commits())?;
        log.iter()
            .try_for_each(|extent| file.put(extent.first, &extent.bytes))?;
        file.sync()?;
        disk.rename(&path, &files.log)
    };
    put_log().map_err(|error| raise::cannot_open(&files.log, &error))?;
    put_data(disk, files, image)
}

fn put_data(disk: &dyn Disk, files: &DatabaseFiles, image: &Image) -> SqlResult<()> {
    let pages = image
        .build()
        .map_err(|damage| damaged(&files.data, damage))?;
    replace_file(disk, &files.data, &pages).map(|_| ())
}
