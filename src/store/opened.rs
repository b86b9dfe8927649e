//! The way back of a sealed stripe: read in order, compared, opened, and compared again with what was sealed.
//!
//! Start at [`ObjectStore::read_sealed`]. Chunks are read a few at a time and opened one after the other; a chunk is
//! in memory until it was opened, so each has its room in the pool.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::ObjectStore;
use super::chunk::Stored;
use super::digest::{ChunkList, Chunked};
use super::pool::Room;
use super::prove::damaged;
use super::range::{Place, Reader, unwritable};
use super::source::blocking;
use crate::error::{Code, Error, Result};
use crate::model::{PlainStripe, SealedStripe, StoredStripe};
use crate::seal::{Keys, OpenFault, open};
use crate::world::StepProgress;

/// How much is opened and written at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// A chunk that was read, and the room that it takes.
struct Held {
    bytes: Bytes,
    _room: Room,
}

/// A chunk that is being read.
type Reading = AbortOnDropHandle<Result<(Held, Place)>>;

impl ObjectStore {
    /// Opens a sealed stripe into a file, which is there already. Stored and plain bytes are both compared with
    /// their digests of record.
    ///
    /// # Errors
    /// `SM0731` where no key is here that opens it, `SM0703` where it is not what was sealed.
    pub(super) async fn read_sealed(
        &self,
        stripe: &StoredStripe,
        sealed: &SealedStripe,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let keys = self.keys_for(stripe, sealed)?;
        // Without the list beside it a damaged chunk is still found, but not named.
        let list = self.chunk_list(stripe).await.ok();
        let (sender, chunks) = mpsc::channel(1);
        let path = file.to_owned();
        let opening = tokio::spawn(blocking(move || open_into(chunks, &keys, &path)));
        let read = self.read_in_order(stripe, list, sender, progress).await;
        let opened = opening.await.map_err(|error| {
            Error::new(Code::Bug, "the opening of a piece panicked").source(error)
        })?;
        let (read, plain) = (read?, opened??);
        let plain = plain.map_err(|fault| fault.of(stripe, sealed))?;
        if read.is_none_or(|list| list.root() != stripe.root) || plain != sealed.plain {
            return Err(changed(stripe, "its digests are not those of the manifest"));
        }
        Ok(())
    }

    /// The keys that are here, where one of them opens the stripe.
    fn keys_for(&self, stripe: &StoredStripe, sealed: &SealedStripe) -> Result<Keys> {
        let keys = self.ring.as_ref().and_then(|ring| ring.keys.clone());
        let opens = |keys: &Keys| {
            let own = keys.recipients();
            let mut own = own.iter().map(ToString::to_string);
            own.any(|own| sealed.recipients.contains(&own))
        };
        match keys {
            Some(keys) if opens(&keys) => Ok(keys),
            Some(_) => Err(keyless(
                "the key that is here does not open this piece",
                stripe,
                sealed,
            )),
            None => Err(keyless(
                "this piece is sealed, and no key is here",
                stripe,
                sealed,
            )),
        }
    }

