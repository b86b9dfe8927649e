//! The checksums of backup media: a rolling one over sectors, an XOR over headers.
//!
//! Start at [`SectorRoll`]. Data pages, log blocks and the streams of `BACKUP ... WITH CHECKSUM`
//! share it; block and stream headers have [`xor16`], records of compressed media [`word_roll`].
//!
//! This file never knows where a checksum is stored.

/// Bytes in the sector over which the rolling checksum turns.
pub const SECTOR_BYTES: usize = 512;

/// The rolling checksum, fed in any slicing.
///
/// For each 512-byte sector the sum is rotated left by one bit, then combined by XOR with the XOR
/// of the sector's little-endian words. A last partial sector counts as filled up with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectorRoll {
    sum: u32,
    sector: u32,
    filled: usize,
}

impl SectorRoll {
    /// Adds `bytes`.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if self.filled > 0 {
            bytes = self.fill(bytes);
        }
        let (sectors, rest) = bytes.as_chunks::<SECTOR_BYTES>();
        for sector in sectors {
            self.sum = self.sum.rotate_left(1) ^ xor32(sector);
        }
        self.fill(rest);
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub fn value(&self) -> u32 {
        match self.filled {
            0 => self.sum,
            _ => self.sum.rotate_left(1) ^ self.sector,
        }
    }

    /// Takes bytes into the open sector, byte by byte, and returns what it had no room for.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (mine, rest) = bytes.split_at(bytes.len().min(SECTOR_BYTES - self.filled));
        for byte in mine {
            self.sector ^= u32::from(*byte) << (8 * (self.filled % 4));
            self.filled += 1;
        }
        if self.filled == SECTOR_BYTES {
            *self = Self {
                sum: self.sum.rotate_left(1) ^ self.sector,
                ..Self::default()
            };
        }
        rest
    }
}

/// The rolling checksum of `bytes`.
#[must_use]
pub fn sector_roll(bytes: &[u8]) -> u32 {
    let mut roll = SectorRoll::default();
    roll.update(bytes);
    roll.value()
}

/// The checksum of block and stream headers: the XOR of their little-endian 16-bit words.
#[must_use]
pub fn xor16(header: &[u8]) -> u16 {
    let words = header.as_chunks::<2>().0;
    words
        .iter()
        .fold(0, |sum, word| sum ^ u16::from_le_bytes(*word))
}

/// The checksum of a record in a compressed container: turned by one bit for each little-endian
/// 32-bit word; a last partial word counts as filled up with zeros.
#[must_use]
pub fn word_roll(bytes: &[u8]) -> u32 {
    let turn = |sum: u32, word: [u8; 4]| sum.rotate_left(1) ^ u32::from_le_bytes(word);
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(0, |sum, word| turn(sum, *word));
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    if rest.is_empty() {
        sum
    } else {
        turn(sum, last)
    }
}

fn xor32(sector: &[u8; SECTOR_BYTES]) -> u32 {
    let words = sector.as_chunks::<4>().0;
    words
        .iter()
        .fold(0, |sum, word| sum ^ u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roll_is_the_same_in_any_slicing() {
        let bytes: Vec<u8> = (0..3000_u32).map(|i| (i * 31 % 251) as u8).collect();
        for step in [1, 3, 511, 512, 513, 1024] {
            let mut roll = SectorRoll::default();
            bytes.chunks(step).for_each(|chunk| roll.update(chunk));
            assert_eq!(roll.value(), sector_roll(&bytes), "slices of {step}");
        }
    }

    #[test]
    fn a_sector_turns_the_sum_by_one_bit() {
        let mut two = [0_u8; 1024];
        two[0] = 0x80;
        assert_eq!(sector_roll(&two[..512]), 0x80);
        assert_eq!(sector_roll(&two), 0x100);
        assert_eq!(sector_roll(&two[..513]), 0x100);
    }

    #[test]
    fn each_word_turns_the_sum_of_a_record_and_the_last_is_filled_up() {
        assert_eq!(word_roll(&[1, 0, 0, 0, 1]), 0b11);
        assert_eq!(word_roll(&[1, 0, 0, 0, 1, 0, 0, 0]), 0b11);
        assert_eq!(word_roll(&[0, 0, 0, 0x80, 0, 0, 0, 0]), 1);
    }

    #[test]
    fn swapped_sectors_are_noticed() {
        let mut bytes = [0_u8; 1024];
        bytes[..512].fill(1);
        bytes[0] = 7;
        let before = sector_roll(&bytes);
        bytes.rotate_left(512);
        assert_ne!(sector_roll(&bytes), before);
    }
}
