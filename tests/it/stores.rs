//! The store's conformance stories on what needs no server.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use crate::conformance::{Subject, check_all};

#[tokio::test]
async fn a_store_in_memory_does_what_every_store_must() {
    check_all(&Subject::new(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn a_folder_does_what_every_store_must() {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = LocalFileSystem::new_with_prefix(folder.path()).expect("opens");
    check_all(&Subject::new(Arc::new(objects))).await;
}