    /// Reads all chunks and hands them on in order; their digests, or none where nobody wanted the rest.
    async fn read_in_order(
        &self,
        stripe: &StoredStripe,
        wanted: Option<ChunkList>,
        to: mpsc::Sender<Held>,
        progress: &dyn StepProgress,
    ) -> Result<Option<ChunkList>> {
        let reader = self.reader(None);
        let wanted = wanted.map(Arc::new);
        let mut places = VecDeque::from(self.places(stripe));
        let mut in_flight = VecDeque::<Reading>::new();
        let mut list = ChunkList::default();
        loop {
            while in_flight.len() < self.transfer.parts_in_flight
                && let Some(place) = places.front()
            {
                // Only who holds nothing may wait for room: what is held here goes on only below.
                let room = if in_flight.is_empty() {
                    Some(self.pool.reserve(place.size_bytes()).await)
                } else {
                    self.pool.try_reserve(place.size_bytes())
                };
                let Some(room) = room else { break };
                let place = places.pop_front().expect("it is the first");
                let reading = read(reader.clone(), place, wanted.clone(), room);
                in_flight.push_back(AbortOnDropHandle::new(tokio::spawn(reading)));
            }
            let Some(first) = in_flight.pop_front() else {
                return Ok(Some(list));
            };
            let (held, place) = first.await.map_err(|error| {
                Error::new(Code::Bug, "a reading task panicked").source(error)
            })??;
            list.extend([Stored::of(held.bytes.clone()).digest().await?]);
            progress.bytes(place.size_bytes());
            if to.send(held).await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// Reads a chunk; one that differs is read once more, since the way back may have been at fault.
async fn read(
    reader: Reader,
    place: Place,
    wanted: Option<Arc<ChunkList>>,
    room: Room,
) -> Result<(Held, Place)> {
    for _ in 0..2 {
        let bytes = reader.bytes(&place).await?;
        let digest = Stored::of(bytes.clone()).digest().await?;
        let wanted = wanted.as_ref().map(|list| list.digests().get(place.chunk));
        if wanted.is_none_or(|wanted| wanted == Some(&digest)) {
            return Ok((Held { bytes, _room: room }, place));
        }
    }
    Err(damaged(&place))
}

/// Opens what comes and writes it to the file; what was written.
fn open_into(
    chunks: mpsc::Receiver<Held>,
    keys: &Keys,
    path: &Path,
) -> Result<std::result::Result<PlainStripe, OpenFault>> {
    let mut plain = match open(Incoming::of(chunks), keys) {
        Ok(plain) => plain,
        Err(fault) => return Ok(Err(fault)),
    };
    let failed = |error| unwritable(path, error);
    let mut file: File = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let (mut list, mut size_bytes) = (Chunked::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = match plain.read(&mut block) {
            Ok(0) => break,
            Ok(read) => &block[..read],
            Err(error) => return Ok(Err(OpenFault::Damaged(error.to_string()))),
        };
        list.update(read);
        size_bytes += read.len() as u64;
        file.write_all(read).map_err(failed)?;
    }
    Ok(Ok(list.finish().plain_stripe(size_bytes)))
}

/// Chunks as a stream of bytes, for a thread that may wait.
struct Incoming {
    chunks: mpsc::Receiver<Held>,
    now: Option<Held>,
}

impl Incoming {
    const fn of(chunks: mpsc::Receiver<Held>) -> Self {
        Self { chunks, now: None }
    }
}

impl BufRead for Incoming {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.now.as_ref().is_none_or(|held| held.bytes.is_empty()) {
            // Its room first: whoever reads the next chunk may be waiting for it.
            self.now = None;
            self.now = self.chunks.blocking_recv();
            if self.now.is_none() {
                return Ok(&[]);
            }
        }
        Ok(self.now.as_ref().map_or(&[], |held| &held.bytes))
    }

    fn consume(&mut self, count: usize) {
        if let Some(held) = &mut self.now {
            held.bytes.advance(count);
        }
    }
}

impl Read for Incoming {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl OpenFault {
    fn of(&self, stripe: &StoredStripe, sealed: &SealedStripe) -> Error {
        match self {
            Self::NoKey => keyless(
                "the key that is here does not open this piece",
                stripe,
                sealed,
            ),
            Self::Damaged(what) => changed(stripe, what),
        }
    }
}

fn keyless(message: &str, stripe: &StoredStripe, sealed: &SealedStripe) -> Error {
    Error::new(Code::SealKeyMissing, message)
        .at("object", &stripe.key)
        .at("sealed for", sealed.recipients.join(", "))
        .hint("give the key of one of these recipients as `identity` in `[encryption]`")
}

fn changed(stripe: &StoredStripe, what: &str) -> Error {
    let message = format!("a sealed piece opens to something else than was sealed: {what}");
    Error::new(Code::StoreMismatch, message)
        .at("object", &stripe.key)
        .hint("bring the object back from a version or copy of the bucket")
}
