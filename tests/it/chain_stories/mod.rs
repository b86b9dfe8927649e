//! Every row of the error table that the simulator can raise: from the fault to a healthy Point.
//!
//! Start at [`rows::ROWS`], the table, and [`tell`]. Each row says how SQL Server comes to raise its number, which
//! run meets it, and what a person mends, if anything. What the runs did is golden, told as a story of their
//! journals; the newest Point is then the mark of the last run. Rows that no backup can meet are listed with the
//! reason, and a test compares both with `chain::errors`, so that nobody forgets one.

mod astray;
mod beside;
mod breaks;
mod rows;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use stopmark::chain::errors::{Class, TABLE, classify};
use stopmark::model::Timestamp;
use stopmark::plan::BackupKind;
use stopmark::run::events::{Failure, Verdict};
use stopmark::run::record::{Record, Round};
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::{Clock, World};

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};
use crate::saga_story::story;
use beside::{BESIDE_THE_TABLE, FACTS, RESTORES, UNCOVERED};
use rows::{Met, ROWS, Row};

/// A clock on which nobody waits: what is slept is over at once, and counts as past.
struct Hasty {
    clock: Arc<dyn Clock>,
    skipped: Mutex<Duration>,
}

impl Hasty {
    fn skipped(&self) -> Duration {
        *self.skipped.lock().expect("nobody panics in it")
    }
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic() + self.skipped()
    }

    async fn sleep_until(&self, deadline: Duration) {
        let left = deadline.saturating_sub(self.monotonic());
        *self.skipped.lock().expect("nobody panics in it") += left;
        tokio::task::yield_now().await;
    }
}

/// A scene whose agent tries again, and waits for nothing.
pub(crate) async fn hasty_scene() -> Scene {
    let mut scene = Scene::set().await;
    scene.stage.edit("retry_times = 0", "retry_times = 2");
    let (config, world) = scene.stage.world();
    scene.config = config;
    scene.world = hasty(&world);
    scene
}

/// The same world on a clock on which nobody waits.
pub(crate) fn hasty(world: &World) -> World {
    World {
        clock: Arc::new(Hasty {
            clock: world.clock.clone(),
            skipped: Mutex::default(),
        }),
        ..world.clone()
    }
}

/// One run, whatever becomes of it.
pub(crate) async fn back_up(scene: &Scene, kind: BackupKind, new_chain: &[&str]) -> Record {
    let named = new_chain.iter().map(|name| name.parse());
    let wanted = BackupWanted {
        kind,
        new_chain: named.collect::<Result<_, _>>().expect("members"),
    };
    let record = run::back_up(&scene.world, &scene.config, &wanted, &Interrupt::default()).await;
    record.expect("a record")
}

/// Requires that the newest Point is the mark that this run placed.
pub(crate) async fn assert_healthy(scene: &Scene, record: &Record, title: &str) {
    let told = story(record);
    let verdict = record.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Done), "{title}: {told}");
    let newest = scene.points().await.pop().expect("a Point");
    let is_its_own = newest.made_at >= record.began_at;
    assert!(is_its_own, "{title}: no fresh Point: {told}");
}

/// A story without the LSNs and clocks that differ from run to run, and without the steps that went well and that
/// every run has.
pub(crate) fn told(scene: &Scene, record: &Record) -> String {
    let text = crate::adopt::lsns_out_of(&scene.stage.scrub(&story(record)));
    let is_plain = |line: &&str| {
        let is_done = line.ends_with(": done") || line.ends_with(": published");
        let is_said = line.contains("chain") || line.contains("place ") || line.contains("publish");
        is_done && !is_said
    };
    let lines = text.lines().filter(|line| !is_plain(line));
    lines.fold(String::new(), |text, line| text + "  " + line + "\n")
}

