//! One chunk of a stripe on its way, hashed once however many stores it goes to.
//!
//! Start at [`Stored`]. Clones share the bytes and the digest; whoever asks first has it computed.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::hash::sha256;
use super::source::blocking;
use crate::error::Result;
use crate::model::Sha256Digest;

/// The bytes of a chunk as a store gets them, and their digest as soon as somebody needed it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    bytes: Bytes,
    digest: Arc<OnceCell<Sha256Digest>>,
}

impl Stored {
    /// A chunk that nobody has hashed yet.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self {
            bytes,
            digest: Arc::default(),
        }
    }

    /// The bytes, shared.
    pub(super) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// SHA-256 of the bytes. It takes tens of milliseconds, too long for the threads that serve connections.
    pub(super) async fn digest(&self) -> Result<Sha256Digest> {
        let bytes = self.bytes();
        let digest = self
            .digest
            .get_or_try_init(|| blocking(move || sha256(&bytes)));
        digest.await.copied()
    }
}

impl Deref for Stored {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
