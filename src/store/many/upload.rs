//! One reading of a file for all stores: chunks are read, parsed and hashed once, and sent side by side.
//!
//! Start at [`Stores::upload_to_all`]. Memory is that of one upload: a chunk is held until the last store has it, and
//! a store that is far slower than the others is given up, so that it holds neither the chunks nor the run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::copy::NoTap;
use super::distance::{Distance, too_slow};
use super::{Stores, located};
use crate::error::{Code, Error, Result};
use crate::model::{PieceCopy, StoredStripe};
use crate::store::chunk::Stored;
use crate::store::layout::spans;
use crate::store::source::{Chunk, Chunks, Source};
use crate::store::upload::{Feed, Pass};
use crate::store::{ObjectStore, keys};
use crate::world::{Clock, StepProgress};

/// A store that is this much slower than the others is left behind ...
const TIMES_SLOWER_MAX: u32 = 3;

/// ... but not before it has kept them waiting for so long.
const WAIT_MIN: Duration = Duration::from_secs(60);

/// Where the chunks for one store go.
struct Door {
    chunks: mpsc::Sender<Result<Chunk>>,
    /// How long the others have waited for this store.
    waited: Duration,
    /// None for the store that leads: nothing is published before it has caught up, so nobody gains by giving it up.
    given_up: Option<CancellationToken>,
}

/// One store that takes part.
struct Lane<'a> {
    store: &'a Arc<ObjectStore>,
    /// None for the store that leads, which is never left alone.
    distance: Option<&'a Distance>,
}

/// Keys that are tried for one stripe: what takes them all is no accident.
const KEYS_MAX: u32 = 3;

