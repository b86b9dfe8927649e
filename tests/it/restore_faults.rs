//! Restores that meet what no plan foresees: a mark that one log lacks, and `kill -9` at every line of the journal.
//!
//! Start at [`planned`]: the plan is made as the command makes it, and then made wrong where a story needs that.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stopmark::catalog;
use stopmark::chain::points;
use stopmark::config::Config;
use stopmark::error::Result;
use stopmark::model::{HostName, RunId};
use stopmark::plan::{
    BackupKind, CatalogView, Plan, ProofRule, RestoreAsked, RestoreFiles, RestorePlace, StageName,
    Step, plan_restore,
};
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::run::{self, Interrupt, PlanNames};
use stopmark::survey;
use stopmark::world::World;

use crate::bank::TOTAL;
use crate::kill::{mortal, run_the_agent};
use crate::saga_kinds::{SPARE, Scene};
use crate::saga_story::story;

/// More lines than the journal of this restore has.
const LINES_MAX: usize = 120;

fn spare() -> HostName {
    SPARE.parse().expect("a host")
}

/// The plan that brings the newest Point to the spare host, or goes on with an earlier one.
pub(crate) async fn planned(
    world: &World,
    config: &Config,
    files: PathBuf,
    proof: ProofRule,
) -> Result<(Plan, RunId)> {
    let group = &config.group;
    let survey = survey::take(world, config).await;
    catalog::catch_up(world, group).await?;
    let have = CatalogView {
        sets: world.catalog.sets(group).await?,
        ..CatalogView::default()
    };
    let begun = run::begun_restore(world, group)?;
    let mut points = points(&have.sets, &[]);
    if let Some(begun) = &begun {
        points.retain(|point| point.mark.name == begun.mark);
    }
    let point = points.pop().expect("a Point");
    let facts = world.fleet.target_facts(&spare()).await?;
    let run = RunId(world.ids.next());
    let asked = RestoreAsked {
        files: RestoreFiles::InFolder(files.display().to_string()),
        begun: begun.map(|begun| begun.databases).unwrap_or_default(),
        proof,
        targets: BTreeMap::from([(spare(), facts)]),
        ..RestoreAsked::to(RestorePlace::OneHost(spare()), run, survey.id)
    };
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let plan = plan_restore(config, &have, &point, &asked, &mut names, now);
    Ok((plan.unwrap_or_else(|errors| panic!("{errors:?}")), run))
}

pub(crate) async fn carried_out(world: &World, config: &Config, plan: &Plan, run: RunId) -> Record {
    let done = run::restore(world, config, plan, run, &Interrupt::default()).await;
    done.expect("a record")
}

pub(crate) fn folder(scene: &Scene) -> PathBuf {
    let files = scene.stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    files
}

async fn states(scene: &Scene) -> Vec<String> {
    let mut states = Vec::new();
    for database in ["Ledger", "Accounts"] {
        let sql = format!(
            "SELECT CASE WHEN is_in_standby = 1 THEN N'STANDBY' ELSE state_desc END \
             FROM sys.databases WHERE name = N'{database}';"
        );
        states.push(scene.stage.text(SPARE, &sql).await);
    }
    states
}

