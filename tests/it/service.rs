//! A service's life against a clock that leaps: months of schedule in seconds, with failures, panics, stops and
//! kills by chance, held against the schedule counted minute by minute.
//!
//! Start at [`Life`]. The loop, the ledger and the journals are real; the work itself only takes its time.

use std::fs;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use stopmark::config::{Config, Job, JobConfig, Schedule};
use stopmark::error::{Code, Error, Result};
use stopmark::model::{RunId, Timestamp};
use stopmark::plan::RunKind;
use stopmark::run::Interrupt;
use stopmark::run::events::{Event, Verdict};
use stopmark::run::record::Record;
use stopmark::service::due::goes_together;
use stopmark::service::{Ask, Deeds, House, Opened, Parts, Scene, Seen, Unwatched, serve};
use stopmark::sql::observe;
use stopmark::world::{Clock as _, World};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, yield_now};

use crate::leaping::{Chances, ClockIds, LeapingClock};
use crate::stage::world_of;

/// Clocks of Berlin, by rule: a bare machine has no tz database.
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const MINUTE: i64 = 60_000;
/// Turns of the only thread without a sleeper that comes or goes, after which everybody sleeps.
const QUIET_YIELDS: u32 = 10;

const SCHEDULE: [(Job, &str); 7] = [
    (Job::Full, "30 1 * * sun"),
    (Job::Differential, "30 1 * * mon-sat"),
    (Job::Log, "15 * * * *"),
    (Job::Companions, "50 0 * * *"),
    (Job::Scrub, "30 2 * * *"), // Left out where clocks leap over it: it comes right after.
    (Job::Prune, "10 4 * * *"),
    (Job::Drill, "40 5 * * *"),
];

/// One piece of work as it was done.
#[derive(Clone, Copy, Debug)]
struct Worked {
    job: Job,
    from: Timestamp,
    until: Timestamp,
    is_good: bool,
}

/// Work that takes its time and ends by chance.
struct Work {
    chances: Mutex<Chances>,
    worked: Mutex<Vec<Worked>>,
    /// Of a hundred tries, how many go wrong.
    trouble: u64,
}

impl Work {
    fn draw(&self, bound: u64) -> u64 {
        let mut chances = self.chances.lock().unwrap_or_else(PoisonError::into_inner);
        chances.below(bound)
    }

    fn note(&self, job: Job, from: Timestamp, until: Timestamp, is_good: bool) {
        let mut worked = self.worked.lock().unwrap_or_else(PoisonError::into_inner);
        worked.push(Worked {
            job,
            from,
            until,
            is_good,
        });
    }

    fn seconds(&self, job: Job) -> u64 {
        match job {
            Job::Full => 3600 + self.draw(7200),
            Job::Differential | Job::Scrub | Job::Drill => 900 + self.draw(1800),
            Job::Log => 5 + self.draw(90),
            Job::Companions | Job::Prune => 30 + self.draw(300),
        }
    }
}

const fn kind_of(job: Job) -> RunKind {
    match job {
        Job::Full => RunKind::Full,
        Job::Differential => RunKind::Differential,
        Job::Log => RunKind::Log,
        Job::Companions => RunKind::Companions,
        Job::Scrub => RunKind::Scrub,
        Job::Prune => RunKind::Prune,
        Job::Drill => RunKind::Drill,
    }
}

#[async_trait]
impl Deeds for Work {
    async fn carry_out(
        &self,
        scene: &Scene,
        job: Job,
        interrupt: &Interrupt,
    ) -> Result<Option<Record>> {
        let (world, from) = (&scene.world, scene.world.clock.now());
        let fate = self.draw(100);
        let is_troubled = fate < self.trouble;
        if is_troubled && fate.is_multiple_of(3) {
            self.note(job, from, from, false);
            return Err(Error::new(Code::StoreUnreachable, "the store is away"));
        }
        if job == Job::Prune && fate.is_multiple_of(2) {
            self.note(job, from, from, true);
            return Ok(None);
        }
        let run = RunId(world.ids.next());
        let mut journal = world.journals.create(run)?;
        let begun = Event::RunBegan {
            run,
            group: scene.config.group.clone(),
            kind: kind_of(job),
            agent_version: "0".to_owned(),
            at: from,
        };
        journal.append(&begun)?;
        let mut events = vec![begun];
        let until = world.clock.monotonic() + Duration::from_secs(self.seconds(job));
        while world.clock.monotonic() < until && !interrupt.is_asked() {
            let slice = world.clock.monotonic() + Duration::from_secs(60);
            world.clock.sleep_until(until.min(slice)).await;
        }
        let at = world.clock.now();
        if interrupt.is_asked() {
            self.note(job, from, at, false);
            return Record::fold(&events);
        }
        if is_troubled && fate % 3 == 1 {
            self.note(job, from, at, false);
            panic!("by chance");
        }
        let verdict = match (is_troubled, fate % 2) {
            (true, _) => Verdict::Failed,
            (false, 0) => Verdict::Degraded,
            (false, _) => Verdict::Done,
        };
        let ended = Event::RunEnded { verdict, at };
        journal.append(&ended)?;
        events.push(ended);
        self.note(job, from, at, !is_troubled);
        Record::fold(&events)
    }

