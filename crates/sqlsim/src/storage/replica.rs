//! A database as one replica of an availability group has it: the primary replica gives its log away, the others
//! take it and redo it, and each of them may become the primary one.
//!
//! Start at [`Database::log_from`] and [`Database::take_log`]. A secondary replica is a database that is being rolled
//! forward and may be read meanwhile; its log has the LSNs, and the bytes, of the primary's.
//!
//! Who the primary replica is, and how log travels between hosts, is told in `availability/`.

use mtf::Lsn;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::boot::Boot;
use super::database::Database;
use super::facts::{DatabaseState, DifferentialBase, Fork, RecoveryModel};
use super::inner::Inner;
use super::log::Extent;
use super::raise;
use super::record::Record;
use crate::error::SqlResult;
use crate::messages;

/// How many extents travel together, so that no answer is much larger than a few virtual log files.
const EXTENTS_MAX: usize = 4;

/// How far log backups have come, on whatever replica, and what the next one will be. The primary's word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Archive {
    /// Where the next log backup begins; none where no chain runs.
    pub last_log_backup_lsn: Option<Lsn>,
    /// The next log backup will be the first of its chain.
    pub begins_log_chain: bool,
    /// The last minimally logged change that the next log backup will hold.
    pub bulk_in_log: Option<Lsn>,
    /// The last minimally logged change that no log backup covers.
    pub bulk_unbacked: Option<Lsn>,
    /// The last full that was no copy.
    pub differential_base: Option<DifferentialBase>,
}

/// What one replica lacks of another's log, or a first part of it.
#[derive(Debug)]
pub struct GivenLog {
    /// Whole blocks in order; empty where nothing is lacking.
    pub extents: Vec<Extent>,
    /// The LSN after all of the giver's log.
    pub end_lsn: Lsn,
    /// The giver's archive point.
    pub archive: Archive,
}

impl Database {
    /// The log from `from` on, which the taker has come to on the fork `fork`; `archived_too` begins where the next log
    /// backup does, if that is earlier. It is kept until `taker` asks for more. None where the two histories have
    /// parted, or the log is gone.
    pub fn log_from(
        &self,
        taker: &str,
        from: Lsn,
        fork: Uuid,
        archived_too: bool,
    ) -> SqlResult<Option<GivenLog>> {
        let mut inner = self.lock();
        inner.check_usable()?;
        // A record that is too long for a block must not be cut in two between two answers.
        inner.flush()?;
        if !inner.boot.leads_on_from(from, fork) {
            return Ok(None);
        }
        let (archive, end_lsn) = (inner.boot.archive(), inner.end_lsn());
        let archived = archive.last_log_backup_lsn.filter(|_| archived_too);
        let first = archived.map_or(from, |lsn| lsn.min(from));
        let read = inner.log.extents(first, end_lsn);
        let mut extents = read.map_err(|error| inner.log_failed(&error))?;
        if extents.is_empty() && first < end_lsn {
            return Ok(None);
        }
        if !archived_too {
            extents.truncate(EXTENTS_MAX);
        }
        inner.needed_by_replicas.insert(taker.to_lowercase(), from);
        Ok(Some(GivenLog {
            extents,
            end_lsn,
            archive,
        }))
    }

    /// Writes log that the primary replica gave away, and redoes it. Log from before the point that was come to is
    /// only kept, for log backups. Returns the LSN after it.
    pub fn take_log(&self, extents: &[Extent], archive: &Archive) -> SqlResult<Lsn> {
        let mut inner = self.lock();
        let from = inner.boot.redo_end.ok_or_else(messages::no_files_ready)?;
        let reached = extents.last().map_or(from, Extent::after).max(from);
        if extents.is_empty() && inner.boot.archive() == *archive {
            return Ok(from);
        }
        if extents.first().is_some_and(|extent| extent.first > from) {
            return Err(raise::log_damaged(&inner.boot.name));
        }
        inner.put_log(extents)?;
        inner.change_boot(|boot| {
            boot.redo_end = Some(reached);
            boot.set_archive(archive);
        })?;
        inner.replay(from, reached)?;
        // Forks that the log told of.
        inner.write_boot()?;
        Ok(reached)
    }

    /// The archive point as this replica knows it. 3023 where a log backup runs here that is about to move it.
    pub fn archive_for_log(&self) -> SqlResult<Archive> {
        let inner = self.lock();
        if inner.is_backing_up_log {
            return Err(messages::backup_serialized());
        }
        Ok(inner.boot.archive())
    }

    /// The archive point as this replica knows it.
    #[must_use]
    pub fn archive(&self) -> Archive {
        self.lock().boot.archive()
    }

    /// Takes the primary's archive point.
    pub fn set_archive(&self, archive: &Archive) -> SqlResult<()> {
        self.lock().change_boot(|boot| boot.set_archive(archive))
    }

    /// A log backup that another replica took: false where it does not begin where the next one has to.
    pub fn archive_moved(&self, first: Lsn, last: Lsn) -> SqlResult<bool> {
        let mut inner = self.lock();
        if inner.boot.last_log_backup_lsn != Some(first) || inner.is_backing_up_log {
            return Ok(false);
        }
        inner.log_backed_up_to(last).map(|()| true)
    }

