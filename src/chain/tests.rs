//! Tests of chains: each rule by an example, then everything against brute force.

use proptest::prelude::*;
use uuid::Uuid;

use super::samples::{FORK, copy_only, differential, full, local, log, lsn, member, on_fork};
use super::{Break, Chain, Health, Path, differential_base, health, judge, points, restore_path};
use crate::model::{
    Lsn, Mark, MarkName, MemberMark, MemberName, Piece, PieceId, PieceKind, RunId, Set, SetId,
    SetKind, Timestamp,
};
use crate::survey::{BackupRow, MarkLogFacts, MemberFacts, MemberState, RecoveryModel};

fn id(number: u128) -> PieceId {
    PieceId(Uuid::from_u128(number))
}

fn path(full: u128, differential: Option<u128>, logs: &[u128]) -> Path {
    Path {
        full: id(full),
        differential: differential.map(id),
        logs: logs.iter().copied().map(id).collect(),
    }
}

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

// Points over two members.

fn other_member() -> MemberName {
    "PAY2/Orders".parse().expect("a member")
}

fn set(number: u128, pieces: Vec<Piece>, mark: Option<&[(MemberName, u32)]>) -> Set {
    let name: MarkName = format!("SM_{number}").parse().expect("a name");
    let placed_at = Timestamp::from_millis(0);
    Set {
        id: SetId(Uuid::from_u128(number)),
        group: "payments".parse().expect("a group"),
        kind: if mark.is_some() {
            SetKind::Log
        } else {
            SetKind::Full
        },
        run: RunId(Uuid::from_u128(number)),
        made_at: placed_at,
        mark: mark.map(|members| Mark {
            name,
            placed_at,
            members: members
                .iter()
                .map(|(member, at)| MemberMark {
                    member: member.clone(),
                    lsn: lsn(*at),
                })
                .collect(),
        }),
        members: vec![member(), other_member()],
        pieces,
        missing: Vec::new(),
    }
}

fn of_other(piece: Piece) -> Piece {
    Piece {
        member: other_member(),
        ..piece
    }
}

#[test]
fn a_mark_is_a_point_only_when_every_member_reaches_it() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let whole = set(
        2,
        vec![log(3, 10, 30), of_other(log(4, 100, 120))],
        Some(&marks),
    );
    let marks = [(member(), 35), (other_member(), 125)];
    let half = set(3, vec![log(5, 30, 40)], Some(&marks));
    let sets = [fulls, whole, half];
    let found = points(&sets, &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].set, SetId(Uuid::from_u128(2)));
    assert_eq!(found[0].paths[&other_member()], path(2, None, &[4]));
    let judged = judge(&sets, &[]);
    assert_eq!(
        judged[1].verdict,
        Err(vec![(other_member(), Break::MarkMissing)])
    );
}

#[test]
fn a_log_of_a_later_set_carries_a_mark_whose_own_log_failed() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let half = set(2, vec![log(3, 10, 30)], Some(&marks));
    let late = set(3, vec![of_other(log(4, 100, 130))], None);
    let found = points(&[fulls, half, late], &[]);
    assert_eq!(found.len(), 1, "nothing of the mark is lost");
}

#[test]
fn a_member_that_joined_later_can_be_asked_for_by_name() {
    let fulls = set(1, vec![full(1, 10, 20), of_other(full(2, 100, 110))], None);
    let marks = [(member(), 25), (other_member(), 115)];
    let whole = set(
        2,
        vec![log(3, 10, 30), of_other(log(4, 100, 120))],
        Some(&marks),
    );
    let late: MemberName = "PAY3/New".parse().expect("a member");
    assert!(points(&[fulls, whole], &[late]).is_empty());
}

