//! Delivering a piece: one pass over each stripe parses, hashes and sends it; then it is read back.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::model::StoredStripe;
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
    for stripe in &stripes {
        let label = format!("read back {}", step.member);
        let progress = world.progress.begin(&label, Some(stripe.size_bytes));
        world
            .store
            .prove(stripe, step.read_back_whole, progress.as_ref())
            .await?;
    }
    Ok(Outcome::Delivered {
        piece: step.piece,
        stripes,
        files: seen.files,
        read_back_whole: step.read_back_whole,
    })
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
