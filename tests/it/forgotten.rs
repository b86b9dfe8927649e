//! Backups of an agent that died, of which no host tells: the files on the share do, or nobody does yet.
//!
//! Start at [`Death`]: the agent ends in the midst of a backup, and the hosts go on.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlsim::faults::{Fault, FaultKind};
use sqlsim::instance::Instance;
use stopmark::model::PieceId;
use stopmark::plan::{BackupKind, Step};
use stopmark::run::events::{Event, Outcome, Verdict};
use stopmark::run::record::{Record, Round, StepState};
use stopmark::run::{self, Interrupt};

use crate::bank::TOTAL;
use crate::chain_stories::{assert_healthy, back_up, hasty_scene};
use crate::fate::{Fate, Fates};
use crate::saga_kinds::{Kind, SPARE, Scene, files_below};
use crate::saga_story::story;
use crate::stage;
use crate::strike::Strike;

const OTHER_MEMBER: &str = "SQL2/Accounts";

/// The agent dies at its first backup, before it or right after it.
struct Death {
    at_backup: Fate,
    is_dead: AtomicBool,
}

impl Fates for Death {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        if verb == "back_up" {
            self.is_dead.store(true, Ordering::SeqCst);
            return self.at_backup;
        }
        Fate::Passes
    }
}

/// A log run whose agent dies in it: every backup of its one stage has begun and none has ended in the journal.
pub(crate) async fn die_in_a_log_run(scene: &Scene, at_backup: Fate) {
    die_when(scene, at_backup, || is_as_far(scene, at_backup)).await;
}

/// The same, when it is so far.
pub(crate) async fn die_when<F: Future<Output = bool> + Send>(
    scene: &Scene,
    at_backup: Fate,
    is_as_far: impl Fn() -> F + Send + Sync,
) {
    let is_dead = AtomicBool::new(false);
    let death = Arc::new(Death { at_backup, is_dead });
    let world = Strike::by(death.clone()).world(&scene.world);
    let wanted = Kind::Log.wanted();
    let interrupt = Interrupt::default();
    let run = run::back_up(&world, &scene.config, &wanted, &interrupt);
    let is_over = async {
        while !death.is_dead.load(Ordering::SeqCst) || !is_as_far().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = run => panic!("the agent lived on: {ended:?}"),
        () = is_over => {}
    }
}

/// Whether both hosts have taken their backups, where they were to.
async fn is_as_far(scene: &Scene, at_backup: Fate) -> bool {
    if at_backup == Fate::NeverBegins {
        return journal(scene).matches(": begun").count() == 2;
    }
    let logs = "SELECT COUNT_BIG(*) FROM msdb.dbo.backupset WHERE type = 'L';";
    let stage = &scene.stage;
    stage.number("SQL1", "master", logs).await == 1
        && stage.number("SQL2", "master", logs).await == 1
}

/// The newest run as its journal tells it.
fn journal(scene: &Scene) -> String {
    let journals = &scene.world.journals;
    let newest = journals.runs().expect("journals").pop().expect("a run");
    let events = journals.read(newest).expect("a journal");
    story(&Record::fold(&events).expect("it folds").expect("it began"))
}

/// The connections of the first two backups are lost when these have ended.
struct LostAnswers(AtomicUsize);

impl Fates for LostAnswers {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        if verb == "back_up" && self.0.fetch_add(1, Ordering::SeqCst) < 2 {
            return Fate::FailsAfter;
        }
        Fate::Passes
    }
}

async fn forget_all_backups(scene: &Scene) {
    for (host, database) in [("SQL1", "Ledger"), ("SQL2", "Accounts")] {
        let forget = format!(
            "EXEC msdb.dbo.sp_delete_database_backuphistory @database_name = N'{database}';"
        );
        scene.stage.script(host, "master", &forget).await;
    }
}

/// Two logs that were taken, of an agent that is dead, and that no host knows: as after a purge that is too eager, or a
/// host that crashed before it wrote the row.
pub(crate) async fn take_what_is_forgotten(scene: &Scene) {
    die_in_a_log_run(scene, Fate::NeverReturns).await;
    assert_eq!(files_on_the_share(scene).len(), 2);
    forget_all_backups(scene).await;
}

/// `SQL2` answers nobody until its faults are cleared.
fn lose_the_other_host(scene: &Scene) -> Arc<Instance> {
    let host = scene.stage.host("SQL2").instance().clone();
    host.faults.arm(Fault {
        times: 0,
        ..Fault::once(FaultKind::Refuse)
    });
    host
}

