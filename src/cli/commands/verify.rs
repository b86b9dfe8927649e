//! `stopmark verify`: stored pieces read back and compared with their digests.

use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Common, VerifyArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{Piece, PieceCopy, Set};
use crate::report::bytes::size;
use crate::run::events::Failure;

/// Pieces that are held in full at the same time.
const PAGE_PIECES: usize = 256;

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
        if !self.damaged.is_empty() {
            text.push_str(
                "nothing was written down: `stopmark scrub` does that, then points that need these pieces are offered no \
                 more, and the next log run mends the chains\n",
            );
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
    if let Some(name) = &args.store {
        agent.store(name).map_err(one)?;
    }
    let mut verified = Verified {
        pieces: 0,
        bytes: 0,
        is_whole: !args.quick,
        damaged: Vec::new(),
    };
    match args.mark.as_deref() {
        Some(mark) => {
            for set in needed(&agent, mark).await? {
                for piece in &set.pieces {
                    verified.prove(&agent, piece, piece.copies(), args).await;
                }
            }
        }
        None => verified.prove_all(&agent, args).await?,
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
    Ok(point.have.sets)
}

impl Verified {
    /// Proves the copies of a piece that are in this store, or all of them.
    async fn prove(
        &mut self,
        agent: &Agent,
        piece: &Piece,
        copies: Vec<PieceCopy>,
        args: &VerifyArgs,
    ) {
        let is_wanted = |copy: &PieceCopy| args.store.as_ref().is_none_or(|it| *it == copy.store);
        self.pieces += 1;
        self.bytes += piece.size_bytes();
        for copy in copies.into_iter().filter(is_wanted) {
            prove(agent, piece, &copy, self.is_whole, &mut self.damaged).await;
        }
    }

    /// Every piece that a manifest names, damaged ones too.
    async fn prove_all(&mut self, agent: &Agent, args: &VerifyArgs) -> Result<(), Failed> {
        let (catalog, group) = (&agent.world.catalog, &agent.config.group);
        let mut after = None;
        loop {
            let page = catalog.due(group, after, PAGE_PIECES).await.map_err(one)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.place);
            for due in page {
                let copies = due.copies.into_iter().map(|(copy, _)| copy);
                self.prove(agent, &due.piece, copies.collect(), args).await;
            }
        }
    }
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
