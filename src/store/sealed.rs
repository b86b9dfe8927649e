//! Uploads that are sealed on their way: read, shown to the tap, encrypted and hashed in one pass.
//!
//! Start at [`ObjectStore::upload_sealed`]. The same file sealed twice is not the same bytes, since each stream has
//! a key of its own. So nothing of an attempt that broke off is used again: its parts are given up, and the next
//! attempt has another key. What was sent whole is known again by its note, which stands before the object does.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::chunk::Stored;
use super::digest::ChunkList;
use super::digest::Chunked;
use super::layout::{Span, segment_size, spans};
use super::parts::Sent;
use super::pool::Pool;
use super::source::{Chunk, Chunks, Source, To, at_end, blocking, read_on, unreadable};
use super::upload::{Feed, Pass};
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{
    CHUNK_SIZE_BYTES, PieceCopy, PlainStripe, SealedStripe, Sha256Digest, StoredStripe,
};
use crate::seal::{Ring, Sealer};
use crate::world::StepProgress;

/// The newest format of the note beside a sealed stripe.
const NOTE_FORMAT: u16 = 1;

/// Attempts that one stripe may need: one, and one more each time an upload broke off.
const ATTEMPTS_MAX: u32 = 20;

/// How much of the file is read at once: a block of the sealed stream.
const BLOCK_BYTES: u64 = 64 * 1024;

/// The note beside a sealed stripe.
#[derive(Serialize, Deserialize)]
struct Note {
    format: u16,
    stripe: StoredStripe,
}

/// What stands where a note would.
enum Noted {
    Nothing,
    Stripe(Box<StoredStripe>),
    /// Something that this version does not understand, and does not touch.
    Other,
}

/// The last object of a stripe: sent or held, and not yet there.
enum Last {
    One(Stored),
    Parts(Sent),
}

impl ObjectStore {
    /// Seals a file for the ring's recipients and sends it. What an earlier call has sent whole counts.
    pub(super) async fn upload_sealed(
        &self,
        path: &Path,
        key: &str,
        ring: &Ring,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        for attempt in 0..ATTEMPTS_MAX {
            let key = keys::sealed(key, attempt);
            match self.noted(&key).await? {
                Noted::Nothing => match self.seal_under(&key, path, ring, feed).await {
                    Err(error) if error.code() == Code::ObjectExists => {}
                    settled => return settled,
                },
                Noted::Stripe(stripe) => {
                    if self.is_same(&stripe, &key, path, ring, feed).await? {
                        for span in spans(&stripe) {
                            self.lock(&span.key).await?;
                        }
                        return Ok(*stripe);
                    }
                    for span in spans(&stripe) {
                        self.give_up_earlier(&span).await?;
                    }
                }
                Noted::Other => {}
            }
        }
        let message = "too many attempts to send this stripe have left their objects";
        Err(Error::new(Code::ObjectExists, message)
            .at("object", key)
            .hint("look whether another agent writes below the same prefix"))
    }

    async fn noted(&self, key: &str) -> Result<Noted> {
        let content = match self.read_small(&keys::seal_note(key)).await {
            Err(error) if error.code() == Code::ObjectMissing => return Ok(Noted::Nothing),
            content => content?,
        };
        let note = serde_json::from_slice::<Note>(&content).ok();
        let known = note.filter(|note| note.format <= NOTE_FORMAT);
        Ok(known.map_or(Noted::Other, |note| Noted::Stripe(Box::new(note.stripe))))
    }

    /// Whether the stripe of a note stands there whole, was made of this file, and opens for whom it should.
    async fn is_same(
        &self,
        stripe: &StoredStripe,
        key: &str,
        path: &Path,
        ring: &Ring,
        feed: &mut Feed<'_>,
    ) -> Result<bool> {
        let Some(sealed) = stripe.sealed.as_ref().filter(|_| stripe.key == key) else {
            return Ok(false);
        };
        if sealed.recipients != ring.recipients_text()
            || !settled(self.prove_stripe(stripe, false, &Unheard).await)?
            || self.plain_of(path, feed).await? != sealed.plain
        {
            return Ok(false);
        }
        settled(self.prove_stripe(stripe, true, &Unheard).await)
    }

