//! The hosts of a story: copies of a template, killed and started again from what their disk has kept.
//!
//! Start at [`Template::make`], [`Hosts::of`] and [`Hosts::keep_up`]. Each host has a folder of its own for what lies
//! on a real disk (media, files of events); its databases lie in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlsim::error::SqlResult;
use sqlsim::faults::{Dice, WireFaults};
use sqlsim::instance::{Instance, InstanceBackend, InstanceOptions};
use sqlsim::link::{Connection, Dial, Security, Stream, Target};
use sqlsim::server::Server;
use sqlsim::storage::{Disk, DiskFile, MemoryDisk};
use sqlsim::wire::WireOptions;
use stopmark::config::HostConfig;
use stopmark::sql::dial::Wire;
use tokio_util::sync::CancellationToken;

use super::books::Books;
use super::client::{Answer, Client, PASSWORD};
use super::clock::StoryClock;
use super::pipes::Pipes;

/// How long a lock, or a step of a commit over several hosts, is waited for.
const STEP: Duration = Duration::from_secs(3);

/// How often a replica asks for log: whoever works often keeps the story's time from passing.
const REPLICA_PAUSE: Duration = Duration::from_secs(1);

/// Milliseconds until a host that died is started again, at most.
const DOWN_MS_MAX: u64 = 40_000;

/// The login of everybody, on every host.
pub(crate) const LOGIN: &str = "sa";

/// A host's disk as every story finds it, and the folder that its paths name.
#[derive(Clone)]
pub(crate) struct Blank {
    name: &'static str,
    home: PathBuf,
    disk: Arc<MemoryDisk>,
}

/// The hosts of one story.
pub(crate) struct Hosts {
    /// The clock of all.
    pub(crate) clock: Arc<StoryClock>,
    pipes: Arc<Pipes>,
    places: Vec<Place>,
    /// Who dies now stays dead: the story is over.
    is_over: AtomicBool,
}

struct Place {
    blank: Blank,
    home: PathBuf,
    up: Mutex<Option<Host>>,
}

/// A host that lives, or died a moment ago.
#[derive(Clone)]
pub(crate) struct Host {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    disk: Arc<MemoryDisk>,
    server: Server,
}

impl Blank {
    /// An empty disk.
    pub(crate) fn new(name: &'static str, home: PathBuf) -> Self {
        let disk = MemoryDisk::new();
        Self { name, home, disk }
    }
}

impl Hosts {
    /// Starts a copy of each of these in a folder below `folder`.
    pub(crate) async fn of(blanks: &[Blank], folder: &Path, clock: &Arc<StoryClock>) -> Arc<Self> {
        let place = |blank: &Blank| Place {
            blank: blank.clone(),
            home: folder.join(blank.name),
            up: Mutex::default(),
        };
        let hosts = Arc::new(Self {
            clock: Arc::clone(clock),
            pipes: Arc::default(),
            places: blanks.iter().map(place).collect(),
            is_over: AtomicBool::new(false),
        });
        for (at, blank) in blanks.iter().enumerate() {
            let started = hosts.start(at, blank.disk.copy()).await;
            started.unwrap_or_else(|error| panic!("{}: {error:?}", blank.name));
        }
        hosts
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.places.len()
    }

