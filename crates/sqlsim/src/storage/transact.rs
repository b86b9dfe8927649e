//! Transactions on the inside: changes, savepoints, the two ends and the state between.
//!
//! Start at [`Inner::write`]. The log is told first; rows change only once the commit record is
//! written.

use jiff::civil::DateTime;
use mtf::Lsn;
use uuid::Uuid;

use super::database::{InDoubt, MarkInfo, PrepareInfo, Resolved};
use super::ids::{RowId, Savepoint, TableId, TxId};
use super::inner::{Inner, Transaction};
use super::locks::{Resource, Taken};
use super::raise;
use super::record::Record;
use super::rows::{Write, WriteSet};
use crate::error::SqlResult;
use crate::messages;
use crate::value::Row;

impl Inner {
    pub(super) fn begin(&mut self, tx: TxId) -> SqlResult<()> {
        self.check_usable()?;
        if !self.open.contains_key(&tx) {
            let number = self.next_transaction;
            self.next_transaction += 1;
            self.open.insert(
                tx,
                Transaction {
                    number,
                    ..Transaction::default()
                },
            );
        }
        Ok(())
    }

    pub(super) fn write_set(&self, tx: Option<TxId>) -> Option<&WriteSet> {
        Some(&self.open.get(&tx?)?.writes)
    }

    pub(super) fn insert(&mut self, tx: TxId, table: TableId, row: Row) -> SqlResult<RowId> {
        self.check_writable()?;
        let next = &mut self.tables.table_mut(table).next_row;
        let id = RowId(*next);
        *next += 1;
        self.write(
            tx,
            Write {
                table,
                row: id,
                value: Some(row),
            },
        )?;
        Ok(id)
    }

    /// Logs a change and takes it into the transaction's write set; takes the lock if it is free.
    pub(super) fn write(&mut self, tx: TxId, write: Write) -> SqlResult<()> {
        self.check_writable()?;
        let number = self.writing(tx)?;
        match self
            .locks
            .take(number, &Resource::Row(write.table, write.row))
        {
            Taken::Yes => {}
            Taken::Wait(_) => {
                self.locks.give_up(number);
                return Err(messages::lock_timeout());
            }
            Taken::Deadlock => return Err(messages::deadlock_victim(0, "lock")),
        }
        self.log_begin(tx, number)?;
        self.append(&Record::Write {
            transaction: number,
            write: write.clone(),
        })?;
        self.transaction(tx)?.writes.push(write);
        Ok(())
    }

    pub(super) fn take_lock(&mut self, tx: TxId, resource: &Resource) -> SqlResult<Taken> {
        self.check_usable()?;
        let number = self.writing(tx)?;
        Ok(self.locks.take(number, resource))
    }

    pub(super) fn give_up_waiting(&mut self, tx: TxId) {
        if let Some(transaction) = self.open.get(&tx) {
            self.locks.give_up(transaction.number);
        }
    }

    pub(super) fn rollback_to(&mut self, tx: TxId, savepoint: Savepoint) -> SqlResult<()> {
        let transaction = self.writing(tx)?;
        let kept = savepoint.0 as u64;
        self.append(&Record::RollbackTo { transaction, kept })?;
        self.transaction(tx)?.writes.rollback_to(savepoint);
        Ok(())
    }

    pub(super) fn prepare(&mut self, tx: TxId, info: &PrepareInfo) -> SqlResult<()> {
        let transaction = self.writing(tx)?;
        self.log_begin(tx, transaction)?;
        self.append(&Record::Prepare {
            transaction,
            info: info.clone(),
        })?;
        self.flush()?;
        self.transaction(tx)?.prepared = Some(info.clone());
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        tx: TxId,
        at: DateTime,
        mark: Option<&MarkInfo>,
    ) -> SqlResult<Option<Lsn>> {
        let open = self
            .open
            .get(&tx)
            .ok_or_else(messages::commit_without_begin)?;
        let (number, wrote) = (open.number, open.began.is_some());
        let mark = mark
            .or(open.prepared.as_ref().and_then(|info| info.mark.as_ref()))
            .cloned();
        let lsn = if wrote {
            Some(self.log_commit(number, at, mark)?)
        } else {
            None
        };
        let writes = self.open.remove(&tx).map(|open| open.writes.into_writes());
        self.tables.apply(writes.into_iter().flatten());
        self.locks.release(number);
        Ok(lsn)
    }

