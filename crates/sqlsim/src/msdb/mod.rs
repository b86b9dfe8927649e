//! msdb: the history that backups, restores and marks leave behind.
//!
//! Start at [`record_mark`]; [`tables`] says which tables and columns there are, `backups.rs` turns
//! outcomes into rows. History is written in a transaction of its own: a failure to write it never
//! undoes the backup (SQL Server raises 3009 then).

pub mod backups;
mod erase;
pub mod tables;

use crate::catalog::object::Object;
use crate::catalog::record;
use crate::error::{SqlError, SqlResult};
use crate::instance::{Instance, Version};
use crate::messages;
use crate::storage::{Database, MarkInfo, TableId, TxId};
use crate::value::{Decimal, Row, Value};

pub use erase::PROCEDURES;

use mtf::Lsn;

/// What msdb holds of the Agent's jobs, log shipping and managed backup.
const AGENT_SCRIPT: &str = include_str!("agent.sql");

/// The batches that make msdb's tables, separated by lines of `GO`.
#[must_use]
pub fn schema(version: Version) -> String {
    let mut texts: Vec<_> = tables::TABLES
        .iter()
        .map(|table| tables::text(table, version))
        .collect();
    texts.push(AGENT_SCRIPT.to_owned());
    texts.join("\nGO\n")
}

/// Adds the row of a mark that a commit left in a database's log.
pub fn record_mark(
    instance: &Instance,
    database: &str,
    lsn: Lsn,
    mark: &MarkInfo,
) -> SqlResult<()> {
    write(instance, |history| {
        history
            .add(
                "logmarkhistory",
                &[
                    ("database_name", database.into()),
                    ("mark_name", mark.name.as_str().into()),
                    ("description", mark.description.as_str().into()),
                    ("user_name", mark.user.as_str().into()),
                    ("lsn", number(lsn)),
                    ("mark_time", datetime(mark.time)),
                ],
            )
            .map(drop)
    })
}

/// An LSN as `numeric(25,0)`.
#[must_use]
pub fn number(lsn: Lsn) -> Value {
    let digits: i128 = lsn.to_string().parse().unwrap_or_default();
    Value::Decimal(Decimal::new(digits, 0))
}

/// A time as `datetime` keeps it: to three hundredths of a second.
#[must_use]
pub fn datetime(time: jiff::civil::DateTime) -> Value {
    let ticks = (i64::from(time.subsec_nanosecond()) * 3 + 5_000_000) / 10_000_000;
    let nanoseconds = ((ticks * 10 + 1) / 3) * 1_000_000;
    let second = time.with().subsec_nanosecond(0).build().unwrap_or(time);
    let rounded = second.saturating_add(jiff::SignedDuration::from_nanos(nanoseconds));
    Value::DateTime(rounded)
}

/// Msdb during one transaction.
pub struct History<'a> {
    storage: &'a Database,
    tx: TxId,
    version: Version,
    objects: Vec<Object>,
}

/// Writes to msdb in one transaction; an error leaves it as it was.
pub fn write<T>(
    instance: &Instance,
    work: impl FnOnce(&mut History<'_>) -> SqlResult<T>,
) -> SqlResult<T> {
    let msdb = instance.needed_database("msdb")?;
    let storage = msdb.storage();
    let tx = instance.next_transaction();
    storage.begin(tx)?;
    let objects = record::all::<Object>(&storage, None)
        .into_iter()
        .map(|(_, object)| object);
    let mut history = History {
        storage: &storage,
        tx,
        version: instance.options.version,
        objects: objects.collect(),
    };
    let outcome = work(&mut history).and_then(|value| {
        storage.commit(tx, instance.clock.local(), None)?;
        Ok(value)
    });
    if outcome.is_err() {
        // The first error tells more than one about the undoing of it.
        let _ = storage.rollback(tx);
    }
    outcome
}

impl History<'_> {
    /// Adds a row; columns that are not given are NULL. The value of the identity column, 0
    /// without one, is given back.
    pub fn add(&mut self, table: &str, cells: &[(&str, Value)]) -> SqlResult<i64> {
        let shape = tables::TABLES.iter().find(|known| known.name == table);
        let shape = shape.ok_or_else(|| messages::invalid_object(table))?;
        let id = self.table(table)?;
        let identity = match tables::identity_of(shape) {
            Some(_) => self.storage.advance(id, 1, 1)?,
            None => 0,
        };
        let cell = |name: &'static str| match cells.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => value.clone(),
            None if tables::identity_of(shape) == Some(name) => Value::Int(identity),
            None => Value::Null,
        };
        let row: Row = tables::columns(shape, self.version).map(cell).collect();
        self.storage.insert(self.tx, id, row)?;
        Ok(identity)
    }

    /// The rows of a table, each cell by its column's name.
    #[must_use]
    pub fn rows(&self, table: &str) -> Vec<Vec<(&'static str, Value)>> {
        let shape = tables::TABLES.iter().find(|known| known.name == table);
        let (Some(shape), Ok(id)) = (shape, self.table(table)) else {
            return Vec::new();
        };
        let named = |row: Row| tables::columns(shape, self.version).zip(row).collect();
        self.storage
            .scan(Some(self.tx), id)
            .into_iter()
            .map(|(_, row)| named(row))
            .collect()
    }

    /// Removes the rows of a table whose cell in a column is one of these values.
    pub fn remove(&mut self, table: &str, column: &str, values: &[Value]) -> SqlResult<()> {
        let shape = tables::TABLES.iter().find(|known| known.name == table);
        let shape = shape.ok_or_else(|| messages::invalid_object(table))?;
        let mut columns = tables::columns(shape, self.version);
        let place = columns.position(|known| known == column);
        let place = place.ok_or_else(|| messages::invalid_column(column))?;
        let id = self.table(table)?;
        for (row, cells) in self.storage.scan(Some(self.tx), id) {
            if values.contains(&cells[place]) {
                self.storage.delete(self.tx, id, row)?;
            }
        }
        Ok(())
    }

    fn table(&self, name: &str) -> SqlResult<TableId> {
        let found = self.objects.iter().find(|object| object.name == name);
        found.map(Object::table_id).ok_or_else(|| missing(name))
    }
}

fn missing(table: &str) -> SqlError {
    messages::invalid_object(&format!("msdb.dbo.{table}"))
}
