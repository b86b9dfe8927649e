//! The loop of the service: looks what is due, begins it, waits for what happens, and looks again.
//!
//! Start at [`serve`]. A run is a task of its own, and a panic in it ends that run alone. Nothing is remembered
//! here that is not in journals and ledger, but what makes waiting shorter.

mod chains;
mod people;
mod reload;
mod role;
mod rooms;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::chains::Watching;
use super::alarm::Rooms;
use super::due::{Turn, startable, turns};
use super::ends::{bug, end_of, is_served, log, served_at, status_line, undelivered};
use super::ledger::{Ledger, is_to_come};
use super::live::Live;
use super::lock::{self, Held};
use super::past::{Known, Untold, pasts};
use super::published::Published;
use super::seen::{Last, Role, Seen};
use super::watch::Watch;
use super::work::{Deeds, House, Manager, Opened, Scene};
use crate::config::Job;
use crate::error::{Error, Result, render};
use crate::model::{Severity, Timestamp};
use crate::notify::telling::Telling;
use crate::plan::ChainsSeen;
use crate::report::run::RunReport;
use crate::run::Interrupt;
use crate::run::record::Record;

/// The longest time between two looks: a wall clock that was set, and a lock that another command gave back, are
/// noticed within it. A service manager may count on a sign of life three times as often as this.
pub const TICK: Duration = Duration::from_secs(20);

/// What commands did, and what a scrub found, is noticed within this.
const RECOUNT: Duration = Duration::from_secs(5 * 60);

/// How long a stop waits for notices that are on their way.
const NOTICES_WITHIN: Duration = Duration::from_secs(10);

/// What a service is asked from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Read the configuration again.
    Reload,
    /// Stop.
    Stop,
}

/// What a service is made of.
pub struct Parts {
    /// Who reads the configuration and makes its world.
    pub house: Arc<dyn House>,
    /// Who does the work.
    pub deeds: Arc<dyn Deeds>,
    /// Who watches over the service.
    pub manager: Arc<dyn Manager>,
    /// Where it is seen.
    pub seen: watch::Sender<Seen>,
    /// Where the configuration and world in force are seen.
    pub scene: watch::Sender<Option<Scene>>,
}

/// A service at work.
struct Keeper {
    parts: Parts,
    opened: Opened,
    live: Live,
    ledger: Ledger,
    untold: BTreeMap<Job, Untold>,
    known: Known,
    turns: Vec<Turn>,
    /// The turns are older than what happened since.
    is_stale: bool,
    working: BTreeMap<Job, Timestamp>,
    /// The job that has begun and not yet its run: until then it may be bringing leftovers home, and a second
    /// one would meet it there.
    preparing: Option<Job>,
    tasks: JoinSet<(Job, Result<Option<Record>>)>,
    notices: JoinSet<std::result::Result<(), String>>,
    looking: JoinSet<Rooms>,
    watching: Watching,
    telling: Telling,
    interrupt: Interrupt,
    acting: Option<Held>,
    /// When the last look began, on both clocks: what came due since then is seen by the next one.
    looked: (Duration, Timestamp),
    seen: Seen,
    /// When another agent counts as gone, on the monotonic clock.
    takes_over_at: Option<Duration>,
    asked_rooms_at: Option<Timestamp>,
    counted_at: Timestamp,
    rooms: Rooms,
}

/// What a wait ended with.
enum Happened {
    Nothing,
    Ended(Job, Result<Option<Record>>),
    Told(std::result::Result<(), String>),
    Looked(Rooms),
    Watched(Result<ChainsSeen>),
    Asked(Ask),
}