    /// A host's name.
    pub(crate) fn name(&self, at: usize) -> &'static str {
        self.places[at].blank.name
    }

    /// A host, unless it is down.
    pub(crate) fn host(&self, at: usize) -> Option<Host> {
        self.place(at).clone().filter(Host::is_alive)
    }

    /// The agent's way to all of them.
    pub(crate) fn dial(&self) -> AgentDial {
        AgentDial(Named(self.pipes.line(CancellationToken::new())))
    }

    /// Stops all hosts in order, so that others may begin where they end.
    pub(crate) fn blanks(&self) -> Vec<Blank> {
        let blank = |place: &Place| {
            let up = place.up.lock().unwrap_or_else(PoisonError::into_inner);
            let host = up.as_ref().expect("nobody has killed it");
            host.instance.shut_down().expect("nothing is in its way");
            Blank {
                name: place.blank.name,
                home: place.home.clone(),
                disk: Arc::clone(&host.disk),
            }
        };
        self.places.iter().map(blank).collect()
    }

    async fn start(&self, at: usize, disk: Arc<MemoryDisk>) -> SqlResult<()> {
        let Place { blank, home, .. } = &self.places[at];
        let dial = Arc::new(Named(self.pipes.line(disk.died())));
        let mut options = InstanceOptions::new(blank.name).with_dial(dial);
        options.clock = Arc::clone(&self.clock) as _;
        options.lock_timeout = STEP;
        options.dtc_timeout = STEP;
        options.replica_pause = REPLICA_PAUSE;
        options.disk = Some(Arc::new(Moved {
            disk: Arc::clone(&disk),
            from: home.clone(),
            to: blank.home.clone(),
        }));
        let instance = Instance::open(home, options).await?;
        let backend = Arc::new(InstanceBackend(Arc::clone(&instance)));
        let faults = Arc::new(WireFaults(Arc::clone(&instance)));
        let plain = WireOptions::plain();
        let server = Server::new(backend, WireOptions { faults, ..plain });
        self.pipes.enter(blank.name, server.clone(), disk.died());
        *self.place(at) = Some(Host {
            instance,
            disk,
            server,
        });
        Ok(())
    }

    /// Starts a host again whenever it dies, for ever.
    pub(crate) async fn keep_up(self: Arc<Self>, at: usize, books: Arc<Books>, mut dice: Dice) {
        loop {
            let host = self.place(at).clone().expect("it is put back below");
            host.gone().await;
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let has_power = dice.below(2) == 0;
            let left = host.bury(has_power);
            let name = self.name(at);
            let of_what = if has_power { "killed" } else { "powered off" };
            books.note(format!("host {name} was {of_what}"));
            books.count(|told| told.crashes += 1);
            self.clock.wait_ms(dice.below(DOWN_MS_MAX)).await;
            let started = self.start(at, left).await;
            started.unwrap_or_else(|error| panic!("{name} does not start again: {error:?}"));
            books.note(format!("host {name} is back"));
        }
    }

    /// Nobody is started again from now on.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        for at in 0..self.count() {
            if let Some(host) = self.place(at).take() {
                host.bury(true);
            }
        }
    }

    /// Runs a batch; nothing if the host is down or dies before its answer was heard.
    pub(crate) async fn ask(&self, at: usize, sql: &str) -> Option<Answer> {
        let host = self.host(at)?;
        let work = async {
            let client = Client::open(&host.instance, LOGIN, PASSWORD).await;
            Some(client.ok()?.try_run(sql).await)
        };
        let answer = tokio::select! {
            biased;
            () = host.gone() => None,
            answer = work => answer,
        };
        answer.filter(|_| host.is_alive())
    }

    /// Runs a batch over the wire, as an application does: whoever hangs up in the middle is rolled back. Whether it
    /// was done.
    pub(crate) async fn call(&self, at: usize, sql: &str) -> bool {
        let target = Target {
            data_source: self.name(at).to_owned(),
            user_name: LOGIN.to_owned(),
            password: PASSWORD.to_owned(),
            database: None,
            security: Security::LoginOnly,
            program: "bank".to_owned(),
        };
        let way = self.pipes.line(CancellationToken::new());
        match Connection::open(way.as_ref(), &target).await {
            Ok(mut connection) => connection.run(sql).await.is_ok(),
            Err(_) => false,
        }
    }

    /// As [`Self::ask`], of a host that is up and does not fail.
    pub(crate) async fn told(&self, at: usize, sql: &str) -> Answer {
        let name = self.name(at);
        let answer = self.ask(at, sql).await;
        let answer = answer.unwrap_or_else(|| panic!("{name} is down: {sql}"));
        assert!(
            answer.errors.is_empty(),
            "{name}: {sql}\n{:?}",
            answer.errors
        );
        answer
    }

    fn place(&self, at: usize) -> MutexGuard<'_, Option<Host>> {
        let up = self.places[at].up.lock();
        up.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn is_alive(&self) -> bool {
        !self.disk.died().is_cancelled() && !self.instance.faults.is_killed()
    }

    /// Returns when it has died, of its disk or of a fault.
    async fn gone(&self) {
        let (disk, killed) = (self.disk.died(), self.instance.faults.killed());
        tokio::select! {
            () = disk.cancelled() => {}
            () = killed.cancelled() => {}
        }
    }

    /// Ends whatever still moves of it; what its disk has kept.
    fn bury(&self, has_power: bool) -> Arc<MemoryDisk> {
        self.disk.dies_after(0);
        self.instance.kill();
        self.server.cut();
        if has_power {
            self.disk.copy()
        } else {
            self.disk.after_power_loss()
        }
    }
}

/// A way on which a data source is a host's name, with or without `tcp:` before it.
#[derive(Clone, Debug)]
struct Named(Arc<dyn Dial>);

#[async_trait]
impl Dial for Named {
    async fn dial(&self, target: &str) -> io::Result<Box<dyn Stream>> {
        let name = target.strip_prefix("tcp:").unwrap_or(target);
        self.0.dial(name).await
    }
}

/// How the agent reaches the hosts.
pub(crate) struct AgentDial(Named);

#[async_trait]
impl stopmark::sql::dial::Dial for AgentDial {
    async fn dial(&self, host: &HostConfig) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.0.dial(host.name.as_str()).await?))
    }

    fn stays_inside(&self) -> bool {
        true
    }
}

/// A disk whose paths in one folder are those of another: a copy does not know that it is one.
#[derive(Debug)]
struct Moved {
    disk: Arc<MemoryDisk>,
    from: PathBuf,
    to: PathBuf,
}

impl Moved {
    fn at(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.from);
        below.map_or_else(|_| path.to_owned(), |below| self.to.join(below))
    }
}

impl Disk for Moved {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.at(path), new)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(&self.at(from), &self.at(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(&self.at(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(&self.at(path))
    }

    fn syncs_commits(&self) -> bool {
        self.disk.syncs_commits()
    }
}
