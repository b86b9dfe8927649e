//! A copy that is owed, made from one that is whole: as a stream, without a file in between.
//!
//! Start at [`Stores::copy_stripe`]. Each chunk is compared with the list of digests before it is sent on, so damage
//! never spreads.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::{GetOptions, GetRange};
use tokio::sync::mpsc;

use super::Stores;
use crate::error::{Code, Error, Result};
use crate::model::{PieceCopy, Sha256Digest, StoredStripe};
use crate::store::chunk::Stored;
use crate::store::errors::store_error;
use crate::store::range::Place;
use crate::store::source::{Chunk, Chunks};
use crate::store::upload::{Feed, Pass};
use crate::store::{ObjectStore, located};
use crate::world::{StepProgress, Tap};

/// Media were parsed when they were delivered.
pub(super) struct NoTap;

impl Tap for NoTap {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

impl Stores {
    /// Makes the copy from the first source that gives the stripe whole, then reads it back. Where none does, it may
    /// stand there already.
    pub(super) async fn copy_stripe(
        &self,
        stripe: &StoredStripe,
        to: &PieceCopy,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let target = self.find(&to.store)?;
        let found = self.further.iter().find(|it| it.store.name == to.store);
        if let Some(further) = found {
            further
                .distance
                .pass()
                .map_err(|error| self.named(target, error))?;
        }
        let sources = self.places(stripe).into_iter();
        let sources = sources.filter(|place| match place {
            Ok((store, _)) => store.name != to.store,
            Err(_) => true,
        });
        let mut failed = None;
        for source in sources {
            let copied = match source {
                Ok((store, there)) => self.copy_from(store, there, (target, to), progress).await,
                Err(error) => Err(error),
            };
            let Err(error) = copied else {
                return Ok(());
            };
            failed = failed.or(Some(error));
        }
        // A delivery that broke off may have brought it there long since, when its source was still whole.
        let there = located(stripe, to);
        if target.prove_stripe(&there, true, &Quiet).await.is_ok() {
            return Ok(());
        }
        Err(failed.unwrap_or_else(|| no_source(stripe)))
    }

    async fn copy_from(
        &self,
        from: &Arc<ObjectStore>,
        there: StoredStripe,
        (target, to): (&Arc<ObjectStore>, &PieceCopy),
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let list = from.chunk_list(&there).await;
        let list = list.map_err(|error| self.named(from, error))?;
        let wanted = StoredStripe {
            key: to.key(&base_key(&there)),
            copies: Vec::new(),
            ..there.clone()
        };
        let chunks = read_ahead(from.clone(), there, list.digests().to_vec());
        let mut tap = NoTap;
        let mut feed = Feed::new(&mut tap, progress);
        let mut pass = Pass::over(chunks, &mut feed);
        // The next try reads from a store again: no file goes on with this upload.
        let sent = target
            .send_stripe(wanted.clone(), Path::new(""), &mut pass)
            .await;
        if let Some(further) = self.further.iter().find(|it| it.store.name == target.name) {
            further.distance.note(&sent);
        }
        let proven = match sent {
            Ok(sent) => target.prove_stripe(&sent, true, &Quiet).await,
            Err(error) => Err(error),
        };
        proven.map_err(|error| {
            if is_of(&error, from) {
                error
            } else {
                self.named(target, taken(error))
            }
        })
    }
}

/// The key that all copies have in common.
fn base_key(place: &StoredStripe) -> String {
    let suffix = place.copies.first().map(|copy| copy.key(""));
    let base = suffix.and_then(|suffix| place.key.strip_suffix(&suffix));
    base.unwrap_or(&place.key).to_owned()
}

/// Whether the error came out of reading this store: only its own reading says so before errors are named.
fn is_of(error: &Error, store: &ObjectStore) -> bool {
    let mut context = error.context().iter();
    context.any(|(what, value)| *what == "store" && value == store.name.as_str())
}

/// No object is ever overwritten: what stands under the copy's key and is not the copy keeps that key.
fn taken(error: Error) -> Error {
    if !matches!(error.code(), Code::StoreMismatch | Code::ObjectExists) {
        return error;
    }
    Error::new(
        Code::ObjectExists,
        "something else stands under the key that a copy was to have",
    )
    .hint("the next run makes the copy under a key of its own")
    .source(error)
}

/// What is told of once is not told of again.
struct Quiet;

impl StepProgress for Quiet {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

/// Reads a stripe chunk by chunk into buffers of the pool; the reading ends when the chunks are dropped.
fn read_ahead(from: Arc<ObjectStore>, there: StoredStripe, digests: Vec<Sha256Digest>) -> Chunks {
    let (sender, chunks) = mpsc::channel(1);
    tokio::spawn(async move {
        for (place, digest) in from.places(&there).into_iter().zip(digests) {
            let chunk = from.read_chunk(&place, digest).await;
            let is_last = chunk.is_err();
            let chunk = chunk.map(|stored| Chunk {
                stored,
                plain: Bytes::new(),
            });
            if sender.send(chunk).await.is_err() || is_last {
                return;
            }
        }
    });
    Chunks::over(chunks)
}

impl ObjectStore {
    /// A chunk as it was written.
    ///
    /// # Errors
    /// `SM0703` when it is not.
    async fn read_chunk(&self, place: &Place, digest: Sha256Digest) -> Result<Stored> {
        let read = self.calls.call(|| self.read_place(place));
        let chunk = read.await.map_err(|error| error.at("store", &self.name))?;
        if chunk.digest().await? == digest {
            return Ok(chunk);
        }
        let message = format!("chunk {} is not what was sent", place.chunk);
        Err(Error::new(Code::StoreMismatch, message)
            .at("object", &place.key)
            .at("store", &self.name)
            .hint("the copy is made from another store; look at this one"))
    }

    async fn read_place(&self, place: &Place) -> Result<Stored> {
        let size = usize::try_from(place.size_bytes()).unwrap_or(usize::MAX);
        let mut buffer = self.pool.take(size).await;
        if size > 0 {
            let options = GetOptions {
                range: Some(GetRange::Bounded(place.in_object.clone())),
                ..GetOptions::default()
            };
            let failed = |error| store_error(error, &place.key);
            let found = self.objects.get_opts(&place.key, options).await;
            let mut bytes = found.map_err(failed)?.into_stream();
            while let Some(bytes) = bytes.next().await {
                buffer
                    .bytes_mut()
                    .extend_from_slice(&bytes.map_err(failed)?);
            }
        }
        Ok(Stored::of(buffer.freeze()))
    }
}

fn no_source(stripe: &StoredStripe) -> Error {
    Error::new(
        Code::ObjectMissing,
        "no store has a whole copy that another could be made from",
    )
    .at("object", located_key(stripe))
    .hint("take a full; the chain begins anew")
}

fn located_key(stripe: &StoredStripe) -> String {
    let copy = stripe.copies.first();
    copy.map_or_else(|| stripe.key.clone(), |copy| located(stripe, copy).key)
}
