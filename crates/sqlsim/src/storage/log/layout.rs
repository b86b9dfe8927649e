//! Where log blocks lie: virtual log files, their blocks, and which block comes next. Pure.
//!
//! As SQL Server has it, the file begins with an 8 KiB page and each virtual log file with another,
//! so that the first block of any of them is number 16.

use mtf::Lsn;

/// Bytes of a virtual log file.
pub const VLF_BYTES: u64 = 512 * 1024;
/// Bytes before the first virtual log file, and before the first block inside each.
pub const HEADER_BYTES: u64 = 8192;
/// The number of the first block of a virtual log file.
pub const FIRST_BLOCK: u32 = 16;
/// The largest block written here: 60 KiB, as SQL Server's.
pub const BLOCK_BYTES_MAX: usize = 60 * 1024;
/// The first virtual log file of a new database; real ones begin well above 1, too.
pub const FIRST_VLF: u32 = 32;

const UNIT: u64 = mtf::block::UNIT as u64;
/// A virtual log file in the units that blocks are numbered by.
pub const UNITS: u32 = 1024;
/// The largest block in the same.
pub const BLOCK_UNITS_MAX: usize = BLOCK_BYTES_MAX / mtf::block::UNIT;

const _: () = assert!(UNITS as u64 * UNIT == VLF_BYTES, "they tell one size");

/// The LSN of the first record in a virtual log file.
#[must_use]
pub const fn first_of(vlf: u32) -> Lsn {
    Lsn::from_parts(vlf, FIRST_BLOCK, 1)
}

/// The LSN of the block itself, whatever record of it `lsn` names.
#[must_use]
pub const fn block_of(lsn: Lsn) -> Lsn {
    Lsn::from_parts(lsn.vlf, lsn.block, 1)
}

/// Where the block after this one begins: right behind it, or in the next virtual log file.
///
/// # Panics
/// Never: a place inside a virtual log file has a number that fits.
#[must_use]
pub fn after(block: Lsn, size_bytes: usize) -> Lsn {
    let next = offset_in_vlf(block) + size_bytes as u64;
    if next >= VLF_BYTES {
        return first_of(block.vlf + 1);
    }
    let number = u32::try_from(next / UNIT).expect("a virtual log file is smaller than 2 TiB");
    Lsn::from_parts(block.vlf, number, 1)
}

/// The bytes that are left at this place of a virtual log file, where they are too few for the
/// largest block. They are filled at once by a block without records, so that the LSN "after the
/// log" never depends on what will be written, and the log has no holes.
#[must_use]
pub fn too_little_room(at: Lsn) -> Option<usize> {
    let left = usize::try_from(VLF_BYTES.saturating_sub(offset_in_vlf(at))).ok()?;
    (0 < left && left < BLOCK_BYTES_MAX).then_some(left)
}

/// Where a slot of the file begins, in bytes.
#[must_use]
pub const fn slot_start(slot: usize) -> u64 {
    HEADER_BYTES + slot as u64 * VLF_BYTES
}

/// Where a block begins inside its virtual log file, in bytes.
#[must_use]
pub fn offset_in_vlf(block: Lsn) -> u64 {
    u64::from(block.block) * UNIT
}

/// How many bytes of log lie between two LSNs, headers left out; about right across reused parts.
#[must_use]
pub fn distance_bytes(from: Lsn, to: Lsn) -> u64 {
    let place = |lsn: Lsn| u64::from(lsn.vlf) * VLF_BYTES + offset_in_vlf(lsn);
    place(to).saturating_sub(place(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_behind_the_last_is_the_first_of_the_next() {
        let last = Lsn::from_parts(7, 1023, 1);
        assert_eq!(after(last, 512), first_of(8));
        assert_eq!(after(first_of(7), 1024), Lsn::from_parts(7, 18, 1));
    }

    #[test]
    fn a_place_is_filled_only_if_the_largest_block_does_not_fit() {
        assert_eq!(too_little_room(Lsn::from_parts(7, 1024 - 120, 1)), None);
        assert_eq!(
            too_little_room(Lsn::from_parts(7, 1024 - 119, 1)),
            Some(119 * 512)
        );
        assert_eq!(too_little_room(first_of(7)), None);
    }
}
