//! Plans of drills: a whole Point restored under scratch names, looked through, and removed again.
//!
//! Start at [`plan_drill`]. It is the plan of a restore with more at its end; what a restore refuses a drill refuses too.
//! Removal and certificate stand for themselves: they are done whatever became of the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::{CatalogView, Names};
use super::assess::warning;
use super::drill_checks::{DrillCheck, placed};
use super::drill_step::{Certify, CheckDatabase, DropScratch, Scratch};
use super::keys::slug;
use super::retry::RetryRule;
use super::stages::Stages;
use super::{
    OnFailure, Plan, RestoreAsked, RestoreFiles, RunKind, StageName, Step, SweepStaging, Warning,
    plan_restore,
};
use crate::chain::Point;
use crate::config::{CheckDepth, Config, DrillConfig};
use crate::doctor::linked_names;
use crate::error::{Code, Error};
use crate::model::{DatabaseName, HostName, MemberName, PieceId, Timestamp};

/// The plan that drills a Point. `asked` says the drill hosts and what they hold; names, files and rules are the
/// drill's own.
///
/// # Errors
/// Everything that stands in its way, at once: `SM0807` for a drill host that holds members of the group, `SM0808` for
/// a check that cannot be asked, and those of [`plan_restore`].
pub fn plan_drill(
    cfg: &Config,
    have: &CatalogView,
    point: &Point,
    asked: RestoreAsked,
    checks: &[DrillCheck],
    names: &mut dyn Names,
    now: Timestamp,
) -> Result<Plan, Vec<Error>> {
    let drill = cfg.drill.clone().unwrap_or_default();
    let asked = scratch_only(&drill, point, asked)?;
    let errors = in_use(cfg, point, &asked);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut plan = plan_restore(cfg, have, point, &asked, names, now)?;
    plan.kind = RunKind::Drill;
    let scratch = scratch_of(&plan);
    let mut stages = Stages::default();
    check_databases(&drill, &scratch, &mut stages);
    run_checks(checks, &scratch, &mut stages)?;
    plan.warnings.extend(checks.iter().flat_map(linked));
    clean_up(cfg, &plan, &scratch, &mut stages);
    let certify = Certify {
        group: cfg.group.clone(),
        mark: point.mark.name.clone(),
        placed_at: point.mark.placed_at,
        rto_target_ms: drill
            .rto
            .map(|rto| i64::try_from(rto.as_millis()).unwrap_or(i64::MAX)),
    };
    let certify = [(cfg.management_host.clone(), Step::Certify(certify))];
    stages.add(StageName::Certify, OnFailure::Pass, certify);
    plan.stages.extend(stages.into_vec());
    Ok(plan)
}

/// What a check names behind links: it may read the databases in use instead of the drill's.
fn linked(check: &DrillCheck) -> Vec<Warning> {
    let names = linked_names(&check.text).into_iter();
    let faults = names.filter_map(|name| Some((name.fault()?, name)));
    let told = faults.map(|(fault, name)| {
        let message = format!("check `{}` names `{name}`: {fault}", check.name);
        let hint = "name members between braces: the drill puts its own databases there";
        warning(Code::DrillCheckUnfit, message, hint)
    });
    told.collect()
}

/// The restore that was asked for, with the drill's own names and nothing overwritten.
fn scratch_only(
    drill: &DrillConfig,
    point: &Point,
    asked: RestoreAsked,
) -> Result<RestoreAsked, Vec<Error>> {
    let files = match &drill.files_in {
        Some(folder) => RestoreFiles::InFolder(folder.clone()),
        None => RestoreFiles::Defaults,
    };
    Ok(RestoreAsked {
        renames: renames(drill, point, &asked).map_err(|error| vec![error])?,
        files,
        only: Vec::new(),
        replace: false,
        // A scratch copy is looked through and dropped: nobody is to trust it, and nothing is to be sent from it.
        puts_back: false,
        begun: BTreeSet::new(),
        ..asked
    })
}

/// A scratch name for every member; where two of one host would have one name, their hosts tell them apart.
fn renames(
    drill: &DrillConfig,
    point: &Point,
    asked: &RestoreAsked,
) -> Result<BTreeMap<MemberName, DatabaseName>, Error> {
    let place = |member: &MemberName| {
        let host = asked
            .place
            .of(member)
            .map(|host| host.as_str().to_lowercase());
        (host, member.database.as_str().to_lowercase())
    };
    let mut count: BTreeMap<_, usize> = BTreeMap::new();
    for member in point.paths.keys() {
        *count.entry(place(member)).or_default() += 1;
    }
    let named = point.paths.keys().map(|member| {
        let (prefix, database) = (&drill.prefix, &member.database);
        let name = if count.get(&place(member)) == Some(&1) {
            format!("{prefix}{database}")
        } else {
            format!("{prefix}{}_{database}", slug(member.host.as_str()))
        };
        let name = name.parse().map_err(|error| {
            Error::new(
                Code::DrillHostUnfit,
                "a scratch name is none that SQL Server can hold",
            )
            .at("member", member)
            .hint("write a shorter `prefix` under `[drill]`")
            .source(error)
        })?;
        Ok((member.clone(), name))
    });
    named.collect()
}

