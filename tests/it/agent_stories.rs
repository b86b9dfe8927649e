//! A handful of the stories in `agent_seeds/`, or the one that `STOPMARK_SEED` names.
//!
//! The long form is `cargo bench --bench agent_seeds`.

use crate::agent_seeds::{Told, run, run_biztalk, template};

/// Seeds that the tests play; the long form plays more.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Seeds of BizTalk groups that the tests play.
const BIZTALK_SEEDS: [u64; 2] = [1, 2];

/// What takes the backups of a BizTalk group.
const ENGINES: [&str; 2] = ["stopmark", "microsoft"];

#[test]
fn every_point_has_the_exact_sum_and_one_run_heals_everything() {
    let seeds = seeds(&SEEDS);
    let template = template();
    let mut all = Told::default();
    for seed in seeds {
        let told = run(&template, seed).unwrap_or_else(|failure| panic!("{failure}"));
        all.add(&told);
    }
    let proves = all.restores > 0 && all.transfers > 0 && all.owed > 0;
    let suffers = seed_asked().is_some() || (all.kills > 0 && all.faults > 0 && all.unwell > 0);
    assert!(proves && suffers, "these seeds prove nothing: {all:?}");
}

#[test]
fn a_biztalk_group_under_all_faults_is_healed_by_one_run_and_its_history_can_be_shipped() {
    let template = template();
    let mut all = Told::default();
    for seed in seeds(&BIZTALK_SEEDS) {
        for engine in ENGINES {
            let told = run_biztalk(&template, seed, engine);
            all.add(&told.unwrap_or_else(|failure| panic!("{engine}: {failure}")));
        }
    }
    let proves = all.restores > 0 && all.transfers > 0;
    assert!(proves, "these seeds prove nothing: {all:?}");
}

fn seed_asked() -> Option<u64> {
    let asked = std::env::var("STOPMARK_SEED").ok();
    asked.map(|seed| seed.parse().expect("STOPMARK_SEED is a number"))
}

fn seeds(usual: &[u64]) -> Vec<u64> {
    seed_asked().map_or(usual.to_vec(), |seed| vec![seed])
}
