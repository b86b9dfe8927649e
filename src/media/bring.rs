//! Foreign files brought to where an upload can read them: `world::Foreign`.
//!
//! Start at [`ForeignMedia`]. A file of this machine is read where it is; an object of a bucket is copied below
//! the state folder first, since uploads read files. The copy is removed afterwards; what a crash left, the next
//! start sweeps away.
//!
//! This file never writes to where foreign media lie.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use super::{Access, Source};
use crate::error::{Code, Error, Result};
use crate::store::Shelf;
use crate::store::hash::sha256;
use crate::world::{Brought, Foreign, StepProgress};

/// Files of this machine and objects of buckets.
#[derive(Clone, Debug)]
pub struct ForeignMedia {
    access: Access,
    /// Where copies of objects go.
    scratch: PathBuf,
}

impl ForeignMedia {
    /// Reads with these credentials; copies of objects go below `state`.
    #[must_use]
    pub fn new(access: Access, state: &Path) -> Self {
        Self {
            access,
            scratch: state.join("brought"),
        }
    }

    /// Removes copies that a crash left. Only for who holds the state folder alone.
    pub fn sweep(&self) {
        // Copies that stay cost room and nothing else: they are never read again.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

#[async_trait]
impl Foreign for ForeignMedia {
    async fn bring(&self, place: &str, progress: &dyn StepProgress) -> Result<Brought> {
        match Source::open(place, &self.access)? {
            Source::Path(path) => match fs::metadata(&path).await {
                Ok(found) if found.is_file() => Ok(Brought {
                    path,
                    is_copy: false,
                }),
                Ok(_) => Err(gone(place)),
                Err(error) => Err(gone(place).source(error)),
            },
            Source::Shelf(bucket) => {
                let path = self.scratch.join(sha256(place.as_bytes()).to_string());
                let copied = copy(&bucket, place, &path, progress).await;
                let brought = Brought {
                    path,
                    is_copy: true,
                };
                if let Err(error) = copied {
                    self.let_go(brought).await;
                    return Err(error);
                }
                Ok(brought)
            }
        }
    }

    async fn let_go(&self, brought: Brought) {
        if brought.is_copy {
            // As in `sweep`.
            let _ = fs::remove_file(&brought.path).await;
        }
    }
}

async fn copy(shelf: &Shelf, place: &str, path: &Path, progress: &dyn StepProgress) -> Result<()> {
    if let Some(folder) = path.parent() {
        let made = fs::create_dir_all(folder).await;
        made.map_err(|error| unwritable(folder, error))?;
    }
    let mut objects = shelf.list().await?.into_iter();
    let object = objects.find(|object| shelf.url_of(&object.key) == place);
    let object = object.ok_or_else(|| gone(place))?;
    let mut bytes = shelf.read(&object.key).await?;
    let mut file = fs::File::create(path)
        .await
        .map_err(|error| unwritable(path, error))?;
    while let Some(part) = bytes.next().await {
        let part = part?;
        progress.bytes(part.len() as u64);
        let written = file.write_all(&part).await;
        written.map_err(|error| unwritable(path, error))?;
    }
    file.flush().await.map_err(|error| unwritable(path, error))
}

fn gone(place: &str) -> Error {
    Error::new(
        Code::MediaChanged,
        "a backup file is no longer where it was examined",
    )
    .at("place", place)
    .hint("see who cleans up there, then run `stopmark adopt` again")
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => Code::DiskFull,
        _ => Code::StateUnwritable,
    };
    Error::new(code, "an object cannot be copied below the state folder")
        .at("file", path.display())
        .hint(
            "make room there: objects of buckets are copied one by one on their way into the store",
        )
        .source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path as Key;

    use super::*;

    /// Progress that nobody watches.
    struct Unwatched;

    impl StepProgress for Unwatched {
        fn percent(&self, _percent: u8) {}
        fn bytes(&self, _more: u64) {}
    }

    /// A bucket with one object, seen from that object's own URL.
    async fn shelf(key: &str) -> Shelf {
        let bucket = Arc::new(InMemory::new());
        let object = Key::from("old/ledger.bak");
        let put = bucket.put(&object, "a backup".into()).await;
        put.expect("memory takes it");
        Shelf::over(bucket, Key::from(key), "s3://bucket")
    }

    #[tokio::test]
    async fn an_object_is_copied_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("brought").join("x");
        let place = "s3://bucket/old/ledger.bak";
        let shelf = shelf("old/ledger.bak").await;
        let copied = copy(&shelf, place, &path, &Unwatched).await;
        copied.expect("it is there");
        assert_eq!(std::fs::read(&path).expect("a copy"), b"a backup");
    }

    #[tokio::test]
    async fn an_object_that_is_gone_is_told_and_no_other_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        for key in ["old/gone.bak", "old"] {
            let place = format!("s3://bucket/{key}");
            let copied = copy(&shelf(key).await, &place, &path, &Unwatched).await;
            let error = copied.expect_err("there is no such object");
            assert_eq!(error.code(), Code::MediaChanged, "{key}");
        }
        assert!(!path.exists(), "nothing was copied");
    }

    #[tokio::test]
    async fn a_file_is_read_where_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ledger.bak");
        std::fs::write(&file, "a backup").expect("a file");
        let media = ForeignMedia::new(Access::default(), folder.path());
        let place = file.display().to_string();
        let brought = media.bring(&place, &Unwatched).await.expect("it is there");
        assert_eq!((&brought.path, brought.is_copy), (&file, false));
        media.let_go(brought).await;
        assert!(file.exists(), "what is not ours is never removed");
        let folder = folder.path().display().to_string();
        let error = media
            .bring(&folder, &Unwatched)
            .await
            .expect_err("a folder");
        assert_eq!(error.code(), Code::MediaChanged);
    }
}
