//! A handful of the stories in `seeds/`, or the one that `STOPMARK_SEED` names.
//!
//! The long form is `cargo bench -p sqlsim --bench seeds`.

use super::seeds::{Told, run, template};

/// How many seeds the tests run; the long form runs more.
const SEEDS: u64 = 6;

#[test]
fn the_sum_is_exact_at_every_mark_and_after_every_crash() {
    let template = template();
    let asked = std::env::var("STOPMARK_SEED").ok();
    let seeds = match asked.map(|seed| seed.parse::<u64>()) {
        Some(seed) => {
            let seed = seed.expect("STOPMARK_SEED is a number");
            seed..=seed
        }
        None => 1..=SEEDS,
    };
    let mut all = Told::default();
    for seed in seeds.clone() {
        match run(&template, seed) {
            Ok(told) => all.add(&told),
            Err(failure) => panic!("{failure}"),
        }
    }
    if seeds == (1..=SEEDS) {
        assert!(
            all.marks > 0 && all.crashes > 0 && all.restores > 0 && all.in_doubt > 0,
            "these seeds prove nothing: {all:?}"
        );
    }
}
