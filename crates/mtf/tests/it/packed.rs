//! Compressed media: the same as plain ones to whoever reads them, and better guarded.
//!
//! Start at [`compressed_media_read_as_plain_ones`]. No compressed file of a real server was at
//! hand, so these tests hold the reader against the writer; what real ones look like was measured
//! elsewhere, on one of them.
//!
//! The tests walk the chain by themselves, in [`items`].

use std::io::Cursor;

use mtf::{
    BackupKind, Coverage, FindingKind, Level, MediaWriter, RecordCoverage, Report, Scanner,
    Severity, checksum, scan_seekable,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::common::{Collected, Medium, collect, scan, time};
use crate::damage::kinds;
use crate::stripes::pair_written;

const FIRST: usize = 0x1E0;
const HEAD: usize = 28;
const SHORT_HEAD: usize = 24;

fn compressed(medium: &Medium) -> Vec<u8> {
    let writer = MediaWriter::compressed(Vec::new(), &medium.family, time(1));
    let mut writer = writer.expect("memory takes everything");
    medium.write_set(&mut writer);
    writer.finish().expect("memory takes everything")
}

/// A full backup of four extents in some kilobytes.
fn full() -> Medium {
    let mut medium = Medium::new(BackupKind::Full, 4, 40).with_checksums();
    medium.family.filemark_bytes = 4096;
    medium
}

/// What stands in a container: first byte and place of each item.
fn items(bytes: &[u8]) -> Vec<(u8, std::ops::Range<usize>)> {
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let mut items = Vec::new();
    let mut at = FIRST;
    while at < bytes.len() {
        let length = match bytes[at] {
            0x21 => HEAD + number(at + 2),
            0x24 => SHORT_HEAD + number(at + 2),
            0x2C => SHORT_HEAD + number(at + 32),
            b'S' => number(at + 8),
            other => panic!("{other:#x} at {at} is no item"),
        };
        items.push((bytes[at], at..at + length));
        at += length;
    }
    items
}

fn records(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let items = items(bytes).into_iter();
    items
        .filter(|(kind, _)| *kind == 0x21)
        .map(|(_, place)| place)
        .collect()
}

/// Makes the checksum of a record right again.
fn seal(record: &mut [u8]) {
    let sum = checksum::word_roll(&record[HEAD..]);
    record[24..28].copy_from_slice(&sum.to_le_bytes());
}

/// The same, but for what only the container has.
fn as_plain(mut report: Report) -> (Vec<mtf::SetReport>, Option<mtf::MediaFamily>) {
    for set in &mut report.sets {
        set.coverage = Coverage {
            records: RecordCoverage::default(),
            ..set.coverage
        };
    }
    (report.sets, report.media)
}

#[test]
fn compressed_media_read_as_plain_ones() {
    for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
        for filemark_bytes in [512, 4096, 65536] {
            let mut medium = Medium::new(kind, 3, 300).with_checksums();
            medium.family.filemark_bytes = filemark_bytes;
            let (plain, contents) = collect(&medium.write());
            let bytes = compressed(&medium);
            let (packed, unpacked) = collect(&bytes);
            assert_eq!(
                packed.findings,
                [],
                "{kind:?} with filemarks of {filemark_bytes}"
            );
            assert!(packed.is_sound() && packed.is_compressed && !plain.is_compressed);
            assert_eq!(packed.bytes, bytes.len() as u64);
            assert_eq!(unpacked, contents);
            assert_eq!(as_plain(packed), as_plain(plain));
        }
    }
}

#[test]
fn every_record_of_a_backup_set_is_counted() {
    let bytes = compressed(&full());
    let seen = scan(&bytes).sets[0].coverage.records;
    // The record of the media header belongs to no backup set.
    let count = records(&bytes).len() as u64 - 1;
    assert!(count > 4, "data, log and both ends");
    assert_eq!((seen.seen, seen.verified, seen.bad), (count, count, 0));
}

