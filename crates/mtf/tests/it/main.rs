//! The crate from outside: what its writer writes, its reader reads; what is damaged, it finds.
//!
//! Start at [`common`], which makes small media. Real media are tried in `corpus.rs`.
//!
//! These tests never touch a disk.

mod bad_input;
mod common;
mod cover;
mod damage;
mod dice;
mod frames;
mod hostile;
mod levels;
mod packed;
mod pages;
mod round_trip;
mod seeds;
mod stripes;
mod trials;
mod whole_media;

/// So many cases of a property, and no file of past failures.
fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
