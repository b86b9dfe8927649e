//! `stopmark points`: to which marks the group can come back now; the catalog is asked, no host is.

use super::list::log_ends;
use super::prune::keeping;
use super::{Failed, one, shown};
use crate::chain::Verdict;
use crate::cli::args::{Common, PointsArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::Exit;
use crate::report::points::Points;
use crate::world::Listed;

/// Sets that are held in full at the same time.
const PAGE_SETS: usize = 256;

/// Shows the newest points and what holds newer marks back.
pub(super) async fn points(
    common: &Common,
    args: PointsArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    agent.catch_up().await?;
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let standing = catalog.standing(group).await.map_err(one)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let marks = newest_marks(&agent, limit, standing.points > 0).await?;
    let (ends, now) = (log_ends(&agent).await?, agent.world.clock.now());
    let kept = keeping(&agent).await?;
    let set_of = |mark: &str| marks.iter().find(|it| it.set.stamp() == mark);
    let points = Points::of(group, standing.points, &marks, &ends, now)
        .keeping(|mark| set_of(mark).and_then(|it| kept.get(&it.set.id)).cloned());
    let exit = match (points.lost_now_ms, points.is_degraded()) {
        (None, _) => Exit::NothingRestorable,
        (Some(_), true) => Exit::Degraded,
        (Some(_), false) => Exit::Ok,
    };
    shown(out, &points, exit)
}

/// The newest sets with marks, newest first: until so many points are among them, or there are no more. Where there
/// is no point at all, one page says why not.
async fn newest_marks(
    agent: &Agent,
    limit: usize,
    has_points: bool,
) -> Result<Vec<Listed>, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let (mut marks, mut points, mut before) = (Vec::new(), 0, None);
    while points < limit {
        let page = catalog.page(group, before, PAGE_SETS).await.map_err(one)?;
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.entry);
        for listed in page.into_iter().filter(|it| it.set.mark.is_some()) {
            let is_point = matches!(listed.verdict, Some(Verdict::Point { .. }));
            if points < limit {
                points += usize::from(is_point);
                marks.push(listed);
            }
        }
        if !has_points {
            break;
        }
    }
    Ok(marks)
}

impl Shown for Points {
    fn text(&self) -> String {
        Self::text(self)
    }
}
