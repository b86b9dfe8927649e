//! The catalog as a SQLite file: `world::Catalog` behind one writer thread.
//!
//! Start at [`SqliteCatalog::open`]. What the file holds is in `schema`, how facts get into it in `take`, how they
//! are read in `read`, and which marks are Points in `judge`. Chunk lists are never in it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use tokio::sync::oneshot;

use super::copies::{self, CopyPolicy};
use super::read::Shelf;
use super::rows::Row;
use super::schema::{self, failed, unsigned};
use super::take;
use crate::error::{Code, Error, Result};
use crate::model::{
    GroupName, MemberName, Piece, PieceCopy, PieceId, Set, SetId, Sha256Digest, Timestamp,
};
use crate::retention::PrunedSet;
use crate::world::{
    Catalog, Counts, Due, DuePlace, Listed, LogFact, Marked, Owed, PieceProof, PointNeeds,
    Standing, Taken,
};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The local index.
pub struct SqliteCatalog {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
    policy: Arc<CopyPolicy>,
}

impl SqliteCatalog {
    /// Opens or makes `<state>/catalog.sqlite`, wherever pieces are held.
    ///
    /// # Errors
    /// `SM0709` when the folder cannot be written.
    pub fn open(state: &Path) -> Result<Self> {
        Self::open_for(state, CopyPolicy::default())
    }

    /// The same, where only copies in these stores count and a Point needs so many.
    ///
    /// # Errors
    /// `SM0709` when the folder cannot be written.
    pub fn open_for(state: &Path, policy: CopyPolicy) -> Result<Self> {
        Self::at(state.join("catalog.sqlite"), policy)
    }

