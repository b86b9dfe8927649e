//! Many small objects at once: what a long log is read with.
//!
//! Start at [`ObjectStore::read_each`]. A remote store answers each request after its latency, so many are under way.
//! A folder answers at once, and what costs there is handing work from thread to thread: files are opened, read and
//! understood by the hundred on one.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use futures::stream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::ObjectStore;
use super::read::SMALL_BYTES_MAX;
use super::source::blocking;
use super::sweep::Unfinished;
use crate::error::Result;

/// Objects that are asked of a remote store at the same time.
const READS_AT_ONCE_MAX: usize = 32;

/// Files that one thread reads in one go.
const FILES_A_THREAD: usize = 128;

/// Threads that read files at the same time.
const THREADS_MAX: usize = 4;

impl ObjectStore {
    /// Reads these objects and gives the content of each, with its number among them, to `take`; what that made of
    /// them, in order. `take` may run on threads that wait for files.
    pub(super) async fn read_each<T: Send + 'static>(
        &self,
        keys: &[String],
        take: impl Fn(usize, &[u8]) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        let take = Arc::new(take);
        let is_folder = matches!(self.unfinished, Unfinished::InFolder(_));
        let (length, at_once) = if is_folder {
            (FILES_A_THREAD, THREADS_MAX)
        } else {
            (1, READS_AT_ONCE_MAX)
        };
        let chunks = (0..).step_by(length).zip(keys.chunks(length));
        let reads: Vec<_> = chunks
            .map(|(first, keys)| self.read_some(first, keys, take.clone()))
            .collect();
        stream::iter(reads).buffered(at_once).try_concat().await
    }

    async fn read_some<T: Send + 'static>(
        &self,
        first: usize,
        keys: &[String],
        take: Arc<impl Fn(usize, &[u8]) -> Result<T> + Send + Sync + 'static>,
    ) -> Result<Vec<T>> {
        let files: Vec<Option<PathBuf>> = keys.iter().map(|key| self.file_of(key)).collect();
        let taken: Vec<Option<Result<T>>> = if files.iter().any(Option::is_some) {
            let take = take.clone();
            blocking(move || {
                let mut content = Vec::new();
                let files = (first..).zip(files);
                let taken = files.map(|(at, file)| {
                    let is_read = read_file(file?, &mut content);
                    is_read.then(|| take(at, &content))
                });
                taken.collect()
            })
            .await?
        } else {
            keys.iter().map(|_| None).collect()
        };
        let mut all = Vec::with_capacity(keys.len());
        for ((at, key), taken) in (first..).zip(keys).zip(taken) {
            all.push(match taken {
                Some(taken) => taken?,
                None => take(at, &self.read_small(key).await?)?,
            });
        }
        Ok(all)
    }

    /// The file of an object, where objects are files.
    fn file_of(&self, key: &str) -> Option<PathBuf> {
        match &self.unfinished {
            Unfinished::InFolder(folder) => folder.file_of(&self.key(key)),
            Unfinished::Unlisted | Unfinished::InBucket { .. } => None,
        }
    }
}

/// Whether the file could be read so simply; where not, the ordinary way says why.
fn read_file(path: PathBuf, content: &mut Vec<u8>) -> bool {
    content.clear();
    let read = File::open(path).and_then(|file| {
        let mut limited = file.take(SMALL_BYTES_MAX + 1);
        limited.read_to_end(content)
    });
    read.is_ok_and(|bytes| bytes as u64 <= SMALL_BYTES_MAX)
}
