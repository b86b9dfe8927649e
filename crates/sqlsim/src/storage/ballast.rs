//! Ballast: sealed pages of a data file that hold no rows, so that a small database weighs gigabytes. Pure.
//!
//! Start at [`extent`]. Each extent is a function of its number alone, so that ballast is never kept: a
//! backup makes it as it writes, a restore proves it as it passes and lets it go. It begins at
//! [`FIRST_PAGE`], far behind all rows.

use mtf::page::{self, EXTENT_PAGES, EXTENT_SIZE, PageHeader};

/// The page that ballast begins at: a PFS page and the first of its extent, 8 GB into the file.
pub const FIRST_PAGE: u32 = page::PFS_INTERVAL * 128;

/// Pages of an extent, as page numbers count.
const PAGES: u32 = 8;
const _: () = assert!(PAGES as usize == EXTENT_PAGES);
const TYPE_DATA: u8 = 1;
/// What of a page is noise; the rest is zero, so that ballast compresses as data do, by about half.
const NOISE: std::ops::Range<usize> = page::HEADER_SIZE..page::SIZE / 2;

/// How many extents hold this many bytes of ballast.
#[must_use]
pub fn extents_of(bytes: u64) -> u32 {
    let room = (u32::MAX - FIRST_PAGE) / PAGES;
    u32::try_from(bytes.div_ceil(EXTENT_SIZE as u64)).map_or(room, |extents| extents.min(room))
}

/// The index of the extent that begins with this page; none where that is no ballast.
#[must_use]
pub fn index_of(page_id: u32) -> Option<u32> {
    let behind = page_id.checked_sub(FIRST_PAGE)?;
    behind.is_multiple_of(PAGES).then_some(behind / PAGES)
}

/// The pages of the ballast's extent of this index, from 0.
#[must_use]
pub fn extent(index: u32) -> Vec<u8> {
    let first = FIRST_PAGE + index * PAGES;
    let pages = (first..).take(EXTENT_PAGES);
    pages.flat_map(page_of).collect()
}

fn page_of(page_id: u32) -> [u8; page::SIZE] {
    let mut bytes = [0; page::SIZE];
    let is_pfs = page::is_pfs(page_id);
    let header = PageHeader {
        page_type: if is_pfs { page::TYPE_PFS } else { TYPE_DATA },
        page_id,
        file_id: 1,
        ..PageHeader::default()
    };
    header.write(&mut bytes);
    if is_pfs {
        // All that it could speak of counts as allocated; what was never written is never asked for.
        (page_id..page_id + page::PFS_INTERVAL)
            .for_each(|id| page::set_allocated(&mut bytes, id, true));
    } else {
        fill(&mut bytes[NOISE], page_id.into());
    }
    page::seal(&mut bytes);
    bytes
}

/// Noise by splitmix64, seeded with the page's number.
fn fill(bytes: &mut [u8], seed: u64) {
    let mut state = seed;
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let word = (word ^ (word >> 31)).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_ballast_is_sound_and_says_where_it_lies() {
        for index in [0, 1, 1010, 1011, 65_536] {
            let first = FIRST_PAGE + index * 8;
            for (page_id, page) in (first..).zip(extent(index).chunks(page::SIZE)) {
                assert_eq!(page::check(page), page::PageVerdict::Sound);
                assert_eq!(PageHeader::read(page).page_id, page_id);
                assert_eq!(page[1] == page::TYPE_PFS, page::is_pfs(page_id));
            }
        }
    }

    #[test]
    fn absurd_sizes_end_where_page_numbers_do() {
        let most = extents_of(u64::MAX);
        assert!(FIRST_PAGE.checked_add((most - 1) * 8 + 7).is_some());
        assert_eq!(
            (extents_of(0), extents_of(1), extents_of(65_537)),
            (0, 1, 2)
        );
    }
}
