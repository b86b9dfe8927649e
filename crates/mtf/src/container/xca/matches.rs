//! Finding what repeats.
//!
//! Start at [`tokens`]. Places with the same three bytes are chained, and the longest of the last
//! few is taken.
//!
//! This file never looks back further than a block.

use super::MATCH_MIN;

/// How many earlier places are tried.
const TRIES: usize = 12;
/// A match of this length is good enough.
const GOOD_LENGTH: usize = 128;
const HASH_BITS: u32 = 13;
const NOWHERE: usize = usize::MAX;

/// A piece of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// As it is.
    Byte(u8),
    /// What came `distance` bytes earlier, `length` bytes of it.
    Match {
        /// At least 1.
        distance: u16,
        /// At least 3.
        length: usize,
    },
}

/// Cuts contents, at most 64 KiB, into tokens.
pub(super) fn tokens(contents: &[u8]) -> Vec<Token> {
    let mut chains = Chains::new(contents);
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = contents.get(at) {
        let token = chains.longest(at).unwrap_or(Token::Byte(*byte));
        let length = match token {
            Token::Byte(_) => 1,
            Token::Match { length, .. } => length,
        };
        (at..at + length).for_each(|place| chains.add(place));
        at += length;
        tokens.push(token);
    }
    tokens
}

struct Chains<'a> {
    contents: &'a [u8],
    /// The last place of each hash.
    newest: Vec<usize>,
    /// For each place the one before it with the same hash.
    earlier: Vec<usize>,
}

impl<'a> Chains<'a> {
    fn new(contents: &'a [u8]) -> Self {
        Self {
            contents,
            newest: vec![NOWHERE; 1 << HASH_BITS],
            earlier: vec![NOWHERE; contents.len()],
        }
    }

    fn add(&mut self, place: usize) {
        if let Some(hash) = self.hash(place) {
            self.earlier[place] = std::mem::replace(&mut self.newest[hash], place);
        }
    }

    /// The longest match for what stands at `at`.
    fn longest(&self, at: usize) -> Option<Token> {
        let mut place = self.newest[self.hash(at)?];
        let mut best = None;
        let mut best_length = MATCH_MIN - 1;
        for _ in 0..TRIES {
            if place == NOWHERE {
                break;
            }
            let length = self.common(place, at);
            if length > best_length {
                let distance = u16::try_from(at - place).ok();
                best = distance
                    .map(|distance| Token::Match { distance, length })
                    .or(best);
                best_length = length;
            }
            if length >= GOOD_LENGTH {
                break;
            }
            place = self.earlier[place];
        }
        best
    }

    fn common(&self, place: usize, at: usize) -> usize {
        let pairs = self.contents[place..].iter().zip(&self.contents[at..]);
        pairs.take_while(|(one, other)| one == other).count()
    }

    fn hash(&self, place: usize) -> Option<usize> {
        let bytes = self.contents.get(place..)?.first_chunk::<3>()?;
        let [one, two, three] = *bytes;
        let number = u32::from_le_bytes([one, two, three, 0]);
        Some((number.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize)
    }
}