#[test]
fn filemarks_stand_as_they_are_where_the_report_says() {
    let bytes = compressed(&full());
    let marks = items(&bytes).into_iter().filter(|(kind, _)| *kind == b'S');
    let mut places: Vec<u64> = marks.map(|(_, place)| place.start as u64).collect();
    places.reverse();
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|place| place % 4096 == 0));
    assert_eq!(scan(&bytes).filemarks, places);
}

#[test]
fn slices_of_any_length_make_no_difference() {
    let bytes = compressed(&full());
    let whole = collect(&bytes);
    for length in [1, 7, 511, 70_000] {
        let mut scanner = Scanner::with(Collected::default());
        bytes.chunks(length).for_each(|slice| scanner.feed(slice));
        assert_eq!(scanner.finish(), whole, "slices of {length}");
    }
}

#[test]
fn shallow_scans_check_all_records_and_decode_only_headers() {
    let mut bytes = compressed(&full());
    for level in [Level::Structure, Level::Identity, Level::Content] {
        let report = scan_seekable(&mut Cursor::new(&bytes), level).expect("it is memory");
        assert_eq!(report.findings, []);
        let set = &report.sets[0];
        assert_eq!(set.identity.database_name, full().identity.database_name);
        assert_eq!(set.coverage.pages.seen > 0, level == Level::Content);
        assert!(set.coverage.records.verified > 4);
    }
    let place = records(&bytes)[3].clone();
    bytes[place.start + 300] ^= 1;
    let report = scan_seekable(&mut Cursor::new(&bytes), Level::Structure).expect("it is memory");
    assert_eq!(kinds(&report), [FindingKind::RecordDamaged]);
    assert_eq!(report.sets.len(), 1);
}

#[test]
fn several_backup_sets_share_a_container_and_more_can_be_appended() {
    let first = full();
    let mut second = Medium::new(BackupKind::Log, 0, 9);
    second.identity.position = 2;
    second.identity.set_guid = Uuid::from_u128(55);
    let writer = MediaWriter::compressed(Vec::new(), &first.family, time(0));
    let mut writer = writer.expect("memory");
    first.write_set(&mut writer);
    second.write_set(&mut writer);
    let bytes = writer.finish().expect("memory");
    let report = scan(&bytes);
    assert_eq!(
        (report.findings.as_slice(), report.sets.len()),
        (&[][..], 2)
    );

    second.identity.position = 3;
    let mut writer = MediaWriter::append(bytes, &report).expect("the media are sound");
    second.write_set(&mut writer);
    let report = scan(&writer.finish().expect("memory"));
    assert_eq!(
        (report.findings.as_slice(), report.sets.len()),
        (&[][..], 3)
    );
    assert_eq!(report.sets[2].identity.position, 3);
}

#[test]
fn stripes_may_be_compressed() {
    let pair = pair_written(|family| MediaWriter::compressed(Vec::new(), family, time(0)));
    assert!(pair.iter().all(|report| report.is_compressed));
    let second = FindingKind::StripeOf {
        number: 2,
        count: 2,
    };
    assert_eq!(kinds(&pair[1]), [second]);
    assert_eq!(mtf::check_stripes(&pair), []);
}

#[test]
fn a_cut_at_any_byte_of_a_container_is_found() {
    let mut medium = Medium::new(BackupKind::Log, 0, 3);
    medium.family.filemark_bytes = 512;
    let bytes = compressed(&medium);
    for length in 0..bytes.len() {
        let report = scan(&bytes[..length]);
        assert!(!report.is_sound(), "cut at {length}");
        let structure = report.findings.iter().any(|f| f.level == Level::Structure);
        assert!(structure, "cut at {length}");
    }
    let whole = compressed(&full());
    let ends = items(&whole).into_iter().map(|(_, place)| place.start);
    for length in ends.flat_map(|end| [end, end + 1, end + 27, end + 28]) {
        assert!(!scan(&whole[..length]).is_sound(), "cut at {length}");
    }
}

