//! Damage on media: whatever is flipped or cut is refused, and nothing panics.

use super::*;
use crate::storage::testing::put;

fn bench_with(checksum: bool) -> Bench {
    let bench = Bench::new();
    let database = bench.database("a");
    (0..200).for_each(|number| {
        put(&database, number);
    });
    let mut full = request(&bench, &["full"]);
    full.checksum = checksum;
    bench.data(&database, &full, false).expect("the disk works");
    bench
}

fn restore_damaged(bench: &Bench, damage: impl Fn(&mut Vec<u8>)) -> SqlResult<Database> {
    let mut bytes = bench.devices.lock()[Path::new("full")].clone();
    damage(&mut bytes);
    bench.devices.lock().insert(PathBuf::from("hurt"), bytes);
    let mut restore = bench.restore("b", "a", &["hurt"]);
    restore.checksum = false;
    restore.replace = true;
    bench.restore_full(&restore)
}

/// Where page 16, the first with rows, lies in the file.
fn page_offset(bench: &Bench) -> usize {
    let bytes = bench.devices.lock()[Path::new("full")].clone();
    let is_page = |offset: &usize| {
        bytes[*offset..*offset + 2] == [1, 1] && bytes[*offset + 32..*offset + 36] == [16, 0, 0, 0]
    };
    (0..bytes.len() - 8192)
        .step_by(512)
        .find(is_page)
        .expect("the page is there")
}

#[test]
fn a_flipped_bit_in_a_page_is_3183_with_and_without_backup_checksums() {
    for checksum in [true, false] {
        let bench = bench_with(checksum);
        let place = page_offset(&bench) + 500;
        let refused = restore_damaged(&bench, |bytes| bytes[place] ^= 1).expect_err("damaged");
        assert_eq!(refused.number, 3183);
        if !checksum {
            assert!(refused.text.contains("(1:16)"), "{refused}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bench = bench_with(true);
    let length = bench.devices.lock()[Path::new("full")].len();
    for cut in (0..length).step_by(4096 + 512) {
        let refused = restore_damaged(&bench, |bytes| bytes.truncate(cut)).expect_err("cut off");
        assert!(
            [3241, 3256, 3242, 3189].contains(&refused.number),
            "{cut}: {refused}"
        );
    }
}

#[test]
fn what_is_no_media_is_3241_and_what_is_not_there_3201() {
    let bench = bench_with(true);
    let refused = restore_damaged(&bench, |bytes| bytes.fill(7)).expect_err("no media");
    assert_eq!(refused.number, 3241);
    let missing = bench
        .restore_full(&bench.restore("b", "a", &["nowhere"]))
        .expect_err("missing");
    assert_eq!(missing.number, 3201);
    assert!(
        missing
            .text
            .contains("2(The system cannot find the file specified.)"),
        "{missing}"
    );
}

#[test]
fn checksum_asked_of_a_set_without_any_is_3187() {
    let bench = bench_with(false);
    let refused = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect_err("none");
    assert_eq!(refused.number, 3187);
}
