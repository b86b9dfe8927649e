//! Encoding a block.
//!
//! Start at [`encode`].
//!
//! This file never tries hard: it serves writers of tests and of a simulator, not of archives.

use super::bits::BitWriter;
use super::code::{Lengths, codes, lengths_for, write_lengths};
use super::matches::{Token, tokens};
use super::{FIRST_MATCH, LONG, LONGER, MATCH_MIN, SYMBOLS};

/// Encodes at most 64 KiB as one block.
pub(crate) fn encode(contents: &[u8]) -> Vec<u8> {
    let tokens = tokens(contents);
    let mut counts = [0; SYMBOLS];
    // The specification ends a block with the first match symbol.
    counts[FIRST_MATCH] = 1;
    for token in &tokens {
        counts[symbol_of(*token)] += 1;
    }
    let lengths = lengths_for(&counts);
    let codes = codes(&lengths);
    let mut bits = BitWriter::new(write_lengths(&lengths).to_vec());
    for token in tokens {
        put(&mut bits, token, &lengths, &codes);
    }
    bits.put(codes[FIRST_MATCH], lengths[FIRST_MATCH]);
    bits.finish()
}

fn symbol_of(token: Token) -> usize {
    match token {
        Token::Byte(byte) => usize::from(byte),
        Token::Match { distance, length } => {
            let distance_bits = distance.ilog2() as usize;
            FIRST_MATCH + distance_bits * 16 + (length - MATCH_MIN).min(LONG)
        }
    }
}

fn put(bits: &mut BitWriter, token: Token, lengths: &Lengths, codes: &[u16; SYMBOLS]) {
    let symbol = symbol_of(token);
    bits.put(codes[symbol], lengths[symbol]);
    let Token::Match { distance, length } = token else {
        return;
    };
    put_long(&mut bits.out, length - MATCH_MIN);
    let [distance_bits, ..] = distance.ilog2().to_le_bytes();
    bits.put(distance ^ (1 << distance_bits), distance_bits);
}

/// What of a length did not fit its symbol.
fn put_long(out: &mut Vec<u8>, length: usize) {
    let Some(more) = length.checked_sub(LONG) else {
        return;
    };
    match u8::try_from(more) {
        Ok(more) if more < LONGER => out.push(more),
        _ => {
            let [low, high, ..] = length.to_le_bytes();
            out.extend([LONGER, low, high]);
        }
    }
}
