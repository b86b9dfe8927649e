//! A service over simulated hosts whose clock leaps: started, waited for, and stopped.
//!
//! Start at [`Story`]. The runs, the hosts, the store and the state folder are real; only the clock of the schedule is
//! made to leap.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stopmark::config::{self, Config, Job, OsSecrets};
use stopmark::error::{Error, Result};
use stopmark::model::Timestamp;
use stopmark::plan::ChainsSeen;
use stopmark::run::Interrupt;
use stopmark::run::record::Record;
use stopmark::service::alarm::Rooms;
use stopmark::service::published::Published;
use stopmark::service::{Ask, Deeds, House, Opened, Parts, Runs, Scene, Seen, Unwatched, serve};
use stopmark::world::{Clock as _, Notice, Notifier};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::leaping::{ClockIds, LeapingClock};
use crate::stage::{Stage, world_of};

pub(crate) const SCHEDULE: &str = "[schedule]\ntime_zone = \"UTC\"\nfull = \"0 1 * * *\"\nlog = \"0 * * * *\"\n\
                        prune = \"30 4 * * *\"\n[policy]";

/// The real runs; one job may be made to wait at its door.
#[derive(Default)]
pub(crate) struct Held {
    /// A full waits until it is let go.
    pub(crate) holds_full: AtomicBool,
    pub(crate) go: Notify,
}

#[async_trait]
impl Deeds for Held {
    async fn carry_out(
        &self,
        scene: &Scene,
        job: Job,
        interrupt: &Interrupt,
    ) -> Result<Option<Record>> {
        let record = Runs.carry_out(scene, job, interrupt).await;
        if job == Job::Full && self.holds_full.load(Ordering::SeqCst) {
            self.go.notified().await;
        }
        record
    }

    async fn has_point(&self, scene: &Scene) -> bool {
        Runs.has_point(scene).await
    }

    async fn rest(&self, scene: &Scene) -> Result<()> {
        Runs.rest(scene).await
    }

    async fn published(&self, scene: &Scene) -> Result<Published> {
        Runs.published(scene).await
    }

    async fn rooms(&self, scene: &Scene) -> Rooms {
        Runs.rooms(scene).await
    }

    async fn chains(&self, scene: &Scene) -> Result<ChainsSeen> {
        Runs.chains(scene).await
    }
}

/// Keeps what people are told.
pub(crate) struct Heard(watch::Sender<Vec<Notice>>);

impl Heard {
    fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Vec::new())))
    }

    /// The notices so far with these words in their title, oldest first.
    pub(crate) fn of(&self, title: &str) -> Vec<Notice> {
        let heard = self.0.borrow();
        let own = heard.iter().filter(|notice| notice.title.contains(title));
        own.cloned().collect()
    }
}

#[async_trait]
impl Notifier for Heard {
    async fn tell(&self, notice: &Notice) -> std::result::Result<(), String> {
        self.0.send_modify(|heard| heard.push(notice.clone()));
        Ok(())
    }
}

/// Opens the stage's configuration on the story's clock.
struct Home {
    path: std::path::PathBuf,
    clock: Arc<LeapingClock>,
    heard: Arc<Heard>,
}

impl House for Home {
    fn open(&self) -> Result<Opened, Vec<Error>> {
        config::load(&self.path, &OsSecrets)?;
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let (config, mut world): (Arc<Config>, _) = world_of(&self.path);
        world.clock = self.clock.clone();
        world.notifier = self.heard.clone();
        world.ids = Arc::new(ClockIds {
            clock: self.clock.clone(),
            next: AtomicU64::new(u64::from(std::process::id())),
        });
        let scene = Scene { config, world };
        Ok(Opened { scene, text })
    }
}

/// Where a service and its world are seen, how it is asked, and what it ends with.
type Started = (
    watch::Receiver<Seen>,
    watch::Receiver<Option<Scene>>,
    mpsc::Sender<Ask>,
    JoinHandle<Result<(), Vec<Error>>>,
);

