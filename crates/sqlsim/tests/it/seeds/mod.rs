//! A bank over several hosts that crash: from a seed come transfers, marks, backups, losses of power
//! and restores, and the sum of all accounts must come out right at every mark.
//!
//! Start at [`run`]. Everything happens in one process and on one thread, but for the reading and
//! writing of media: hosts meet over pipes in memory, their disks forget what was not synced, their
//! clock moves as fast as they work. The same seed gives the same schedule; which of two tasks comes
//! first may still differ where media are involved.
//!
//! `STOPMARK_SEED=n cargo test -p sqlsim --test it stories` repeats one seed;
//! `cargo bench -p sqlsim --bench seeds` runs as many as time allows.

mod books;
pub(crate) mod check;
mod pipes;
mod schedule;
pub(crate) mod work;
pub(crate) mod world;

use std::any::Any;
use std::thread;

use tokio::runtime::Builder;

pub(crate) use self::books::Told;
pub(crate) use self::world::Template;

/// Procedures and views call each other deeply, and a debug build takes much stack for it.
const STACK_BYTES: usize = 64 << 20;

/// Runs work on a thread and a runtime of its own.
fn alone<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> thread::Result<T> {
    let on_runtime = move || {
        let runtime = Builder::new_current_thread()
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(work())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, on_runtime);
        thread.expect("a thread").join()
    })
}

/// The host that all others are copies of.
pub(crate) fn template() -> Template {
    alone(async || Template::make().await).expect("a host can be made")
}

/// Runs a seed to its end. On a failure says what was wrong, and how to see it again.
pub(crate) fn run(template: &Template, seed: u64) -> Result<Told, String> {
    alone(async || schedule::story(template, seed).await).map_err(|panic| {
        format!(
            "seed {seed}: {}\nrepeat it with STOPMARK_SEED={seed}",
            words(&*panic)
        )
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}
