//! The agent under all faults, by seed: hosts, a bank over their members, an agent that backs them up, and everything
//! that can go wrong with any of them.
//!
//! Start at [`run`]. Everything of a story happens in one process and, but for the reading and writing of files, on
//! one thread: agent and hosts meet over pipes in memory, look at one clock, and that clock passes as fast as they
//! work. A seed decides what happens and when; which of two tasks comes first may still differ where files are
//! involved.
//!
//! `STOPMARK_SEED=n cargo test --test it agent_stories` repeats one seed; `cargo bench --bench agent_seeds` plays as many
//! as time allows.

mod agent;
mod bank;
mod biztalk;
mod books;
#[path = "../../../crates/sqlsim/tests/it/hosts.rs"]
#[expect(
    dead_code,
    reason = "made for the tests of `sqlsim`, which use all of it"
)]
mod client;
pub(crate) mod clock;
mod faults;
mod hosts;
mod marks;
mod oracle;
mod owed;
#[path = "../../../crates/sqlsim/tests/it/seeds/pipes.rs"]
mod pipes;
mod replicas;
mod story;
mod template;
mod ways;
mod weather;

use std::any::Any;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};

pub(crate) use self::books::Told;
pub(crate) use self::template::Template;

use self::books::Books;
use self::clock::{Idle, Passing, StoryClock};

/// Procedures and views of the simulator call each other deeply, and a debug build takes much stack for it.
const STACK_BYTES: usize = 64 << 20;

/// The hosts that those of all stories are copies of.
pub(crate) fn template() -> Template {
    let clock = Arc::new(StoryClock::default());
    alone(&clock, async || Template::make(&clock).await).expect("a template can be made")
}

/// Plays a seed to its end. On a failure says what was wrong, how to see it again, and the story.
pub(crate) fn run(template: &Template, seed: u64) -> Result<Told, String> {
    run_as(template, (seed, None))
}

/// The same of a BizTalk group with this engine, `stopmark` or `microsoft`.
pub(crate) fn run_biztalk(
    template: &Template,
    seed: u64,
    engine: &'static str,
) -> Result<Told, String> {
    run_as(template, (seed, Some(engine)))
}

fn run_as(
    template: &Template,
    (seed, engine): (u64, Option<&'static str>),
) -> Result<Told, String> {
    let clock = Arc::new(StoryClock::default());
    let books = Books::by(&clock);
    let played = alone(&clock, async || {
        story::play(template, (seed, engine), &clock, &books).await;
    });
    played.map(|()| books.told()).map_err(|panic| {
        format!(
            "{}seed {seed}: {}\nrepeat it with STOPMARK_SEED={seed}",
            books.text(),
            words(&*panic)
        )
    })
}

/// Does work on a thread and a runtime of its own, while time passes on a clock where that one sleeps.
fn alone<T: Send>(
    clock: &Arc<StoryClock>,
    work: impl AsyncFnOnce() -> T + Send,
) -> thread::Result<T> {
    let on_runtime = || {
        let idle = Arc::new(Idle::default());
        let mut runtime = Builder::new_current_thread();
        runtime.thread_stack_size(STACK_BYTES).enable_all();
        idle.watch(&mut runtime);
        let background = Background(Some(runtime.build().expect("a runtime")));
        let _passing = Passing::on(Arc::clone(clock), idle);
        let runtime = background.0.as_ref();
        runtime.expect("it is dropped later").block_on(work())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, on_runtime);
        thread.expect("a thread").join()
    })
}

/// A runtime that waits for nobody when it is dropped: a story that failed may have left a backup that stalls.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}