/// Plays one row; its story.
async fn tell(scene: &Scene, row: &Row) -> String {
    let title = format!("{}: {}", row.number, row.title);
    scene.bank.transfer(&scene.stage, 3).await;
    scene.stage.script("SQL1", "master", &row.script()).await;
    let first = back_up(scene, row.kind, row.new_chain).await;
    let mut text = format!("{title}\n{}", told(scene, &first));
    assert_met(row, &first, &title);
    if let Some(mend) = row.mend {
        scene.stage.script("SQL1", "master", mend).await;
        text.push_str("  -- a person mends it\n");
    }
    scene
        .stage
        .script("SQL1", "master", "EXEC sp_sim_fault @kind = 'clear';")
        .await;
    let is_well = first.ended.map(|(verdict, _)| verdict) == Some(Verdict::Done);
    let last = if is_well && row.kind == BackupKind::Log {
        first
    } else {
        let next = back_up(scene, BackupKind::Log, &[]).await;
        write!(text, "  -- the next run\n{}", told(scene, &next)).expect("a string");
        next
    };
    assert_healthy(scene, &last, &title).await;
    text
}

/// Numbers about which the agent says more than the table does: `sql::backup_errors` and `sql::restore`.
const WITH_WORDS_OF_THEIR_OWN: &[i32] = &[
    1475, 3023, 3035, 3101, 3102, 3104, 3154, 3156, 3159, 3201, 3202, 3257, 4208, 4214, 4305, 4312,
    4327, 4330, 4341, 18204,
];

/// Who meets a number is told what a person does about it, as long as there is anything to be done.
fn assert_told(failure: &Failure, title: &str) {
    let number = failure.sql_number.expect("SQL Server refused");
    let known = classify(number, None).expect("a row of the table");
    let hint = failure.hint.as_deref();
    if WITH_WORDS_OF_THEIR_OWN.contains(&number) {
        assert!(hint.is_some_and(|it| !it.contains("error log")), "{title}");
    } else if known.person != "nothing" {
        assert_eq!(hint, Some(known.person), "{title}");
    }
}

/// The number stands in the journal as SQL Server gave it, or the row says as what it was seen; then it says what to do.
fn assert_met(row: &Row, record: &Record, title: &str) {
    let failures = || {
        let rounds = record.rounds.iter();
        rounds.flat_map(|round| {
            let ended = round.failures().map(|(_, failure)| failure);
            ended.chain(round.retried.values().flatten())
        })
    };
    let warnings = || record.rounds.iter().flat_map(|it| &it.plan.warnings);
    let is_met = match row.met {
        Met::AsItself => failures().any(|failure| failure.sql_number == Some(row.number)),
        Met::As(code) => {
            failures().any(|failure| failure.code == code)
                || warnings().any(|warning| warning.code == code)
        }
        Met::Unseen => true,
        Met::BeforeItHurts => record
            .rounds
            .iter()
            .flat_map(Round::ended)
            .any(|(step, _)| crate::saga_story::act_of(step).contains("chain broken")),
    };
    assert!(is_met, "{title} was not met: {}", story(record));
    for failure in failures().filter(|it| it.sql_number == Some(row.number)) {
        assert_told(failure, title);
    }
}

