//! Chains: fulls, differentials and logs, to their end and to a mark, and over forks.

use super::*;
use crate::storage::testing::{TABLE, fill, mark, numbers, open, put, put_marked, row};
use crate::storage::{DatabaseState, PrepareInfo, TxId};

#[test]
fn logs_after_a_full_adjoin_and_restore_to_the_end() {
    let bench = Bench::new();
    let database = bench.database("a");
    put(&database, 1);
    let full = bench.full(&database, "full");
    put(&database, 2);
    let first = bench.log(&database, "log1");
    put(&database, 3);
    let second = bench.log(&database, "log2");
    assert!(first.set.first_lsn <= full.set.last_lsn && full.set.last_lsn < first.set.last_lsn);
    assert_eq!(second.set.first_lsn, first.set.last_lsn);
    assert!(first.begins_log_chain && !second.begins_log_chain);
    assert_eq!(second.set.database_backup_lsn, full.set.checkpoint_lsn);
    assert_eq!(second.set.base_full_guid, Some(full.set.set_guid));
    assert_eq!(
        database.facts().last_log_backup_lsn,
        Some(second.set.last_lsn)
    );

    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    assert_eq!(restored.facts().state, DatabaseState::Restoring);
    for file in ["log1", "log2"] {
        bench
            .restore_log(&restored, &bench.restore("b", "a", &[file]))
            .expect("it follows");
    }
    recover(&restored, guid("b", 9)).expect("it is restoring");
    assert_eq!(numbers(&restored), [1, 2, 3]);
    let facts = restored.facts();
    assert_eq!(
        (facts.name.as_str(), facts.state),
        ("b", DatabaseState::Online)
    );
    assert_eq!(facts.family_guid, database.facts().family_guid);
    put(&restored, 4);
    drop(restored);
    assert_eq!(numbers(&open(&bench.disk, "b")), [1, 2, 3, 4]);
}

/// A database with marks M1 and M2 in the second and third log.
fn marked(bench: &Bench) -> Database {
    let database = bench.database("a");
    put(&database, 1);
    bench.full(&database, "full");
    put(&database, 2);
    bench.log(&database, "log1");
    put(&database, 3);
    put_marked(&database, 4, Some("M1"));
    put(&database, 5);
    bench.log(&database, "log2");
    put_marked(&database, 6, Some("M2"));
    put(&database, 7);
    bench.log(&database, "log3");
    database
}

#[test]
fn stopatmark_includes_the_mark_and_nothing_after_it() {
    let bench = Bench::new();
    marked(&bench);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let step = |file| recovering(at_mark(bench.restore("b", "a", &[file]), "M1"));
    let early = bench
        .restore_log(&restored, &step("log1"))
        .expect("4329 is no error");
    assert_eq!(
        early
            .notices
            .iter()
            .map(|notice| notice.number)
            .collect::<Vec<_>>(),
        [4329]
    );
    assert!(!early.is_recovered);
    assert_eq!(restored.facts().state, DatabaseState::Restoring);
    let reached = bench
        .restore_log(&restored, &step("log2"))
        .expect("it holds the mark");
    assert!(reached.is_recovered && reached.notices.is_empty());
    assert_eq!(numbers(&restored), [1, 2, 3, 4]);
    drop(restored);
    assert_eq!(numbers(&open(&bench.disk, "b")), [1, 2, 3, 4]);
}

#[test]
fn stopbeforemark_excludes_the_mark() {
    let bench = Bench::new();
    marked(&bench);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    for file in ["log1", "log2", "log3"] {
        let mut step = recovering(bench.restore("b", "a", &[file]));
        step.stop = Some(Stop::before_mark("M2", None).expect("no LSN in it"));
        bench.restore_log(&restored, &step).expect("it follows");
    }
    assert_eq!(numbers(&restored), [1, 2, 3, 4, 5]);
}