    async fn has_point(&self, _scene: &Scene) -> bool {
        true
    }

    async fn rest(&self, _scene: &Scene) -> Result<()> {
        Ok(())
    }
}

/// A state folder, a configuration, and a clock.
pub(crate) struct Life {
    folder: TempDir,
    config: Arc<Config>,
    world: World,
    clock: Arc<LeapingClock>,
    work: Arc<Work>,
}

struct Home {
    scene: Scene,
}

impl House for Home {
    fn open(&self) -> Result<Opened, Vec<Error>> {
        Ok(Opened {
            scene: self.scene.clone(),
            text: String::new(),
        })
    }
}

/// A service that was started.
struct Served {
    task: JoinHandle<Result<(), Vec<Error>>>,
    asks: mpsc::Sender<Ask>,
    seen: watch::Receiver<Seen>,
}

impl Life {
    fn begin(start: &str, seed: u64, trouble: u64) -> Self {
        observe::install_alone();
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store");
        fs::create_dir_all(&store).expect("a store");
        let store = url::Url::from_file_path(store).expect("an absolute path");
        let text = format!(
            "format = 1\n[group]\nname = \"life\"\nmanagement_host = \"SQL1\"\nmembers = [\"SQL1/A\"]\n\
             [hosts.SQL1]\nlogin = {{ user = \"a\", password = {{ file = \"password\" }} }}\n\
             share = {{ sql = \"/s\", agent = \"/s\" }}\n[store]\nurl = \"{store}\"\n\
             [paths]\nstate = \"state\"\nlogs = \"logs\"\n"
        );
        fs::write(folder.path().join("password"), "x").expect("writes");
        let path = folder.path().join("stopmark.toml");
        fs::write(&path, text).expect("writes");
        let (config, mut world) = world_of(&path);
        let mut config = Config::clone(&config);
        let zone = TimeZone::posix(BERLIN).expect("a rule");
        config.schedule.jobs = SCHEDULE
            .into_iter()
            .map(|(job, text)| {
                let schedule = Schedule::parse(text).expect("an expression");
                (job, JobConfig::of(text, schedule, zone.clone()))
            })
            .collect();
        let clock = LeapingClock::new(start.parse().expect("a timestamp"));
        world.clock = clock.clone();
        world.ids = Arc::new(ClockIds {
            clock: clock.clone(),
            next: AtomicU64::new(0),
        });
        let work = Work {
            chances: Mutex::new(Chances(seed)),
            worked: Mutex::default(),
            trouble,
        };
        Self {
            folder,
            config: Arc::new(config),
            world,
            clock,
            work: Arc::new(work),
        }
    }

    fn start(&self) -> Served {
        let seen = watch::Sender::new(Seen::default());
        let (asks, asked) = mpsc::channel(4);
        let watched = seen.subscribe();
        let scene = Scene {
            config: self.config.clone(),
            world: self.world.clone(),
        };
        let parts = Parts {
            house: Arc::new(Home { scene }),
            deeds: self.work.clone(),
            manager: Arc::new(Unwatched),
            seen,
            scene: watch::Sender::new(None),
        };
        Served {
            task: tokio::spawn(serve(parts, asked)),
            asks,
            seen: watched,
        }
    }

    /// Lets everybody do what there is to do now, and then the time pass until `until`.
    async fn pass(&self, until: Timestamp) {
        loop {
            self.settle().await;
            if self.clock.now() >= until {
                return;
            }
            let now = self.clock.now();
            self.clock.leap();
            if self.clock.now() == now {
                let left = u64::try_from(until.millis() - now.millis()).expect("later");
                self.clock.advance(Duration::from_millis(left));
            }
        }
    }

