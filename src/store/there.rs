//! Whether a file that is to be fetched lies where it should already: what an interrupted restore had brought is not
//! brought twice. Start at [`is_there`].
//!
//! A name proves nothing: the whole file is read, and its digest of record compared.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::digest::Chunked;
use crate::model::PlainStripe;

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// Whether the file has just these bytes; what cannot be read is not there.
pub(super) async fn is_there(path: &Path, plain: PlainStripe) -> bool {
    let path = PathBuf::from(path);
    let reading = tokio::task::spawn_blocking(move || has_bytes(&path, plain));
    reading.await.unwrap_or(false)
}

fn has_bytes(path: &Path, plain: PlainStripe) -> bool {
    let is_as_long = |file: &File| file.metadata().is_ok_and(|it| it.len() == plain.size_bytes);
    let Some(mut file) = File::open(path).ok().filter(is_as_long) else {
        return false;
    };
    let mut chunked = Chunked::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => chunked.update(&bytes[..count]),
            Err(_) => return false,
        }
    }
    chunked.finish().plain_stripe(plain.size_bytes) == plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_counts_by_its_bytes_and_not_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("piece.bak");
        let bytes = b"a backup".to_vec();
        let mut chunked = Chunked::new();
        chunked.update(&bytes);
        let plain = chunked.finish().plain_stripe(8);
        assert!(!is_there(&path, plain).await, "no file");
        std::fs::write(&path, &bytes).expect("writes");
        assert!(is_there(&path, plain).await);
        std::fs::write(&path, b"a backuq").expect("writes");
        assert!(!is_there(&path, plain).await, "one byte is another");
        std::fs::write(&path, b"a back").expect("writes");
        assert!(!is_there(&path, plain).await, "half of it");
    }
}
