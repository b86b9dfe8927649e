//! Statements of an agent that died: they go on on the host, and end when the next agent has looked already.
//!
//! Start at [`overtaken`]. The next agent looks, finds its piece not restored, and sends its statement, which the host
//! keeps waiting; meanwhile the statement of the dead agent comes to its end. What was to be done is then done.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlsim::clock::{Clock, SystemClock};
use stopmark::plan::{BackupKind, Keeps, Plan, ProofRule, StageName, Step};
use stopmark::run::events::Verdict;
use stopmark::sql::{recover_sql, restore_database_sql, restore_log_sql};
use tokio::sync::watch;

use crate::bank::TOTAL;
use crate::clock_time::prepared;
use crate::restore_faults::{carried_out, folder, planned};
use crate::saga_kinds::{SPARE, Scene};
use crate::saga_story::story;
use crate::stage::Stage;

/// Longer than anything here takes; who waits so long waits for the story to let it go.
const LONG: Duration = Duration::from_secs(3600);

/// A clock on which long waits end when they are let go.
#[derive(Debug)]
struct Door {
    inner: SystemClock,
    is_open: watch::Receiver<bool>,
}

#[async_trait]
impl Clock for Door {
    fn now(&self) -> jiff::Timestamp {
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        if duration < LONG {
            return self.inner.sleep(duration).await;
        }
        let mut is_open = self.is_open.clone();
        let opened = is_open.wait_for(|is_open| *is_open).await;
        assert!(opened.is_ok_and(|it| *it), "the story holds the door");
    }
}

/// The text of the first step of this kind in the plan.
fn text_of(plan: &Plan, text: impl Fn(&Step) -> Option<String>) -> String {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let mut steps = lanes.flat_map(|lane| &lane.steps);
    steps.find_map(text).expect("such a step")
}

/// A scene with a Point, whose spare host has this door.
async fn scene(is_open: &watch::Receiver<bool>) -> Scene {
    let layout: &[(&str, &[&str])] =
        &[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])];
    let stage = Stage::on_clocks(layout, |_| {
        Arc::new(Door {
            inner: SystemClock::new(),
            is_open: is_open.clone(),
        })
    });
    let scene = prepared(stage.await).await;
    scene.back_up(BackupKind::Full).await;
    scene.bank.transfer(&scene.stage, 10).await;
    scene.back_up(BackupKind::Log).await;
    scene
}

/// A restore to the spare host in which the `skip`th statement of this kind, from 0, is overtaken by the dead agent's.
async fn overtaken(statement: &str, skip: u32, text: impl Fn(&Step) -> Option<String>) {
    let (door, is_open) = watch::channel(false);
    let scene = scene(&is_open).await;
    let planned = planned(
        &scene.world,
        &scene.config,
        folder(&scene),
        ProofRule::BeforeOpening,
    );
    let (plan, run) = planned.await.expect("a plan");
    let dead = text_of(&plan, text);
    let wait = format!(
        "EXEC sp_sim_fault 'delay', @statement = '{statement}', @skip = {skip}, @milliseconds = 3600000;"
    );
    scene.stage.script(SPARE, "master", &wait).await;
    let late = async {
        // The statement waits once the fault is armed no more.
        let faults = &scene.stage.host(SPARE).instance().faults;
        while !faults.is_idle() {
            tokio::task::yield_now().await;
        }
        scene.stage.script(SPARE, "master", &dead).await;
        door.send(true).expect("somebody waits");
    };
    let restored = carried_out(&scene.world, &scene.config, &plan, run);
    let (record, ()) = tokio::join!(restored, late);
    let verdict = record.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Done), "{}", story(&record));
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_that_a_dead_agent_s_statement_restored_meanwhile_is_restored() {
    overtaken("RESTORE DATABASE", 0, |step| match step {
        Step::RestoreDatabase(step) => Some(restore_database_sql(step).text),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_a_dead_agent_s_statement_restored_meanwhile_is_restored() {
    overtaken("RESTORE LOG", 0, |step| match step {
        Step::RestoreLog(step) => Some(restore_log_sql(step).text),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_a_dead_agent_s_statement_opened_meanwhile_is_open() {
    // Two fulls come before the opening of the first member.
    overtaken("RESTORE DATABASE", 2, |step| match step {
        Step::RecoverDatabase(step) => Some(recover_sql(&step.target, Keeps::default()).text),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_opened_before_it_is_proven_to_stand_by_is_proven_all_the_same() {
    let (_door, is_open) = watch::channel(false);
    let scene = scene(&is_open).await;
    let plan_now = || {
        let (world, config) = (&scene.world, &scene.config);
        planned(world, config, folder(&scene), ProofRule::BeforeOpening)
    };
    // The dead agent had proven all, and was about to open the first one.
    let (mut plan, run) = plan_now().await.expect("a plan");
    let opens = plan
        .stages
        .iter()
        .position(|it| it.name == StageName::Recover);
    plan.stages.truncate(opens.expect("members are opened"));
    let record = carried_out(&scene.world, &scene.config, &plan, run).await;
    let (plan, run) = plan_now().await.expect("a plan that goes on");
    let open = text_of(&plan, |step| match step {
        Step::RecoverDatabase(step) => Some(recover_sql(&step.target, Keeps::default()).text),
        _ => None,
    });
    scene.stage.script(SPARE, "master", &open).await;
    let on = carried_out(&scene.world, &scene.config, &plan, run).await;
    let verdict = on.ended.map(|(verdict, _)| verdict);
    assert_eq!(
        verdict,
        Some(Verdict::Done),
        "{}\n{}",
        story(&record),
        story(&on)
    );
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}
