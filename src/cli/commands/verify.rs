//! `stopmark verify`: stored pieces read back and compared with their digests.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Failed, one, shown};
use crate::chain::points;
use crate::cli::args::{Common, VerifyArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{Piece, PieceId, Set};
use crate::report::bytes::size;
use crate::run::events::Failure;

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
    let sets = match args.mark {
        Some(_) => agent.sets().await?,
        None => agent.manifests().await?,
    };
    let wanted = wanted(&sets, args.mark.as_deref())?;
    let mut verified = Verified {
        pieces: 0,
        bytes: 0,
        is_whole: !args.quick,
        damaged: Vec::new(),
    };
    for piece in sets
        .iter()
        .flat_map(|set| &set.pieces)
        .filter(|piece| wanted.contains(&piece.id))
    {
        verified.pieces += 1;
        verified.bytes += piece.size_bytes();
        prove(&agent, piece, !args.quick, &mut verified.damaged).await;
    }
    let exit = if verified.damaged.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    };
    shown(out, &verified, exit)
}

fn wanted(sets: &[Set], mark: Option<&str>) -> Result<BTreeSet<PieceId>, Failed> {
    let Some(mark) = mark else {
        return Ok(sets
            .iter()
            .flat_map(|set| &set.pieces)
            .map(|piece| piece.id)
            .collect());
    };
    let points = points(sets, &[]);
    let point = points
        .iter()
        .find(|point| point.mark.name.as_str() == mark)
        .ok_or_else(|| {
            one(Error::new(
                Code::PointUnknown,
                format!("there is no point at mark `{mark}`"),
            )
            .hint("`stopmark list` shows the points"))
        })?;
    Ok(point
        .paths
        .values()
        .flat_map(|path| path.pieces().collect::<Vec<_>>())
        .collect())
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
