//! Committed rows, and one transaction's writes laid over them. Pure.
//!
//! Start at [`Tables`]; [`WriteSet`] is what an open transaction sees on top. A write set is a list
//! first (rollback to a savepoint cuts it) and a map second (reads look into it).

use std::collections::BTreeMap;

use super::ids::{RowId, Savepoint, TableId};
use crate::value::Row;

/// One change of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    /// The table.
    pub table: TableId,
    /// The row.
    pub row: RowId,
    /// What the row becomes; `None` deletes it.
    pub value: Option<Row>,
}

/// One table: its rows and the counters that never go back.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    /// Committed rows.
    pub rows: BTreeMap<RowId, Row>,
    /// The identifier that the next row gets.
    pub next_row: u64,
    /// The last identity value given out.
    pub counter: Option<i64>,
}

/// All tables of a database, committed rows only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tables(pub BTreeMap<TableId, Table>);

impl Tables {
    /// The table, made on the way if this is the first that is heard of it.
    pub(super) fn table_mut(&mut self, table: TableId) -> &mut Table {
        self.0.entry(table).or_default()
    }

    /// A committed row.
    #[must_use]
    pub(super) fn row(&self, table: TableId, row: RowId) -> Option<&Row> {
        self.0.get(&table)?.rows.get(&row)
    }

    /// Makes writes permanent, in order.
    pub(super) fn apply(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            let table = self.table_mut(write.table);
            table.next_row = table.next_row.max(write.row.0.saturating_add(1));
            match write.value {
                Some(row) => table.rows.insert(write.row, row),
                None => table.rows.remove(&write.row),
            };
        }
    }

    /// Committed rows under a transaction's own writes, in row order.
    #[must_use]
    pub(super) fn scan(&self, own: Option<&WriteSet>, table: TableId) -> Vec<(RowId, Row)> {
        let overlay = own.and_then(|own| own.overlay.get(&table));
        let committed = self.0.get(&table).map(|table| &table.rows);
        let Some(overlay) = overlay else {
            return copy(committed.into_iter().flatten());
        };
        let mut rows: BTreeMap<RowId, &Row> = committed
            .into_iter()
            .flatten()
            .map(|(id, row)| (*id, row))
            .collect();
        for (id, value) in overlay {
            match value {
                Some(row) => rows.insert(*id, row),
                None => rows.remove(id),
            };
        }
        rows.into_iter()
            .map(|(id, row)| (id, row.clone()))
            .collect()
    }

    /// One row as the transaction sees it.
    #[must_use]
    pub(super) fn get(&self, own: Option<&WriteSet>, table: TableId, row: RowId) -> Option<Row> {
        match own.and_then(|own| own.overlay.get(&table)?.get(&row)) {
            Some(own) => own.clone(),
            None => self.row(table, row).cloned(),
        }
    }
}

/// What one open transaction has written and not yet committed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct WriteSet {
    writes: Vec<Write>,
    overlay: BTreeMap<TableId, BTreeMap<RowId, Option<Row>>>,
}

impl WriteSet {
    /// Adds a write.
    pub(super) fn push(&mut self, write: Write) {
        self.overlay
            .entry(write.table)
            .or_default()
            .insert(write.row, write.value.clone());
        self.writes.push(write);
    }

    /// The place to which `rollback_to` will come back.
    #[must_use]
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint(self.writes.len())
    }

    /// Forgets every write after the savepoint; later savepoints end with them.
    pub(super) fn rollback_to(&mut self, savepoint: Savepoint) {
        self.writes.truncate(savepoint.0);
        self.overlay.clear();
        for write in &self.writes {
            self.overlay
                .entry(write.table)
                .or_default()
                .insert(write.row, write.value.clone());
        }
    }

    /// The writes, in order.
    #[must_use]
    pub(super) fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

fn copy<'a>(rows: impl Iterator<Item = (&'a RowId, &'a Row)>) -> Vec<(RowId, Row)> {
    rows.map(|(id, row)| (*id, row.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    const T: TableId = TableId(1);

    fn write(row: u64, value: Option<i64>) -> Write {
        let value = value.map(|v| vec![Value::Int(v)]);
        Write {
            table: T,
            row: RowId(row),
            value,
        }
    }

    #[test]
    fn a_transaction_sees_its_own_writes_over_committed_rows() {
        let mut tables = Tables::default();
        tables.apply([write(1, Some(10)), write(2, Some(20))]);
        let mut own = WriteSet::default();
        own.push(write(2, None));
        own.push(write(3, Some(30)));
        let seen: Vec<u64> = tables
            .scan(Some(&own), T)
            .iter()
            .map(|(id, _)| id.0)
            .collect();
        assert_eq!(seen, [1, 3]);
        assert_eq!(tables.scan(None, T).len(), 2);
        assert_eq!(tables.get(Some(&own), T, RowId(2)), None);
        assert_eq!(tables.get(None, T, RowId(2)), Some(vec![Value::Int(20)]));
    }

    #[test]
    fn rollback_to_a_savepoint_brings_the_older_write_back() {
        let mut own = WriteSet::default();
        own.push(write(1, Some(1)));
        let savepoint = own.savepoint();
        own.push(write(1, Some(2)));
        own.push(write(2, Some(3)));
        own.rollback_to(savepoint);
        let seen = Tables::default().scan(Some(&own), T);
        assert_eq!(seen, [(RowId(1), vec![Value::Int(1)])]);
    }
}
