//! Damage, each kind once: what is found, where, and how grave it is; and lies, found by comparison.
//!
//! Start at [`a_damaged_page_is_named_with_its_place`].
//!
//! Damage by the thousand is in [`trials`](crate::trials), what is hostile in
//! [`hostile`](crate::hostile).

use mtf::{BackupKind, BackupSet, FindingKind, Level, Lsn, MediaWriter, Report, Severity};

use crate::common::{Medium, family, scan, time};

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

pub(crate) fn kinds(report: &Report) -> Vec<FindingKind> {
    report
        .findings
        .iter()
        .map(|finding| finding.kind.clone())
        .collect()
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
fn a_single_bit_in_a_free_page_that_is_empty_is_suspect() {
    let mut medium = Medium::new(BackupKind::Full, 2, 1);
    let pfs = <&mut [u8; 8192]>::try_from(&mut medium.data[8192..16384]).expect("a page");
    mtf::page::set_allocated(pfs, 12, false);
    mtf::page::seal(pfs);
    medium.data[8192 * 12..8192 * 13].fill(0);
    assert_eq!(scan(&medium.write()).findings, []);
    medium.data[8192 * 12 + 500] = 0x10;
    let suspect = FindingKind::PageSuspect {
        file_id: 1,
        page_id: 12,
    };
    assert_eq!(kinds(&scan(&medium.write())), [suspect]);
    medium.data[8192 * 12 + 501] = 1;
    assert_eq!(scan(&medium.write()).findings, [], "stale bytes are usual");
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
