//! How deep a scan looks: each level finds what is its own, and promises no more.
//!
//! Start at [`each_level_finds_what_is_its_own`].
//!
//! How much is read below the third level is in `round_trip.rs`, how fast that is in `benches`.

use mtf::{BackupKind, FindingKind, Level, Report, Scanner, scan_seekable};

use crate::common::{Collected, Medium, scan};
use crate::damage::find;

fn scan_to(level: Level, bytes: &[u8]) -> Report {
    let mut scanner = Scanner::new().up_to(level);
    scanner.feed(bytes);
    let report = scanner.finish().0;
    let sought = scan_seekable(&mut std::io::Cursor::new(bytes), level);
    assert_eq!(sought.expect("memory can be read"), report);
    report
}

fn reached(bytes: &[u8]) -> [Option<Level>; 3] {
    Level::ALL.map(|level| scan_to(level, bytes).level_reached())
}

const STRUCTURE: Option<Level> = Some(Level::Structure);
const IDENTITY: Option<Level> = Some(Level::Identity);
const CONTENT: Option<Level> = Some(Level::Content);

#[test]
fn a_sound_medium_reaches_the_level_that_was_asked_for() {
    let medium = Medium::new(BackupKind::Full, 2, 9).with_checksums();
    let bytes = medium.write();
    assert_eq!(reached(&bytes), [STRUCTURE, IDENTITY, CONTENT]);
    for level in Level::ALL {
        let report = scan_to(level, &bytes);
        assert_eq!(report.level, level);
        assert_eq!(report.findings, []);
        assert_eq!(report.sets[0].identity, medium.identity, "{level}");
        let seen = report.sets[0].coverage.pages.seen;
        assert_eq!(seen > 0, level == Level::Content, "{level}");
    }
}

#[test]
fn each_level_finds_what_is_its_own() {
    let mut bytes = Medium::new(BackupKind::Full, 2, 9).write();
    let page = find(&bytes, *b"MSDA", 0) + 1024 + 8192 * 5;
    bytes[page + 777] ^= 1;
    assert_eq!(reached(&bytes), [STRUCTURE, IDENTITY, IDENTITY]);

    let name = find(&bytes, *b"MSCI", 0) + 56 + 22 + 87;
    assert_eq!(bytes[name], b'D', "the kind of the backup set stands here");
    bytes[name] = b'L';
    assert_eq!(reached(&bytes), [STRUCTURE, STRUCTURE, STRUCTURE]);
    let field = "kind".to_owned();
    let report = scan_to(Level::Identity, &bytes);
    assert_eq!(
        report.findings[0].kind,
        FindingKind::CopiesDisagree { field }
    );

    let length = bytes.len();
    assert_eq!(reached(&bytes[..length - 1]), [None; 3]);
    bytes[length - 1] ^= 1;
    assert_eq!(
        reached(&bytes),
        [STRUCTURE; 3],
        "the end of a filemark is padding"
    );
}

#[test]
fn contents_without_any_checksum_do_not_reach_the_third_level() {
    let mut medium = Medium::new(BackupKind::Full, 1, 0);
    for page in medium.data.chunks_mut(8192) {
        page[4..6].fill(0);
        page[60..64].fill(0);
    }
    let bytes = medium.write();
    let report = scan(&bytes);
    assert_eq!(report.findings, []);
    assert!(report.is_sound(), "nothing speaks against it");
    assert_eq!(report.level_reached(), IDENTITY);
    let words = report.in_words();
    assert!(words.starts_with("level 2: "), "{words}");
    assert_eq!(
        report.sets[0].coverage.to_string(),
        "8 pages seen, 8 allocated, 0 protected, 0 verified, 8 unprotected; 1 stream seen, \
         0 verified"
    );
}

#[test]
fn an_empty_log_backup_has_nothing_to_prove_and_reaches_the_third_level() {
    let bytes = Medium::new(BackupKind::Log, 0, 0).write();
    assert_eq!(scan(&bytes).level_reached(), CONTENT);
}

#[test]
fn a_report_in_words_names_the_level_and_the_gravest_finding() {
    let mut bytes = Medium::new(BackupKind::Full, 2, 9).write();
    assert_eq!(
        scan(&bytes).in_words(),
        "level 3: the bytes are what SQL Server wrote, as far as they have checksums; this is not \
         a proof that they restore"
    );
    assert_eq!(
        scan(&bytes).sets[0].coverage.to_string(),
        "16 pages seen, 16 allocated, 16 protected, 16 verified, 0 unprotected; 6 log blocks seen, \
         6 verified, 0 unprotected; 2 streams seen, 0 verified"
    );
    let page = find(&bytes, *b"MSDA", 0) + 1024 + 8192 * 5;
    bytes[page + 777] ^= 1;
    let words = scan(&bytes).in_words();
    let place = format!("; byte {page}: page 1:5 is damaged");
    assert!(
        words.starts_with("level 2: ") && words.ends_with(&place),
        "{words}"
    );
    let words = scan(b"PK").in_words();
    assert!(
        words.starts_with("no level: nothing is proved; byte 0: "),
        "{words}"
    );
}

#[test]
fn a_shallow_scan_hands_over_no_contents() {
    let bytes = Medium::new(BackupKind::Full, 2, 9).write();
    let mut scanner = Scanner::with(Collected::default()).up_to(Level::Identity);
    scanner.feed(&bytes);
    let contents = scanner.finish().1;
    assert!(contents.data.is_empty() && contents.log.is_empty());
    assert_eq!(contents.identities.len(), 1);
}