pub(crate) struct Story {
    pub(crate) stage: Stage,
    pub(crate) clock: Arc<LeapingClock>,
    pub(crate) deeds: Arc<Held>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) seen: watch::Receiver<Seen>,
    pub(crate) scene: watch::Receiver<Option<Scene>>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) task: JoinHandle<Result<(), Vec<Error>>>,
}

impl Story {
    pub(crate) async fn begin() -> Self {
        Self::with(SCHEDULE).await
    }

    pub(crate) async fn with(schedule: &str) -> Self {
        let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
        stage.edit("[policy]", schedule);
        Self::begin_on(stage).await
    }

    pub(crate) async fn begin_on(stage: Stage) -> Self {
        let start = "2026-11-21T00:30:00Z".parse().expect("a timestamp");
        let clock = LeapingClock::new(start);
        let deeds = Arc::new(Held::default());
        let heard = Heard::new();
        let (seen, scene, asks, task) = Self::start(&stage, &clock, &deeds, &heard);
        let mut story = Self {
            stage,
            clock,
            deeds,
            heard,
            seen,
            scene,
            asks,
            task,
        };
        story
            .until("it looks", |seen| seen.looked_at.is_some())
            .await;
        story
    }

    fn start(
        stage: &Stage,
        clock: &Arc<LeapingClock>,
        deeds: &Arc<Held>,
        heard: &Arc<Heard>,
    ) -> Started {
        let seen = watch::Sender::new(Seen::default());
        let scene = watch::Sender::new(None);
        let watched = (seen.subscribe(), scene.subscribe());
        let (asks, asked) = mpsc::channel(4);
        let home = Home {
            path: stage.config_path(),
            clock: clock.clone(),
            heard: heard.clone(),
        };
        let parts = Parts {
            house: Arc::new(home),
            deeds: deeds.clone(),
            manager: Arc::new(Unwatched),
            seen,
            scene,
        };
        let task = tokio::spawn(serve(parts, asked));
        (watched.0, watched.1, asks, task)
    }

    /// Waits until the service is seen so.
    #[expect(
        clippy::disallowed_methods,
        reason = "the patience of a test, not of the agent"
    )]
    pub(crate) async fn until(&mut self, what: &str, is_so: impl FnMut(&Seen) -> bool) -> Seen {
        let seen = tokio::time::timeout(Duration::from_secs(60), self.seen.wait_for(is_so)).await;
        let seen = seen.map(|seen| seen.expect("the service lives").clone());
        seen.unwrap_or_else(|_| panic!("never: {what}: {:?}", *self.seen.borrow()))
    }

    /// Waits until so many notices have these words in their title.
    #[expect(
        clippy::disallowed_methods,
        reason = "the patience of a test, not of the agent"
    )]
    pub(crate) async fn told(&self, title: &str, count: usize) -> Vec<Notice> {
        let mut heard = self.heard.0.subscribe();
        let is_told = heard.wait_for(|_| self.heard.of(title).len() >= count);
        let told = tokio::time::timeout(Duration::from_secs(60), is_told).await;
        assert!(told.is_ok(), "never told {count} times: {title}");
        self.heard.of(title)
    }

    /// Lets the clock leap to this time of the day, and waits until nothing is at work or due any more.
    pub(crate) async fn rest_at(&mut self, time: &str) -> Seen {
        let clock = self.leap(time);
        self.until(&format!("rest at {time}"), move |seen| {
            let is_fresh = seen.looked_at >= Some(clock);
            is_fresh && seen.working.is_empty() && seen.turns.iter().all(|turn| turn.at > clock)
        })
        .await
    }

    pub(crate) fn leap(&self, time: &str) -> Timestamp {
        let at: Timestamp = format!("2026-11-{time}:00Z").parse().expect("a timestamp");
        let millis = u64::try_from(at.millis() - self.clock.now().millis()).expect("later");
        self.clock.advance(Duration::from_millis(millis));
        at
    }

    pub(crate) async fn stop(self) -> (Stage, Arc<LeapingClock>, Arc<Held>) {
        self.asks.send(Ask::Stop).await.expect("it listens");
        self.task.await.expect("no panic").expect("no error");
        (self.stage, self.clock, self.deeds)
    }
}
