//! Small objects, whole, and the sizes of all.
//!
//! Reading pieces back is `prove`'s and `fetch`'s.

use bytes::Bytes;
use object_store::ObjectStoreExt as _;

use super::ObjectStore;
use super::errors::store_error;
use crate::error::{Code, Error, Result};

/// Manifests, log entries, leases and chunk lists are small; anything larger is not one of them.
pub(super) const SMALL_BYTES_MAX: u64 = 256 * 1024 * 1024;

impl ObjectStore {
    /// The size of an object in bytes; none where there is no such object.
    pub(super) async fn size_of(&self, key: &str) -> Result<Option<u64>> {
        match self.objects.head(&self.key(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error(error, key)),
        }
    }

    /// A small object, whole.
    pub(super) async fn read_small(&self, key: &str) -> Result<Bytes> {
        let place = self.key(key);
        self.calls
            .once(|| async {
                let found = self.objects.get(&place).await;
                let found = found.map_err(|error| store_error(error, key))?;
                if found.meta.size > SMALL_BYTES_MAX {
                    let message = format!(
                        "an object has {} bytes, too many for what it should be",
                        found.meta.size
                    );
                    return Err(Error::new(Code::ManifestUnreadable, message).at("object", key));
                }
                found.bytes().await.map_err(|error| store_error(error, key))
            })
            .await
    }
}