/// The bytes of a record's head whose meaning nobody knows, and which nothing guards.
fn is_unguarded(offset_in_record: usize) -> bool {
    (4..20).contains(&offset_in_record)
}

#[test]
fn a_flipped_bit_in_a_record_is_found() {
    let bytes = compressed(&Medium::new(BackupKind::Full, 1, 40).with_checksums());
    let mut flips = 0;
    for place in records(&bytes) {
        // All of the head, and the payload at steps that fit no length of it.
        let payload = (HEAD..place.len()).step_by(271);
        for offset in (0..HEAD).chain(payload).filter(|it| !is_unguarded(*it)) {
            let mut flipped = bytes.clone();
            flipped[place.start + offset] ^= 1 << (offset % 8);
            let report = scan(&flipped);
            // A head may become one of an unknown kind; contents can only be damaged.
            let least = if offset < HEAD {
                Severity::Unreadable
            } else {
                Severity::Damage
            };
            let found = report.worst();
            assert!(
                found >= Some(least),
                "{found:?} for byte {offset} of {place:?}"
            );
            flips += 1;
        }
    }
    assert!(flips > 250, "{flips} flips");
}

#[test]
fn a_damaged_record_of_contents_leaves_the_identity_readable() {
    let mut bytes = compressed(&full());
    let place = records(&bytes)[2].clone();
    // The table of its codes: nothing of it can be decoded.
    bytes[place.start + HEAD + 10] ^= 0xFF;
    let report = scan(&bytes);
    let first = &report.findings[0];
    assert_eq!(
        (first.offset, &first.kind),
        (place.start as u64, &FindingKind::RecordDamaged)
    );
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.offset >= place.start as u64)
    );
    let set = &report.sets[0];
    assert_eq!(set.identity, full().identity);
    assert_eq!((set.coverage.records.bad, set.coverage.streams.bad), (1, 1));
}

#[test]
fn damage_in_the_first_record_is_not_taken_for_encryption() {
    let bytes = compressed(&full());
    for offset in [HEAD + 5, HEAD + 300, 24] {
        let mut flipped = bytes.clone();
        flipped[FIRST + offset] ^= 4;
        let report = scan(&flipped);
        assert_eq!(report.worst(), Some(Severity::Damage), "byte {offset}");
        assert_eq!(report.findings[0].kind, FindingKind::RecordDamaged);
        assert_eq!(report.findings[0].offset, FIRST as u64);
    }
}

#[test]
fn findings_inside_a_record_have_its_place() {
    let mut medium = full();
    medium.data[70_000] ^= 1;
    let bytes = compressed(&medium);
    let report = scan(&bytes);
    let page = report
        .findings
        .iter()
        .find(|f| matches!(f.kind, FindingKind::PageDamaged { .. }));
    let offset = page.expect("the page does not have its checksum").offset;
    assert!(
        records(&bytes)
            .iter()
            .any(|place| place.start as u64 == offset)
    );
    let coverage = report.sets[0].coverage;
    assert_eq!((coverage.pages.bad, coverage.records.bad), (1, 0));
}

#[test]
fn containers_that_cannot_be_read_are_named_and_no_damage() {
    let bytes = compressed(&full());
    let mut older = bytes.clone();
    older[8] = 1;
    let mut encrypted = bytes.clone();
    let mut noise = bytes.clone();
    let mut other = bytes.clone();
    for place in records(&bytes) {
        // Encrypted records have a length at 20, as others found; or nothing has its checksum.
        encrypted[place.start + 20] = 64;
        noise[place.start + 26] ^= 0x55;
        // Compressed otherwise: the checksum is right and the contents are not understood.
        other[place.start + HEAD..place.end]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x5A);
        seal(&mut other[place]);
    }
    for (container, kind) in [
        (older, FindingKind::OlderContainer),
        (encrypted, FindingKind::Container),
        (noise, FindingKind::Container),
        (other, FindingKind::Container),
    ] {
        let report = scan(&container);
        assert_eq!(kinds(&report), std::slice::from_ref(&kind));
        assert_eq!(report.findings[0].offset, 0);
        assert_eq!(report.worst(), Some(Severity::Unreadable));
        assert_eq!(report.bytes, container.len() as u64);
        assert!(!report.is_sound() && report.is_compressed, "{kind:?}");
    }
}

