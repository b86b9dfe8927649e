//! `stopmark list`: every set, and whether the group can come back to its mark.

use super::{Failed, one, shown};
use crate::chain::judge;
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::report::sets::SetList;
use crate::run::record::Record;
use crate::run::verdict::{OpenSet, open_sets};

/// Lists the sets, newest last.
pub(super) async fn list(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let sets = agent.sets().await?;
    let list = SetList::of(
        &agent.config.group,
        &sets,
        &judge(&sets, &[]),
        open(&agent)?,
    );
    let exit = if list.points() == 0 {
        Exit::NothingRestorable
    } else {
        Exit::Ok
    };
    shown(out, &list, exit)
}

/// The sets that runs which have not ended are to publish.
fn open(agent: &Agent) -> Result<Vec<OpenSet>, Failed> {
    let mut open = Vec::new();
    for run in agent.world.journals.unfinished().map_err(one)? {
        let events = agent.world.journals.read(run).map_err(one)?;
        if let Some(record) = Record::fold(&events).map_err(one)? {
            open.extend(open_sets(&record));
        }
    }
    Ok(open)
}

impl Shown for SetList {
    fn text(&self) -> String {
        Self::text(self)
    }
}
