//! The long form of the seeds: as many stories of crashing banks as time allows, or as are asked for.
//!
//! Start at [`main`]. `cargo bench -p sqlsim --bench seeds -- 180` runs for so many seconds,
//! `-- --count 1000` so many seeds; both begin at a seed taken from the clock unless `--from` names
//! one. It stops at the first failure and tells the seed.
#![expect(clippy::print_stdout, reason = "a long run is for being read")]

#[path = "../tests/it/clock.rs"]
mod clock;
#[path = "../tests/it/hosts.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod hosts;
#[path = "../tests/it/seeds/mod.rs"]
mod seeds;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sqlsim::clock::{Clock, SystemClock};

use self::seeds::{Template, Told};

/// Seconds that it runs unless told otherwise.
const SECONDS: u64 = 10;

/// What the command line asks for.
struct Wanted {
    seconds: u64,
    count: u64,
    from: u64,
}

fn main() -> ExitCode {
    let clock = SystemClock::new();
    let wanted = wanted(&clock);
    let template = seeds::template();
    let run = Run {
        wanted: &wanted,
        template: &template,
        clock: &clock,
        next: AtomicU64::new(0),
        done: Mutex::new((0, Told::default())),
        failure: Mutex::new(None),
    };
    let threads = thread::available_parallelism().map_or(1, Into::into);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run.work());
        }
    });
    run.tell()
}

/// Reads the command line; what `cargo bench` adds by itself is passed over.
fn wanted(clock: &SystemClock) -> Wanted {
    let mut wanted = Wanted {
        seconds: SECONDS,
        count: u64::MAX,
        from: u64::try_from(clock.now().as_millisecond()).unwrap_or_default(),
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    for at in 0..words.len() {
        match (words[at].as_str(), number(at), number(at + 1)) {
            ("--count", _, Some(count)) => (wanted.count, wanted.seconds) = (count, u64::MAX),
            ("--from", _, Some(from)) => wanted.from = from,
            (_, Some(seconds), _) if at == 0 || !words[at - 1].starts_with("--") => {
                wanted.seconds = seconds;
            }
            _ => {}
        }
    }
    wanted
}

/// A long run, shared by its threads.
struct Run<'a> {
    wanted: &'a Wanted,
    template: &'a Template,
    clock: &'a SystemClock,
    next: AtomicU64,
    done: Mutex<(u64, Told)>,
    failure: Mutex<Option<String>>,
}

impl Run<'_> {
    fn work(&self) {
        let limit = Duration::from_secs(self.wanted.seconds);
        while self.clock.monotonic() < limit && !self.has_failed() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.wanted.count {
                return;
            }
            match seeds::run(self.template, self.wanted.from.wrapping_add(at)) {
                Ok(told) => {
                    let mut done = self.done.lock().expect("nobody panics meanwhile");
                    done.0 += 1;
                    done.1.add(&told);
                }
                Err(failure) => {
                    *self.failure.lock().expect("nobody panics meanwhile") = Some(failure);
                }
            }
        }
    }

    fn has_failed(&self) -> bool {
        let failure = self.failure.lock().expect("nobody panics meanwhile");
        failure.is_some()
    }

    fn tell(self) -> ExitCode {
        let (count, told) = self.done.into_inner().expect("nobody panicked");
        let seconds = self.clock.monotonic().as_secs_f64();
        println!(
            "{count} seeds from {} in {seconds:.0} s, at most {} MiB: {told:?}",
            self.wanted.from,
            peak_mib()
        );
        match self.failure.into_inner().expect("nobody panicked") {
            None => ExitCode::SUCCESS,
            Some(failure) => {
                println!("{failure}");
                ExitCode::FAILURE
            }
        }
    }
}

/// The most memory that this process ever had, in MiB; 0 where the system does not tell. Stories that are over must
/// leave nothing behind, and here is where it would be seen.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
