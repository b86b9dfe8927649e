//! Damage: cuts are found by structure, flipped bits by content, lies by comparison.
//!
//! Start at [`a_cut_at_any_byte_is_found`].
//!
//! Nothing here is hostile; that is [`hostile`](crate::hostile).

use mtf::{BackupKind, BackupSet, FindingKind, Level, Lsn, MediaWriter, Report, Scanner, Severity};

use crate::common::{Medium, family, scan, time};
use crate::cover::{covered, length, nth};
use crate::dice::Dice;

/// The blocks of a log backup.
pub(crate) const LETTERS: [[u8; 4]; 8] = [
    *b"TAPE", *b"SFMB", *b"SSET", *b"VOLB", *b"MSCI", *b"MSTL", *b"MSLS", *b"ESET",
];

/// Offset of the nth place where `letters` stand on a 512-byte boundary.
pub(crate) fn find(bytes: &[u8], letters: [u8; 4], nth: usize) -> usize {
    let sectors = bytes.chunks(512).enumerate();
    let mut places = sectors.filter(|(_, sector)| sector.starts_with(&letters));
    places.nth(nth).expect("there are as many").0 * 512
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report
        .findings
        .iter()
        .map(|finding| finding.kind.clone())
        .collect()
}

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

#[test]
fn bytes_behind_the_end_are_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 1).write();
    let length = bytes.len() as u64;
    bytes.extend([0; 1024]);
    let report = scan(&bytes);
    assert_eq!(kinds(&report), [FindingKind::BadBlockHeader]);
    assert_eq!(report.findings[0].offset, length);
}

#[test]
fn a_missing_chunk_is_found() {
    let bytes = Medium::new(BackupKind::Full, 3, 9).write();
    let volume = find(&bytes, *b"VOLB", 0);
    let cut = [&bytes[..volume], &bytes[volume + 1024..]].concat();
    assert!(kinds(&scan(&cut)).contains(&FindingKind::Misplaced));
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

#[test]
fn a_damaged_page_is_named_with_its_place() {
    let medium = Medium::new(BackupKind::Full, 3, 1);
    let mut bytes = medium.write();
    let page = find(&bytes, *b"MSDA", 0) + 1024 + 8192 * 13;
    bytes[page + 5000] ^= 4;
    let report = scan(&bytes);
    assert_eq!(
        kinds(&report),
        [FindingKind::PageDamaged {
            file_id: 1,
            page_id: 13
        }]
    );
    assert_eq!(report.findings[0].offset, page as u64);
    assert_eq!(report.findings[0].level, Level::Content);
    assert_eq!(report.worst(), Some(Severity::Damage));
    assert_eq!(report.sets[0].coverage.pages.bad, 1);
}

#[test]
fn a_page_in_the_place_of_another_is_damage() {
    let mut medium = Medium::new(BackupKind::Full, 2, 1);
    let other = medium.data[8192 * 3..8192 * 4].to_vec();
    medium.data[8192 * 12..8192 * 13].copy_from_slice(&other);
    let report = scan(&medium.write());
    assert_eq!(
        kinds(&report),
        [FindingKind::PageDamaged {
            file_id: 1,
            page_id: 12
        }]
    );
}

#[test]
fn a_free_page_is_not_judged() {
    let mut medium = Medium::new(BackupKind::Full, 2, 1);
    let pfs = <&mut [u8; 8192]>::try_from(&mut medium.data[8192..16384]).expect("a page");
    mtf::page::set_allocated(pfs, 12, false);
    mtf::page::seal(pfs);
    medium.data[8192 * 12 + 500] ^= 1;
    let report = scan(&medium.write());
    assert_eq!(report.findings, []);
    let pages = report.sets[0].coverage.pages;
    assert_eq!((pages.verified, pages.free), (15, 1));
}

#[test]
fn a_damaged_page_whose_use_is_unknown_is_only_suspect() {
    let mut medium = Medium::new(BackupKind::Differential, 2, 1);
    medium.data.drain(..65536);
    medium.data[8192 * 2 + 500] ^= 1;
    medium.identity.files[0].pages_in_backup = 8;
    let report = scan(&medium.write());
    assert_eq!(
        kinds(&report),
        [FindingKind::PageSuspect {
            file_id: 1,
            page_id: 10
        }]
    );
    assert!(!report.is_sound());
    assert_eq!(report.worst(), Some(Severity::Suspect));
    let pages = report.sets[0].coverage.pages;
    assert_eq!((pages.unplaced_sound, pages.unplaced_suspect), (7, 1));
}

#[test]
fn fillers_are_not_pages() {
    let mut medium = Medium::new(BackupKind::Full, 1, 1);
    let mut filler = vec![0; 65536];
    filler
        .chunks_mut(8192)
        .for_each(|page| page[..4].copy_from_slice(&[1, 0x65, 0, 0]));
    medium.data.extend(filler);
    let report = scan(&medium.write());
    assert_eq!(report.findings, []);
    let pages = report.sets[0].coverage.pages;
    assert_eq!((pages.seen, pages.fillers), (8, 8));
}

#[test]
fn a_damaged_log_block_is_named_by_its_lsn() {
    let mut medium = Medium::new(BackupKind::Log, 0, 9);
    medium.log[600] ^= 1;
    let report = scan(&medium.write());
    let FindingKind::LogBlockDamaged { lsn, .. } = kinds(&report)[0] else {
        panic!("{:?}", report.findings);
    };
    assert_eq!(lsn, Lsn::from_parts(35, 17, 1));
    assert_eq!(
        report.findings[0].kind.to_string(),
        "log block 00000023:00000011:0001 is damaged"
    );
    assert_eq!(
        (
            report.sets[0].coverage.log.bad,
            report.sets[0].coverage.log.blocks
        ),
        (1, 6)
    );
}

#[test]
fn a_checksum_of_the_stream_finds_what_blocks_cannot() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).with_checksums().write();
    let padding = find(&bytes, *b"MSTL", 0) + 1024 + 512 * 20;
    bytes[padding] ^= 1;
    let report = scan(&bytes);
    assert_eq!(kinds(&report), [FindingKind::StreamChecksumWrong]);
    assert_eq!(report.sets[0].coverage.streams.bad, 1);
}

