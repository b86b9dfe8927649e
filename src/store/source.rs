//! A backup file read ahead, chunk by chunk, into buffers of the pool.
//!
//! Start at [`Source::read_ahead`]; `sealed` has the way in which chunks are encrypted as they are read. Reading
//! blocks, so it is done beside the threads that serve connections; one chunk waits ready while another is hashed
//! and sent.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::chunk::Stored;
use super::digest::ChunkList;
use super::pool::Pool;
use crate::error::{Code, Error, Result, Retry};
use crate::model::CHUNK_SIZE_BYTES;

/// Where chunks go that were read.
pub(super) type To = mpsc::Sender<Result<Chunk>>;

/// A file that is to be sent.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Its size in bytes when it was opened.
    pub(super) size_bytes: u64,
}

/// One chunk on its way.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// What the store gets.
    pub(super) stored: Stored,
    /// What the file holds there: the same bytes where nothing is sealed.
    pub(super) plain: Bytes,
}

/// The chunks of a file, in order.
pub(super) struct Chunks {
    receiver: mpsc::Receiver<Result<Chunk>>,
    /// The digests of the plain chunks, once a sealed file was read to its end.
    plain: Arc<OnceLock<ChunkList>>,
}

impl Source {
    /// Opens a file.
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let owned = path.to_owned();
        let opened = blocking(move || {
            let file = File::open(&owned)?;
            let size_bytes = file.metadata()?.len();
            Ok::<_, io::Error>((file, size_bytes))
        });
        let (file, size_bytes) = opened.await?.map_err(|error| {
            Error::new(Code::ShareUnseen, "the agent cannot read a backup file")
                .at("file", path.display())
                .hint("compare `share.sql` and `share.agent` of the host; both must be one folder")
                .source(error)
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
            size_bytes,
        })
    }

    /// Begins to read. The reading ends when the chunks are dropped.
    pub(super) fn read_ahead(self, pool: Arc<Pool>) -> Chunks {
        let path = self.path.clone();
        Chunks::ahead(path, |to, _| async move { self.read_all(&pool, &to).await })
    }

    /// An empty file is one empty chunk.
    async fn read_all(mut self, pool: &Arc<Pool>, to: &To) -> Result<()> {
        let mut left = self.size_bytes;
        loop {
            let want = left.min(CHUNK_SIZE_BYTES);
            left -= want;
            let mut buffer = pool.take(usize::try_from(want).unwrap_or(usize::MAX)).await;
            let is_last = left == 0;
            let filled = blocking(move || {
                let read = fill(&mut self.file, buffer.bytes_mut(), want, is_last);
                read.map(|()| (self, buffer))
            });
            let (source, buffer) = filled.await?.map_err(unreadable)?;
            self = source;
            let plain = buffer.freeze();
            let stored = Stored::of(plain.clone());
            if to.send(Ok(Chunk { stored, plain })).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}

impl Chunks {
    /// The chunks that somebody else sends, in order; nothing is known of what was sealed.
    pub(super) fn over(receiver: mpsc::Receiver<Result<Chunk>>) -> Self {
        Self {
            receiver,
            plain: Arc::default(),
        }
    }

    /// Begins a reading beside the caller, which ends when the chunks are dropped.
    pub(super) fn ahead<F>(
        path: PathBuf,
        read: impl FnOnce(To, Arc<OnceLock<ChunkList>>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(1);
        let plain = Arc::<OnceLock<ChunkList>>::default();
        let reading = read(sender.clone(), plain.clone());
        tokio::spawn(async move {
            if let Err(error) = reading.await {
                let error = error.at("file", path.display());
                // Whoever does not listen any more has an error of their own.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { receiver, plain }
    }

    /// The digests of the plain chunks; none before the last chunk of a sealed file was given.
    pub(super) fn plain_list(&self) -> Option<&ChunkList> {
        self.plain.get()
    }

    /// The next chunk; an error where the file has none.
    pub(super) async fn next(&mut self) -> Result<Chunk> {
        let ended = || Error::new(Code::Bug, "a file has fewer chunks than its size says");
        self.receiver.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

/// Reads exactly so many bytes, and nothing may follow the last of them: the file has been written to its end.
fn fill(file: &mut File, bytes: &mut Vec<u8>, want: u64, is_last: bool) -> io::Result<()> {
    read_on(file, bytes, want)?;
    if is_last { at_end(file) } else { Ok(()) }
}

/// Reads exactly so many bytes more.
pub(super) fn read_on(file: &mut File, bytes: &mut Vec<u8>, want: u64) -> io::Result<()> {
    let read = file.take(want).read_to_end(bytes)?;
    if (read as u64) < want {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(())
}

/// Nothing may follow what was read.
pub(super) fn at_end(file: &mut File) -> io::Result<()> {
    if file.read(&mut [0])? > 0 {
        return Err(io::Error::other("the file grows while it is read"));
    }
    Ok(())
}

pub(super) fn unreadable(error: io::Error) -> Error {
    Error::new(Code::ShareUnseen, "a backup file cannot be read to its end")
        .hint("look whether something else writes to the share, and at the disk behind it")
        .retry(Retry::Never)
        .source(error)
}

/// Runs work that blocks, beside the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Bug, "a task of the store room panicked").source(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pool::BUDGET_BYTES_MIN;

    async fn chunks_of(bytes: &[u8]) -> Vec<Bytes> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("piece.bak");
        std::fs::write(&path, bytes).expect("writes");
        let source = Source::open(&path).await.expect("opens");
        let count = source.size_bytes.div_ceil(CHUNK_SIZE_BYTES).max(1);
        let mut chunks = source.read_ahead(Pool::of(BUDGET_BYTES_MIN));
        let mut read = Vec::new();
        for _ in 0..count {
            // A copy, so that the buffer goes back: the budget holds two chunks.
            let chunk = chunks.next().await.expect("reads");
            assert_eq!(*chunk.stored, *chunk.plain, "nothing is sealed");
            read.push(Bytes::copy_from_slice(&chunk.stored));
        }
        assert!(chunks.next().await.is_err(), "nothing follows");
        read
    }

    #[tokio::test]
    async fn a_file_comes_in_whole_chunks_and_a_last_one() {
        assert_eq!(chunks_of(b"").await, [Bytes::new()]);
        assert_eq!(chunks_of(b"abc").await, [Bytes::from_static(b"abc")]);
        let length = usize::try_from(CHUNK_SIZE_BYTES).expect("fits") * 3 + 1;
        let sizes: Vec<usize> = chunks_of(&vec![7; length])
            .await
            .iter()
            .map(Bytes::len)
            .collect();
        assert_eq!(sizes, [8 << 20, 8 << 20, 8 << 20, 1]);
    }

    #[test]
    fn a_file_that_shrinks_or_grows_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("piece.bak");
        std::fs::write(&path, b"12345").expect("writes");
        let open = || File::open(&path).expect("opens");
        assert!(fill(&mut open(), &mut Vec::new(), 6, true).is_err());
        assert!(fill(&mut open(), &mut Vec::new(), 4, true).is_err());
        assert!(fill(&mut open(), &mut Vec::new(), 5, true).is_ok());
    }
}