#[test]
fn an_item_of_an_unknown_kind_is_named_where_it_stands() {
    let mut bytes = compressed(&full());
    let place = records(&bytes)[3].clone();
    bytes[place.start] = 0x22;
    let report = scan(&bytes);
    let found = "0x22".to_owned();
    assert_eq!(kinds(&report), [FindingKind::UnknownRecord { found }]);
    assert_eq!(report.findings[0].offset, place.start as u64);
    assert_eq!(report.worst(), Some(Severity::Unreadable));
}

#[test]
fn a_record_that_stands_for_another_length_is_damaged() {
    let mut bytes = compressed(&full());
    let place = records(&bytes)[2].clone();
    bytes[place.start + 1] -= 1;
    let report = scan(&bytes);
    assert_eq!(report.findings[0].kind, FindingKind::RecordDamaged);
    assert_eq!(report.findings[0].offset, place.start as u64);
}

#[test]
fn a_missing_record_is_found() {
    let bytes = compressed(&full());
    for place in records(&bytes) {
        let cut = [&bytes[..place.start], &bytes[place.end..]].concat();
        assert!(
            !scan(&cut).is_sound(),
            "without the record at {}",
            place.start
        );
    }
}

#[test]
fn an_index_of_any_length_is_passed_over_to_the_end() {
    let mut bytes = compressed(&full());
    let index = items(&bytes).into_iter().find(|(kind, _)| *kind == 0x2C);
    let place = index.expect("each backup set has one").1;
    // It points at itself, and is longer than any file.
    bytes[place.start + 36..place.start + 52].fill(place.start.to_le_bytes()[0]);
    bytes[place.start + 28..place.start + 36].fill(0xFF);
    let report = scan(&bytes);
    assert!(matches!(
        kinds(&report)[..],
        [FindingKind::Truncated { .. }]
    ));
    assert_eq!(report.findings[0].offset, bytes.len() as u64);
}

#[test]
fn zeros_where_a_record_belongs_were_never_written() {
    let bytes = compressed(&full());
    for place in records(&bytes).into_iter().skip(1) {
        // Before it, and in its midst.
        for written in [place.start, place.start + place.len() / 2] {
            let mut stopped = bytes[..written].to_vec();
            stopped.resize(bytes.len() + (1 << 20), 0);
            let report = scan(&stopped);
            let found = kinds(&report);
            let is_end = |kind: &FindingKind| matches!(kind, FindingKind::Unwritten { .. });
            assert!(found.iter().any(is_end), "{written}: {found:?}");
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(64))]

    #[test]
    fn noise_in_a_container_never_harms(
        start in 0_usize..30_000,
        noise in prop::collection::vec(any::<u8>(), 1..2000),
        slice in 1_usize..5000,
    ) {
        let mut bytes = compressed(&Medium::new(BackupKind::Full, 1, 9));
        let start = 16 + start % (bytes.len() - 16);
        let end = bytes.len().min(start + noise.len());
        bytes[start..end].copy_from_slice(&noise[..end - start]);
        let mut scanner = Scanner::new();
        bytes.chunks(slice).for_each(|slice| scanner.feed(slice));
        let report = scanner.finish().0;
        prop_assert_eq!(report.bytes, bytes.len() as u64);
        prop_assert_eq!(report, scan(&bytes));
    }
}
