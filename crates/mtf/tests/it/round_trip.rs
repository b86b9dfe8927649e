//! What the writer writes is what the reader reads.
//!
//! Start at [`the_reader_gives_back_what_the_writer_was_given`].
//!
//! Nothing here is damaged.

use mtf::{
    BackupKind, BackupSet, DatabaseFile, FileKind, FindingKind, Level, LogExtent, Lsn, MediaFamily,
    MediaTime, MediaWriter, Report, Scanner, SetFlags, Severity, Vlf, scan_reader, scan_seekable,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::cases;
use crate::common::{Medium, collect, family, log_blocks, log_extent, pages, scan, time};

#[test]
fn a_full_backup_is_proved_down_to_every_page_and_block() {
    let medium = Medium::new(BackupKind::Full, 3, 7).with_checksums();
    let (report, contents) = collect(&medium.write());
    assert_eq!(report.findings, []);
    assert!(report.is_sound());
    let set = &report.sets[0];
    assert_eq!(set.identity, medium.identity);
    assert_eq!(
        (set.coverage.pages.seen, set.coverage.pages.verified),
        (24, 24)
    );
    assert_eq!((set.coverage.log.blocks, set.coverage.log.verified), (5, 5));
    assert_eq!(
        (set.coverage.streams.seen, set.coverage.streams.verified),
        (2, 2)
    );
    assert_eq!(contents.data, medium.data);
    assert_eq!(contents.log, medium.log);
    assert_eq!(contents.extents, [medium.extent]);
    assert_eq!(contents.identities, [medium.identity]);
}

#[test]
fn the_front_copy_does_not_know_the_end() {
    let medium = Medium::new(BackupKind::Full, 1, 1);
    let (_, contents) = collect(&medium.write());
    let front = BackupSet {
        finished: None,
        backup_size_bytes: 1,
        ..medium.identity
    };
    assert_eq!(contents.fronts, [front]);
}

#[test]
fn a_log_backup_without_checksums_has_no_stream_to_verify() {
    let medium = Medium::new(BackupKind::Log, 0, 200);
    let report = scan(&medium.write());
    assert_eq!(report.findings, []);
    let coverage = report.sets[0].coverage;
    assert_eq!((coverage.streams.seen, coverage.streams.verified), (1, 0));
    assert_eq!(coverage.log.verified, coverage.log.blocks);
    assert_eq!(coverage.streams.bytes, 200 * 512);
}

#[test]
fn an_empty_log_backup_with_checksums_is_sound() {
    let medium = Medium::new(BackupKind::Log, 0, 0).with_checksums();
    let report = scan(&medium.write());
    assert_eq!(report.findings, []);
    assert_eq!(
        report.sets[0].identity.first_lsn,
        report.sets[0].identity.last_lsn
    );
}

#[test]
fn media_of_large_sectors_are_laid_out_on_them() {
    let mut medium = Medium::new(BackupKind::Differential, 2, 3).with_checksums();
    medium.family.filemark_bytes = 4096;
    let bytes = medium.write();
    assert_eq!(bytes.len() % 4096, 0);
    assert_eq!(&bytes[4096..4100], b"SFMB");
    let report = scan(&bytes);
    assert_eq!(report.findings, []);
    assert_eq!(report.media, Some(medium.family));
}

#[test]
fn several_backup_sets_share_media_and_more_can_be_appended() {
    let full = Medium::new(BackupKind::Full, 2, 2);
    let mut log = Medium::new(BackupKind::Log, 0, 5).with_checksums();
    log.identity.position = 2;
    log.identity.set_guid = Uuid::from_u128(55);
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    full.write_set(&mut writer);
    log.write_set(&mut writer);
    let bytes = writer.finish().expect("memory");
    let report = scan(&bytes);
    assert_eq!(report.findings, []);
    assert_eq!(report.sets.len(), 2);

    let mut third = full.clone();
    third.identity.position = 3;
    let mut writer = MediaWriter::append(bytes, &report).expect("the media are sound");
    third.write_set(&mut writer);
    let report = scan(&writer.finish().expect("memory"));
    assert_eq!(report.findings, []);
    let positions: Vec<u16> = report
        .sets
        .iter()
        .map(|set| set.identity.position)
        .collect();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(report.filemarks.len(), 7);
}

#[test]
fn more_backup_sets_than_a_filemark_can_list_are_sound() {
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    for position in 1..=40 {
        let mut medium = Medium::new(BackupKind::Log, 0, 0);
        medium.identity.position = position;
        medium.write_set(&mut writer);
    }
    let report = scan(&writer.finish().expect("memory"));
    assert_eq!(report.findings, []);
    assert_eq!(report.sets.len(), 40);
}

#[test]
fn stripes_are_sound_and_say_which_they_are() {
    let mut medium = Medium::new(BackupKind::Full, 2, 4).with_checksums();
    medium.family.family_count = 2;
    let first = scan(&medium.write());
    assert_eq!(
        first.findings[0].kind,
        FindingKind::StripeOf {
            number: 1,
            count: 2
        }
    );
    assert_eq!((first.findings.len(), first.is_sound()), (1, true));
    assert_eq!(first.worst(), Some(Severity::Note));

    medium.family.family_number = 2;
    let mut writer = MediaWriter::new(Vec::new(), &medium.family, time(0)).expect("memory");
    writer.begin_set(&medium.identity).expect("memory");
    writer
        .data(65536, &mut &pages(3)[65536..])
        .expect("there is as much");
    writer
        .log_elsewhere(&medium.extent)
        .expect("the virtual log file covers it");
    writer.end_set(&medium.identity).expect("memory");
    let second = scan(&writer.finish().expect("memory"));
    assert_eq!(
        second.findings[0].kind,
        FindingKind::StripeOf {
            number: 2,
            count: 2
        }
    );
    assert_eq!((second.findings.len(), second.is_sound()), (1, true));
    assert_eq!(
        second.sets[0].coverage.pages.unplaced_sound, 8,
        "the PFS page is elsewhere"
    );
}

#[test]
fn an_extent_over_two_virtual_log_files_is_read_as_two() {
    let mut medium = Medium::new(BackupKind::Log, 0, 0).with_checksums();
    let first = Vlf {
        size_bytes: 8192,
        ..medium.extent.vlfs[0]
    };
    let second = Vlf {
        sequence: first.sequence + 1,
        start_bytes: 16384,
        ..first
    };
    let extent = LogExtent {
        start_bytes: 8192 + 4096,
        end_bytes: 16384 + 2048,
        file_id: 2,
        vlfs: vec![first, second],
    };
    let half = |vlf: Vlf, start_bytes, end_bytes| LogExtent {
        start_bytes,
        end_bytes,
        file_id: 2,
        vlfs: vec![vlf],
    };
    let halves = [
        half(first, 8192 + 4096, 16384),
        half(second, 16384, 16384 + 2048),
    ];
    medium.log = halves.iter().flat_map(log_blocks).collect();
    medium.extent = extent;
    medium.identity.first_lsn = Lsn::from_parts(first.sequence, 8, 1);
    medium.identity.last_lsn = Lsn::from_parts(second.sequence, 4, 1);
    let (report, contents) = collect(&medium.write());
    assert_eq!(report.findings, []);
    assert_eq!(contents.extents, halves);
    assert_eq!(contents.log, medium.log);
    assert_eq!(report.sets[0].coverage.streams.verified, 2);
}

#[test]
fn calls_out_of_order_are_refused() {
    let medium = Medium::new(BackupKind::Log, 0, 0);
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    assert!(writer.data(0, &mut std::io::empty()).is_err());
    assert!(
        writer
            .log(&log_extent(0, 0), &mut std::io::empty())
            .is_err()
    );
    assert!(writer.end_set(&medium.identity).is_err());
    writer
        .begin_set(&medium.identity)
        .expect("it is the time for it");
    assert!(writer.begin_set(&medium.identity).is_err());
    assert!(writer.finish().is_err());
}

#[test]
fn a_source_that_ends_early_and_an_extent_without_its_log_files_are_refused() {
    let medium = Medium::new(BackupKind::Full, 1, 4);
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    writer.begin_set(&medium.identity).expect("memory");
    let bare = LogExtent {
        vlfs: Vec::new(),
        ..medium.extent.clone()
    };
    let refused = writer
        .log(&bare, &mut medium.log.as_slice())
        .expect_err("nothing covers it");
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    let short = writer
        .data(65536, &mut &medium.data[..100])
        .expect_err("the source is short");
    assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn names_that_media_cannot_hold_are_refused() {
    let mut medium = Medium::new(BackupKind::Log, 0, 0);
    medium.identity.database_name = "x".repeat(40_000);
    let mut writer = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    let refused = writer
        .begin_set(&medium.identity)
        .expect_err("the name is too long");
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn the_report_is_the_same_in_any_slicing() {
    let bytes = Medium::new(BackupKind::Full, 2, 9).with_checksums().write();
    let whole = collect(&bytes);
    for step in [1, 2, 3, 7, 511, 512, 513, 4096, 65_537] {
        let mut scanner = Scanner::with(crate::common::Collected::default());
        bytes.chunks(step).for_each(|chunk| scanner.feed(chunk));
        assert_eq!(scanner.finish(), whole, "slices of {step}");
    }
    assert_eq!(
        scan_reader(&mut bytes.as_slice()).expect("memory can be read"),
        whole.0
    );
}

#[test]
fn a_report_survives_json() {
    let mut medium = Medium::new(BackupKind::Full, 1, 1);
    medium.family.family_count = 2;
    medium.data[9000] ^= 1;
    let report = scan(&medium.write());
    let text = serde_json::to_string(&report).expect("reports are plain values");
    let finding = r#""level":"identity","kind":"stripe_of","number":1,"count":2"#;
    assert!(text.contains(finding), "{text}");
    assert!(text.contains(r#""last_lsn":"35000000001700001""#), "{text}");
    assert_eq!(
        serde_json::from_str::<Report>(&text).expect("it is ours"),
        report
    );
}

/// Memory that counts what is read of it.
struct Counted<'a>(std::io::Cursor<&'a [u8]>, u64);

impl std::io::Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1 += length as u64;
        Ok(length)
    }
}

impl std::io::Seek for Counted<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn headers_alone_give_the_identity_and_little_is_read() {
    let medium = Medium::new(BackupKind::Full, 40, 100).with_checksums();
    let bytes = medium.write();
    let mut source = Counted(std::io::Cursor::new(&bytes), 0);
    let report = scan_seekable(&mut source, Level::Identity).expect("memory can be read");
    assert_eq!(report.findings, []);
    assert_eq!(report.sets[0].identity, medium.identity);
    assert_eq!(report.bytes, bytes.len() as u64);
    assert!(
        source.1 < 100_000,
        "{} of {} bytes were read",
        source.1,
        bytes.len()
    );
    let whole = scan_seekable(&mut source, Level::Content).expect("memory can be read");
    assert_eq!(whole, scan(&bytes));
}

#[test]
fn a_seeking_scan_finds_every_cut() {
    let bytes = Medium::new(BackupKind::Full, 2, 100)
        .with_checksums()
        .write();
    for length in (0..bytes.len()).step_by(997) {
        let mut source = std::io::Cursor::new(&bytes[..length]);
        let report = scan_seekable(&mut source, Level::Structure).expect("memory can be read");
        assert!(!report.is_sound(), "cut at {length}");
        assert_eq!(report.bytes, length as u64);
    }
}

#[test]
fn a_large_file_that_is_no_media_is_not_read_to_its_end() {
    let bytes = vec![b'x'; 1 << 20];
    let mut source = Counted(std::io::Cursor::new(&bytes), 0);
    let report = scan_seekable(&mut source, Level::Content).expect("memory can be read");
    assert_eq!(report.findings[0].kind, FindingKind::NotMedia);
    assert_eq!(report.bytes, 1 << 20);
    assert!(source.1 < 300_000, "{} bytes were read", source.1);
}

fn times() -> impl Strategy<Value = MediaTime> {
    (
        1..16383_u16,
        1..13_u8,
        1..32_u8,
        0..24_u8,
        0..60_u8,
        0..60_u8,
    )
        .prop_map(|(year, month, day, hour, minute, second)| MediaTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
        })
}

fn lsns() -> impl Strategy<Value = Lsn> {
    (any::<u32>(), any::<u32>(), any::<u16>()).prop_map(|(v, b, s)| Lsn::from_parts(v, b, s))
}

fn guids() -> impl Strategy<Value = Uuid> {
    (1..u128::MAX).prop_map(Uuid::from_u128)
}

/// Any Unicode, control characters and those beyond the basic plane among it.
pub(crate) fn names() -> impl Strategy<Value = String> {
    "(?s).{0,40}"
}

fn files() -> impl Strategy<Value = Vec<DatabaseFile>> {
    let kinds = prop_oneof![Just(FileKind::Log), (3..9_u32).prop_map(FileKind::Other)];
    let file = (
        any::<u32>(),
        kinds,
        any::<u32>(),
        names(),
        names(),
        any::<u64>(),
        any::<u32>(),
    )
        .prop_map(
            |(file_id, kind, filegroup_id, logical, physical, size_bytes, pages)| DatabaseFile {
                file_id,
                kind,
                filegroup_id,
                logical_name: logical,
                physical_name: physical,
                size_bytes,
                pages_in_backup: pages,
            },
        );
    proptest::collection::vec(file, 0..4)
}

prop_compose! {
    fn identities()(
        texts in [names(), names(), names(), names(), names(), names()],
        (started, finished, database_created) in (times(), proptest::option::of(times()), times()),
        (set_guid, binding_id, family_guid) in (guids(), guids(), guids()),
        forks in (guids(), guids(), lsns()),
        bases in (lsns(), lsns(), proptest::option::of(guids()), proptest::option::of(guids())),
        (checkpoint_lsn, position) in (lsns(), any::<u16>()),
        zone in proptest::option::of(-99..99_i8),
        (flags, database_version, compatibility_level) in (any::<u32>(), any::<u16>(), any::<u8>()),
        sizes in (any::<u64>(), any::<u64>()),
        collation in (any::<u32>(), any::<u32>(), any::<u32>(), any::<u8>()),
        (filegroups, files) in (proptest::collection::vec(names(), 0..3), files()),
        units in 0..40_u32,
        kind in prop_oneof![
            Just(BackupKind::Log),
            Just(BackupKind::Differential),
            Just(BackupKind::Other(b'F')),
        ],
    ) -> Medium {
        let mut medium = Medium::new(BackupKind::Log, 0, units);
        let [name, description, user_name, machine_name, server_name, database_name] = texts;
        medium.identity = BackupSet {
            name, description, user_name, machine_name, server_name, database_name,
            kind, started, finished, database_created, set_guid, binding_id, family_guid,
            recovery_fork_guid: forks.0,
            first_recovery_fork_guid: forks.1,
            fork_point_lsn: forks.2,
            database_backup_lsn: bases.0,
            differential_base_lsn: bases.1,
            differential_base_guid: bases.2,
            base_full_guid: bases.3,
            checkpoint_lsn, position, time_zone_quarters: zone,
            flags: SetFlags(flags), database_version, compatibility_level,
            backup_size_bytes: sizes.0, compressed_size_bytes: sizes.1,
            locale_id: collation.0, compare_style: collation.1, collation: collation.2,
            sort_order: collation.3, filegroups, files,
            ..medium.identity
        };
        medium
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_reader_gives_back_what_the_writer_was_given(medium in identities()) {
        let (report, contents) = collect(&medium.write());
        prop_assert_eq!(&report.findings, &[]);
        prop_assert_eq!(&report.sets[0].identity, &medium.identity);
        prop_assert_eq!(&contents.identities[..], &[medium.identity][..]);
        prop_assert_eq!(contents.log, medium.log);
    }

    #[test]
    fn media_headers_survive(
        id in guids(), count in 1..64_u16, number in 1..64_u16, family_id in any::<u32>(),
        name in names(), description in names(),
    ) {
        let family = MediaFamily {
            media_set_id: id, family_count: count, family_number: number.min(count), family_id,
            name, description, ..family()
        };
        let writer = MediaWriter::new(Vec::new(), &family, time(0)).expect("memory");
        let report = scan(&writer.finish().expect("memory"));
        prop_assert_eq!(report.media, Some(family));
    }
}
