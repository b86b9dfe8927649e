//! Plays stories of seeds on all cores for so many seconds, or so many of them, and stops at the first failure.
//!
//! Start at [`play`]. It knows nothing of what a story is; both long forms of seeds share it.

use std::fmt::Debug;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use sqlsim::clock::{Clock, SystemClock};

/// Seconds that it runs unless told otherwise.
const SECONDS: u64 = 10;

/// What the command line asks for.
struct Wanted {
    seconds: u64,
    count: u64,
    from: u64,
}

/// A long run, shared by its threads.
struct Run<'a, T, Story, Add> {
    wanted: &'a Wanted,
    clock: &'a SystemClock,
    story: Story,
    add: Add,
    next: AtomicU64,
    done: Mutex<(u64, T)>,
    failure: Mutex<Option<String>>,
}

/// Plays what the command line asks for: seconds as the first word, or `--count N`; both begin at a seed taken from the
/// clock unless `--from` names one. `story` plays a seed and says how much happened, which `add` adds up. Stories that
/// wait in real time leave a core idle: `per_core` of them share one.
pub(crate) fn play<T: Default + Debug + Send>(
    per_core: usize,
    story: impl Fn(u64) -> Result<T, String> + Sync,
    add: impl Fn(&mut T, &T) + Sync,
) -> ExitCode {
    let clock = SystemClock::new();
    let wanted = wanted(&clock);
    let run = Run {
        wanted: &wanted,
        clock: &clock,
        story,
        add,
        next: AtomicU64::new(0),
        done: Mutex::default(),
        failure: Mutex::default(),
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores * per_core {
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

impl<T, Story, Add> Run<'_, T, Story, Add>
where
    T: Debug,
    Story: Fn(u64) -> Result<T, String>,
    Add: Fn(&mut T, &T),
{
    fn work(&self) {
        let limit = Duration::from_secs(self.wanted.seconds);
        while self.clock.monotonic() < limit && self.failure().is_none() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.wanted.count {
                return;
            }
            match (self.story)(self.wanted.from.wrapping_add(at)) {
                Ok(told) => {
                    let mut done = self.done.lock().expect("nobody panics meanwhile");
                    done.0 += 1;
                    (self.add)(&mut done.1, &told);
                }
                Err(failure) => *self.failure() = Some(failure),
            }
        }
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().expect("nobody panics meanwhile")
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
