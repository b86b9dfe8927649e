//! Pages and log blocks on their own: sealing, checking, allocation.
//!
//! Nothing here reads media.

use mtf::block::{self, BlockVerdict};
use mtf::page::{self, PageHeader, PageVerdict};

fn sealed() -> [u8; page::SIZE] {
    let mut raw = [7; page::SIZE];
    PageHeader {
        page_type: 1,
        page_id: 42,
        file_id: 3,
        ..PageHeader::default()
    }
    .write(&mut raw);
    page::seal(&mut raw);
    raw
}

#[test]
fn a_sealed_page_is_sound_and_keeps_its_header() {
    let raw = sealed();
    assert_eq!(page::check(&raw), PageVerdict::Sound);
    let header = PageHeader::read(&raw);
    assert_eq!(
        (header.page_type, header.page_id, header.file_id),
        (1, 42, 3)
    );
    assert_eq!(header.flags & page::FLAG_CHECKSUM, page::FLAG_CHECKSUM);
}

#[test]
fn any_flipped_bit_of_a_sealed_page_is_found() {
    let sound = sealed();
    for bit in (0..page::SIZE * 8).filter(|bit| bit % 131 == 0) {
        let mut raw = sound;
        raw[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(page::check(&raw), PageVerdict::Sound, "bit {bit}");
    }
}

#[test]
fn a_page_without_protection_is_not_judged_and_half_a_page_is_bad() {
    let raw = [0; page::SIZE];
    assert_eq!(page::check(&raw), PageVerdict::Unprotected);
    assert_eq!(page::check(&raw[..4096]), PageVerdict::Bad);
}

#[test]
fn torn_bits_must_be_the_same_in_all_sectors() {
    let mut raw = [0; page::SIZE];
    let flags = page::FLAG_TORN;
    PageHeader {
        page_type: 1,
        flags,
        torn_bits: 2,
        ..PageHeader::default()
    }
    .write(&mut raw);
    for sector in 1..16 {
        raw[sector * 512 + 511] = 2;
    }
    assert_eq!(page::check(&raw), PageVerdict::NotTorn);
    raw[9 * 512 + 511] = 1;
    assert_eq!(page::check(&raw), PageVerdict::Bad);
}

#[test]
fn pfs_pages_stand_at_one_and_at_every_8088() {
    let pfs: Vec<u32> = (0..20_000).filter(|id| page::is_pfs(*id)).collect();
    assert_eq!(pfs, [1, 8088, 16176]);
    assert_eq!(
        [0, 1, 8087, 8088, 16175].map(page::pfs_of),
        [1, 1, 1, 8088, 8088]
    );
}

#[test]
fn allocation_is_noted_per_page() {
    let mut pfs = [0; page::SIZE];
    page::set_allocated(&mut pfs, 8090, true);
    assert!(page::is_allocated(&pfs, 8090));
    assert!(!page::is_allocated(&pfs, 8091));
    page::set_allocated(&mut pfs, 8090, false);
    assert!(!page::is_allocated(&pfs, 8090));
}

#[test]
fn a_sealed_log_block_is_sound_only_in_its_place() {
    let mut raw = vec![3; 1024];
    block::seal(&mut raw, 35, 17);
    assert_eq!(block::check(&raw, 35, 17), BlockVerdict::Sound);
    assert_eq!(block::check(&raw, 35, 18), BlockVerdict::WrongPlace);
    assert_eq!(block::check(&raw[..512], 35, 17), BlockVerdict::WrongSize);
    assert_eq!(block::size_of(&raw), Some(1024));
    assert_eq!(block::lsn_of(&raw).to_string(), "35000000001700001");
    raw[700] ^= 1;
    assert_eq!(block::check(&raw, 35, 17), BlockVerdict::Bad);
    raw[block::CHECKSUM..block::CHECKSUM + 4].fill(0);
    assert_eq!(block::check(&raw, 35, 17), BlockVerdict::Unprotected);
}

#[test]
fn the_largest_log_block_can_be_sealed() {
    let mut raw = vec![1; block::SIZE_MAX];
    block::seal(&mut raw, 1, 1);
    assert_eq!(block::check(&raw, 1, 1), BlockVerdict::Sound);
}
