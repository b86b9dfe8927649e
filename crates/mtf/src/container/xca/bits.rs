//! Bits in words of 16, with bytes between the words: read as the format has it, and written.
//!
//! Start at [`BitReader`] and [`BitWriter`]. In the format a reader is always one word ahead of the
//! one that its bits come from, and whatever is not bits stands behind that. So the writer leaves
//! room for two words before it writes a byte; the reader here takes more in advance, and gives
//! back what is too much when it comes to a byte.
//!
//! This file never knows what bits mean.

use super::decode::BadBlock;

/// Bytes beyond the end that a reader may be ahead.
const AHEAD_BYTES: usize = 4;
const WORD_BITS: u32 = 16;

#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, most significant first, then zeros.
    window: u64,
    /// How many of them are known.
    known: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            window: 0,
            known: 0,
        }
    }

    /// Makes at least 32 bits known: enough for a symbol and a distance.
    #[inline]
    pub(super) fn fill(&mut self) -> Result<(), BadBlock> {
        if self.known >= 2 * WORD_BITS {
            return Ok(());
        }
        let ahead = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<4>);
        let two = match ahead {
            Some(words) => u32::from_le_bytes(*words),
            None => self.last_words()?,
        };
        // The first of two words is the more significant one.
        self.window |= u64::from(two.rotate_left(WORD_BITS)) << (2 * WORD_BITS - self.known);
        self.known += 2 * WORD_BITS;
        self.at += 4;
        Ok(())
    }

    /// The next `count` bits, at most 15, without taking them.
    #[inline]
    pub(super) fn peek(&self, count: u8) -> usize {
        (self.window >> 1 >> (63 - u32::from(count & 15))) as usize
    }

    /// Takes `count` bits that are known, at most 15.
    #[inline]
    pub(super) fn take(&mut self, count: u8) {
        self.window <<= count & 15;
        self.known = self.known.saturating_sub(u32::from(count & 15));
    }

    /// The next bytes between the words, as a little-endian number.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<usize, BadBlock> {
        let too_much = self.too_much();
        self.at -= too_much * 2;
        self.known %= WORD_BITS;
        self.known += WORD_BITS;
        self.window &= !(u64::MAX >> self.known);
        let bytes = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>);
        let bytes = bytes.ok_or(BadBlock)?;
        self.at += N;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    /// Bytes that nobody came to.
    pub(super) fn left(&self) -> usize {
        self.bytes
            .len()
            .saturating_sub(self.at - self.too_much() * 2)
    }

    /// Words taken beyond those that the format takes in advance.
    fn too_much(&self) -> usize {
        (self.known / WORD_BITS).saturating_sub(1) as usize
    }

    /// Two words of which not all are there: zeros, as long as they are only taken in advance.
    fn last_words(&self) -> Result<u32, BadBlock> {
        if self.at - self.too_much() * 2 > self.bytes.len() + AHEAD_BYTES {
            return Err(BadBlock);
        }
        let mut words = [0; 4];
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        words[..rest.len()].copy_from_slice(rest);
        Ok(u32::from_le_bytes(words))
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
