//! Event files: written by one target, read by `sys.fn_xe_file_target_read_file`.
//!
//! Start at [`FileTarget`] and [`read`]. Names are those of SQL Server (`stem_0_<ticks>.xel`), the
//! inside is our own: one line of JSON an event, whose offset in the file is the event's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    xml: String,
}

/// One event that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) at: Timestamp,
    pub(super) xml: String,
    pub(super) file: PathBuf,
    /// Where its line begins.
    pub(super) offset: u64,
}

/// The files that one target writes, one after the other.
#[derive(Debug)]
pub(super) struct FileTarget {
    stem: PathBuf,
    file: File,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
    files_max: usize,
}

impl FileTarget {
    /// Makes the first file, and its folder as SQL Server does.
    pub(super) fn create(
        path: &Path,
        bytes_max: u64,
        files_max: usize,
        now: Timestamp,
    ) -> io::Result<Self> {
        let stem = path.with_extension("");
        if let Some(folder) = stem.parent() {
            fs::create_dir_all(folder)?;
        }
        let (file, path) = next_file(&stem, now)?;
        let target = Self {
            stem,
            file,
            path,
            bytes: 0,
            bytes_max,
            files_max,
        };
        target.remove_oldest();
        Ok(target)
    }

    /// The file that grows now.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event, into the next file when this one is full.
    pub(super) fn take(&mut self, at: Timestamp, xml: &str) -> io::Result<()> {
        let line = Line {
            at,
            xml: xml.to_owned(),
        };
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        if self.bytes > 0 && self.bytes + text.len() as u64 > self.bytes_max {
            (self.file, self.path) = next_file(&self.stem, at)?;
            self.bytes = 0;
            self.remove_oldest();
        }
        self.file.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn remove_oldest(&self) {
        let mut files = siblings(&self.stem);
        let surplus = files.len().saturating_sub(self.files_max.max(1));
        for old in files.drain(..surplus) {
            // A file that stays behind is only litter.
            let _ = fs::remove_file(old);
        }
    }
}

/// `stem_0_<ticks>.xel`: ticks are tenths of a microsecond since 1601, as Windows counts them; later
/// files have higher ones, also where the clock stands still or goes back.
fn next_file(stem: &Path, now: Timestamp) -> io::Result<(File, PathBuf)> {
    const FROM_1601_TICKS: i128 = 116_444_736_000_000_000;
    let own = now.as_nanosecond() / 100 + FROM_1601_TICKS;
    let last = siblings(stem).last().and_then(|path| ticks_of(path));
    let ticks = last.map_or(own, |last| own.max(last + 1));
    let name = stem.file_name().unwrap_or_default().to_string_lossy();
    let path = stem.with_file_name(format!("{name}_0_{ticks}.xel"));
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)?;
    Ok((file, path))
}

fn ticks_of(path: &Path) -> Option<i128> {
    let stem = path.file_stem()?.to_str()?;
    stem.rsplit('_').next()?.parse().ok()
}

/// The files of one stem, oldest first.
fn siblings(stem: &Path) -> Vec<PathBuf> {
    let name = stem.file_name().unwrap_or_default().to_string_lossy();
    matching(&stem.with_file_name(format!("{name}_0_*.xel")))
}

/// The files that a pattern with `*` in its last part names, in the order of their names.
pub(super) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let wanted = pattern.file_name().unwrap_or_default().to_string_lossy();
    let entries = pattern.parent().map(fs::read_dir);
    let Some(Ok(entries)) = entries else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        glob(&wanted.to_lowercase(), &name.to_lowercase())
    };
    let mut found: Vec<_> = names.filter(fits).collect();
    found.sort();
    found
}

fn glob(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && glob(after, &rest[at..]))
}

/// The events of a file; a line that cannot be read (the last one of a killed host) is skipped.
pub(super) fn read(path: &Path) -> io::Result<Vec<Read>> {
    let text = fs::read(path)?;
    let (mut found, mut offset) = (Vec::new(), 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Ok(Line { at, xml }) = serde_json::from_slice(line) {
            found.push(Read {
                at,
                xml,
                file: path.to_owned(),
                offset,
            });
        }
        offset += line.len() as u64;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_roll_over_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("new/errors.xel");
        let now = Timestamp::UNIX_EPOCH;
        let mut target = FileTarget::create(&path, 100, 2, now).expect("it is made");
        for event in 0..6 {
            let xml = format!("{event}{}", "x".repeat(40));
            target.take(now, &xml).expect("it is written");
        }
        let files = matching(&folder.path().join("new/errors*.xel"));
        assert_eq!(files.len(), 2);
        let events: Vec<_> = files
            .iter()
            .flat_map(|file| read(file).expect("read"))
            .collect();
        assert!(events.iter().all(|event| event.xml.len() == 41));
        assert_eq!(&events.last().expect("some").xml[..1], "5");
    }

    #[test]
    fn a_pattern_matches_any_run_of_characters() {
        assert!(glob("a*.xel", "a_0_1.xel") && glob("*", "x") && glob("a.xel", "a.xel"));
        assert!(!glob("a*.xel", "b_0_1.xel") && !glob("a.xel", "a.xel2"));
    }
}
