//! Hostile media: whatever the bytes are, the reader comes back with a report of bounded size.
//!
//! Start at [`no_bytes_make_the_reader_panic`].
//!
//! Nothing here is a backup that anybody took.

use mtf::{BackupKind, FindingKind, Severity};
use proptest::prelude::*;

use crate::cases;
use crate::common::{Medium, scan};
use crate::damage::{LETTERS, find};

/// Puts bytes into a header of `length` bytes at `at` and makes its checksum right again.
pub(crate) fn forge(bytes: &mut [u8], at: usize, length: usize, offset: usize, value: &[u8]) {
    bytes[at + offset..at + offset + value.len()].copy_from_slice(value);
    let sum = mtf::checksum::xor16(&bytes[at..at + length - 2]);
    bytes[at + length - 2..at + length].copy_from_slice(&sum.to_le_bytes());
}

fn first_kind(bytes: &[u8]) -> (u64, FindingKind) {
    let report = scan(bytes);
    assert!(!report.is_sound());
    (report.findings[0].offset, report.findings[0].kind.clone())
}

#[test]
fn what_is_no_media_is_named_as_such() {
    assert_eq!(first_kind(b""), (0, FindingKind::Empty));
    assert_eq!(first_kind(b"P"), (0, FindingKind::NotMedia));
    assert_eq!(first_kind(b"PK\x03\x04"), (0, FindingKind::NotMedia));
    assert_eq!(first_kind(&[0; 4096]), (0, FindingKind::NotMedia));
    assert_eq!(
        first_kind(&b"x".repeat(100_000)),
        (0, FindingKind::NotMedia)
    );
    assert_eq!(
        first_kind(&b"TAPE".repeat(100)),
        (0, FindingKind::BadBlockHeader)
    );
    let container = [&b"MSSQLBAK\x02\0\0\0"[..], &[0; 4096]].concat();
    assert_eq!(first_kind(&container), (0, FindingKind::Container));
    assert_eq!(scan(&container).worst(), Some(Severity::Unreadable));
}

#[test]
fn tapes_of_other_software_are_named_and_not_judged() {
    let mut medium = Medium::new(BackupKind::Log, 0, 0);
    medium.family.software = "Backup Exec".to_owned();
    let software = "Backup Exec".to_owned();
    assert_eq!(
        first_kind(&medium.write()),
        (0, FindingKind::ForeignSoftware { software })
    );
    assert_eq!(scan(&medium.write()).findings.len(), 1);
}

#[test]
fn a_length_of_two_to_the_63_is_a_finding_with_its_place() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let block = find(&bytes, *b"MSCI", 0);
    for length_bytes in [1_u64 << 63, u64::MAX, (1 << 56) + 1] {
        forge(&mut bytes, block + 56, 22, 8, &length_bytes.to_le_bytes());
        let expected = (
            block as u64 + 56,
            FindingKind::ImpossibleLength { length_bytes },
        );
        assert_eq!(first_kind(&bytes), expected);
    }
}

#[test]
fn a_length_beyond_the_end_is_a_truncation() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let block = find(&bytes, *b"VOLB", 0);
    let first_event = usize::from(bytes[block + 8]);
    forge(
        &mut bytes,
        block + first_event,
        22,
        8,
        &(1_u64 << 40).to_le_bytes(),
    );
    let (offset, kind) = first_kind(&bytes);
    assert_eq!(offset, bytes.len() as u64);
    assert!(matches!(kind, FindingKind::Truncated { .. }), "{kind:?}");
}

#[test]
fn an_identity_too_long_to_be_one_is_not_held() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let stream = find(&bytes, *b"MSCI", 0) + 56;
    forge(&mut bytes, stream, 22, 8, &(64_u64 << 20).to_le_bytes());
    bytes.truncate(stream + 22);
    bytes.resize(stream + 22 + (64 << 20), 0);
    let expected = FindingKind::TooLarge {
        length_bytes: 64 << 20,
    };
    assert_eq!(first_kind(&bytes), (stream as u64, expected));
}

#[test]
fn records_of_no_length_or_too_much_are_refused() {
    let bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let record = find(&bytes, *b"MSLS", 0) + 56 + 22;
    for length in [0_u32, 7, 100, u32::MAX] {
        let mut bytes = bytes.clone();
        bytes[record + 4..record + 8].copy_from_slice(&length.to_le_bytes());
        let report = scan(&bytes);
        let kinds: Vec<_> = report.findings.iter().map(|f| &f.kind).collect();
        assert!(
            matches!(kinds[0], FindingKind::BadIdentity { .. }),
            "{kinds:?}"
        );
        assert!(kinds.contains(&&FindingKind::NoIdentity), "{kinds:?}");
        assert_eq!(report.sets, [], "no set without an identity");
    }
}

#[test]
fn names_outside_of_their_records_are_refused() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 9).write();
    let name = find(&bytes, *b"MSLS", 0) + 56 + 22 + 104;
    bytes[name..name + 4].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(matches!(
        first_kind(&bytes).1,
        FindingKind::BadIdentity { .. }
    ));
}