#[test]
fn stopat_takes_what_committed_up_to_that_time() {
    let bench = Bench::new();
    marked(&bench);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let step = |file| {
        let mut step = recovering(bench.restore("b", "a", &[file]));
        step.stop = Some(Stop::AtTime(time(3)));
        step
    };
    let early = bench
        .restore_log(&restored, &step("log1"))
        .expect("4322 is no error");
    assert_eq!(early.notices[0].number, 4322);
    bench
        .restore_log(&restored, &step("log2"))
        .expect("it holds that time");
    assert_eq!(numbers(&restored), [1, 2, 3]);
}

#[test]
fn a_mark_is_found_by_name_case_and_time() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    for number in [1, 2, 3] {
        put_marked(&database, number, Some("M"));
    }
    bench.log(&database, "log");
    let restore_to = |stop: Stop, name: &str| {
        let restored = bench
            .restore_full(&bench.restore(name, "a", &["full"]))
            .expect("sound");
        let mut step = recovering(bench.restore(name, "a", &["log"]));
        step.stop = Some(stop);
        let outcome = bench.restore_log(&restored, &step).expect("it follows");
        (numbers(&restored), outcome.is_recovered)
    };
    let stop = |name, after| Stop::at_mark(name, after).expect("no LSN in it");
    assert_eq!(restore_to(stop("M", None), "b"), (vec![1], true));
    assert_eq!(
        restore_to(stop("M", Some(time(2))), "c"),
        (vec![1, 2], true)
    );
    assert!(!restore_to(stop("m", None), "d").1);
    assert!(!restore_to(stop("M", Some(time(4))), "e").1);
}

#[test]
fn a_mark_may_be_named_by_its_lsn() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    put(&database, 1);
    let lsn = put_marked(&database, 2, Some("M"));
    put(&database, 3);
    bench.log(&database, "log");
    for (index, (stop, expected)) in [
        (Stop::at_mark(&format!("lsn:{lsn}"), None), vec![1, 2]),
        (Stop::before_mark(&format!("lsn:{lsn}"), None), vec![1]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("b{index}");
        let restored = bench
            .restore_full(&bench.restore(&name, "a", &["full"]))
            .expect("sound");
        let mut step = recovering(bench.restore(&name, "a", &["log"]));
        step.stop = Some(stop.expect("an LSN"));
        bench.restore_log(&restored, &step).expect("it follows");
        assert_eq!(numbers(&restored), expected);
    }
    assert_eq!(
        Stop::at_mark("lsn:x", None).expect_err("no LSN").number,
        4334
    );
}

#[test]
fn a_transaction_that_spans_log_backups_is_whole_or_not_there() {
    let bench = Bench::new();
    let database = bench.database("a");
    let tx = TxId(5);
    database.begin(tx).expect("online");
    database.insert(tx, TABLE, row(1)).expect("free");
    bench.full(&database, "full");
    database.insert(tx, TABLE, row(2)).expect("free");
    bench.log(&database, "log1");
    database.insert(tx, TABLE, row(3)).expect("free");
    database.commit(tx, time(1), None).expect("the disk works");
    bench.log(&database, "log2");
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    bench
        .restore_log(&restored, &bench.restore("b", "a", &["log1"]))
        .expect("it follows");
    drop(restored);
    // A restart between two steps of a restore changes nothing.
    let restored = open(&bench.disk, "b");
    assert_eq!(restored.facts().state, DatabaseState::Restoring);
    let last = recovering(bench.restore("b", "a", &["log2"]));
    bench.restore_log(&restored, &last).expect("it follows");
    assert_eq!(numbers(&restored), [1, 2, 3]);

    let cut = bench
        .restore_full(&bench.restore("c", "a", &["full"]))
        .expect("sound");
    let last = recovering(bench.restore("c", "a", &["log1"]));
    bench.restore_log(&cut, &last).expect("it follows");
    assert!(numbers(&cut).is_empty());
}