#[test]
fn a_mark_is_looked_for_in_its_own_sets_log_where_forks_have_the_same_lsns() {
    let new = 0xf1;
    let one = |set_: Set| Set {
        members: vec![member()],
        ..set_
    };
    let fulls = one(set(
        1,
        vec![full(1, 10, 20), on_fork(full(2, 12, 22), new, new, None)],
        None,
    ));
    let old = one(set(2, vec![log(3, 10, 30)], Some(&[(member(), 25)])));
    let forked = on_fork(log(4, 10, 30), new, new, None);
    let young = one(set(3, vec![forked], Some(&[(member(), 25)])));
    let found = points(&[fulls, old, young], &[]);
    assert_eq!(found[0].paths[&member()], path(1, None, &[3]));
    assert_eq!(found[1].paths[&member()], path(2, None, &[4]));
}

// Health.

fn facts(next: Option<u32>) -> MemberFacts {
    MemberFacts {
        state: MemberState::Online,
        recovery_model: RecoveryModel::Full,
        is_read_only: false,
        database_guid: None,
        family_guid: Some(Uuid::from_u128(0xfa)),
        recovery_fork_guid: Some(Uuid::from_u128(FORK)),
        last_log_backup_lsn: next.map(lsn),
        availability_group: None,
        size_bytes: 0,
        mark_log: MarkLogFacts {
            has_table: true,
            has_procedure: true,
            has_remote_procedure: true,
            newest: None,
        },
        history: Vec::new(),
    }
}

fn row(piece: &Piece) -> BackupRow {
    BackupRow {
        backup_set_guid: piece.backup_set_guid,
        kind: piece.kind,
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        checkpoint_lsn: piece.checkpoint_lsn,
        database_backup_lsn: piece.database_backup_lsn,
        differential_base_guid: None,
        first_recovery_fork_guid: Some(piece.first_fork_guid),
        last_recovery_fork_guid: Some(piece.last_fork_guid),
        fork_point_lsn: None,
        family_guid: piece.family_guid,
        is_copy_only: piece.is_copy_only,
        begins_log_chain: false,
        has_bulk_logged_data: false,
        has_backup_checksums: true,
        user_name: r"CORP\olaf".to_owned(),
        device: r"D:\elsewhere\ledger.trn".to_owned(),
        started: local(2),
        finished: local(3),
    }
}

#[test]
fn a_chain_runs_when_the_next_log_begins_where_ours_ends() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    assert_eq!(
        health(&facts(Some(30)), &pieces, None),
        Health::Running { next: lsn(30) }
    );
    let only_full = [full(1, 10, 20)];
    assert_eq!(
        health(&facts(Some(10)), &only_full, None),
        Health::Running { next: lsn(10) }
    );
}

#[test]
fn a_member_of_which_we_hold_nothing_was_never_based() {
    assert_eq!(health(&facts(Some(30)), &[], None), Health::NeverBased);
}

#[test]
fn a_foreign_log_backup_is_named() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let stolen = log(9, 30, 40);
    let facts = MemberFacts {
        history: vec![row(&stolen), row(&pieces[1])],
        ..facts(Some(40))
    };
    let expected = Break::ForeignLog {
        user: r"CORP\olaf".to_owned(),
        when: local(3),
        device: r"D:\elsewhere\ledger.trn".to_owned(),
    };
    assert_eq!(health(&facts, &pieces, None), Health::Broken(expected));
    let lost = Break::LogLost {
        reached: lsn(30),
        next: lsn(40),
    };
    assert_eq!(
        health(&facts, &pieces, Some(r"D:\elsewhere\")),
        Health::Broken(lost)
    );
}

#[test]
fn a_foreign_copy_only_log_breaks_nothing() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let copy = copy_only(log(9, 30, 40));
    let facts = MemberFacts {
        history: vec![row(&copy)],
        ..facts(Some(30))
    };
    assert_eq!(
        health(&facts, &pieces, None),
        Health::Running { next: lsn(30) }
    );
}

#[test]
fn a_full_after_the_theft_makes_the_chain_run_again() {
    let pieces = [full(1, 10, 20), log(2, 10, 30), full(3, 42, 45)];
    assert_eq!(
        health(&facts(Some(40)), &pieces, None),
        Health::Running { next: lsn(40) }
    );
}

