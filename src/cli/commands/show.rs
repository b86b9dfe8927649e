//! `stopmark show`: one set with its pieces, or one run with its rounds.

use super::prune::keeping;
use super::{Failed, one, show_run, shown};
use crate::chain::judge;
use crate::cli::args::{Common, ShowArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::{Code, Error, Exit};
use crate::model::{RunId, Set};
use crate::report::sets::SetDetail;
use crate::run::record::Record;

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
    let sets = agent.sets().await?;
    let set = find(&sets, args.what.as_deref())?;
    let judged = judge(&sets, &[]);
    let mut detail = SetDetail::of(
        set,
        &sets,
        judged.iter().find(|judged| judged.set == set.id),
    );
    if let Some(verdict) = keeping(&agent).await? {
        detail = detail.keeping(&verdict);
    }
    shown(out, &detail, Exit::Ok)
}

fn find<'a>(sets: &'a [Set], what: Option<&str>) -> Result<&'a Set, Failed> {
    let Some(what) = what else {
        return sets.last().ok_or_else(|| {
            one(Error::new(Code::NoPoint, "there is no set yet").hint("run `stopmark backup full`"))
        });
    };
    let found = sets
        .iter()
        .find(|set| set.stamp() == what || set.id.to_string() == what);
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
