//! System tables: typed records kept as rows of a database's own storage, so that backups carry
//! them.
//!
//! Start at [`Record`]. A record is one row of two columns: its kind's format number and its JSON
//! text. This room knows no SQL; what a record means is told where its type is defined.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{SqlError, SqlResult};
use crate::storage::{Database, RowId, TableId, TxId};
use crate::value::{Row, Value};

/// A kind of record, and the system table that holds it.
pub trait Record: Serialize + DeserializeOwned {
    /// Where rows of this kind stand. Numbers below [`FIRST_USER_TABLE`] belong to the system.
    const TABLE: TableId;
}

/// The first number that `CREATE TABLE` gives; below it stand system tables.
pub const FIRST_USER_TABLE: i64 = 1_000_000;

/// The number for the next schema object of a database.
pub fn next_object_id(db: &Database) -> SqlResult<u32> {
    let next = db.advance(TableId(1), FIRST_USER_TABLE, 1)?;
    u32::try_from(next).map_err(|_| SqlError::new(1105, 17, "object numbers are used up"))
}

/// All records of a kind as `tx` sees them, in the order of their making.
pub fn all<R: Record>(db: &Database, tx: Option<TxId>) -> Vec<(RowId, R)> {
    let read = |(id, row): (RowId, Row)| Some((id, decode(&row)?));
    db.scan(tx, R::TABLE).into_iter().filter_map(read).collect()
}

/// Adds a record.
pub fn add<R: Record>(db: &Database, tx: TxId, record: &R) -> SqlResult<RowId> {
    db.insert(tx, R::TABLE, encode(record)?)
}

/// Replaces a record.
pub fn replace<R: Record>(db: &Database, tx: TxId, id: RowId, record: &R) -> SqlResult<()> {
    db.update(tx, R::TABLE, id, encode(record)?)
}

/// Removes a record.
pub fn remove<R: Record>(db: &Database, tx: TxId, id: RowId) -> SqlResult<()> {
    db.delete(tx, R::TABLE, id)
}

fn encode<R: Record>(record: &R) -> SqlResult<Row> {
    let text = serde_json::to_string(record)
        .map_err(|error| SqlError::new(8646, 21, format!("system record: {error}")))?;
    Ok(vec![Value::Int(1), Value::Text(text)])
}

/// A record of a later format is passed over, as one that this build cannot use.
fn decode<R: Record>(row: &Row) -> Option<R> {
    match row.as_slice() {
        [Value::Int(1), Value::Text(text)] => serde_json::from_str(text).ok(),
        _ => None,
    }
}
