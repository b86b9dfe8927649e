//! Every order of every choice of pieces, applied one by one as SQL Server would: the paths that are found
//! must be exactly those that exist.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::samples::{FORK, differential, full, log, lsn, on_fork};
use super::super::{Chain, restore_path};
use crate::model::{Lsn, Piece, PieceId, PieceKind};

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
                && p.last_lsn >= full.last_lsn
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

/// Pieces of all kinds, on two forks, that may follow from one another.
pub(in crate::chain) fn some_pieces() -> impl Strategy<Value = Vec<Piece>> {
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
