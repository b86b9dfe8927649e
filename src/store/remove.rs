//! Removing what was let go: the only place where the agent deletes a piece.
//!
//! Start at [`ObjectStore::remove_stripe`]. Nothing outside the group's folder of pieces is ever touched, and
//! nothing without the group's lease. A lock or a hold of the store is respected and told, never worked round.

use std::io::ErrorKind;

use object_store::{Error as StoreError, ObjectStoreExt as _};

use super::errors::{io_kind, store_error};
use super::layout::spans;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, StoredStripe};
use crate::world::Removal;

/// How stores say that they hold an object back: S3's refusals, Azure's immutable blobs, Google's holds and
/// retention policies.
const HELD_BACK: &[&str] = &[
    "AccessDenied",
    "ObjectLocked",
    "BlobImmutableDueToPolicy",
    "BlobImmutableDueToLegalHold",
    "retentionPolicyNotMet",
    "objectUnderActiveHold",
    "403 Forbidden",
    "409 Conflict",
    "412 Precondition Failed",
];

impl ObjectStore {
    /// Removes the object or segments of a stripe, then its chunk list and the note beside a sealed one. A stripe
    /// whose object is held back keeps these.
    pub(super) async fn remove_stripe(
        &self,
        group: &GroupName,
        stripe: &StoredStripe,
    ) -> Result<Removal> {
        self.held_epoch(group).await?;
        self.remove_objects(group, stripe).await
    }

    /// The same, where the lease is held in another store.
    pub(super) async fn remove_objects(
        &self,
        group: &GroupName,
        stripe: &StoredStripe,
    ) -> Result<Removal> {
        let objects = spans(stripe).into_iter().map(|span| span.key);
        let note = stripe.sealed.as_ref().map(|_| keys::seal_note(&stripe.key));
        for key in objects.chain([keys::chunks(&stripe.key)]).chain(note) {
            require_piece(group, &key)?;
            let removed = self.calls.call(|| self.remove_object(&key)).await?;
            if let held @ Removal::HeldBack { .. } = removed {
                return Ok(held);
            }
        }
        Ok(Removal::Gone)
    }

    async fn remove_object(&self, key: &str) -> Result<Removal> {
        match self.objects.delete(&self.key(key)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(Removal::Gone),
            Err(error) if is_held_back(&error) => Ok(Removal::HeldBack {
                reason: error.to_string(),
            }),
            Err(error) => Err(store_error(error, key)),
        }
    }
}

/// A missing right looks like a lock on most stores, and is told in the store's own words.
fn is_held_back(error: &StoreError) -> bool {
    let text = error.to_string();
    match error {
        StoreError::PermissionDenied { .. }
        | StoreError::AlreadyExists { .. }
        | StoreError::Precondition { .. } => true,
        other if io_kind(other) == Some(ErrorKind::PermissionDenied) => true,
        _ => HELD_BACK.iter().any(|words| text.contains(words)),
    }
}

fn require_piece(group: &GroupName, key: &str) -> Result<()> {
    let folder = keys::pieces(group);
    let is_piece = key
        .strip_prefix(&folder)
        .is_some_and(|below| below.starts_with('/') && !below.contains(".."));
    if is_piece {
        return Ok(());
    }
    Err(Error::new(
        Code::Bug,
        "an object that is no piece of the group was to be removed",
    )
    .at("object", key)
    .hint("nothing was removed; please report this"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_piece_of_the_group_is_removed() {
        let group: GroupName = "pay".parse().expect("a group");
        assert!(require_piece(&group, "v1/pay/pieces/h/d/s.log.1of1.bak").is_ok());
        for key in [
            "v1/pay/log/1.json",
            "v1/pay/sets/s.json",
            "v1/pay2/pieces/h/d/s.bak",
            "v1/pay/pieces/../log/1.json",
            "v1/pay/pieces",
            "",
        ] {
            assert!(require_piece(&group, key).is_err(), "{key}");
        }
    }

    #[test]
    fn what_stores_say_of_locks_and_holds_is_told_from_silence() {
        let generic = |text: &str| StoreError::Generic {
            store: "S3",
            source: text.to_owned().into(),
        };
        for text in [
            "DeleteObjects request failed for key k: Access Denied (code: AccessDenied)",
            "Server returned non-2xx status code: 409 Conflict: BlobImmutableDueToLegalHold",
        ] {
            assert!(is_held_back(&generic(text)), "{text}");
        }
        for text in ["connection reset", "503 Service Unavailable"] {
            assert!(!is_held_back(&generic(text)), "{text}");
        }
    }
}
