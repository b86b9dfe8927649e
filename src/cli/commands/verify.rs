//! `stopmark verify`: stored pieces read back and compared with their digests.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Failed, one, shown};
use crate::catalog::holdings;
use crate::chain::points;
use crate::cli::args::{Common, VerifyArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{Piece, PieceCopy, PieceId, Set};
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
    store: String,
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
    if let Some(name) = &args.store {
        agent.store(name).map_err(one)?;
    }
    let group = &agent.config.group;
    let holdings = holdings(&agent.world, group).await.map_err(one)?;
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
        let copies = holdings.newest(piece.id).into_iter().map(|(copy, _)| copy);
        for copy in copies.filter(|copy| args.store.as_ref().is_none_or(|it| *it == copy.store)) {
            prove(&agent, piece, &copy, !args.quick, &mut verified.damaged).await;
        }
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

async fn prove(
    agent: &Agent,
    piece: &Piece,
    copy: &PieceCopy,
    whole: bool,
    damaged: &mut Vec<Damaged>,
) {
    for stripe in &piece.stripes {
        let progress = agent
            .world
            .progress
            .begin(&stripe.key, Some(stripe.size_bytes));
        let place = stripe.held_by(vec![copy.clone()]);
        let store = &agent.world.store;
        if let Err(error) = store.prove(&place, whole, progress.as_ref()).await {
            damaged.push(Damaged {
                member: piece.member.to_string(),
                store: copy.store.to_string(),
                object: copy.key(&stripe.key),
                failure: Failure::from(&error),
            });
        }
    }
}
