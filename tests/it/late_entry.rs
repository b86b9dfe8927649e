//! An entry of the group's log that lands minutes late: its try had failed, and meanwhile more was delivered.
//!
//! Start at [`Late`]. A request that is on its way when its connection breaks may still be carried out.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use stopmark::plan::BackupKind;
use stopmark::run::events::Outcome;
use stopmark::run::{self, BackupWanted, Interrupt};

use crate::bank::TOTAL;
use crate::chain_stories::assert_healthy;
use crate::fate::{Fate, Fates};
use crate::saga_kinds::{SPARE, Scene, files_below};
use crate::saga_story::story;
use crate::strike::Strike;

/// Where the story stands.
#[derive(Clone, Debug, PartialEq)]
enum Turn {
    /// The first log of `SQL1` does not reach the store.
    Begins,
    /// Nor does the entry, as far as its agent hears.
    Delivering,
    /// The entry stands, and nobody may see it.
    Sent,
    /// It lies here until the missing log is delivered.
    OnItsWay(PathBuf),
    /// Everybody sees it.
    Landed,
}

/// The entry of a set that lacks one piece lands while that piece is delivered.
struct Late {
    /// The folder of the group's log.
    log: PathBuf,
    turn: Mutex<Turn>,
}

impl Late {
    fn newest_entry(&self) -> PathBuf {
        let entries = files_below(self.log.clone());
        entries.into_iter().max().expect("a log")
    }
}

impl Fates for Late {
    fn of(&self, verb: &'static str, key: &str) -> Fate {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late_piece = verb == "upload" && key.contains("/sql1-");
        let (next, fate) = match turn.clone() {
            Turn::Begins if is_late_piece => (Turn::Delivering, Fate::FailsBefore),
            Turn::Delivering if verb == "append" => (Turn::Sent, Fate::FailsAfter),
            Turn::Sent => {
                let aside = self.log.with_extension("on-its-way");
                let entry = self.newest_entry();
                fs::rename(&entry, &aside).expect("it stands");
                (Turn::OnItsWay(entry), Fate::Passes)
            }
            Turn::OnItsWay(entry) if is_late_piece => {
                let aside = self.log.with_extension("on-its-way");
                fs::rename(aside, entry).expect("it lands");
                (Turn::Landed, Fate::Passes)
            }
            same => (same, Fate::Passes),
        };
        *turn = next;
        fate
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_entry_that_landed_late_lacks_comes_in_a_set_of_its_own() {
    let scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 3).await;
    let late = Arc::new(Late {
        log: scene.stage.path("store/v1/stage/log"),
        turn: Mutex::new(Turn::Begins),
    });
    let world = Strike::by(late.clone()).world(&scene.world);
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    let record = run::back_up(&world, &scene.config, &wanted, &Interrupt::default()).await;
    let record = record.expect("a record");
    assert_eq!(*late.turn.lock().expect("unhurt"), Turn::Landed);
    let lacks = record.outcomes().filter_map(|outcome| match outcome {
        Outcome::Published { lacks, .. } => Some(lacks.len()),
        _ => None,
    });
    assert_eq!(lacks.collect::<Vec<_>>(), [1], "{}", story(&record));
    assert_eq!(record.ended, None, "a log is in no set: {}", story(&record));
    scene.bank.transfer(&scene.stage, 4).await;
    let next = run::back_up(&scene.world, &scene.config, &wanted, &Interrupt::default()).await;
    let next = next.expect("a record");
    assert_healthy(&scene, &next, "late").await;
    let cures = run::verdict::cures(&next).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    scene.assert_no_set_twice("late").await;
    scene.assert_the_shares_are_clear("late");
    let points = scene.points().await;
    assert_eq!(points.len(), 2, "{points:#?}");
    for point in &points {
        scene.restore(point).await;
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}