    pub(super) fn at(path: PathBuf, policy: CopyPolicy) -> Result<Self> {
        let mut connection = schema::open(&path)?;
        copies::follow(&mut connection, &policy).map_err(|error| failed(&path, error))?;
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
        Ok(Self {
            jobs,
            path,
            policy: Arc::new(policy),
        })
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

    /// Asks a group's rows; where there are none, the answer is nothing.
    async fn ask<T: Default + Send + 'static>(
        &self,
        group: &GroupName,
        question: impl FnOnce(Shelf<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask_as(TransactionBehavior::Deferred, group, question)
            .await
    }

    /// The same, and what is judged on the way is kept. Another process may be writing, and who has read before it
    /// asks to write would be refused then.
    async fn judge<T: Default + Send + 'static>(
        &self,
        group: &GroupName,
        question: impl FnOnce(Shelf<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask_as(TransactionBehavior::Immediate, group, question)
            .await
    }

    async fn ask_as<T: Default + Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        group: &GroupName,
        question: impl FnOnce(Shelf<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (group, policy) = (group.to_string(), self.policy.clone());
        self.work(move |connection| {
            let change = connection.transaction_with_behavior(behavior)?;
            let answer = match Shelf::of(&change, &group, &policy)? {
                Some(held) => question(held)?,
                None => T::default(),
            };
            change.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Judges until the `wanted` newest Points are known; all marks where no number is given.
    async fn settle(&self, group: &GroupName, wanted: Option<usize>) -> Result<()> {
        let is_open = move |shelf: Shelf<'_>| Ok(!shelf.is_settled(wanted)?);
        while self.ask(group, is_open).await? {
            self.judge(group, move |shelf| shelf.settle(wanted)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn newest_entry(&self, group: &GroupName) -> Result<(u64, Option<Sha256Digest>)> {
        let newest = self.ask(group, |shelf| {
            let sql = "SELECT entry, digest FROM held WHERE id = ?1";
            shelf.connection.query_row(sql, [shelf.group], |row| {
                let digest: Option<[u8; 32]> = row.get(1)?;
                Ok((row.get(0)?, digest))
            })
        });
        let (entry, digest) = newest.await?;
        Ok((unsigned(entry), digest.map(Sha256Digest)))
    }

    async fn take_in(&self, group: &GroupName, entries: Vec<Taken>) -> Result<()> {
        let group = group.to_string();
        let policy = self.policy.clone();
        let rows = entries.into_iter().map(|taken| Row::of(taken, &policy));
        let rows = rows.collect::<rusqlite::Result<Vec<Row>>>();
        let rows = rows.map_err(|error| failed(&self.path, error))?;
        self.work(move |connection| take::take_in(connection, &group, &policy, rows))
            .await
    }

    async fn counts(&self, group: &GroupName) -> Result<Counts> {
        self.ask(group, |shelf| shelf.counts()).await
    }

    async fn newest_points(&self, group: &GroupName, limit: usize) -> Result<Vec<Marked>> {
        self.settle(group, Some(limit)).await?;
        self.ask(group, move |shelf| shelf.points(limit)).await
    }

    async fn standing(&self, group: &GroupName) -> Result<Standing> {
        self.settle(group, None).await?;
        self.ask(group, |shelf| shelf.standing()).await
    }

    async fn point(&self, group: &GroupName, mark: Option<&str>) -> Result<Option<PointNeeds>> {
        if mark.is_none() {
            self.settle(group, Some(1)).await?;
        }
        let mark = mark.map(str::to_owned);
        self.ask(group, move |shelf| shelf.point(mark.as_deref()))
            .await
    }

    async fn page(
        &self,
        group: &GroupName,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>> {
        self.judge(group, move |shelf| shelf.page(before, limit))
            .await
    }

    async fn find(&self, group: &GroupName, what: &str) -> Result<Option<Listed>> {
        let what = what.to_owned();
        self.judge(group, move |shelf| shelf.find(&what)).await
    }

    async fn recent(
        &self,
        group: &GroupName,
        fulls: usize,
        whole: &[MemberName],
    ) -> Result<Vec<Set>> {
        let whole = whole.to_vec();
        self.ask(group, move |shelf| shelf.recent(fulls, &whole))
            .await
    }

    async fn sets(&self, group: &GroupName) -> Result<Vec<Set>> {
        self.ask(group, |shelf| shelf.all()).await
    }

    async fn newest_stamp(&self, group: &GroupName) -> Result<Option<Timestamp>> {
        let group = group.to_string();
        self.work(move |connection| {
            let sql = "SELECT stamp FROM held WHERE group_name = ?1";
            let millis = connection.query_row(sql, [group], |row| row.get(0));
            Ok(millis.optional()?.flatten().map(Timestamp::from_millis))
        })
        .await
    }

    async fn note_stamp(&self, group: &GroupName, stamp: Timestamp) -> Result<()> {
        let group = group.to_string();
        self.work(move |connection| take::raise_stamp(connection, &group, stamp))
            .await
    }

    async fn entry_of(&self, group: &GroupName, set: SetId) -> Result<Option<u64>> {
        self.ask(group, move |shelf| shelf.entry_of(set)).await
    }

    async fn manifests(&self, group: &GroupName, after: u64, limit: usize) -> Result<Vec<Listed>> {
        self.ask(group, move |shelf| shelf.manifests(after, limit))
            .await
    }

    async fn due(
        &self,
        group: &GroupName,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<Due>> {
        self.ask(group, move |shelf| shelf.due(after, limit)).await
    }

    async fn owed(&self, group: &GroupName, limit: usize) -> Result<Vec<Owed>> {
        self.ask(group, move |shelf| shelf.owed(limit)).await
    }

    async fn copies(
        &self,
        group: &GroupName,
        pieces: HashSet<PieceId>,
    ) -> Result<HashMap<PieceId, Vec<PieceCopy>>> {
        self.ask(group, move |shelf| shelf.copies(&pieces)).await
    }

    async fn damaged(&self, group: &GroupName) -> Result<Vec<Piece>> {
        self.ask(group, |shelf| shelf.damaged()).await
    }

    async fn proofs(&self, group: &GroupName) -> Result<Vec<PieceProof>> {
        self.ask(group, |shelf| shelf.proofs()).await
    }

    async fn retention_facts(&self, group: &GroupName) -> Result<Vec<LogFact>> {
        self.ask(group, |shelf| shelf.retention_facts()).await
    }

    async fn is_let_go(&self, group: &GroupName, sets: &[PrunedSet]) -> Result<bool> {
        let sets = sets.to_vec();
        self.ask(group, move |shelf| {
            for set in &sets {
                if !shelf.is_let_go(set)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    async fn unremoved(&self, group: &GroupName) -> Result<Vec<(SetId, Piece)>> {
        self.ask(group, |shelf| shelf.unremoved()).await
    }

    async fn clear(&self, group: &GroupName) -> Result<()> {
        let group = group.to_string();
        self.work(move |connection| take::clear(connection, &group))
            .await
    }
}
