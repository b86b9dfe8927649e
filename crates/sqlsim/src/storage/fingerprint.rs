//! A 64-bit fingerprint of bytes, for "is this what was written" and "has this changed". Pure.
//!
//! Start at [`fingerprint`]. SQL Server's own block checksum is an XOR, which pairs of equal words
//! slip through; this one mixes. It guards against accidents only, never against intent.

/// The fingerprint of these bytes. What follows the last whole word counts as if padded by zeros.
#[must_use]
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let all = words.iter().chain(std::iter::once(&last));
    all.fold(OFFSET, |sum, word| {
        let mixed = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        mixed ^ (mixed >> 29)
    })
}

/// The constants of FNV-1a, used here on words.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn equal_pairs_of_words_do_not_slip_through() {
        let (zeros, filled) = ([0; 64], [0xaa; 64]);
        assert_ne!(fingerprint(&zeros), fingerprint(&filled));
        assert_ne!(fingerprint(&zeros[..32]), fingerprint(&zeros[..40]));
    }
}
