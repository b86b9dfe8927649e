//! `stopmark status`: how the group stands, from the catalog and the schedule; no host is asked.

use super::prune::keeping;
use super::{Failed, one, shown};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::report::status::Status;
use crate::run::prune;

/// Shows the newest point, what holds newer marks back, unfinished runs and what is due.
pub(super) async fn status(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    agent.catch_up().await?;
    let standing = agent.world.catalog.standing(&agent.config.group).await;
    let standing = standing.map_err(one)?;
    let unfinished = agent.world.journals.unfinished().map_err(one)?;
    let now = agent.world.clock.now();
    let status = Status::of(&agent.config, &standing, &unfinished, now);
    let kept = keeping(&agent).await?;
    let to_go = kept.values().filter(|kept| kept.is_empty()).count();
    let pins = prune::pins(&agent.world, &agent.config).await;
    let has_policy = agent.config.retention.is_some();
    let status = status.keeping(&pins.map_err(one)?, has_policy.then_some(to_go));
    let exit = match (&status.newest_point, status.is_degraded()) {
        (None, _) => Exit::NothingRestorable,
        (Some(_), true) => Exit::Degraded,
        (Some(_), false) => Exit::Ok,
    };
    shown(out, &status, exit)
}

impl Shown for Status {
    fn text(&self) -> String {
        Self::text(self)
    }
}
