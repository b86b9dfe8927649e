//! What becomes of companions: a restore wants the newest of each that stands before its mark. Start at [`fates`].

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::Fate;
use crate::model::{MarkName, MemberName, PieceId, Set, Timestamp};

/// What becomes of every piece of a companion. `kept` are the marks of the Points that stay, oldest first.
///
/// The newest of each companion stays whatever the rules say; beside it the newest before each kept Point. One that was
/// found damaged keeps nobody else from staying, and stays itself as long as it would have been the one: it may be
/// whole again. Of a companion that the configuration names no longer, as a later set of companions says, what stood
/// before the Points of its time stays as long as they do, and goes with the last of them.
pub(super) fn fates(
    sets: &[Set],
    damaged: &BTreeSet<PieceId>,
    kept: &[(Timestamp, &MarkName)],
) -> BTreeMap<PieceId, Fate> {
    let mut beside: Vec<&Set> = sets.iter().filter(|set| set.is_of_companions()).collect();
    beside.sort_by_key(|set| set.made_at);
    let mut taken: BTreeMap<&MemberName, Vec<(Timestamp, PieceId)>> = BTreeMap::new();
    for set in &beside {
        for piece in &set.pieces {
            let of_companion = taken.entry(&piece.member).or_default();
            of_companion.push((set.made_at, piece.id));
        }
    }
    let mut fates = BTreeMap::new();
    for (name, mut all) in taken {
        let of_its_time = |(placed_at, _): &&_| is_named(&beside, name, Some(*placed_at));
        let kept: Vec<_> = kept.iter().filter(of_its_time).copied().collect();
        all.sort();
        let mut sound = all.clone();
        sound.retain(|(_, piece)| !damaged.contains(piece));
        fates.extend(all.iter().map(|(_, piece)| (*piece, Fate::Unneeded)));
        for candidates in [&all, &sound] {
            needed(candidates, &kept, &mut fates);
            let newest = candidates.last().filter(|_| is_named(&beside, name, None));
            fates.extend(newest.map(|(_, piece)| (*piece, Fate::New)));
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
}

/// Whether the group had this companion at that time, or has it now, as the newest set of companions by then says; they
/// are in the order in which they were made.
fn is_named(beside: &[&Set], name: &MemberName, at: Option<Timestamp>) -> bool {
    let known = at.map_or(beside.len(), |at| {
        beside.partition_point(|set| set.made_at <= at)
    });
    let newest = known.checked_sub(1).and_then(|last| beside.get(last));
    newest.is_none_or(|set| set.companions.contains(name))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chain::samples::piece;
    use crate::model::{PieceKind, RunId, SetId, SetKind};

    const MASTER: &str = "PAY1/master";

    /// A set of these companions, which are all that the configuration names.
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
        let mut sets = [
            set(1, &[MASTER, "PAY1/msdb"]),
            set(2, &["PAY1/msdb"]),
            set(3, &[MASTER, "PAY1/msdb"]),
        ];
        sets[1].companions.push(MASTER.parse().expect("a name"));
        assert_eq!(stays(&sets, &[], &[2]), [10, 20, 30, 31]);
    }

    #[test]
    fn one_that_is_named_no_longer_stays_for_the_points_of_its_time_and_goes_with_the_last_of_them()
    {
        let both = [MASTER, "PAY1/msdb"];
        let mut sets = vec![set(1, &both), set(3, &both)];
        assert_eq!(stays(&sets, &[], &[4]), [30, 31], "nobody took it out yet");
        sets.push(set(5, &[MASTER]));
        assert_eq!(stays(&sets, &[], &[2, 6]), [10, 11, 50]);
        assert_eq!(stays(&sets, &[], &[4, 6]), [30, 31, 50]);
        assert_eq!(stays(&sets, &[], &[6]), [50], "no Point of its time");
        sets.push(set(7, &both));
        assert_eq!(stays(&sets, &[], &[6]), [50, 70, 71], "it is back");
    }

    #[test]
    fn behind_a_damaged_one_the_whole_one_before_it_stays_too() {
        let sets = [1, 2, 3].map(|hours| set(hours, &[MASTER]));
        assert_eq!(stays(&sets, &[20], &[2]), [10, 20, 30]);
        assert_eq!(stays(&sets, &[30], &[]), [20, 30]);
    }
}
