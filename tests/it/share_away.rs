//! A share that is away while a run is gone on with that had taken backups of which no host knows.
//!
//! The files are all that is left of them: they are looked for by each start for some minutes, and given up only then.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use stopmark::plan::BackupKind;
use stopmark::run;
use stopmark::world::World;

use crate::chain_stories::{assert_healthy, back_up};
use crate::forgotten::{
    every_point_is_a_moment, log_run_of_the_next_start, take_what_is_forgotten,
};
use crate::saga_kinds::Scene;
use crate::saga_story::story;
use crate::stage;
use crate::store_away::Ahead;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_is_away_for_a_moment_makes_nobody_give_up_what_lies_on_it() {
    let mut scene = Scene::set().await;
    scene.bank.transfer(&scene.stage, 4).await;
    take_what_is_forgotten(&scene).await;
    let (share, aside) = (scene.stage.path("share"), scene.stage.path("aside"));
    fs::rename(&share, &aside).expect("it goes");
    fs::write(&share, "no folder").expect("nothing can be made there");
    // Its two backups, of which no host knows, are looked for by each start.
    for is_bare in [false, true] {
        if is_bare {
            // The folder that it would be mounted on.
            fs::remove_file(&share).expect("it is there");
            fs::create_dir(&share).expect("a folder");
        }
        let record = log_run_of_the_next_start(&mut scene).await;
        let warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
        let is_told = |it: &str| it.contains("is not known yet") && it.contains(": SM0503");
        let told = warnings.filter(|it| is_told(&it.message));
        assert_eq!(told.count(), 2, "{}", story(&record));
    }
    fs::remove_dir_all(&share).expect("it is there");
    fs::rename(&aside, &share).expect("it is back");
    scene.bank.transfer(&scene.stage, 5).await;
    let record = log_run_of_the_next_start(&mut scene).await;
    assert_healthy(&scene, &record, "away for a moment").await;
    let cures = run::verdict::cures(&record).cured;
    assert!(cures.is_empty(), "the chains run on: {cures:?}");
    scene.assert_the_shares_are_clear("away for a moment");
    every_point_is_a_moment(&scene, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_stays_away_holds_a_member_up_for_minutes_and_no_longer() {
    let mut scene = Scene::set().await;
    take_what_is_forgotten(&scene).await;
    let open = scene.world.journals.unfinished().expect("journals");
    let (share, aside) = (scene.stage.path("share"), scene.stage.path("aside"));
    fs::rename(&share, &aside).expect("it goes");
    fs::write(&share, "no folder").expect("nothing can be made there");
    log_run_of_the_next_start(&mut scene).await;
    assert_eq!(scene.world.journals.unfinished().expect("journals"), open);
    let world = stage::world_of(&scene.stage.config_path()).1;
    let minutes = Duration::from_secs(6 * 60);
    scene.world = World {
        clock: Arc::new(Ahead(world.clock.clone(), minutes)),
        ..world
    };
    back_up(&scene, BackupKind::Log, &[]).await;
    let left = scene.world.journals.unfinished().expect("journals");
    assert!(!left.contains(&open[0]), "{left:?}");
    fs::remove_file(&share).expect("it is there");
    fs::rename(&aside, &share).expect("a new share");
    let record = back_up(&scene, BackupKind::Log, &[]).await;
    assert_healthy(&scene, &record, "given up").await;
    let cures = run::verdict::cures(&record).cured;
    assert_eq!(cures.len(), 2, "both chains lack a log: {}", story(&record));
}
