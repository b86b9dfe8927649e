//! `stopmark verify`: stored pieces read back and compared with their digests.

use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Common, VerifyArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{Piece, Set};
use crate::report::bytes::size;
use crate::run::events::Failure;

/// Sets that are held in full at the same time.
const PAGE_SETS: usize = 256;

/// What a verification found.
#[derive(Serialize)]
struct Verified {
    pieces: usize,
    bytes: u64,
    is_whole: bool,
    damaged: Vec<Damaged>,
}

#[derive(Serialize)]
struct Damaged {
    member: String,
    object: String,
    failure: Failure,
}

impl Shown for Verified {
    fn text(&self) -> String {
        let how = if self.is_whole {
            "read back and compared"
        } else {
            "present with the right size"
        };
        let mut text = format!("{} pieces ({}) {how}\n", self.pieces, size(self.bytes));
        for damaged in &self.damaged {
            let line = format!(
                "DAMAGED {}: {}: {}\n",
                damaged.member,
                damaged.object,
                damaged.failure.line()
            );
            text.push_str(&line);
        }
        text
    }
}

/// Proves pieces in the store again. Damage is an exit code of its own, for schedulers.
pub(super) async fn verify(
    common: &Common,
    args: &VerifyArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    agent.catch_up().await?;
    let mut verified = Verified {
        pieces: 0,
        bytes: 0,
        is_whole: !args.quick,
        damaged: Vec::new(),
    };
    match args.mark.as_deref() {
        Some(mark) => {
            let sets = needed(&agent, mark).await?;
            verified.prove(&agent, &sets).await;
        }
        None => verified.prove_all(&agent).await?,
    }
    let exit = if verified.damaged.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    };
    shown(out, &verified, exit)
}

/// The sets that a mark needs, with the pieces that it needs.
async fn needed(agent: &Agent, mark: &str) -> Result<Vec<Set>, Failed> {
    let point = agent.world.catalog.point(&agent.config.group, Some(mark));
    let point = point.await.map_err(one)?.ok_or_else(|| {
        one(Error::new(
            Code::PointUnknown,
            format!("there is no point at mark `{mark}`"),
        )
        .hint("`stopmark list` shows the points"))
    })?;
    Ok(point.sets)
}

impl Verified {
    async fn prove(&mut self, agent: &Agent, sets: &[Set]) {
        for piece in sets.iter().flat_map(|set| &set.pieces) {
            self.pieces += 1;
            self.bytes += piece.size_bytes();
            prove(agent, piece, self.is_whole, &mut self.damaged).await;
        }
    }

    /// Every piece that a manifest names, damaged ones too.
    async fn prove_all(&mut self, agent: &Agent) -> Result<(), Failed> {
        let mut after = 0;
        loop {
            let group = &agent.config.group;
            let sets = agent.world.catalog.manifests(group, after, PAGE_SETS);
            let sets = sets.await.map_err(one)?;
            let Some(newest) = sets.last() else {
                return Ok(());
            };
            after = newest.entry;
            let sets: Vec<Set> = sets.into_iter().map(|listed| listed.set).collect();
            self.prove(agent, &sets).await;
        }
    }
}

async fn prove(agent: &Agent, piece: &Piece, whole: bool, damaged: &mut Vec<Damaged>) {
    for stripe in &piece.stripes {
        let progress = agent
            .world
            .progress
            .begin(&stripe.key, Some(stripe.size_bytes));
        if let Err(error) = agent
            .world
            .store
            .prove(stripe, whole, progress.as_ref())
            .await
        {
            damaged.push(Damaged {
                member: piece.member.to_string(),
                object: stripe.key.clone(),
                failure: Failure::from(&error),
            });
        }
    }
}
