//! Copies of pieces: proven when they are made, made anew where they are owed, and proven again over the years.
//!
//! Start at [`keep_proven`], [`copy_piece`] and [`prove_copy`]. What is found is written into the group's log at once,
//! so that nothing that comes later can lose it.

use crate::error::{Code, Error, Result};
use crate::model::{PieceCopy, ProofLevel, StoredStripe};
use crate::plan::{CopyPiece, MirrorLog, ProveCopy};
use crate::run::book::Book;
use crate::run::events::{Failure, Outcome};
use crate::world::{LogFact, World};

/// Proves every copy of a piece that was just sent, side by side, and leaves those out that are not whole: they are
/// owed, like those that were never made.
///
/// # Errors
/// That of the first copy, where none is whole.
pub(super) async fn keep_proven(
    world: &World,
    stripes: &mut [StoredStripe],
    proof: ProofLevel,
    label: &str,
) -> Result<()> {
    let copies = common(stripes);
    let mut proven = Vec::new();
    for copy in &copies {
        proven.push(prove(world, stripes, Some(copy), proof, label));
    }
    let proven = futures::future::join_all(proven).await;
    if copies.is_empty() {
        return prove(world, stripes, None, proof, label).await;
    }
    let (mut whole, mut failed) = (Vec::new(), None);
    for (copy, result) in copies.into_iter().zip(proven) {
        match result {
            Ok(()) => whole.push(copy),
            Err(error) => {
                tracing::warn!(store = %copy.store, "a copy is owed: {error}");
                failed = failed.or(Some(error));
            }
        }
    }
    if whole.is_empty() {
        return failed.map_or(Ok(()), Err);
    }
    for stripe in stripes {
        stripe.copies.clone_from(&whole);
    }
    Ok(())
}

/// The copies that hold every stripe.
fn common(stripes: &[StoredStripe]) -> Vec<PieceCopy> {
    let Some((first, others)) = stripes.split_first() else {
        return Vec::new();
    };
    let holds_all = |copy: &&PieceCopy| others.iter().all(|stripe| stripe.copies.contains(copy));
    first.copies.iter().filter(holds_all).cloned().collect()
}

/// Proves every stripe of one copy; none: as the stripes say themselves.
async fn prove(
    world: &World,
    stripes: &[StoredStripe],
    copy: Option<&PieceCopy>,
    proof: ProofLevel,
    label: &str,
) -> Result<()> {
    for stripe in stripes {
        let progress = world.progress.begin(label, Some(stripe.size_bytes));
        let copies = copy.map_or_else(|| stripe.copies.clone(), |copy| vec![copy.clone()]);
        let (stripe, progress) = (stripe.held_by(copies), progress.as_ref());
        match proof {
            ProofLevel::Size => world.store.prove(&stripe, false, progress).await?,
            ProofLevel::Sample => world.store.prove_sample(&stripe, progress).await?,
            ProofLevel::Whole => world.store.prove(&stripe, true, progress).await?,
        }
    }
    Ok(())
}

/// Makes a copy. One that cannot be made because something else has its name is damaged, and the next try gets a name
/// of its own.
pub(super) async fn copy_piece(world: &World, book: &Book, step: &CopyPiece) -> Result<Outcome> {
    let group = book.read(|record| record.group.clone());
    let label = format!("copy {} to {}", step.member, step.to.store);
    for stripe in &step.stripes {
        let progress = world.progress.begin(&label, Some(stripe.size_bytes));
        let copied = world.store.copy(stripe, &step.to, progress.as_ref()).await;
        let Err(error) = copied else {
            continue;
        };
        if error.code() == Code::ObjectExists {
            let damaged = LogFact::Proved {
                set: step.set,
                piece: step.piece,
                whole: false,
                copy: Some(step.to.clone()),
            };
            world.store.append(&group, damaged).await?;
        }
        return Err(error);
    }
    let fact = LogFact::Copied {
        set: step.set,
        piece: step.piece,
        copy: step.to.clone(),
    };
    world.store.append(&group, fact).await?;
    Ok(Outcome::Copied {
        piece: step.piece,
        copy: step.to.clone(),
    })
}

/// Reads a copy back. Damage is what was asked about, and no failure; a store that does not answer says nothing about
/// the copy.
pub(super) async fn prove_copy(world: &World, book: &Book, step: &ProveCopy) -> Result<Outcome> {
    let group = book.read(|record| record.group.clone());
    let label = format!("scrub {}", step.member);
    let whole = ProofLevel::Whole;
    let proven = prove(world, &step.stripes, Some(&step.copy), whole, &label).await;
    let damage = match proven {
        Ok(()) => None,
        Err(error) if is_damage(&error) => Some(Failure::from(&error)),
        Err(error) => return Err(error),
    };
    let fact = LogFact::Proved {
        set: step.set,
        piece: step.piece,
        whole: damage.is_none(),
        copy: Some(step.copy.clone()),
    };
    world.store.append(&group, fact).await?;
    Ok(Outcome::CopyProven {
        piece: step.piece,
        copy: step.copy.clone(),
        damage,
    })
}

fn is_damage(error: &Error) -> bool {
    matches!(error.code(), Code::StoreMismatch | Code::ObjectMissing)
}

/// Copies what a store lacks of the group's log.
pub(super) async fn mirror_log(world: &World, book: &Book, step: &MirrorLog) -> Result<Outcome> {
    let group = book.read(|record| record.group.clone());
    let entries = world.store.mirror_log(&group, &step.to).await?;
    Ok(Outcome::LogMirrored { entries })
}
