//! Tails of a restore whose answers are lost, with their hosts away past all tries: looked for until somebody knows.
//!
//! Start at [`AwayWithTheTail`]. A tail is the only copy of what was committed last, and its database is restored over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use stopmark::catalog;
use stopmark::model::{Piece, PieceKind, RunId};
use stopmark::plan::{
    BackupKind, CatalogView, Plan, RestoreAsked, RestorePlace, Step, plan_restore,
};
use stopmark::run::events::{Outcome, Verdict};
use stopmark::run::record::{Record, StepState};
use stopmark::run::{self, Interrupt, PlanNames};
use stopmark::survey;
use stopmark::world::World;

use crate::bank::TOTAL;
use crate::chain_stories::{assert_healthy, back_up, hasty_scene};
use crate::fate::{Fate, Fates};
use crate::saga_kinds::{SPARE, Scene, files_below};
use crate::saga_story::story;
use crate::strike::Strike;

/// The first tail is taken, and then nobody answers to anything about backups until all are back; nor are shares seen.
#[derive(Default)]
struct AwayWithTheTail {
    tails: AtomicUsize,
    is_back: AtomicBool,
}

impl Fates for AwayWithTheTail {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        if self.is_back.load(Ordering::SeqCst) {
            return Fate::Passes;
        }
        match verb {
            "back_up" if self.tails.fetch_add(1, Ordering::SeqCst) == 0 => Fate::FailsAfter,
            "back_up" | "find_backup" => Fate::FailsBefore,
            "make_room" | "require_folders" if self.tails.load(Ordering::SeqCst) > 0 => {
                Fate::FailsBefore
            }
            _ => Fate::Passes,
        }
    }
}

/// The group with one Point, and transfers after it that only tails hold.
async fn with_a_point() -> Scene {
    let scene = hasty_scene().await;
    scene.back_up(BackupKind::Log).await;
    scene.bank.transfer(&scene.stage, 17).await;
    scene
}

/// The newest Point over its own databases, as it would be planned now.
async fn plan_over_itself(scene: &Scene) -> (Plan, RunId) {
    let config = &scene.config;
    let survey = survey::take(&scene.world, config).await;
    let run = RunId(scene.world.ids.next());
    let mut asked = RestoreAsked {
        replace: true,
        ..RestoreAsked::to(RestorePlace::OwnHosts, run, survey.id)
    };
    for host in ["SQL1", "SQL2"] {
        let host = host.parse().expect("a host");
        let facts = scene.world.fleet.target_facts(&host).await;
        asked.targets.insert(host, facts.expect("it answers"));
    }
    let have = CatalogView {
        sets: scene.sets().await,
        ..CatalogView::default()
    };
    let point = scene.points().await.pop().expect("a Point");
    let mut names = PlanNames(scene.world.ids.as_ref());
    let now = scene.world.clock.now();
    let plan = plan_restore(config, &have, &point, &asked, &mut names, now);
    (plan.expect("a plan"), run)
}

async fn restore(scene: &Scene, world: &World, (plan, run): (Plan, RunId)) -> Record {
    let record = run::restore(world, &scene.config, &plan, run, &Interrupt::default()).await;
    record.expect("a record")
}

/// The logs that the store holds, with its catalog brought up to date.
async fn logs(scene: &Scene) -> Vec<Piece> {
    let caught_up = catalog::catch_up(&scene.world, &scene.config.group).await;
    caught_up.expect("a sound store");
    let sets = scene.sets().await.into_iter();
    let pieces = sets.flat_map(|set| set.pieces);
    pieces.filter(|it| it.kind == PieceKind::Log).collect()
}

fn tails_of(record: &Record) -> Vec<&StepState> {
    let rounds = record.rounds.iter();
    let steps = rounds.flat_map(|round| round.steps.iter().map(move |it| (round, it)));
    let tails = steps.filter_map(|(round, (place, state))| match round.step(*place)? {
        Step::BackUp(_) => Some(state),
        _ => None,
    });
    tails.collect()
}

/// The restore that lost a tail is over and nothing was restored; its run is not over.
async fn lose_a_tail(scene: &Scene, fates: &Arc<AwayWithTheTail>) -> Record {
    let world = Strike::by(fates.clone()).world(&scene.world);
    let plan = plan_over_itself(scene).await;
    let record = restore(scene, &world, plan).await;
    let states = tails_of(&record);
    assert_eq!(states.len(), 2, "{}", story(&record));
    assert!(
        states.iter().all(|it| matches!(it, StepState::Failed(_))),
        "{}",
        story(&record)
    );
    assert_eq!(record.ended, None, "a tail is owed: {}", story(&record));
    let files = files_below(scene.stage.path("share"));
    assert_eq!(files.len(), 1, "{}", story(&record));
    record
}

fn reread(scene: &Scene, run: RunId) -> Record {
    let events = scene.world.journals.read(run).expect("a journal");
    Record::fold(&events).expect("it folds").expect("it began")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_asked_for_again_brings_home_the_tail_that_the_first_one_lost() {
    let scene = with_a_point().await;
    let before = logs(&scene).await.len();
    let fates = Arc::new(AwayWithTheTail::default());
    let first = lose_a_tail(&scene, &fates).await;
    fates.is_back.store(true, Ordering::SeqCst);
    let plan = plan_over_itself(&scene).await;
    let second = restore(&scene, &scene.world, plan).await;
    let verdict = second.ended.map(|it| it.0);
    assert_eq!(verdict, Some(Verdict::Done), "{}", story(&second));
    assert_eq!(tails_of(&second).len(), 1, "the other one's");
    let first = reread(&scene, first.run);
    assert_eq!(first.ended.map(|it| it.0), Some(Verdict::Abandoned));
    let taken = tails_of(&first).into_iter();
    let taken = taken.filter(|it| matches!(it, StepState::Ended(Outcome::BackedUp(_))));
    assert_eq!(taken.count(), 1, "{}", story(&first));
    assert_eq!(
        logs(&scene).await.len(),
        before + 2,
        "both are in the store"
    );
    scene.assert_the_shares_are_clear("both tails");
    scene.assert_no_set_twice("both tails").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_can_tell_of_a_tail_its_run_stays_open_and_its_file_stays() {
    let scene = with_a_point().await;
    let before = logs(&scene).await.len();
    let fates = Arc::new(AwayWithTheTail::default());
    let first = lose_a_tail(&scene, &fates).await;
    let world = Strike::by(fates.clone()).world(&scene.world);
    let wanted = run::BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    let log = run::back_up(&world, &scene.config, &wanted, &Interrupt::default()).await;
    let log = log.expect("a record");
    let warnings = log.rounds.iter().flat_map(|it| &it.plan.warnings);
    let told = warnings.filter(|it| it.message.contains("cut short is not known yet"));
    assert!(told.count() > 0, "{}", story(&log));
    assert_eq!(reread(&scene, first.run).ended, None);
    fates.is_back.store(true, Ordering::SeqCst);
    let plan = plan_over_itself(&scene).await;
    let again = restore(&scene, &scene.world, plan).await;
    assert_eq!(again.ended.map(|it| it.0), Some(Verdict::Done));
    assert_eq!(
        logs(&scene).await.len(),
        before + 2,
        "both are in the store"
    );
    scene.bank.transfer(&scene.stage, 5).await;
    let next = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &next, "after the restore").await;
    let point = scene.points().await.pop().expect("a Point");
    scene.restore(&point).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}
