//! The digest of record: SHA-256 of each 8 MiB chunk, and a root over the list.
//!
//! Start at [`ChunkList`]. By hand: `split --bytes=8M piece part. && sha256sum part.*` gives the list; the
//! `.chunks` object holds the same digests as raw bytes, and its own SHA-256 is the root. Chunks can be hashed
//! on every core at once and proven one by one; a digest over the whole could not.

use sha2::{Digest as _, Sha256};

use crate::model::Sha256Digest;

/// SHA-256 of some bytes; the one place where Stopmark hashes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(Sha256::digest(bytes).into())
}

/// The digests of a stripe's chunks, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkList(Vec<Sha256Digest>);

impl ChunkList {
    /// Adds the next chunk's digest.
    pub fn push(&mut self, digest: Sha256Digest) {
        self.0.push(digest);
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

    /// The plain SHA-256 of the whole, where the whole is one chunk; an empty file has none of its own.
    #[must_use]
    pub fn whole(&self) -> Option<Sha256Digest> {
        match self.0.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_prints() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b"").to_string(), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc").to_string(), abc);
    }

    #[test]
    fn a_chunk_list_reads_back_what_it_wrote() {
        let mut list = ChunkList::default();
        list.push(sha256(b"a"));
        assert_eq!(list.whole(), Some(sha256(b"a")));
        list.push(sha256(b"b"));
        assert_eq!(list.whole(), None);
        assert_eq!(ChunkList::from_bytes(&list.to_bytes()), Some(list));
        assert_eq!(ChunkList::from_bytes(&[0; 33]), None);
    }
}
