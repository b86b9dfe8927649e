//! Reading back: proof that what a store holds is what was sent, and the way back to a file.
//!
//! Start at [`ObjectStore::prove_stripe`], [`ObjectStore::prove_sample`] and [`ObjectStore::fetch_stripe`]. Chunks
//! are read and hashed several at a time; a chunk that differs is read once more, since the way back may have been
//! at fault and not the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::fs;
use tokio::task::JoinSet;

use super::digest::ChunkList;
use super::hash::sha256;
use super::layout::{Span, spans};
use super::range::{Place, Reader, unwritable};
use super::there::is_there;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{Sha256Digest, StoredStripe};
use crate::world::StepProgress;

/// Chunks that a sample reads beside the first and the last. Of damage to a tenth of all chunks it finds some 4
/// times of 5 at the first look; damage to a single chunk is for whole proofs and for scrubbing to find.
const SAMPLE_CHUNKS: u64 = 16;

impl ObjectStore {
    /// Compares what is stored with its digests: its size, and all its bytes where `whole`.
    pub(super) async fn prove_stripe(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        if !whole {
            return self.prove_sizes(stripe).await;
        }
        // Small pieces are many, and each request waits for the store: both questions are asked together.
        let sizes = self.prove_sizes(stripe);
        let proven = tokio::try_join!(sizes, self.read_whole(stripe, None, progress));
        if proven.is_err() {
            // An object of another size fails both, and its size says more.
            self.prove_sizes(stripe).await?;
        }
        proven.map(|_| ())
    }

    /// Compares sizes, and some chunks with the list beside the stripe: the first, the last, and others that
    /// differ from time to time. The list itself is compared with the digest of record, and what the store says of
    /// the whole by its own checksum, where it does, with the list.
    pub(super) async fn prove_sample(
        &self,
        stripe: &StoredStripe,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        self.prove_sizes(stripe).await?;
        let list = self.chunk_list(stripe).await?;
        let count = list.digests().len() as u64;
        let mut rest = list.digests();
        for span in spans(stripe) {
            let (own, after) = rest.split_at(span.chunks().count().min(rest.len()));
            self.compare_what_is_said(&span, own).await?;
            rest = after;
        }
        let wanted = sample(count, stripe.root, self.clock.now().millis());
        let mut places = self.places(stripe);
        places.retain(|place| wanted.contains(&place.chunk));
        self.compare(places, list.digests(), None, progress).await
    }

    /// The chunk list beside a stripe, compared with its root.
    pub(super) async fn chunk_list(&self, stripe: &StoredStripe) -> Result<ChunkList> {
        let content = self.read_small(&keys::chunks(&stripe.key)).await?;
        let list = ChunkList::from_bytes(&content);
        list.filter(|list| list.root() == stripe.root)
            .ok_or_else(|| {
                let message = "the list of a piece's digests is not the one that was written";
                mismatch(&stripe.key, message.to_owned())
            })
    }

    async fn prove_sizes(&self, stripe: &StoredStripe) -> Result<()> {
        for span in spans(stripe) {
            self.prove_size(&span).await?;
        }
        Ok(())
    }

    async fn prove_size(&self, span: &Span) -> Result<()> {
        let found = self.calls.call(|| self.size_of(&span.key)).await?;
        if found == Some(span.size_bytes()) {
            return Ok(());
        }
        let found = found.map_or_else(|| "nothing".to_owned(), |size| format!("{size} bytes"));
        let message = format!(
            "the store holds {found} where {} bytes were sent",
            span.size_bytes()
        );
        Err(mismatch(&span.key, message))
    }

    /// Compares one object with the digests of what would have been sent.
    pub(super) async fn compare_span(&self, span: &Span, digests: &[Sha256Digest]) -> Result<()> {
        self.prove_size(span).await?;
        let places = self.places_of(span, 0);
        self.compare(places, digests, None, &Silent).await
    }

    /// Reads every chunk and compares the root; where it differs, the list says which chunk is damaged.
    async fn read_whole(
        &self,
        stripe: &StoredStripe,
        file: Option<&Path>,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let places = self.places(stripe);
        let found = self.digests(places.clone(), file, progress).await?;
        let mut list = ChunkList::default();
        list.extend(found.values().copied());
        if list.root() == stripe.root {
            return Ok(());
        }
        let list = self.chunk_list(stripe).await?;
        let differing = differing(places, &found, list.digests());
        self.compare(differing, list.digests(), file, &Silent).await
    }

    /// Compares chunks with their digests; those that differ are read once more.
    async fn compare(
        &self,
        mut places: Vec<Place>,
        digests: &[Sha256Digest],
        file: Option<&Path>,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        for _ in 0..2 {
            let found = self.digests(places.clone(), file, progress).await?;
            places = differing(places, &found, digests);
        }
        places.first().map_or(Ok(()), |place| Err(damaged(place)))
    }

