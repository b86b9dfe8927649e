//! A folder as a store of objects in parts: `object_store`'s local store has no uploads that can be resumed.
//!
//! Start at [`Folder`]. Parts are written into one unfinished file below `v1/<group>/uploads/`, each flushed to the
//! disk before it counts; completing links the file to its name, which fails where something has that name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use object_store::local::LocalFileSystem;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, MultipartId, PutPayload, PutResult};

use super::hash::sha256;
use super::keys;
use super::source::blocking;
use crate::model::CHUNK_SIZE_BYTES;

/// The end of an unfinished file's name.
const UNFINISHED: &str = "part";

/// Names that are tried for one unfinished file before something else must be wrong.
const NAMES_MAX: u32 = 1000;

/// Uploads in parts to a folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
    names: std::sync::Arc<LocalFileSystem>,
}

impl Folder {
    /// Below this folder, with the file names that `object_store` gives to keys.
    pub(super) fn new(root: PathBuf, names: std::sync::Arc<LocalFileSystem>) -> Self {
        Self { root, names }
    }

    /// The file of an object; none for a key that is no file's name.
    pub(super) fn file_of(&self, key: &Key) -> Option<PathBuf> {
        self.names.path_to_filesystem(key).ok()
    }

    /// The numbers in the names of the objects right below this key. Unlike the library's list it asks nothing of
    /// each file, which is what a list of a million names costs.
    pub(super) fn numbers(&self, below: &Key) -> io::Result<Vec<u64>> {
        let Some(folder) = self.file_of(below) else {
            return Ok(Vec::new());
        };
        let files = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        let numbers = files.map(|file| Ok(file?.file_name().to_str().and_then(keys::number_in)));
        numbers.filter_map(Result::transpose).collect()
    }

    /// The unfinished uploads of a group, by their ids.
    pub(super) fn unfinished(&self, group: &str) -> Vec<MultipartId> {
        let files = fs::read_dir(self.root.join("v1").join(group).join("uploads"));
        let files = files.into_iter().flatten().filter_map(Result::ok);
        files
            .filter_map(|file| file.file_name().into_string().ok())
            .filter(|name| name.ends_with(UNFINISHED))
            .map(|name| format!("{group}/{name}"))
            .collect()
    }

    /// The unfinished file of an upload; ids come from a file that anybody could have changed.
    fn path(&self, id: &str) -> io::Result<PathBuf> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '\\', ':']);
        match id.split_once('/') {
            Some((group, name)) if is_name(group) && is_name(name) && !id.contains("..") => {
                Ok(self.root.join("v1").join(group).join("uploads").join(name))
            }
            _ => Err(io::Error::new(ErrorKind::NotFound, "no such upload")),
        }
    }
}

#[async_trait]
impl MultipartStore for Folder {
    async fn create_multipart(&self, key: &Key) -> object_store::Result<MultipartId> {
        let mut parts = key.as_ref().split('/');
        let group = parts.nth(1).unwrap_or("none").to_owned();
        let stem = sha256(key.as_ref().as_bytes()).to_string();
        let (this, key) = (self.clone(), key.clone());
        run(&key, move || {
            for number in 1..=NAMES_MAX {
                let id = format!("{group}/{}-{number}.{UNFINISHED}", &stem[..16]);
                let path = this.path(&id)?;
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                match OpenOptions::new().write(true).create_new(true).open(&path) {
                    Ok(_) => return Ok(id),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            Err(io::Error::other(
                "too many unfinished uploads of one object",
            ))
        })
        .await
    }

    async fn put_part(
        &self,
        key: &Key,
        id: &MultipartId,
        part: usize,
        data: PutPayload,
    ) -> object_store::Result<PartId> {
        let path = self.path(id);
        run(key, move || {
            let mut file = OpenOptions::new().write(true).open(path?)?;
            file.seek(SeekFrom::Start(part as u64 * CHUNK_SIZE_BYTES))?;
            data.iter().try_for_each(|bytes| file.write_all(bytes))?;
            file.sync_data()?;
            Ok(PartId {
                content_id: part.to_string(),
            })
        })
        .await
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        id: &MultipartId,
        _parts: Vec<PartId>,
    ) -> object_store::Result<PutResult> {
        let target = self.names.path_to_filesystem(key)?;
        let path = self.path(id);
        run(key, move || {
            let path = path?;
            File::open(&path)?.sync_all()?;
            let folder = target.parent().unwrap_or(&target).to_owned();
            fs::create_dir_all(&folder)?;
            name(&path, &target)?;
            // A second name of the same bytes costs nothing; the sweep removes it.
            let _ = fs::remove_file(&path);
            sync_folder(&folder)
        })
        .await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
            extensions: object_store::Extensions::default(),
        })
    }

    async fn abort_multipart(&self, key: &Key, id: &MultipartId) -> object_store::Result<()> {
        let path = self.path(id);
        run(key, move || match fs::remove_file(path?) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }
}

/// Gives a file its name where nothing has it. Shares without hard links get the next best.
fn name(unfinished: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, target) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !target.exists() => {
            fs::rename(unfinished, target)
        }
        named => named,
    }
}

/// A new name lives in its folder, which has to reach the disk too. Windows has no such call.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

async fn run<T: Send + 'static>(
    key: &Key,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    let generic = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Generic {
        store: "folder",
        source,
    };
    let done = blocking(work)
        .await
        .map_err(|error| generic(error.to_string().into()))?;
    done.map_err(|error| {
        let path = key.to_string();
        match error.kind() {
            ErrorKind::NotFound => StoreError::NotFound {
                path,
                source: error.into(),
            },
            ErrorKind::AlreadyExists => StoreError::AlreadyExists {
                path,
                source: error.into(),
            },
            _ => generic(error.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().expect("a folder");
        let names = LocalFileSystem::new_with_prefix(root.path()).expect("opens");
        let folder = Folder::new(root.path().to_owned(), Arc::new(names));
        (root, folder)
    }

    #[tokio::test]
    async fn parts_come_together_once_and_nothing_is_overwritten() {
        let (root, folder) = folder();
        let key = Key::from("v1/pay/pieces/a.bak");
        let mut ids = Vec::new();
        for text in ["first", "other"] {
            let id = folder.create_multipart(&key).await.expect("begins");
            let part = folder.put_part(&key, &id, 0, text.into());
            ids.push((id.clone(), part.await.expect("puts")));
        }
        assert_eq!(folder.unfinished("pay").len(), 2);
        let (first, part) = ids.remove(0);
        let done = folder.complete_multipart(&key, &first, vec![part]);
        done.await.expect("completes");
        let (other, part) = ids.remove(0);
        let refused = folder.complete_multipart(&key, &other, vec![part]).await;
        assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })));
        folder.abort_multipart(&key, &other).await.expect("aborts");
        folder.abort_multipart(&key, &other).await.expect("again");
        let text = fs::read_to_string(root.path().join("v1/pay/pieces/a.bak"));
        assert_eq!(text.expect("reads"), "first");
        assert!(folder.unfinished("pay").is_empty());
    }

    #[tokio::test]
    async fn an_id_cannot_climb_out() {
        let (_root, folder) = folder();
        for id in ["../x", "a/../../b", "a", "/etc/passwd", "a/b/c"] {
            let (key, id) = (Key::from("k"), id.to_owned());
            let put = folder.put_part(&key, &id, 0, "x".into()).await;
            assert!(matches!(put, Err(StoreError::NotFound { .. })), "{id}");
        }
    }
}
