//! The store's conformance stories on what needs no server.

use std::sync::Arc;

use object_store::memory::InMemory;
use stopmark::store::Backend;

use crate::conformance::{Subject, check_all};

#[tokio::test]
async fn a_store_in_memory_does_what_every_store_must() {
    let subject = Subject {
        knows_unknown_uploads: false,
        ..Subject::new(Backend::of(Arc::new(InMemory::new())))
    };
    check_all(&subject).await;
}

#[tokio::test]
async fn a_folder_does_what_every_store_must() {
    let folder = tempfile::tempdir().expect("a folder");
    check_all(&Subject::new(
        Backend::folder(folder.path()).expect("opens"),
    ))
    .await;
}
