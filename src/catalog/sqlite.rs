//! The catalog as a SQLite file: `world::Catalog` behind one writer thread.
//!
//! Start at [`SqliteCatalog::open`]. The file is disposable: when its schema is unknown or it is damaged, it is
//! deleted and folded again from the store. Chunk lists are never in it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::kept;
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, MemberName, MissingMember, Piece, PieceId, Set, SetId, Timestamp};
use crate::retention::without;
use crate::world::{Catalog, LogEntry, LogFact, PieceProof};

/// The schema's number; any other is deleted and rebuilt.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE entry (
        group_name TEXT NOT NULL, number INTEGER NOT NULL, fact TEXT NOT NULL, set_id TEXT,
        PRIMARY KEY (group_name, number)) WITHOUT ROWID;
    CREATE TABLE backup_set (
        group_name TEXT NOT NULL, set_id TEXT NOT NULL, entry INTEGER NOT NULL, made_at INTEGER NOT NULL,
        manifest TEXT NOT NULL, PRIMARY KEY (group_name, set_id)) WITHOUT ROWID;
    CREATE TABLE proof (
        group_name TEXT NOT NULL, piece_id TEXT NOT NULL, at INTEGER NOT NULL, is_whole INTEGER NOT NULL,
        PRIMARY KEY (group_name, piece_id)) WITHOUT ROWID;
    CREATE TABLE stamp (group_name TEXT NOT NULL PRIMARY KEY, millis INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX backup_set_by_entry ON backup_set (group_name, entry);
    CREATE INDEX entry_by_set ON entry (group_name, set_id);
";

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The local index.
pub struct SqliteCatalog {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl SqliteCatalog {
    /// Opens or makes `<state>/catalog.sqlite`.
    ///
    /// # Errors
    /// `SM0709` when the folder cannot be written.
    pub fn open(state: &Path) -> Result<Self> {
        let path = state.join("catalog.sqlite");
        let connection = connect(&path).or_else(|_| {
            discard(&path)?;
            connect(&path).map_err(|error| failed(&path, error))
        })?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let spawned = thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || {
                let mut connection = connection;
                for job in queue {
                    job(&mut connection);
                }
            });
        spawned.map_err(|error| {
            Error::new(
                Code::CatalogFailed,
                "the catalog's thread cannot be started",
            )
            .source(error)
        })?;
        Ok(Self { jobs, path })
    }

    /// Every set of the group as it was published.
    async fn published(&self, group: &GroupName) -> Result<Vec<Set>> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT manifest FROM backup_set WHERE group_name = ?1 ORDER BY entry";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([group], |row| row.get::<_, String>(0))?;
            rows.map(|manifest| parsed(&manifest?)).collect()
        })
        .await
    }

    /// Runs one piece of work on the writer thread.
    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more when the asker was dropped; the work is done all the same.
            let _ = answer.send(job(connection));
        });
        let gone = || Error::new(Code::CatalogFailed, "the catalog's thread has ended");
        self.jobs.send(job).map_err(|_| gone())?;
        answered
            .await
            .map_err(|_| gone())?
            .map_err(|error| failed(&self.path, error))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
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

fn failed(path: &Path, error: rusqlite::Error) -> Error {
    Error::new(Code::CatalogFailed, "the catalog cannot be used")
        .at("file", path.display())
        .hint("delete the file and run `stopmark catalog rebuild`; the store holds everything")
        .source(error)
}

