//! Decoding a block.
//!
//! Start at [`Decoder::decode`].
//!
//! This file never writes beyond the length that was asked for, whatever the block says.

use super::bits::BitReader;
use super::code::{in_order, read_lengths};
use super::{CODE_BITS_MAX, FIRST_MATCH, LONG, LONGER, MATCH_MIN, TABLE_BYTES};

/// Bytes behind the last symbol that are not held against a block: padding, if there is any.
const PADDING_MAX: usize = 16;

/// The bytes are no block, or not of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadBlock;

/// Decodes blocks, one after the other; its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// By the next 15 bits: the symbol, and in the low four bits the length of its code.
    symbols: Vec<u16>,
}

impl Decoder {
    /// Decodes `block` to exactly `length` bytes, which replace what is in `out`.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        length: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), BadBlock> {
        out.clear();
        let (table, words) = block.split_first_chunk::<TABLE_BYTES>().ok_or(BadBlock)?;
        self.learn(table)?;
        let mut bits = BitReader::new(words)?;
        while out.len() < length {
            let entry = self.symbols[bits.peek(CODE_BITS_MAX) as usize];
            let [code_bits, ..] = (entry & 15).to_le_bytes();
            if code_bits == 0 {
                return Err(BadBlock);
            }
            bits.take(code_bits)?;
            match u8::try_from(entry >> 4) {
                Ok(byte) => out.push(byte),
                Err(_) => copy(usize::from(entry >> 4), &mut bits, length, out)?,
            }
        }
        if bits.left() > PADDING_MAX {
            return Err(BadBlock);
        }
        Ok(())
    }

    fn learn(&mut self, table: &[u8; TABLE_BYTES]) -> Result<(), BadBlock> {
        self.symbols.clear();
        self.symbols.resize(1 << CODE_BITS_MAX, 0);
        let mut room = self.symbols.as_mut_slice();
        for (symbol, length) in in_order(&read_lengths(table)) {
            let share = 1 << (CODE_BITS_MAX - length);
            let (mine, rest) = room.split_at_mut_checked(share).ok_or(BadBlock)?;
            mine.fill(u16::try_from(symbol << 4).map_err(|_| BadBlock)? | u16::from(length));
            room = rest;
        }
        Ok(())
    }
}

/// Repeats what came before, as the match symbol and what follows it say.
fn copy(
    symbol: usize,
    bits: &mut BitReader<'_>,
    length: usize,
    out: &mut Vec<u8>,
) -> Result<(), BadBlock> {
    let symbol = symbol - FIRST_MATCH;
    let match_bytes = match_length(symbol % 16, bits)?;
    let [distance_bits, ..] = (symbol / 16).to_le_bytes();
    let distance = (1 << distance_bits) + bits.peek(distance_bits) as usize;
    bits.take(distance_bits)?;
    let start = out.len().checked_sub(distance).ok_or(BadBlock)?;
    if match_bytes > length - out.len() {
        return Err(BadBlock);
    }
    let mut left = match_bytes;
    while left > 0 {
        // A match may reach into what it makes itself: then each turn has twice as much.
        let there = left.min(out.len() - start);
        out.extend_from_within(start..start + there);
        left -= there;
    }
    Ok(())
}

fn match_length(short: usize, bits: &mut BitReader<'_>) -> Result<usize, BadBlock> {
    if short < LONG {
        return Ok(short + MATCH_MIN);
    }
    let more = bits.bytes::<1>()?;
    if more != usize::from(LONGER) {
        return Ok(more + LONG + MATCH_MIN);
    }
    let long = match bits.bytes::<2>()? {
        0 => bits.bytes::<4>()?,
        long => long,
    };
    // What is shorter than this has no reason to stand here.
    let is_long = long >= LONG;
    is_long
        .then(|| long.saturating_add(MATCH_MIN))
        .ok_or(BadBlock)
}
