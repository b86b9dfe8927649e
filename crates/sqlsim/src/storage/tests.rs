//! What a database must survive: kills at every byte, restarts, doubt, and work without end.

use std::sync::Arc;

use super::log::layout;
use super::testing::*;
use super::*;
use crate::value::Value;

const T1: TxId = TxId(1);
const T2: TxId = TxId(2);

#[test]
fn committed_rows_survive_a_kill_and_uncommitted_ones_do_not() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    put(&database, 1);
    database.begin(T1).expect("online");
    database.insert(T1, TABLE, row(2)).expect("free");
    put(&database, 3);
    drop(database);
    let database = open(&disk, "a");
    assert_eq!(numbers(&database), [1, 3]);
    put(&database, 4);
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")), [1, 3, 4]);
}

#[test]
fn a_log_cut_at_any_byte_brings_back_exactly_the_whole_commits() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    let start = database.facts().end_lsn;
    let ends: Vec<_> = (1..=3)
        .map(|number| {
            put(&database, number);
            database.facts().end_lsn
        })
        .collect();
    drop(database);
    let path = files("a").log;
    let whole = disk.bytes(&path);
    let place = |lsn| usize::try_from(layout::slot_start(0) + layout::offset_in_vlf(lsn));
    let (first, last) = (place(start).expect("small"), place(ends[2]).expect("small"));
    for cut in first..=last {
        let mut torn = whole.clone();
        torn[cut..].fill(0xaa);
        let copy = disk.copy();
        copy.put(&path, torn);
        let expected = ends
            .iter()
            .filter(|end| place(**end).expect("small") <= cut)
            .count();
        let found = numbers(&open(&copy, "a"));
        assert_eq!(
            found,
            (1..).take(expected).collect::<Vec<i64>>(),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_flipped_bit_in_the_last_block_costs_that_commit_and_no_other() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    put(&database, 1);
    let at = database.facts().end_lsn;
    put(&database, 2);
    drop(database);
    let path = files("a").log;
    let place = layout::slot_start(0) + layout::offset_in_vlf(at);
    let place = usize::try_from(place).expect("small");
    let mut bytes = disk.bytes(&path);
    bytes[place + 80] ^= 4;
    disk.put(&path, bytes);
    let database = open(&disk, "a");
    assert_eq!(numbers(&database), [1]);
    put(&database, 3);
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")), [1, 3]);
}

#[test]
fn a_transaction_open_over_a_checkpoint_commits_or_not_after_a_kill() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    for tx in [T1, T2] {
        database.begin(tx).expect("online");
    }
    database.insert(T1, TABLE, row(1)).expect("free");
    database.insert(T2, TABLE, row(2)).expect("free");
    database.checkpoint().expect("the disk works");
    database.insert(T1, TABLE, row(3)).expect("free");
    database.commit(T1, time(1), None).expect("the disk works");
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")), [1, 3]);
}

#[test]
fn a_kill_while_a_checkpoint_writes_its_new_data_file_changes_nothing() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    put(&database, 1);
    drop(database);
    disk.put(std::path::Path::new("/a.mdf.new"), vec![1; 100]);
    let database = open(&disk, "a");
    assert_eq!(numbers(&database), [1]);
    database
        .checkpoint()
        .expect("the leftover is in nobody's way");
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")), [1]);
}

#[test]
fn updates_deletes_and_savepoints_are_redone() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    (1..=3).for_each(|number| {
        put(&database, number);
    });
    let ids: Vec<RowId> = database
        .scan(None, TABLE)
        .iter()
        .map(|(id, _)| *id)
        .collect();
    database.begin(T1).expect("online");
    database.update(T1, TABLE, ids[0], row(10)).expect("free");
    let savepoint = database.savepoint(T1);
    database.delete(T1, TABLE, ids[1]).expect("free");
    database.insert(T1, TABLE, row(99)).expect("free");
    database.rollback_to(T1, savepoint).expect("open");
    database.delete(T1, TABLE, ids[2]).expect("free");
    assert_eq!(numbers(&database), [1, 2, 3]);
    assert_eq!(database.scan(Some(T1), TABLE).len(), 2);
    database.commit(T1, time(1), None).expect("the disk works");
    assert_eq!(numbers(&database), [10, 2]);
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")), [10, 2]);
}

#[test]
fn a_record_longer_than_a_block_survives() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    let long = vec![Value::Int(1), Value::Binary(vec![7; 300_000])];
    database.begin(T1).expect("online");
    database.insert(T1, TABLE, long.clone()).expect("free");
    database.commit(T1, time(1), None).expect("the disk works");
    drop(database);
    let database = open(&disk, "a");
    assert_eq!(database.scan(None, TABLE)[0].1, long);
    database.shutdown().expect("the disk works");
    drop(database);
    assert_eq!(open(&disk, "a").scan(None, TABLE)[0].1, long);
}

