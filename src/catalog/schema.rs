//! The catalog's file: its tables, how it is opened, and how values stand in them.
//!
//! Start at [`SCHEMA`]. The file is disposable: whoever changes a table raises [`SCHEMA_VERSION`], and files with
//! another number are deleted and folded again from the store.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Code, Error, Result};
use crate::model::Lsn;

/// The schema's number; any other is deleted and rebuilt.
const SCHEMA_VERSION: i64 = 4;

/// Pages that SQLite keeps in memory, in KiB: a random lookup among a million pieces stays within the budget of the
/// process.
const CACHE_KIB: i64 = 24 * 1024;

/// Pages of 4 KiB that gather in the log beside the file before they are moved into it: a rebuild writes many pages
/// again and again.
const CHECKPOINT_PAGES: i64 = 16 * 1024;

/// `backup_set.standing`: everything of the set was let go; it is in no answer.
pub(super) const GONE: i64 = -1;
/// `backup_set.standing`: the set has no mark, or claims it no longer.
pub(super) const UNMARKED: i64 = 0;
/// Nobody has judged its mark since something changed that the judgement may hang on.
pub(super) const UNJUDGED: i64 = 1;
/// Its mark is a Point.
pub(super) const POINT: i64 = 2;
/// Its mark is none.
pub(super) const NO_POINT: i64 = 3;

/// A bit of `piece.absent`: no store that counts has a whole copy. A piece with any bit set counts as missing; a fact
/// that makes pieces missing for another reason takes the next bit.
pub(super) const DAMAGED: i64 = 1;
/// Let go of; whatever bits it has beside, such a number is this or greater, which the partial index says too.
pub(super) const LET_GO: i64 = 2;
/// Let go of, and its objects are gone.
pub(super) const REMOVED: i64 = 4;

/// `piece.kind` of a full; the partial index names the number too.
pub(super) const FULL: i64 = 0;

/// `piece.lacking` is how many stores have no whole copy, `copy` what was found of single copies or made since delivery.
///
/// The pieces of a set are `pieces` rows from `first_piece` on. `head` is the manifest's set without pieces, and
/// `content` a manifest's piece, both as JSON.
const SCHEMA: &str = "
    CREATE TABLE held (
        id INTEGER PRIMARY KEY, group_name TEXT NOT NULL UNIQUE, entry INTEGER NOT NULL DEFAULT 0, digest BLOB,
        stamp INTEGER);
    CREATE TABLE member (
        id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (group_id, name));
    CREATE TABLE backup_set (
        id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, entry INTEGER NOT NULL, set_id BLOB NOT NULL,
        stamp TEXT NOT NULL, head TEXT NOT NULL, first_piece INTEGER NOT NULL, pieces INTEGER NOT NULL,
        standing INTEGER NOT NULL, verdict TEXT);
    CREATE UNIQUE INDEX backup_set_by_entry ON backup_set (group_id, entry);
    CREATE UNIQUE INDEX backup_set_by_id ON backup_set (group_id, set_id);
    CREATE INDEX backup_set_by_stamp ON backup_set (group_id, stamp);
    CREATE INDEX backup_set_by_standing ON backup_set (group_id, standing, entry);
    CREATE TABLE mark_place (
        member_id INTEGER NOT NULL, lsn BLOB NOT NULL, set_row INTEGER NOT NULL,
        PRIMARY KEY (member_id, lsn, set_row)) WITHOUT ROWID;
    CREATE TABLE piece (
        id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, set_row INTEGER NOT NULL, member_id INTEGER NOT NULL,
        kind INTEGER NOT NULL, piece_id BLOB NOT NULL, backup BLOB NOT NULL, base BLOB, begins BLOB NOT NULL,
        ends BLOB NOT NULL, due_at INTEGER NOT NULL, proved_at INTEGER, absent INTEGER NOT NULL DEFAULT 0,
        lacking INTEGER NOT NULL DEFAULT 0, content TEXT NOT NULL);
    CREATE TABLE copy (
        piece INTEGER NOT NULL, copy TEXT NOT NULL, is_whole INTEGER NOT NULL, proved_at INTEGER NOT NULL,
        PRIMARY KEY (piece, copy)) WITHOUT ROWID;
    CREATE TABLE policy (text TEXT NOT NULL);
    CREATE INDEX piece_by_end ON piece (member_id, ends, begins);
    CREATE INDEX full_by_end ON piece (member_id, ends) WHERE kind = 0;
    CREATE INDEX absent_piece ON piece (group_id) WHERE absent <> 0;
    CREATE INDEX piece_by_backup ON piece (backup);
    CREATE INDEX piece_by_due ON piece (group_id, due_at);
    CREATE INDEX piece_by_lack ON piece (group_id, id) WHERE lacking > 0;
    CREATE INDEX piece_let_go ON piece (group_id, absent) WHERE absent >= 2;
    CREATE TABLE kept (
        group_id INTEGER NOT NULL, entry INTEGER NOT NULL, fact TEXT NOT NULL,
        PRIMARY KEY (group_id, entry)) WITHOUT ROWID;
