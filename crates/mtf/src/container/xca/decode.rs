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
/// Codes up to this length are looked up in one step.
const SHORT_BITS: u8 = 11;

/// The bytes are no block, or not of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadBlock;

/// Decodes blocks, one after the other; its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// By the next 11 bits: the symbol, and in the low four bits the length of its code; zero where
    /// the code is longer.
    short: Vec<Entry>,
    /// Where longer codes begin, counted in units of the longest code, and what they stand for.
    long: Vec<(usize, Entry)>,
    /// Where all codes end, in the same units.
    end: usize,
}

type Entry = u16;

impl Decoder {
    /// Decodes `block` to exactly `length` bytes, which replace what is in `out`.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        length: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), BadBlock> {
        let (table, words) = block.split_first_chunk::<TABLE_BYTES>().ok_or(BadBlock)?;
        self.learn(table)?;
        out.clear();
        out.resize(length, 0);
        let mut bits = BitReader::new(words);
        let mut at = 0;
        while at < length {
            bits.fill()?;
            let entry = match self.short[bits.peek(SHORT_BITS)] {
                0 => self.long(bits.peek(CODE_BITS_MAX))?,
                entry => entry,
            };
            let [code_bits, ..] = (entry & 15).to_le_bytes();
            bits.take(code_bits);
            match u8::try_from(entry >> 4) {
                Ok(byte) => {
                    out[at] = byte;
                    at += 1;
                }
                Err(_) => at = copy(usize::from(entry >> 4), &mut bits, at, out)?,
            }
        }
        if bits.left() > PADDING_MAX {
            return Err(BadBlock);
        }
        Ok(())
    }

    fn learn(&mut self, table: &[u8; TABLE_BYTES]) -> Result<(), BadBlock> {
        self.short.clear();
        self.long.clear();
        self.end = 0;
        for (symbol, length) in in_order(&read_lengths(table)) {
            let entry = u16::try_from(symbol << 4).map_err(|_| BadBlock)? | u16::from(length);
            let start = self.end;
            self.end += 1 << (CODE_BITS_MAX - length);
            if self.end > 1 << CODE_BITS_MAX {
                return Err(BadBlock);
            }
            if length <= SHORT_BITS {
                let share = 1 << (SHORT_BITS - length);
                self.short.extend(std::iter::repeat_n(entry, share));
            } else {
                self.long.push((start, entry));
            }
        }
        self.short.resize(1 << SHORT_BITS, 0);
        Ok(())
    }

    /// What these bits stand for, which are not those of a short code.
    fn long(&self, bits: usize) -> Result<Entry, BadBlock> {
        let after = self.long.partition_point(|(start, _)| *start <= bits);
        let found = after.checked_sub(1).and_then(|index| self.long.get(index));
        let found = found.filter(|_| bits < self.end).ok_or(BadBlock)?;
        Ok(found.1)
    }
}

/// Repeats what came before `at`, as the match symbol and what follows it say; returns where that
/// ends.
fn copy(
    symbol: usize,
    bits: &mut BitReader<'_>,
    at: usize,
    out: &mut [u8],
) -> Result<usize, BadBlock> {
    let symbol = symbol - FIRST_MATCH;
    let length = match_length(symbol % 16, bits)?;
    let [distance_bits, ..] = (symbol / 16).to_le_bytes();
    let distance = (1 << distance_bits) + bits.peek(distance_bits);
    bits.take(distance_bits);
    let start = at.checked_sub(distance).ok_or(BadBlock)?;
    let end = at
        .checked_add(length)
        .filter(|end| *end <= out.len())
        .ok_or(BadBlock)?;
    let mut reached = at;
    while reached < end {
        // A match may reach into what it makes itself: then each turn has twice as much.
        let there = (end - reached).min(reached - start);
        out.copy_within(start..start + there, reached);
        reached += there;
    }
    Ok(end)
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
