//! `stopmark catalog rebuild`: forgets the local index and folds it again from the store.

use serde::Serialize;

use super::{Failed, one, shown};
use crate::catalog::catch_up;
use crate::cli::args::{CatalogCommand, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::world::World;

#[derive(Serialize)]
struct Rebuilt {
    entries: u64,
    sets: u64,
    points: u64,
}

impl Shown for Rebuilt {
    fn text(&self) -> String {
        format!(
            "catalog rebuilt from {} log entries: {} sets, {} points\n",
            self.entries, self.sets, self.points
        )
    }
}

/// Rebuilds the catalog.
pub(super) async fn catalog(
    common: &Common,
    command: CatalogCommand,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let CatalogCommand::Rebuild(args) = command;
    let agent = agent(common, Access::Act)?;
    let group = &agent.config.group;
    let from = match &args.from {
        Some(name) => World {
            store: agent.store(name).map_err(one)?,
            ..agent.world.clone()
        },
        None => agent.world.clone(),
    };
    agent.world.catalog.clear(group).await.map_err(one)?;
    let entries = catch_up(&from, group).await.map_err(one)?;
    let sets = agent.world.catalog.counts(group).await.map_err(one)?.sets;
    // Every mark is judged here once, or the first view of the page would wait for it.
    let standing = agent.world.catalog.standing(group).await.map_err(one)?;
    let rebuilt = Rebuilt {
        entries,
        sets,
        points: standing.points,
    };
    shown(out, &rebuilt, Exit::Ok)
}