#[test]
fn a_prepared_transaction_comes_back_in_doubt_with_its_locks_and_its_mark() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    put(&database, 1);
    let id = database.scan(None, TABLE)[0].0;
    let gtrid = guid("g", 1);
    let info = PrepareInfo {
        gtrid,
        coordinator: "H1".into(),
        mark: Some(mark("M", 5)),
    };
    database.begin(T1).expect("online");
    database.update(T1, TABLE, id, row(2)).expect("free");
    database.prepare(T1, &info).expect("the disk works");
    database.checkpoint().expect("the disk works");
    drop(database);
    let database = open(&disk, "a");
    assert_eq!(database.in_doubt(), [InDoubt { info, tx: None }]);
    database.begin(T2).expect("online");
    let refused = database
        .update(T2, TABLE, id, row(3))
        .expect_err("the row is locked");
    assert_eq!(refused.number, 1222);
    drop(database);
    let database = open(&disk, "a");
    let resolved = database
        .resolve(gtrid, true, time(6))
        .expect("the disk works");
    assert_eq!(
        resolved.and_then(|resolved| resolved.mark),
        Some(mark("M", 5))
    );
    assert_eq!(database.resolve(gtrid, true, time(6)), Ok(None));
    drop(database);
    let database = open(&disk, "a");
    assert_eq!(numbers(&database), [2]);
    assert!(database.in_doubt().is_empty());
}

#[test]
fn a_prepared_transaction_that_is_aborted_leaves_nothing() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    let info = PrepareInfo {
        gtrid: guid("g", 1),
        coordinator: String::new(),
        mark: None,
    };
    database.begin(T1).expect("online");
    database.insert(T1, TABLE, row(1)).expect("free");
    database.prepare(T1, &info).expect("the disk works");
    let refused = database
        .insert(T1, TABLE, row(2))
        .expect_err("it is prepared");
    assert_eq!(refused.number, 3926);
    database
        .resolve(info.gtrid, false, time(1))
        .expect("the disk works");
    drop(database);
    let database = open(&disk, "a");
    assert!(database.in_doubt().is_empty());
    assert!(numbers(&database).is_empty());
}

#[test]
fn counters_go_on_where_they_were() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    assert_eq!(database.advance(TABLE, 10, 5), Ok(10));
    assert_eq!(database.advance(TABLE, 10, 5), Ok(15));
    put(&database, 1);
    drop(database);
    let database = open(&disk, "a");
    assert_eq!(database.counter(TABLE), Some(15));
    database.shutdown().expect("the disk works");
    drop(database);
    assert_eq!(open(&disk, "a").advance(TABLE, 10, 5), Ok(20));
}

#[test]
fn the_log_of_a_simple_database_is_used_again_and_again() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Simple);
    let fill = vec![Value::Int(1), Value::Binary(vec![1; 50_000])];
    for round in 0..60 {
        database.begin(T1).expect("online");
        database.insert(T1, TABLE, fill.clone()).expect("free");
        database.rollback(T1).expect("open");
        put(&database, round);
        if round % 8 == 0 {
            database.checkpoint().expect("the disk works");
        }
    }
    assert!(database.facts().log_size_bytes <= 5 * layout::VLF_BYTES);
    drop(database);
    assert_eq!(numbers(&open(&disk, "a")).len(), 60);
}

#[test]
fn a_torn_boot_record_falls_back_to_the_one_before() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    database.rename("b").expect("the disk works");
    database.rename("c").expect("the disk works");
    drop(database);
    let path = files("a").data;
    let torn: Vec<String> = [9, 10]
        .into_iter()
        .map(|page| {
            let copy = disk.copy();
            let mut bytes = copy.bytes(&path);
            bytes[page * 8192 + 200] ^= 1;
            copy.put(&path, bytes);
            open(&copy, "a").facts().name
        })
        .collect();
    assert!(
        torn.contains(&"b".to_owned()) && torn.contains(&"c".to_owned()),
        "{torn:?}"
    );
}

#[test]
fn a_damaged_page_is_refused_with_824() {
    let disk = MemoryDisk::new();
    let database = new_database(&disk, "a", RecoveryModel::Full);
    put(&database, 1);
    database.shutdown().expect("the disk works");
    drop(database);
    let path = files("a").data;
    let mut bytes = disk.bytes(&path);
    bytes[16 * 8192 + 120] ^= 1;
    disk.put(&path, bytes);
    let refused = Database::open(disk, files("a")).expect_err("a page is damaged");
    assert_eq!(refused.number, 824);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let disk = MemoryDisk::new();
    new_database(&disk, "a", RecoveryModel::Full);
    let new = NewDatabase {
        name: "a".into(),
        database_guid: guid("a", 1),
        family_guid: guid("a", 1),
        fork_guid: guid("a", 1),
        created: time(0),
        recovery_model: RecoveryModel::Full,
        compatibility_level: 160,
        collation: String::new(),
    };
    let refused = Database::create(disk, files("a"), &new).expect_err("the files are there");
    assert_eq!(refused.number, 5170);
}