    /// What the file holds, without sending it.
    async fn plain_of(&self, path: &Path, feed: &mut Feed<'_>) -> Result<PlainStripe> {
        let source = Source::open(path).await?;
        let size_bytes = source.size_bytes;
        let mut pass = Pass::over(source.read_ahead(self.pool.clone()), feed);
        let mut list = ChunkList::default();
        for _ in 0..size_bytes.div_ceil(CHUNK_SIZE_BYTES).max(1) {
            list.extend([pass.next().await?.digest().await?]);
        }
        pass.tell(size_bytes);
        Ok(list.plain_stripe(size_bytes))
    }

    /// Sends everything, then writes note and list, then lets the object appear: an object that stands there whole
    /// has both beside it.
    async fn seal_under(
        &self,
        key: &str,
        path: &Path,
        ring: &Ring,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        let source = Source::open(path).await?;
        let sealer = Sealer::begin(&ring.recipients);
        let size_bytes = sealer.sealed_size_bytes(source.size_bytes);
        let mut stripe = StoredStripe {
            key: key.to_owned(),
            size_bytes,
            chunk_size_bytes: CHUNK_SIZE_BYTES,
            root: Sha256Digest([0; 32]),
            sha256: None,
            segment_size_bytes: segment_size(size_bytes, self.transfer.segment_chunks),
            sealed: None,
            copies: Vec::new(),
        };
        let mut pass = Pass::over(source.seal_ahead(sealer, self.pool.clone()), feed);
        let mut list = ChunkList::default();
        let spans = spans(&stripe);
        let (last_span, before) = spans.split_last().expect("a stripe has an object");
        for span in before {
            let sent = self.send_new(span, path, &mut pass).await?;
            list.extend(sent.digests());
            self.put_together(span, sent).await?;
        }
        let held = if last_span.size_bytes() < CHUNK_SIZE_BYTES {
            let chunk = pass.next().await?;
            list.extend([chunk.digest().await?]);
            Last::One(chunk)
        } else {
            let sent = self.send_new(last_span, path, &mut pass).await?;
            list.extend(sent.digests());
            Last::Parts(sent)
        };
        stripe.root = list.root();
        stripe.sha256 = list.whole();
        stripe.copies = vec![PieceCopy::first(self.name.clone())];
        let plain = pass.plain();
        let written = match plain {
            Ok(plain) => {
                stripe.sealed = Some(SealedStripe {
                    recipients: ring.recipients_text(),
                    plain,
                });
                self.write_beside(&stripe, &list).await
            }
            Err(error) => Err(error),
        };
        self.end(last_span, held, written, &list, &mut pass).await?;
        Ok(stripe)
    }

    /// An object that is there already was left by an attempt that broke off between two segments.
    async fn send_new(&self, span: &Span, path: &Path, pass: &mut Pass<'_, '_>) -> Result<Sent> {
        if self.size_of(&span.key).await?.is_some() {
            return Err(used(span));
        }
        self.send_parts_afresh(span, path, pass).await
    }

    async fn write_beside(&self, stripe: &StoredStripe, list: &ChunkList) -> Result<()> {
        let note = Note {
            format: NOTE_FORMAT,
            stripe: stripe.clone(),
        };
        let note = serde_json::to_vec_pretty(&note)
            .map_err(|error| Error::new(Code::Bug, "a note cannot be written").source(error))?;
        // The note first: where it is missing, nothing else of this attempt stands.
        self.create_same(&keys::seal_note(&stripe.key), note)
            .await?;
        self.create_same(&keys::chunks(&stripe.key), list.to_bytes())
            .await
    }