    pub(super) fn rollback(&mut self, tx: TxId) -> SqlResult<()> {
        let Some(open) = self.open.remove(&tx) else {
            return Ok(());
        };
        self.locks.release(open.number);
        if open.began.is_none() {
            return Ok(());
        }
        self.append(&Record::Abort {
            transaction: open.number,
        })?;
        // A prepared transaction must not come back as in doubt; any other would end by itself.
        if open.prepared.is_some() {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(super) fn in_doubt(&self) -> Vec<InDoubt> {
        let living = self
            .open
            .iter()
            .map(|(tx, open)| (Some(*tx), &open.prepared));
        let orphans = self
            .orphans
            .values()
            .map(|pending| (None, &pending.prepared));
        let all = living.chain(orphans);
        all.filter_map(|(tx, info)| {
            Some(InDoubt {
                info: info.clone()?,
                tx,
            })
        })
        .collect()
    }

    pub(super) fn resolve(
        &mut self,
        gtrid: Uuid,
        committed: bool,
        at: DateTime,
    ) -> SqlResult<Option<Resolved>> {
        self.check_usable()?;
        let Some(doubt) = self
            .in_doubt()
            .into_iter()
            .find(|doubt| doubt.info.gtrid == gtrid)
        else {
            return Ok(None);
        };
        let mark = doubt.info.mark.filter(|_| committed);
        let lsn = match doubt.tx {
            Some(tx) => self.end_living(tx, committed, at)?,
            None => self.end_orphan(gtrid, committed, at, mark.clone())?,
        };
        Ok(Some(Resolved { lsn, mark }))
    }

    pub(super) fn advance(&mut self, table: TableId, seed: i64, step: i64) -> SqlResult<i64> {
        let last = self.tables.0.get(&table).and_then(|table| table.counter);
        let value = last.map_or(seed, |last| last.saturating_add(step));
        self.set_counter(table, value)?;
        Ok(value)
    }

    pub(super) fn set_counter(&mut self, table: TableId, value: i64) -> SqlResult<()> {
        self.check_writable()?;
        // Not flushed: the commit of whoever uses the value comes behind it in the log.
        self.append(&Record::Counter { table, value })?;
        self.tables.table_mut(table).counter = Some(value);
        Ok(())
    }

    fn end_living(&mut self, tx: TxId, committed: bool, at: DateTime) -> SqlResult<Lsn> {
        let end = self.log.end();
        if committed {
            return Ok(self.commit(tx, at, None)?.unwrap_or(end));
        }
        self.rollback(tx)?;
        Ok(end)
    }

    fn end_orphan(
        &mut self,
        gtrid: Uuid,
        committed: bool,
        at: DateTime,
        mark: Option<MarkInfo>,
    ) -> SqlResult<Lsn> {
        let found = self.orphans.iter().find(|(_, pending)| {
            pending
                .prepared
                .as_ref()
                .is_some_and(|info| info.gtrid == gtrid)
        });
        let number = found
            .map(|(number, _)| *number)
            .ok_or_else(messages::commit_without_begin)?;
        let lsn = if committed {
            self.log_commit(number, at, mark)?
        } else {
            let lsn = self.append(&Record::Abort {
                transaction: number,
            })?;
            self.flush()?;
            lsn
        };
        let writes = self.orphans.remove(&number).map(|pending| pending.writes);
        self.tables
            .apply(writes.into_iter().flatten().filter(|_| committed));
        self.locks.release(number);
        Ok(lsn)
    }

    /// A commit record ends its block, so that a restore can stop right behind it.
    fn log_commit(
        &mut self,
        transaction: u64,
        at: DateTime,
        mark: Option<MarkInfo>,
    ) -> SqlResult<Lsn> {
        let lsn = self.append(&Record::Commit {
            transaction,
            at,
            mark,
        })?;
        self.flush()?;
        Ok(lsn)
    }

    fn log_begin(&mut self, tx: TxId, transaction: u64) -> SqlResult<()> {
        if self.transaction(tx)?.began.is_none() {
            let lsn = self.append(&Record::Begin { transaction })?;
            self.transaction(tx)?.began = Some(lsn);
        }
        Ok(())
    }

    /// The number of a transaction that may still do work.
    fn writing(&mut self, tx: TxId) -> SqlResult<u64> {
        let transaction = self.transaction(tx)?;
        match transaction.prepared {
            None => Ok(transaction.number),
            Some(_) => Err(raise::is_prepared()),
        }
    }

    fn transaction(&mut self, tx: TxId) -> SqlResult<&mut Transaction> {
        self.open
            .get_mut(&tx)
            .ok_or_else(messages::commit_without_begin)
    }
}
