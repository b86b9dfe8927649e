//! Huffman codes: from counts to lengths, from lengths to codes.
//!
//! Start at [`lengths_for`] and [`codes`]. Lengths are all that is stored: codes are given out in
//! order of length, then of symbol.
//!
//! This file never sees a bit stream.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{CODE_BITS_MAX, SYMBOLS, TABLE_BYTES};

/// The length of each symbol's code in bits, 0 where it has none.
pub(super) type Lengths = [u8; SYMBOLS];

/// Reads lengths: four bits each, low ones first.
pub(super) fn read_lengths(table: &[u8; TABLE_BYTES]) -> Lengths {
    let mut lengths = [0; SYMBOLS];
    for (pair, byte) in lengths.as_chunks_mut::<2>().0.iter_mut().zip(table) {
        *pair = [byte & 15, byte >> 4];
    }
    lengths
}

/// Writes lengths.
pub(super) fn write_lengths(lengths: &Lengths) -> [u8; TABLE_BYTES] {
    let mut table = [0; TABLE_BYTES];
    for (byte, [low, high]) in table.iter_mut().zip(lengths.as_chunks::<2>().0) {
        *byte = low | (high << 4);
    }
    table
}

/// The symbols that have codes, in the order in which these are given out.
pub(super) fn in_order(lengths: &Lengths) -> impl Iterator<Item = (usize, u8)> {
    let of_length = |length: u8| {
        let symbols = lengths.iter().enumerate();
        symbols
            .filter(move |(_, own)| **own == length)
            .map(move |(symbol, _)| (symbol, length))
    };
    (1..=CODE_BITS_MAX).flat_map(of_length)
}

/// The codes, each in the low bits.
pub(super) fn codes(lengths: &Lengths) -> [u16; SYMBOLS] {
    let mut codes = [0; SYMBOLS];
    let mut next: u32 = 0;
    for (symbol, length) in in_order(lengths) {
        // `next` counts in units of the longest code, so it never has to be widened.
        let unit = CODE_BITS_MAX - length;
        codes[symbol] = u16::try_from(next >> unit).unwrap_or(0);
        next += 1 << unit;
    }
    codes
}

/// The lengths of the best codes of at most 15 bits, nearly: where the best are longer, counts
/// are made more alike until they are not.
pub(super) fn lengths_for(counts: &[u32; SYMBOLS]) -> Lengths {
    let mut counts = *counts;
    loop {
        let depths = depths(&counts);
        if let Some(lengths) = within_limit(&depths) {
            return lengths;
        }
        for count in &mut counts {
            *count = count.div_ceil(2);
        }
    }
}

fn within_limit(depths: &[u16]) -> Option<Lengths> {
    let mut lengths = [0; SYMBOLS];
    for (length, depth) in lengths.iter_mut().zip(depths) {
        *length = u8::try_from(*depth)
            .ok()
            .filter(|depth| *depth <= CODE_BITS_MAX)?;
    }
    Some(lengths)
}

/// How deep each symbol lies in Huffman's tree; 0 for those that do not occur.
fn depths(counts: &[u32; SYMBOLS]) -> Vec<u16> {
    let occurring = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut heap: BinaryHeap<_> = occurring
        .map(|(symbol, count)| Reverse((*count, symbol)))
        .collect();
    // Symbols, then inner nodes: a parent stands always behind its children.
    let mut parents = vec![0; SYMBOLS];
    while let (Some(Reverse(one)), Some(Reverse(other))) = (heap.pop(), heap.pop()) {
        let parent = parents.len();
        (parents[one.1], parents[other.1]) = (parent, parent);
        parents.push(0);
        heap.push(Reverse((one.0 + other.0, parent)));
    }
    let mut depths = vec![0; parents.len()];
    for node in (0..parents.len()).rev() {
        if parents[node] > 0 {
            depths[node] = depths[parents[node]] + 1;
        }
    }
    depths.truncate(SYMBOLS);
    depths
}
