//! The upload: one pass over a file reads, parses, hashes and sends it, chunk by chunk.
//!
//! Start at [`ObjectStore::upload_file`]. A file of one chunk goes in one create-only request; a larger one in
//! parts of one chunk each, under a key that is used once; one too large for an object's parts in segments. What
//! is in memory is bounded by the pool that all uploads share, whatever the sizes.

use std::path::Path;

use bytes::Bytes;
use object_store::{Attribute, Attributes, PutMode, PutOptions};

use super::chunk::Stored;
use super::digest::ChunkList;
use super::errors::store_error;
use super::layout::{Span, segment_size, spans};
use super::source::{Chunk, Chunks, Source};
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{CHUNK_SIZE_BYTES, PieceCopy, PlainStripe, Sha256Digest, StoredStripe};
use crate::world::{StepProgress, Tap};

/// The parser sees a chunk in slices of this size, and others get their turn in between.
const TAP_BYTES: usize = 1024 * 1024;

/// What has seen the file so far: the tap sees each byte once, however often the file is read.
pub(super) struct Feed<'a> {
    tap: &'a mut dyn Tap,
    progress: &'a dyn StepProgress,
    tapped_bytes: u64,
    told_bytes: u64,
}

/// One reading of the file.
pub(super) struct Pass<'f, 'a> {
    feed: &'f mut Feed<'a>,
    chunks: Chunks,
    read_bytes: u64,
    done_bytes: u64,
}

impl<'a> Feed<'a> {
    /// Nothing has been seen yet.
    pub(super) fn new(tap: &'a mut dyn Tap, progress: &'a dyn StepProgress) -> Self {
        Self {
            tap,
            progress,
            tapped_bytes: 0,
            told_bytes: 0,
        }
    }
}

impl<'f, 'a> Pass<'f, 'a> {
    /// A reading that begins.
    pub(super) const fn over(chunks: Chunks, feed: &'f mut Feed<'a>) -> Self {
        Self {
            feed,
            chunks,
            read_bytes: 0,
            done_bytes: 0,
        }
    }

    /// The next chunk as it is stored, after the file's own bytes passed the tap. Where a file is read again, its
    /// chunks may be cut elsewhere: what the tap has seen is left out to the byte.
    pub(super) async fn next(&mut self) -> Result<Stored> {
        let Chunk { stored, plain } = self.chunks.next().await?;
        let seen = self.feed.tapped_bytes.saturating_sub(self.read_bytes);
        let seen = usize::try_from(seen).unwrap_or(usize::MAX).min(plain.len());
        for slice in plain[seen..].chunks(TAP_BYTES) {
            self.feed.tap.bytes(slice);
            tokio::task::yield_now().await;
        }
        self.read_bytes += plain.len() as u64;
        self.feed.tapped_bytes = self.feed.tapped_bytes.max(self.read_bytes);
        Ok(stored)
    }

    /// What the file holds, once a sealed one was read to its end.
    pub(super) fn plain(&self) -> Result<PlainStripe> {
        let list = self.chunks.plain_list();
        let unread = || Error::new(Code::Bug, "a sealed file was not read to its end");
        list.map(|list| list.plain_stripe(self.read_bytes))
            .ok_or_else(unread)
    }

    /// So many more bytes are in the store; people are told of each once.
    pub(super) fn tell(&mut self, size_bytes: u64) {
        self.done_bytes += size_bytes;
        if self.done_bytes > self.feed.told_bytes {
            let more = self.done_bytes - self.feed.told_bytes;
            self.feed.told_bytes = self.done_bytes;
            self.feed.progress.bytes(more);
        }
    }
}

impl ObjectStore {
    /// Sends a file. An object that is there already must be the same, byte for byte, and then counts.
    pub(super) async fn upload_file(
        &self,
        path: &Path,
        key: &str,
        feed: &mut Feed<'_>,
    ) -> Result<StoredStripe> {
        if let Some(ring) = &self.ring {
            return self.upload_sealed(path, key, ring, feed).await;
        }
        match self.pass_over(path, key, feed).await {
            // The store has dropped an upload that an earlier process began; it is forgotten now.
            Err(error) if error.code() == Code::ObjectMissing => {
                self.pass_over(path, key, feed).await
            }
            settled => settled,
        }
    }

    async fn pass_over(&self, path: &Path, key: &str, feed: &mut Feed<'_>) -> Result<StoredStripe> {
        let source = Source::open(path).await?;
        let stripe = self.unsent(key, source.size_bytes);
        let mut pass = Pass::over(source.read_ahead(self.pool.clone()), feed);
        self.send_stripe(stripe, path, &mut pass).await
    }

    /// A stripe of this size as it will lie here; its digests are not known yet.
    pub(super) fn unsent(&self, key: &str, size_bytes: u64) -> StoredStripe {
        StoredStripe {
            key: key.to_owned(),
            size_bytes,
            chunk_size_bytes: CHUNK_SIZE_BYTES,
            root: Sha256Digest([0; 32]),
            sha256: None,
            segment_size_bytes: segment_size(size_bytes, self.transfer.segment_chunks),
            sealed: None,
            copies: Vec::new(),
        }
    }

