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
mod long_run;
#[path = "../tests/it/seeds/mod.rs"]
mod seeds;

use std::process::ExitCode;

use self::seeds::Told;

fn main() -> ExitCode {
    let template = seeds::template();
    long_run::play(1, |seed| seeds::run(&template, seed), Told::add)
}
