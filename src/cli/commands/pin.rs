//! `stopmark pin` and `unpin`: a person's word that a point stays, written into the group's log.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Failed, one, shown};
use crate::catalog::catch_up;
use crate::cli::args::{Common, PinArgs, UnpinArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent, person};
use crate::error::{Code, Error, Exit, Result};
use crate::model::{MarkName, Timestamp};
use crate::report::prune::pin_words;
use crate::retention::Pin;
use crate::run;
use crate::world::LogFact;

/// What was written down.
#[derive(Serialize)]
#[serde(tag = "done", rename_all = "snake_case")]
enum Pinned {
    Pinned { pin: Pin },
    Unpinned { mark: MarkName },
}

impl Shown for Pinned {
    fn text(&self) -> String {
        match self {
            Self::Pinned { pin } => format!("{}\n", pin_words(pin)),
            Self::Unpinned { mark } => format!("{mark} is pinned no more\n"),
        }
    }
}

/// Pins a point.
pub(super) async fn pin(
    common: &Common,
    args: &PinArgs,
    out: &mut Out<'_>,
) -> std::result::Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let pin = pin_of(&agent, args).map_err(one)?;
    append(&agent, &pin.mark, LogFact::Pinned(pin.clone()))
        .await
        .map_err(one)?;
    shown(out, &Pinned::Pinned { pin }, Exit::Ok)
}

/// Takes a pin back; the rules decide again from the next prune on.
pub(super) async fn unpin(
    common: &Common,
    args: &UnpinArgs,
    out: &mut Out<'_>,
) -> std::result::Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let mark = mark_of(&args.mark).map_err(one)?;
    let by = person();
    let fact = LogFact::Unpinned {
        mark: mark.clone(),
        by,
    };
    append(&agent, &mark, fact).await.map_err(one)?;
    shown(out, &Pinned::Unpinned { mark }, Exit::Ok)
}

fn mark_of(text: &str) -> Result<MarkName> {
    text.parse()
        .map_err(|error| Error::new(Code::CommandLine, "no mark has such a name").source(error))
}

fn pin_of(agent: &Agent, args: &PinArgs) -> Result<Pin> {
    let mark = mark_of(&args.mark)?;
    let reason = args.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Error::new(Code::CommandLine, "`--reason` is empty")
            .hint("write why the point must stay; somebody will wonder"));
    }
    let zone = agent.config.retention.as_ref();
    let zone = zone.map_or(TimeZone::UTC, |policy| policy.zone.clone());
    let until = args.until.map(|day| end_of(day, &zone)).transpose()?;
    if until.is_some_and(|until| until <= agent.world.clock.now()) {
        return Err(Error::new(Code::CommandLine, "`--until` is over already")
            .hint("name a day to come, or leave the option out"));
    }
    Ok(Pin {
        mark,
        reason,
        by: person(),
        until,
    })
}

/// The moment at which a day is over.
fn end_of(day: jiff::civil::Date, zone: &TimeZone) -> Result<Timestamp> {
    let next = day
        .tomorrow()
        .and_then(|next| next.to_zoned(zone.clone()))
        .map_err(|error| {
            Error::new(
                Code::CommandLine,
                "`--until` names a day beyond the calendar",
            )
            .source(error)
        })?;
    Ok(Timestamp::from_millis(next.timestamp().as_millisecond()))
}

/// Writes the fact, if what it speaks of is there: a point to be pinned, a pin to be taken back.
async fn append(agent: &Agent, mark: &MarkName, fact: LogFact) -> Result<()> {
    let (world, group) = (&agent.world, &agent.config.group);
    world.store.take_lease(group).await?;
    let written = append_checked(agent, mark, fact).await;
    let released = world.store.release_lease(group).await;
    written.and(released)
}

async fn append_checked(agent: &Agent, mark: &MarkName, fact: LogFact) -> Result<()> {
    let (world, group) = (&agent.world, &agent.config.group);
    catch_up(world, group).await?;
    let is_there = if matches!(fact, LogFact::Unpinned { .. }) {
        let pins = run::prune::pins(world, &agent.config).await?;
        pins.iter().any(|pin| pin.mark == *mark)
    } else {
        let point = world.catalog.point(group, Some(mark.as_str())).await?;
        point.is_some()
    };
    if !is_there {
        let message = format!("there is no such point or pin at mark `{mark}`");
        return Err(Error::new(Code::PointUnknown, message)
            .at("group", group)
            .hint("`stopmark list` shows the points, and which of them are pinned"));
    }
    world.store.append(group, fact).await?;
    catch_up(world, group).await?;
    Ok(())
}