    /// A restored database becomes a secondary replica.
    pub fn join_replica(&self) -> SqlResult<()> {
        let mut inner = self.lock();
        if inner.boot.redo_end.is_none() {
            return Err(messages::no_files_ready());
        }
        inner.base_map.clear();
        inner.change_boot(|boot| {
            boot.state = DatabaseState::Standby;
            boot.is_replica = true;
        })
    }

    /// The primary replica becomes a secondary one: its work ends, its log stays as it is.
    pub fn step_down(&self) -> SqlResult<()> {
        self.end_all_work()?;
        let mut inner = self.lock();
        let end = inner.log.end();
        inner.change_boot(|boot| {
            boot.state = DatabaseState::Standby;
            boot.is_replica = true;
            boot.resume_log_lsn = boot.last_log_backup_lsn;
            boot.redo_end = Some(end);
        })
    }

    /// A secondary replica becomes the primary one at the log that it has: on a fork of its own where log may have
    /// been lost.
    pub fn take_over(&self, fork: Option<Uuid>) -> SqlResult<()> {
        let mut inner = self.lock();
        let Some(end) = inner.boot.redo_end else {
            return Ok(());
        };
        let cut = inner.log.cut(end);
        cut.map_err(|error| inner.log_failed(&error))?;
        let before = inner.boot.clone();
        // Which extents the base of differentials has is known on the replica that took it: the next differential has
        // them all.
        inner.base_map.clear();
        inner.boot.lead(end, fork);
        let taken = inner.begin_leading(fork.map(|guid| Fork { guid, begins: end }));
        if taken.is_err() {
            inner.boot = before;
        }
        taken
    }

    /// The start of the last block before `end`, as `last_hardened_lsn` names it: padded with zeros.
    pub fn block_before(&self, end: Lsn) -> SqlResult<Lsn> {
        let mut inner = self.lock();
        let found = inner.log.block_before(end);
        let found = found.map_err(|error| inner.log_failed(&error))?;
        // One that was lost with the host's power began before there all the same.
        let before = Lsn {
            block: end.block.saturating_sub(1),
            ..end
        };
        Ok(Lsn {
            slot: 0,
            ..found.unwrap_or(before)
        })
    }
}

impl Inner {
    /// The LSN that the next log record gets, or that the next log to be redone has.
    pub(super) fn end_lsn(&self) -> Lsn {
        self.boot.redo_end.unwrap_or_else(|| self.log.end())
    }

    /// What stands for a checkpoint on a secondary replica, whose log is not its own to write.
    pub(super) fn restart_point(&mut self, end: Lsn) -> SqlResult<(Lsn, Vec<u8>)> {
        self.boot.checkpoint_lsn = end;
        let oldest = self.orphans.values().map(|pending| pending.began).min();
        self.boot.redo_lsn = oldest.map_or(end, |lsn| lsn.min(end));
        let pages = self.write_image()?;
        Ok((end, pages))
    }

    fn begin_leading(&mut self, fork: Option<Fork>) -> SqlResult<()> {
        if let Some(Fork { guid, begins }) = fork {
            self.append(&Record::Forked { guid, begins })?;
        }
        self.recover()?;
        self.checkpoint().map(|_| ())
    }
}

impl Boot {
    fn archive(&self) -> Archive {
        Archive {
            last_log_backup_lsn: self.last_log_backup_lsn,
            begins_log_chain: self.begins_log_chain,
            bulk_in_log: self.bulk_in_log,
            bulk_unbacked: self.bulk_unbacked,
            differential_base: self.differential_base,
        }
    }

    fn set_archive(&mut self, archive: &Archive) {
        self.last_log_backup_lsn = archive.last_log_backup_lsn;
        self.begins_log_chain = archive.begins_log_chain;
        self.bulk_in_log = archive.bulk_in_log;
        self.bulk_unbacked = archive.bulk_unbacked;
        self.differential_base = archive.differential_base;
    }

    /// Whether a history that has come to `from` on `fork` is the beginning of this one.
    fn leads_on_from(&self, from: Lsn, fork: Uuid) -> bool {
        let Some(at) = self.forks.iter().position(|known| known.guid == fork) else {
            return false;
        };
        let next = self.forks.get(at + 1);
        next.is_none_or(|next| from <= next.begins)
    }

    fn lead(&mut self, end: Lsn, fork: Option<Uuid>) {
        let resume = self.resume_log_lsn.take();
        let keeps_log = self.model != RecoveryModel::Simple;
        self.state = DatabaseState::Online;
        self.is_replica = false;
        self.redo_end = None;
        self.last_log_backup_lsn = self.last_log_backup_lsn.or(resume).filter(|_| keeps_log);
        if let Some(guid) = fork {
            self.forget_after(end);
            self.push_fork(Fork { guid, begins: end });
        }
    }

    /// What the primary replica told of log that never arrived is of no history any more: log backups go on from here,
    /// and differentials build on no full that this database was never like. Minimally logged changes are known by the
    /// last one alone; others may stand before it.
    fn forget_after(&mut self, end: Lsn) {
        self.last_log_backup_lsn = self.last_log_backup_lsn.map(|at| at.min(end));
        self.bulk_in_log = self.bulk_in_log.map(|at| at.min(end));
        self.bulk_unbacked = self.bulk_unbacked.map(|at| at.min(end));
        self.differential_base = self.differential_base.filter(|base| base.lsn <= end);
    }
}
