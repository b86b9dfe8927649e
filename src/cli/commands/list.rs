//! `stopmark list`: every set, and whether the group can come back to its mark.

use super::prune::keeping;
use super::{Failed, shown};
use crate::chain::judge;
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::report::sets::SetList;

/// Lists the sets, newest last.
pub(super) async fn list(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let sets = agent.sets().await?;
    let mut list = SetList::of(&agent.config.group, &sets, &judge(&sets, &[]));
    if let Some(verdict) = keeping(&agent).await? {
        list = list.keeping(&sets, &verdict);
    }
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
