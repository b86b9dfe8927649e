//! Two agents for one group: one works, the other stands by and takes over when the first one has gone, without doing
//! again what was done.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use stopmark::catalog::catch_up;
use stopmark::error::Error;
use stopmark::model::{SetKind, Timestamp};
use stopmark::service::{Ask, House, Opened, Parts, Role, Runs, Scene, Seen, Unwatched, serve};
use stopmark::store::{AgentIdentity, Stores};
use stopmark::world::{Clock, Footing, Store as _, World};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::leaping::{ClockIds, LeapingClock};
use crate::stage::{Stage, world_of};

const SCHEDULE: &str = "[schedule]\ntime_zone = \"UTC\"\nfull = \"0 1 * * *\"\nlog = \"*/10 * * * *\"\n\
                        [service]\nseveral_agents = true\n[policy]\nlease_ttl = \"60s\"";

/// As far as the clock goes at a time: a lease that is renewed never looks as if it had run out.
const STEP: Duration = Duration::from_secs(20);

const TEN_MINUTES: i64 = 600_000;

struct Home {
    path: PathBuf,
    clock: Arc<LeapingClock>,
    agent: &'static str,
}

impl House for Home {
    fn open(&self) -> Result<Opened, Vec<Error>> {
        let (config, mut world) = world_of(&self.path);
        world.clock = self.clock.clone();
        world.ids = Arc::new(ClockIds {
            clock: self.clock.clone(),
            next: AtomicU64::new(u64::from(self.agent.as_bytes()[0])),
        });
        world.store = Arc::new(store_of(&self.path, &self.clock, self.agent));
        let scene = Scene { config, world };
        let text = String::new();
        Ok(Opened { scene, text })
    }
}

fn store_of(path: &std::path::Path, clock: &Arc<LeapingClock>, agent: &str) -> Stores {
    let (config, _) = world_of(path);
    let agent = AgentIdentity {
        id: agent.to_owned(),
        name: format!("agent {agent}"),
    };
    let clock: Arc<dyn Clock> = clock.clone();
    Stores::open(&config, &agent, &clock).expect("stores")
}

struct Agent {
    seen: watch::Receiver<Seen>,
    asks: mpsc::Sender<Ask>,
    task: JoinHandle<Result<(), Vec<Error>>>,
}

impl Agent {
    fn start(path: PathBuf, clock: &Arc<LeapingClock>, agent: &'static str) -> Self {
        let sender = watch::Sender::new(Seen::default());
        let seen = sender.subscribe();
        let (asks, asked) = mpsc::channel(4);
        let home = Home {
            path,
            clock: clock.clone(),
            agent,
        };
        let parts = Parts {
            house: Arc::new(home),
            deeds: Arc::new(Runs),
            manager: Arc::new(Unwatched),
            seen: sender,
            scene: watch::Sender::new(None),
        };
        let task = tokio::spawn(serve(parts, asked));
        Self { seen, asks, task }
    }

    /// Waits until it has looked since `now` and has nothing left to do.
    #[expect(
        clippy::disallowed_methods,
        reason = "the patience of a test, not of the agent"
    )]
    async fn rested(&mut self, now: Timestamp) -> Seen {
        let is_rested = move |seen: &Seen| {
            let is_done = seen.working.is_empty() && seen.turns.iter().all(|turn| turn.at > now);
            seen.looked_at >= Some(now) && (is_done || !seen.role.is_active())
        };
        let patience = Duration::from_secs(30);
        let seen = tokio::time::timeout(patience, self.seen.wait_for(is_rested)).await;
        let seen = seen.unwrap_or_else(|_| panic!("no rest at {now}"));
        seen.expect("the service lives").clone()
    }

    async fn role(&mut self, clock: &LeapingClock) -> Role {
        self.rested(clock.now()).await.role
    }
}

/// The clock goes on a little at a time, and everybody does what there is to do.
async fn pass(clock: &LeapingClock, agents: &mut [&mut Agent], until: &str) {
    let until: Timestamp = format!("2026-11-21T{until}:00Z").parse().expect("a time");
    while clock.now() < until {
        clock.advance(STEP);
        for agent in agents.iter_mut() {
            agent.rested(clock.now()).await;
        }
    }
}