/// Serves until it is asked to stop.
///
/// # Errors
/// Every fault of the configuration; `SM0905` where another service has the state folder; `SM0901` where the
/// folder cannot be used.
pub async fn serve(parts: Parts, mut asks: mpsc::Receiver<Ask>) -> Result<(), Vec<Error>> {
    let live = Live::default();
    let opened = parts.house.open()?;
    let one = |error| vec![error];
    let _serving = lock::serving(&opened.scene.config.state).map_err(one)?;
    let mut keeper = Keeper::begin(parts, opened, live).map_err(one)?;
    let mut begun = keeper.live.begun();
    keeper.parts.manager.ready();
    loop {
        keeper.look().await;
        keeper.show();
        match keeper.wait(&mut asks, &mut begun).await {
            Happened::Nothing => {}
            Happened::Ended(job, ended) => keeper.take_in(job, ended).await,
            Happened::Told(told) => keeper.seen.undelivered = undelivered(told),
            Happened::Looked(rooms) => keeper.take_in_rooms(rooms),
            Happened::Watched(chains) => keeper.take_in_chains(chains),
            Happened::Asked(Ask::Reload) => keeper.reload(),
            Happened::Asked(Ask::Stop) => break,
        }
    }
    keeper.stop().await;
    Ok(())
}

impl Keeper {
    fn begin(parts: Parts, opened: Opened, live: Live) -> Result<Self> {
        let config = opened.scene.config.clone();
        let mut keeper = Self {
            parts,
            live,
            ledger: Ledger::open(&config.state),
            untold: BTreeMap::new(),
            known: Known::default(),
            turns: Vec::new(),
            is_stale: true,
            working: BTreeMap::new(),
            preparing: None,
            tasks: JoinSet::new(),
            notices: JoinSet::new(),
            looking: JoinSet::new(),
            watching: Watching::new(Watch::of(&config.state)),
            telling: people::known(&config.state),
            interrupt: Interrupt::default(),
            acting: None,
            looked: (Duration::ZERO, Timestamp::from_millis(0)),
            seen: Seen::default(),
            takes_over_at: None,
            asked_rooms_at: None,
            counted_at: Timestamp::from_millis(0),
            rooms: Rooms::new(),
            opened,
        };
        keeper.seen.group = Some(config.group.clone());
        keeper.seen.started_at = Some(keeper.now());
        let now = keeper.now();
        keeper.ledger.watch(&config.schedule, now)?;
        keeper.take_scene();
        tracing::info!(group = %config.group, "the service is at work");
        if config.schedule.jobs.is_empty() {
            tracing::warn!("the schedule is empty: nothing is ever due");
        }
        Ok(keeper)
    }

    fn now(&self) -> Timestamp {
        self.opened.scene.world.clock.now()
    }

    /// Puts the journals of a newly opened world under the same eye as those before.
    fn take_scene(&mut self) {
        let world = &mut self.opened.scene.world;
        world.journals = self.live.journals(world.journals.clone());
        let scene = self.opened.scene.clone();
        self.parts.scene.send_replace(Some(scene));
    }

    /// Begins what is due, one job at a time.
    async fn look(&mut self) {
        let monotonic = self.opened.scene.world.clock.monotonic();
        let now = self.now();
        self.looked = (monotonic, now);
        self.seen.waiting = None;
        self.tell_of_ends(now);
        let is_active = self.stand().await;
        if self.is_stale || now >= self.counted_at.plus(RECOUNT) || now < self.counted_at {
            self.count(now).await;
        }
        if is_active {
            self.look_at_rooms(now);
        }
        if is_active
            && self.preparing.is_none()
            && self.next_startable(now).await.is_some()
            && let Some(acting) = self.claim()
        {
            // What another command did until a moment ago counts too.
            self.count(now).await;
            if let Some(job) = self.next_startable(now).await {
                self.start(job, now);
                self.acting = Some(acting);
            } else if !self.working.is_empty() {
                self.acting = Some(acting);
            }
        }
        if is_active {
            self.look_at_chains(now);
        } else {
            self.stop_watching();
        }
    }

