//! `stopmark restore plan --script FOLDER`: a restore on paper, for the day on which Stopmark is gone.
//!
//! Start at [`script`]. Paper is written before it is needed: the target hosts are taken as empty, and one that does not
//! answer is taken to be like the hosts that were.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::restore_asked::{Wanted, without_targets};
use super::restore_point::point;
use super::{Failed, one, shown};
use crate::chain::Point;
use crate::cli::args::RestoreArgs;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::Agent;
use crate::error::{Code, Error, Exit, Result as Done};
use crate::model::{HostName, MemberName, RunId, Set, SurveyId};
use crate::plan::{CatalogView, ProofRule, RestoreAsked, Warning, plan_restore};
use crate::report::script::{PaperFacts, PaperFile, paper};
use crate::run::PlanNames;
use crate::survey::TargetFacts;
use crate::world::PointNeeds;

/// The files that were written.
#[derive(Serialize)]
struct Written {
    folder: String,
    files: Vec<String>,
    warnings: Vec<Warning>,
}

/// Plans the restore for hosts where nothing is done yet, and writes it down.
pub(super) async fn script(
    agent: &Agent,
    args: &RestoreArgs,
    folder: &Path,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    agent.catch_up().await?;
    let PointNeeds { point, have } = point(agent, args, None).await?;
    let (asked, warnings) = asked(agent, args, (&point, &have)).await?;
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let mut plan = plan_restore(&agent.config, &have, &point, &asked, &mut names, now)?;
    plan.warnings.extend(warnings);
    let have = with_companions(agent, have).await?;
    let files = paper(PaperFacts {
        config: &agent.config,
        plan: &plan,
        mark: &point.mark,
        have: &have,
    });
    write(folder, &files).map_err(one)?;
    let written = Written {
        folder: folder.display().to_string(),
        files: files.into_iter().map(|file| file.name).collect(),
        warnings: plan.warnings,
    };
    shown(out, &written, Exit::Ok)
}

/// With every set of the databases beside the group that the configuration names.
async fn with_companions(agent: &Agent, mut have: CatalogView) -> Result<CatalogView, Failed> {
    let (catalog, config) = (&agent.world.catalog, &agent.config);
    let names: Vec<MemberName> = config.companions.iter().map(|it| it.name.clone()).collect();
    if !names.is_empty() {
        let sets = catalog
            .recent(&config.group, 1, &names)
            .await
            .map_err(one)?;
        let beside = sets.into_iter().filter(Set::is_of_companions);
        have.sets.extend(beside);
    }
    Ok(have)
}

/// What the planner is asked. One script a host cannot wait for the others, so each member is opened by its last log, and
/// proven then.
async fn asked(
    agent: &Agent,
    args: &RestoreArgs,
    (point, have): (&Point, &CatalogView),
) -> Result<(RestoreAsked, Vec<Warning>), Failed> {
    let wanted = Wanted {
        run: RunId(agent.world.ids.next()),
        replace: false,
        resume: false,
    };
    let survey = SurveyId(agent.world.ids.next());
    let asked = without_targets(agent, args, &wanted, (point, survey, None))?;
    let (mut targets, mut warnings) = (BTreeMap::new(), Vec::new());
    for host in point.paths.keys().filter_map(|it| asked.place.of(it)) {
        let Some(known) = agent.config.host(host) else {
            continue;
        };
        if targets.contains_key(&known.name) {
            continue;
        }
        let facts = match agent.world.fleet.target_facts(&known.name).await {
            Ok(facts) => emptied(facts),
            Err(error) => {
                warnings.push(unasked(&known.name, &error));
                assumed(&known.name, have)
            }
        };
        targets.insert(known.name.clone(), facts);
    }
    let proof = ProofRule::AfterOpening;
    let asked = RestoreAsked {
        proof,
        targets,
        ..asked
    };
    Ok((asked, warnings))
}

/// The host without its databases and certificates: what is there on the day is for people to find.
fn emptied(facts: TargetFacts) -> TargetFacts {
    TargetFacts {
        databases: Vec::new(),
        keys: None,
        volumes: Vec::new(),
        ..facts
    }
}

fn assumed(host: &HostName, have: &CatalogView) -> TargetFacts {
    let pieces = have.sets.iter().flat_map(|set| &set.pieces);
    let newest = pieces.max_by_key(|piece| piece.finished.civil_utc());
    TargetFacts {
        true_name: host.clone(),
        version: newest.map_or_else(String::new, |piece| piece.server_version.clone()),
        edition: String::new(),
        collation: String::new(),
        data_folder: None,
        log_folder: None,
        databases: Vec::new(),
        keys: None,
        volumes: Vec::new(),
        log_shipping: None,
    }
}

fn unasked(host: &HostName, error: &Error) -> Warning {
    Warning {
        code: error.code().to_string(),
        message: format!(
            "host `{host}` was not asked, and is taken to be like the one that was: {}",
            error.message()
        ),
        hint: Some(
            "see that it has the same version, and the folders that the scripts name".to_owned(),
        ),
    }
}

/// A new folder, or an empty one: paper of two points in one folder would be worse than none.
fn write(folder: &Path, files: &[PaperFile]) -> Done<()> {
    let failed = |error: std::io::Error| {
        Error::new(Code::StateUnwritable, "the scripts cannot be written")
            .at("folder", folder.display())
            .hint("name a folder that this account may make")
            .source(error)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let message = "the folder for the scripts is not empty";
        return Err(Error::new(Code::CommandLine, message)
            .at("folder", folder.display())
            .hint("name a new one: nothing is ever overwritten"));
    }
    for file in files {
        let path = folder.join(&file.name);
        let mut open = fs::File::create_new(path).map_err(failed)?;
        open.write_all(file.text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

impl Shown for Written {
    fn text(&self) -> String {
        let files = self.files.iter().map(|file| format!("  {file}"));
        let warnings = self.warnings.iter();
        let warnings = warnings.map(|it| format!("  warning[{}]: {}", it.code, it.message));
        let first = format!("written to {}", self.folder);
        let last = "  begin with RUNBOOK.md; keep a copy where the hosts are not".to_owned();
        let lines = std::iter::once(first)
            .chain(files)
            .chain(warnings)
            .chain([last]);
        lines.map(|line| line + "\n").collect()
    }
}