/// A drill on a host that members live on competes with them for disk, memory and names.
fn in_use(cfg: &Config, point: &Point, asked: &RestoreAsked) -> Vec<Error> {
    let members: BTreeSet<&HostName> = cfg
        .members
        .iter()
        .map(|member| &member.name.host)
        .chain(point.paths.keys().map(|member| &member.host))
        .chain([&cfg.management_host])
        .collect();
    let targets: BTreeSet<&HostName> = point
        .paths
        .keys()
        .filter_map(|member| asked.place.of(member))
        .collect();
    let true_names = |host: &HostName| {
        let known = asked
            .targets
            .iter()
            .find(|(name, _)| name.is_same_host(host));
        known.map(|(_, facts)| facts.true_name.clone())
    };
    let is_members = |host: &HostName| members.iter().any(|it| it.is_same_host(host));
    let used = targets
        .into_iter()
        .filter(|host| is_members(host) || true_names(host).is_some_and(|name| is_members(&name)));
    used.map(|host| {
        Error::new(
            Code::DrillHostUnfit,
            "a drill host holds members of the group, or is the management host",
        )
        .at("host", host)
        .hint("name a host that nothing depends on: `--on HOST`, or `[drill] hosts`")
    })
    .collect()
}

/// Where each member comes to, by the plan itself.
fn scratch_of(plan: &Plan) -> BTreeMap<MemberName, Scratch> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let placed = lanes.flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)));
    placed
        .filter_map(|(host, step)| match step {
            Step::ProveMark(step) => Some((
                step.member.clone(),
                Scratch {
                    host: host.clone(),
                    database: step.target.clone(),
                },
            )),
            _ => None,
        })
        .collect()
}

fn check_databases(
    drill: &DrillConfig,
    scratch: &BTreeMap<MemberName, Scratch>,
    stages: &mut Stages,
) {
    let physical_only = match drill.check_database {
        CheckDepth::Off => return,
        CheckDepth::PhysicalOnly => true,
        CheckDepth::Full => false,
    };
    let steps = scratch.iter().map(|(member, scratch)| {
        let check = CheckDatabase {
            member: member.clone(),
            target: scratch.database.clone(),
            physical_only,
        };
        (scratch.host.clone(), Step::CheckDatabase(check))
    });
    stages.add(StageName::CheckDatabases, OnFailure::Skip, steps);
}

fn run_checks(
    checks: &[DrillCheck],
    scratch: &BTreeMap<MemberName, Scratch>,
    stages: &mut Stages,
) -> Result<(), Vec<Error>> {
    let Some(first) = scratch.values().map(|scratch| &scratch.host).next() else {
        return Ok(());
    };
    let (mut steps, mut errors) = (Vec::new(), Vec::new());
    for check in checks {
        match placed(check, scratch, first) {
            Ok((host, step)) => steps.push((host, Step::RunCheck(step))),
            Err(error) => errors.push(error),
        }
    }
    // A stage whose steps stand for themselves would be gone through after a failure as well, and ask databases that are
    // not there; in one that skips, each check is of no member and the others go on by lane only.
    let mut lanes: BTreeMap<usize, Vec<(HostName, Step)>> = BTreeMap::new();
    for (nth, step) in steps.into_iter().enumerate() {
        lanes.entry(nth).or_default().push(step);
    }
    for steps in lanes.into_values() {
        stages.add(StageName::Checks, OnFailure::Skip, steps);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Every scratch database, and every file that was to be brought, whatever became of its member.
fn clean_up(
    cfg: &Config,
    plan: &Plan,
    scratch: &BTreeMap<MemberName, Scratch>,
    stages: &mut Stages,
) {
    let drops = scratch.iter().map(|(member, scratch)| {
        let drop = DropScratch {
            of: member.clone(),
            target: scratch.database.clone(),
            pieces: pieces_of(plan, member),
            retry: Some(RetryRule::of(&cfg.policy)),
        };
        (scratch.host.clone(), Step::DropScratch(drop))
    });
    let sweeps = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let mut files: BTreeMap<HostName, Vec<_>> = BTreeMap::new();
    for lane in sweeps {
        for step in &lane.steps {
            if let Step::Fetch(fetch) = step {
                let stripes = fetch.source.stripes.iter();
                let paths = stripes.map(|stripe| stripe.agent_path.clone());
                files.entry(lane.host.clone()).or_default().extend(paths);
            }
        }
    }
    let sweeps = files
        .into_iter()
        .map(|(host, files)| (host, Step::SweepStaging(SweepStaging { files })));
    stages.add(StageName::Drop, OnFailure::Pass, drops.chain(sweeps));
}

fn pieces_of(plan: &Plan, wanted: &MemberName) -> Vec<PieceId> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let steps = lanes.flat_map(|lane| &lane.steps);
    let pieces = steps.filter_map(|step| match step {
        Step::RestoreDatabase(step) if step.member == *wanted => Some(step.source.piece),
        Step::RestoreLog(step) if step.member == *wanted => Some(step.source.piece),
        _ => None,
    });
    pieces.collect()
}
