//! What a run must say at its end where its mark is in the group's log and is no Point all the same: a copy that its policy
//! wants is not made yet, or somebody took a log between the survey and the mark.
//!
//! Start at [`tell_what_holds_back`]. Nothing is mended here; the next run's plan does that.

use super::book::Book;
use super::conduct::PlanNames;
use super::events::{Outcome, Verdict};
use super::executor::{Interrupt, carry_out_plan};
use super::record::{Record, Round};
use super::verdict::verdict_of;
use crate::catalog;
use crate::chain::{Break, Verdict as ChainVerdict};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::model::{MarkName, MemberName, SetId};
use crate::plan::{Publish, RunKind, Step, Warning, plan_to_tell};
use crate::world::World;

/// Writes a warning in the book of a run that seems done and whose newest mark is no Point.
///
/// # Errors
/// Those of the journal. What cannot be found out is a warning, too.
pub(super) async fn tell_what_holds_back(
    world: &World,
    config: &Config,
    book: &Book,
    interrupt: &Interrupt,
) -> Result<()> {
    let seems_done = book.read(|record| verdict_of(record) == Verdict::Done);
    let Some((set, mark)) = book.read(newest_mark).filter(|_| seems_done) else {
        return Ok(());
    };
    let warning = match breaks_of(world, config, set).await {
        Ok(breaks) if breaks.is_empty() => return Ok(()),
        Ok(breaks) => held_back(&mark, &breaks),
        Err(error) => unknown(&mark, &error),
    };
    let round = book.read(|record| record.rounds.len() + 1);
    let round = u8::try_from(round).unwrap_or(u8::MAX);
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_to_tell(config, warning, &mut names, round, world.clock.now());
    carry_out_plan(world, book, &plan, interrupt).await?;
    Ok(())
}

/// The set with the mark that the run's last round of backups published.
fn newest_mark(record: &Record) -> Option<(SetId, MarkName)> {
    let rounds = record.rounds.iter().rev();
    let mut marked = rounds.filter_map(|round| {
        let publish = publish_of(round)?;
        Some((publish.set, publish.mark.clone()?))
    });
    let (set, mark) = marked.next()?;
    let is_it = |it: &Outcome| matches!(it, Outcome::Published { set: it, .. } if *it == set);
    record.outcomes().any(is_it).then_some((set, mark))
}

fn publish_of(round: &Round) -> Option<&Publish> {
    let is_backup = matches!(
        round.plan.kind,
        RunKind::Full | RunKind::Differential | RunKind::Log
    );
    let stages = round.plan.stages.iter().filter(|_| is_backup);
    let mut steps = stages.flat_map(|stage| stage.lanes.iter().flat_map(|lane| &lane.steps));
    steps.find_map(|step| match step {
        Step::Publish(step) => Some(step),
        _ => None,
    })
}

/// What stands in the way of the set's mark, as far as it is published.
async fn breaks_of(world: &World, config: &Config, set: SetId) -> Result<Vec<(MemberName, Break)>> {
    let group = &config.group;
    catalog::catch_up(world, group).await?;
    let listed = world.catalog.find(group, &set.to_string()).await?;
    Ok(match listed.and_then(|it| it.verdict) {
        Some(ChainVerdict::NoPoint { breaks }) => breaks,
        Some(ChainVerdict::Point { .. }) | None => Vec::new(),
    })
}

fn held_back(mark: &MarkName, breaks: &[(MemberName, Break)]) -> Warning {
    let breaks = breaks.iter().map(|(member, it)| format!("{member}: {it}"));
    let breaks = breaks.collect::<Vec<_>>().join("; ");
    Warning {
        code: Code::MarkHeldBack.to_string(),
        message: format!("mark {mark} is no point yet: {breaks}"),
        hint: Some(
            "a chain that lacks something is mended by the next run; copies over `[policy] copy_budget` are made by \
             `stopmark scrub`"
                .to_owned(),
        ),
    }
}

fn unknown(mark: &MarkName, error: &Error) -> Warning {
    Warning {
        code: Code::MarkHeldBack.to_string(),
        message: format!("whether mark {mark} is a point cannot be found out: {error}"),
        hint: error.hint_text().map(str::to_owned),
    }
}
