//! `stopmark show`: one set with its pieces, or one run with its rounds.

use super::list::log_ends;
use super::prune::keeping;
use super::{Failed, one, show_run, shown};
use crate::cli::args::{Common, ShowArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::RunId;
use crate::report::sets::SetDetail;
use crate::run::record::Record;
use crate::world::Listed;

/// Shows what was asked for; the newest set when nothing was.
pub(super) async fn show(
    common: &Common,
    args: &ShowArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    if let Some(run) = args
        .what
        .as_ref()
        .and_then(|what| what.parse::<RunId>().ok())
    {
        if !agent.world.journals.runs().map_err(one)?.contains(&run) {
            return Err(one(unknown(&run.to_string())));
        }
        let events = agent.world.journals.read(run).map_err(one)?;
        let record = Record::fold(&events)
            .map_err(one)?
            .ok_or_else(|| one(unknown(&run.to_string())))?;
        return show_run(out, &record);
    }
    agent.catch_up().await?;
    let set = find(&agent, args.what.as_deref()).await?;
    let (kept, ends) = (keeping(&agent).await?, log_ends(&agent).await?);
    let kept = kept.get(&set.set.id);
    shown(out, &SetDetail::of(set, &ends).keeping(kept), Exit::Ok)
}

async fn find(agent: &Agent, what: Option<&str>) -> Result<Listed, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let Some(what) = what else {
        let newest = catalog.page(group, None, 1).await.map_err(one)?.pop();
        return newest.ok_or_else(|| {
            one(Error::new(Code::NoPoint, "there is no set yet").hint("run `stopmark backup full`"))
        });
    };
    let found = catalog.find(group, what).await.map_err(one)?;
    found.ok_or_else(|| one(unknown(what)))
}

fn unknown(what: &str) -> Error {
    Error::new(
        Code::PointUnknown,
        format!("there is no set, mark or run `{what}`"),
    )
    .hint("`stopmark list` shows the sets; a run's id stands at the end of its report")
}

impl Shown for SetDetail {
    fn text(&self) -> String {
        Self::text(self)
    }
}