    /// Lets the last object appear, or gives it up where what belongs beside it could not be written.
    async fn end(
        &self,
        span: &Span,
        held: Last,
        written: Result<()>,
        list: &ChunkList,
        pass: &mut Pass<'_, '_>,
    ) -> Result<()> {
        match (held, written) {
            (Last::Parts(sent), Ok(())) => self.put_together(span, sent).await,
            (Last::Parts(sent), Err(error)) => {
                self.give_up(span, &sent, &error).await;
                Err(error)
            }
            (Last::One(_), Err(error)) => Err(error),
            (Last::One(chunk), Ok(())) => {
                // The answer to a first request may have been lost: then the object that is there is this one.
                if !self.put_one(span, &chunk).await? {
                    let digest = list.digests().last().copied();
                    let compared = self.compare_span(span, digest.as_slice()).await;
                    if !settled(compared)? {
                        return Err(used(span));
                    }
                }
                self.lock(&span.key).await?;
                pass.tell(span.size_bytes());
                Ok(())
            }
        }
    }
}

/// Whether a proof succeeded; errors are of those that prove nothing either way.
fn settled(proof: Result<()>) -> Result<bool> {
    match proof {
        Ok(()) => Ok(true),
        Err(error) if [Code::StoreMismatch, Code::ObjectMissing].contains(&error.code()) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn used(span: &Span) -> Error {
    let message = "an object of an attempt that broke off stands here";
    Error::new(Code::ObjectExists, message)
        .at("object", &span.key)
        .hint("nothing needs it; it may be deleted")
}

/// People have been told of these bytes already, or will be when they are sent.
struct Unheard;

impl StepProgress for Unheard {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Source {
    /// Begins to read and to seal. The reading ends when the chunks are dropped.
    fn seal_ahead(self, sealer: Sealer, pool: Arc<Pool>) -> Chunks {
        let path = self.path.clone();
        let sealing = Sealing {
            plain_left_bytes: self.size_bytes,
            sealed_left_bytes: sealer.sealed_size_bytes(self.size_bytes),
            source: self,
            sealer,
            plain: Chunked::new(),
        };
        Chunks::ahead(path, |to, list| async move {
            sealing.seal_all(&pool, &to, &list).await
        })
    }
}

/// A file that is being sealed.
struct Sealing {
    source: Source,
    sealer: Sealer,
    plain: Chunked,
    plain_left_bytes: u64,
    sealed_left_bytes: u64,
}

impl Sealing {
    async fn seal_all(
        mut self,
        pool: &Arc<Pool>,
        to: &To,
        list: &OnceLock<ChunkList>,
    ) -> Result<()> {
        loop {
            let want = self.sealed_left_bytes.min(CHUNK_SIZE_BYTES);
            self.sealed_left_bytes -= want;
            let is_last = self.sealed_left_bytes == 0;
            // A block comes out when the next one begins, so a first chunk is made of one block more.
            let read_max = self.plain_left_bytes.min(CHUNK_SIZE_BYTES + BLOCK_BYTES);
            let sizes = [read_max, want].map(|size| usize::try_from(size).unwrap_or(usize::MAX));
            let [mut plain, mut stored] = pool.take_two(sizes).await;
            let filled = blocking(move || {
                let filled = self.fill(plain.bytes_mut(), stored.bytes_mut(), sizes[1], is_last);
                filled.map(|()| (self, plain, stored))
            });
            let (sealing, plain, stored) = filled.await?.map_err(unreadable)?;
            let chunk = Chunk {
                stored: Stored::of(stored.freeze()),
                plain: plain.freeze(),
            };
            if is_last {
                // Nobody else sets it.
                let _ = list.set(sealing.plain.finish());
                // Nobody who has given up listening needs the last chunk.
                let _ = to.send(Ok(chunk)).await;
                return Ok(());
            }
            if to.send(Ok(chunk)).await.is_err() {
                return Ok(());
            }
            self = sealing;
        }
    }

    /// Reads, hashes and seals block after block, until the chunk is full.
    fn fill(
        &mut self,
        plain: &mut Vec<u8>,
        stored: &mut Vec<u8>,
        want: usize,
        is_last: bool,
    ) -> std::io::Result<()> {
        loop {
            self.sealer.drain(stored, want);
            if stored.len() == want {
                break;
            }
            let block = self.plain_left_bytes.min(BLOCK_BYTES);
            if block == 0 {
                self.sealer.finish();
                continue;
            }
            let at = plain.len();
            read_on(&mut self.source.file, plain, block)?;
            self.plain_left_bytes -= block;
            self.plain.update(&plain[at..]);
            self.sealer.push(&plain[at..]);
        }
        if is_last {
            at_end(&mut self.source.file)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::seal::{Keys, open};
    use crate::store::hash::sha256;
    use crate::store::pool::BUDGET_BYTES_MIN;

    /// Seals a file in the smallest memory; the stored chunks, the plain bytes as the tap would see them, and the
    /// plain digests.
    async fn sealed(bytes: &[u8], keys: &Keys) -> (Vec<Vec<u8>>, Vec<u8>, ChunkList) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("piece.bak");
        std::fs::write(&path, bytes).expect("writes");
        let source = Source::open(&path).await.expect("opens");
        let sealer = Sealer::begin(&keys.recipients());
        let size = sealer.sealed_size_bytes(source.size_bytes);
        let mut chunks = source.seal_ahead(sealer, Pool::of(BUDGET_BYTES_MIN));
        let (mut stored, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..size.div_ceil(CHUNK_SIZE_BYTES) {
            let chunk = chunks.next().await.expect("a chunk");
            stored.push(chunk.stored.to_vec());
            plain.extend_from_slice(&chunk.plain);
        }
        let list = chunks.plain_list().expect("read to the end").clone();
        (stored, plain, list)
    }

    fn opened(stored: &[Vec<u8>], keys: &Keys) -> Vec<u8> {
        let mut plain = Vec::new();
        let sealed = stored.concat();
        let mut opened = open(sealed.as_slice(), keys).expect("opens");
        opened.read_to_end(&mut plain).expect("whole");
        plain
    }

    #[tokio::test]
    async fn chunks_of_a_sealed_file_are_whole_and_two_buffers_are_enough() {
        let keys = Keys::generate();
        let chunk = usize::try_from(CHUNK_SIZE_BYTES).expect("fits");
        for size in [0, 1, chunk - 2300, chunk, 2 * chunk, 2 * chunk + 65_537] {
            let bytes: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[1]).collect();
            let (stored, plain, list) = sealed(&bytes, &keys).await;
            let (end, whole) = stored.split_last().expect("never empty");
            assert!(whole.iter().all(|one| one.len() == chunk), "{size}");
            assert!(!end.is_empty() && end.len() <= chunk);
            assert!(plain == bytes, "the tap sees the file, {size}");
            assert!(opened(&stored, &keys) == bytes, "{size}");
            let mut wanted = ChunkList::default();
            wanted.extend(bytes.chunks(chunk).map(sha256));
            wanted.extend(bytes.is_empty().then(|| sha256(b"")));
            assert_eq!(list, wanted, "{size}");
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_or_grows_is_not_sealed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("piece.bak");
        for (size_bytes, fits) in [(4, false), (5, true), (6, false)] {
            std::fs::write(&path, b"12345").expect("writes");
            let mut source = Source::open(&path).await.expect("opens");
            source.size_bytes = size_bytes;
            let sealer = Sealer::begin(&Keys::generate().recipients());
            let mut chunks = source.seal_ahead(sealer, Pool::of(BUDGET_BYTES_MIN));
            assert_eq!(chunks.next().await.is_ok(), fits, "{size_bytes}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_small_file_is_sealed_and_opened(bytes in proptest::collection::vec(any::<u8>(), 0..200_000)) {
            let keys = Keys::generate();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let (stored, plain, _) = runtime.block_on(sealed(&bytes, &keys));
            prop_assert_eq!(opened(&stored, &keys), bytes.clone());
            prop_assert_eq!(plain, bytes);
        }
    }
}