    /// Says anew when which job has its turn.
    async fn count(&mut self, now: Timestamp) {
        self.counted_at = now;
        if let Err(error) = self.ledger.follow(now) {
            self.wait_for(&error);
        }
        self.untold.retain(|_, untold| !is_to_come(untold.at, now));
        let deeds = self.parts.deeds.clone();
        let published = deeds.published(&self.opened.scene).await;
        let published = published.unwrap_or_else(|error| {
            self.wait_for(&error);
            Published::default()
        });
        let config = &self.opened.scene.config;
        let journals = self.opened.scene.world.journals.as_ref();
        let (ledger, untold) = (&self.ledger, &self.untold);
        let watch = &self.watching.watch;
        let (schedule, known) = (&config.schedule, &mut self.known);
        let counted = pasts(
            journals,
            &config.group,
            schedule,
            ledger,
            untold,
            known,
            now,
        );
        let counted = counted.and_then(|mut pasts| {
            published.add_to(&mut pasts, &journals.runs()?, schedule, now);
            watch.add_to(&mut pasts);
            Ok(pasts)
        });
        match counted {
            Ok(pasts) => {
                let past_of = |job| pasts[&job].clone();
                self.turns = turns(&config.group, schedule, past_of, now);
                self.is_stale = false;
            }
            Err(error) => {
                self.turns.clear();
                self.is_stale = true;
                self.wait_for(&error);
            }
        }
        let working = &self.working;
        self.turns.retain(|turn| !working.contains_key(&turn.job));
    }

    async fn next_startable(&self, now: Timestamp) -> Option<Job> {
        if !self.turns.iter().any(|turn| turn.at <= now) {
            return None;
        }
        let working: Vec<Job> = self.working.keys().copied().collect();
        let has_point = self.parts.deeds.has_point(&self.opened.scene).await;
        startable(&self.turns, &working, has_point, now)
            .first()
            .copied()
    }

    /// The right to act; none while another command has it.
    fn claim(&mut self) -> Option<Held> {
        if let Some(held) = self.acting.take() {
            return Some(held);
        }
        match lock::acting(&self.opened.scene.config.state) {
            Ok(held) => Some(held),
            Err(error) => {
                self.wait_for(&error);
                None
            }
        }
    }

    fn wait_for(&mut self, error: &Error) {
        if self.seen.waiting.is_none() {
            tracing::info!(%error, "what is due waits");
        }
        self.seen.waiting = Some(error.to_string());
    }

    fn start(&mut self, job: Job, now: Timestamp) {
        let turn = self.turns.iter().find(|turn| turn.job == job);
        tracing::info!(job = job.word(), why = ?turn.map(|turn| &turn.why), "begins");
        self.turns.retain(|turn| turn.job != job);
        self.working.insert(job, now);
        self.preparing = Some(job);
        self.chains_at_begin(job, now);
        let (deeds, scene) = (self.parts.deeds.clone(), self.opened.scene.clone());
        let interrupt = self.interrupt.clone();
        self.tasks.spawn(async move {
            let work = AssertUnwindSafe(deeds.carry_out(&scene, job, &interrupt));
            let ended = work.catch_unwind().await;
            (job, ended.unwrap_or_else(|panic| Err(bug(panic.as_ref()))))
        });
    }

    /// Waits until it is time to look again, or something happens.
    async fn wait(
        &mut self,
        asks: &mut mpsc::Receiver<Ask>,
        begun: &mut watch::Receiver<u64>,
    ) -> Happened {
        let clock = self.opened.scene.world.clock.clone();
        let (monotonic, now) = self.looked;
        let millis = u64::try_from(self.wakes_at().millis() - now.millis()).unwrap_or(0);
        let deadline = monotonic + Duration::from_millis(millis);
        tokio::select! {
            biased;
            // Who could ask has gone: nobody is left to serve.
            ask = asks.recv() => Happened::Asked(ask.unwrap_or(Ask::Stop)),
            Some(ended) = self.tasks.join_next() => match ended {
                Ok((job, ended)) => Happened::Ended(job, ended),
                Err(_) => Happened::Nothing,
            },
            Some(told) = self.notices.join_next() => {
                Happened::Told(told.unwrap_or_else(|panic| Err(panic.to_string())))
            },
            Some(Ok(rooms)) = self.looking.join_next() => Happened::Looked(rooms),
            Some(Ok(chains)) = self.watching.looks.join_next() => Happened::Watched(chains),
            Ok(()) = begun.changed() => {
                self.preparing = None;
                Happened::Nothing
            }
            () = clock.sleep_until(deadline) => Happened::Nothing,
        }
    }

