//! Adopting a foreign backup: the same one pass as a delivery, held against what was examined.

use std::sync::Arc;

use super::copies::keep_proven;
use crate::error::{Code, Error, Result};
use crate::model::{ProofLevel, StoredStripe};
use crate::plan::AdoptPiece;
use crate::run::events::Outcome;
use crate::verify::{MediaTap, check_adopted};
use crate::world::{StepProgress, World};

/// Sends the stripes. Between examination and now a file may have become another one: digests and facts must
/// be those of the plan.
pub(super) async fn adopt(world: &World, step: &AdoptPiece) -> Result<Outcome> {
    let piece = &step.piece;
    let mut reports = Vec::with_capacity(piece.stripes.len());
    let mut stripes = Vec::with_capacity(piece.stripes.len());
    for (place, planned) in step.origin.places.iter().zip(&piece.stripes) {
        let label = format!("adopt {}", piece.member);
        let progress: Arc<dyn StepProgress> = world
            .progress
            .begin(&label, Some(planned.size_bytes))
            .into();
        let (stored, tap) = send(world, place, planned, progress.as_ref()).await?;
        // How the store cuts a large file into objects, and seals it, is its own affair.
        if stored.plain() != planned.plain() {
            return Err(changed(place, planned, &stored).at("member", &piece.member));
        }
        reports.push(tap.report());
        stripes.push(stored);
    }
    check_adopted(&reports, piece)?;
    let proof = if step.read_back_whole {
        ProofLevel::Whole
    } else {
        ProofLevel::Size
    };
    let label = format!("read back {}", piece.member);
    keep_proven(world, &mut stripes, proof, &label).await?;
    Ok(Outcome::Delivered {
        piece: piece.id,
        stripes,
        files: piece.files.clone(),
        read_back_whole: step.read_back_whole,
        proof: Some(proof),
    })
}

async fn send(
    world: &World,
    place: &str,
    planned: &StoredStripe,
    progress: &dyn StepProgress,
) -> Result<(StoredStripe, MediaTap)> {
    let mut tap = MediaTap::default();
    let label = format!("bring {place}");
    let bringing = world.progress.begin(&label, Some(planned.size_bytes));
    let brought = world.foreign.bring(place, bringing.as_ref()).await?;
    drop(bringing);
    let sent = world
        .store
        .upload(&brought.path, &planned.key, &mut tap, progress)
        .await;
    world.foreign.let_go(brought).await;
    Ok((sent?, tap))
}

fn changed(place: &str, planned: &StoredStripe, stored: &StoredStripe) -> Error {
    let message = format!(
        "a backup file has other bytes than when it was examined: root {}, not {}",
        stored.plain().root,
        planned.plain().root
    );
    Error::new(Code::MediaChanged, message)
        .at("place", place)
        .hint("see who writes there, then run `stopmark adopt` again")
}
