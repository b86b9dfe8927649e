//! Scanning what can be read, and faster what can be sought.
//!
//! Start at [`scan_reader`].
//!
//! This file never judges and never opens a file.

use std::io::{self, Read, Seek, SeekFrom};

use super::Scanner;
use crate::{Level, Report};

const BUFFER_BYTES: usize = 256 * 1024;
/// Headers are small and far apart, so a seeking scan reads little at a time.
const SMALL_BUFFER_BYTES: usize = 16 * 1024;

/// Scans everything that `reader` gives.
///
/// # Errors
/// Those of `reader`; bad media are findings in the report, not errors.
pub fn scan_reader(reader: &mut impl Read) -> io::Result<Report> {
    let mut scanner = Scanner::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match read(reader, &mut buffer)? {
            [] => return Ok(scanner.finish().0),
            bytes => scanner.feed(bytes),
        }
    }
}

/// Scans `reader` from its start up to `level`, and seeks over what need not be read: below
/// [`Level::Content`] that is nearly everything.
///
/// # Errors
/// Those of `reader`; bad media are findings in the report, not errors.
pub fn scan_seekable(reader: &mut (impl Read + Seek), level: Level) -> io::Result<Report> {
    let length = reader.seek(SeekFrom::End(0))?;
    let mut at = reader.seek(SeekFrom::Start(0))?;
    let mut scanner = Scanner::new().up_to(level);
    let size = if level == Level::Content {
        BUFFER_BYTES
    } else {
        SMALL_BUFFER_BYTES
    };
    let mut buffer = vec![0; size];
    loop {
        let bytes = read(reader, &mut buffer)?;
        if bytes.is_empty() {
            return Ok(scanner.finish().0);
        }
        scanner.feed(bytes);
        at += bytes.len() as u64;
        // Seeking beyond the end would make a cut file look whole.
        let skip = scanner.skippable().min(length.saturating_sub(at));
        if skip > 0 {
            at = reader.seek(SeekFrom::Start(at + skip))?;
            scanner.skip(skip);
        }
    }
}

/// What one read gives; nothing at the end.
fn read<'a>(reader: &mut impl Read, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match reader.read(buffer) {
            Ok(length) => return Ok(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
