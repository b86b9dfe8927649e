//! A handful of the stories in `agent_seeds/`, or the one that `STOPMARK_SEED` names.
//!
//! The long form is `cargo bench --bench agent_seeds`.

use crate::agent_seeds::{Told, run, template};

/// Seeds that the tests play; the long form plays more.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

#[test]
fn every_point_has_the_exact_sum_and_one_run_heals_everything() {
    let asked = std::env::var("STOPMARK_SEED").ok();
    let asked = asked.map(|seed| seed.parse().expect("STOPMARK_SEED is a number"));
    let seeds = asked.map_or(SEEDS.to_vec(), |seed| vec![seed]);
    let template = template();
    let mut all = Told::default();
    for seed in seeds {
        let told = run(&template, seed).unwrap_or_else(|failure| panic!("{failure}"));
        all.add(&told);
    }
    let proves = all.restores > 0 && all.transfers > 0;
    let suffers = asked.is_some() || (all.kills > 0 && all.faults > 0 && all.unwell > 0);
    assert!(proves && suffers, "these seeds prove nothing: {all:?}");
}