    fn wakes_at(&self) -> Timestamp {
        let (monotonic, now) = self.looked;
        let to_come = self.turns.iter().map(|turn| turn.at);
        let next = to_come.filter(|at| *at > now).min();
        let takes_over = self.takes_over_at;
        let takes_over = takes_over.map(|at| now.plus(at.saturating_sub(monotonic)));
        let latest = now.plus(self.tick());
        next.into_iter().chain(takes_over).fold(latest, Ord::min)
    }

    /// Takes in how a job ended.
    async fn take_in(&mut self, job: Job, ended: Result<Option<Record>>) {
        let now = self.now();
        let began_at = self.working.remove(&job).unwrap_or(now);
        self.preparing = self.preparing.filter(|preparing| *preparing != job);
        self.is_stale = true;
        if let Err(error) = &ended {
            let untold = self.untold.entry(job).or_insert(Untold {
                failures: 0,
                at: now,
            });
            untold.failures += 1;
            untold.at = now;
            log(&render::text(error), Severity::Error);
        } else {
            self.untold.remove(&job);
        }
        let end = end_of(&ended, self.interrupt.is_asked());
        if let Ok(Some(record)) = &ended {
            let severity = end.trouble().unwrap_or(Severity::Information);
            log(&RunReport::of(record).text(), severity);
        }
        if is_served(&end)
            && let Err(error) = self.ledger.served(job, served_at(&ended, began_at))
        {
            self.wait_for(&error);
        }
        self.tell(job, &end, now);
        self.chains_at_end(job, &end, now);
        let ended_at = now;
        self.seen.last.insert(
            job,
            Last {
                began_at,
                ended_at,
                end,
            },
        );
        if self.working.is_empty() {
            self.rest().await;
        }
    }

    /// Nothing is at work any more: other agents and commands may.
    async fn rest(&mut self) {
        // One of several agents goes on holding the lease, or the group would pass from one to the other.
        let keeps = self.opened.scene.config.service.several_agents && !self.seen.is_stopping;
        if !keeps && let Err(error) = self.parts.deeds.rest(&self.opened.scene).await {
            tracing::warn!(%error, "the lease was not given up; it ends by itself");
        }
        self.acting = None;
    }

    /// Shows how things stand, to whoever looks and to the manager.
    fn show(&mut self) {
        self.seen.looked_at = Some(self.looked.1);
        self.seen.wakes_at = Some(self.wakes_at());
        self.seen.turns.clone_from(&self.turns);
        self.seen.working.clone_from(&self.working);
        self.show_chains();
        self.parts.manager.alive(&status_line(&self.seen));
        self.parts.seen.send_replace(self.seen.clone());
    }

    /// Stops: the running steps end and no other begins; what they did not finish goes on with the next start.
    async fn stop(mut self) {
        self.parts.manager.stopping();
        self.interrupt.ask();
        self.seen.is_stopping = true;
        self.show();
        tracing::info!(runs = self.working.len(), "stopping");
        let clock = self.opened.scene.world.clock.clone();
        let within = self.opened.scene.config.service.stop_within;
        let deadline = clock.monotonic() + within;
        while !self.tasks.is_empty() {
            let next = tokio::select! {
                next = self.tasks.join_next() => next,
                () = clock.sleep_until(deadline) => {
                    tracing::warn!("steps are still running; the next start finds out what became of them");
                    break;
                }
            };
            if let Some(Ok((job, ended))) = next {
                self.take_in(job, ended).await;
            }
        }
        self.tasks.shutdown().await;
        if self.seen.role == Role::Active {
            // Whoever stands by takes over at once.
            self.rest().await;
        }
        let deadline = clock.monotonic() + NOTICES_WITHIN;
        while !self.notices.is_empty() {
            tokio::select! {
                _ = self.notices.join_next() => {}
                () = clock.sleep_until(deadline) => break,
            }
        }
        tracing::info!("the service has stopped");
    }
}
