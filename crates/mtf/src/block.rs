//! Log blocks: their header and their checksum.
//!
//! Start at [`seal`] and [`check`]. A log block begins on a 512-byte boundary, is a multiple of 512
//! bytes long, and says where in its virtual log file it lies.
//!
//! This file never looks at the records in a block.

use serde::{Deserialize, Serialize};

use crate::Lsn;
use crate::bytes::{self, put};
use crate::checksum::sector_roll;

/// Bytes in the unit that block numbers count and block sizes are multiples of.
pub const UNIT: usize = 512;
/// The largest log block: 60 KiB in SQL Server; we allow what the size field can say.
pub const SIZE_MAX: usize = 0xFE00;
/// Offset of the number of used bytes, u16.
pub const USED: usize = 4;
/// Offset of the size in bytes, u16, a multiple of 512.
pub const BLOCK_SIZE: usize = 6;
/// Offset of the LSN of the first record: u32 virtual log file, u32 block, u16 slot 1.
pub const LSN: usize = 12;
/// Offset of the checksum, u32; 0 means that there is none.
pub const CHECKSUM: usize = 24;
/// Bytes of header that this crate knows; records may begin after it.
pub const HEADER_SIZE: usize = 72;

/// What a log block's own fields say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockVerdict {
    /// It is where it says it is, and the checksum is right.
    Sound,
    /// It is where it says it is, and has no checksum.
    Unprotected,
    /// Its size is no multiple of 512, or not that of the slice.
    WrongSize,
    /// It names another place in the log.
    WrongPlace,
    /// The checksum is wrong.
    Bad,
}

/// Fills in size, place and checksum of a log block. Call it after the last change.
///
/// # Panics
/// If `block` is empty, no multiple of 512 bytes long, or longer than [`SIZE_MAX`].
pub fn seal(block: &mut [u8], vlf: u32, number: u32) {
    let whole = !block.is_empty() && block.len().is_multiple_of(UNIT) && block.len() <= SIZE_MAX;
    assert!(whole, "a log block has 1 to 127 units of 512 bytes");
    let size = u16::try_from(block.len()).expect("the assertion above bounds it");
    put(block, BLOCK_SIZE, &size.to_le_bytes());
    put(block, LSN, &Lsn::from_parts(vlf, number, 1).to_bytes());
    let sum = checksum(block);
    put(block, CHECKSUM, &sum.to_le_bytes());
}

/// Judges the log block that fills `block` and ought to be number `number` of `vlf`.
#[must_use]
pub fn check(block: &[u8], vlf: u32, number: u32) -> BlockVerdict {
    let stored = bytes::u32_at(block, CHECKSUM);
    if size_of(block) != Some(block.len()) {
        BlockVerdict::WrongSize
    } else if lsn_of(block) != Lsn::from_parts(vlf, number, 1) {
        BlockVerdict::WrongPlace
    } else if stored == 0 {
        BlockVerdict::Unprotected
    } else if stored == checksum(block) {
        BlockVerdict::Sound
    } else {
        BlockVerdict::Bad
    }
}

/// The size that a block's header claims, in bytes, or `None` if no block can have it.
#[must_use]
pub fn size_of(header: &[u8]) -> Option<usize> {
    let size = usize::from(bytes::u16_at(header, BLOCK_SIZE));
    (size > 0 && size.is_multiple_of(UNIT)).then_some(size)
}

/// The place that a block's header claims.
#[must_use]
pub fn lsn_of(header: &[u8]) -> Lsn {
    Lsn::read(header, LSN)
}

/// The rolling sum of the block as if its checksum were zero: it lies in the first sector, so each
/// sector after that has turned it by one bit.
fn checksum(block: &[u8]) -> u32 {
    let stored = bytes::u32_at(block, CHECKSUM);
    let turns = (block.len() / UNIT).saturating_sub(1) % 32;
    sector_roll(block) ^ stored.rotate_left(u32::try_from(turns).unwrap_or(0))
}
