//! A shelf: a bucket or prefix that somebody else fills. It is listed and read, nothing more.
//!
//! Start at [`Shelf::open`]. Everything that Stopmark keeps for itself goes through
//! [`ObjectStore`](super::ObjectStore); this file never writes and never deletes.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::errors::store_error;
use super::open::Backend;
use crate::config::StoreConfig;
use crate::error::Result;

/// One object of a shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShelfObject {
    /// Its key in the bucket, the prefix included.
    pub key: Key,
    /// Its size in bytes when it was listed.
    pub size_bytes: u64,
}

/// A bucket or container below one prefix, read only.
#[derive(Debug)]
pub struct Shelf {
    inner: Arc<dyn ObjectStore>,
    prefix: Key,
    /// Scheme and bucket, `s3://bucket`.
    root: String,
}

impl Shelf {
    /// Opens what the URL names; nothing is contacted yet.
    ///
    /// # Errors
    /// `SM0103` when the URL or an option cannot be used.
    pub fn open(config: &StoreConfig) -> Result<Self> {
        let (backend, prefix) = Backend::open(config)?;
        let root = root_of(&config.url);
        Ok(Self::over(backend.objects(), prefix, &root))
    }

    /// A shelf over any `object_store` implementation, for tests; `root` begins the URLs of its objects.
    #[must_use]
    pub fn over(inner: Arc<dyn ObjectStore>, prefix: Key, root: &str) -> Self {
        Self {
            inner,
            prefix,
            root: root.to_owned(),
        }
    }

    /// The URL of an object, without user, password and query.
    #[must_use]
    pub fn url_of(&self, key: &Key) -> String {
        format!("{}/{key}", self.root)
    }

    /// The URL of the shelf itself.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(&self.prefix)
    }

    /// Every object at or below the prefix, by key.
    ///
    /// # Errors
    /// Those of the store (`SM0701`, `SM0702`).
    pub async fn list(&self) -> Result<Vec<ShelfObject>> {
        let shown = self.url();
        let object = |meta: object_store::ObjectMeta| ShelfObject {
            key: meta.location,
            size_bytes: meta.size,
        };
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let found: Vec<_> = self
            .inner
            .list(prefix)
            .try_collect()
            .await
            .map_err(|error| store_error(error, &shown))?;
        let mut objects: Vec<ShelfObject> = found.into_iter().map(object).collect();
        if let Some(prefix) = prefix.filter(|_| objects.is_empty()) {
            // A listing goes by whole segments, so a URL that names one object lists nothing.
            match self.inner.head(prefix).await {
                Ok(meta) => objects.push(object(meta)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(store_error(error, &shown)),
            }
        }
        objects.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(objects)
    }

    /// The bytes of an object from its start, in any slicing.
    ///
    /// # Errors
    /// Those of the store, at once or in the stream (`SM0701`, `SM0702`, `SM0705`).
    pub async fn read(&self, key: &Key) -> Result<BoxStream<'static, Result<Bytes>>> {
        let shown = self.url_of(key);
        let found = self.inner.get(key).await;
        let found = found.map_err(|error| store_error(error, &shown))?;
        let bytes = found.into_stream();
        Ok(bytes
            .map_err(move |error| store_error(error, &shown))
            .boxed())
    }

    /// At most `length` bytes of an object from `at` on, which must lie before its end.
    ///
    /// # Errors
    /// Those of the store (`SM0701`, `SM0702`, `SM0705`).
    pub async fn read_at(&self, key: &Key, at: u64, length: u64) -> Result<Bytes> {
        let range = at..at.saturating_add(length);
        let read = self.inner.get_range(key, range).await;
        read.map_err(|error| store_error(error, self.url_of(key)))
    }
}

/// Scheme and bucket of a URL that has been opened.
fn root_of(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else {
        return String::new();
    };
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}
