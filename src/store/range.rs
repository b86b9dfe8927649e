//! One chunk of a stored object, hashed as it comes, and written to a file where one is wanted.
//!
//! Start at [`Reader::read`]. Nothing is held but what the connection has just brought, so many chunks may be
//! read at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload};

use super::errors::store_error;
use super::hash::Hasher;
use super::retry::Calls;
use super::source::blocking;
use crate::error::{Code, Error, Result, Retry};
use crate::model::Sha256Digest;

/// How much of a local file is read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// What reading a chunk needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) objects: Arc<dyn object_store::ObjectStore>,
    pub(super) calls: Arc<Calls>,
    /// The file that chunks are written to, if they are wanted.
    pub(super) file: Option<Arc<Path>>,
}

/// Where one chunk stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its number in the stripe, from 0.
    pub(super) chunk: usize,
    /// The object.
    pub(super) key: Key,
    /// Which bytes of the object.
    pub(super) in_object: Range<u64>,
    /// Where it begins in the stripe.
    pub(super) in_stripe: u64,
}

impl Place {
    /// The chunk's size in bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        self.in_object.end - self.in_object.start
    }
}

impl Reader {
    /// Reads a chunk; its digest.
    pub(super) async fn read(&self, place: &Place) -> Result<Sha256Digest> {
        if place.in_object.is_empty() {
            return Ok(Hasher::new().finish());
        }
        self.calls
            .call(|| async { self.take_in(self.ask_for(place).await?, place).await })
            .await
    }

    /// Reads a chunk into memory; whoever asks has reserved room for it.
    pub(super) async fn bytes(&self, place: &Place) -> Result<Bytes> {
        self.calls
            .call(|| async {
                let found = self.ask_for(place).await?.bytes().await;
                let bytes = found.map_err(|error| store_error(error, &place.key))?;
                let is_whole = bytes.len() as u64 == place.size_bytes();
                is_whole.then_some(bytes).ok_or_else(|| cut_short(place))
            })
            .await
    }

    async fn ask_for(&self, place: &Place) -> Result<GetResult> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(place.in_object.clone())),
            ..GetOptions::default()
        };
        let found = self.objects.get_opts(&place.key, options).await;
        let found = found.map_err(|error| store_error(error, &place.key))?;
        if found.range == place.in_object {
            Ok(found)
        } else {
            Err(cut_short(place))
        }
    }

    async fn take_in(&self, found: GetResult, place: &Place) -> Result<Sha256Digest> {
        match found.payload {
            GetResultPayload::File(file, _) => {
                let (place, target) = (place.clone(), self.file.clone());
                blocking(move || from_file(file, &place, target.as_deref())).await?
            }
            GetResultPayload::Stream(mut stream) => {
                let mut sink = Sink::open(self.file.clone(), place)?;
                while let Some(bytes) = stream.next().await {
                    let bytes = bytes.map_err(|error| store_error(error, &place.key))?;
                    sink.take_in(&bytes)?;
                }
                sink.finish(place)
            }
        }
    }
}

/// Local files come without a connection, and reading them blocks.
fn from_file(mut file: File, place: &Place, target: Option<&Path>) -> Result<Sha256Digest> {
    let mut sink = Sink::open(target.map(Into::into), place)?;
    let mut block = vec![0; BLOCK_BYTES];
    let unreadable = |error: io::Error| {
        Error::new(Code::StoreUnreachable, "an object cannot be read")
            .at("object", &place.key)
            .hint("look at the disk behind the store")
            .retry(Retry::Safe)
            .source(error)
    };
    file.seek(SeekFrom::Start(place.in_object.start))
        .map_err(unreadable)?;
    let mut rest = file.take(place.size_bytes());
    loop {
        let read = rest.read(&mut block).map_err(unreadable)?;
        if read == 0 {
            return sink.finish(place);
        }
        sink.take_in(&block[..read])?;
    }
}

/// Where the bytes of one chunk go.
struct Sink {
    hasher: Hasher,
    file: Option<(File, PathBuf)>,
    size_bytes: u64,
}

impl Sink {
    fn open(path: Option<Arc<Path>>, place: &Place) -> Result<Self> {
        let open = |path: Arc<Path>| {
            let opened = OpenOptions::new().write(true).open(&path);
            let file = opened.and_then(|mut file| {
                file.seek(SeekFrom::Start(place.in_stripe))?;
                Ok(file)
            });
            let file = file.map_err(|error| unwritable(&path, error))?;
            Ok::<_, Error>((file, path.to_path_buf()))
        };
        Ok(Self {
            hasher: Hasher::new(),
            file: path.map(open).transpose()?,
            size_bytes: 0,
        })
    }

    /// Frames of a connection are small: hashing and writing one takes less than a millisecond.
    fn take_in(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
        match &mut self.file {
            Some((file, path)) => file
                .write_all(bytes)
                .map_err(|error| unwritable(path, error)),
            None => Ok(()),
        }
    }

    fn finish(self, place: &Place) -> Result<Sha256Digest> {
        if self.size_bytes == place.size_bytes() {
            Ok(self.hasher.finish())
        } else {
            Err(cut_short(place))
        }
    }
}

fn cut_short(place: &Place) -> Error {
    Error::new(
        Code::StoreUnreachable,
        "the store's answer has another length than asked for",
    )
    .at("object", &place.key)
    .hint("look at proxies between this machine and the store")
    .retry(Retry::Safe)
}

pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    let (code, message) = match error.kind() {
        io::ErrorKind::StorageFull => (Code::DiskFull, "the disk behind the share is full"),
        _ => (Code::ShareUnseen, "the agent cannot write to the share"),
    };
    Error::new(code, message)
        .at("file", path.display())
        .hint("give the agent's account the right to write there, and room")
        .source(error)
}
