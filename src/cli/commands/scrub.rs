//! `stopmark scrub`: stored pieces proven again, oldest proof first, and the outcome written into the group's log.
//!
//! A piece that is damaged or gone voids what needs it from then on: its marks are no Points any more, and the next
//! run begins a new chain where it must. A piece that is whole again counts again.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Failed, one, shown};
use crate::catalog::catch_up;
use crate::catalog::due::Budget;
use crate::cli::args::{Common, ScrubArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit, Result};
use crate::report::bytes::size;
use crate::run::events::Failure;
use crate::world::{Due, LogFact};

/// Pieces that are fetched from the catalog at the same time.
const PAGE_PIECES: usize = 256;

#[derive(Default, Serialize)]
struct Scrubbed {
    pieces: usize,
    bytes: u64,
    /// Pieces that were not looked at this time.
    left: u64,
    damaged: Vec<Damaged>,
    /// Pieces that had been found damaged before and are whole.
    whole_again: usize,
}

#[derive(Serialize)]
struct Damaged {
    member: String,
    failure: Failure,
}

impl Shown for Scrubbed {
    fn text(&self) -> String {
        let mut text = format!(
            "{} pieces ({}) read back and compared, {} left for another time\n",
            self.pieces,
            size(self.bytes),
            self.left
        );
        if self.whole_again > 0 {
            writeln!(text, "{} pieces are whole again", self.whole_again)
                .expect("a string takes everything");
        }
        for damaged in &self.damaged {
            let (member, failure) = (&damaged.member, damaged.failure.line());
            writeln!(text, "DAMAGED {member}: {failure}").expect("a string takes everything");
        }
        if !self.damaged.is_empty() {
            text += "marks that need these pieces are no points any more: see `stopmark list`, and take a full\n";
        }
        text
    }
}

/// Proves pieces again and writes down what was found. Damage is an exit code of its own, for schedulers.
pub(super) async fn scrub(
    common: &Common,
    args: &ScrubArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let scrubbed = scrub_pieces(&agent, args.budget).await;
    // Whoever works on the group next need not wait until the lease runs out.
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let scrubbed = scrubbed.map_err(one)?;
    released.map_err(one)?;
    let exit = if scrubbed.damaged.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    };
    shown(out, &scrubbed, exit)
}

async fn scrub_pieces(agent: &Agent, budget_bytes: Option<u64>) -> Result<Scrubbed> {
    let (world, group) = (&agent.world, &agent.config.group);
    world.store.take_lease(group).await?;
    catch_up(world, group).await?;
    let mut scrubbed = Scrubbed {
        left: world.catalog.counts(group).await?.pieces,
        ..Scrubbed::default()
    };
    let (mut budget, mut after) = (Budget::of(budget_bytes), None);
    'pages: loop {
        let page = world.catalog.due(group, after, PAGE_PIECES).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.place);
        for due in &page {
            if !budget.takes(due.piece.size_bytes()) {
                break 'pages;
            }
            scrub_piece(agent, due, &mut scrubbed).await?;
        }
    }
    catch_up(world, group).await?;
    Ok(scrubbed)
}

async fn scrub_piece(agent: &Agent, due: &Due, scrubbed: &mut Scrubbed) -> Result<()> {
    let found = prove(agent, due).await;
    let fact = LogFact::Proved {
        set: due.set,
        piece: due.piece.id,
        whole: found.is_ok(),
    };
    match found {
        Ok(()) => scrubbed.whole_again += usize::from(due.is_damaged),
        Err(error) if is_damage(&error) => scrubbed.damaged.push(Damaged {
            member: due.piece.member.to_string(),
            failure: Failure::from(&error),
        }),
        // A store that does not answer says nothing about the piece.
        Err(error) => return Err(error),
    }
    agent.world.store.append(&agent.config.group, fact).await?;
    scrubbed.pieces += 1;
    scrubbed.left -= 1;
    scrubbed.bytes += due.piece.size_bytes();
    Ok(())
}

fn is_damage(error: &Error) -> bool {
    matches!(error.code(), Code::StoreMismatch | Code::ObjectMissing)
}

async fn prove(agent: &Agent, due: &Due) -> Result<()> {
    let world = &agent.world;
    for stripe in &due.piece.stripes {
        let label = format!("scrub {}", due.piece.member);
        let progress = world.progress.begin(&label, Some(stripe.size_bytes));
        world.store.prove(stripe, true, progress.as_ref()).await?;
    }
    Ok(())
}
