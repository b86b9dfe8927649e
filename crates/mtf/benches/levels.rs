//! How fast each level is: headers of a file of 10 GB, contents against SHA-256 of the same bytes.
//!
//! Start at [`main`]. The last lines compare with `sha256sum`, if the machine has it.
//!
//! Nothing here fails because a machine is slow; the figures are for people.
#![expect(clippy::print_stdout, reason = "a benchmark is for being read")]

mod media;

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use mtf::{Level, scan_reader, scan_seekable};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use self::media::With;

const SPARSE_BYTES: u64 = 10_000 * 1024 * 1024;
const CONTENTS_BYTES: u64 = 256 * 1024 * 1024;

fn main() {
    let folder = TempDir::new().expect("a folder for media");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    headers(&mut criterion, &folder.path().join("sparse.bak"));
    let medium = |name, with| {
        let path = folder.path().join(name);
        let file = File::create(&path).expect("the folder is ours");
        let pages = &mut media::Pages::new();
        media::write(file, CONTENTS_BYTES, with, pages).expect("there is room");
        path
    };
    let plain = medium("plain.bak", With::Checksum);
    let compressed = medium("compressed.bak", With::Compression);
    contents(&mut criterion, "256 MiB WITH CHECKSUM", &plain);
    contents(&mut criterion, "256 MiB WITH COMPRESSION", &compressed);
    criterion.final_summary();
    compare("WITH CHECKSUM", &plain);
    compare("WITH COMPRESSION", &compressed);
}

fn headers(criterion: &mut Criterion, path: &Path) {
    let file = media::Sparse(File::create(path).expect("the folder is ours"));
    media::write(file, SPARSE_BYTES, With::Plain, &mut std::io::repeat(0))
        .expect("holes take no room");
    let mut group = criterion.benchmark_group("10 GB sparse, headers");
    for level in [Level::Structure, Level::Identity] {
        group.bench_function(level.to_string(), |bench| bench.iter(|| scan(path, level)));
    }
    group.finish();
    std::fs::remove_file(path).expect("it is ours");
}

fn contents(criterion: &mut Criterion, name: &str, path: &Path) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(length(path)));
    group.bench_function("level 3", |bench| bench.iter(|| scan(path, Level::Content)));
    group.bench_function("level 3, read through", |bench| bench.iter(|| stream(path)));
    group.bench_function("sha-256", |bench| bench.iter(|| hash(path)));
    group.finish();
}

/// Side by side, turn about, the best of five of each: what else the machine does hits both.
fn compare(name: &str, path: &Path) {
    let (mut scanned, mut hashed) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        scanned = scanned.min(timed(|| scan(path, Level::Content)));
        match sha256sum(path) {
            Some(took) => hashed = hashed.min(took),
            None => return println!("no `sha256sum` here to compare with"),
        }
    }
    let ratio = hashed.as_secs_f64() / scanned.as_secs_f64();
    let bytes = length(path);
    println!(
        "{name}, {bytes} bytes: level 3 {scanned:?}, `sha256sum` {hashed:?}, \
         {ratio:.1} times its speed (wanted 0.5)"
    );
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).expect("it was written").len()
}

fn scan(path: &Path, level: Level) {
    let mut file = File::open(path).expect("it was written");
    let report = scan_seekable(&mut file, level).expect("it can be read");
    assert_eq!(report.level_reached(), Some(level), "{}", report.in_words());
}

fn stream(path: &Path) {
    let mut file = File::open(path).expect("it was written");
    let report = scan_reader(&mut file).expect("it can be read");
    assert_eq!(report.level_reached(), Some(Level::Content));
}

fn hash(path: &Path) {
    let mut file = File::open(path).expect("it was written");
    let mut buffer = vec![0; 256 * 1024];
    let mut hasher = Sha256::new();
    loop {
        match file.read(&mut buffer).expect("it can be read") {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    black_box(hasher.finalize());
}

fn sha256sum(path: &Path) -> Option<Duration> {
    let mut command = Command::new("sha256sum");
    command
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut is_there = false;
    let took = timed(|| is_there = command.status().is_ok_and(|status| status.success()));
    is_there.then_some(took)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
fn timed(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}