/// When sets of this kind were planned, in steps of ten minutes.
async fn slots(world: &World, kind: SetKind) -> Vec<String> {
    let group = "stage".parse().expect("a name");
    catch_up(world, &group).await.expect("a log");
    let sets = world.catalog.page(&group, None, 100).await.expect("sets");
    let of_kind = sets.iter().filter(|listed| listed.set.kind == kind);
    let mut slots: Vec<String> = of_kind
        .map(|listed| listed.set.made_at.millis() / TEN_MINUTES * TEN_MINUTES)
        .map(|at| Timestamp::from_millis(at).to_string()[11..16].to_owned())
        .collect();
    slots.reverse();
    slots
}

fn standby(holder: &str) -> Role {
    Role::Standby {
        holder: Some(format!("agent {holder}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_agent_works_and_the_other_takes_over_when_it_dies_without_a_second_mark() {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    stage.edit("[policy]", SCHEDULE);
    let other = stage.path("other.toml");
    let text = fs::read_to_string(stage.config_path()).expect("reads");
    fs::write(
        &other,
        text.replace("state = \"state\"", "state = \"other\""),
    )
    .expect("writes");
    let clock = LeapingClock::new("2026-11-21T00:58:00Z".parse().expect("a time"));
    let mut first = Agent::start(stage.config_path(), &clock, "one");
    assert_eq!(first.role(&clock).await, Role::Active);
    let mut second = Agent::start(other.clone(), &clock, "two");
    assert_eq!(second.role(&clock).await, standby("one"));
    pass(&clock, &mut [&mut first, &mut second], "01:21").await;
    assert_eq!(first.role(&clock).await, Role::Active);
    assert!(second.seen.borrow().last.is_empty(), "it stands by");
    // As a kill does it: nobody gives the lease up.
    first.task.abort();
    let _ = first.task.await;
    let died_at = clock.now();
    while second.role(&clock).await != Role::Active {
        clock.advance(STEP);
        second.rested(clock.now()).await;
        let away = clock.now().millis() - died_at.millis();
        assert!(
            away <= 100_000,
            "the lease's time and a look or two: {away} ms"
        );
    }
    pass(&clock, &mut [&mut second], "01:31").await;
    let (_, world) = world_of(&stage.config_path());
    let logs = slots(&world, SetKind::Log).await;
    assert_eq!(logs, ["01:00", "01:10", "01:20", "01:30"], "each once");
    assert_eq!(slots(&world, SetKind::Full).await, ["01:00"]);
    // Who comes back stands by, and follows at once on one that goes in peace.
    let mut back = Agent::start(stage.config_path(), &clock, "one");
    assert_eq!(back.role(&clock).await, standby("two"));
    second.asks.send(Ask::Stop).await.expect("it listens");
    second.task.await.expect("no panic").expect("no error");
    clock.advance(STEP);
    assert_eq!(back.role(&clock).await, Role::Active);
    pass(&clock, &mut [&mut back], "01:41").await;
    let logs = slots(&world, SetKind::Log).await;
    assert_eq!(logs.last().map(String::as_str), Some("01:40"));
    assert_eq!(logs.len(), 5, "{logs:?}");
    back.asks.send(Ask::Stop).await.expect("it listens");
    back.task.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_never_taken_and_one_that_is_not_is_taken_once() {
    let stage = Stage::unprepared(&[("SQL1", &["Ledger"])]).await;
    let group = "stage".parse().expect("a name");
    let clock = LeapingClock::new("2026-11-21T00:58:00Z".parse().expect("a time"));
    let store = |agent| store_of(&stage.config_path(), &clock, agent);
    let (one, two, three) = (store("one"), store("two"), store("three"));
    assert_eq!(one.stand(&group).await.expect("a store"), Footing::Active);
    for _ in 0..20 {
        clock.advance(Duration::from_secs(50));
        assert_eq!(one.stand(&group).await.expect("a store"), Footing::Active);
        let stood = two.stand(&group).await.expect("a store");
        assert!(matches!(stood, Footing::Standby { .. }), "{stood:?}");
    }
    three.stand(&group).await.expect("a store");
    clock.advance(Duration::from_secs(121));
    assert_eq!(two.stand(&group).await.expect("a store"), Footing::Active);
    for late in [&three, &one] {
        let stood = late.stand(&group).await.expect("a store");
        assert!(matches!(stood, Footing::Standby { .. }), "{stood:?}");
    }
    two.release_lease(&group).await.expect("a store");
    assert_eq!(one.stand(&group).await.expect("a store"), Footing::Active);
}
