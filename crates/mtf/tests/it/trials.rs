//! Trials: media cut everywhere and every bit flipped that a checksum covers.
//!
//! Start at [`a_cut_at_any_byte_is_found`] and [`every_flipped_bit_under_a_checksum_is_found`].
//!
//! These tests never look at what was found, only whether it was.

use mtf::{BackupKind, Level, MediaWriter, Scanner};

use crate::common::{Medium, family, scan, time};
use crate::cover::{covered, length, nth};
use crate::damage::{LETTERS, find};
use crate::dice::Dice;

#[test]
fn a_cut_at_any_byte_is_found() {
    let bytes = Medium::new(BackupKind::Log, 0, 0).write();
    for length in 0..bytes.len() {
        let report = scan(&bytes[..length]);
        assert!(!report.is_sound(), "cut at {length}");
        assert!(
            report.findings.iter().any(|f| f.level == Level::Structure),
            "cut at {length}"
        );
    }
    assert!(scan(&bytes).is_sound());
}

/// Whether a look at headers alone finds that the medium is cut at `length`.
fn is_cut_found(bytes: &[u8], length: usize) -> bool {
    let mut scanner = Scanner::new().up_to(Level::Structure);
    scanner.feed(&bytes[..length]);
    let report = scanner.finish().0;
    let structure = report.findings.iter().find(|f| f.level == Level::Structure);
    structure.is_some() && !report.is_sound()
}

#[test]
fn a_cut_in_data_or_log_is_found_by_headers_alone() {
    let mut dice = Dice::new();
    for bytes in media_of_all_kinds() {
        for cut in (0..40).map(|_| dice.below(bytes.len())) {
            let is_between_sets = bytes[cut..].starts_with(b"SSET") && cut > 2048;
            assert!(is_between_sets || is_cut_found(&bytes, cut), "cut at {cut}");
        }
        for sectors in 1..20 {
            let cut = bytes.len() - sectors * 512;
            assert!(is_cut_found(&bytes, cut), "{sectors} sectors less");
        }
    }
}

/// What is cut between two backup sets is a whole file of fewer sets; only a catalogue knows.
#[test]
fn a_cut_between_two_backup_sets_is_the_only_one_that_structure_cannot_find() {
    let first = Medium::new(BackupKind::Log, 0, 0);
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    first.write_set(&mut writer);
    first.write_set(&mut writer);
    let bytes = writer.finish().expect("memory");
    let between = find(&bytes, *b"SSET", 1);
    let hidden: Vec<usize> = (1..bytes.len())
        .filter(|cut| !is_cut_found(&bytes, *cut))
        .collect();
    assert_eq!(hidden, [between]);
    assert_eq!(scan(&bytes[..between]).sets.len(), 1);
}

/// Whether the medium with this bit flipped is still called sound.
fn hides(bytes: &mut [u8], at: usize, bit: usize) -> bool {
    bytes[at] ^= 1 << bit;
    let is_sound = scan(bytes).is_sound();
    bytes[at] ^= 1 << bit;
    is_sound
}

/// How many of `trials` single flipped bits, spread over the medium, are found.
fn flips_found(mut bytes: Vec<u8>, trials: usize) -> usize {
    let mut dice = Dice::new();
    let mut is_found = || {
        let at = dice.below(bytes.len());
        !hides(&mut bytes, at, dice.below(8))
    };
    (0..trials).filter(|_| is_found()).count()
}

/// The shares that were measured on real media; without checksums they hang on how much is padding.
#[test]
fn flipped_bits_are_found_where_there_are_checksums() {
    let full = Medium::new(BackupKind::Full, 16, 100);
    let log = Medium::new(BackupKind::Log, 0, 1000);
    assert!(flips_found(full.clone().with_checksums().write(), 60) >= 58);
    assert!(flips_found(log.clone().with_checksums().write(), 60) >= 55);
    assert!(flips_found(full.write(), 60) >= 54);
    assert!(flips_found(log.write(), 60) >= 36);
}

/// Media of every kind, each whole.
fn media_of_all_kinds() -> Vec<Vec<u8>> {
    let full = Medium::new(BackupKind::Full, 3, 20);
    let log = Medium::new(BackupKind::Log, 0, 90);
    let mut stripe = full.clone();
    stripe.family.family_count = 2;
    let mut large = full.clone();
    large.family.filemark_bytes = 4096;
    let mut both = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    full.write_set(&mut both);
    log.clone().with_checksums().write_set(&mut both);
    vec![
        full.clone().with_checksums().write(),
        full.write(),
        log.clone().with_checksums().write(),
        log.write(),
        stripe.write(),
        large.with_checksums().write(),
        Medium::new(BackupKind::Log, 0, 0).write(),
        both.finish().expect("memory"),
    ]
}

#[test]
fn every_flipped_bit_under_a_checksum_is_found() {
    let mut dice = Dice::new();
    for (medium, mut bytes) in media_of_all_kinds().into_iter().enumerate() {
        assert!(scan(&bytes).is_sound());
        let ranges = covered(&bytes);
        let total = length(&ranges);
        for _ in 0..800 {
            let (at, bit) = (nth(&ranges, dice.below(total)), dice.below(8));
            assert!(
                !hides(&mut bytes, at, bit),
                "medium {medium}: bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn every_flipped_bit_in_the_header_of_a_page_is_found() {
    let mut bytes = Medium::new(BackupKind::Full, 2, 1).write();
    let data = find(&bytes, *b"MSDA", 0) + 1024;
    for page in [0, 1, 2, 7, 8, 13] {
        for at in (0..96).map(|offset| data + page * 8192 + offset) {
            for bit in 0..8 {
                assert!(
                    !hides(&mut bytes, at, bit),
                    "page {page}: bit {bit} of byte {at}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_bit_in_the_header_of_a_log_block_is_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let log = find(&bytes, *b"MSTL", 0) + 1024;
    for block in [0, 1, 3] {
        for at in (0..72).map(|offset| log + block * 512 + offset) {
            for bit in 0..8 {
                assert!(
                    !hides(&mut bytes, at, bit),
                    "block {block}: bit {bit} of byte {at}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_header_is_found() {
    let bytes = Medium::new(BackupKind::Log, 0, 0).write();
    for letters in LETTERS {
        let at = find(&bytes, letters, 0);
        for bit in 0..52 * 8 {
            let mut flipped = bytes.clone();
            flipped[at + bit / 8] ^= 1 << (bit % 8);
            assert!(
                !scan(&flipped).is_sound(),
                "bit {bit} of {}",
                letters.escape_ascii()
            );
        }
    }
}