#[test]
fn what_ends_a_chain_is_told_apart() {
    let pieces = [full(1, 10, 20), log(2, 10, 30)];
    let broken = |facts: &MemberFacts| match health(facts, &pieces, None) {
        Health::Broken(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(broken(&facts(None)), Break::NoLogBackupPossible);
    let simple = MemberFacts {
        recovery_model: RecoveryModel::Simple,
        ..facts(None)
    };
    assert_eq!(broken(&simple), Break::RecoverySimple);
    let now = Uuid::from_u128(0xf1);
    let forked = MemberFacts {
        recovery_fork_guid: Some(now),
        ..facts(Some(30))
    };
    assert_eq!(
        broken(&forked),
        Break::Forked {
            ours: Uuid::from_u128(FORK),
            now
        }
    );
    let replaced = MemberFacts {
        family_guid: Some(now),
        ..facts(Some(30))
    };
    assert_eq!(broken(&replaced), Break::Replaced);
    assert_eq!(
        broken(&facts(Some(35))),
        Break::LogLost {
            reached: lsn(30),
            next: lsn(35)
        }
    );
}

#[test]
fn a_differential_needs_a_base_of_ours() {
    let held = full(1, 10, 20);
    let stolen = full(9, 22, 25);
    let history = |rows: &[&Piece]| MemberFacts {
        history: rows.iter().map(|piece| row(piece)).collect(),
        ..facts(Some(30))
    };
    assert_eq!(differential_base(&history(&[&held]), &[&held]), Ok(()));
    assert_eq!(
        differential_base(&history(&[]), &[&held]),
        Ok(()),
        "a history too short to tell"
    );
    let facts = history(&[&stolen, &held]);
    let found = differential_base(&facts, &[&held]).expect_err("a foreign base");
    assert_eq!(
        found.map(|row| row.backup_set_guid),
        Some(stolen.backup_set_guid)
    );
    let copy = history(&[&copy_only(full(9, 22, 25)), &held]);
    assert_eq!(
        differential_base(&copy, &[&held]),
        Ok(()),
        "copy-only is never a base"
    );
    assert_eq!(differential_base(&history(&[]), &[]), Err(None));
}

// Brute force: every order of every choice of pieces, applied one by one as SQL Server would.

fn can_follow(stand: (Lsn, Uuid), piece: &Piece) -> bool {
    let (at, fork) = stand;
    let moves = piece.first_lsn <= at && at < piece.last_lsn;
    let is_empty = piece.first_lsn == at && piece.last_lsn == at;
    let point = piece.fork_point_lsn.unwrap_or(piece.first_lsn);
    let same = piece.first_fork_guid == piece.last_fork_guid && piece.last_fork_guid == fork;
    let crosses = piece.first_fork_guid != piece.last_fork_guid
        && ((at <= point && fork == piece.first_fork_guid)
            || (at >= point && fork == piece.last_fork_guid));
    (moves || is_empty) && (same || crosses)
}

/// Whether some order of logs leads from here to the mark; `left` are those not used yet.
fn leads(stand: (Lsn, Uuid), left: &[&Piece], mark: Lsn) -> bool {
    left.iter().enumerate().any(|(at, log)| {
        if !can_follow(stand, log) {
            return false;
        }
        if log.first_lsn <= mark && mark < log.last_lsn {
            return !log.has_bulk_logged_data;
        }
        let rest: Vec<&Piece> = left
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, log)| *log)
            .collect();
        log.last_lsn <= mark && leads((log.last_lsn, log.last_fork_guid), &rest, mark)
    })
}

