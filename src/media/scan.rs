//! One file examined: its bytes scanned and hashed in one pass, or only its headers read.
//!
//! Start at [`scan`]. At level 3 every byte passes once, in chunks of the digest of record, parsed while they
//! are hashed; below, what no header lies in is passed over and there is no digest. Memory is two chunks and
//! the scanner's own, whatever the file's size.
//!
//! This file never judges: the report says what was found.

use std::io::SeekFrom;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mtf::{Level, Report, Scanner};
use object_store::path::Path as Key;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::list::unreadable;
use super::{Candidate, Place};
use crate::error::{Code, Error, Result};
use crate::model::{CHUNK_SIZE_BYTES, Sha256Digest};
use crate::seal;
use crate::store::Shelf;
use crate::store::digest::ChunkList;
use crate::store::hash::sha256;
use crate::world::StepProgress;

/// Headers are small and far apart, so little is read of each place; where nothing can be passed over, as in
/// compressed media, twice as much each time.
const HEADERS_BYTES: u64 = 64 * 1024;

/// A file and what it is by its own bytes.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Where it lies.
    pub place: Place,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How deep it was looked at.
    pub level: Level,
    /// The digest of record; only where every byte was read.
    pub digest: Option<Digest>,
    /// What was found.
    pub report: Report,
}

/// The digest of record of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// SHA-256 over the raw digests of the chunks, in order.
    pub root: Sha256Digest,
    /// The plain SHA-256, for files of one chunk.
    pub sha256: Option<Sha256Digest>,
}

/// Examines a file down to `level`.
///
/// # Errors
/// `SM0712` when the file cannot be read to its end, those of the store. Bad media are findings, not errors.
pub async fn scan(
    candidate: &Candidate,
    level: Level,
    progress: &dyn StepProgress,
) -> Result<Examined> {
    let mut scanner = Scanner::new().up_to(level);
    let digest = if level == Level::Content {
        Some(whole(candidate, &mut scanner, progress).await?)
    } else {
        headers(candidate, &mut scanner, progress).await?;
        None
    };
    let report = scanner.finish().0;
    Ok(Examined {
        place: candidate.place.clone(),
        size_bytes: report.bytes,
        level,
        digest,
        report,
    })
}

/// What a file's first bytes promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Backup media, or their container.
    Media,
    /// An age file: nobody sees what is in it without a key.
    Sealed,
    /// Anything else.
    Other,
}

/// How the file begins.
///
/// # Errors
/// As [`scan`].
pub(super) async fn beginning(candidate: &Candidate) -> Result<Beginning> {
    let length = candidate.size_bytes.min(seal::MAGIC.len() as u64);
    if length < 8 {
        return Ok(Beginning::Other);
    }
    let bytes = Places::open(candidate).await?.read(0, length).await?;
    let is_media = bytes.starts_with(b"TAPE") || bytes.starts_with(b"MSSQLBAK");
    Ok(match is_media {
        true => Beginning::Media,
        false if bytes.starts_with(seal::MAGIC) => Beginning::Sealed,
        false => Beginning::Other,
    })
}

/// Every byte, once: a chunk is hashed and the next one read while it is parsed.
async fn whole(
    candidate: &Candidate,
    scanner: &mut Scanner,
    progress: &dyn StepProgress,
) -> Result<Digest> {
    let mut chunks = Chunks::open(candidate).await?;
    let mut list = ChunkList::default();
    // An empty file has one empty chunk, as in the store.
    let mut next = Some(chunks.next().await?.unwrap_or_default());
    while let Some(chunk) = next {
        progress.bytes(chunk.len() as u64);
        let parse = async { scanner.feed(&chunk) };
        let (digest, read, ()) = tokio::join!(hash(chunk.clone()), chunks.next(), parse);
        list.extend([digest?]);
        next = read?;
    }
    Ok(Digest {
        root: list.root(),
        sha256: list.whole(),
    })
}