";

/// Opens or makes the file.
///
/// # Errors
/// `SM0709` when it can neither be used nor made anew.
pub(super) fn open(path: &Path) -> Result<Connection> {
    connect(path).or_else(|_| {
        discard(path)?;
        connect(path).map_err(|error| failed(path, error))
    })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            connection.execute_batch(SCHEMA)?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            Ok(connection)
        }
        SCHEMA_VERSION => Ok(connection),
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

/// A catalog that cannot be read holds nothing that the store does not.
fn discard(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::new(
                    Code::CatalogFailed,
                    "the catalog can neither be read nor removed",
                )
                .at("file", path.display())
                .hint("give the agent's account the right to read and write there")
                .source(error));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn failed(path: &Path, error: rusqlite::Error) -> Error {
    Error::new(Code::CatalogFailed, "the catalog cannot be used")
        .at("file", path.display())
        .hint("delete the file and run `stopmark catalog rebuild`; the store holds everything")
        .source(error)
}

/// The group's row; none where nothing of it is held.
pub(super) fn group_row(connection: &Connection, group: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM held WHERE group_name = ?1";
    let mut query = connection.prepare_cached(sql)?;
    query.query_row([group], |row| row.get(0)).optional()
}

/// An LSN as bytes that sort as LSNs do.
pub(super) fn key_of(lsn: Lsn) -> [u8; 11] {
    let bytes = lsn.to_decimal().to_be_bytes();
    let mut key = [0; 11];
    // The largest decimal, 4294967295 blocks and slots behind it, needs 83 bits.
    key.copy_from_slice(&bytes[5..]);
    key
}

/// The LSN of a key.
pub(super) fn lsn_of(key: [u8; 11]) -> Lsn {
    let mut bytes = [0; 16];
    bytes[5..].copy_from_slice(&key);
    Lsn::from_decimal(u128::from_be_bytes(bytes)).unwrap_or(Lsn::ZERO)
}

/// SQLite integers are signed; log entries never come near the difference.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// How many rows a page has.
pub(super) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn parsed<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(super) fn text_of(value: &impl Serialize) -> rusqlite::Result<String> {
    let text = serde_json::to_string(value);
    text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_the_lsns_that_they_stand_for() {
        let max = Lsn::from_parts(u32::MAX, u32::MAX, u16::MAX);
        let rising = [
            Lsn::ZERO,
            Lsn::from_parts(0, 0, 1),
            Lsn::from_parts(0, 1, 0),
            Lsn::from_parts(1, 0, 0),
            Lsn::from_parts(1, u32::MAX, 0),
            max,
        ];
        assert!(rising.is_sorted_by(|one, two| key_of(*one) < key_of(*two)));
        assert!(rising.iter().all(|lsn| lsn_of(key_of(*lsn)) == *lsn));
    }
}
