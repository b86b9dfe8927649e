//! The digest of record: SHA-256 of each 8 MiB chunk, and a root over the list.
//!
//! Start at [`ChunkList`]. By hand: `split --bytes=8M piece part. && sha256sum part.*` gives the list; the
//! `.chunks` object holds the same digests as raw bytes, and its own SHA-256 is the root. Chunks can be hashed
//! on every core at once and proven one by one; a digest over the whole could not.

use super::hash::sha256;
use crate::model::Sha256Digest;

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