/// Hashing a chunk takes tens of milliseconds, in which the scanner can work.
async fn hash(chunk: Bytes) -> Result<Sha256Digest> {
    let hashed = tokio::task::spawn_blocking(move || sha256(&chunk)).await;
    hashed.map_err(|error| Error::new(Code::Bug, "a hashing task panicked").source(error))
}

/// Headers alone: what the scanner does not want is passed over.
async fn headers(
    candidate: &Candidate,
    scanner: &mut Scanner,
    progress: &dyn StepProgress,
) -> Result<()> {
    let mut places = Places::open(candidate).await?;
    let size = candidate.size_bytes;
    let (mut at, mut length) = (0, HEADERS_BYTES);
    while at < size {
        let bytes = places.read(at, length.min(size - at)).await?;
        if bytes.is_empty() {
            break;
        }
        scanner.feed(&bytes);
        let read = bytes.len() as u64;
        // Passing over the end would make a cut file look whole.
        let skip = scanner.skippable().min(size - at - read);
        scanner.skip(skip);
        at += read + skip;
        progress.bytes(read + skip);
        length = match skip {
            0 => (length * 2).min(CHUNK_SIZE_BYTES),
            _ => HEADERS_BYTES,
        };
    }
    Ok(())
}

/// A file or object read from end to end in whole chunks.
enum Chunks<'a> {
    File(File, &'a Path),
    Object(BoxStream<'static, Result<Bytes>>, BytesMut),
}

impl<'a> Chunks<'a> {
    async fn open(candidate: &'a Candidate) -> Result<Self> {
        match (&candidate.object, &candidate.place) {
            (Some((shelf, key)), _) => Ok(Self::Object(shelf.read(key).await?, BytesMut::new())),
            (None, place) => {
                let path = path_of(place);
                Ok(Self::File(open(path).await?, path))
            }
        }
    }

    /// The next chunk, full but for the last; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let chunk_bytes = usize::try_from(CHUNK_SIZE_BYTES).unwrap_or(usize::MAX);
        match self {
            Self::File(file, path) => {
                let mut chunk = Vec::new();
                let read = file.take(CHUNK_SIZE_BYTES).read_to_end(&mut chunk).await;
                read.map_err(|error| unreadable(path, error))?;
                Ok((!chunk.is_empty()).then(|| chunk.into()))
            }
            Self::Object(stream, held) => {
                while held.len() < chunk_bytes
                    && let Some(bytes) = stream.next().await
                {
                    held.extend_from_slice(&bytes?);
                }
                let take = held.len().min(chunk_bytes);
                Ok((take > 0).then(|| held.split_to(take).freeze()))
            }
        }
    }
}

/// A file or object read here and there.
enum Places<'a> {
    File(File, &'a Path),
    Object(&'a Shelf, &'a Key),
}

impl<'a> Places<'a> {
    async fn open(candidate: &'a Candidate) -> Result<Self> {
        match (&candidate.object, &candidate.place) {
            (Some((shelf, key)), _) => Ok(Self::Object(shelf, key)),
            (None, place) => {
                let path = path_of(place);
                Ok(Self::File(open(path).await?, path))
            }
        }
    }

    /// The bytes at a place; fewer than asked for only where the file was cut meanwhile.
    async fn read(&mut self, at: u64, length: u64) -> Result<Bytes> {
        match self {
            Self::Object(bucket, key) => bucket.read_at(key, at, length).await,
            Self::File(file, path) => {
                let mut bytes = Vec::new();
                let sought = file.seek(SeekFrom::Start(at)).await;
                let read = match sought {
                    Ok(_) => file.take(length).read_to_end(&mut bytes).await,
                    Err(error) => Err(error),
                };
                read.map_err(|error| unreadable(path, error))?;
                Ok(bytes.into())
            }
        }
    }
}

async fn open(path: &Path) -> Result<File> {
    File::open(path)
        .await
        .map_err(|error| unreadable(path, error))
}

/// The path of a candidate that is no object.
fn path_of(place: &Place) -> &Path {
    match place {
        Place::File(path) => path,
        Place::Object(url) => Path::new(url),
    }
}
