//! How much memory a scan takes: 4 GiB of sealed pages in one pass, compressed ones, and 4 GiB of
//! holes by seeking.
//!
//! Start at [`main`], which ends in a failure if the most that the process ever held is too much.
//! The writer that makes the media and the scanner that reads them run in the same process.
//!
//! It never keeps a medium of pages anywhere: what is written is scanned at once.
#![expect(clippy::print_stdout, reason = "a benchmark is for being read")]

mod media;

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use mtf::{Level, Report, Scanner, scan_seekable};
use tempfile::TempDir;

use self::media::With;

const MEDIUM_BYTES: u64 = 4 << 30;
const MEMORY_KIB_MAX: u64 = 64 << 10;

fn main() -> ExitCode {
    told(
        "4 GiB of pages, one pass",
        &pages(MEDIUM_BYTES, With::Checksum),
    );
    told(
        "256 MiB of pages, compressed, one pass",
        &pages(MEDIUM_BYTES / 16, With::Compression),
    );
    told("4 GiB of holes, level 3", &holes());
    let Some(most) = most_memory_kib() else {
        println!("this system does not say how much memory was held");
        return ExitCode::SUCCESS;
    };
    println!("at most {most} KiB were held (wanted {MEMORY_KIB_MAX})");
    if most < MEMORY_KIB_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn told(what: &str, report: &Report) {
    assert!(report.is_sound(), "{:?}", report.findings);
    let coverage = report.sets[0].coverage;
    println!("{what}: {} bytes; {coverage}", report.bytes);
}

/// A scanner that is written to.
#[derive(Debug, Default)]
struct Feed(Scanner);

impl Write for Feed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pages(length_bytes: u64, with: With) -> Report {
    let pages = &mut media::Pages::new();
    let feed = media::write(Feed::default(), length_bytes, with, pages);
    feed.expect("a scanner takes everything").0.finish().0
}

fn holes() -> Report {
    let folder = TempDir::new().expect("a folder for media");
    let path = folder.path().join("sparse.bak");
    let file = media::Sparse(File::create(&path).expect("the folder is ours"));
    media::write(file, MEDIUM_BYTES, With::Plain, &mut io::repeat(0)).expect("holes take no room");
    let mut file = File::open(&path).expect("it was written");
    scan_seekable(&mut file, Level::Content).expect("it can be read")
}

/// The most memory that this process ever held, in KiB, as Linux tells it.
fn most_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
