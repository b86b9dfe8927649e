//! Letting go: first in the group's log, then in the store, then in the log again what is gone.
//!
//! Start at [`prune`]. Every deed may run twice: what was let go is not let go again, what is gone is gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::catch_up;
use crate::chain::{chains, reached};
use crate::error::{Code, Error, Result};
use crate::model::{MarkName, PieceId, Set, SetId};
use crate::plan::{NoteRemoved, Prune, RemovePiece};
use crate::retention::{PiecesOf, without};
use crate::run::book::Book;
use crate::run::events::Outcome;
use crate::world::{LogFact, Removal, World};

/// Writes down what is let go, after a last look at what would be left.
pub(super) async fn prune(world: &World, step: &Prune) -> Result<Outcome> {
    if is_pruned(world, step).await? {
        return Ok(Outcome::Done);
    }
    let sets = world.catalog.sets(&step.group).await?;
    require_kept(step, sets)?;
    let sets = step.sets.clone();
    world
        .store
        .append(&step.group, LogFact::Pruned { sets })
        .await?;
    catch_up(world, &step.group).await?;
    Ok(Outcome::Done)
}

/// Whether the group's log says already all that the step would write.
pub(in crate::run) async fn is_pruned(world: &World, step: &Prune) -> Result<bool> {
    catch_up(world, &step.group).await?;
    world.catalog.is_let_go(&step.group, &step.sets).await
}

/// A prune never takes a Point that its plan keeps, whatever happened since the plan was made.
fn require_kept(step: &Prune, sets: Vec<Set>) -> Result<()> {
    let names = |sets: &[Set]| -> BTreeSet<MarkName> {
        let nothing = BTreeSet::new();
        let reached = reached(sets, &nothing, &chains(sets, &nothing)).into_iter();
        reached.map(|it| it.mark.name.clone()).collect()
    };
    let before = names(&sets);
    let after = names(&without(sets, &step.sets));
    let lost = step
        .keeps
        .iter()
        .find(|mark| before.contains(*mark) && !after.contains(*mark));
    lost.map_or(Ok(()), |mark| {
        let message = format!("a prune would take what the kept point `{mark}` needs");
        Err(Error::new(Code::Bug, message).hint("nothing was let go; please report this"))
    })
}

/// Removes the objects of a piece; what the store holds back is remembered, and is no failure.
pub(super) async fn remove_piece(world: &World, step: &RemovePiece) -> Result<Outcome> {
    let mut held_back = Vec::new();
    for stripe in &step.stored {
        match world.store.remove(&step.group, stripe).await? {
            Removal::Gone => {}
            Removal::HeldBack { reason } => held_back.push(reason),
        }
    }
    let piece = step.piece;
    Ok(match held_back.into_iter().next() {
        None => Outcome::Removed { piece },
        Some(reason) => Outcome::HeldBack { piece, reason },
    })
}

/// Writes down whose objects are gone, those of this run that the log does not name yet.
pub(super) async fn note_removed(
    world: &World,
    book: &Book,
    step: &NoteRemoved,
) -> Result<Outcome> {
    let removed: BTreeSet<PieceId> = book.read(|record| {
        let removed = record.outcomes().filter_map(|outcome| match outcome {
            Outcome::Removed { piece } => Some(*piece),
            _ => None,
        });
        removed.collect()
    });
    catch_up(world, &step.group).await?;
    let mut open = world.catalog.unremoved(&step.group).await?;
    open.retain(|(_, piece)| removed.contains(&piece.id));
    let mut sets: BTreeMap<SetId, Vec<PieceId>> = BTreeMap::new();
    for (set, piece) in open {
        sets.entry(set).or_default().push(piece.id);
    }
    if !sets.is_empty() {
        let sets = sets.into_iter();
        let sets = sets.map(|(set, pieces)| PiecesOf { set, pieces }).collect();
        let fact = LogFact::Removed { sets };
        world.store.append(&step.group, fact).await?;
        catch_up(world, &step.group).await?;
    }
    Ok(Outcome::Done)
}