#[tokio::test]
async fn a_waiter_gets_the_lock_when_the_holder_ends_and_1205_when_time_is_up() {
    let disk = MemoryDisk::new();
    let database = Arc::new(new_database(&disk, "a", RecoveryModel::Full));
    for tx in [T1, T2] {
        database.begin(tx).expect("online");
    }
    let never = std::future::pending::<()>;
    let key = b"k";
    database
        .lock_key(T1, TABLE, key, never())
        .await
        .expect("free");
    let now = std::future::ready(());
    let victim = database
        .lock_key(T2, TABLE, key, now)
        .await
        .expect_err("it is held");
    assert_eq!(victim.number, 1205);
    let waiter = {
        let database = Arc::clone(&database);
        tokio::spawn(async move { database.lock_key(T2, TABLE, key, never()).await })
    };
    tokio::task::yield_now().await;
    database.commit(T1, time(1), None).expect("the disk works");
    assert_eq!(waiter.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_deadlock_in_one_database_is_found_without_waiting() {
    let disk = MemoryDisk::new();
    let database = Arc::new(new_database(&disk, "a", RecoveryModel::Full));
    let never = std::future::pending::<()>;
    for tx in [T1, T2] {
        database.begin(tx).expect("online");
    }
    database
        .lock_row(T1, TABLE, RowId(1), never())
        .await
        .expect("free");
    database
        .lock_row(T2, TABLE, RowId(2), never())
        .await
        .expect("free");
    let waiter = {
        let database = Arc::clone(&database);
        tokio::spawn(async move { database.lock_row(T1, TABLE, RowId(2), never()).await })
    };
    tokio::task::yield_now().await;
    let victim = database
        .lock_row(T2, TABLE, RowId(1), never())
        .await
        .expect_err("a circle");
    assert_eq!(victim.number, 1205);
    database.rollback(T2).expect("open");
    assert_eq!(waiter.await.expect("no panic"), Ok(()));
}

/// Commits, an open transaction, changes of the boot record, checkpoints and reuse of the log.
/// Returns how many numbers were certainly committed, and how many perhaps.
fn busy_life(disk: &Arc<MemoryDisk>) -> (i64, i64) {
    let Ok(database) = Database::open(disk.clone(), files("a")) else {
        return (0, 0);
    };
    let wide = vec![Value::Int(-1), Value::Binary(vec![1; 60_000])];
    for number in 1..=14 {
        let step = || {
            let tx = TxId(u64::MAX);
            database.begin(tx)?;
            database.insert(tx, TABLE, row(number))?;
            database.commit(tx, time(number), None)?;
            database.begin(T1)?;
            database.insert(T1, TABLE, wide.clone())?;
            if number % 6 == 0 {
                database.rollback(T1)?;
                database.checkpoint()?;
            }
            if number % 7 == 0 {
                database.mark_bulk_logged()?;
            }
            Ok::<(), crate::error::SqlError>(())
        };
        if step().is_err() {
            return (number - 1, number);
        }
    }
    (14, 14)
}

/// Ends the busy life after every number of changes and opens what `left` says is left.
fn end_everywhere(left: impl Fn(&MemoryDisk) -> Arc<MemoryDisk>) {
    let start = MemoryDisk::new();
    drop(new_database(&start, "a", RecoveryModel::Simple));
    for changes in 1.. {
        let disk = start.copy();
        disk.dies_after(changes);
        let (certain, perhaps) = busy_life(&disk);
        let after = left(&disk);
        let found = numbers(&open(&after, "a"));
        let last = found.last().copied().unwrap_or_default();
        assert!(
            (certain..=perhaps).contains(&last),
            "{changes}: {certain} {perhaps} {last}"
        );
        assert_eq!(found, (1..=last).collect::<Vec<i64>>(), "after {changes}");
        // What recovery itself wrote must be as good: open once more.
        assert_eq!(numbers(&open(&after, "a")), found);
        if !disk.is_dead() {
            break;
        }
    }
}

#[test]
fn a_kill_at_any_change_of_the_disk_loses_no_commit() {
    end_everywhere(MemoryDisk::copy);
}

#[test]
fn a_loss_of_power_at_any_change_of_a_disk_that_syncs_commits_loses_no_commit() {
    end_everywhere(MemoryDisk::after_power_loss);
}
