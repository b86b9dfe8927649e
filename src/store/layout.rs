//! How a stripe lies in the store: one object, or segments where one object could not hold all its parts.
//!
//! Start at [`spans`]. S3 takes at most 10,000 parts an object; with parts of one chunk that is 78 GiB. A larger
//! stripe is cut into segments of equal size instead of growing the parts, so memory never grows with size.

use std::ops::Range;

use crate::model::{CHUNK_SIZE_BYTES, StoredStripe};
use crate::store::keys;

/// The chunks of a segment: 64 GiB, the largest power of two below S3's 10,000 parts.
pub(super) const SEGMENT_CHUNKS: u64 = 8192;

/// One object of a stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its key.
    pub(super) key: String,
    /// Which bytes of the stripe it holds.
    pub(super) bytes: Range<u64>,
    /// The size of a chunk in bytes.
    pub(super) chunk_size_bytes: u64,
}

impl Span {
    /// The object's size in bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// Where each chunk lies *in the object*; an empty object has one empty chunk.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (size, chunk) = (self.size_bytes(), self.chunk_size_bytes.max(1));
        let count = size.div_ceil(chunk).max(1);
        (0..count).map(move |at| at * chunk..((at + 1) * chunk).min(size))
    }
}

/// The segment size for a stripe of this size; none where one object holds it.
pub(super) fn segment_size(size_bytes: u64, segment_chunks: u64) -> Option<u64> {
    let segment = segment_chunks.max(1) * CHUNK_SIZE_BYTES;
    (size_bytes > segment).then_some(segment)
}

/// The objects of a stripe, in order.
pub(super) fn spans(stripe: &StoredStripe) -> Vec<Span> {
    let span = |key, bytes| Span {
        key,
        bytes,
        chunk_size_bytes: stripe.chunk_size_bytes,
    };
    let Some(segment) = stripe.segment_size_bytes.filter(|size| *size > 0) else {
        return vec![span(stripe.key.clone(), 0..stripe.size_bytes)];
    };
    let count = stripe.size_bytes.div_ceil(segment);
    let bytes = (0..count).map(|at| at * segment..((at + 1) * segment).min(stripe.size_bytes));
    bytes
        .zip(1..)
        .map(|(bytes, number)| span(keys::segment(&stripe.key, number), bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Digest;

    fn stripe(size_bytes: u64, segment_chunks: u64) -> StoredStripe {
        StoredStripe {
            key: "a.bak".to_owned(),
            size_bytes,
            chunk_size_bytes: CHUNK_SIZE_BYTES,
            root: Sha256Digest([0; 32]),
            sha256: None,
            segment_size_bytes: segment_size(size_bytes, segment_chunks),
            copies: Vec::new(),
            sealed: None,
        }
    }

    #[test]
    fn a_stripe_is_one_object_up_to_its_last_part_and_segments_beyond() {
        let whole = spans(&stripe(2 * CHUNK_SIZE_BYTES, 2));
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].key, "a.bak");
        let cut = spans(&stripe(2 * CHUNK_SIZE_BYTES + 1, 2));
        let keys: Vec<&str> = cut.iter().map(|span| span.key.as_str()).collect();
        assert_eq!(keys, ["a.bak.seg00001", "a.bak.seg00002"]);
        assert_eq!(cut[0].chunks().count(), 2);
        assert!(cut[1].chunks().eq(std::iter::once(0..1)));
        assert_eq!(cut[1].bytes, 2 * CHUNK_SIZE_BYTES..2 * CHUNK_SIZE_BYTES + 1);
    }

    #[test]
    fn a_segment_fits_the_parts_of_an_s3_object() {
        let huge = spans(&stripe(1 << 42, SEGMENT_CHUNKS));
        assert_eq!(huge.len(), 64, "4 TiB");
        assert!(huge.iter().all(|span| span.chunks().count() <= 10_000));
    }

    #[test]
    fn an_empty_stripe_has_one_empty_chunk() {
        let spans = spans(&stripe(0, 2));
        assert!(spans[0].chunks().eq(std::iter::once(0..0)));
    }
}