    /// Waits until nobody has anything left to do now: for a while nobody has gone to sleep or woken.
    async fn settle(&self) {
        let (mut quiet, mut before) = (0, self.clock.activity());
        while quiet < QUIET_YIELDS {
            yield_now().await;
            let now = self.clock.activity();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }

    fn worked(&self) -> Vec<Worked> {
        let worked = self.work.worked.lock();
        worked.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether the schedule comes at this minute, told from the wall clock alone.
fn comes(job: Job, minute: Timestamp, zone: &TimeZone) -> bool {
    let local = |at: Timestamp| {
        let instant = jiff::Timestamp::from_millisecond(at.millis()).expect("in range");
        zone.to_datetime(instant)
    };
    let fits = |at: jiff::civil::DateTime| {
        let (hour, minute) = (at.hour(), at.minute());
        let is_sunday = at.weekday() == jiff::civil::Weekday::Sunday;
        match job {
            Job::Full => (hour, minute) == (1, 30) && is_sunday,
            Job::Differential => (hour, minute) == (1, 30) && !is_sunday,
            Job::Log => minute == 15,
            Job::Companions => (hour, minute) == (0, 50),
            Job::Scrub => (hour, minute) == (2, 30),
            Job::Prune => (hour, minute) == (4, 10),
            Job::Drill => (hour, minute) == (5, 40),
        }
    };
    let now = local(minute);
    // What clocks show twice comes once, but for what goes on every hour.
    if job != Job::Log && local(minute.plus_millis(-60 * MINUTE)) == now {
        return false;
    }
    let before = local(minute.plus_millis(-MINUTE));
    let expected = before.saturating_add(jiff::Span::new().minutes(1));
    // Where clocks leapt forward, what they left out comes now, once.
    let mut skipped = std::iter::successors(Some(expected), |at| {
        Some(at.saturating_add(jiff::Span::new().minutes(1)))
    })
    .take_while(|at| *at < now)
    .take(180);
    fits(now) || (now > expected && skipped.any(fits))
}

/// Every minute of some time at which a job comes.
fn occurrences(job: Job, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let zone = TimeZone::posix(BERLIN).expect("a rule");
    let minutes = from.millis() / MINUTE + 1..=until.millis() / MINUTE;
    let minutes = minutes.map(|minute| Timestamp::from_millis(minute * MINUTE));
    minutes.filter(|at| comes(job, *at, &zone)).collect()
}

/// Each good run has a time of the schedule of its own, and after each time of the schedule somebody began the job
/// before the service had been at work for this many more minutes.
fn judge(job: Job, worked: &[Worked], up: &[(Timestamp, Timestamp)], minutes: i64) {
    let (first, last) = (up[0].0, up[up.len() - 1].1);
    let times = occurrences(job, first, last);
    let own: Vec<&Worked> = worked.iter().filter(|it| it.job == job).collect();
    for pair in own.windows(2).filter(|pair| pair[0].is_good) {
        let between = |at: &&Timestamp| **at > pair[0].from && **at <= pair[1].from;
        assert!(
            times.iter().any(|at| between(&at)),
            "{job:?} twice: {pair:?}"
        );
    }
    for at in times {
        let mut left = minutes * MINUTE;
        let mut deadline = None;
        for (from, until) in up.iter().filter(|(_, until)| *until > at) {
            let from = (*from).max(at);
            let length = until.millis() - from.millis();
            if length >= left {
                deadline = Some(from.plus_millis(left));
                break;
            }
            left -= length;
        }
        let Some(deadline) = deadline else { continue };
        let is_begun = own.iter().any(|it| it.from >= at && it.from <= deadline);
        assert!(is_begun, "{job:?} of {at} was not begun by {deadline}");
    }
}

/// No two that do not go together were at work at the same time.
fn judge_company(worked: &[Worked]) {
    for (at, one) in worked.iter().enumerate() {
        for other in &worked[at + 1..] {
            let is_together = one.from < other.until && other.from < one.until;
            assert!(
                !is_together || goes_together(one.job, other.job),
                "{one:?} beside {other:?}"
            );
        }
    }
}

/// Weeks with three Sundays, on the second of which clocks go forward in Berlin, and days in which they go back.
const WEEKS: [(&str, &str); 2] = [
    ("2026-03-21T12:07:00Z", "2026-04-05T12:07:00Z"),
    ("2026-10-23T12:07:00Z", "2026-10-28T12:07:00Z"),
];
/// A month in which they go forward, and the same days.
const MONTHS: [(&str, &str); 2] = [
    ("2026-03-10T12:07:00Z", "2026-04-10T12:07:00Z"),
    ("2026-10-23T12:07:00Z", "2026-10-28T12:07:00Z"),
];

#[tokio::test]
async fn weeks_without_trouble_are_the_schedule_minute_by_minute() {
    for (start, end) in WEEKS {
        let life = Life::begin(start, 1, 0);
        let (start, end) = (life.clock.now(), end.parse().expect("a timestamp"));
        let served = life.start();
        life.pass(end).await;
        served.asks.send(Ask::Stop).await.expect("it listens");
        served.task.await.expect("no panic").expect("no error");
        let worked = life.worked();
        for (job, expression) in SCHEDULE {
            let times = occurrences(job, start, end);
            let begun = worked.iter().filter(|it| it.job == job).count();
            assert!(!times.is_empty(), "{expression}");
            // A log waits while a prune has the group to itself, and serves its time a little later.
            assert_eq!(begun, times.len(), "{expression}");
            let minutes = if job == Job::Log { 7 } else { 240 };
            judge(job, &worked, &[(start, end)], minutes);
        }
        judge_company(&worked);
    }
}

#[tokio::test]
async fn in_months_of_trouble_nothing_is_missed_and_nothing_is_doubled() {
    for (seed, (start, end)) in (1..).zip(MONTHS) {
        let life = Life::begin(start, seed, 12);
        let end = end.parse().expect("a timestamp");
        let up = live_through(&life, end, Chances(seed ^ 0xfeed)).await;
        let worked = life.worked();
        judge(Job::Log, &worked, &up, 75);
        for job in Job::ALL.into_iter().filter(|job| *job != Job::Log) {
            judge(job, &worked, &up, 10 * 60);
        }
        judge_company(&worked);
    }
}

/// Starts the service, and stops or kills it, again and again; when it was there.
async fn live_through(
    life: &Life,
    end: Timestamp,
    mut chances: Chances,
) -> Vec<(Timestamp, Timestamp)> {
    let mut up = Vec::new();
    while life.clock.now() < end {
        let from = life.clock.now();
        let served = life.start();
        let hours = 3 + chances.below(100);
        let lasts = Duration::from_secs(hours * 3600 + chances.below(3600));
        life.pass(from.plus(lasts)).await;
        up.push((from, life.clock.now()));
        if chances.below(2) == 0 {
            served.asks.send(Ask::Stop).await.expect("it listens");
            while !served.task.is_finished() {
                life.settle().await;
                life.clock.leap();
            }
            served.task.await.expect("no panic").expect("no error");
        } else {
            // As a kill does it: whatever was at work is gone.
            served.task.abort();
            let _ = served.task.await;
            life.settle().await;
        }
        let away = Duration::from_secs(60 + chances.below(20 * 3600));
        life.pass(life.clock.now().plus(away)).await;
    }
    up
}

#[tokio::test]
async fn a_second_service_on_the_same_state_folder_is_refused() {
    let life = Life::begin("2026-03-10T12:07:00Z", 1, 0);
    let first = life.start();
    life.settle().await;
    let second = life.start().task.await.expect("no panic");
    let errors = second.expect_err("the folder is taken");
    assert_eq!(errors[0].code(), Code::ServiceTwice);
    first.asks.send(Ask::Stop).await.expect("it listens");
    first.task.await.expect("no panic").expect("no error");
    let third = life.start();
    life.settle().await;
    assert!(!third.task.is_finished(), "the folder is free again");
    third.task.abort();
}

#[tokio::test]
async fn a_panic_ends_its_run_and_not_the_service() {
    // Of these chances the first trouble of a log is a panic.
    let life = Life::begin("2026-03-10T12:07:00Z", 5, 100);
    let served = life.start();
    life.pass("2026-03-11T00:00:00Z".parse().expect("a timestamp"))
        .await;
    assert!(!served.task.is_finished());
    let last = served.seen.borrow().last.clone();
    assert!(!last.is_empty(), "work was tried");
    let told: Vec<String> = last.values().map(|last| last.end.words()).collect();
    assert!(life.worked().len() > 10, "and tried again: {told:?}");
    served.asks.send(Ask::Stop).await.expect("it listens");
    while !served.task.is_finished() {
        life.settle().await;
        life.clock.leap();
    }
    assert!(life.folder.path().join("state/schedule.json").exists());
}
