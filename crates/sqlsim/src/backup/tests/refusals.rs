//! What must be refused, and by which number.

use super::*;
use crate::storage::testing::{numbers, open, put, put_marked};

fn number<T: std::fmt::Debug>(result: SqlResult<T>) -> i32 {
    result.expect_err("it must be refused").number
}

fn chain(bench: &Bench) -> Database {
    let database = bench.database("a");
    put(&database, 1);
    bench.full(&database, "full");
    for index in 1..=3 {
        put_marked(&database, index + 1, Some(&format!("M{index}")));
        bench.log(&database, &format!("log{index}"));
    }
    database
}

#[test]
fn logs_in_the_wrong_order_are_refused_with_4305_and_4326() {
    let bench = Bench::new();
    chain(&bench);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let log = |file| bench.restore_log(&restored, &bench.restore("b", "a", &[file]));
    assert_eq!(number(log("log2")), 4305);
    log("log1").expect("it follows");
    assert_eq!(number(log("log1")), 4326);
    log("log2").expect("it follows");
    recover(&restored, guid("b", 1)).expect("it is restoring");
    assert_eq!(number(log("log3")), 3117);
    assert_eq!(number(recover(&restored, guid("b", 2))), 3117);
    assert_eq!(numbers(&restored), [1, 2, 3]);
}

#[test]
fn a_mark_that_was_passed_is_4338_and_a_time_4335() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full0");
    put_marked(&database, 1, Some("M"));
    bench.full(&database, "full");
    bench.log(&database, "log");
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let passed = at_mark(bench.restore("b", "a", &["log"]), "M");
    assert_eq!(number(bench.restore_log(&restored, &passed)), 4338);
    let mut early = bench.restore("b", "a", &["log"]);
    early.stop = Some(Stop::AtTime(time(0)));
    assert_eq!(number(bench.restore_log(&restored, &early)), 4335);
}

#[test]
fn a_stop_inside_bulk_logged_changes_is_refused_with_4341_but_the_log_rolls_through() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    put_marked(&database, 1, Some("M"));
    database.mark_bulk_logged().expect("the disk works");
    assert!(database.facts().might_hold_unbacked_bulk_changes);
    let log = bench.log(&database, "log");
    assert!(log.set.has_bulk_logged_data());
    assert!(!database.facts().might_hold_unbacked_bulk_changes);
    put_marked(&database, 2, Some("N"));
    assert!(!bench.log(&database, "log2").set.has_bulk_logged_data());
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let to = |file, mark| recovering(at_mark(bench.restore("b", "a", &[file]), mark));
    assert_eq!(number(bench.restore_log(&restored, &to("log", "M"))), 4341);
    bench
        .restore_log(&restored, &to("log", "N"))
        .expect("it rolls through");
    bench
        .restore_log(&restored, &to("log2", "N"))
        .expect("it holds the mark");
    assert_eq!(numbers(&restored), [1, 2]);
}

#[test]
fn a_database_is_not_overwritten_by_another_or_before_its_tail_is_safe() {
    let bench = Bench::new();
    let database = chain(&bench);
    let other = bench.database("o");
    bench.full(&other, "other");
    let own = bench.restore("a", "a", &["full"]);
    assert_eq!(number(bench.restore_over(Some(&database), &own)), 3159);
    let foreign = bench.restore("a", "o", &["other"]);
    assert_eq!(number(bench.restore_over(Some(&database), &foreign)), 3154);
    let mut replace = bench.restore("a", "a", &["full"]);
    replace.replace = true;
    let done = bench.restore_over(Some(&database), &replace);
    let restored = done
        .expect("REPLACE was said")
        .database
        .expect("a full makes one");
    // Whoever still holds the old database cannot harm the files of the new one.
    assert_eq!(number(database.checkpoint()), 927);
    database.shutdown().expect("it has no files to write");
    recover(&restored, guid("a", 3)).expect("it is restoring");
    drop(restored);
    assert_eq!(numbers(&open(&bench.disk, "a")), [1]);
}

#[test]
fn files_that_are_taken_or_unknown_are_refused() {
    let bench = Bench::new();
    chain(&bench);
    let mut unknown = bench.restore("b", "a", &["full"]);
    unknown.moves[0].logical_name = "nobody".into();
    assert_eq!(number(bench.restore_full(&unknown)), 3234);
    let mut taken = bench.restore("b", "a", &["full"]);
    for (path, first) in [
        ("/a.mdf", 3156),
        ("/used.mdf", 1834),
        ("/no/folder/b.mdf", 5133),
    ] {
        taken.moves[0].physical_name = path.into();
        let error = bench.restore_full(&taken).expect_err("it is taken");
        let causes: Vec<_> = error.causes.iter().map(|cause| cause.number).collect();
        assert_eq!(error.number, 3119);
        assert_eq!((causes.first(), causes.last()), (Some(&first), Some(&3156)));
    }
}

#[test]
fn what_needs_a_database_that_is_not_there_is_3118() {
    let bench = Bench::new();
    let database = chain(&bench);
    bench.differential(&database, "diff");
    let none = restore_log(
        &bench.devices,
        None,
        &bench.restore("b", "a", &["log1"]),
        &bench,
    );
    assert_eq!(number(none), 3118);
    assert_eq!(
        number(bench.restore_full(&bench.restore("b", "a", &["diff"]))),
        3118
    );
    assert_eq!(
        number(bench.restore_full(&bench.restore("b", "a", &["log1"]))),
        3135
    );
}

#[test]
fn a_second_full_while_one_runs_is_3023() {
    let bench = Bench::new();
    let database = bench.database("a");
    let running = database.snapshot_data(false).expect("none runs");
    assert_eq!(
        number(bench.data(&database, &request(&bench, &["f"]), false)),
        3023
    );
    drop(running);
    bench.full(&database, "f");
}

#[test]
fn a_backup_that_fails_moves_no_lsn() {
    let mut bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    put(&database, 1);
    let before = database.facts();
    bench.devices.room_bytes = 10_000;
    assert_eq!(
        number(bench.log_with(&database, &request(&bench, &["log"]))),
        3202
    );
    let full = bench
        .data(&database, &request(&bench, &["full2"]), false)
        .expect_err("full disk");
    assert!(
        full.text
            .contains("112(There is not enough space on the disk.)"),
        "{full}"
    );
    let after = database.facts();
    assert_eq!(after.last_log_backup_lsn, before.last_log_backup_lsn);
    assert_eq!(after.differential_base, before.differential_base);
    bench.devices.room_bytes = usize::MAX;
    assert!(bench.log(&database, "log").begins_log_chain);
}
