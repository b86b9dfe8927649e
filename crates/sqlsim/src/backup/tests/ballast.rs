//! Databases that weigh more than their rows.

use mtf::page::EXTENT_SIZE;

use super::*;
use crate::storage::testing::{numbers, put};

const MIB: usize = 1024 * 1024;

fn heavy(bench: &Bench) -> Database {
    let database = bench.database("ledger");
    put(&database, 1);
    database
        .set_ballast(4 * MIB as u64)
        .expect("the disk works");
    database
}

fn size_of(bench: &Bench, file: &str) -> usize {
    bench.devices.lock()[Path::new(file)].len()
}

#[test]
fn ballast_fills_a_full_is_proved_and_comes_back_by_a_restore() {
    let bench = Bench::new();
    let database = heavy(&bench);
    bench.full(&database, "f.bak");
    assert!(size_of(&bench, "f.bak") > 4 * MIB);
    let media = read_media(&bench.devices, &devices(&["f.bak"])).expect("it is there");
    let pages = media.files[0].report.sets[0].coverage.pages;
    assert!(pages.verified >= 4 * MIB as u64 / 8192, "{pages:?}");
    assert!(
        media.files[0].sets[0].data.len() < MIB,
        "it was kept in memory"
    );
    let restore = recovering(bench.restore("copy", "ledger", &["f.bak"]));
    let copy = bench.restore_full(&restore).expect("it is sound");
    assert_eq!(numbers(&copy), [1]);
    assert_eq!(
        copy.facts().data_size_bytes,
        database.facts().data_size_bytes
    );
    bench.full(&copy, "again.bak");
    assert!(size_of(&bench, "again.bak") > 4 * MIB);
}

#[test]
fn a_flipped_bit_in_ballast_is_damage() {
    let bench = Bench::new();
    let database = heavy(&bench);
    bench.full(&database, "f.bak");
    let middle = size_of(&bench, "f.bak") / 2;
    bench
        .devices
        .lock()
        .get_mut(Path::new("f.bak"))
        .expect("it is there")[middle] ^= 1;
    let refused = bench.restore_full(&bench.restore("copy", "ledger", &["f.bak"]));
    assert_eq!(refused.map(drop).map_err(|error| error.number), Err(3183));
}

#[test]
fn a_differential_carries_ballast_only_where_its_base_does_not() {
    let bench = Bench::new();
    let database = heavy(&bench);
    bench.full(&database, "f.bak");
    put(&database, 2);
    bench.differential(&database, "light.bak");
    assert!(size_of(&bench, "light.bak") < MIB);
    database
        .set_ballast(6 * MIB as u64)
        .expect("the disk works");
    bench.differential(&database, "heavy.bak");
    assert!(size_of(&bench, "heavy.bak") > 6 * MIB);
}

#[test]
fn stripes_share_ballast_and_appending_keeps_it() {
    let bench = Bench::new();
    let database = heavy(&bench);
    for _ in 0..2 {
        bench
            .data(&database, &request(&bench, &["a.bak", "b.bak"]), false)
            .expect("the disk works");
    }
    let media = read_media(&bench.devices, &devices(&["a.bak", "b.bak"])).expect("both are there");
    for file in &media.files {
        assert!(file.report.is_sound(), "{:?}", file.report.findings);
        let shares: Vec<_> = file.sets.iter().map(|set| set.ballast.len()).collect();
        let half = 2 * MIB / EXTENT_SIZE;
        assert_eq!(shares, [half, half]);
    }
}