    /// Reads chunks, a few at a time; their digests by number.
    async fn digests(
        &self,
        places: Vec<Place>,
        file: Option<&Path>,
        progress: &dyn StepProgress,
    ) -> Result<BTreeMap<usize, Sha256Digest>> {
        let reader = self.reader(file);
        let mut found = BTreeMap::new();
        let mut in_flight = JoinSet::new();
        let mut places = places.into_iter();
        loop {
            while in_flight.len() < self.transfer.parts_in_flight
                && let Some(place) = places.next()
            {
                let reader = reader.clone();
                in_flight.spawn(async move { (reader.read(&place).await, place) });
            }
            let Some(joined) = in_flight.join_next().await else {
                return Ok(found);
            };
            let (digest, place) = joined
                .map_err(|error| Error::new(Code::Bug, "a reading task panicked").source(error))?;
            found.insert(place.chunk, digest?);
            progress.bytes(place.size_bytes());
        }
    }

    pub(super) fn reader(&self, file: Option<&Path>) -> Reader {
        Reader {
            objects: self.objects.clone(),
            calls: self.calls.clone(),
            turns: self.reads.clone(),
            file: file.map(Into::into),
        }
    }

    /// Brings an object to a file, opened where it is sealed. The file gets its name only when the digests agree.
    pub(super) async fn fetch_stripe(
        &self,
        stripe: &StoredStripe,
        path: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        if is_there(path, stripe.plain()).await {
            return Ok(());
        }
        self.prove_sizes(stripe).await?;
        let unfinished = path.with_extension(super::staging::UNFINISHED);
        let failed = |error| unwritable(&unfinished, error);
        let file = fs::File::create(&unfinished).await.map_err(failed)?;
        let size_bytes = stripe.plain().size_bytes;
        file.set_len(size_bytes).await.map_err(failed)?;
        let read = match &stripe.sealed {
            None => self.read_whole(stripe, Some(&unfinished), progress).await,
            Some(sealed) => {
                self.read_sealed(stripe, sealed, &unfinished, progress)
                    .await
            }
        };
        if let Err(error) = read {
            drop(file);
            // The error that matters is the first; a leftover `.part` is overwritten next time.
            let _ = fs::remove_file(&unfinished).await;
            return Err(error);
        }
        file.sync_all().await.map_err(failed)?;
        drop(file);
        fs::rename(&unfinished, path)
            .await
            .map_err(|error| unwritable(path, error))
    }

    /// Where each chunk of a stripe stands.
    pub(super) fn places(&self, stripe: &StoredStripe) -> Vec<Place> {
        let mut places = Vec::new();
        for span in spans(stripe) {
            places.extend(self.places_of(&span, places.len()));
        }
        places
    }

    /// Where each chunk of an object stands, counted on from `first`.
    fn places_of(&self, span: &Span, first: usize) -> Vec<Place> {
        let key = self.key(&span.key);
        let chunks = span.chunks().zip(first..);
        chunks
            .map(|(in_object, chunk)| Place {
                chunk,
                key: key.clone(),
                in_stripe: span.bytes.start + in_object.start,
                in_object,
            })
            .collect()
    }
}

/// Nobody is told of what is read twice.
struct Silent;

impl StepProgress for Silent {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

fn differing(
    places: Vec<Place>,
    found: &BTreeMap<usize, Sha256Digest>,
    digests: &[Sha256Digest],
) -> Vec<Place> {
    let differs = |place: &Place| found.get(&place.chunk) != digests.get(place.chunk);
    places.into_iter().filter(differs).collect()
}

/// The chunks of a sample: the first, the last, and some that follow from the piece and the moment.
fn sample(count: u64, root: Sha256Digest, moment_millis: i64) -> BTreeSet<usize> {
    let drawn = (0..SAMPLE_CHUNKS.min(count)).map(|draw| {
        let mut seed = root.0.to_vec();
        seed.extend(moment_millis.to_le_bytes());
        seed.extend(draw.to_le_bytes());
        let drawn = sha256(&seed).0;
        let (number, _) = drawn.split_first_chunk().expect("a digest has 32 bytes");
        u64::from_le_bytes(*number) % count.max(1)
    });
    let ends = [0, count.saturating_sub(1)];
    drawn
        .chain(ends)
        .filter_map(|chunk| usize::try_from(chunk).ok())
        .collect()
}

pub(super) fn damaged(place: &Place) -> Error {
    let message = format!(
        "the store gives back other bytes than were sent: chunk {}, bytes {} to {} of the object",
        place.chunk, place.in_object.start, place.in_object.end
    );
    mismatch(place.key.as_ref(), message)
}

fn mismatch(key: &str, message: String) -> Error {
    Error::new(Code::StoreMismatch, message)
        .at("object", key)
        .hint(
            "something changed the object in the store; if its file is still on the share, keep it. `stopmark scrub` \
             writes what is damaged into the group's log, and `stopmark points` then shows what is left",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_both_ends_and_changes_with_the_moment() {
        let root = sha256(b"root");
        let one = sample(1000, root, 1);
        assert!(one.contains(&0) && one.contains(&999));
        assert!(one.len() > 10 && one.len() <= 18, "{one:?}");
        assert_ne!(one, sample(1000, root, 2));
        assert_eq!(sample(1, root, 1), BTreeSet::from([0]));
        assert!(sample(3, root, 1).iter().all(|chunk| *chunk < 3));
    }
}