#[test]
fn a_differential_bridges_logs_and_needs_its_own_base() {
    let bench = Bench::new();
    let database = bench.database("a");
    fill(&database, 0..2000);
    let full = bench.full(&database, "full");
    put(&database, 2000);
    bench.log(&database, "stolen");
    put(&database, 2001);
    let differential = bench.differential(&database, "diff");
    assert_eq!(
        differential.set.differential_base_guid,
        Some(full.set.set_guid)
    );
    assert_eq!(
        differential.set.differential_base_lsn,
        full.set.checkpoint_lsn
    );
    assert!(
        differential.data_pages < full.data_pages,
        "a differential carries what changed"
    );
    put(&database, 2002);
    bench.log(&database, "log");
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let laid = bench.restore("b", "a", &["diff"]);
    bench
        .restore_over(Some(&restored), &laid)
        .expect("it is its base");
    let last = recovering(bench.restore("b", "a", &["log"]));
    bench.restore_log(&restored, &last).expect("it follows");
    assert_eq!(numbers(&restored), (0..=2002).collect::<Vec<i64>>());

    bench.full(&database, "full2");
    let other = bench
        .restore_full(&bench.restore("c", "a", &["full2"]))
        .expect("sound");
    let wrong = bench.restore("c", "a", &["diff"]);
    let refused = bench
        .restore_over(Some(&other), &wrong)
        .expect_err("another base");
    assert_eq!(refused.number, 3136);
}

#[test]
fn a_copy_only_full_is_no_base_and_begins_no_chain() {
    let bench = Bench::new();
    let database = bench.database("a");
    let mut copy = request(&bench, &["copy"]);
    copy.copy_only = true;
    assert!(
        bench
            .data(&database, &copy, false)
            .expect("the disk works")
            .is_copy_only
    );
    assert_eq!(database.facts().last_log_backup_lsn, None);
    assert_eq!(
        bench
            .log_with(&database, &request(&bench, &["l"]))
            .expect_err("none")
            .number,
        4214
    );
    let differential = bench.data(&database, &request(&bench, &["d"]), true);
    assert_eq!(differential.expect_err("no base").number, 3035);
    bench.full(&database, "full");
    put(&database, 1);
    let mut copied_log = request(&bench, &["log0"]);
    copied_log.copy_only = true;
    let before = database.facts().last_log_backup_lsn;
    bench
        .log_with(&database, &copied_log)
        .expect("the disk works");
    assert_eq!(database.facts().last_log_backup_lsn, before);
}

#[test]
fn simple_ends_the_chain_and_a_full_begins_another() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    bench.log(&database, "log1");
    database
        .set_recovery_model(RecoveryModel::Simple)
        .expect("the disk works");
    assert_eq!(
        bench
            .log_with(&database, &request(&bench, &["x"]))
            .expect_err("no")
            .number,
        4208
    );
    database
        .set_recovery_model(RecoveryModel::Full)
        .expect("the disk works");
    assert_eq!(
        bench
            .log_with(&database, &request(&bench, &["x"]))
            .expect_err("no")
            .number,
        4214
    );
    assert!(database.facts().might_hold_unbacked_bulk_changes);
    bench.full(&database, "full2");
    assert!(database.facts().might_hold_unbacked_bulk_changes);
    assert!(bench.log(&database, "log2").begins_log_chain);
    assert!(!database.facts().might_hold_unbacked_bulk_changes);
}

#[test]
fn a_fork_is_followed_by_its_own_logs_and_refuses_those_of_the_other() {
    let bench = Bench::new();
    let old = marked(&bench);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    bench
        .restore_log(&restored, &bench.restore("b", "a", &["log1"]))
        .expect("it follows");
    let stop = recovering(at_mark(bench.restore("b", "a", &["log2"]), "M1"));
    bench
        .restore_log(&restored, &stop)
        .expect("it holds the mark");
    let facts = restored.facts();
    assert_ne!(facts.first_recovery_fork_guid, facts.recovery_fork_guid);
    assert!(facts.fork_point_lsn.is_some());
    put(&restored, 50);
    let forked = bench.log(&restored, "forked");
    assert_eq!(
        forked.set.first_recovery_fork_guid,
        old.facts().recovery_fork_guid
    );
    put(&restored, 51);
    let later = bench.log(&restored, "later");
    assert_eq!(
        later.set.first_recovery_fork_guid,
        later.set.recovery_fork_guid
    );

    let again = bench
        .restore_full(&bench.restore("c", "a", &["full"]))
        .expect("sound");
    for file in ["log1", "forked", "later"] {
        bench
            .restore_log(&again, &bench.restore("c", "a", &[file]))
            .expect("it follows");
    }
    recover(&again, guid("c", 50)).expect("it is restoring");
    assert_eq!(numbers(&again), [1, 2, 3, 4, 50, 51]);

    let other = bench
        .restore_full(&bench.restore("d", "a", &["full"]))
        .expect("sound");
    for file in ["log1", "log2"] {
        bench
            .restore_log(&other, &bench.restore("d", "a", &[file]))
            .expect("it follows");
    }
    let refused = bench.restore_log(&other, &bench.restore("d", "a", &["forked"]));
    assert_eq!(refused.expect_err("another fork").number, 4330);
}

