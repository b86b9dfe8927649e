//! Plans that bring members back to a mark. Start at [`plan_restore`].
//!
//! For each member: the newest full that ends before the mark, a differential where one helps, then logs. Where
//! source and target are of one version the last log is restored `WITH STANDBY`, the mark of all members is
//! compared, and only then are they opened, all of them. Elsewhere the last log recovers, since only then a
//! missing mark leaves the database RESTORING and is seen; all of those wait until every member has come that far.
//! A database is never recovered before that proof: it would be opened at the end of the log, past the mark.

mod asked;
mod check;
mod files;
mod groups;
mod settings;
mod steps;
mod tail;
mod way;

use super::asked::{CatalogView, Names};
use super::stages::Stages;
use super::{BackUp, OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Warning};
use crate::chain::{Break, Point};
use crate::config::Config;
use crate::error::{Code, Error};
use crate::model::{HostName, MemberName, PlanId, Timestamp};

pub use asked::{FolderRule, ProofRule, RestoreAsked, RestoreFiles, RestorePlace, TailRule};

use check::Finding;
use steps::{Making, StepsOf};
use way::Way;

/// The plan that restores a point's members, or some of them.
///
/// # Errors
/// Everything that stands in its way, at once: `SM0603` when a piece of the point is not in the catalog or a member
/// is not in the point, `SM0103` when a host has no share, `SM0803` when a database would be overwritten or two
/// would share a name or a file, `SM0804` when there is no room, `SM0805` when a host cannot take what it should,
/// `SM0806` when only some of the members would come back.
pub fn plan_restore(
    cfg: &Config,
    have: &CatalogView,
    point: &Point,
    asked: &RestoreAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Result<Plan, Vec<Error>> {
    let ways = way::ways(cfg, have, point, asked)?;
    let placed: Vec<_> = ways.iter().map(|way| files::placed(asked, way)).collect();
    let findings = check::check(cfg, point, asked, &ways, &placed);
    let (refused, told): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.refuses);
    if !refused.is_empty() {
        return Err(refused.into_iter().map(|finding| finding.error).collect());
    }
    let id = PlanId(names.next());
    let tails = tail::tails(cfg, have, asked, &ways, names, now);
    let making = Making {
        cfg,
        asked,
        point,
        have,
    };
    let mut stages = Stages::default();
    restore_stages(&making, &ways, &placed, &tails, &mut stages);
    tail::bring_home(cfg, asked, &tails, &mut stages, names, now);
    let lacking = point.lacking.iter().map(lacking);
    Ok(Plan {
        format: PLAN_FORMAT,
        id,
        group: cfg.group.clone(),
        kind: RunKind::Restore,
        round: 1,
        based_on: asked.based_on,
        made_at: now,
        stages: stages.into_vec(),
        warnings: lacking
            .chain(told.into_iter().map(Finding::into_warning))
            .collect(),
    })
}

/// All members come to the mark, or as near as they can without being opened; then all are proven, then all are
/// opened. Whatever fails before the opening ends the round before it. What members had beside their data comes last.
fn restore_stages(
    making: &Making<'_>,
    ways: &[Way<'_>],
    placed: &[files::Placed],
    tails: &[BackUp],
    stages: &mut Stages,
) {
    let lanes = steps::lanes(ways);
    // All shares may lie on one disk.
    let ahead = making.cfg.policy.staging_max_bytes / lanes.max(1);
    let both = || ways.iter().zip(placed);
    let of = |make: &dyn Fn(&Way<'_>, &files::Placed) -> Vec<Step>| -> StepsOf {
        let made = both().flat_map(|(way, placed)| {
            let host = way.host.clone();
            make(way, placed)
                .into_iter()
                .map(move |step| (host.clone(), step))
        });
        made.collect()
    };
    let mut to_mark = of(&|way, placed| making.to_mark(way, placed));
    let mut last = of(&|way, placed| making.last_logs(way, placed));
    let mut clear = StepsOf::new();
    if is_fetched_first(making.cfg, ways) {
        let mut early = taken_out(&mut to_mark, |step| matches!(step, Step::Fetch(_)));
        early.extend(taken_out(&mut last, |step| matches!(step, Step::Fetch(_))));
        clear = taken_out(&mut to_mark, |step| matches!(step, Step::ClearStaging(_)));
        clear.extend(taken_out(&mut last, |step| {
            matches!(step, Step::ClearStaging(_))
        }));
        stages.add(StageName::Fetch, OnFailure::Halt, early);
    }
    let leave = of(&|way, _| groups::leave(making.asked, way).into_iter().collect());
    stages.add(StageName::LeaveGroups, OnFailure::Halt, leave);
    stages.back_up_tails(tails);
    stages.add_fetching_ahead(StageName::Restore, OnFailure::Halt, to_mark, ahead);
    let shut = of(&|way, _| making.prove_shut(way));
    stages.add(StageName::Prove, OnFailure::Halt, shut);
    if !making.asked.inspects {
        open_stages(making, &of, last, ahead, stages);
    }
    stages.add(StageName::Clear, OnFailure::Pass, clear);
}

/// What makes a member's steps, for every member.
type Every<'a> = dyn Fn(&dyn Fn(&Way<'_>, &files::Placed) -> Vec<Step>) -> StepsOf + 'a;

/// Members that could not stand by come to the mark now; then all are opened, proven, and given back what they had.
fn open_stages(
    making: &Making<'_>,
    of: &Every<'_>,
    last: StepsOf,
    ahead: u64,
    stages: &mut Stages,
) {
    stages.add_fetching_ahead(StageName::LastLogs, OnFailure::Halt, last, ahead);
    let opened = of(&|way, _| making.prove_opened_by_log(way));
    stages.add(StageName::Prove, OnFailure::Halt, opened);
    let recover = of(&|way, _| making.recover(way));
    stages.add(StageName::Recover, OnFailure::Skip, recover);
    let open = of(&|way, _| making.prove_recovered(way));
    stages.add(StageName::Prove, OnFailure::Skip, open);
    let put_back = of(&|way, _| making.put_back(way));
    stages.add(StageName::PutBack, OnFailure::Skip, put_back);
}

/// A group that is restored over itself is not touched before everything that it needs was brought from the store
/// and found whole, as far as the shares may hold it all at once.
fn is_fetched_first(cfg: &Config, ways: &[Way<'_>]) -> bool {
    let is_held = check::fetched_bytes(ways) <= cfg.policy.staging_max_bytes;
    is_held && ways.iter().any(Way::is_over_itself)
}

/// Takes these steps out, in their order.
fn taken_out(steps: &mut StepsOf, is_it: impl Fn(&Step) -> bool) -> StepsOf {
    let (taken, left) = std::mem::take(steps)
        .into_iter()
        .partition(|(_, step)| is_it(step));
    *steps = left;
    taken
}

/// A member of best effort that the point is without.
fn lacking((member, reason): &(MemberName, Break)) -> Warning {
    Warning {
        code: Code::ChainBroken.text().to_owned(),
        message: format!("the point is without member `{member}`: {reason}"),
        hint: Some("`stopmark list` shows whether another point has it".to_owned()),
    }
}

fn no_share(host: &HostName) -> Error {
    Error::new(
        Code::ConfigValue,
        "the restore's host has no share in the configuration",
    )
    .at("host", host)
    .hint("add the host under `[hosts]` with `share = { sql = \"..\", agent = \"..\" }`")
}
