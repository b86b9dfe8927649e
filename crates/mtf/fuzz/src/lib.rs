//! What must hold of every scan, whatever the bytes: shared by the fuzz targets.
//!
//! Start at [`check`].
//!
//! This crate never asks whether a medium is sound, only whether the reader keeps its promises.
#![forbid(unsafe_code)]

#[path = "../../tests/it/common.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
pub(crate) mod common;
#[path = "../../tests/it/frames.rs"]
pub(crate) mod frames;
pub mod recipe;

use std::io::Cursor;

use mtf::{Level, Report, Scanner, scan_seekable};

use self::common::Collected;

/// A report keeps at most 256 findings of each of three levels and four severities.
const FINDINGS_MAX: usize = 12 * 256;

/// Scans `bytes` at every level: in slices of up to `slice` bytes, and by seeking; contents, which
/// are read through either way, in slices and whole.
///
/// # Panics
/// If those differ in anything, or a report is larger or a finding elsewhere than it may be.
pub fn check(bytes: &[u8], slice: usize) {
    for level in Level::ALL {
        let sliced = scan(bytes, slice.max(1), level);
        check_report(&sliced.0, bytes.len() as u64);
        if level == Level::Content {
            let whole = scan(bytes, bytes.len().max(1), level);
            assert_eq!(sliced, whole, "slices of {slice}");
        } else {
            let sought = scan_seekable(&mut Cursor::new(bytes), level);
            assert_eq!(sliced.0, sought.expect("memory can be read"), "sought");
        }
    }
}

fn scan(bytes: &[u8], slice: usize, level: Level) -> (Report, Collected) {
    let mut scanner = Scanner::with(Collected::default()).up_to(level);
    bytes.chunks(slice).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

fn check_report(report: &Report, length: u64) {
    assert_eq!(report.bytes, length);
    assert!(report.findings.len() <= FINDINGS_MAX);
    assert!(report.findings.iter().all(|f| f.offset <= length));
    assert!(report.findings.is_sorted_by_key(|f| f.offset));
    assert!(report.level_reached() <= Some(report.level));
    assert!(!report.in_words().is_empty());
    for pages in report.sets.iter().map(|set| set.coverage.pages) {
        let told = pages.allocated() + pages.free + pages.use_unknown();
        assert_eq!(told, pages.seen, "each page is counted once");
    }
}
