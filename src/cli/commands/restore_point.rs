//! The point that a restore goes to: by its mark, the newest, the last before a time, or that of an earlier restore.
//! Start at [`point`].

use super::{Failed, one};
use crate::chain::Break;
use crate::cli::args::RestoreArgs;
use crate::cli::setup::Agent;
use crate::error::{Code, Error};
use crate::model::{MarkName, Timestamp};
use crate::run::BegunRestore;
use crate::world::{Marked, PointNeeds};

/// Points that are looked through for a time or a name; at four an hour, more than two years of them.
const POINTS_MAX: usize = 100_000;

/// How many points are shown for a mark that is none.
const NEAREST: usize = 3;

/// The point that is asked for.
pub(super) async fn point(
    agent: &Agent,
    args: &RestoreArgs,
    begun: Option<&BegunRestore>,
) -> Result<PointNeeds, Failed> {
    let mark = match (&args.mark, &args.before, begun) {
        (Some(mark), _, _) => Some(mark.clone()),
        (None, Some(time), _) => Some(last_before(agent, time).await?.to_string()),
        (None, None, Some(begun)) => Some(begun.mark.to_string()),
        (None, None, None) => None,
    };
    find(agent, mark.as_deref()).await
}

/// The last point whose mark was placed at this time or before.
async fn last_before(agent: &Agent, time: &str) -> Result<MarkName, Failed> {
    let at = instant(time).map_err(one)?;
    let points = points(agent).await?;
    let last = points.iter().find(|point| point.mark.placed_at <= at);
    last.map(|point| point.mark.name.clone()).ok_or_else(|| {
        let oldest = points.last().map(|point| point.mark.name.to_string());
        one(
            Error::new(Code::PointUnknown, format!("there is no point before {at}"))
                .at("oldest point", oldest.as_deref().unwrap_or("none"))
                .hint("`stopmark list` shows all points"),
        )
    })
}

/// A time with its zone: hosts, agent and people may be in three.
fn instant(time: &str) -> Result<Timestamp, Error> {
    if let Ok(at) = time.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(at.as_millisecond()));
    }
    let error = |message: String| Error::new(Code::CommandLine, message);
    if time.parse::<jiff::civil::DateTime>().is_ok() {
        let message = format!("`--before {time}` does not say in which zone that is");
        return Err(error(message).hint(format!(
            "write `{time}+01:00` for an hour ahead of UTC, or `{time}Z` for UTC itself"
        )));
    }
    Err(error(format!("`{time}` is no time"))
        .hint("write date, time and zone: `2026-11-21T03:00:00+01:00`"))
}

async fn points(agent: &Agent) -> Result<Vec<Marked>, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    catalog.newest_points(group, POINTS_MAX).await.map_err(one)
}

async fn find(agent: &Agent, mark: Option<&str>) -> Result<PointNeeds, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    if let Some(found) = catalog.point(group, mark).await.map_err(one)? {
        return Ok(found);
    }
    let Some(mark) = mark else {
        return Err(one(no_point(agent).await?));
    };
    let all = points(agent).await?;
    // Copied from a letter or typed at night, it is the same mark in small letters.
    let mut names = all.iter().map(|it| it.mark.name.as_str());
    if let Some(meant) = names.find(|name| name.eq_ignore_ascii_case(mark))
        && let Some(found) = catalog.point(group, Some(meant)).await.map_err(one)?
    {
        return Ok(found);
    }
    let near = nearest(all, mark);
    let near = near.iter().map(|name| format!("`{name}`"));
    let near = near.collect::<Vec<_>>().join(", ");
    let message = format!("there is no point at mark `{mark}`");
    Err(one(Error::new(Code::PointUnknown, message)
        .at("nearest points", near)
        .hint("`stopmark list` shows all points")))
}

/// The points nearest in time to a mark's name; the newest where the name tells no time.
fn nearest(mut points: Vec<Marked>, mark: &str) -> Vec<MarkName> {
    let meant = mark.parse::<MarkName>().ok();
    if let Some(at) = meant.and_then(|name| name.stamped_at()) {
        points.sort_by_key(|point| point.mark.placed_at.millis().abs_diff(at.millis()));
    }
    let names = points.into_iter().map(|point| point.mark.name);
    names.take(NEAREST).collect()
}

/// Why there is no point at all.
async fn no_point(agent: &Agent) -> Result<Error, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let standing = catalog.standing(group).await.map_err(one)?;
    if let Some((newest, breaks)) = standing.held_back
        && breaks
            .iter()
            .all(|(_, it)| matches!(it, Break::TooFewCopies { .. }))
    {
        let message = "no mark is held in as many copies as the policy asks for";
        return Ok(Error::new(Code::NoPoint, message)
            .at("newest mark", newest.mark.name)
            .hint("name it with `--mark` to restore from the copies that there are"));
    }
    Ok(Error::new(
        Code::NoPoint,
        "there is no mark to which every member can be restored",
    )
    .hint("`stopmark list` says what stands in the way"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, SetId};

    fn point(name: &str) -> Marked {
        let name: MarkName = name.parse().expect("a mark");
        Marked {
            set: SetId(uuid::Uuid::nil()),
            mark: Mark {
                placed_at: name.stamped_at().expect("a stamp"),
                name,
                members: Vec::new(),
            },
        }
    }

    #[test]
    fn a_time_needs_its_zone() {
        let at = instant("2026-11-21T03:00:00+01:00").expect("a time");
        assert_eq!(at, instant("2026-11-21T02:00:00Z").expect("the same"));
        let error = instant("2026-11-21T03:00:00").expect_err("whose time?");
        assert!(error.message().contains("zone"), "{error}");
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn the_points_nearest_to_a_mark_that_is_none_are_shown() {
        let names = [
            "SM_2026_11_21_05_00_00_000",
            "SM_2026_11_21_04_00_00_000",
            "SM_2026_11_21_03_00_00_000",
            "SM_2026_11_21_02_00_00_000",
        ];
        let shown = nearest(names.map(point).into(), "SM_2026_11_21_02_10_00_000");
        let shown: Vec<&str> = shown.iter().map(MarkName::as_str).collect();
        assert_eq!(shown, [names[3], names[2], names[1]]);
        let shown = nearest(names.map(point).into(), "SM_1999");
        assert_eq!(shown[0].as_str(), names[0], "no time: the newest");
    }
}