impl Stores {
    /// Sends a file under its key; where something else stands there, under the next.
    pub(super) async fn upload_somewhere(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        let mut failed = None;
        for attempt in 0..KEYS_MAX {
            let key = keys::tried(key, attempt);
            match self.upload_under(path, &key, feed).await {
                Err(error) if is_taken(&error) => {
                    tracing::warn!("sent again under another key: {error}");
                    failed = failed.or(Some(error));
                }
                settled => return settled,
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::Bug, "no key was tried")))
    }

    async fn upload_under(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        if self.further.is_empty() {
            return self.leading.upload_file(path, key, feed).await;
        }
        if self.leading.ring.is_some() {
            return self.upload_sealed(path, key, feed).await;
        }
        self.upload_to_all(path, key, feed).await
    }

    /// Sends a file to every store that is not left alone. One copy is enough for the piece to be delivered; what the
    /// others lack is owed.
    ///
    /// # Errors
    /// That of the store that leads, when no store took the file.
    pub(super) async fn upload_to_all(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        match self.hand_round(path, key, feed).await {
            // The leading store has dropped an upload that an earlier process began; it is forgotten now.
            Err(error) if error.code() == Code::ObjectMissing => {
                self.hand_round(path, key, feed).await
            }
            settled => settled,
        }
    }

    /// Sealing makes other bytes each time, so the leading store gets them, and the others what it then holds.
    pub(super) async fn upload_sealed(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        let sent = self.leading.upload_file(path, key, feed).await;
        let mut stripe = sent.map_err(|error| self.named(&self.leading, error))?;
        stripe.copies = vec![PieceCopy::first(self.leading.name.clone())];
        for further in &self.further {
            let copy = PieceCopy::first(further.store.name.clone());
            match self.copy_stripe(&stripe, &copy, &Untold).await {
                Ok(()) => stripe.copies.push(copy),
                Err(error) => tracing::warn!(store = %copy.store, "a copy is owed: {error}"),
            }
        }
        Ok(stripe)
    }

    async fn hand_round(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        let source = Source::open(path).await?;
        let unsent = self.leading.unsent(key, source.size_bytes);
        let count: usize = spans(&unsent)
            .iter()
            .map(|span| span.chunks().count())
            .sum();
        let mut pass = Pass::over(source.read_ahead(self.leading.pool.clone()), feed);
        let lanes = self.lanes();
        let (doors, receiving): (Vec<_>, Vec<_>) = lanes
            .iter()
            .map(|lane| self.begin(lane, unsent.clone(), path))
            .unzip();
        let began = self.clock.monotonic();
        let (handed, received) = tokio::join!(
            hand_out(self.clock.as_ref(), &mut pass, count, doors),
            self.settle(receiving, began)
        );
        for (lane, result) in lanes.iter().zip(&received) {
            if let Some(distance) = lane.distance {
                distance.note(result);
            }
        }
        // What could not be read is nobody's copy.
        handed?;
        join_copies(&lanes, received)
    }

    /// The stores that are asked now.
    fn lanes(&self) -> Vec<Lane<'_>> {
        let leading = Lane {
            store: &self.leading,
            distance: None,
        };
        let further = self.further.iter().filter_map(|further| {
            let passed = further.distance.pass();
            if let Err(error) = &passed {
                tracing::warn!(store = %further.store.name, "a copy is owed: {error}");
            }
            passed.ok().map(|()| Lane {
                store: &further.store,
                distance: Some(&further.distance),
            })
        });
        std::iter::once(leading).chain(further).collect()
    }

    /// The door of one store, and what happens behind it.
    fn begin<'a>(
        &'a self,
        lane: &Lane<'a>,
        unsent: StoredStripe,
        path: &'a Path,
    ) -> (
        Door,
        Receiving<'a, impl Future<Output = Result<StoredStripe>> + 'a>,
    ) {
        let (sender, chunks) = mpsc::channel(1);
        let given_up = lane.distance.map(|_| CancellationToken::new());
        let store = lane.store;
        let door = Door {
            chunks: sender,
            waited: Duration::ZERO,
            given_up: given_up.clone(),
        };
        let sending = async move {
            let mut tap = NoTap;
            let mut feed = Feed::new(&mut tap, &Untold);
            let mut pass = Pass::over(Chunks::over(chunks), &mut feed);
            let sent = store.send_stripe(unsent, path, &mut pass).await;
            sent.map_err(|error| self.named(store, error))
        };
        (
            door,
            Receiving {
                sending,
                given_up,
                store,
            },
        )
    }

    /// What came of each store, in their order. When the first has the stripe, the others get some time more.
    async fn settle<'a, F>(
        &'a self,
        receiving: Vec<Receiving<'a, F>>,
        began: Duration,
    ) -> Vec<Result<StoredStripe>>
    where
        F: Future<Output = Result<StoredStripe>> + 'a,
    {
        let tokens = receiving.iter().filter_map(|it| it.given_up.clone());
        let tokens: Vec<CancellationToken> = tokens.collect();
        let count = receiving.len();
        let mut open: FuturesUnordered<_> = receiving
            .into_iter()
            .enumerate()
            .map(|(at, receiving)| async move { (at, receiving.end().await) })
            .collect();
        let mut settled: Vec<Option<Result<StoredStripe>>> = (0..count).map(|_| None).collect();
        let mut deadline = None;
        loop {
            let late = async {
                match deadline {
                    Some(deadline) => self.clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = open.next() => {
                    let Some((at, result)) = ended else { break };
                    if result.is_ok() && deadline.is_none() {
                        let now = self.clock.monotonic();
                        deadline = Some(now + patience(now.saturating_sub(began)));
                    }
                    settled[at] = Some(result);
                }
                () = late => {
                    tokens.iter().for_each(CancellationToken::cancel);
                    deadline = None;
                }
            }
        }
        let unsettled = || Err(too_slow("the store was given up"));
        settled
            .into_iter()
            .map(|it| it.unwrap_or_else(unsettled))
            .collect()
    }
}

/// One store at its work.
struct Receiving<'a, F> {
    sending: F,
    given_up: Option<CancellationToken>,
    store: &'a Arc<ObjectStore>,
}