/// Two marks; the plan goes to the second, but one member's last log is left out and the one before it ends its way.
async fn without_the_last_log(scene: &Scene, proof: ProofRule) -> (Plan, RunId) {
    for _ in 0..2 {
        scene.bank.transfer(&scene.stage, 10).await;
        scene.back_up(BackupKind::Log).await;
    }
    let planned = planned(&scene.world, &scene.config, folder(scene), proof).await;
    let (mut plan, run) = planned.expect("a plan");
    let mut last = None;
    for stage in &mut plan.stages {
        for lane in &mut stage.lanes {
            let is_last = |step: &Step| match step {
                Step::RestoreLog(log) => {
                    log.target.as_str() == "Accounts" && (log.recover || log.standby.is_some())
                }
                _ => false,
            };
            let Some(at) = lane.steps.iter().position(is_last) else {
                continue;
            };
            last = Some((lane.steps.remove(at), stage.name));
        }
    }
    let (last, stage) = last.expect("a last log");
    let Step::RestoreLog(last) = last else {
        panic!("not a log");
    };
    let steps = plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes);
    for step in steps.flat_map(|lane| &mut lane.steps) {
        if let Step::RestoreLog(log) = step
            && log.target == last.target
        {
            log.recover = last.recover;
            log.standby.clone_from(&last.standby);
        }
    }
    assert_eq!(
        stage == StageName::LastLogs,
        proof == ProofRule::AfterOpening
    );
    (plan, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lacks_the_mark_is_caught_before_any_member_is_opened() {
    let scene = Scene::set().await;
    let (plan, run) = without_the_last_log(&scene, ProofRule::BeforeOpening).await;
    let record = carried_out(&scene.world, &scene.config, &plan, run).await;
    let told = story(&record);
    assert!(told.contains("SM0802"), "{told}");
    assert_eq!(record.ended.map(|(it, _)| it), Some(Verdict::Failed));
    assert_eq!(states(&scene).await, ["STANDBY", "STANDBY"], "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_log_that_lacks_the_mark_leaves_its_member_restoring() {
    let scene = Scene::set().await;
    let (plan, run) = without_the_last_log(&scene, ProofRule::AfterOpening).await;
    let record = carried_out(&scene.world, &scene.config, &plan, run).await;
    let told = story(&record);
    assert!(told.contains("SM0802"), "{told}");
    assert_eq!(record.ended.map(|(it, _)| it), Some(Verdict::Failed));
    assert_eq!(
        states(&scene).await[1],
        "RESTORING",
        "4329 reaches no client: {told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_restore_is_gone_on_with_wherever_it_was_killed() {
    let test = "restore_faults::a_killed_restore_is_gone_on_with_wherever_it_was_killed";
    if let Some((config_path, config, world)) = mortal() {
        let files = config_path.with_file_name("restored");
        let planned = planned(&world, &config, files, ProofRule::BeforeOpening).await;
        let (plan, run) = planned.expect("a plan");
        let record = carried_out(&world, &config, &plan, run).await;
        assert_eq!(record.ended.map(|(it, _)| it), Some(Verdict::Done));
        return;
    }
    let scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 10).await;
    scene.back_up(BackupKind::Log).await;
    let files = folder(&scene);
    for lines in 1..LINES_MAX {
        let config = scene.stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        let is_over = killed.expect("it was waited for").success();
        if !is_over && !is_done(&scene.world) {
            go_on(&scene, files.clone(), lines).await;
        }
        assert_eq!(
            scene.bank.sum_on(&scene.stage, SPARE).await,
            TOTAL,
            "line {lines}"
        );
        scene.assert_the_shares_are_clear(&format!("killed after line {lines}"));
        for database in ["Ledger", "Accounts"] {
            // Whoever asked for the sum may not have gone yet.
            let drop = format!(
                "DECLARE @tries int = 0; WHILE DB_ID(N'{database}') IS NOT NULL AND @tries < 100 BEGIN BEGIN TRY \
                 ALTER DATABASE {database} SET SINGLE_USER WITH ROLLBACK IMMEDIATE; DROP DATABASE {database}; \
                 END TRY BEGIN CATCH SET @tries = @tries + 1; END CATCH END;"
            );
            scene.stage.script(SPARE, "master", &drop).await;
        }
        if is_over {
            assert!(
                lines > 20,
                "a restore of two members has more than {lines} lines"
            );
            return;
        }
    }
    panic!("the restore never came to its end");
}

/// Whether the newest run had written its last line before it was killed.
fn is_done(world: &World) -> bool {
    let newest = world.journals.runs().expect("journals").pop();
    let newest = newest.map(|run| world.journals.read(run).expect("a journal"));
    let record = newest.and_then(|events| Record::fold(&events).expect("a sound journal"));
    record.is_some_and(|record| record.ended.is_some())
}

/// The restore after a kill: it ends well, and what was open before stays as it was.
async fn go_on(scene: &Scene, files: PathBuf, lines: usize) {
    let planned = planned(&scene.world, &scene.config, files, ProofRule::BeforeOpening).await;
    let (plan, run) = planned.expect("a plan");
    let record = carried_out(&scene.world, &scene.config, &plan, run).await;
    let verdict = record.ended.map(|(it, _)| it);
    assert_eq!(
        verdict,
        Some(Verdict::Done),
        "line {lines}: {}",
        story(&record)
    );
    let left = scene.world.journals.unfinished().expect("journals");
    assert_eq!(left, [], "line {lines}: runs that nobody finished");
}
