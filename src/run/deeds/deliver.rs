//! Delivering a piece: one pass over each stripe parses, hashes and sends it; then it is read back.

use std::sync::Arc;

use super::copies::keep_proven;
use crate::error::{Code, Error, Result};
use crate::model::{ProofLevel, StoredStripe};
use crate::plan::{Deliver, StagedStripe};
use crate::run::book::Book;
use crate::run::events::Outcome;
use crate::verify::{Expected, MediaTap, check_piece};
use crate::world::{StepProgress, World};

/// Delivers one piece. Nothing counts as delivered before medium, msdb and store agree.
pub(super) async fn deliver(world: &World, book: &Book, step: &Deliver) -> Result<Outcome> {
    let facts = book
        .read(|record| record.backed_up(step.piece).cloned())
        .ok_or_else(|| {
            Error::new(
                Code::Bug,
                "a piece was to be delivered that was never taken",
            )
            .at("member", &step.member)
        })?;
    let sizes = world.staging.sizes(&step.stripes).await?;
    let mut stripes = Vec::with_capacity(step.stripes.len());
    let mut reports = Vec::with_capacity(step.stripes.len());
    for (stripe, size_bytes) in step.stripes.iter().zip(sizes) {
        let label = format!("upload {}", step.member);
        let progress: Arc<dyn StepProgress> = world.progress.begin(&label, Some(size_bytes)).into();
        let (stored, tap) = upload(world, stripe, progress.as_ref()).await?;
        reports.push(tap.report());
        stripes.push(stored);
    }
    let expected = Expected {
        member: &step.member,
        kind: step.piece_kind,
        facts: &facts,
    };
    let seen = check_piece(&reports, expected)?;
    let proof = proof_of(step, stripes.iter().map(|stripe| stripe.size_bytes).sum());
    let label = format!("read back {}", step.member);
    keep_proven(world, &mut stripes, proof, &label).await?;
    Ok(Outcome::Delivered {
        piece: step.piece,
        stripes,
        files: seen.files,
        read_back_whole: proof == ProofLevel::Whole,
        proof: Some(proof),
    })
}

/// How far the plan wants a piece of this size proven.
fn proof_of(step: &Deliver, size_bytes: u64) -> ProofLevel {
    match step.sample_over_bytes {
        _ if !step.read_back_whole => ProofLevel::Size,
        Some(limit) if size_bytes > limit => ProofLevel::Sample,
        _ => ProofLevel::Whole,
    }
}

async fn upload(
    world: &World,
    stripe: &StagedStripe,
    progress: &dyn StepProgress,
) -> Result<(StoredStripe, MediaTap)> {
    let mut tap = MediaTap::default();
    let stored = world
        .store
        .upload(&stripe.agent_path, &stripe.key, &mut tap, progress)
        .await?;
    Ok((stored, tap))
}
