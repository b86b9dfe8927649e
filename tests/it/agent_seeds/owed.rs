//! Which marks a story's book owes: those to which the group must come back now, whatever the agent thinks of them.
//!
//! Start at [`is_offered`]. A mark is owed when every member's history held it and every member's backups, of those that
//! hosts took without an error and that no misfortune of the story took away, lead to it. Nothing here asks why a mark
//! is no Point: the reasons that count are those that the book knows, each in [`Pages::excuse`] or [`Pages::lost`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use stopmark::model::{MarkName, MemberName, PieceId, Set, SetId};
use stopmark::world::{LogEntry, LogFact, World};

use super::marks::{Confirmed, Pages, Taken};
use super::story::Scene;
use super::ways::{Backup, way_to};

/// How often a file must be looked for in vain before it counts as lost: a share that was away for a moment looks like a
/// file that is gone.
const LOOKS_MAX: usize = 2;

/// Why a mark need not be a Point.
type Excuse = String;

/// Every mark that is owed is among the Points offered.
pub(super) async fn is_offered(scene: &Scene, world: &World) {
    let group = &scene.agent.config.group;
    let log = world.store.log_after(group, 0).await;
    let log = log.expect("the store is sound");
    let points = world.catalog.newest_points(group, usize::MAX >> 8).await;
    let points = points.expect("a catalog").into_iter();
    let offered: BTreeSet<MarkName> = points.map(|point| point.mark.name).collect();
    let judged = scene
        .books
        .marks
        .pages()
        .judged(&log, scene.habits.keep_last);
    let mut missing = String::new();
    for (mark, excuse, entry) in judged {
        match excuse {
            None if offered.contains(&mark) => scene.books.count(|told| told.owed += 1),
            None => {
                let listed = world.catalog.find(group, mark.as_str()).await;
                let listed = listed.expect("a catalog").map(|it| it.verdict);
                writeln!(missing, "{entry}  the catalog: {listed:?}").expect("a string");
            }
            Some(why) => {
                scene.books.count(|told| told.excused += 1);
                scene
                    .books
                    .note(format!("{mark} need not be a Point: {why}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "Points that ought to be offered:\n{missing}"
    );
}

/// What the store itself says was published: its log and manifests.
pub(super) async fn published(scene: &Scene, world: &World) -> Vec<Set> {
    let group = &scene.agent.config.group;
    let log = world.store.log_after(group, 0).await;
    let sets = log.expect("the store is sound").into_iter();
    let named = sets.filter_map(|entry| match entry.fact {
        LogFact::Set {
            manifest_key,
            digest,
            ..
        } => Some((manifest_key, digest)),
        _ => None,
    });
    let sets = world.store.read_sets(group, named.collect()).await;
    sets.expect("manifests do not rot")
}

impl Pages {
    /// Every confirmed mark with its excuse, if it has one, and its entry in the book.
    fn judged(
        &self,
        log: &[LogEntry],
        keep_last: Option<u64>,
    ) -> Vec<(MarkName, Option<Excuse>, String)> {
        let lost = self.lost();
        let marks = self.confirmed.iter().map(|it| {
            let excuse = self.excuse(it, &lost);
            let excuse = excuse.or_else(|| self.pruned(it, log, keep_last));
            (it.mark.clone(), excuse, self.entry(it, &lost))
        });
        marks.collect()
    }

    /// The backups that are lost, each with the misfortune that took it.
    fn lost(&self) -> BTreeMap<PieceId, &'static str> {
        let mut lost = self.lost.clone();
        // A fault damages one backup of its host and no more. Should the agent refuse more files of a host than were
        // damaged there, none of its refusals is believed.
        let mut refused: BTreeMap<&str, Vec<PieceId>> = BTreeMap::new();
        for piece in &self.unsound {
            let host = self.taken.get(piece).and_then(|it| it.host.as_deref());
            refused
                .entry(host.unwrap_or_default())
                .or_default()
                .push(*piece);
        }
        for (host, pieces) in refused {
            let damages = self.damages.get(host).copied().unwrap_or_default();
            if pieces.len() <= damages {
                lost.extend(pieces.into_iter().map(|it| (it, "its file was damaged")));
            }
        }
        // A file that was looked for twice in vain is given up, and looks fail only where the weather makes them fail.
        let gone = self.unseen.iter().filter(|(_, looks)| **looks >= LOOKS_MAX);
        let gone: Vec<PieceId> = gone.map(|(piece, _)| *piece).collect();
        if gone.len() * LOOKS_MAX <= self.unlooked {
            lost.extend(gone.into_iter().map(|it| (it, "its share was away twice")));
        }
        lost
    }

    /// Why the book does not ask for this mark.
    fn excuse(&self, mark: &Confirmed, lost: &BTreeMap<PieceId, &'static str>) -> Option<Excuse> {
        if self.forgotten.contains(&mark.set) {
            return Some("the only journal that knew it was lost with its machine".to_owned());
        }
        // A mark is claimed by the set of its round, and a round that brought nothing home makes no set.
        let own = mark.pieces.iter().filter(|it| self.taken.contains_key(it));
        if own.clone().all(|piece| lost.contains_key(piece)) {
            return Some("nothing of its own round is left to make a set of".to_owned());
        }
        mark.members.iter().find_map(|member| {
            let placed = mark.places.iter().find(|it| it.member == *member);
            // An agent must not confirm a mark that a member lacks, so that this excuses nothing.
            let placed = placed?;
            let missing = way_to(placed, &self.left(member, lost)).err()?;
            let gone = lost.iter().filter_map(|(piece, why)| {
                let taken = self.taken.get(piece)?;
                (taken.member == *member).then(|| format!("; {}: {why}", taken.backup.words()))
            });
            Some(format!("{member}: {missing}{}", gone.collect::<String>()))
        })
    }

    /// A prune lets a mark go that is older than as many others as are kept: its set claims it no longer, or it came to
    /// be published only after these and what it needs had been let go. A prune that lets go of more is no excuse.
    fn pruned(&self, mark: &Confirmed, log: &[LogEntry], keep_last: Option<u64>) -> Option<Excuse> {
        let keeps = usize::try_from(keep_last?).ok()?;
        let entry_of = |set: SetId| {
            let mut entries = log.iter();
            let is_it =
                |entry: &&LogEntry| matches!(entry.fact, LogFact::Set { set: it, .. } if it == set);
            entries.find(is_it).map(|entry| entry.entry)
        };
        let is_gone = |entry: &&LogEntry| {
            let LogFact::Pruned { sets } = &entry.fact else {
                return false;
            };
            let ends = sets.iter().any(|it| it.set == mark.set && it.ends_mark);
            let is_late = entry_of(mark.set).is_none_or(|own| own > entry.entry);
            let newer = self.confirmed.iter().filter(|it| {
                let is_newer = it.stamped_at > mark.stamped_at;
                is_newer && entry_of(it.set).is_some_and(|own| own < entry.entry)
            });
            (ends || is_late) && newer.count() >= keeps
        };
        let prune = log.iter().find(is_gone)?;
        Some(format!(
            "entry {} let it go for {keeps} newer marks",
            prune.entry
        ))
    }

    /// The backups of a member that no misfortune took.
    fn left(&self, member: &MemberName, lost: &BTreeMap<PieceId, &'static str>) -> Vec<&Backup> {
        let taken = self.taken.iter();
        let left = taken.filter(|(piece, it)| it.member == *member && !lost.contains_key(piece));
        left.map(|(_, taken)| &taken.backup).collect()
    }

    /// What a person must know of a mark: where it stands, and every backup of its round and what became of it.
    fn entry(&self, mark: &Confirmed, lost: &BTreeMap<PieceId, &'static str>) -> String {
        let (name, run, set) = (&mark.mark, mark.run, mark.set);
        let mut text = format!("{name} of run {run}, set {set}\n");
        for placed in &mark.places {
            let (member, lsn, fork) = (&placed.member, placed.lsn, placed.fork_guid);
            writeln!(text, "  in {member} at {lsn}, fork {fork:?}").expect("a string");
        }
        for piece in &mark.pieces {
            let became = match (self.taken.get(piece), lost.get(piece)) {
                (None, _) => "was not taken".to_owned(),
                (Some(taken), None) => words(taken),
                (Some(taken), Some(why)) => format!("{}, lost: {why}", words(taken)),
            };
            writeln!(text, "  piece {piece}: {became}").expect("a string");
        }
        text
    }
}

fn words(taken: &Taken) -> String {
    let (member, backup, files) = (&taken.member, taken.backup.words(), &taken.files);
    let host = taken.host.as_deref().unwrap_or("somebody else");
    format!("{backup} of {member} by {host} in {files:?}")
}
