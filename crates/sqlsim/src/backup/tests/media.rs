//! The media: sound at every level, in stripes, several backup sets to a file.

use super::*;
use crate::storage::testing::{fill, numbers, put};

fn number<T: std::fmt::Debug>(result: SqlResult<T>) -> i32 {
    result.expect_err("it must be refused").number
}

#[test]
fn everything_written_is_sound_with_every_page_and_block_verified() {
    let bench = Bench::new();
    let database = bench.database("a");
    fill(&database, 0..3000);
    bench.full(&database, "full");
    put(&database, 3000);
    bench.differential(&database, "diff");
    bench.log(&database, "log");
    for file in ["full", "diff", "log"] {
        let media = read_media(&bench.devices, &devices(&[file])).expect("it is there");
        let report = &media.files[0].report;
        assert!(report.is_sound(), "{file}: {:?}", report.findings);
        let coverage = report.sets[0].coverage;
        assert_eq!(
            coverage.pages.allocated(),
            coverage.pages.verified,
            "{file}"
        );
        assert_eq!(
            coverage.pages.verified > 10,
            file != "log",
            "{file}: {:?}",
            coverage.pages
        );
        assert_eq!(coverage.log.blocks, coverage.log.verified, "{file}");
        assert!(
            coverage.log.blocks > 0 && coverage.streams.verified > 0,
            "{file}"
        );
    }
}

#[test]
fn stripes_join_again_and_must_all_be_there() {
    let bench = Bench::new();
    let database = bench.database("a");
    fill(&database, 0..3000);
    let striped = request(&bench, &["s1", "s2", "s3"]);
    let outcome = bench
        .data(&database, &striped, false)
        .expect("the disk works");
    assert_eq!(outcome.media.len(), 3);
    fill(&database, 3000..6000);
    let log = request(&bench, &["l1", "l2"]);
    bench.log_with(&database, &log).expect("the disk works");
    let one = bench.restore("b", "a", &["s1"]);
    assert_eq!(number(bench.restore_full(&one)), 3132);
    let twice = bench.restore("b", "a", &["s1", "s2", "s2"]);
    assert_eq!(number(bench.restore_full(&twice)), 3227);
    let mixed = bench.restore("b", "a", &["s1", "s2", "l1"]);
    assert_eq!(number(bench.restore_full(&mixed)), 3258);
    let all = bench.restore("b", "a", &["s3", "s1", "s2"]);
    let restored = bench.restore_full(&all).expect("all are there");
    let log = recovering(bench.restore("b", "a", &["l1", "l2"]));
    bench.restore_log(&restored, &log).expect("it follows");
    assert_eq!(numbers(&restored), (0..6000).collect::<Vec<i64>>());
}

#[test]
fn sets_are_appended_kept_and_found_by_position() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "media");
    put(&database, 1);
    let log = bench.log(&database, "media");
    assert_eq!((log.set.position, log.is_new_media), (2, false));
    put(&database, 2);
    assert_eq!(bench.log(&database, "media").set.position, 3);
    let media = read_media(&bench.devices, &devices(&["media"])).expect("it is there");
    assert!(
        media.files[0].report.is_sound(),
        "{:?}",
        media.files[0].report.findings
    );
    assert_eq!(media.sets().len(), 3);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["media"]))
        .expect("sound");
    for position in [2, 3] {
        let mut log = bench.restore("b", "a", &["media"]);
        log.position = position;
        bench.restore_log(&restored, &log).expect("it follows");
    }
    recover(&restored, guid("b", 1)).expect("it is restoring");
    assert_eq!(numbers(&restored), [1, 2]);
    let mut beyond = bench.restore("c", "a", &["media"]);
    beyond.position = 4;
    assert_eq!(number(bench.restore_full(&beyond)), 3287);

    let mut over = request(&bench, &["media"]);
    over.init = true;
    let again = bench.data(&database, &over, false).expect("the disk works");
    assert_eq!((again.set.position, again.is_new_media), (1, false));
    assert_eq!(again.media[0].media_set_id, log.media[0].media_set_id);
    let two = bench.data(&database, &request(&bench, &["media", "other"]), false);
    assert_eq!(number(two), 3201);
}

#[test]
fn an_empty_log_backup_is_legal_and_can_be_restored() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    bench.log(&database, "log1");
    let empty = bench.log(&database, "log2");
    assert_eq!(empty.set.first_lsn, empty.set.last_lsn);
    let media = read_media(&bench.devices, &devices(&["log2"])).expect("it is there");
    assert!(
        media.files[0].report.is_sound(),
        "{:?}",
        media.files[0].report.findings
    );
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    for file in ["log1", "log2"] {
        bench
            .restore_log(&restored, &bench.restore("b", "a", &[file]))
            .expect("it follows");
    }
}

#[test]
fn compressed_backups_are_small_sound_and_restored() {
    let bench = Bench::new();
    let database = bench.database("a");
    fill(&database, 0..3000);
    let mut full = request(&bench, &["s1", "s2"]);
    full.compression = Compression::Asked(true);
    let outcome = bench.data(&database, &full, false).expect("there is room");
    assert!(outcome.is_compressed);
    let (plain, packed) = (
        outcome.set.backup_size_bytes,
        outcome.set.compressed_size_bytes,
    );
    assert!(
        0 < packed && packed < plain,
        "{packed} bytes instead of {plain}"
    );
    fill(&database, 3000..3100);
    let mut log = request(&bench, &["log"]);
    log.compression = Compression::Default(true);
    bench.log_with(&database, &log).expect("there is room");
    for file in ["s1", "s2", "log"] {
        let media = read_media(&bench.devices, &devices(&[file])).expect("it is there");
        let report = &media.files[0].report;
        assert!(report.is_sound() && report.is_compressed, "{file}");
    }
    let restored = bench.restore_full(&bench.restore("b", "a", &["s1", "s2"]));
    let restored = restored.expect("both stripes are there");
    let of_log = recovering(bench.restore("b", "a", &["log"]));
    let done = bench
        .restore_log(&restored, &of_log)
        .expect("it is the next log");
    assert!(done.is_compressed && done.is_recovered);
    assert_eq!(numbers(&restored), numbers(&database));
}

#[test]
fn compressed_and_other_backup_sets_never_share_media() {
    let bench = Bench::new();
    let database = bench.database("a");
    let with = |compression| BackupRequest {
        compression,
        ..request(&bench, &["f"])
    };
    let take = |compression| bench.data(&database, &with(compression), false);
    let first = take(Compression::Default(false)).expect("new media");
    assert!(!first.is_compressed);
    assert_eq!(number(take(Compression::Asked(true))), 3098);
    let second = take(Compression::Default(true)).expect("as the media are");
    assert!(!second.is_compressed && second.set.position == 2);
    let mut anew = with(Compression::Asked(true));
    anew.format = true;
    let third = bench
        .data(&database, &anew, false)
        .expect("new media again");
    assert!(third.is_compressed && third.set.position == 1);
    assert_eq!(number(take(Compression::Asked(false))), 3098);
    let fourth = take(Compression::Default(false)).expect("as the media are");
    assert!(fourth.is_compressed && fourth.set.position == 2);
}
