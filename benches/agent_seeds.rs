//! The long form of the agent's seeds: as many stories of a backed-up bank under all faults as time allows.
//!
//! Start at [`main`]. `cargo bench --bench agent_seeds -- 180` runs for so many seconds, `-- --count 1000` so many
//! seeds; both begin at a seed taken from the clock unless `--from` names one. It stops at the first failure, and tells
//! the seed and its story.
#![expect(clippy::print_stdout, reason = "a long run is for being read")]

#[path = "../tests/it/agent_seeds/mod.rs"]
mod agent_seeds;
#[path = "../tests/it/fate.rs"]
mod fate;
#[path = "../tests/it/journals.rs"]
mod journals;
#[path = "../crates/sqlsim/benches/long_run.rs"]
mod long_run;
#[path = "../tests/it/strike.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod strike;
#[path = "../tests/it/strike_biztalk.rs"]
mod strike_biztalk;
#[path = "../tests/it/strike_share.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod strike_share;
#[path = "../tests/it/strike_store.rs"]
mod strike_store;

use std::process::ExitCode;

use self::agent_seeds::Told;

/// A story's clock moves on only after it was seen asleep for a while of real time, which is half of its time.
const STORIES_PER_CORE: usize = 3;

fn main() -> ExitCode {
    let template = agent_seeds::template();
    long_run::play(
        STORIES_PER_CORE,
        // One story in four is a BizTalk group's.
        |seed| match seed % 8 {
            3 => agent_seeds::run_biztalk(&template, seed, "stopmark"),
            7 => agent_seeds::run_biztalk(&template, seed, "microsoft"),
            _ => agent_seeds::run(&template, seed),
        },
        Told::add,
    )
}
