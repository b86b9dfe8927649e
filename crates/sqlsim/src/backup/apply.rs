//! From a verified backup set to pages and log that a database can take.
//!
//! Start at [`roll_forward`] and [`data_of`]. Stripes are joined by what their bytes say of
//! themselves: a page by its number, a log block by its LSN.

use mtf::{BackupSet, Lsn, page};

use super::media::{Media, SetContents};
use super::outcome::{RestoreOutcome, pages_of};
use super::raise;
use super::stop::{Found, Stop, find};
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::storage::{Damage, Database, Extent, RestoredData, blocks_of, forks};

/// The pages and log of a full or differential. Raises 3183 for a page that is out of place.
pub(super) fn data_of(
    stripes: &[&SetContents],
    set: &BackupSet,
    db: &str,
) -> SqlResult<RestoredData> {
    let mut pages = Vec::new();
    for stripe in stripes {
        for extent in stripe.data.chunks(page::EXTENT_SIZE) {
            let first = first_page(extent).ok_or_else(|| messages::restore_page_error(1, 0, db))?;
            pages.push((first, extent.to_vec()));
        }
    }
    Ok(RestoredData {
        pages,
        log: log_of(stripes),
        last_lsn: set.last_lsn,
    })
}

/// Rolls a database forward through a log backup that fits, to its end or to the stop. Raises 4335
/// or 4338 for a stop that is passed, 4341 for one inside bulk-logged changes.
pub(super) fn roll_forward(
    database: &Database,
    stripes: &[&SetContents],
    set: &BackupSet,
    stop: Option<&Stop>,
) -> SqlResult<Found> {
    let log = log_of(stripes);
    let from = database.redo_end().ok_or_else(messages::no_files_ready)?;
    check_fork(database, set, &log, from)?;
    let Some(stop) = stop else {
        database.restore_log(&log, set.last_lsn, set.last_lsn)?;
        return Ok(Found::Later);
    };
    let found = find(stop, &log, from);
    match found {
        Found::Passed if stop.is_mark() => Err(messages::stop_point_too_early()),
        Found::Passed => Err(messages::stop_time_too_early()),
        Found::Later => {
            database.restore_log(&log, set.last_lsn, set.last_lsn)?;
            Ok(found)
        }
        Found::Here(_) if set.has_bulk_logged_data() => Err(messages::bulk_logged_no_stop()),
        Found::Here(end) => {
            // The next log backup must hold this log again, up to the stop, and go on from there.
            database.restore_log(&cut(&log, end), end, set.first_lsn)?;
            Ok(found)
        }
    }
}

/// The fork on which the log is where the database has come to must be the database's own. Log that
/// was backed up after two recoveries holds more forks than its header names, so the log is asked.
fn check_fork(database: &Database, set: &BackupSet, log: &[Extent], at: Lsn) -> SqlResult<()> {
    let begun = forks(log).into_iter().rfind(|fork| fork.begins < at);
    let guid = begun.map_or(set.first_recovery_fork_guid, |fork| fork.guid);
    if guid == database.facts().recovery_fork_guid {
        return Ok(());
    }
    Err(messages::other_recovery_path())
}

/// The message for a stop that lies behind this log.
pub(super) fn not_yet(stop: &Stop) -> SqlError {
    if stop.is_mark() {
        messages::mark_not_in_log()
    } else {
        raise::time_not_in_log()
    }
}

/// The message for an image that cannot be read after all.
pub(super) fn damage_message(damage: Damage, db: &str) -> SqlError {
    match damage {
        Damage::Page(page_id) => messages::restore_page_error(1, page_id.into(), db),
        Damage::Contents => messages::backup_set_damaged(),
    }
}

/// What was done so far.
pub(super) fn outcome(
    database: &Database,
    media: &Media,
    set: &BackupSet,
    stripes: &[&SetContents],
) -> RestoreOutcome {
    let data_of = |stripe: &&SetContents| {
        stripe.data.len() as u64 + stripe.ballast.len() as u64 * page::EXTENT_SIZE as u64
    };
    let data: u64 = stripes.iter().map(data_of).sum();
    let extents = stripes.iter().flat_map(|stripe| &stripe.log);
    let log: u64 = extents.map(|(_, bytes)| bytes.len() as u64).sum();
    RestoreOutcome {
        set: set.clone(),
        media: media.families(),
        is_compressed: media.is_compressed(),
        files: database.facts().files,
        data_pages: pages_of(data),
        log_pages: pages_of(log),
        notices: Vec::new(),
        stopped_at: None,
        is_recovered: false,
    }
}

/// The log of all stripes in order.
fn log_of(stripes: &[&SetContents]) -> Vec<Extent> {
    let mut log: Vec<Extent> = Vec::new();
    for (extent, bytes) in stripes.iter().flat_map(|stripe| &stripe.log) {
        let Some((vlf, block)) = extent.block_at(extent.start_bytes) else {
            continue;
        };
        let start = extent.vlfs.iter().find(|known| known.sequence == vlf);
        log.push(Extent {
            first: Lsn::from_parts(vlf, block, 1),
            vlf_start_bytes: start.map_or(0, |vlf| vlf.start_bytes),
            bytes: bytes.clone(),
        });
    }
    log.sort_by_key(|extent| extent.first);
    log
}

/// The blocks before `end`.
fn cut(log: &[Extent], end: Lsn) -> Vec<Extent> {
    let kept = log.iter().map(|extent| {
        let blocks = blocks_of(extent.first, &extent.bytes);
        let before = blocks.iter().take_while(|(at, _)| *at < end);
        let length = before.map(|(_, block)| block.len()).sum();
        Extent {
            bytes: extent.bytes[..length].to_vec(),
            ..extent.clone()
        }
    });
    kept.filter(|extent| !extent.bytes.is_empty()).collect()
}

/// The number of the first page of an extent, by the first page in it that has a header.
fn first_page(extent: &[u8]) -> Option<u32> {
    let pages = extent.chunks_exact(page::SIZE);
    let (slot, header) = (0_u32..)
        .zip(pages)
        .find(|(_, page)| page[0] == 1)
        .map(|(slot, page)| (slot, page::PageHeader::read(page)))?;
    header.page_id.checked_sub(slot)
}