/// SQLite integers are signed; log entries never come near the difference.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn text_of(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Code::Bug, "a fact cannot be written").source(error))
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn newest_entry(&self, group: &GroupName) -> Result<u64> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT COALESCE(MAX(number), 0) FROM entry WHERE group_name = ?1";
            let newest: i64 = connection.query_row(sql, [group], |row| row.get(0))?;
            Ok(u64::try_from(newest).unwrap_or(0))
        })
        .await
    }

    async fn take_in(
        &self,
        group: &GroupName,
        entries: Vec<(LogEntry, Option<Set>)>,
    ) -> Result<()> {
        let group = group.to_string();
        let rows = entries
            .iter()
            .map(|(entry, set)| Row::of(entry, set.as_ref()));
        let rows = rows.collect::<Result<Vec<Row>>>()?;
        self.work(move |connection| {
            let change = connection.transaction()?;
            for row in rows {
                row.insert(&change, &group)?;
            }
            change.commit()
        })
        .await
    }

    async fn sets(&self, group: &GroupName) -> Result<Vec<Set>> {
        let mut sets = self.manifests(group).await?;
        let mut damaged = self.proofs(group).await?;
        damaged.retain(|proof| !proof.is_whole);
        if !damaged.is_empty() {
            for set in &mut sets {
                leave_out(set, &damaged);
            }
        }
        Ok(sets)
    }

    async fn proofs(&self, group: &GroupName) -> Result<Vec<PieceProof>> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT piece_id, at, is_whole FROM proof WHERE group_name = ?1";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([group], |row| {
                Ok(PieceProof {
                    piece: PieceId(parsed(&format!("\"{}\"", row.get::<_, String>(0)?))?),
                    at: Timestamp::from_millis(row.get(1)?),
                    is_whole: row.get(2)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    async fn manifests(&self, group: &GroupName) -> Result<Vec<Set>> {
        let pruned = kept::pruned(&self.retention_facts(group).await?);
        Ok(without(self.published(group).await?, &pruned))
    }

    async fn retention_facts(&self, group: &GroupName) -> Result<Vec<LogFact>> {
        let group = group.to_string();
        self.work(move |connection| {
            // The fact's own word comes first in its text.
            let sql = "SELECT number, fact FROM entry WHERE group_name = ?1 AND fact LIKE ?2";
            let mut query = connection.prepare_cached(sql)?;
            let mut found: Vec<(i64, LogFact)> = Vec::new();
            for word in LogFact::OF_RETENTION {
                let like = format!("{{\"fact\":\"{word}\"%");
                let rows = query.query_map(params![group, like], |row| {
                    Ok((row.get(0)?, row.get::<_, String>(1)?))
                })?;
                for row in rows {
                    let (number, text) = row?;
                    found.push((number, parsed(&text)?));
                }
            }
            found.sort_by_key(|(number, _)| *number);
            Ok(found.into_iter().map(|(_, fact)| fact).collect())
        })
        .await
    }

    async fn unremoved(&self, group: &GroupName) -> Result<Vec<Piece>> {
        let facts = self.retention_facts(group).await?;
        Ok(kept::unremoved(self.published(group).await?, &facts))
    }

    async fn pieces(&self, group: &GroupName, member: &MemberName) -> Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = self
            .sets(group)
            .await?
            .into_iter()
            .flat_map(|set| set.pieces)
            .filter(|piece| piece.member == *member)
            .collect();
        pieces.sort_by_key(|piece| (piece.first_lsn, piece.last_lsn, piece.kind));
        Ok(pieces)
    }

    async fn newest_stamp(&self, group: &GroupName) -> Result<Option<Timestamp>> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT millis FROM stamp WHERE group_name = ?1";
            let millis = connection
                .query_row(sql, [group], |row| row.get(0))
                .optional()?;
            Ok(millis.map(Timestamp::from_millis))
        })
        .await
    }

    async fn note_stamp(&self, group: &GroupName, stamp: Timestamp) -> Result<()> {
        let group = group.to_string();
        self.work(move |connection| raise_stamp(connection, &group, stamp))
            .await
    }

    async fn entry_of(&self, group: &GroupName, set: SetId) -> Result<Option<u64>> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT number FROM entry WHERE group_name = ?1 AND set_id = ?2";
            let found: Option<i64> = connection
                .query_row(sql, [group, set.to_string()], |row| row.get(0))
                .optional()?;
            Ok(found.and_then(|number| u64::try_from(number).ok()))
        })
        .await
    }

    async fn clear(&self, group: &GroupName) -> Result<()> {
        let group = group.to_string();
        self.work(move |connection| {
            let change = connection.transaction()?;
            change.execute("DELETE FROM backup_set WHERE group_name = ?1", [&group])?;
            change.execute("DELETE FROM proof WHERE group_name = ?1", [&group])?;
            change.execute("DELETE FROM entry WHERE group_name = ?1", [&group])?;
            change.commit()
        })
        .await
    }
}

