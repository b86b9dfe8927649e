//! `stopmark status`: how the group stands, from the catalog and the schedule; no host is asked.

use super::list::log_ends;
use super::prune::keeping;
use super::{Failed, one, shown};
use crate::catalog::catch_up;
use crate::chain::Verdict;
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::Job;
use crate::error::{Code, Exit};
use crate::model::{MemberName, RunId, Timestamp};
use crate::report::companions::lines;
use crate::report::status::{Doubts, Status};
use crate::run::{self, prune};
use crate::service::alarm::{self, Alarm};
use crate::service::watch;
use crate::world::Standing;

/// Shows the newest point, what holds newer marks back, unfinished runs and what is due.
pub(super) async fn status(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let group = &agent.config.group;
    // Whoever looks while the store is away wants to know how far the group stands all the same.
    let store_away = match catch_up(&agent.world, group).await {
        Ok(_) => None,
        Err(error) if error.code() == Code::StoreUnreachable => Some(error),
        Err(error) => return Err(one(error)),
    };
    let standing = agent.world.catalog.standing(&agent.config.group).await;
    let standing = standing.map_err(one)?;
    let unfinished = agent.world.journals.unfinished().map_err(one)?;
    let now = agent.world.clock.now();
    let doubts = doubts(&agent, &standing).await?;
    let status = Status::of(&agent.config, &standing, &doubts, &unfinished, now);
    let kept = keeping(&agent).await?;
    let to_go = kept.values().filter(|kept| kept.is_empty()).count();
    let pins = prune::pins(&agent.world, &agent.config).await;
    let has_policy = agent.config.retention.is_some();
    let status = status.keeping(&pins.map_err(one)?, has_policy.then_some(to_go));
    let backlog = run::backlog(&agent.world, &agent.config.group).await;
    let status = status.waiting(backlog.map_err(one)?, store_away.as_ref());
    let status = status.alarmed(seen_by_service(&agent, now)?);
    let status = status.beside(companions(&agent).await?);
    let exit = match (&status.newest_point, status.is_degraded()) {
        (None, _) => Exit::NothingRestorable,
        (Some(_), true) => Exit::Degraded,
        (Some(_), false) => Exit::Ok,
    };
    shown(out, &status, exit)
}

/// What a service saw between runs: chains that are broken, and what hosts have too little of.
fn seen_by_service(agent: &Agent, now: Timestamp) -> Result<Vec<String>, Failed> {
    let config = &agent.config;
    let newest = agent.world.journals.runs().map_err(one)?.pop();
    let broken = watch::kept(&config.state, newest.map(RunId::made_at), now);
    let has_logs = config.schedule.jobs.contains_key(&Job::Log);
    let broken = broken.iter().map(|it| it.line(has_logs));
    let alarms = alarm::kept(&config.state, now);
    Ok(broken.chain(alarms.iter().map(Alarm::line)).collect())
}

/// The newest backup of each database beside the group.
async fn companions(agent: &Agent) -> Result<Vec<String>, Failed> {
    let (catalog, config) = (&agent.world.catalog, &agent.config);
    let names: Vec<MemberName> = config.companions.iter().map(|it| it.name.clone()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let newest = catalog.recent(&config.group, 1, &[]).await.map_err(one)?;
    Ok(lines(&names, &newest))
}

async fn doubts(agent: &Agent, standing: &Standing) -> Result<Doubts, Failed> {
    let (catalog, group) = (&agent.world.catalog, &agent.config.group);
    let newest = match &standing.newest_point {
        Some(point) => {
            let name = point.mark.name.as_str();
            catalog.find(group, name).await.map_err(one)?
        }
        None => None,
    };
    let lacking = match newest.and_then(|listed| listed.verdict) {
        Some(Verdict::Point { lacking, .. }) => lacking,
        Some(Verdict::NoPoint { .. }) | None => Vec::new(),
    };
    Ok(Doubts {
        lacking,
        ends: log_ends(agent).await?,
        quarantined: run::quarantined(&agent.world, &agent.config).map_err(one)?,
    })
}

impl Shown for Status {
    fn text(&self) -> String {
        Self::text(self)
    }
}
