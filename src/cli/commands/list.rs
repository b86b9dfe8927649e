//! `stopmark list`: every set, and whether the group can come back to its mark.

use super::prune::keeping;
use super::{Failed, one, shown};
use crate::chain::{self, LogEnds};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::report::sets::{SetLine, SetList};
use crate::run::record::Record;
use crate::run::verdict::{OpenSet, open_sets};

/// Sets that are held in full at the same time.
const PAGE_SETS: usize = 256;

/// Lists the sets, newest last.
pub(super) async fn list(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    agent.catch_up().await?;
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let kept = keeping(&agent).await?;
    let ends = log_ends(&agent).await?;
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let page = catalog.page(group, before, PAGE_SETS).await.map_err(one)?;
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.entry);
        let line = |it| SetLine::of(it, &ends).keeping(kept.get(&it.set.id));
        lines.extend(page.iter().map(line));
    }
    lines.reverse();
    let list = SetList::of(group, lines, open(&agent)?);
    let exit = if list.points() == 0 {
        Exit::NothingRestorable
    } else {
        Exit::Ok
    };
    shown(out, &list, exit)
}

/// Where the logs of the group end, by its newest pieces.
pub(super) async fn log_ends(agent: &Agent) -> Result<LogEnds, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let newest = catalog.recent(group, 1, &[]).await.map_err(one)?;
    let damaged = catalog.damaged(group).await.map_err(one)?;
    Ok(chain::log_ends(&newest, &damaged))
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
