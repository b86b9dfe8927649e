//! Drills as runs of their own: which Point, on which hosts, with which checks, and then the run.
//!
//! Start at [`hold`], which a person and a schedule share. What an earlier drill left is removed first, since it
//! would stand in the way of the next one's names. Whether a drill may be held at all is the planner's to say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::conduct::{PlanNames, carry_out};
use super::executor::Interrupt;
use super::leftovers::finish_drills;
use super::record::Record;
use super::targets::{target, target_facts};
use crate::catalog::catch_up;
use crate::chain::Point;
use crate::config::{Config, DrillConfig, DrillPoint};
use crate::error::{Code, Error, Result};
use crate::model::{HostName, RunId, SurveyId};
use crate::plan::{DrillCheck, Plan, RestoreAsked, RestorePlace, plan_drill};
use crate::world::{PointNeeds, World};

/// Points that a random one is taken from.
const POINTS_MAX: usize = 10_000;

/// What a person or a schedule wants drilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillWanted {
    /// The mark of the Point; none: as `point` says.
    pub mark: Option<String>,
    /// Which Point, where none is named.
    pub point: DrillPoint,
    /// Where; empty: on the hosts that the configuration names.
    pub hosts: Vec<HostName>,
}

impl DrillWanted {
    /// The drill that the configuration asks for.
    #[must_use]
    pub fn by(config: &Config) -> Self {
        let drill = config.drill.clone().unwrap_or_default();
        Self {
            mark: None,
            point: drill.point,
            hosts: drill.hosts,
        }
    }
}

/// Holds a drill, after what earlier ones left is removed. The lease that its certificate needs is the caller's to
/// give up.
///
/// # Errors
/// Everything that stands in its way, at once; then nothing was touched.
pub async fn hold(
    world: &World,
    config: &Config,
    wanted: &DrillWanted,
    interrupt: &Interrupt,
) -> Result<Record, Vec<Error>> {
    let one = |error| vec![error];
    finish_drills(world, &config.group, interrupt)
        .await
        .map_err(one)?;
    let plan = plan_of(world, config, wanted).await?;
    let done = carry_out(world, config, &plan, interrupt).await;
    done.map_err(one)
}

/// The plan of a drill; nothing is touched but the local catalog.
///
/// # Errors
/// As [`hold`].
pub async fn plan_of(
    world: &World,
    config: &Config,
    wanted: &DrillWanted,
) -> Result<Plan, Vec<Error>> {
    let one = |error| vec![error];
    catch_up(world, &config.group).await.map_err(one)?;
    let drill = config.drill.clone().unwrap_or_default();
    let PointNeeds { point, have } = point(world, config, wanted).await.map_err(one)?;
    let hosts = hosts(config, wanted, &drill).map_err(one)?;
    let place = dealt_out(&point, &hosts);
    let targets = target_facts(world, config, hosts.iter()).await?;
    let (run, survey) = (RunId(world.ids.next()), SurveyId(world.ids.next()));
    let asked = RestoreAsked {
        targets,
        ..RestoreAsked::to(place, run, survey)
    };
    let checks = checks(&drill)?;
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    plan_drill(config, &have, &point, asked, &checks, &mut names, now)
}

async fn point(world: &World, config: &Config, wanted: &DrillWanted) -> Result<PointNeeds> {
    let (catalog, group) = (&world.catalog, &config.group);
    let mark = match (&wanted.mark, wanted.point) {
        (Some(mark), _) => Some(mark.clone()),
        (None, DrillPoint::Newest) => None,
        (None, DrillPoint::Random) => {
            let points = catalog.newest_points(group, POINTS_MAX).await?;
            // The last bytes of a new identity are random.
            let chance = world.ids.next().as_u128();
            let nth = chance.checked_rem(points.len() as u128);
            let nth = nth.and_then(|nth| usize::try_from(nth).ok());
            nth.and_then(|nth| points.get(nth))
                .map(|point| point.mark.name.to_string())
        }
    };
    let found = catalog.point(group, mark.as_deref()).await?;
    found.ok_or_else(|| {
        let error = match mark {
            Some(mark) => Error::new(
                Code::PointUnknown,
                format!("there is no point at mark `{mark}`"),
            ),
            None => Error::new(Code::NoPoint, Code::NoPoint.meaning()),
        };
        error.hint("`stopmark points` shows what there is")
    })
}

/// The drill hosts as the configuration spells them.
fn hosts(config: &Config, wanted: &DrillWanted, drill: &DrillConfig) -> Result<Vec<HostName>> {
    let named = if wanted.hosts.is_empty() {
        &drill.hosts
    } else {
        &wanted.hosts
    };
    if named.is_empty() {
        let message = "nobody says where the drill is to be held";
        return Err(Error::new(Code::DrillHostUnfit, message)
            .hint("say `--on HOST`, or write `[drill] hosts = ['HOST']`"));
    }
    named.iter().map(|host| target(config, host)).collect()
}

/// The members of each host together, host by host over the drill hosts.
fn dealt_out(point: &Point, hosts: &[HostName]) -> RestorePlace {
    if let [host] = hosts {
        return RestorePlace::OneHost(host.clone());
    }
    let mut map: BTreeMap<HostName, HostName> = BTreeMap::new();
    for member in point.paths.keys() {
        let nth = map.len();
        if !map.keys().any(|host| host.is_same_host(&member.host)) {
            map.insert(member.host.clone(), hosts[nth % hosts.len()].clone());
        }
    }
    RestorePlace::Mapped(map)
}

/// The user's checks with their texts; every file that cannot be read, at once.
fn checks(drill: &DrillConfig) -> Result<Vec<DrillCheck>, Vec<Error>> {
    let read = |file: &Path| {
        fs::read_to_string(file).map_err(|error| {
            Error::new(Code::DrillCheckUnfit, "the file of a check cannot be read")
                .at("file", file.display())
                .hint("`[drill] checks` names it; paths begin at the configuration's folder")
                .source(error)
        })
    };
    let (mut checks, mut errors) = (Vec::new(), Vec::new());
    for check in &drill.checks {
        let name = check.file.file_name().unwrap_or_default();
        match read(&check.file) {
            Ok(text) => checks.push(DrillCheck {
                name: name.to_string_lossy().into_owned(),
                text,
                value: check.value.clone(),
            }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(checks)
    } else {
        Err(errors)
    }
}