/// The backup of a member that has begun, and of which the journal does not know how it ended.
fn begun_backup(scene: &Scene, member: &str) -> PieceId {
    let journals = &scene.world.journals;
    let open = journals.unfinished().expect("journals")[0];
    let record = Record::fold(&journals.read(open).expect("a journal"));
    let record = record.expect("it folds").expect("it began");
    let mut steps = record.rounds[0].steps.iter();
    let begun = steps.find_map(|(place, state)| match record.rounds[0].step(*place)? {
        Step::BackUp(step) if step.member.to_string() == member => {
            assert_eq!(*state, StepState::Started);
            Some(step.piece)
        }
        _ => None,
    });
    begun.expect("a backup that has begun")
}

/// The backup of `SQL2` that the dead agent began goes on there, and does not come to an end until that host's faults are
/// cleared.
async fn stall_a_full_of_the_other_member(scene: &Scene) -> tokio::task::JoinHandle<()> {
    let stall = "EXEC sp_sim_fault 'stall backup', 'BACKUP DATABASE', 'Accounts', @offset = 1;";
    scene.stage.script("SQL2", "master", stall).await;
    let mut somebody = scene.stage.client("SQL2", "master").await;
    let file = scene.stage.path("copy.bak").display().to_string();
    let name = begun_backup(scene, OTHER_MEMBER).backup_name();
    let copy =
        format!("BACKUP DATABASE Accounts TO DISK = N'{file}' WITH COPY_ONLY, NAME = N'{name}';");
    let stalled = tokio::spawn(async move {
        let answer = somebody.simple_query(copy).await.expect("a statement");
        answer.into_results().await.expect("a copy");
    });
    let running =
        "SELECT COUNT_BIG(*) FROM sys.dm_exec_requests WHERE command = N'BACKUP DATABASE';";
    while scene.stage.number("SQL2", "master", running).await == 0 {
        tokio::task::yield_now().await;
    }
    stalled
}

/// One warning of the run has all these words.
fn assert_is_told(record: &Record, words: &[&str]) {
    let warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
    let told: Vec<&str> = warnings.map(|it| it.message.as_str()).collect();
    let is_it = |text: &&&str| words.iter().all(|word| text.contains(word));
    assert_eq!(told.iter().filter(is_it).count(), 1, "{told:#?}");
}

/// The agent of the next start.
pub(crate) async fn log_run_of_the_next_start(scene: &mut Scene) -> Record {
    scene.world = stage::world_of(&scene.stage.config_path()).1;
    let wanted = Kind::Log.wanted();
    let record = run::back_up(&scene.world, &scene.config, &wanted, &Interrupt::default()).await;
    record.expect("a record")
}

