//! Probing a store: does it honour create-if-absent, on which everything else rests?
//!
//! Start at [`ObjectStore::probe_create`]. Nothing here touches an object that is not a probe.

use object_store::{ObjectStoreExt as _, PutMode, PutOptions};

use super::ObjectStore;
use super::errors::store_error;
use crate::error::{Code, Error, Result};

/// Where probes stand, and nothing else.
const FOLDER: &str = "v1/probe/";

impl ObjectStore {
    /// Creates one object twice. An object that is there already, from a try before, is refused the first
    /// time, which is the same answer.
    pub(super) async fn probe_create(&self, key: &str) -> Result<bool> {
        require_probe(key)?;
        let is_made = self.create_probe(key, "1").await?;
        Ok(!is_made || !self.create_probe(key, "2").await?)
    }

    /// Removes a probe; one that is gone is no error.
    pub(super) async fn delete_probe(&self, key: &str) -> Result<()> {
        require_probe(key)?;
        match self.objects.delete(&self.key(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(store_error(error, key)),
        }
    }

    /// Whether the store made the object; else one was there.
    async fn create_probe(&self, key: &str, content: &'static str) -> Result<bool> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let place = self.key(key);
        match self.objects.put_opts(&place, content.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(store_error(error, key)),
        }
    }
}

fn require_probe(key: &str) -> Result<()> {
    let is_probe = key.strip_prefix(FOLDER).is_some_and(|id| !id.contains('/'));
    if is_probe {
        return Ok(());
    }
    Err(Error::new(
        Code::Bug,
        "an object that is no probe was to be treated as one",
    )
    .at("object", key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_probe_is_treated_as_one() {
        assert!(require_probe("v1/probe/0193").is_ok());
        for key in ["v1/group/log/1.json", "v1/probe/a/b", "probe/1", ""] {
            assert!(require_probe(key).is_err(), "{key}");
        }
    }
}
