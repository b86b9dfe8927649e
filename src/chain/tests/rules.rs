//! The rules of a chain, each by an example.

use uuid::Uuid;

use super::super::samples::{FORK, copy_only, differential, full, log, lsn, on_fork};
use super::super::{Break, Chain, restore_path};
use super::{id, path};
use crate::model::Piece;

#[test]
fn the_newest_full_before_the_mark_and_the_logs_from_it_on() {
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        log(3, 30, 50),
        full(4, 33, 36),
        log(5, 50, 70),
    ];
    assert_eq!(restore_path(&pieces, lsn(60)), Ok(path(4, None, &[3, 5])));
    assert_eq!(restore_path(&pieces, lsn(25)), Ok(path(1, None, &[2])));
}

#[test]
fn a_full_that_ends_at_the_mark_or_after_it_is_no_way_to_it() {
    let pieces = [full(1, 10, 20), log(2, 10, 50), full(3, 30, 40)];
    assert_eq!(restore_path(&pieces, lsn(40)), Ok(path(1, None, &[2])));
    assert_eq!(restore_path(&pieces, lsn(20)), Err(Break::NoFull));
}

#[test]
fn a_mark_at_the_end_of_a_log_stands_in_the_next_one() {
    let pieces = [full(1, 10, 20), log(2, 10, 30), log(3, 30, 50)];
    assert_eq!(restore_path(&pieces, lsn(30)), Ok(path(1, None, &[2, 3])));
    assert_eq!(restore_path(&pieces, lsn(50)), Err(Break::MarkMissing));
}

#[test]
fn a_differential_shortens_the_way_and_bridges_a_stolen_log() {
    let base = full(1, 10, 20);
    let diff = differential(3, &base, 44, 46);
    let pieces = [base, log(2, 10, 30), diff, log(4, 40, 60)];
    assert_eq!(restore_path(&pieces, lsn(50)), Ok(path(1, Some(3), &[4])));
}

#[test]
fn a_differential_on_a_base_that_we_do_not_hold_is_no_help() {
    let base = full(1, 10, 20);
    let stolen = full(9, 22, 25);
    let diff = differential(3, &stolen, 44, 46);
    let pieces = [base, log(2, 10, 30), diff, log(4, 40, 60)];
    assert_eq!(
        restore_path(&pieces, lsn(50)),
        Err(Break::Gap { at: lsn(40) })
    );
}

#[test]
fn a_gap_is_named_by_where_the_logs_after_it_begin() {
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        log(4, 40, 60),
        log(5, 60, 80),
    ];
    assert_eq!(
        restore_path(&pieces, lsn(70)),
        Err(Break::Gap { at: lsn(40) })
    );
}

#[test]
fn minimally_logged_changes_void_the_mark_in_their_log_and_no_later_one() {
    let bulk = Piece {
        has_bulk_logged_data: true,
        ..log(2, 10, 30)
    };
    let pieces = [full(1, 10, 20), bulk, log(3, 30, 50)];
    assert_eq!(
        restore_path(&pieces, lsn(25)),
        Err(Break::BulkLogged { piece: id(2) })
    );
    assert_eq!(restore_path(&pieces, lsn(40)), Ok(path(1, None, &[2, 3])));
}

#[test]
fn a_copy_only_full_carries_logs_but_never_a_differential() {
    let copy = copy_only(full(4, 33, 36));
    let diff = differential(6, &copy, 44, 46);
    let pieces = [full(1, 10, 20), log(2, 10, 30), copy, diff, log(5, 30, 60)];
    assert_eq!(restore_path(&pieces, lsn(50)), Ok(path(4, None, &[5])));
}

#[test]
fn a_copy_only_log_is_passed_by_unless_it_fills_a_gap() {
    let with_both = [
        full(1, 10, 20),
        copy_only(log(2, 10, 28)),
        log(3, 10, 30),
        log(4, 30, 50),
    ];
    assert_eq!(
        restore_path(&with_both, lsn(40)),
        Ok(path(1, None, &[3, 4]))
    );
    let with_gap = [full(1, 10, 20), copy_only(log(2, 10, 35)), log(4, 30, 50)];
    assert_eq!(restore_path(&with_gap, lsn(40)), Ok(path(1, None, &[2, 4])));
}

#[test]
fn logs_of_no_length_are_legal_and_passed_by() {
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        log(3, 30, 30),
        log(4, 30, 50),
    ];
    assert_eq!(restore_path(&pieces, lsn(40)), Ok(path(1, None, &[2, 4])));
}

#[test]
fn a_log_of_no_length_that_changes_the_fork_is_needed() {
    let (old, new) = (FORK, 0xf1);
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        on_fork(log(3, 30, 30), old, new, Some(30)),
        on_fork(log(4, 30, 50), new, new, None),
    ];
    assert_eq!(
        restore_path(&pieces, lsn(40)),
        Ok(path(1, None, &[2, 3, 4]))
    );
}

#[test]
fn the_same_backup_delivered_twice_counts_once() {
    let twice = Piece {
        id: id(7),
        ..log(2, 10, 30)
    };
    let pieces = [full(1, 10, 20), twice, log(2, 10, 30), log(3, 30, 50)];
    assert_eq!(restore_path(&pieces, lsn(40)), Ok(path(1, None, &[2, 3])));
}

#[test]
fn logs_of_another_fork_do_not_follow() {
    let new = 0xf1;
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        on_fork(log(3, 30, 50), new, new, None),
    ];
    assert_eq!(
        restore_path(&pieces, lsn(40)),
        Err(Break::Gap { at: lsn(30) })
    );
}

#[test]
fn a_log_across_the_fork_point_joins_both_sides() {
    let (old, new) = (FORK, 0xf1);
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        on_fork(log(3, 30, 50), old, new, Some(30)),
        on_fork(log(4, 50, 60), new, new, None),
    ];
    assert_eq!(
        restore_path(&pieces, lsn(55)),
        Ok(path(1, None, &[2, 3, 4]))
    );
}

#[test]
fn a_log_of_a_replaced_database_does_not_follow() {
    let other = Piece {
        family_guid: Uuid::from_u128(0xfb),
        ..log(3, 30, 50)
    };
    let pieces = [full(1, 10, 20), log(2, 10, 30), other];
    assert_eq!(
        restore_path(&pieces, lsn(40)),
        Err(Break::Gap { at: lsn(30) })
    );
}

#[test]
fn a_log_that_ends_before_it_begins_leads_nowhere() {
    let pieces = [
        full(1, 10, 20),
        log(2, 10, 30),
        log(3, 40, 30),
        log(4, 30, 50),
    ];
    let chain = Chain::build(&pieces);
    assert_eq!(chain.reach().map(|piece| piece.id), Some(id(4)));
}
