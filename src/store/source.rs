//! A backup file read ahead, chunk by chunk, into buffers of the pool.
//!
//! Start at [`Source::read_ahead`]. Reading blocks, so it is done beside the threads that serve connections; one
//! chunk waits ready while another is hashed and sent.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::chunk::Chunk;
use super::pool::Pool;
use crate::error::{Code, Error, Result, Retry};
use crate::model::CHUNK_SIZE_BYTES;

/// A file that is to be sent.
pub(super) struct Source {
    file: File,
    path: PathBuf,
    /// Its size in bytes when it was opened.
    pub(super) size_bytes: u64,
}

/// The chunks of a file, in order.
pub(super) struct Chunks(mpsc::Receiver<Result<Chunk>>);

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
        let (sender, chunks) = mpsc::channel(1);
        tokio::spawn(async move {
            let path = self.path.clone();
            if let Err(error) = self.read_all(&pool, &sender).await {
                let error = error.at("file", path.display());
                // Whoever does not listen any more has an error of their own.
                let _ = sender.send(Err(error)).await;
            }
        });
        Chunks(chunks)
    }

    /// An empty file is one empty chunk.
    async fn read_all(mut self, pool: &Arc<Pool>, to: &mpsc::Sender<Result<Chunk>>) -> Result<()> {
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
            if to.send(Ok(Chunk::of(buffer.freeze()))).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}

impl Chunks {
    /// The chunks that somebody else sends, in order.
    pub(super) const fn over(chunks: mpsc::Receiver<Result<Chunk>>) -> Self {
        Self(chunks)
    }

    /// The next chunk; an error where the file has none.
    pub(super) async fn next(&mut self) -> Result<Chunk> {
        let ended = || Error::new(Code::Bug, "a file has fewer chunks than its size says");
        self.0.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

/// Reads exactly so many bytes, and nothing may follow the last of them: the file has been written to its end.
fn fill(file: &mut File, bytes: &mut Vec<u8>, want: u64, is_last: bool) -> io::Result<()> {
    file.take(want).read_to_end(bytes)?;
    if (bytes.len() as u64) < want {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    if is_last && file.read(&mut [0])? > 0 {
        return Err(io::Error::other("the file grows while it is read"));
    }
    Ok(())
}

fn unreadable(error: io::Error) -> Error {
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
    use bytes::Bytes;

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
            read.push(Bytes::copy_from_slice(&chunks.next().await.expect("reads")));
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
