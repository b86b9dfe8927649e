//! Redo: from the rows at a checkpoint and the log behind it to the rows at the log's end. Pure.
//!
//! Start at [`Replay::apply`]. Changes are gathered by transaction and take effect at the commit
//! record, so there is nothing to undo: what has no commit record never happened.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use mtf::Lsn;

use super::codec::Decoded;
use super::database::{MarkInfo, PrepareInfo};
use super::facts::{Fork, RecoveryModel};
use super::log::{Extent, Joiner};
use super::record::Record;
use super::rows::{Tables, Write};

/// A transaction that the log has begun and not ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    /// What it changed so far.
    pub writes: Vec<Write>,
    /// The LSN of its first record.
    pub began: Lsn,
    /// What it promised, once prepared.
    pub prepared: Option<PrepareInfo>,
}

/// Something in the log that concerns the boot record, not the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Notice {
    /// The recovery model changed.
    Model(RecoveryModel),
    /// A minimally logged change was made.
    BulkChange(Lsn),
    /// A new fork began.
    Forked(Fork),
}

/// The state of redo.
#[derive(Debug, Clone, Default)]
pub(super) struct Replay {
    /// Committed rows.
    pub tables: Tables,
    /// Open transactions by their number in the log.
    pub pending: BTreeMap<u64, Pending>,
    /// The number that the next transaction gets.
    pub next_transaction: u64,
    /// Commits before this LSN are in `tables` already.
    pub checkpoint: Lsn,
}

impl Replay {
    /// Redoes all records of an extent and returns what else they say.
    pub(super) fn apply_extent(
        &mut self,
        extent: &Extent,
        joiner: &mut Joiner,
    ) -> Decoded<Vec<Notice>> {
        let mut notices = Vec::new();
        for (place, block) in extent.blocks() {
            for (at, bytes) in joiner.records(place, block)? {
                notices.extend(self.apply(at, Record::decode(&bytes)?));
            }
        }
        Ok(notices)
    }

    /// Redoes one record.
    pub(super) fn apply(&mut self, at: Lsn, record: Record) -> Option<Notice> {
        let is_new = at >= self.checkpoint;
        match record {
            Record::Begin { transaction } => self.begin(at, transaction),
            Record::Write { transaction, write } => {
                if let Some(pending) = self.pending.get_mut(&transaction) {
                    pending.writes.push(write);
                }
            }
            Record::RollbackTo { transaction, kept } => {
                if let Some(pending) = self.pending.get_mut(&transaction) {
                    pending
                        .writes
                        .truncate(usize::try_from(kept).unwrap_or(usize::MAX));
                }
            }
            Record::Prepare { transaction, info } => {
                if let Some(pending) = self.pending.get_mut(&transaction) {
                    pending.prepared = Some(info);
                }
            }
            Record::Commit { transaction, .. } => {
                let writes = self
                    .pending
                    .remove(&transaction)
                    .map(|pending| pending.writes);
                self.tables
                    .apply(writes.into_iter().flatten().filter(|_| is_new));
            }
            Record::Abort { transaction } => {
                self.pending.remove(&transaction);
            }
            Record::Counter { table, value } if is_new => {
                self.tables.table_mut(table).counter = Some(value);
            }
            Record::Model(model) if is_new => return Some(Notice::Model(model)),
            Record::BulkChange if is_new => return Some(Notice::BulkChange(at)),
            Record::Forked { guid, begins } if is_new => {
                return Some(Notice::Forked(Fork { guid, begins }));
            }
            Record::Counter { .. }
            | Record::Model(_)
            | Record::BulkChange
            | Record::Forked { .. }
            | Record::Checkpoint => {}
        }
        None
    }

    fn begin(&mut self, began: Lsn, transaction: u64) {
        self.next_transaction = self.next_transaction.max(transaction + 1);
        self.pending.insert(
            transaction,
            Pending {
                writes: Vec::new(),
                began,
                prepared: None,
            },
        );
    }
}

/// A commit record, read for its own sake.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The LSN of the record.
    pub lsn: Lsn,
    /// The block whose last record it is.
    pub block: Lsn,
    /// That block's size in bytes.
    pub block_bytes: usize,
    /// When it committed, local to its host.
    pub at: DateTime,
    /// The mark that it left.
    pub mark: Option<MarkInfo>,
}

/// The commit records in a stretch of log, in order. What cannot be read is passed over.
#[must_use]
pub fn commits(log: &[Extent]) -> Vec<Commit> {
    let commit = |lsn, block, block_bytes, record| match record {
        Record::Commit { at, mark, .. } => Some(Commit {
            lsn,
            block,
            block_bytes,
            at,
            mark,
        }),
        _ => None,
    };
    select(log, commit)
}

/// The forks that begin in a stretch of log, in order.
#[must_use]
pub fn forks(log: &[Extent]) -> Vec<Fork> {
    select(log, |_, _, _, record| match record {
        Record::Forked { guid, begins } => Some(Fork { guid, begins }),
        _ => None,
    })
}

/// Calls with the record's LSN, its block's place and size, and the record.
fn select<T>(log: &[Extent], pick: impl Fn(Lsn, Lsn, usize, Record) -> Option<T>) -> Vec<T> {
    let mut joiner = Joiner::default();
    let mut picked = Vec::new();
    for (block, bytes) in log.iter().flat_map(Extent::blocks) {
        for (lsn, record) in joiner.records(block, bytes).unwrap_or_default() {
            let record = Record::decode(&record).ok();
            picked.extend(record.and_then(|record| pick(lsn, block, bytes.len(), record)));
        }
    }
    picked
}
