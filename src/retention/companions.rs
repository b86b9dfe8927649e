//! What becomes of companions: a restore wants the newest of each that stands before its mark. Start at [`fates`].

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::Fate;
use crate::model::{MarkName, MemberName, PieceId, Set, Timestamp};

/// What becomes of every piece of a companion. `kept` are the marks of the Points that stay, oldest first.
///
/// The newest of each companion stays whatever the rules say; beside it the newest before each kept Point. One that was
/// found damaged keeps nobody else from staying, and stays itself as long as it would have been the one: it may be
/// whole again.
pub(super) fn fates(
    sets: &[Set],
    damaged: &BTreeSet<PieceId>,
    kept: &[(Timestamp, &MarkName)],
) -> BTreeMap<PieceId, Fate> {
    let mut taken: BTreeMap<&MemberName, Vec<(Timestamp, PieceId)>> = BTreeMap::new();
    for set in sets.iter().filter(|set| set.is_of_companions()) {
        for piece in &set.pieces {
            let of_companion = taken.entry(&piece.member).or_default();
            of_companion.push((set.made_at, piece.id));
        }
    }
    let mut fates = BTreeMap::new();
    for mut all in taken.into_values() {
        all.sort();
        let mut sound = all.clone();
        sound.retain(|(_, piece)| !damaged.contains(piece));
        fates.extend(all.iter().map(|(_, piece)| (*piece, Fate::Unneeded)));
        for candidates in [&all, &sound] {
            needed(candidates, kept, &mut fates);
        }
    }
    fates
}

fn needed(
    candidates: &[(Timestamp, PieceId)],
    kept: &[(Timestamp, &MarkName)],
    fates: &mut BTreeMap<PieceId, Fate>,
) {
    for (placed_at, mark) in kept {
        let before = candidates.partition_point(|(made_at, _)| made_at <= placed_at);
        if let Some((_, piece)) = before.checked_sub(1).and_then(|at| candidates.get(at)) {
            fates.insert(*piece, Fate::NeededBy((*mark).clone()));
        }
    }
    if let Some((_, newest)) = candidates.last() {
        fates.insert(*newest, Fate::New);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chain::samples::piece;
    use crate::model::{PieceKind, RunId, SetId, SetKind};

    const MASTER: &str = "PAY1/master";

    fn set(hours: i64, names: &[&str]) -> Set {
        let name = |name: &&str| -> MemberName { name.parse().expect("a name") };
        let id = |nth: usize| u128::try_from(hours * 10).expect("small") + nth as u128;
        let pieces = names.iter().enumerate().map(|(nth, companion)| {
            let mut piece = piece(id(nth), PieceKind::Full, 1, 2);
            piece.member = name(companion);
            piece
        });
        Set {
            id: SetId(Uuid::from_u128(id(9))),
            group: "payments".parse().expect("a group"),
            kind: SetKind::Salvage,
            run: RunId(Uuid::nil()),
            made_at: at(hours),
            mark: None,
            members: Vec::new(),
            best_effort: Vec::new(),
            pieces: pieces.collect(),
            missing: Vec::new(),
            adopted: Vec::new(),
            companions: names.iter().map(name).collect(),
            settings: Vec::new(),
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn id(number: u128) -> PieceId {
        PieceId(Uuid::from_u128(number))
    }

    fn stays(sets: &[Set], damaged: &[u128], kept: &[i64]) -> Vec<u128> {
        let mark: MarkName = "SM_1".parse().expect("a mark");
        let kept: Vec<_> = kept.iter().map(|hours| (at(*hours), &mark)).collect();
        let damaged = damaged.iter().map(|number| id(*number)).collect();
        let fates = fates(sets, &damaged, &kept);
        let stays = fates.iter().filter(|(_, fate)| **fate != Fate::Unneeded);
        stays.map(|(piece, _)| piece.0.as_u128()).collect()
    }

    #[test]
    fn the_newest_before_each_kept_point_stays_and_the_newest_of_all() {
        let sets = [1, 2, 3, 4, 5].map(|hours| set(hours, &[MASTER]));
        assert_eq!(stays(&sets, &[], &[3, 4]), [30, 40, 50]);
        assert_eq!(stays(&sets, &[], &[2]), [20, 50]);
        assert_eq!(stays(&sets, &[], &[]), [50], "one at least");
        assert_eq!(stays(&sets, &[], &[0]), [50], "none stood before it");
    }

    #[test]
    fn a_set_without_one_companion_does_not_stand_for_it() {
        let sets = [
            set(1, &[MASTER, "PAY1/msdb"]),
            set(2, &["PAY1/msdb"]),
            set(3, &[MASTER, "PAY1/msdb"]),
        ];
        assert_eq!(stays(&sets, &[], &[2]), [10, 20, 30, 31]);
    }

    #[test]
    fn behind_a_damaged_one_the_whole_one_before_it_stays_too() {
        let sets = [1, 2, 3].map(|hours| set(hours, &[MASTER]));
        assert_eq!(stays(&sets, &[20], &[2]), [10, 20, 30]);
        assert_eq!(stays(&sets, &[30], &[]), [20, 30]);
    }
}