/// The newest full from which the mark can be reached, by trying everything.
fn brute_force(pieces: &[Piece], mark: Lsn) -> Option<Lsn> {
    let logs: Vec<&Piece> = pieces.iter().filter(|p| p.kind == PieceKind::Log).collect();
    let fulls = pieces
        .iter()
        .filter(|p| p.kind == PieceKind::Full && p.last_lsn < mark);
    let reaching = fulls.filter(|full| {
        let own = pieces.iter().filter(|p| {
            p.kind == PieceKind::Differential
                && p.last_lsn < mark
                && !full.is_copy_only
                && p.differential_base
                    .is_some_and(|b| b.backup_set_guid == full.backup_set_guid)
        });
        let mut stands = std::iter::once(*full).chain(own);
        stands.any(|stand| leads((stand.last_lsn, stand.last_fork_guid), &logs, mark))
    });
    reaching.map(|full| full.last_lsn).max()
}

fn any_piece(id: u128) -> impl Strategy<Value = Piece> {
    let forks =
        prop_oneof![4 => Just((FORK, FORK)), 1 => Just((FORK, 0xf1)), 2 => Just((0xf1, 0xf1))];
    let kinds = prop_oneof![
        2 => Just(PieceKind::Full), 1 => Just(PieceKind::Differential), 5 => Just(PieceKind::Log)
    ];
    let rare = prop::bool::weighted(0.15);
    (
        kinds,
        1_u32..12,
        0_u32..6,
        forks,
        0_u32..4,
        rare,
        rare,
        1_u128..8,
    )
        .prop_map(
            move |(kind, first, length, (from, to), point, is_copy_only, bulk, base)| {
                let made = match kind {
                    PieceKind::Full => full(id, first, first + length.max(1)),
                    PieceKind::Differential => {
                        differential(id, &full(base, 1, 2), first, first + length.max(1))
                    }
                    PieceKind::Log => log(id, first, first + length),
                };
                let to = if kind == PieceKind::Log { to } else { from };
                let point = (from != to).then_some(first + point.min(length));
                Piece {
                    is_copy_only,
                    has_bulk_logged_data: bulk,
                    ..on_fork(made, from, to, point)
                }
            },
        )
}

fn some_pieces() -> impl Strategy<Value = Vec<Piece>> {
    (0_usize..8).prop_flat_map(|count| (1..=count as u128).map(any_piece).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_is_found_exactly_when_brute_force_finds_one(pieces in some_pieces(), at in 2_u32..18) {
        let mark = lsn(at);
        let found = restore_path(&pieces, mark).ok();
        let of = |id: PieceId| pieces.iter().find(|p| p.id == id).expect("its own piece");
        prop_assert_eq!(found.as_ref().map(|path| of(path.full).last_lsn), brute_force(&pieces, mark));
    }

    #[test]
    fn every_path_can_be_applied_step_by_step(pieces in some_pieces(), at in 2_u32..18) {
        let mark = lsn(at);
        if let Ok(path) = restore_path(&pieces, mark) {
            let of = |id: PieceId| pieces.iter().find(|p| p.id == id).expect("its own piece");
            let base = of(path.differential.unwrap_or(path.full));
            let mut stand = (base.last_lsn, base.last_fork_guid);
            for (nth, log) in path.logs.iter().map(|id| of(*id)).enumerate() {
                prop_assert!(can_follow(stand, log));
                let is_last = nth + 1 == path.logs.len();
                prop_assert_eq!(is_last, log.first_lsn <= mark && mark < log.last_lsn);
                stand = (log.last_lsn, log.last_fork_guid);
            }
        }
    }

    #[test]
    fn the_order_of_the_pieces_does_not_matter(pieces in some_pieces(), at in 2_u32..18) {
        let mut turned = pieces.clone();
        turned.reverse();
        prop_assert_eq!(restore_path(&pieces, lsn(at)), restore_path(&turned, lsn(at)));
    }

    #[test]
    fn a_chain_that_runs_is_one_that_the_next_log_continues(pieces in some_pieces(), at in 2_u32..18) {
        let next = on_fork(log(99, at, 1000), FORK, FORK, None);
        let continued = Chain::build(&pieces).is_continued_at(lsn(at), Some(Uuid::from_u128(FORK)));
        let mut with_next = pieces.clone();
        with_next.push(next);
        prop_assert_eq!(continued, restore_path(&with_next, lsn(999)).is_ok());
    }
}