#[test]
fn a_tail_leaves_the_database_restoring_and_loses_nothing() {
    let bench = Bench::new();
    let database = bench.database("a");
    bench.full(&database, "full");
    put(&database, 1);
    bench.tail(&database, "tail");
    assert_eq!(database.facts().state, DatabaseState::Restoring);
    assert_eq!(
        database.begin(TxId(1)).expect_err("it is restoring").number,
        927
    );
    drop(database);
    let database = open(&bench.disk, "a");
    recover(&database, guid("a", 77)).expect("it is restoring");
    assert_eq!(numbers(&database), [1]);
    let restored = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let tail = recovering(bench.restore("b", "a", &["tail"]));
    bench.restore_log(&restored, &tail).expect("it follows");
    assert_eq!(numbers(&restored), [1]);
}

#[test]
fn a_standby_can_be_read_and_goes_on() {
    let bench = Bench::new();
    marked(&bench);
    let mut standby = bench.restore("b", "a", &["full"]);
    standby.after = AfterRestore::Standby;
    let restored = bench.restore_full(&standby).expect("sound");
    assert_eq!(restored.facts().state, DatabaseState::Standby);
    assert_eq!(numbers(&restored), [1]);
    restored.begin(TxId(1)).expect("it can be read");
    assert_eq!(
        restored
            .insert(TxId(1), TABLE, row(1))
            .expect_err("read-only")
            .number,
        3906
    );
    restored.rollback(TxId(1)).expect("nothing to undo");
    let mut log = bench.restore("b", "a", &["log1"]);
    log.after = AfterRestore::Standby;
    bench.restore_log(&restored, &log).expect("it follows");
    assert_eq!(numbers(&restored), [1, 2]);
}

#[test]
fn a_prepared_transaction_in_a_backup_is_in_doubt_after_a_restore() {
    let bench = Bench::new();
    let database = bench.database("a");
    let (tx, gtrid) = (TxId(1), guid("g", 1));
    let info = PrepareInfo {
        gtrid,
        coordinator: "H1".into(),
        mark: Some(mark("M", 1)),
    };
    bench.full(&database, "full");
    database.begin(tx).expect("online");
    database.insert(tx, TABLE, row(1)).expect("free");
    database.prepare(tx, &info).expect("the disk works");
    bench.log(&database, "log1");
    database
        .resolve(gtrid, true, time(1))
        .expect("the disk works");
    bench.log(&database, "log2");
    let doubtful = bench
        .restore_full(&bench.restore("b", "a", &["full"]))
        .expect("sound");
    let last = recovering(bench.restore("b", "a", &["log1"]));
    bench.restore_log(&doubtful, &last).expect("it follows");
    assert_eq!(doubtful.in_doubt().len(), 1);
    let whole = bench
        .restore_full(&bench.restore("c", "a", &["full"]))
        .expect("sound");
    bench
        .restore_log(&whole, &bench.restore("c", "a", &["log1"]))
        .expect("it follows");
    let last = recovering(at_mark(bench.restore("c", "a", &["log2"]), "M"));
    assert!(
        bench
            .restore_log(&whole, &last)
            .expect("it follows")
            .is_recovered
    );
    assert!(whole.in_doubt().is_empty());
    assert_eq!(numbers(&whole), [1]);
}
