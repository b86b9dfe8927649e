//! Foreign files brought to where an upload can read them: `world::Foreign`.
//!
//! Start at [`ForeignMedia`]. A file of this machine is read where it is; an object of a bucket is copied below
//! the state folder first, since uploads read files. The copy is removed afterwards; one that a crash left is written over when the next
//! start finishes the adoption.
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
use crate::store::digest::sha256;
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
            Source::Shelf(shelf) => {
                let path = self.scratch.join(sha256(place.as_bytes()).to_string());
                copy(&shelf, place, &path, progress).await?;
                Ok(Brought {
                    path,
                    is_copy: true,
                })
            }
        }
    }

    async fn let_go(&self, brought: Brought) {
        if brought.is_copy {
            // A copy that stays costs room and nothing else; the next one of this name is written over it.
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
