//! Backups of others: adopted, known again, refused; and the chains that they heal.
//!
//! Start at [`a_stolen_log_is_adopted_and_the_chain_is_whole_again`]. Foreign backups are taken on the hosts by
//! plain T-SQL, as a colleague or another tool takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stopmark::error::{Exit, Result};
use stopmark::media::Source;
use stopmark::model::{Set, SetKind};
use stopmark::plan::BackupKind;
use stopmark::run::Interrupt;
use stopmark::run::adopt::{self, AdoptWanted};
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::world::{Brought, Foreign, StepProgress, World};

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};
use crate::stage::{Printed, Stage};

/// What a command printed, with its exit code, without what differs from run to run.
fn told(stage: &Stage, printed: &Printed) -> String {
    let (out, err) = (stage.scrub(&printed.stdout), stage.scrub(&printed.stderr));
    let text = format!("{out}{err}exit {}\n", printed.exit as u8);
    lsns_out_of(&text)
}

/// LSNs differ with the machine's timing: `<lsn>` stands for them, and `<when>` for a host's clock.
fn lsns_out_of(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n', ',', ')', ';']);
    let word = |word: &str| {
        let digits = word.trim_end_matches([' ', '\n', ',', ')', ';']);
        let is_lsn = digits.len() >= 16 && digits.bytes().all(|b| b.is_ascii_digit());
        if is_lsn {
            word.replace(digits, "<lsn>")
        } else {
            word.to_owned()
        }
    };
    let text: String = words.map(word).collect();
    clocks_out_of(&text)
}

/// `2026-11-21 09:30:00 +00:00` becomes `<when>`.
fn clocks_out_of(text: &str) -> String {
    const SHAPE: &str = "0000-00-00 00:00:00 +00:00";
    let chars: Vec<char> = text.chars().collect();
    let fits = |at: usize| {
        let part = chars.get(at..at + SHAPE.len());
        part.is_some_and(|part| {
            let mut pairs = part.iter().zip(SHAPE.chars());
            pairs.all(|(c, shape)| if shape == '0' { c.is_ascii_digit() } else { *c == shape })
        })
    };
    let (mut out, mut at) = (String::new(), 0);
    while at < chars.len() {
        if fits(at) {
            out.push_str("<when>");
            at += SHAPE.len();
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

async fn adopted(stage: &Stage, args: &[&str]) -> Printed {
    let args = [&["adopt", "--group", "stage"], args].concat();
    stage.run(&args).await
}

/// A folder that somebody else's backups go to.
fn elsewhere(stage: &Stage) -> PathBuf {
    let folder = stage.path("elsewhere");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Somebody else backs a database up; the file.
async fn taken(stage: &Stage, host: &str, database: &str, what: &str, file: &str) -> PathBuf {
    let path = elsewhere(stage).join(file);
    let (verb, options) = match what {
        "full" => ("DATABASE", "CHECKSUM"),
        "differential" => ("DATABASE", "DIFFERENTIAL, CHECKSUM"),
        "copy-only full" => ("DATABASE", "COPY_ONLY, CHECKSUM"),
        _ => ("LOG", "CHECKSUM"),
    };
    let script = format!(
        "BACKUP {verb} [{database}] TO DISK = N'{}' WITH {options};",
        path.display()
    );
    stage.script(host, "master", &script).await;
    path
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// The sets that adoptions made.
async fn adopted_sets(scene: &Scene) -> Vec<Set> {
    let sets = scene.sets().await.into_iter();
    sets.filter(|set| set.kind == SetKind::Adopted).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_log_is_adopted_and_the_chain_is_whole_again() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    scene.bank.transfer(&scene.stage, 11).await;
    let stolen = taken(&scene.stage, "SQL1", "Ledger", "log", "maintenance.trn").await;
    scene.bank.transfer(&scene.stage, 12).await;
    let planned = scene.stage.run(&["backup", "log", "--dry-run"]).await.stdout;
    assert!(planned.contains("back up the full of `SQL1/Ledger`: chain broken"), "{planned}");
    let first = adopted(&scene.stage, &[&text(&stolen)]).await;
    let again = adopted(&scene.stage, &[&text(&stolen)]).await;
    let (first, again) = (told(&scene.stage, &first), told(&scene.stage, &again));
    let planned = scene.stage.run(&["backup", "log", "--dry-run"]).await.stdout;
    assert!(!planned.contains("chain broken"), "{planned}");
    scene.back_up(BackupKind::Log).await;
    let sets = adopted_sets(&scene).await;
    assert_eq!(sets.len(), 1, "the second adoption did nothing");
    let point = scene.points().await.pop().expect("a Point");
    let ledger = "SQL1/Ledger".parse().expect("a member");
    let path = &point.paths[&ledger];
    assert!(path.logs.contains(&sets[0].pieces[0].id), "the way leads through the adopted log");
    scene.restore(&point).await;
    assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    let shown = scene.stage.run(&["show", &sets[0].stamp()]).await;
    let shown = told(&scene.stage, &shown);
    assert!(shown.contains("maintenance.trn (SQL1/Ledger by "), "{shown}");
    insta::assert_snapshot!(format!("{first}\nagain\n{again}"));
}
