//! The catalog as a SQLite file: `world::Catalog` behind one writer thread.
//!
//! Start at [`SqliteCatalog::open`]. What the file holds is in `schema`, how facts get into it in `take`, how they
//! are read in `read`, and which marks are Points in `judge`. Chunk lists are never in it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::read::Shelf;
use super::schema::{self, failed, unsigned};
use super::take::{self, Row};
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, MemberName, Piece, Set, SetId, Sha256Digest, Timestamp};
use crate::world::{
    Catalog, Counts, Due, DuePlace, Listed, Marked, PieceProof, PointNeeds, Standing, Taken,
};

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
        Self::at(state.join("catalog.sqlite"))
    }

    pub(super) fn at(path: PathBuf) -> Result<Self> {
        let connection = schema::open(&path)?;
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

    /// Asks a group's rows; where there are none, the answer is nothing. What is judged on the way is kept.
    async fn ask<T: Default + Send + 'static>(
        &self,
        group: &GroupName,
        question: impl FnOnce(Shelf<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let group = group.to_string();
        self.work(move |connection| {
            let change = connection.transaction()?;
            let answer = match Shelf::of(&change, &group)? {
                Some(shelf) => question(shelf)?,
                None => T::default(),
            };
            change.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Judges until the `wanted` newest Points are known; all marks where no number is given.
    async fn settle(&self, group: &GroupName, wanted: Option<usize>) -> Result<()> {
        let settled = move |shelf: Shelf<'_>| Ok(Some(shelf.settle(wanted)?));
        while self.ask(group, settled).await? == Some(false) {}
        Ok(())
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn newest_entry(&self, group: &GroupName) -> Result<u64> {
        let newest = self.ask(group, |shelf| {
            let sql = "SELECT entry FROM held WHERE id = ?1";
            shelf
                .connection
                .query_row(sql, [shelf.group], |row| row.get(0))
        });
        Ok(unsigned(newest.await?))
    }

    async fn newest_digest(&self, group: &GroupName) -> Result<Option<Sha256Digest>> {
        let digest = self.ask(group, |shelf| {
            let sql = "SELECT digest FROM held WHERE id = ?1";
            let digest = shelf
                .connection
                .query_row(sql, [shelf.group], |row| row.get(0));
            digest as rusqlite::Result<Option<[u8; 32]>>
        });
        Ok(digest.await?.map(Sha256Digest))
    }

    async fn take_in(&self, group: &GroupName, entries: Vec<Taken>) -> Result<()> {
        let group = group.to_string();
        let rows = entries.into_iter().map(Row::of);
        let rows = rows.collect::<rusqlite::Result<Vec<Row>>>();
        let rows = rows.map_err(|error| failed(&self.path, error))?;
        self.work(move |connection| take::take_in(connection, &group, rows))
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
        self.ask(group, move |shelf| shelf.page(before, limit))
            .await
    }

    async fn find(&self, group: &GroupName, what: &str) -> Result<Option<Listed>> {
        let what = what.to_owned();
        self.ask(group, move |shelf| shelf.find(&what)).await
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

    async fn damaged(&self, group: &GroupName) -> Result<Vec<Piece>> {
        self.ask(group, |shelf| shelf.damaged()).await
    }

    async fn proofs(&self, group: &GroupName) -> Result<Vec<PieceProof>> {
        self.ask(group, |shelf| shelf.proofs()).await
    }

    async fn clear(&self, group: &GroupName) -> Result<()> {
        let group = group.to_string();
        self.work(move |connection| take::clear(connection, &group))
            .await
    }
}
