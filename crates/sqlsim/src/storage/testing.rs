//! What the tests of this room and of `backup/` stand on: a database on a disk in memory.
//!
//! Start at [`new_database`]. For tests only.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::{DateTime, date};
use uuid::Uuid;

pub(crate) use super::MemoryDisk;
use super::{Database, DatabaseFiles, MarkInfo, NewDatabase, RecoveryModel, TableId, TxId};
use crate::value::{Row, Value};

/// The table that tests write to.
pub(crate) const TABLE: TableId = TableId(1000);

pub(crate) fn files(name: &str) -> DatabaseFiles {
    DatabaseFiles {
        data: PathBuf::from(format!("/{name}.mdf")),
        log: PathBuf::from(format!("/{name}.ldf")),
        data_logical_name: name.to_owned(),
        log_logical_name: format!("{name}_log"),
        data_physical_name: format!("/{name}.mdf"),
        log_physical_name: format!("/{name}.ldf"),
    }
}

pub(crate) fn new_database(disk: &Arc<MemoryDisk>, name: &str, model: RecoveryModel) -> Database {
    let new = NewDatabase {
        name: name.to_owned(),
        database_guid: guid(name, 1),
        family_guid: guid(name, 2),
        fork_guid: guid(name, 3),
        created: time(0),
        recovery_model: model,
        compatibility_level: 160,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
    };
    Database::create(disk.clone(), files(name), &new).expect("the disk is empty")
}

pub(crate) fn open(disk: &Arc<MemoryDisk>, name: &str) -> Database {
    Database::open(disk.clone(), files(name)).expect("the files are whole")
}

pub(crate) fn guid(name: &str, number: u32) -> Uuid {
    let seed = name
        .bytes()
        .fold(7_u128, |seed, byte| seed * 31 + u128::from(byte));
    Uuid::from_u128(seed << 40 | u128::from(number))
}

/// A time this many seconds after the tests' epoch.
pub(crate) fn time(seconds: i64) -> DateTime {
    let epoch = date(2026, 11, 21).at(9, 0, 0, 0);
    epoch.saturating_add(jiff::Span::new().seconds(seconds))
}

pub(crate) fn mark(name: &str, seconds: i64) -> MarkInfo {
    MarkInfo {
        name: name.to_owned(),
        description: "a mark".to_owned(),
        user: "sa".to_owned(),
        time: time(seconds),
    }
}

pub(crate) fn row(number: i64) -> Row {
    vec![Value::Int(number)]
}

/// Inserts a row in a transaction of its own, at that many seconds.
pub(crate) fn put(database: &Database, number: i64) -> mtf::Lsn {
    put_marked(database, number, None)
}

pub(crate) fn put_marked(database: &Database, number: i64, name: Option<&str>) -> mtf::Lsn {
    let tx = TxId(u64::MAX);
    let mark = name.map(|name| mark(name, number));
    database.begin(tx).expect("the database is online");
    database
        .insert(tx, TABLE, row(number))
        .expect("nobody else writes");
    let lsn = database
        .commit(tx, time(number), mark.as_ref())
        .expect("the disk works");
    lsn.expect("a row was written")
}

/// Fills the table with these numbers, in rows so wide that they take some extents.
pub(crate) fn fill(database: &Database, numbers: std::ops::Range<i64>) {
    let tx = TxId(u64::MAX);
    database.begin(tx).expect("the database is online");
    for number in numbers {
        let row = vec![Value::Int(number), Value::Binary(vec![3; 700])];
        database.insert(tx, TABLE, row).expect("nobody else writes");
    }
    database.commit(tx, time(0), None).expect("the disk works");
}

/// The numbers in the table, in order.
pub(crate) fn numbers(database: &Database) -> Vec<i64> {
    let rows = database.scan(None, TABLE);
    rows.iter().filter_map(|(_, row)| row[0].as_int()).collect()
}