impl<F: Future<Output = Result<StoredStripe>>> Receiving<'_, F> {
    async fn end(self) -> Result<StoredStripe> {
        let Some(given_up) = self.given_up else {
            return self.sending.await;
        };
        tokio::select! {
            sent = self.sending => sent,
            () = given_up.cancelled() => {
                Err(too_slow("the store is far slower than the others").at("store", &self.store.name))
            }
        }
    }
}

/// Whether an object with other bytes has the key.
fn is_taken(error: &Error) -> bool {
    matches!(error.code(), Code::StoreMismatch | Code::ObjectExists)
}

/// How long a store may keep those waiting that have needed so long themselves.
fn patience(needed: Duration) -> Duration {
    (needed * TIMES_SLOWER_MAX).max(WAIT_MIN)
}

/// Gives every chunk to every store, in order. A store that failed has closed its door.
async fn hand_out(
    clock: &dyn Clock,
    pass: &mut Pass<'_, '_>,
    count: usize,
    mut doors: Vec<Door>,
) -> Result<()> {
    let began = clock.monotonic();
    for _ in 0..count {
        let chunk = pass.next().await?;
        let needed = clock.monotonic().saturating_sub(began);
        let first = CancellationToken::new();
        let handed = join_all(
            doors
                .into_iter()
                .map(|door| door.take(clock, chunk.clone(), &first, needed)),
        );
        doors = handed.await.into_iter().flatten().collect();
        pass.tell(chunk.len() as u64);
    }
    Ok(())
}

impl Door {
    /// Hands a chunk over; none where nobody takes chunks any more. The time that a store needs longer than the first
    /// is time that the others wait for it.
    async fn take(
        mut self,
        clock: &dyn Clock,
        stored: Stored,
        first: &CancellationToken,
        needed: Duration,
    ) -> Option<Self> {
        let late = async {
            if self.given_up.is_none() {
                return std::future::pending().await;
            }
            first.cancelled().await;
            let since = clock.monotonic();
            let left = patience(needed.saturating_sub(self.waited)).saturating_sub(self.waited);
            clock.sleep_until(since + left).await;
        };
        let since = clock.monotonic();
        // What the tap should see it has seen.
        let chunk = Chunk {
            stored,
            plain: Bytes::new(),
        };
        tokio::select! {
            sent = self.chunks.send(Ok(chunk)) => {
                sent.ok()?;
                if first.is_cancelled() {
                    self.waited += clock.monotonic().saturating_sub(since);
                }
                first.cancel();
            }
            () = late => {
                if let Some(given_up) = &self.given_up {
                    given_up.cancel();
                }
                return None;
            }
        }
        Some(self)
    }
}

/// The copies that were made, as one stripe.
fn join_copies(lanes: &[Lane<'_>], received: Vec<Result<StoredStripe>>) -> Result<StoredStripe> {
    let mut stripe: Option<StoredStripe> = None;
    let mut failed: Option<Error> = None;
    for (lane, result) in lanes.iter().zip(received) {
        let copy = PieceCopy::first(lane.store.name.clone());
        match (result, &mut stripe) {
            (Ok(sent), None) => stripe = Some(located(&sent, &copy)),
            (Ok(sent), Some(stripe)) if sent.root == stripe.root => stripe.copies.push(copy),
            (Ok(_), Some(_)) => {
                let message = "two stores took different bytes of one file";
                return Err(Error::new(Code::Bug, message).at("store", &copy.store));
            }
            (Err(error), _) => {
                tracing::warn!(store = %copy.store, "a copy is owed: {error}");
                failed = failed.or(Some(error));
            }
        }
    }
    let nobody = || Error::new(Code::Bug, "a file was sent to no store");
    stripe.ok_or_else(|| failed.unwrap_or_else(nobody))
}

/// People are told of the bytes of the piece, not of each copy.
struct Untold;

impl StepProgress for Untold {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}
