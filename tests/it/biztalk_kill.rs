//! `kill -9` of the agent at every line of the journal of a BizTalk run, with a destination of log shipping that pulls
//! after each kill: `adm_BackupHistory` never holds a set that the destination would take and that is not whole.
//!
//! Start at [`killed_at_every_line`].

use std::collections::BTreeSet;
use std::path::Path;

use stopmark::plan::BackupKind;
use stopmark::run::events::Verdict;
use stopmark::run::{BackupWanted, Interrupt, back_up};

use crate::biztalk_stage::{MEMBERS, biztalk, history, pay};
use crate::kill::{LINES_MAX, be_the_agent, run_the_agent};
use crate::log_shipping::{Destination, Shipped};
use crate::stage::Stage;

/// Lines of journal from one kill to the next where the run differs little from one that is killed at every line.
const SOME_LINES: usize = 3;

/// Agents that die before one comes to its end.
const KILLED_IN_A_ROW: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_marked_run_leaves_a_history_that_log_shipping_goes_on_from() {
    if !be_the_agent(BackupKind::Log).await {
        let test =
            "biztalk_kill::a_killed_marked_run_leaves_a_history_that_log_shipping_goes_on_from";
        killed_at_every_line(test, "").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_marked_run_by_microsofts_procedures_leaves_a_history_to_go_on_from() {
    if !be_the_agent(BackupKind::Log).await {
        let test = "biztalk_kill::a_killed_marked_run_by_microsofts_procedures_leaves_a_history_to_go_on_from";
        killed_at(test, "engine = \"microsoft\"", SOME_LINES).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_full_run_leaves_a_history_that_log_shipping_begins_with() {
    if !be_the_agent(BackupKind::Full).await {
        let test = "biztalk_kill::a_killed_full_run_leaves_a_history_that_log_shipping_begins_with";
        killed_at(test, "", SOME_LINES).await;
    }
}

/// Kills at the first line, then at the second, until an agent comes to its end.
async fn killed_at_every_line(test: &'static str, rules: &str) {
    killed_at(test, rules, 1).await;
}

/// Kills at every so manieth line. Several agents die in a row before one comes to its end: the later ones still bring
/// home what the first one left, so that this is cut off too.
async fn killed_at(test: &'static str, rules: &str, stride: usize) {
    let stage = biztalk(rules).await;
    undisturbed(&stage, BackupKind::Full).await;
    let mut destination = Destination::of(&stage);
    let mut paid = 0;
    for (at, lines) in (1..LINES_MAX).step_by(stride).enumerate() {
        pay(&stage, 1).await;
        paid += 1;
        let config = stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        let killed = killed.expect("it was waited for");
        look(
            &stage,
            &mut destination,
            &format!("killed after line {lines}"),
        )
        .await;
        if (at + 1) % KILLED_IN_A_ROW != 0 && !killed.success() {
            continue;
        }
        undisturbed(&stage, BackupKind::Log).await;
        look(
            &stage,
            &mut destination,
            &format!("after the start behind line {lines}"),
        )
        .await;
        let newest = history(&stage).await.pop().expect("a set");
        assert!(
            newest.ends_with("lg 4/4 marked 4"),
            "line {lines}: {newest}"
        );
        destination.restore().await;
        if killed.success() {
            assert!(
                lines > 20,
                "a run of four members has more than {lines} lines"
            );
            pay(&stage, 1000).await;
            destination.restore_to_mark().await;
            assert_eq!(destination.sums().await, [paid, paid]);
            return;
        }
    }
    panic!("the agent never came to its end");
}

/// An agent that nobody kills; it finishes what the one before it left.
async fn undisturbed(stage: &Stage, kind: BackupKind) {
    let (config, world) = stage.world();
    let wanted = BackupWanted {
        kind,
        new_chain: Vec::new(),
    };
    let record = back_up(&world, &config, &wanted, &Interrupt::default()).await;
    let record = record.expect("nothing is in its way");
    let verdict = record.ended.as_ref().map(|(verdict, _)| *verdict);
    assert_eq!(verdict, Some(Verdict::Done), "{record:#?}");
}

/// What a destination pulls now it may take: a set that is called complete has every member once, its files are there,
/// and its logs have one mark or, where they are the first ones of a chain, none.
async fn look(stage: &Stage, destination: &mut Destination<'_>, when: &str) {
    let known: BTreeSet<i64> = destination.history.iter().map(|row| row.set).collect();
    destination.pull().await;
    let sets: BTreeSet<i64> = destination.history.iter().map(|row| row.set).collect();
    for set in sets.difference(&known) {
        let rows = destination.history.iter().filter(|row| row.set == *set);
        let rows: Vec<&Shipped> = rows.collect();
        let complete = rows.iter().filter(|row| row.is_complete).count();
        assert!(complete == 0 || complete == rows.len(), "{when}: {rows:?}");
        if complete == 0 {
            continue;
        }
        let databases: BTreeSet<&str> = rows.iter().map(|row| row.database.as_str()).collect();
        assert_eq!(databases.len(), MEMBERS.len(), "{when}: {rows:?}");
        assert_eq!(rows.len(), MEMBERS.len(), "{when}: {rows:?}");
        let marks: BTreeSet<_> = rows.iter().map(|row| &row.mark).collect();
        assert_eq!(marks.len(), 1, "{when}: {rows:?}");
        for row in rows {
            assert!(Path::new(&row.path).is_file(), "{when}: {}", row.path);
            assert!(!row.is_full || row.mark.is_none(), "{when}: {row:?}");
        }
    }
    let told = history(stage).await;
    assert!(!told.is_empty(), "{when}");
}
