//! Data pages: their header, their checksum, and the PFS pages that say which of them are in use.
//!
//! Start at [`check`] and [`seal`]. Only allocated pages may be judged: a backup copies whole
//! extents, and the unused slots in them hold whatever the disk held.
//!
//! This file never decides whether a page is allocated; it only reads the bits.

use serde::{Deserialize, Serialize};

use crate::bytes::{self, put};
use crate::checksum::sector_roll;

/// Bytes in a page.
pub const SIZE: usize = 8192;
/// Pages in an extent.
pub const EXTENT_PAGES: usize = 8;
/// Bytes in an extent.
pub const EXTENT_SIZE: usize = SIZE * EXTENT_PAGES;
/// Bytes in the header of a page.
pub const HEADER_SIZE: usize = 96;
/// Pages whose allocation one PFS page describes.
pub const PFS_INTERVAL: u32 = 8088;
/// Page type of PFS pages.
pub const TYPE_PFS: u8 = 11;
/// Page type of the filler extents that stripes and differentials hold.
pub const TYPE_FILLER: u8 = 0x65;
/// Flag bit: the page has a checksum.
pub const FLAG_CHECKSUM: u16 = 0x200;
/// Flag bit: the page has torn-page detection bits.
pub const FLAG_TORN: u16 = 0x100;
/// Flag bit said to mark encrypted pages (TDE); not seen by us.
pub const FLAG_ENCRYPTED: u16 = 0x800;

const TYPE: usize = 1;
const FLAGS: usize = 4;
const PAGE_ID: usize = 32;
const FILE_ID: usize = 36;
const TORN_BITS: usize = 60;
const PFS_BYTES: usize = 100;
const PFS_ALLOCATED: u8 = 0x40;

/// The fields of a page header that Stopmark reads and writes; the rest of the 96 bytes is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHeader {
    /// 1 data, 2 index, 3 and 4 text, 8 GAM, 9 SGAM, 10 IAM, 11 PFS, 13 boot, 15 file header.
    pub page_type: u8,
    /// Flag word; [`FLAG_CHECKSUM`] and [`FLAG_TORN`] tell how the page is protected.
    pub flags: u16,
    /// Number of the page in its file.
    pub page_id: u32,
    /// Number of the file.
    pub file_id: u16,
    /// Checksum or torn bits, as the flags say.
    pub torn_bits: u32,
}

/// What a page's own protection says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageVerdict {
    /// The checksum is right.
    Sound,
    /// The torn-page bits agree: weaker than a checksum.
    NotTorn,
    /// The page has no protection, so nothing can be said.
    Unprotected,
    /// Checksum or torn bits are wrong.
    Bad,
}

impl PageHeader {
    /// Reads the header of a page; missing bytes count as zero.
    #[must_use]
    pub fn read(page: &[u8]) -> Self {
        Self {
            page_type: bytes::u8_at(page, TYPE),
            flags: bytes::u16_at(page, FLAGS),
            page_id: bytes::u32_at(page, PAGE_ID),
            file_id: bytes::u16_at(page, FILE_ID),
            torn_bits: bytes::u32_at(page, TORN_BITS),
        }
    }

    /// Writes these fields and header version 1 into a page, touching nothing else.
    pub fn write(&self, page: &mut [u8; SIZE]) {
        page[0] = 1;
        page[TYPE] = self.page_type;
        put(page, FLAGS, &self.flags.to_le_bytes());
        put(page, PAGE_ID, &self.page_id.to_le_bytes());
        put(page, FILE_ID, &self.file_id.to_le_bytes());
        put(page, TORN_BITS, &self.torn_bits.to_le_bytes());
    }
}

/// Gives the page a checksum: sets its flag and stores the sum. Call it after the last change.
pub fn seal(page: &mut [u8; SIZE]) {
    let flags = bytes::u16_at(page, FLAGS) & !FLAG_TORN | FLAG_CHECKSUM;
    put(page, FLAGS, &flags.to_le_bytes());
    let sum = checksum(page);
    put(page, TORN_BITS, &sum.to_le_bytes());
}

/// Judges a page by its own protection. A slice that is no whole page is [`PageVerdict::Bad`].
#[must_use]
pub fn check(page: &[u8]) -> PageVerdict {
    let Ok(page) = <&[u8; SIZE]>::try_from(page) else {
        return PageVerdict::Bad;
    };
    let header = PageHeader::read(page);
    if header.flags & FLAG_CHECKSUM != 0 {
        if checksum(page) == header.torn_bits {
            PageVerdict::Sound
        } else {
            PageVerdict::Bad
        }
    } else if header.flags & FLAG_TORN != 0 {
        if is_torn(page, header.torn_bits) {
            PageVerdict::Bad
        } else {
            PageVerdict::NotTorn
        }
    } else if is_sealed_but_for(page, FLAG_CHECKSUM) {
        PageVerdict::Bad
    } else {
        PageVerdict::Unprotected
    }
}

/// Whether the checksum would be right if this flag were the other way round. That does not come
/// about by chance, so the flag is damaged: without this look a page could lose the very bit that
/// says that it has a checksum, and pass.
pub(crate) fn is_sealed_but_for(page: &[u8; SIZE], flag: u16) -> bool {
    // The flags lie in the first of sixteen sectors, which those after it turned by fifteen bits.
    let changed = u32::from(flag).rotate_left(15);
    checksum(page) ^ changed == bytes::u32_at(page, TORN_BITS)
}

/// Whether the page with this number is a PFS page: number 1 and every multiple of 8088.
#[must_use]
pub fn is_pfs(page_id: u32) -> bool {
    page_id == 1 || page_id != 0 && page_id.is_multiple_of(PFS_INTERVAL)
}

/// The number of the PFS page that describes this page.
#[must_use]
pub fn pfs_of(page_id: u32) -> u32 {
    (page_id / PFS_INTERVAL * PFS_INTERVAL).max(1)
}

/// Whether the PFS page `pfs` says that `page_id`, one of its pages, is in use.
#[must_use]
pub fn is_allocated(pfs: &[u8], page_id: u32) -> bool {
    bytes::u8_at(pfs, pfs_byte(page_id)) & PFS_ALLOCATED != 0
}

/// Notes in the PFS page `pfs` whether `page_id` is in use. Seal the page afterwards.
pub fn set_allocated(pfs: &mut [u8; SIZE], page_id: u32, allocated: bool) {
    let byte = &mut pfs[pfs_byte(page_id)];
    *byte = *byte & !PFS_ALLOCATED | if allocated { PFS_ALLOCATED } else { 0 };
}

fn pfs_byte(page_id: u32) -> usize {
    PFS_BYTES + (page_id % PFS_INTERVAL) as usize
}

/// The rolling sum of the page as if its torn bits were zero: they lie in the first of sixteen
/// sectors, so the fifteen after it have turned them by fifteen bits.
fn checksum(page: &[u8; SIZE]) -> u32 {
    let stored = bytes::u32_at(page, TORN_BITS);
    sector_roll(page) ^ stored.rotate_left(15)
}

/// Torn-page detection keeps two bits in the last byte of each sector but the first.
fn is_torn(page: &[u8; SIZE], torn_bits: u32) -> bool {
    let sectors = page.as_chunks::<512>().0;
    sectors
        .iter()
        .skip(1)
        .any(|sector| u32::from(sector[511] & 3) != torn_bits & 3)
}
