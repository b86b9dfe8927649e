//! Deliveries side by side: as many at once as the configuration says, and a failure costs its own member only.
//!
//! The share between agent and hosts makes the deliveries wait for each other: who delivers one piece after the
//! other never gets past it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stopmark::clock::SystemClock;
use stopmark::error::{Code, Error, Result};
use stopmark::plan::{BackupKind, ShareFile, StageName, StagedStripe};
use stopmark::run::events::Verdict;
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::{Clock as _, Staging, World};
use tokio::sync::Barrier;

use crate::saga_kinds::Scene;

const MEMBERS: usize = 6;
const AT_ONCE: usize = 3;

/// Longer than any delivery of these stories takes, and only waited for where they fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// A share whose files are looked at by so many at once, or by nobody; once each member had its turn, by anybody.
struct Together {
    inner: Arc<dyn Staging>,
    barrier: Barrier,
    now: AtomicUsize,
    peak: AtomicUsize,
    seen: AtomicUsize,
    /// Files of this member are not seen.
    unseen: &'static str,
}

#[async_trait]
impl Staging for Together {
    async fn sizes(&self, stripes: &[StagedStripe]) -> Result<Vec<u64>> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        if self.seen.fetch_add(1, Ordering::SeqCst) < MEMBERS {
            self.barrier.wait().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        let is_unseen = |stripe: &StagedStripe| stripe.key.contains(self.unseen);
        if !self.unseen.is_empty() && stripes.iter().any(is_unseen) {
            return Err(Error::new(Code::StoreRefused, "not this one"));
        }
        self.inner.sizes(stripes).await
    }

    async fn make_room(&self, stripes: &[StagedStripe]) -> Result<()> {
        self.inner.make_room(stripes).await
    }

    async fn require_folders(&self, stripes: &[StagedStripe]) -> Result<()> {
        self.inner.require_folders(stripes).await
    }

    async fn remove(&self, files: &[PathBuf]) -> Result<()> {
        self.inner.remove(files).await
    }

    async fn list(&self, folder: &Path) -> Result<Vec<ShareFile>> {
        self.inner.list(folder).await
    }
}

/// Six members on two hosts, and a share that lets three deliveries through at a time.
async fn scene(unseen: &'static str) -> (Scene, World, Arc<Together>) {
    let mut scene = Scene::of(&["Ledger", "A", "B", "C"], &["Accounts", "D"]).await;
    let limit = format!("\n[store.transfer]\npieces_in_flight = {AT_ONCE}\n\n[paths]\n");
    scene.stage.edit("\n[paths]\n", &limit);
    (scene.config, scene.world) = scene.stage.world();
    let together = Arc::new(Together {
        inner: scene.world.staging.clone(),
        barrier: Barrier::new(AT_ONCE),
        now: AtomicUsize::new(0),
        peak: AtomicUsize::new(0),
        seen: AtomicUsize::new(0),
        unseen,
    });
    let world = World {
        staging: together.clone(),
        ..scene.world.clone()
    };
    (scene, world, together)
}

async fn log_run(scene: &Scene, world: &World) -> run::record::Record {
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    let interrupt = Interrupt::default();
    let patience = SystemClock::new();
    tokio::select! {
        record = run::back_up(world, &scene.config, &wanted, &interrupt) => record.expect("a record"),
        () = patience.sleep_until(PATIENCE) => panic!("a delivery waits for one that waits for its turn"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_of_one_host_are_delivered_side_by_side_and_no_more_than_asked_for() {
    let (scene, world, together) = scene("").await;
    let record = log_run(&scene, &world).await;
    assert_eq!(record.ended.map(|it| it.0), Some(Verdict::Done));
    assert_eq!(together.peak.load(Ordering::SeqCst), AT_ONCE);
    let stages = &record.rounds[0].plan.stages;
    let deliver = stages.iter().find(|it| it.name == StageName::Deliver);
    let fan_out = deliver.expect("a stage").fan_out.map(usize::from);
    assert_eq!(fan_out, Some(AT_ONCE), "the plan says it");
    scene.assert_the_shares_are_clear("side by side");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_fails_beside_others_costs_its_own_member_only() {
    let (scene, world, _) = scene("/accounts-").await;
    let record = log_run(&scene, &world).await;
    assert_eq!(record.ended, None, "the next start goes on");
    let failures = record.rounds[0].failures();
    assert_eq!(failures.count(), 1, "the others were delivered");
    scene.back_up(BackupKind::Log).await;
    scene.assert_nothing_is_lost("after the salvage").await;
}
