//! `stopmark list`: every set, and whether the group can come back to its mark.

use super::prune::keeping;
use super::{Failed, one, shown};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::report::sets::{SetLine, SetList};

/// Sets that are held in full at the same time.
const PAGE_SETS: usize = 256;

/// Lists the sets, newest last.
pub(super) async fn list(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    agent.catch_up().await?;
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let kept = keeping(&agent).await?;
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let page = catalog.page(group, before, PAGE_SETS).await.map_err(one)?;
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.entry);
        let line = |it| SetLine::of(it).keeping(kept.get(&it.set.id));
        lines.extend(page.iter().map(line));
    }
    lines.reverse();
    let list = SetList::of(group, lines);
    let exit = if list.points() == 0 {
        Exit::NothingRestorable
    } else {
        Exit::Ok
    };
    shown(out, &list, exit)
}

impl Shown for SetList {
    fn text(&self) -> String {
        Self::text(self)
    }
}
