//! One lane that fetches pieces ahead of their need: while one piece is restored, the next ones come from the store,
//! as long as the share's budget holds them.
//!
//! Start at [`Ahead::lane`]. The plan is in order as it stands, and stays so: a piece is restored only after its own
//! fetch has settled, and its file goes right after, or after a failure too. Only the fetches run early.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::events::StepPlace;
use super::executor::{Round, Strand, Walk};
use crate::error::Result;
use crate::model::PieceId;
use crate::plan::{Fetch, Step};

/// The share's room while one lane goes on.
pub(super) struct Ahead {
    budget_bytes: u64,
    share: Mutex<Share>,
    /// Something settled, or was given up.
    changed: Notify,
    /// No fetch will come any more, or nobody will wait for one.
    is_over: AtomicBool,
}

#[derive(Default)]
struct Share {
    /// Pieces whose files may lie on the share, with their size.
    held: HashMap<PieceId, u64>,
    /// Pieces whose fetch ended, whichever way.
    settled: HashSet<PieceId>,
}

impl Ahead {
    /// A share that holds so many bytes of ours at most, or one piece.
    pub(super) fn new(budget_bytes: u64) -> Self {
        Self {
            budget_bytes,
            share: Mutex::default(),
            changed: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Carries the lane's steps out, its fetches beside the others.
    ///
    /// # Errors
    /// Only those of the journal: then neither side goes on.
    pub(super) async fn lane(
        &self,
        round: &Round<'_>,
        strand: &Strand<'_>,
        walk: &Walk<'_>,
    ) -> Result<()> {
        let fetches = self.fetch(round, strand, walk);
        let others = self.act(round, strand, walk);
        futures::future::try_join(fetches, others).await.map(|_| ())
    }

    async fn fetch(&self, round: &Round<'_>, strand: &Strand<'_>, walk: &Walk<'_>) -> Result<()> {
        for (place, step) in &strand.steps {
            let Step::Fetch(fetch) = step else { continue };
            if !self.wait_for_room(round, walk, fetch).await {
                break;
            }
            self.fetch_one(round, strand, walk, (*place, step, fetch))
                .await?;
        }
        self.give_up();
        Ok(())
    }

    async fn fetch_one(
        &self,
        round: &Round<'_>,
        strand: &Strand<'_>,
        walk: &Walk<'_>,
        (place, step, fetch): (StepPlace, &Step, &Fetch),
    ) -> Result<()> {
        let piece = fetch.source.piece;
        let is_tried = round.is_wanted(step, walk);
        if is_tried {
            self.share().held.insert(piece, size_of(fetch));
        }
        round.walk(strand.host, place, step, walk).await?;
        self.share().settled.insert(piece);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn act(&self, round: &Round<'_>, strand: &Strand<'_>, walk: &Walk<'_>) -> Result<()> {
        let fetched: HashSet<PieceId> = strand
            .steps
            .iter()
            .filter_map(|(_, step)| match step {
                Step::Fetch(fetch) => Some(fetch.source.piece),
                _ => None,
            })
            .collect();
        for (place, step) in &strand.steps {
            if matches!(step, Step::Fetch(_)) {
                continue;
            }
            let own = step.piece().filter(|piece| fetched.contains(piece));
            if let Some(piece) = own
                && !self.wait_for_fetch(piece).await
            {
                break;
            }
            if round.is_stopped(walk) {
                break;
            }
            if let Step::ClearStaging(clear) = step {
                self.clear(round, strand, walk, (*place, step, clear.piece))
                    .await?;
            } else {
                round.walk(strand.host, *place, step, walk).await?;
            }
        }
        self.give_up();
        Ok(())
    }

    /// The files of a piece go whatever became of its member: nobody will come for them. One that stays is told, and
    /// holds nothing up.
    async fn clear(
        &self,
        round: &Round<'_>,
        strand: &Strand<'_>,
        walk: &Walk<'_>,
        (place, step, piece): (StepPlace, &Step, PieceId),
    ) -> Result<()> {
        let is_held = self.share().held.contains_key(&piece);
        if is_held || round.is_wanted(step, walk) {
            round.try_only(strand.host, place, step).await?;
        } else {
            round.walk(strand.host, place, step, walk).await?;
        }
        self.share().held.remove(&piece);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Whether the piece may be fetched now; not where the lane is over.
    async fn wait_for_room(&self, round: &Round<'_>, walk: &Walk<'_>, fetch: &Fetch) -> bool {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if self.is_over.load(Ordering::SeqCst) || round.is_stopped(walk) {
                return false;
            }
            let held: u64 = self.share().held.values().sum();
            if held == 0 || held.saturating_add(size_of(fetch)) <= self.budget_bytes {
                return true;
            }
            changed.await;
        }
    }

    /// Whether the piece's fetch has settled; not where it never will.
    async fn wait_for_fetch(&self, piece: PieceId) -> bool {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if self.share().settled.contains(&piece) {
                return true;
            }
            if self.is_over.load(Ordering::SeqCst) {
                return false;
            }
            changed.await;
        }
    }

    fn give_up(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    fn share(&self) -> std::sync::MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size_of(fetch: &Fetch) -> u64 {
    let stored = fetch.stored.iter();
    stored.map(|stripe| stripe.plain().size_bytes).sum()
}
