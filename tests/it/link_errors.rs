//! Every number that a mark can meet on its way through a link: from the refusal to a mark that passes.
//!
//! Start at [`refused`], which raises one where SQL Server would: in the call through the link, or in COMMIT. What the run
//! did is golden; the run after it, or its own next round where the number passes by itself, has a Point. Numbers that no
//! mark meets are listed with the reason, and a test compares both with `chain::link_errors`, so that nobody forgets one.
//! How the causes themselves are found is told in `link_kinds`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use stopmark::chain::errors::Class;
use stopmark::chain::link_errors::{TABLE, of};
use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};

use crate::bank::TOTAL;
use crate::chain_stories::{assert_healthy, back_up, hasty_scene, told};
use crate::saga_kinds::{Kind, SPARE, Scene};

/// Numbers that the management host raises in the call of another host's procedure.
const CALLS: &[i32] = &[
    3910, 7201, 7202, 7303, 7391, 7392, 7395, 7396, 7397, 7399, 7409, 7411, 7412, 7413, 7416, 7437,
    8501, 8509, 8518, 8519, 18452, 18456,
];

/// Numbers that it raises where the transaction ends.
const COMMITS: &[i32] = &[1206, 7393, 7394, 8510, 8517, 8520, 8521, 8522];

/// Numbers that no mark meets, with the reason.
const UNTOLD: &[(&[i32], &str)] = &[
    (
        &[3920],
        "a warning that the simulator raises by itself (`fleet_marks`); what leads to it is found in `link_kinds`",
    ),
    (
        &[7312, 7313, 7314],
        "of names of four parts, which no statement of ours has: the lint of a drill's checks warns of them (`drill`)",
    ),
    (
        &[15015, 15028],
        "of making and dropping links, which look first: `link_kinds` drops one that is not there any more",
    ),
];

/// Arms the refusal of one number.
async fn refuse(scene: &Scene, number: i32) {
    // The first call of the batch is that of the local member.
    let place = if CALLS.contains(&number) {
        "@statement = 'EXECUTE', @skip = 1"
    } else {
        "@statement = 'COMMIT TRANSACTION'"
    };
    let fault = format!(
        "EXEC sp_sim_fault @kind = 'fail', {place}, @database = 'Ledger', @number = {number}, @class = 16,\n\
         @text = N'As SQL Server says it.';"
    );
    scene.stage.script("SQL1", "master", &fault).await;
}

/// Whether the run met the number, and said what the table says.
fn meets(record: &Record, number: i32, person: &str) -> bool {
    let mut failures = record.rounds.iter().flat_map(Round::failures);
    failures.any(|(_, failure)| {
        failure.sql_number == Some(number) && failure.hint.as_deref() == Some(person)
    })
}

/// Plays one number; its story.
async fn refused(scene: &Scene, number: i32) -> String {
    let known = of(number).expect("a row of the table");
    scene.bank.transfer(&scene.stage, 3).await;
    refuse(scene, number).await;
    let first = back_up(scene, BackupKind::Log, &[]).await;
    let mut text = format!("{number}: {}\n{}", known.meaning, told(scene, &first));
    assert!(meets(&first, number, known.person), "{text}");
    let clear = "EXEC sp_sim_fault @kind = 'clear';";
    scene.stage.script("SQL1", "master", clear).await;
    let passes = known.class == Class::Retry;
    let is_done = first.ended.map(|(verdict, _)| verdict) == Some(Verdict::Done);
    assert_eq!(is_done, passes, "{text}");
    let last = if passes {
        first
    } else {
        let next = back_up(scene, BackupKind::Log, &[]).await;
        write!(text, "  -- the next run\n{}", told(scene, &next)).expect("a string");
        next
    };
    assert_healthy(scene, &last, &number.to_string()).await;
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_that_a_mark_meets_is_told_and_a_mark_passes_after_it() {
    let scene = hasty_scene().await;
    Kind::Links.act(&scene, &scene.world).await.expect("links");
    back_up(&scene, BackupKind::Log, &[]).await;
    let mut text = String::new();
    for number in CALLS.iter().chain(COMMITS) {
        text.push_str(&refused(&scene, *number).await);
    }
    insta::assert_snapshot!(text);
    let newest = scene.points().await.pop().expect("a Point");
    scene.restore(&newest).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
}

#[test]
fn every_number_of_links_is_told_or_has_a_reason() {
    let told: BTreeSet<i32> = CALLS.iter().chain(COMMITS).copied().collect();
    let untold = UNTOLD
        .iter()
        .flat_map(|(numbers, _)| numbers.iter().copied());
    let untold: BTreeSet<i32> = untold.collect();
    assert_eq!(told.intersection(&untold).count(), 0);
    let all: BTreeSet<i32> = told.union(&untold).copied().collect();
    let known: BTreeSet<i32> = TABLE.iter().map(|known| known.number).collect();
    assert_eq!(all, known);
}
