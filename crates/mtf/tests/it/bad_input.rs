//! Bad input, each kind once: a finding with the byte at which it stands, never a panic or a hang.
//!
//! Start at [`told`], which says the gravest of a file in one line.
//!
//! What becomes of many bad media at random is in `hostile.rs` and in the fuzz targets.

use mtf::{BackupKind, Level, Scanner, StripeFault, check_stripes, scan_seekable};

use crate::common::{Medium, scan};
use crate::damage::find;
use crate::frames::frames;
use crate::hostile::forge;

/// The gravest finding with its place, alike at every level and whether read or sought.
fn told(bytes: &[u8]) -> String {
    let mut texts = Level::ALL.map(|level| {
        let mut scanner = Scanner::new().up_to(level);
        bytes.chunks(701).for_each(|chunk| scanner.feed(chunk));
        let report = scanner.finish().0;
        let sought = scan_seekable(&mut std::io::Cursor::new(bytes), level);
        assert_eq!(sought.expect("memory can be read"), report);
        assert!(!report.is_sound());
        let gravest = report.gravest().expect("it is not sound");
        format!("byte {}: {}", gravest.offset, gravest.kind)
    });
    texts.sort();
    assert_eq!(texts[0], texts[2], "the levels do not agree");
    texts[0].clone()
}

fn log_backup() -> Vec<u8> {
    Medium::new(BackupKind::Log, 0, 3).write()
}

#[test]
fn not_a_backup() {
    let text = "byte 0: the file is no SQL Server backup media";
    assert_eq!(told(b"PK\x03\x04 and so on"), text);
    assert_eq!(told(&[0; 5000]), text);
    assert_eq!(
        told(b"T"),
        "byte 1: the file ends where the media header belongs"
    );
}

#[test]
fn an_empty_file() {
    assert_eq!(told(b""), "byte 0: the file is empty");
}

#[test]
fn a_file_cut_in_a_header() {
    let bytes = log_backup();
    let expected = [
        (*b"TAPE", "the media header"),
        (*b"SSET", "a backup set"),
        (*b"VOLB", "the volume of the backup set"),
        (*b"MSCI", "the front identity"),
        (*b"MSTL", "data, log or the closing identity"),
        (*b"MSLS", "data, log or the closing identity"),
        (*b"ESET", "the end of the backup set"),
    ];
    for (letters, belongs) in expected {
        let cut = find(&bytes, letters, 0) + 20;
        let text = format!("byte {cut}: the file ends where {belongs} belongs");
        assert_eq!(told(&bytes[..cut]), text);
    }
}

#[test]
fn a_file_cut_in_the_header_of_a_stream() {
    let bytes = log_backup();
    for frame in frames(&bytes) {
        let letters = frame.letters.escape_ascii();
        for stream in &frame.streams {
            let cut = stream.at + 9;
            let text = format!("byte {cut}: the file ends where the rest of `{letters}` belongs");
            assert_eq!(told(&bytes[..cut]), text);
        }
    }
}

#[test]
fn a_set_whose_stripe_is_missing() {
    let mut medium = Medium::new(BackupKind::Log, 0, 3);
    medium.family.family_count = 3;
    medium.family.family_number = 2;
    let report = scan(&medium.write());
    let finding = &report.findings[0];
    assert_eq!(finding.kind.to_string(), "stripe 2 of 3");
    assert!(
        finding.offset > 0 && finding.offset < 1024,
        "in the media header"
    );
    let faults = check_stripes(&[report]);
    let missing = [1, 3].map(|number| StripeFault::Missing { number });
    assert_eq!(faults, missing);
}

#[test]
fn a_loop_in_the_filemark_table() {
    let bytes = log_backup();
    let last = find(&bytes, *b"SFMB", 2);
    let text = format!("byte {last}: the filemark does not list those before it");
    let own = last as u64;
    let first = find(&bytes, *b"SFMB", 0) as u64;
    // At itself, twice at one mark, in a circle, beyond the end, at a place of no mark.
    for marks in [
        [own, first],
        [first, first],
        [first, own],
        [u64::MAX, first],
        [7, first],
    ] {
        let mut bytes = bytes.clone();
        for (slot, mark) in marks.into_iter().enumerate() {
            let at = last + 72 + 8 * slot;
            bytes[at..at + 8].copy_from_slice(&mark.to_le_bytes());
        }
        assert_eq!(told(&bytes), text, "{marks:?}");
    }
}

#[test]
fn lengths_of_two_to_the_63_in_every_stream() {
    let bytes = log_backup();
    for frame in frames(&bytes) {
        for stream in &frame.streams {
            for length in [1_u64 << 63, (1 << 63) - 1, u64::MAX] {
                let mut bytes = bytes.clone();
                forge(&mut bytes, stream.at, 22, 8, &length.to_le_bytes());
                let at = stream.at;
                let text =
                    format!("byte {at}: the stream claims an impossible length of {length} bytes");
                assert_eq!(told(&bytes), text);
            }
        }
    }
}

#[test]
fn lengths_of_two_to_the_31_in_records() {
    let bytes = log_backup();
    for block in [*b"MSCI", *b"MSLS"] {
        let stream = find(&bytes, block, 0) + 56;
        let mut bytes = bytes.clone();
        bytes[stream + 22 + 4..stream + 22 + 8].copy_from_slice(&(1_u32 << 31).to_le_bytes());
        let report = scan(&bytes);
        let told = report.findings.iter().find(|f| f.offset == stream as u64);
        let text = told.expect("it is named with its place").kind.to_string();
        assert_eq!(
            text,
            "the identity cannot be read: a record in it is longer than it is"
        );
        assert!(!report.is_sound());
    }
}

#[test]
fn a_log_extent_that_begins_behind_its_end() {
    let mut bytes = log_backup();
    let block = find(&bytes, *b"MSTL", 0);
    bytes[block + 60..block + 68].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    bytes[block + 68..block + 76].copy_from_slice(&7_u64.to_le_bytes());
    let text = "a log extent cannot begin at byte 9223372036854775808 and end at byte 7";
    assert_eq!(told(&bytes), format!("byte {block}: {text}"));
}

#[test]
fn a_log_extent_that_ends_at_two_to_the_63() {
    let mut bytes = log_backup();
    let block = find(&bytes, *b"MSTL", 0);
    for (start, end) in [(0, 1_u64 << 63), (u64::MAX, u64::MAX), (0, u64::MAX)] {
        bytes[block + 60..block + 68].copy_from_slice(&start.to_le_bytes());
        bytes[block + 68..block + 76].copy_from_slice(&end.to_le_bytes());
        let report = scan(&bytes);
        let level = report.level_reached();
        assert_eq!(level, Some(Level::Structure), "{start} to {end}");
        let is_inside = |f: &mtf::Finding| f.offset <= bytes.len() as u64;
        assert!(report.findings.iter().all(is_inside));
    }
}