#[test]
fn filemarks_of_impossible_size_are_refused() {
    for units in [0_u16, 129, u16::MAX] {
        let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
        bytes[64..66].copy_from_slice(&units.to_le_bytes());
        let size_bytes = u32::from(units) * 512;
        assert_eq!(
            first_kind(&bytes),
            (0, FindingKind::BadFilemarkSize { size_bytes })
        );
    }
}

#[test]
fn a_filemark_that_counts_more_than_it_holds_is_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let count = find(&bytes, *b"SFMB", 1) + 56;
    bytes[count..count + 4].fill(0xFF);
    assert_eq!(first_kind(&bytes).1, FindingKind::FilemarksDisagree);
}

#[test]
fn unknown_blocks_are_passed_over_by_their_streams() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let block = find(&bytes, *b"MSTL", 0);
    forge(&mut bytes, block, 52, 0, b"MSXX");
    let report = scan(&bytes);
    assert_eq!(
        report.findings[0].kind,
        FindingKind::UnknownBlock {
            found: "MSXX".to_owned()
        }
    );
    assert!(report.is_sound());
}

#[test]
fn an_aborted_backup_set_is_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let block = find(&bytes, *b"ESET", 0);
    forge(&mut bytes, block, 52, 4, &0x0004_0000_u32.to_le_bytes());
    assert_eq!(first_kind(&bytes), (block as u64, FindingKind::Aborted));
}

#[test]
fn blocks_out_of_order_are_found() {
    let mut bytes = Medium::new(BackupKind::Log, 0, 0).write();
    let block = find(&bytes, *b"VOLB", 0);
    forge(&mut bytes, block, 52, 0, b"MSTL");
    let (offset, kind) = first_kind(&bytes);
    assert_eq!(offset, block as u64);
    assert!(matches!(kind, FindingKind::OutOfOrder { .. }), "{kind:?}");
}

#[test]
fn a_flood_of_damage_is_counted_but_not_kept() {
    let mut medium = Medium::new(BackupKind::Full, 60, 1);
    for page in medium.data.chunks_mut(8192).skip(8) {
        page[4000] ^= 1;
    }
    let report = scan(&medium.write());
    assert_eq!(
        (report.findings.len(), report.findings_not_kept),
        (256, 60 * 8 - 8 - 256)
    );
    assert_eq!(report.sets[0].coverage.pages.bad, 60 * 8 - 8);
}

#[test]
fn data_that_are_no_pages_are_not_called_damaged() {
    let mut medium = Medium::new(BackupKind::Full, 1, 1);
    medium.identity.files.clear();
    medium.identity.kind = BackupKind::Log;
    medium.data = vec![0xAB; 70_000];
    let report = scan(&medium.write());
    let kinds: Vec<_> = report.findings.iter().map(|f| &f.kind).collect();
    assert_eq!(kinds, [&FindingKind::NotWholePages]);
    assert!(report.is_sound());
}

#[test]
fn findings_speak_in_lower_case_and_without_full_stop() {
    let bytes = Medium::new(BackupKind::Log, 0, 9).write();
    for length in (0..bytes.len()).step_by(300) {
        for finding in scan(&bytes[..length]).findings {
            let text = finding.kind.to_string();
            assert!(
                !text.ends_with('.') && !text.starts_with(char::is_uppercase),
                "{text}"
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let report = scan(&bytes);
        prop_assert!(!report.is_sound());
        prop_assert_eq!(report.bytes, bytes.len() as u64);
    }

    /// Records are not covered by header checksums, so changed bytes get deep into the reader.
    #[test]
    fn no_changed_bytes_make_the_reader_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Medium::new(BackupKind::Full, 1, 3).with_checksums().write();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let report = scan(&bytes[..cut.index(bytes.len())]);
        prop_assert!(report.findings.len() <= 12 * 256);
    }

    /// Only records: identity, extents, volumes, filemarks, with their headers left whole.
    #[test]
    fn no_changed_records_make_the_reader_panic(
        changes in proptest::collection::vec((0..8_usize, 52..1000_usize, any::<u8>()), 1..60),
    ) {
        let mut bytes = Medium::new(BackupKind::Log, 0, 3).write();
        let places = LETTERS.map(|letters| find(&bytes, letters, 0));
        for (block, offset, value) in changes {
            bytes[places[block] + offset] = value;
        }
        let report = scan(&bytes);
        prop_assert!(report.findings.len() <= 12 * 256);
    }
}

/// What a file is whose writer was stopped after `written` bytes, in a file in which he had made room for all.
fn stopped_at(bytes: &[u8], written: usize) -> FindingKind {
    let mut stopped = bytes[..written].to_vec();
    stopped.resize(bytes.len() + (256 << 10), 0);
    first_kind(&stopped).1
}

#[test]
fn zeros_where_a_block_or_stream_belongs_were_never_written() {
    let bytes = Medium::new(BackupKind::Log, 0, 9).write();
    for letters in [*b"SSET", *b"VOLB", *b"MSLS", *b"MSTL", *b"ESET"] {
        let place = find(&bytes, letters, 0);
        // Before it, and in its midst.
        for written in [place, place + 7] {
            let kind = stopped_at(&bytes, written);
            let is_unwritten = matches!(kind, FindingKind::Unwritten { .. });
            let name = String::from_utf8_lossy(&letters).into_owned();
            assert!(is_unwritten, "{name}, {written}: {kind:?}");
        }
    }
}