/// What one entry of the log is in the tables.
struct Row {
    number: i64,
    fact: String,
    set_id: Option<String>,
    set: Option<SetRow>,
    proof: Option<PieceProof>,
}

struct SetRow {
    id: String,
    made_at: Timestamp,
    manifest: String,
    stamp: Timestamp,
}

impl Row {
    fn of(entry: &LogEntry, set: Option<&Set>) -> Result<Self> {
        let set = set.map(|set| {
            Ok::<_, Error>(SetRow {
                id: set.id.to_string(),
                made_at: set.made_at,
                manifest: text_of(set)?,
                stamp: newest_of(set),
            })
        });
        Ok(Self {
            number: signed(entry.entry),
            fact: text_of(&entry.fact)?,
            set_id: match &entry.fact {
                LogFact::Set { set, .. } => Some(set.to_string()),
                _ => None,
            },
            set: set.transpose()?,
            proof: proof_of(entry),
        })
    }

    fn insert(self, change: &Connection, group: &str) -> rusqlite::Result<()> {
        let mut entry = change.prepare_cached(
            "INSERT OR REPLACE INTO entry (group_name, number, fact, set_id) VALUES (?1, ?2, ?3, ?4)",
        )?;
        entry.execute(params![group, self.number, self.fact, self.set_id])?;
        if let Some(proof) = self.proof {
            let mut insert =
                change.prepare_cached("INSERT OR REPLACE INTO proof VALUES (?1, ?2, ?3, ?4)")?;
            let (piece, at) = (proof.piece.to_string(), proof.at.millis());
            insert.execute(params![group, piece, at, proof.is_whole])?;
        }
        if let Some(set) = self.set {
            let mut insert = change
                .prepare_cached("INSERT OR REPLACE INTO backup_set VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let made_at = set.made_at.millis();
            insert.execute(params![group, set.id, self.number, made_at, set.manifest])?;
            raise_stamp(change, group, set.stamp)?;
        }
        Ok(())
    }
}

fn proof_of(entry: &LogEntry) -> Option<PieceProof> {
    match entry.fact {
        LogFact::Proved { piece, whole, .. } => Some(PieceProof {
            piece,
            at: entry.at,
            is_whole: whole,
        }),
        _ => None,
    }
}

/// A damaged piece is a missing one: no way of restoring goes through it, and the next run bridges the gap.
fn leave_out(set: &mut Set, damaged: &[PieceProof]) {
    let proof_of = |piece: &Piece| damaged.iter().find(|proof| proof.piece == piece.id);
    let missing = set.pieces.iter().filter_map(|piece| {
        let proof = proof_of(piece)?;
        Some(MissingMember {
            member: piece.member.clone(),
            reason: format!(
                "its {} was found damaged at {}",
                piece.kind.word(),
                proof.at
            ),
        })
    });
    let missing: Vec<MissingMember> = missing.collect();
    set.missing.extend(missing);
    set.pieces.retain(|piece| proof_of(piece).is_none());
}

/// The newest stamp that a set shows to have been used.
fn newest_of(set: &Set) -> Timestamp {
    set.mark
        .as_ref()
        .map_or(set.made_at, |mark| mark.placed_at.max(set.made_at))
}

/// Stamps only rise: marks must never be named below one that was used.
fn raise_stamp(connection: &Connection, group: &str, stamp: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO stamp VALUES (?1, ?2)
        ON CONFLICT (group_name) DO UPDATE SET millis = MAX(millis, excluded.millis)";
    connection
        .execute(sql, params![group, stamp.millis()])
        .map(|_| ())
}
