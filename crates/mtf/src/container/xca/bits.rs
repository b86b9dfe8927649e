//! Bits in words of 16, with bytes between the words: read as the format has it, and written.
//!
//! Start at [`BitReader`] and [`BitWriter`]. The reader is always two words ahead of the bits that
//! it gave away, so the writer must leave room for two words before it writes a byte.
//!
//! This file never knows what bits mean.

use super::decode::BadBlock;

/// Words that may be read beyond the end: the reader is ahead of what it gives.
const AHEAD_WORDS: u32 = 2;

#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, most significant first; at least 16 of them are known.
    window: u32,
    /// Known bits beyond 16.
    spare: u32,
    beyond_words: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, BadBlock> {
        let mut reader = Self {
            bytes,
            at: 0,
            window: 0,
            spare: 16,
            beyond_words: 0,
        };
        let first = reader.word()?;
        reader.window = (first << 16) | reader.word()?;
        Ok(reader)
    }

    /// The next `count` bits, at most 16, without taking them.
    pub(super) fn peek(&self, count: u8) -> u32 {
        (self.window >> 1) >> (31 - u32::from(count.min(16)))
    }

    /// Takes `count` bits, at most 15.
    pub(super) fn take(&mut self, count: u8) -> Result<(), BadBlock> {
        let count = u32::from(count.min(15));
        self.window <<= count;
        if count <= self.spare {
            self.spare -= count;
        } else {
            let missing = count - self.spare;
            self.window |= self.word()? << missing;
            self.spare = 16 - missing;
        }
        Ok(())
    }

    /// The next bytes between the words, as a little-endian number.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<usize, BadBlock> {
        let bytes = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>());
        let bytes = bytes.ok_or(BadBlock)?;
        self.at += N;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    /// Bytes that were never looked at.
    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn word(&mut self) -> Result<u32, BadBlock> {
        let byte = |at: usize| u32::from(self.bytes.get(at).copied().unwrap_or(0));
        let word = byte(self.at) | (byte(self.at + 1) << 8);
        self.at += 2;
        if self.at > self.bytes.len() {
            self.beyond_words += 1;
        }
        if self.beyond_words > AHEAD_WORDS {
            return Err(BadBlock);
        }
        Ok(word)
    }
}

#[derive(Debug)]
pub(super) struct BitWriter {
    pub(super) out: Vec<u8>,
    /// Where the next two words go.
    places: [usize; 2],
    word: u32,
    free: u32,
}

impl BitWriter {
    pub(super) fn new(mut out: Vec<u8>) -> Self {
        let places = [out.len(), out.len() + 2];
        out.extend([0; 4]);
        Self {
            out,
            places,
            word: 0,
            free: 16,
        }
    }

    /// Writes the low `count` bits of `bits`, at most 15.
    pub(super) fn put(&mut self, bits: u16, count: u8) {
        let (bits, count) = (u32::from(bits), u32::from(count));
        if count <= self.free {
            self.word = (self.word << count) | bits;
            self.free -= count;
            return;
        }
        let over = count - self.free;
        let word = (self.word << self.free) | (bits >> over);
        self.put_word(word);
        self.places[1] = self.out.len();
        self.out.extend([0; 2]);
        self.word = bits & ((1 << over) - 1);
        self.free = 16 - over;
    }

    /// The block, its last words filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put_word(self.word << self.free);
        self.out
    }

    fn put_word(&mut self, word: u32) {
        let [low, high, ..] = word.to_le_bytes();
        let [place, next] = self.places;
        self.out[place..place + 2].copy_from_slice(&[low, high]);
        self.places[0] = next;
    }
}
