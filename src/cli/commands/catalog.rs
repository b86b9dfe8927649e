//! `stopmark catalog rebuild`: forgets the local index and folds it again from the store.

use serde::Serialize;

use super::{Failed, one, shown};
use crate::catalog::catch_up;
use crate::cli::args::{CatalogCommand, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;

#[derive(Serialize)]
struct Rebuilt {
    entries: u64,
    sets: u64,
}

impl Shown for Rebuilt {
    fn text(&self) -> String {
        format!(
            "catalog rebuilt from {} log entries: {} sets\n",
            self.entries, self.sets
        )
    }
}

/// Rebuilds the catalog.
pub(super) async fn catalog(
    common: &Common,
    command: CatalogCommand,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let CatalogCommand::Rebuild = command;
    let agent = agent(common, Access::Act)?;
    let group = &agent.config.group;
    agent.world.catalog.clear(group).await.map_err(one)?;
    let entries = catch_up(&agent.world, group).await.map_err(one)?;
    let sets = agent.world.catalog.counts(group).await.map_err(one)?.sets;
    shown(out, &Rebuilt { entries, sets }, Exit::Ok)
}
