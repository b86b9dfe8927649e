//! The upload: one pass over a file reads, parses, hashes and sends it, chunk by chunk.
//!
//! Start at [`ObjectStore::upload_file`]. A file of one chunk goes in one create-only request; a larger one in
//! parts of one chunk each, a few in flight, under a key that is used once. Memory is bounded by the parts in
//! flight, whatever the size.

use std::path::Path;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutMode, PutOptions, UploadPart};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::digest::{ChunkList, sha256};
use super::errors::store_error;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{CHUNK_SIZE_BYTES, Sha256Digest, StoredStripe};
use crate::world::{StepProgress, Tap};

/// Parts being sent at the same time, for one stripe.
const PARTS_IN_FLIGHT_MAX: usize = 4;

/// A file read chunk by chunk: each chunk passes the tap, then is hashed beside the reading.
struct Chunks<'a> {
    file: File,
    path: &'a Path,
    tap: &'a mut dyn Tap,
    size_bytes: u64,
}

impl ObjectStore {
    /// Sends a file. An object that is there already must be the same, byte for byte, and then counts.
    pub(super) async fn upload_file(
        &self,
        path: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe> {
        let mut chunks = Chunks::open(path, tap).await?;
        let exists = self.size_of(key).await?.is_some();
        let first = chunks.next().await?;
        let list = if exists {
            hash_rest(&mut chunks, first, progress).await?
        } else if first
            .as_ref()
            .is_none_or(|chunk| len(chunk) < CHUNK_SIZE_BYTES)
        {
            self.send_one(key, first, progress).await?
        } else {
            self.send_parts(key, &mut chunks, first, progress).await?
        };
        let stripe = StoredStripe {
            key: key.to_owned(),
            size_bytes: chunks.size_bytes,
            chunk_size_bytes: CHUNK_SIZE_BYTES,
            root: list.root(),
            sha256: list.whole(),
        };
        if exists {
            self.prove_stripe(&stripe, true, progress).await?;
        }
        self.create_same(&keys::chunks(key), list.to_bytes())
            .await?;
        Ok(stripe)
    }

    async fn send_one(
        &self,
        key: &str,
        chunk: Option<Bytes>,
        progress: &dyn StepProgress,
    ) -> Result<ChunkList> {
        let chunk = chunk.unwrap_or_default();
        let mut list = ChunkList::default();
        list.push(hash(chunk.clone()).await?);
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let sent = len(&chunk);
        let put = self
            .inner
            .put_opts(&self.key(key), chunk.into(), options)
            .await;
        put.map_err(|error| store_error(error, key))?;
        progress.bytes(sent);
        Ok(list)
    }

    async fn send_parts(
        &self,
        key: &str,
        chunks: &mut Chunks<'_>,
        first: Option<Bytes>,
        progress: &dyn StepProgress,
    ) -> Result<ChunkList> {
        let begun = self.inner.put_multipart(&self.key(key)).await;
        let mut upload = begun.map_err(|error| store_error(error, key))?;
        match send_all(upload.as_mut(), key, chunks, first, progress).await {
            Ok(list) => {
                upload
                    .complete()
                    .await
                    .map_err(|error| store_error(error, key))?;
                Ok(list)
            }
            Err(error) => {
                // Parts left behind cost money and nothing else; the error that matters is the first.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Creates a small object; one that is there already must have the same content.
    pub(super) async fn create_same(&self, key: &str, content: Vec<u8>) -> Result<()> {
        let content = Bytes::from(content);
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .inner
            .put_opts(&self.key(key), content.clone().into(), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                if self.read_small(key).await? == content {
                    return Ok(());
                }
                Err(Error::new(
                    Code::ObjectExists,
                    "an object of this name has another content",
                )
                .at("object", key)
                .hint("look whether another agent writes below the same prefix"))
            }
            Err(error) => Err(store_error(error, key)),
        }
    }
}

async fn send_all(
    upload: &mut dyn MultipartUpload,
    key: &str,
    chunks: &mut Chunks<'_>,
    first: Option<Bytes>,
    progress: &dyn StepProgress,
) -> Result<ChunkList> {
    let mut list = ChunkList::default();
    let mut in_flight: JoinSet<(u64, object_store::Result<()>)> = JoinSet::new();
    let mut next = first;
    while let Some(chunk) = next {
        if in_flight.len() >= PARTS_IN_FLIGHT_MAX {
            settle(in_flight.join_next().await, key, progress)?;
        }
        let (size_bytes, part) = (len(&chunk), upload.put_part(chunk.clone().into()));
        in_flight.spawn(sized(size_bytes, part));
        let (digest, read) = tokio::join!(hash(chunk), chunks.next());
        list.push(digest?);
        next = read?;
    }
    while let Some(part) = in_flight.join_next().await {
        settle(Some(part), key, progress)?;
    }
    Ok(list)
}

async fn sized(size_bytes: u64, part: UploadPart) -> (u64, object_store::Result<()>) {
    (size_bytes, part.await)
}

type PartEnd = Result<(u64, object_store::Result<()>), tokio::task::JoinError>;

fn settle(part: Option<PartEnd>, key: &str, progress: &dyn StepProgress) -> Result<()> {
    match part {
        None => Ok(()),
        Some(Ok((size_bytes, Ok(())))) => {
            progress.bytes(size_bytes);
            Ok(())
        }
        Some(Ok((_, Err(error)))) => Err(store_error(error, key)),
        Some(Err(error)) => Err(Error::new(Code::Bug, "an upload task panicked").source(error)),
    }
}

async fn hash_rest(
    chunks: &mut Chunks<'_>,
    first: Option<Bytes>,
    progress: &dyn StepProgress,
) -> Result<ChunkList> {
    let mut list = ChunkList::default();
    let mut next = Some(first.unwrap_or_default());
    while let Some(chunk) = next {
        progress.bytes(len(&chunk));
        let (digest, read) = tokio::join!(hash(chunk), chunks.next());
        list.push(digest?);
        next = read?;
    }
    Ok(list)
}

/// Hashing a chunk takes tens of milliseconds, too long for the threads that serve connections.
pub(super) async fn hash(chunk: Bytes) -> Result<Sha256Digest> {
    let hashed = tokio::task::spawn_blocking(move || sha256(&chunk)).await;
    hashed.map_err(|error| Error::new(Code::Bug, "a hashing task panicked").source(error))
}

pub(super) fn len(bytes: &Bytes) -> u64 {
    bytes.len() as u64
}

impl<'a> Chunks<'a> {
    async fn open(path: &'a Path, tap: &'a mut dyn Tap) -> Result<Self> {
        let file = File::open(path).await.map_err(|error| {
            Error::new(Code::ShareUnseen, "the agent cannot read a backup file")
                .at("file", path.display())
                .hint("compare `share.sql` and `share.agent` of the host; both must be one folder")
                .source(error)
        })?;
        Ok(Self {
            file,
            path,
            tap,
            size_bytes: 0,
        })
    }

    /// The next chunk, full but for the last; none at the end of the file.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = Vec::new();
        let read = (&mut self.file)
            .take(CHUNK_SIZE_BYTES)
            .read_to_end(&mut chunk)
            .await;
        read.map_err(|error| {
            Error::new(Code::ShareUnseen, "a backup file cannot be read to its end")
                .at("file", self.path.display())
                .source(error)
        })?;
        self.size_bytes += chunk.len() as u64;
        self.tap.bytes(&chunk);
        Ok((!chunk.is_empty()).then(|| Bytes::from(chunk)))
    }
}
