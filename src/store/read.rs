//! Reading back: proof that what a store holds is what was sent, and the way back to a file.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::{GetResultPayload, ObjectStoreExt as _};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use super::digest::ChunkList;
use super::errors::store_error;
use super::upload::{hash, len};
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::StoredStripe;
use crate::world::StepProgress;

/// Manifests, log entries, leases and chunk lists are small; anything larger is not one of them.
const SMALL_BYTES_MAX: u64 = 256 * 1024 * 1024;

impl ObjectStore {
    /// The size of an object in bytes; none where there is no such object.
    pub(super) async fn size_of(&self, key: &str) -> Result<Option<u64>> {
        match self.inner.head(&self.key(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(error, key)),
        }
    }

    /// A small object, whole.
    pub(super) async fn read_small(&self, key: &str) -> Result<Bytes> {
        let found = self
            .inner
            .get(&self.key(key))
            .await
            .map_err(|error| store_error(error, key))?;
        if found.meta.size > SMALL_BYTES_MAX {
            let message = format!(
                "an object has {} bytes, too many for what it should be",
                found.meta.size
            );
            return Err(Error::new(Code::ManifestUnreadable, message).at("object", key));
        }
        found.bytes().await.map_err(|error| store_error(error, key))
    }

    /// Compares what is stored with its digests: its size, and all its bytes where `whole`.
    pub(super) async fn prove_stripe(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let size_bytes = self.size_of(&stripe.key).await?;
        if size_bytes != Some(stripe.size_bytes) {
            let found =
                size_bytes.map_or_else(|| "nothing".to_owned(), |size| format!("{size} bytes"));
            let message = format!(
                "the store holds {found} where {} bytes were sent",
                stripe.size_bytes
            );
            return Err(mismatch(stripe, message));
        }
        if !whole {
            return Ok(());
        }
        let list = self.pass(stripe, None, progress).await?;
        check_root(stripe, &list)
    }

    /// Brings an object to a file. The file gets its name only when the digests agree.
    pub(super) async fn fetch_stripe(
        &self,
        stripe: &StoredStripe,
        path: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let unfinished = path.with_extension("part");
        let mut file = fs::File::create(&unfinished)
            .await
            .map_err(|e| unwritable(&unfinished, e))?;
        let list = self.pass(stripe, Some(&mut file), progress).await;
        let checked = match list {
            Ok(list) => check_root(stripe, &list),
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            drop(file);
            // The error that matters is the first; a leftover `.part` is overwritten next time.
            let _ = fs::remove_file(&unfinished).await;
            return Err(error);
        }
        file.sync_all()
            .await
            .map_err(|error| unwritable(&unfinished, error))?;
        drop(file);
        fs::rename(&unfinished, path)
            .await
            .map_err(|error| unwritable(path, error))
    }

    /// Reads an object from end to end, hashing chunk by chunk, and writes it to `file` if there is one.
    async fn pass(
        &self,
        stripe: &StoredStripe,
        mut file: Option<&mut fs::File>,
        progress: &dyn StepProgress,
    ) -> Result<ChunkList> {
        let mut list = ChunkList::default();
        let mut chunk = BytesMut::new();
        let mut stream = self.stream(&stripe.key).await?;
        let chunk_size = usize::try_from(stripe.chunk_size_bytes)
            .unwrap_or(usize::MAX)
            .max(1);
        while let Some(bytes) = stream.next().await {
            let mut bytes = bytes.map_err(|error| store_error(error, &stripe.key))?;
            progress.bytes(len(&bytes));
            if let Some(file) = file.as_deref_mut() {
                let written = file.write_all(&bytes).await;
                written.map_err(|error| unwritable(Path::new(&stripe.key), error))?;
            }
            while !bytes.is_empty() {
                let take = bytes.len().min(chunk_size - chunk.len());
                chunk.extend_from_slice(&bytes.split_to(take));
                if chunk.len() == chunk_size {
                    list.push(hash(chunk.split().freeze()).await?);
                }
            }
        }
        if !chunk.is_empty() || stripe.size_bytes == 0 {
            list.push(hash(chunk.freeze()).await?);
        }
        Ok(list)
    }

    async fn stream(&self, key: &str) -> Result<BoxStream<'static, object_store::Result<Bytes>>> {
        let found = self
            .inner
            .get(&self.key(key))
            .await
            .map_err(|error| store_error(error, key))?;
        Ok(match found.payload {
            GetResultPayload::Stream(stream) => stream,
            GetResultPayload::File(..) => found.into_stream(),
        })
    }
}

fn check_root(stripe: &StoredStripe, list: &ChunkList) -> Result<()> {
    let root = list.root();
    if root == stripe.root {
        return Ok(());
    }
    let message = format!(
        "the store gives back other bytes than were sent: root {root}, not {}",
        stripe.root
    );
    Err(mismatch(stripe, message))
}

fn mismatch(stripe: &StoredStripe, message: String) -> Error {
    Error::new(Code::StoreMismatch, message)
        .at("object", &stripe.key)
        .at("digests", keys::chunks(&stripe.key))
        .hint("something changed the object in the store; if its file is still on the share, keep it, and look at the store")
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let (code, message) = match error.kind() {
        std::io::ErrorKind::StorageFull => (Code::DiskFull, "the disk behind the share is full"),
        _ => (Code::ShareUnseen, "the agent cannot write to the share"),
    };
    Error::new(code, message)
        .at("file", path.display())
        .hint("give the agent's account the right to write there, and room")
        .source(error)
}
