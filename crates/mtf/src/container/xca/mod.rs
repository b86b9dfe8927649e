//! LZ77 with Huffman codes, as Microsoft specifies it in [MS-XCA] 2.1 and 2.2: what compressed
//! backups hold.
//!
//! Start at [`Decoder`]; [`encode()`] is its counterpart. One block is read or written: at most 64
//! KiB of contents, all that a record holds. A block begins with the lengths of all 512 codes, four
//! bits each. Symbols below 256 are bytes; the others are matches: their low four bits are the
//! length, the next four the count of bits of the distance. Bits come from 16-bit words, most
//! significant first, and lengths beyond four bits stand as bytes between those words, behind the
//! two that the reader has taken in advance.
//!
//! This room never knows what it compresses.
//!
//! [MS-XCA]: https://learn.microsoft.com/openspecs/windows_protocols/ms-xca

mod bits;
mod code;
mod decode;
mod encode;
mod matches;

pub(crate) use decode::Decoder;
pub(crate) use encode::encode;

/// Symbols of a code: 256 bytes, 256 kinds of match.
const SYMBOLS: usize = 512;
/// Bytes that the lengths of all codes take.
const TABLE_BYTES: usize = SYMBOLS / 2;
/// No code is longer.
const CODE_BITS_MAX: u8 = 15;
/// The first symbol of a match, and the one behind the last of a block.
const FIRST_MATCH: usize = 256;
/// No match is shorter.
const MATCH_MIN: usize = 3;
/// The length in a symbol that says "more follows".
const LONG: usize = 15;
/// The byte behind a symbol that says "two bytes follow".
const LONGER: u8 = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decoder, TABLE_BYTES, encode};

    fn decode(block: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let decoded = Decoder::default().decode(block, length, &mut out);
        decoded.is_ok().then_some(out)
    }

    /// A block: the bytes of its table that are not zero, then its words.
    fn block(table: &[(usize, u8)], words: &[u8]) -> Vec<u8> {
        let mut block = vec![0; TABLE_BYTES];
        for (at, byte) in table {
            block[*at] = *byte;
        }
        block.extend(words);
        block
    }

    /// [MS-XCA] 3.2, first example.
    fn alphabet() -> Vec<u8> {
        let letters = (0x31..0x3B).map(|at| (at, 0x55));
        let ends = [
            (0x30, 0x50),
            (0x3B, 0x45),
            (0x3C, 0x44),
            (0x3D, 0x04),
            (0x80, 0x04),
        ];
        let table: Vec<_> = letters.chain(ends).collect();
        let words = [
            0xD8, 0x52, 0x3E, 0xD7, 0x94, 0x11, 0x5B, 0xE9, 0x19, 0x5F, 0xF9, 0xD6, 0x7C, 0xDF,
            0x8D, 0x04, 0, 0, 0, 0,
        ];
        block(&table, &words)
    }

    /// [MS-XCA] 3.2, second example.
    fn three_hundred() -> Vec<u8> {
        let table = [(0x30, 0x30), (0x31, 0x23), (0x80, 0x02), (0x8F, 0x20)];
        block(&table, &[0xA8, 0xDC, 0, 0, 0xFF, 0x26, 0x01])
    }

    #[test]
    fn the_examples_of_the_specification_decode() {
        let letters: Vec<u8> = (b'a'..=b'z').collect();
        assert_eq!(decode(&alphabet(), 26), Some(letters));
        assert_eq!(decode(&three_hundred(), 300), Some(b"abc".repeat(100)));
    }

    #[test]
    fn a_block_decodes_to_its_own_length_only() {
        // The match of the second example is longer than what is asked for.
        assert_eq!(decode(&three_hundred(), 299), None);
        // Behind the last symbol there is nothing that could be another byte.
        assert_eq!(decode(&three_hundred(), 400), None);
        assert_eq!(decode(&alphabet()[..264], 26), None);
    }

    #[test]
    fn a_length_may_take_four_bytes() {
        let mut block = three_hundred();
        let words = block.len() - 2;
        block.splice(words.., [0, 0, 0x26, 0x01, 0, 0]);
        assert_eq!(decode(&block, 300), Some(b"abc".repeat(100)));
    }

    #[test]
    fn what_cannot_be_a_block_is_refused() {
        // No table, codes that leave no room for others, a code that nothing has, a match into
        // nothing, a length below what the symbol itself can say.
        assert_eq!(decode(&[0x55; 200], 26), None);
        assert_eq!(
            decode(&block(&[(0x30, 0x11), (0x31, 0x11)], &[0; 8]), 1),
            None
        );
        assert_eq!(decode(&block(&[(0x30, 0x20)], &[0xFF; 8]), 1), None);
        assert_eq!(decode(&block(&[(0x80, 0x11)], &[0; 8]), 3), None);
        let mut short = three_hundred();
        let at = short.len() - 2;
        short[at..].copy_from_slice(&[14, 0]);
        assert_eq!(decode(&short, 300), None);
    }

    #[test]
    fn what_repeats_becomes_short() {
        let zeros = vec![0; 65536];
        assert!(encode(&zeros).len() < 300, "one byte and one match");
        assert_eq!(decode(&encode(&zeros), zeros.len()), Some(zeros));
    }

    #[test]
    fn skewed_counts_still_give_codes_of_fifteen_bits() {
        // Counts like Fibonacci's numbers make the deepest tree that there is.
        let mut counts = (1_usize, 1_usize);
        let mut contents = Vec::new();
        for letter in 0_u8..22 {
            contents.extend((0..counts.0).map(|_| letter));
            counts = (counts.1, counts.0 + counts.1);
        }
        // Scattered, so that few matches take letters away.
        let scattered: Vec<u8> = (0..contents.len())
            .map(|at| contents[at * 7919 % contents.len()])
            .take(65536)
            .collect();
        assert_eq!(
            decode(&encode(&scattered), scattered.len()),
            Some(scattered)
        );
    }

    /// Contents between noise and repetition.
    fn contents() -> impl Strategy<Value = Vec<u8>> {
        let piece = (prop::collection::vec(any::<u8>(), 1..60), 1_usize..40);
        prop::collection::vec(piece, 1..40).prop_map(|pieces| {
            let repeated = pieces
                .iter()
                .flat_map(|(piece, times)| piece.repeat(*times));
            repeated.take(65536).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_encoded_decodes(contents in contents()) {
            prop_assert_eq!(decode(&encode(&contents), contents.len()), Some(contents));
        }

        #[test]
        fn noise_never_breaks_the_decoder(
            table in prop::collection::vec(any::<u8>(), 256),
            words in prop::collection::vec(any::<u8>(), 0..600),
            known in any::<bool>(),
            length in 0_usize..=65536,
        ) {
            // A table of equal codes lets noise come through to the matches.
            let table = if known { vec![0x99; TABLE_BYTES] } else { table };
            let decoded = decode(&[table, words].concat(), length);
            prop_assert!(decoded.is_none_or(|decoded| decoded.len() == length));
        }
    }
}
