//! Making a database, and changing what it is: recovery model, boot record, checkpoints when due.
//!
//! Start at [`Inner::create`]. Rows are not touched here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::boot::Boot;
use super::disk::Disk;
use super::facts::{DatabaseFiles, NewDatabase, RecoveryModel};
use super::ids::TxId;
use super::image::Image;
use super::inner::{Inner, damaged, replace_file};
use super::locks::Locks;
use super::log::{LogFile, layout};
use super::raise;
use super::record::Record;
use super::rows::Tables;
use crate::error::SqlResult;

/// Log written since the last checkpoint that makes a commit take one.
const CHECKPOINT_DUE_BYTES: u64 = 8 * 1024 * 1024;

impl Inner {
    /// Makes both files.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        files: DatabaseFiles,
        new: &NewDatabase,
    ) -> SqlResult<Self> {
        let first = layout::first_of(layout::FIRST_VLF);
        let boot = Boot::new(new, first);
        let log = disk
            .open(&files.log, true)
            .and_then(|file| LogFile::create(file, first, disk.syncs_commits()))
            .map_err(|error| raise::cannot_open(&files.log, &error))?;
        let (tables, base_map) = (Tables::default(), Vec::new());
        let image = Image {
            boot: boot.clone(),
            tables,
            next_transaction: 1,
            base_map,
        };
        let pages = image
            .build()
            .map_err(|damage| damaged(&files.data, damage))?;
        let data = replace_file(&*disk, &files.data, &pages)?;
        let mut inner = Self {
            disk,
            files,
            data,
            data_bytes: pages.len() as u64,
            log,
            boot,
            tables: Tables::default(),
            open: HashMap::new(),
            orphans: BTreeMap::new(),
            locks: Locks::default(),
            next_transaction: 1,
            base_map: Vec::new(),
            is_backing_up: false,
            is_backing_up_log: false,
            needed_by_replicas: BTreeMap::new(),
            is_retired: false,
        };
        inner.checkpoint()?;
        Ok(inner)
    }

    pub(super) fn set_recovery_model(&mut self, model: RecoveryModel) -> SqlResult<()> {
        self.check_usable()?;
        if self.boot.model == model {
            return Ok(());
        }
        let at = self.append(&Record::Model(model))?;
        self.flush()?;
        let simple = RecoveryModel::Simple;
        self.change_boot(|boot| {
            // What happened under SIMPLE is in no log backup, minimally logged or not.
            if boot.model == simple {
                boot.bulk_unbacked = Some(at);
            }
            if model == simple {
                boot.last_log_backup_lsn = None;
                boot.begins_log_chain = true;
                boot.bulk_in_log = None;
            }
            boot.model = model;
        })?;
        self.release_log();
        Ok(())
    }

    pub(super) fn mark_bulk_logged(&mut self) -> SqlResult<()> {
        self.check_writable()?;
        let at = self.append(&Record::BulkChange)?;
        self.flush()?;
        self.change_boot(|boot| {
            boot.bulk_unbacked = Some(at);
            boot.bulk_in_log = Some(at);
        })
    }

    /// Sets how many extents of ballast the data file has. It is not logged: restored log does not
    /// bring it, the next full or differential does.
    pub(super) fn set_ballast(&mut self, extents: u32) -> SqlResult<()> {
        self.check_usable()?;
        let (at, _) = self.checkpoint()?;
        self.change_boot(|boot| {
            boot.ballast_extents = extents;
            boot.ballast_changed = Some(at);
        })
    }

    /// Changes the boot record, in memory only if it can be written.
    pub(super) fn change_boot(&mut self, change: impl FnOnce(&mut Boot)) -> SqlResult<()> {
        let before = self.boot.clone();
        change(&mut self.boot);
        let written = self.write_boot();
        if written.is_err() {
            self.boot = before;
        }
        written
    }

    /// Takes a checkpoint when much log has been written since the last. The commit that comes here
    /// is permanent already, so a checkpoint that fails is tried again at the next one.
    pub(super) fn checkpoint_when_due(&mut self) {
        if self.log_since_checkpoint() > CHECKPOINT_DUE_BYTES {
            let _ = self.checkpoint();
        }
    }

    pub(super) fn is_prepared(&self, tx: TxId) -> bool {
        self.open
            .get(&tx)
            .is_some_and(|open| open.prepared.is_some())
    }
}