#[test]
fn a_set_that_promises_checksums_must_have_them() {
    let medium = Medium::new(BackupKind::Log, 0, 9);
    let mut bytes = medium.write();
    for block in [*b"MSCI", *b"MSLS"] {
        let flags = find(&bytes, block, 0) + 56 + 22 + 8;
        bytes[flags] |= 0x10;
    }
    assert_eq!(kinds(&scan(&bytes)), [FindingKind::StreamChecksumMissing]);
}

/// A medium whose two identities are not the same.
fn write_copies(medium: &Medium, front: &BackupSet) -> Vec<u8> {
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    writer.begin_set(front).expect("memory");
    writer
        .data(medium.data.len() as u64, &mut medium.data.as_slice())
        .expect("as much");
    writer
        .log(&medium.extent, &mut medium.log.as_slice())
        .expect("as much");
    writer.end_set(&medium.identity).expect("memory");
    writer.finish().expect("memory")
}

#[test]
fn copies_of_the_identity_must_agree() {
    let medium = Medium::new(BackupKind::Full, 1, 1);
    let same = medium.identity.clone();
    let renamed = BackupSet {
        database_name: "Other".to_owned(),
        ..same.clone()
    };
    let mut refiled = same.clone();
    refiled.files[1].logical_name.push('x');
    let moved = BackupSet {
        checkpoint_lsn: Lsn::from_parts(1, 2, 3),
        ..same.clone()
    };
    for (front, field) in [
        (renamed, "database name"),
        (moved, "LSNs"),
        (refiled, "files"),
    ] {
        let report = scan(&write_copies(&medium, &front));
        assert_eq!(
            kinds(&report),
            [FindingKind::CopiesDisagree {
                field: field.to_owned()
            }]
        );
        assert_eq!(
            report.sets[0].identity, same,
            "the copy behind the contents is the truth"
        );
    }
}

#[test]
fn since_2019_the_front_lsns_are_provisional() {
    let mut medium = Medium::new(BackupKind::Full, 1, 1);
    medium.identity.server_version.major = 16;
    let earlier = Lsn::from_parts(1, 2, 3);
    let front = BackupSet {
        first_lsn: earlier,
        last_lsn: earlier,
        checkpoint_lsn: earlier,
        ..medium.identity.clone()
    };
    assert_eq!(scan(&write_copies(&medium, &front)).findings, []);
}

#[test]
fn the_log_must_begin_and_end_where_the_identity_says() {
    let mut first = Medium::new(BackupKind::Log, 0, 9);
    first.identity.first_lsn.block += 1;
    let mut last = Medium::new(BackupKind::Log, 0, 9);
    last.identity.last_lsn.block += 1;
    for (medium, lsn) in [
        (&first, first.identity.first_lsn),
        (&last, last.identity.last_lsn),
    ] {
        assert_eq!(
            kinds(&scan(&medium.write())),
            [FindingKind::LogRangeDisagrees { lsn }]
        );
    }
}

#[test]
fn missing_pages_are_counted() {
    let mut medium = Medium::new(BackupKind::Full, 2, 1);
    medium.identity.files[0].pages_in_backup = 20;
    let missing = FindingKind::PagesDisagree {
        expected: 20,
        found: 16,
    };
    assert_eq!(kinds(&scan(&medium.write())), [missing]);
}

#[test]
fn a_backup_set_that_belongs_elsewhere_in_the_file_is_misplaced() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let address = find(&bytes, *b"SSET", 0) + 80;
    bytes[address] ^= 1;
    assert_eq!(kinds(&scan(&bytes)), [FindingKind::Misplaced]);
}

#[test]
fn an_end_of_another_backup_set_is_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let number = find(&bytes, *b"ESET", 1) + 78;
    bytes[number] ^= 1;
    assert_eq!(kinds(&scan(&bytes)), [FindingKind::EndDisagrees]);
}

#[test]
fn a_filemark_that_lists_others_is_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let mark = find(&bytes, *b"SFMB", 2) + 72;
    bytes[mark + 1] ^= 2;
    assert_eq!(kinds(&scan(&bytes)), [FindingKind::FilemarksDisagree]);
}
