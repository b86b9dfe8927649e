//! The digest of record: SHA-256 of each 8 MiB chunk, and a root over the list.
//!
//! Start at [`ChunkList`]. By hand: `split --bytes=8M piece part. && sha256sum part.*` gives the list; the
//! `.chunks` object holds the same digests as raw bytes, and its own SHA-256 is the root. Chunks can be hashed
//! on every core at once and proven one by one; a digest over the whole could not.

use super::hash::{Hasher, sha256};
use crate::model::{CHUNK_SIZE_BYTES, PlainStripe, Sha256Digest};

/// The digests of a stripe's chunks, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkList(Vec<Sha256Digest>);

impl Extend<Sha256Digest> for ChunkList {
    fn extend<T: IntoIterator<Item = Sha256Digest>>(&mut self, digests: T) {
        self.0.extend(digests);
    }
}

impl ChunkList {
    /// The digests, in order.
    #[must_use]
    pub fn digests(&self) -> &[Sha256Digest] {
        &self.0
    }

    /// The content of the `.chunks` object: 32 raw bytes a chunk.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|digest| digest.0).collect()
    }

    /// Reads a `.chunks` object back; none when its length is not a number of digests.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digests, rest) = bytes.as_chunks::<32>();
        rest.is_empty()
            .then(|| Self(digests.iter().map(|raw| Sha256Digest(*raw)).collect()))
    }

    /// The digest of record.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        sha256(&self.to_bytes())
    }

    /// A stripe of this list, which has so many bytes.
    #[must_use]
    pub fn plain_stripe(&self, size_bytes: u64) -> PlainStripe {
        PlainStripe {
            size_bytes,
            root: self.root(),
            sha256: self.whole(),
        }
    }

    /// The plain SHA-256 of the whole, where the whole is one chunk; an empty file has none of its own.
    #[must_use]
    pub fn whole(&self) -> Option<Sha256Digest> {
        match self.0.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// The chunk list of a stream that comes in any cutting.
pub(super) struct Chunked {
    list: ChunkList,
    hasher: Hasher,
    in_chunk_bytes: u64,
    is_empty: bool,
}

impl Chunked {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        Self {
            list: ChunkList::default(),
            hasher: Hasher::new(),
            in_chunk_bytes: 0,
            is_empty: true,
        }
    }

    /// Takes the next bytes in.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(CHUNK_SIZE_BYTES - self.in_chunk_bytes);
            let (now, later) = bytes.split_at(bytes.len().min(room.unwrap_or(usize::MAX)));
            self.hasher.update(now);
            self.in_chunk_bytes += now.len() as u64;
            self.is_empty = false;
            if self.in_chunk_bytes == CHUNK_SIZE_BYTES {
                self.end_chunk();
            }
            bytes = later;
        }
    }

    /// The list of everything that was taken in; an empty stream is one empty chunk.
    pub(super) fn finish(mut self) -> ChunkList {
        if self.in_chunk_bytes > 0 || self.is_empty {
            self.end_chunk();
        }
        self.list
    }

    fn end_chunk(&mut self) {
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new());
        self.list.extend([hasher.finish()]);
        self.in_chunk_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_the_list_of_its_chunks_however_it_is_cut() {
        let length = usize::try_from(CHUNK_SIZE_BYTES).expect("fits");
        for size in [0, 1, length - 1, length, length + 1] {
            let bytes = vec![7; size];
            let mut wanted = ChunkList::default();
            let chunks = bytes.chunks(length).map(sha256);
            wanted.extend(chunks.chain(bytes.is_empty().then(|| sha256(b""))));
            let mut chunked = Chunked::new();
            for cut in bytes.chunks(999_983) {
                chunked.update(cut);
            }
            assert_eq!(chunked.finish(), wanted, "{size}");
        }
    }

    #[test]
    fn a_chunk_list_reads_back_what_it_wrote() {
        let mut list = ChunkList::default();
        list.extend([sha256(b"a")]);
        assert_eq!(list.whole(), Some(sha256(b"a")));
        list.extend([sha256(b"b")]);
        assert_eq!(list.whole(), None);
        assert_eq!(ChunkList::from_bytes(&list.to_bytes()), Some(list));
        assert_eq!(ChunkList::from_bytes(&[0; 33]), None);
    }
}