async fn tell_all(class: Class) -> String {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let of_class = |row: &&Row| {
        let known = classify(row.number, row.os_error()).expect("a row of the table");
        known.class == class
    };
    let mut text = String::new();
    for row in ROWS.iter().filter(of_class) {
        text.push_str(&tell(&scene, row).await);
    }
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    scene.assert_the_shares_are_clear("after all stories");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_chain_begins_a_new_one() {
    insta::assert_snapshot!(tell_all(Class::NewChain).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_the_database_is_waited_for() {
    insta::assert_snapshot!(tell_all(Class::Serialise).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again() {
    insta::assert_snapshot!(tell_all(Class::Retry).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_follows_an_error_never_decides() {
    insta::assert_snapshot!(tell_all(Class::Trailer).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_must_change_stops_its_member_only() {
    insta::assert_snapshot!(tell_all(Class::Configuration).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_medium_refuses_is_taken_by_the_next_run() {
    insta::assert_snapshot!(tell_all(Class::Media).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_is_told_and_never_passes_for_whole() {
    insta::assert_snapshot!(tell_all(Class::Damage).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_the_wrong_order_is_told() {
    insta::assert_snapshot!(tell_all(Class::Order).await);
}

/// Plays one refusal of a restore: it is told, and the restore after it does what was asked.
async fn tell_restore(scene: &Scene, (number, statement, text): (i32, &str, &str)) -> String {
    let newest = scene.points().await.pop().expect("a Point");
    let fault = format!(
        "EXEC sp_sim_fault @kind = 'fail', @statement = '{statement}', @database = 'Ledger', \
         @number = {number}, @text = N'{}';",
        text.replace('\'', "''")
    );
    scene.stage.script(SPARE, "master", &fault).await;
    let plan = scene.restore_plan(&newest).await;
    let record = scene
        .carry_out(&scene.world, &plan)
        .await
        .expect("a record");
    let lines = told(scene, &record);
    let met = record.rounds.iter().flat_map(|round| {
        let failed = round.failures().map(|(_, failure)| failure);
        failed.chain(round.retried.values().flatten())
    });
    let met = met.filter(|failure| failure.sql_number == Some(number));
    let met: Vec<&Failure> = met.collect();
    assert_eq!(met.len(), 1, "{number}: {lines}");
    assert_told(met[0], &number.to_string());
    if record.ended.map(|(verdict, _)| verdict) != Some(Verdict::Done) {
        scene.restore(&newest).await;
    }
    assert_eq!(
        scene.bank.sum_on(&scene.stage, SPARE).await,
        TOTAL,
        "{number}"
    );
    format!("{number}: {statement} is refused\n{lines}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_meets_is_told_and_the_next_one_does_it() {
    let scene = hasty_scene().await;
    back_up(&scene, BackupKind::Log, &[]).await;
    let mut text = String::new();
    for row in RESTORES {
        text.push_str(&tell_restore(&scene, *row).await);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_row_of_the_table_is_told_or_has_a_reason() {
    let restored = RESTORES.iter().map(|(number, ..)| *number);
    let told: BTreeSet<i32> = ROWS.iter().map(|row| row.number).chain(restored).collect();
    let left_out: BTreeSet<i32> = UNCOVERED
        .iter()
        .flat_map(|(numbers, _)| numbers.iter().copied())
        .collect();
    let both: Vec<_> = told.intersection(&left_out).collect();
    assert!(both.is_empty(), "told and left out: {both:?}");
    let known: BTreeSet<i32> = TABLE.iter().map(|known| known.number).collect();
    let all: BTreeSet<i32> = told.union(&left_out).copied().collect();
    let forgotten: Vec<_> = known.difference(&all).collect();
    let unknown: Vec<_> = all.difference(&known).collect();
    assert!(
        forgotten.is_empty(),
        "neither told nor left out: {forgotten:?}"
    );
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    assert!(UNCOVERED.iter().all(|(_, reason)| reason.len() > 20));
}

/// The numbers of the errors that these files of the simulator make.
fn numbers_of_the_simulator(files: &[&str]) -> BTreeSet<i32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sqlsim/src/messages");
    let mut numbers = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(folder.join(file)).expect("a file of the simulator");
        let made = text.split("SqlError::new(").skip(1);
        let digits = made.filter_map(|text| text.split(',').next());
        numbers.extend(digits.filter_map(|number| number.trim().parse::<i32>().ok()));
    }
    assert!(numbers.len() > 40, "{numbers:?}");
    numbers
}

#[test]
fn every_error_of_backups_and_restores_that_the_simulator_has_is_a_row_or_has_a_reason() {
    let known: BTreeSet<i32> = TABLE.iter().map(|known| known.number).collect();
    let raised = numbers_of_the_simulator(&["backup.rs", "restore.rs", "mod.rs"]);
    let reasons = BESIDE_THE_TABLE.iter();
    let beside: BTreeSet<i32> = reasons
        .clone()
        .flat_map(|(it, _)| it.iter().copied())
        .collect();
    let forgotten: Vec<_> = raised.difference(&known).filter(|it| **it > 0).collect();
    let forgotten: Vec<_> = forgotten
        .into_iter()
        .filter(|it| !beside.contains(it))
        .collect();
    assert!(
        forgotten.is_empty(),
        "neither a row nor a reason: {forgotten:?}"
    );
    let idle: Vec<_> = beside
        .iter()
        .filter(|it| known.contains(it) || !raised.contains(it))
        .collect();
    assert!(idle.is_empty(), "a reason for nothing: {idle:?}");
    assert!(reasons.into_iter().all(|(_, reason)| reason.len() > 20));
}

/// The classification table that the rows were taken from, by number: what is in it and not in the code was forgotten.
#[test]
fn every_number_of_the_facts_is_a_row() {
    let known: BTreeSet<i32> = TABLE.iter().map(|known| known.number).collect();
    let missing: Vec<_> = FACTS
        .iter()
        .filter(|number| !known.contains(number))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
}