pub(crate) async fn every_point_is_a_moment(scene: &Scene, count: usize) {
    let points = scene.points().await;
    assert_eq!(points.len(), count, "{points:#?}");
    for point in &points {
        scene.restore(point).await;
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}

fn files_on_the_share(scene: &Scene) -> Vec<PathBuf> {
    files_below(scene.stage.path("share"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_msdb_forgot_is_brought_home_by_what_its_file_says() {
    let mut scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 4).await;
    take_what_is_forgotten(&scene).await;
    scene.bank.transfer(&scene.stage, 5).await;
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "forgotten").await;
    let cures = run::verdict::cures(&record).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    scene.assert_the_shares_are_clear("forgotten");
    scene.assert_no_set_twice("forgotten").await;
    // The mark of the agent that died, and that of the next.
    every_point_is_a_moment(&scene, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_file_that_no_host_knows_is_no_backup_and_is_cleared() {
    let mut scene = Scene::set().await;
    take_what_is_forgotten(&scene).await;
    for (path, room) in files_on_the_share(&scene).iter().zip([0, 1 << 20]) {
        let file = fs::File::options().write(true).open(path).expect("a file");
        let half = file.metadata().expect("a file").len() / 2;
        file.set_len(half).expect("it is cut");
        // For compressed backups SQL Server makes room ahead.
        file.set_len(half + room).expect("zeros behind it");
    }
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "half").await;
    let cures = run::verdict::cures(&record).cured;
    assert_eq!(cures.len(), 2, "both chains lack a log: {}", story(&record));
    scene.assert_the_shares_are_clear("half");
    every_point_is_a_moment(&scene, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_which_nobody_can_tell_what_it_is_stays_and_its_chain_is_mended() {
    let mut scene = Scene::set().await;
    take_what_is_forgotten(&scene).await;
    let files = files_on_the_share(&scene);
    for path in &files {
        let mut file = fs::File::options().write(true).open(path).expect("a file");
        file.write_all(b"another format")
            .expect("it is written over");
    }
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "unknown").await;
    assert_eq!(run::verdict::cures(&record).cured.len(), 2);
    assert_eq!(files_on_the_share(&scene), files, "nothing is removed");
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    every_point_is_a_moment(&scene, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_gone_holds_up_no_other_and_its_backup_is_looked_up_when_it_is_back() {
    let mut scene = Scene::set().await;
    die_in_a_log_run(&scene, Fate::NeverBegins).await;
    let host = lose_the_other_host(&scene);
    let record = log_run_of_the_next_start(&mut scene).await;
    let text = story(&record);
    assert_eq!(
        record.ended.map(|it| it.0),
        Some(Verdict::Degraded),
        "{text}"
    );
    assert_is_told(&record, &["cut short", "SQL2"]);
    assert!(
        text.contains("SQL1/Ledger"),
        "the other member is backed up: {text}"
    );
    assert!(!text.contains(&format!("of {OTHER_MEMBER}")), "{text}");
    let open = scene.world.journals.unfinished().expect("journals");
    assert_eq!(open.len(), 1, "the run that died is not ended");
    host.faults.clear();
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "back").await;
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    scene.assert_nothing_is_lost("back").await;
    scene.assert_no_set_twice("back").await;
    let dead = Record::fold(&scene.world.journals.read(open[0]).expect("a journal"));
    let dead = dead.expect("it folds").expect("it began");
    let states = dead.rounds.iter().flat_map(|round| round.steps.values());
    let not_done = states.filter(|it| **it == StepState::Vanished).count();
    assert_eq!(not_done, 2, "{}", story(&dead));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_whole_tells_of_a_host_that_is_gone() {
    let mut scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 6).await;
    die_in_a_log_run(&scene, Fate::NeverReturns).await;
    lose_the_other_host(&scene);
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_eq!(record.ended.map(|it| it.0), Some(Verdict::Degraded));
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    // The mark of the agent that died is a Point although one of its hosts is dead.
    every_point_is_a_moment(&scene, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_try_writes_over_no_backup_of_the_first_that_no_host_remembers() {
    let mut scene = hasty_scene().await;
    scene.bank.transfer(&scene.stage, 4).await;
    let lose = "EXEC sp_sim_fault @kind = 'lose history', @statement = 'BACKUP LOG';";
    for host in ["SQL1", "SQL2"] {
        scene.stage.script(host, "master", lose).await;
    }
    let world = scene.world.clone();
    scene.world = Strike::by(Arc::new(LostAnswers(AtomicUsize::new(0)))).world(&world);
    let record = scene.back_up(BackupKind::Log).await;
    scene.world = world;
    assert_healthy(&scene, &record, "twice").await;
    let cures = run::verdict::cures(&record).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    let backups = record.rounds.iter().flat_map(Round::ended);
    let by_file = backups.filter(|(_, outcome)| match outcome {
        Outcome::BackedUp(facts) => facts.is_from_medium,
        _ => false,
    });
    assert_eq!(by_file.count(), 2, "{}", story(&record));
    scene.assert_the_shares_are_clear("twice");
    every_point_is_a_moment(&scene, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_still_runs_holds_up_its_own_member_alone() {
    let mut scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 3).await;
    die_in_a_log_run(&scene, Fate::NeverBegins).await;
    let stalled = stall_a_full_of_the_other_member(&scene).await;
    let patience = "cures_max = 0\nstatement_silence_max = \"1s\"";
    scene.stage.edit("cures_max = 0", patience);
    (scene.config, scene.world) = scene.stage.world();
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    let text = story(&record);
    assert_eq!(
        record.ended.map(|it| it.0),
        Some(Verdict::Degraded),
        "{text}"
    );
    let left_out = format!("nothing is taken of member `{OTHER_MEMBER}` now");
    assert_is_told(&record, &[&left_out, "is still running"]);
    assert!(text.contains("log of SQL1/Ledger"), "{text}");
    assert!(!text.contains(&format!("of {OTHER_MEMBER}")), "{text}");
    assert_eq!(
        scene.world.journals.unfinished().expect("journals").len(),
        1
    );
    scene.stage.host("SQL2").instance().faults.clear();
    stalled.await.expect("it ends");
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "it has ended").await;
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    let cures = run::verdict::cures(&record).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    // The mark of the run in between is in the next log of the member that it left out.
    every_point_is_a_moment(&scene, 2).await;
}

/// The agent dies when the mark is to be confirmed.
struct DeathBeforeConfirmation(AtomicBool);

impl Fates for DeathBeforeConfirmation {
    fn of(&self, verb: &'static str, _key: &str) -> Fate {
        if verb == "mark_history" {
            self.0.store(true, Ordering::SeqCst);
            return Fate::NeverReturns;
        }
        Fate::Passes
    }
}

/// A log run that begins a new chain for `SQL1/Ledger`, whose agent dies when the base and its first log are on the share.
async fn die_after_a_new_chain(scene: &Scene) {
    let breaks =
        "ALTER DATABASE Ledger SET RECOVERY SIMPLE; ALTER DATABASE Ledger SET RECOVERY FULL;";
    scene.stage.script("SQL1", "master", breaks).await;
    let death = Arc::new(DeathBeforeConfirmation(AtomicBool::new(false)));
    let world = Strike::by(death.clone()).world(&scene.world);
    let wanted = Kind::Log.wanted();
    let interrupt = Interrupt::default();
    let run = run::back_up(&world, &scene.config, &wanted, &interrupt);
    let is_over = async {
        while !death.0.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = run => panic!("the agent lived on: {ended:?}"),
        () = is_over => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_comes_home_though_the_base_before_it_is_damaged() {
    let mut scene = Scene::set().await;
    die_after_a_new_chain(&scene).await;
    let is_log = |path: &PathBuf| path.to_string_lossy().contains("_log_");
    let files = files_on_the_share(&scene);
    let (logs, bases): (Vec<_>, Vec<_>) = files.into_iter().partition(is_log);
    assert_eq!((logs.len(), bases.len()), (1, 1), "{bases:?}");
    let mut bytes = fs::read(&bases[0]).expect("the base");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bases[0], bytes).expect("damage");
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "damaged base").await;
    assert_eq!(scene.world.journals.unfinished().expect("journals"), []);
    let name = logs[0].to_string_lossy();
    let (_, rest) = name.split_once("_log_").expect("its name");
    let stamp = rest.strip_suffix("_1of1.bak").expect("its name");
    let sets = scene.sets().await;
    let mut stored = sets.iter().flat_map(|set| &set.pieces);
    let is_home = stored.any(|piece| piece.stripes.iter().any(|it| it.key.contains(stamp)));
    assert!(is_home, "the log is in the store: {sets:#?}");
    every_point_is_a_moment(&scene, 1).await;
}

/// The journal of a log run, up to the refusal of a backup of `SQL1`.
async fn refused_log(scene: &Scene) -> Vec<Event> {
    let refuse = "EXEC sp_sim_fault @kind = 'fail', @statement = 'BACKUP LOG', @number = 3201, @text = N'Cannot open.';";
    scene.stage.script("SQL1", "master", refuse).await;
    let wanted = Kind::Log.wanted();
    let record = run::back_up(&scene.world, &scene.config, &wanted, &Interrupt::default()).await;
    let run = record.expect("a record").run;
    let mut events = scene.world.journals.read(run).expect("a journal");
    let is_failure = |event: &Event| matches!(event, Event::StepFailed { .. });
    let refused = events.iter().position(is_failure).expect("it is refused");
    events.truncate(refused + 1);
    events
}

fn uncleared(events: &[Event]) -> usize {
    let record = Record::fold(events).expect("it folds").expect("it began");
    let rounds = record.unfinished_rounds();
    rounds.iter().map(|round| round.uncleared.len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_try_whose_answer_was_lost_is_not_cleared_when_a_later_one_is_refused() {
    let scene = Scene::set().await;
    let mut events = refused_log(&scene).await;
    assert_eq!(uncleared(&events), 1, "half of a file at most");
    let Some(Event::StepFailed { place, failure, at }) = events.pop() else {
        panic!("the refusal is the last");
    };
    let mut lost = failure.clone();
    lost.sql_number = None;
    events.extend([
        Event::StepFailed {
            place,
            failure: lost,
            at,
        },
        Event::StepStarted { place, at },
        Event::StepFailed { place, failure, at },
    ]);
    assert_eq!(uncleared(&events), 0, "the first try may have taken it");
}
