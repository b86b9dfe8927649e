//! Every step of a plan done twice, and every undo: the second time comes to the same and changes nothing.
//!
//! Start at [`do_and_undo_twice`]. What the world shows of a step is looked at after the first time and after
//! the second: rows of msdb, files on the share, marks in the members.

use stopmark::model::{HostName, MarkName, PieceId, RunId};
use stopmark::plan::{PlaceMark, Plan, Step, Undo};
use stopmark::run::book::Book;
use stopmark::run::deeds;
use stopmark::run::events::{Event, StepPlace, Verdict};

use crate::bank::TOTAL;
use crate::saga_kinds::{Kind, SPARE, Scene};
use crate::saga_story::act_of;

/// What the world shows of one step.
#[derive(Debug, Default, PartialEq)]
struct Traces {
    /// How many rows tell of it, in one place after the other; each should have one.
    rows: Vec<i64>,
    /// The files that it wrote.
    files: Vec<Vec<u8>>,
}

/// Carries a plan out with every step done twice and every undo done twice.
pub(crate) async fn do_and_undo_twice(kind: Kind, scene: &Scene) {
    kind.arrange(scene).await;
    let plan = kind.plan(scene).await;
    let lease = scene.world.store.take_lease(&scene.config.group).await;
    lease.expect("our own lease");
    let book = book_of(scene, &plan);
    for (place, host, step) in steps_of(&plan) {
        do_twice(scene, &book, place, host, step).await;
    }
    let at = scene.world.clock.now();
    let verdict = Verdict::Done;
    book.write(&Event::RunEnded { verdict, at })
        .expect("written");
    if kind == Kind::Restore {
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}

async fn do_twice(scene: &Scene, book: &Book, place: StepPlace, host: &HostName, step: &Step) {
    let (what, at) = (act_of(step), scene.world.clock.now());
    let deed = || deeds::carry_out(&scene.world, book, host, step);
    let restored_before = restores(scene, host, step).await;
    book.write(&Event::StepStarted { place, at })
        .expect("written");
    let once = deed().await;
    let once = once.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let outcome = Box::new(once.clone());
    book.write(&Event::StepEnded { place, outcome, at })
        .expect("written");
    // The journal tells each step once, however often it was done.
    let again = book.write(&Event::StepStarted { place, at });
    assert!(again.is_err(), "{what} was begun twice");
    if let Undo::By(undo) = step.undo() {
        for _ in 0..2 {
            let undone = deeds::carry_out(&scene.world, book, host, &undo).await;
            undone.unwrap_or_else(|error| panic!("undo of {what}: {error:?}"));
        }
    }
    let first = traces(scene, host, step).await;
    let twice = deed().await;
    let twice = twice.unwrap_or_else(|error| panic!("{what} again: {error:?}"));
    assert_eq!(twice, once, "{what} came to something else the second time");
    let second = traces(scene, host, step).await;
    assert!(first == second, "{what} left other traces the second time");
    let restored = restored_before.map(|count| count + 1);
    assert_eq!(restores(scene, host, step).await, restored, "{what}");
}

/// The rows and files of steps that cannot be taken back; there must be one row in each place.
async fn traces(scene: &Scene, host: &HostName, step: &Step) -> Traces {
    let traces = match step {
        Step::BackUp(step) => {
            let sql = rows_of("dbo.backupset AS s", step.piece);
            let read = |path| std::fs::read(path).expect("a file on the share");
            let stripes = step.stripes.iter();
            Traces {
                rows: vec![scene.stage.number(host.as_str(), "msdb", &sql).await],
                files: stripes.map(|stripe| read(&stripe.agent_path)).collect(),
            }
        }
        Step::PlaceMark(step) => Traces {
            rows: marks(scene, step).await,
            files: Vec::new(),
        },
        _ => Traces::default(),
    };
    let is_once = traces.rows.iter().all(|count| *count == 1);
    assert!(is_once, "{}: {:?}", act_of(step), traces.rows);
    traces
}

/// How often the host tells of a restore of this step's piece into its target; none for other steps.
async fn restores(scene: &Scene, host: &HostName, step: &Step) -> Option<i64> {
    let (piece, target) = match step {
        Step::RestoreDatabase(step) => (step.source.piece, &step.target),
        Step::RestoreLog(step) => (step.source.piece, &step.target),
        _ => return None,
    };
    let from =
        "dbo.restorehistory AS h JOIN dbo.backupset AS s ON s.backup_set_id = h.backup_set_id";
    let sql = format!(
        "{} AND h.destination_database_name = N'{target}'",
        rows_of(from, piece)
    );
    Some(scene.stage.number(host.as_str(), "msdb", &sql).await)
}

/// Rows of a mark: in each member's history, and in the member itself.
async fn marks(scene: &Scene, step: &PlaceMark) -> Vec<i64> {
    let mut rows = Vec::new();
    let own = step.local.iter().map(|db| (&step.management_host, db));
    let legs = step.remote.iter();
    let others = legs.flat_map(|leg| leg.databases.iter().map(|db| (&leg.host, db)));
    for (host, database) in own.chain(others) {
        let history = format!(
            "SELECT COUNT_BIG(*) FROM dbo.logmarkhistory \
             WHERE mark_name = N'{}' AND database_name = N'{database}'",
            step.mark
        );
        let stage = &scene.stage;
        rows.push(stage.number(host.as_str(), "msdb", &history).await);
        let inside = inside_sql(&step.mark);
        rows.push(
            stage
                .number(host.as_str(), database.as_str(), &inside)
                .await,
        );
    }
    rows
}

fn inside_sql(mark: &MarkName) -> String {
    format!("SELECT COUNT_BIG(*) FROM stopmark.MarkLog WHERE mark_name = N'{mark}'")
}

fn rows_of(from: &str, piece: PieceId) -> String {
    format!("SELECT COUNT_BIG(*) FROM {from} WHERE s.name = N'Stopmark {piece}'")
}

/// The book of a run that carries this plan out.
fn book_of(scene: &Scene, plan: &Plan) -> Book {
    let run = RunId(scene.world.ids.next());
    let at = scene.world.clock.now();
    let began = Event::RunBegan {
        run,
        group: scene.config.group.clone(),
        kind: plan.kind,
        agent_version: "0".to_owned(),
        at,
    };
    let planned = Event::RoundPlanned {
        plan: Box::new(plan.clone()),
        at,
    };
    let book = Book::begin(scene.world.journals.as_ref(), run, &began).expect("a book");
    book.write(&planned).expect("written");
    book
}

fn steps_of(plan: &Plan) -> Vec<(StepPlace, &HostName, &Step)> {
    let mut found = Vec::new();
    for (stage, it) in (0..).zip(&plan.stages) {
        for (lane, it) in (0..).zip(&it.lanes) {
            for (step, act) in (0..).zip(&it.steps) {
                let place = StepPlace {
                    round: 1,
                    stage,
                    lane,
                    step,
                };
                found.push((place, &it.host, act));
            }
        }
    }
    found
}