    /// Sends what a reading brings, and the list of its digests; the stripe as it then lies here. `path` is where the
    /// next try would find the same bytes.
    pub(super) async fn send_stripe(
        &self,
        mut stripe: StoredStripe,
        path: &Path,
        pass: &mut Pass<'_, '_>,
    ) -> Result<StoredStripe> {
        let list_key = keys::chunks(&stripe.key);
        let spans = spans(&stripe);
        let mut list = ChunkList::default();
        if let [span] = &spans[..]
            && span.size_bytes() < CHUNK_SIZE_BYTES
        {
            // Small pieces are many, and each request waits for the store: object and list go together.
            let chunk = pass.next().await?;
            list.extend([chunk.digest().await?]);
            let sent = self.send_one(span, &chunk, list.digests(), pass);
            let listed = self.create_same(&list_key, list.to_bytes());
            let (sent, listed) = tokio::join!(sent, listed);
            sent.and(listed)?;
        } else {
            for span in &spans {
                list.extend(self.send_span(span, path, pass).await?);
            }
            self.create_same(&list_key, list.to_bytes()).await?;
        }
        stripe.root = list.root();
        stripe.sha256 = list.whole();
        stripe.copies = vec![PieceCopy::first(self.name.clone())];
        Ok(stripe)
    }

    async fn send_span(
        &self,
        span: &Span,
        path: &Path,
        pass: &mut Pass<'_, '_>,
    ) -> Result<Vec<Sha256Digest>> {
        if span.size_bytes() < CHUNK_SIZE_BYTES {
            let chunk = pass.next().await?;
            let digests = vec![chunk.digest().await?];
            self.send_one(span, &chunk, &digests, pass).await?;
            return Ok(digests);
        }
        let found = self.calls.call(|| self.size_of(&span.key));
        if found.await?.is_some() {
            let mut digests = Vec::new();
            for _ in span.chunks() {
                digests.push(pass.next().await?.digest().await?);
            }
            self.same_as_stored(span, &digests, pass).await?;
            return Ok(digests);
        }
        self.send_parts(span, path, pass).await
    }

    async fn send_one(
        &self,
        span: &Span,
        chunk: &Stored,
        digests: &[Sha256Digest],
        pass: &mut Pass<'_, '_>,
    ) -> Result<()> {
        if !self.put_one(span, chunk).await? {
            return self.same_as_stored(span, digests, pass).await;
        }
        self.lock(&span.key).await?;
        pass.tell(span.size_bytes());
        Ok(())
    }

    /// Creates an object of at most one chunk; false where one of this key is there.
    pub(super) async fn put_one(&self, span: &Span, chunk: &Stored) -> Result<bool> {
        let key = self.key(&span.key);
        self.throttle.pass(span.size_bytes()).await;
        let put = self.calls.call(|| async {
            let options = PutOptions {
                attributes: self.piece_attributes(),
                ..PutOptions::from(PutMode::Create)
            };
            match self
                .objects
                .put_opts(&key, chunk.bytes().into(), options)
                .await
            {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(store_error(error, &span.key)),
            }
        });
        put.await
    }

    /// What the store is told of a piece's objects beside their bytes.
    pub(super) fn piece_attributes(&self) -> Attributes {
        let class = self.keeping.storage_class.clone();
        let class = class.map(|class| (Attribute::StorageClass, class));
        class.into_iter().collect()
    }

    /// An object that is there already counts when every chunk of it is what would have been sent.
    async fn same_as_stored(
        &self,
        span: &Span,
        digests: &[Sha256Digest],
        pass: &mut Pass<'_, '_>,
    ) -> Result<()> {
        self.compare_span(span, digests).await?;
        // The process that stored it may have died before it could lock it.
        self.lock(&span.key).await?;
        self.uploads.forget(&span.key);
        pass.tell(span.size_bytes());
        Ok(())
    }

    /// Creates a small object that is to be kept; one that is there already must have the same content.
    pub(super) async fn create_same(&self, key: &str, content: Vec<u8>) -> Result<()> {
        self.create_unlocked(key, content).await?;
        self.lock(key).await
    }

    /// The same for one that may be deleted at any time.
    pub(super) async fn create_unlocked(&self, key: &str, content: Vec<u8>) -> Result<()> {
        let content = Bytes::from(content);
        let options = PutOptions::from(PutMode::Create);
        let place = self.key(key);
        let put = self.calls.once(|| async {
            let put = self
                .objects
                .put_opts(&place, content.clone().into(), options.clone());
            match put.await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(store_error(error, key)),
            }
        });
        if put.await? || self.read_small(key).await? == content {
            return Ok(());
        }
        Err(Error::new(
            Code::ObjectExists,
            "an object of this name has another content",
        )
        .at("object", key)
        .hint("look whether another agent writes below the same prefix"))
    }
}
