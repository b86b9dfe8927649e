//! `stopmark status`: how the group stands, from the catalog and the schedule; no host is asked.

use super::{Failed, one, shown};
use crate::chain::judge;
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::report::status::Status;
use crate::run;

/// Shows the newest point, what holds newer marks back, unfinished runs and what is due.
pub(super) async fn status(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let sets = agent.sets().await?;
    let unfinished = agent.world.journals.unfinished().map_err(one)?;
    let now = agent.world.clock.now();
    let quarantined = run::quarantined(&agent.world, &agent.config).map_err(one)?;
    let judged = judge(&sets, &[]);
    let status = Status::of(&agent.config, &judged, &quarantined, &unfinished, now);
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
