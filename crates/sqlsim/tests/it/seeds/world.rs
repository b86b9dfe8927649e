//! The hosts of a story: started from one template, killed, and started again from what their disk
//! has kept.
//!
//! Start at [`World::new`] and [`World::crash`]. All hosts believe to live in the same folder; each
//! has a disk of its own for its databases. Media lie in a real folder and survive everything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlsim::clock::Clock;
use sqlsim::error::SqlResult;
use sqlsim::instance::{Instance, InstanceBackend, InstanceOptions};
use sqlsim::server::Server;
use sqlsim::storage::MemoryDisk;
use sqlsim::wire::WireOptions;
use sqlsim::{biztalk, link::Dial};
use tempfile::TempDir;

use super::pipes::Pipes;
use crate::clock::HandClock;
use crate::hosts::{Answer, Client, PASSWORD};

/// The most hosts that a story has.
pub(crate) const HOSTS_MAX: usize = 5;

/// Accounts on each host, and what lies on each at first.
pub(crate) const ACCOUNTS: u64 = 8;
/// See [`ACCOUNTS`].
pub(crate) const START: u64 = 1000;

/// How long a step of a commit may take, and how long a lock is waited for.
const STEP: Duration = Duration::from_secs(1);

/// The tables and procedures of a bank.
const BANK: &str = "CREATE DATABASE Bank
GO
USE Bank
GO
CREATE TABLE dbo.Account (Id int NOT NULL PRIMARY KEY, Total bigint NOT NULL)
GO
CREATE TABLE dbo.Moved (Move bigint NOT NULL, Account int NOT NULL, PRIMARY KEY (Move, Account))
GO
CREATE PROCEDURE dbo.Credit @id int, @amount bigint, @move bigint AS BEGIN SET NOCOUNT ON;
UPDATE dbo.Account SET Total = Total + @amount WHERE Id = @id;
INSERT INTO dbo.Moved (Move, Account) VALUES (@move, @id); END";

/// A disk with a bank on it, which every story starts from.
pub(crate) struct Template {
    disk: Arc<MemoryDisk>,
    folder: TempDir,
}

/// The hosts of one story.
pub(crate) struct World {
    /// The clock of all hosts.
    pub(crate) clock: Arc<HandClock>,
    /// The hosts, which are named by [`host_name`].
    hosts: Vec<Mutex<Option<Host>>>,
    pipes: Arc<Pipes>,
    home: PathBuf,
    media: TempDir,
}

/// A host that lives, or died a moment ago.
#[derive(Clone)]
pub(crate) struct Host {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    /// Its files.
    pub(crate) disk: Arc<MemoryDisk>,
    server: Server,
}

/// What a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The process alone: what was written is there, synced or not.
    Process,
    /// The power: what was not synced is gone.
    Power,
}

/// The name of a host by its place.
pub(crate) fn host_name(at: usize) -> String {
    format!("SQL{}", at + 1)
}

impl Template {
    /// A bank with links to all hosts that there may be.
    pub(crate) async fn make() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let disk = MemoryDisk::new();
        let (clock, pipes) = (Arc::new(HandClock::new()), Arc::new(Pipes::default()));
        let options = options("TEMPLATE", clock, pipes.line(disk.died()), &disk);
        let instance = Instance::open(folder.path(), options).await;
        let instance = instance.expect("a new host");
        make_bank(&instance, (0..HOSTS_MAX).map(host_name)).await;
        instance.shut_down().expect("nothing is in its way");
        Self { disk, folder }
    }
}

/// Makes a login and a bank on a new host, and links to others.
pub(crate) async fn make_bank(instance: &Arc<Instance>, others: impl Iterator<Item = String>) {
    let made = instance.create_login("sa", PASSWORD, &["sysadmin"]);
    made.expect("a login");
    let client = Client::open(instance, "sa", PASSWORD).await;
    let mut client = client.expect("sa may log in");
    client.script(BANK).await;
    for account in 0..ACCOUNTS {
        let sql = format!("INSERT INTO dbo.Account (Id, Total) VALUES ({account}, {START})");
        client.run(&sql).await;
    }
    for name in others {
        client
            .run(&format!("EXEC sp_addlinkedserver N'{name}'"))
            .await;
        let pass = format!(
            "CREATE PROCEDURE dbo.PassTo{name} @id int, @amount bigint, @move bigint AS BEGIN \
             SET NOCOUNT ON; EXEC dbo.Credit @id, @amount, @move; \
             EXEC {name}.Bank.dbo.Credit @id, @amount, @move; END"
        );
        client.run(&pass).await;
    }
    let member = biztalk::install_member(instance, "Bank").await;
    member.expect("a member");
}

fn options(
    name: &str,
    clock: Arc<HandClock>,
    dial: Arc<dyn Dial>,
    disk: &Arc<MemoryDisk>,
) -> InstanceOptions {
    let mut options = InstanceOptions::new(name).with_dial(dial);
    options.clock = clock;
    options.lock_timeout = STEP;
    options.dtc_timeout = STEP;
    options.disk = Some(disk.clone());
    options
}

impl World {
    /// So many hosts, each with a bank of its own.
    pub(crate) async fn new(template: &Template, hosts: usize) -> Arc<Self> {
        let world = Arc::new(Self {
            clock: Arc::new(HandClock::new()),
            hosts: (0..hosts).map(|_| Mutex::default()).collect(),
            pipes: Arc::default(),
            home: template.folder.path().to_owned(),
            media: TempDir::new().expect("a temporary folder"),
        });
        for at in 0..hosts {
            let started = world.start(at, template.disk.copy()).await;
            started.expect("the template is whole");
        }
        world
    }

    /// How many hosts there are.
    pub(crate) const fn size(&self) -> usize {
        self.hosts.len()
    }

    /// What all accounts hold together.
    pub(crate) const fn total(&self) -> i128 {
        (self.size() as u64 * ACCOUNTS * START) as i128
    }

    /// A host, unless it is down.
    pub(crate) fn host(&self, at: usize) -> Option<Host> {
        let host = self.hosts[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        host.clone().filter(Host::is_alive)
    }

    /// Hosts that are up.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Host> {
        (0..self.size()).filter_map(|at| self.host(at))
    }

    /// Where a medium may lie.
    pub(crate) fn medium(&self, name: &str) -> PathBuf {
        self.media.path().join(name)
    }

    /// A path on the disk of every host.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.join("data").join(name)
    }

    /// Starts a host from a disk.
    pub(crate) async fn start(&self, at: usize, disk: Arc<MemoryDisk>) -> SqlResult<()> {
        let name = host_name(at);
        let dial = self.pipes.line(disk.died());
        let options = options(&name, Arc::clone(&self.clock), dial, &disk);
        let instance = Instance::open(Path::new(&self.home), options).await?;
        let backend = Arc::new(InstanceBackend(Arc::clone(&instance)));
        let server = Server::new(backend, WireOptions::plain());
        self.pipes.enter(&name, server.clone(), disk.died());
        let host = Host {
            instance,
            disk,
            server,
        };
        self.put(at, Some(host));
        Ok(())
    }

    /// Kills a host at once. Returns what is left of its disk; nothing if it was down already.
    pub(crate) fn crash(&self, at: usize, loss: Loss) -> Option<Arc<MemoryDisk>> {
        let host = self.put(at, None)?;
        host.disk.dies_after(0);
        host.instance.kill();
        host.server.cut();
        Some(match loss {
            Loss::Process => host.disk.copy(),
            Loss::Power => host.disk.after_power_loss(),
        })
    }

    fn put(&self, at: usize, host: Option<Host>) -> Option<Host> {
        let mut place = self.hosts[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, host)
    }

    /// Runs batches in the bank of a host; the answer of the last, or nothing if the host is down
    /// or dies before the client has heard it. An error ends it.
    pub(crate) async fn ask(&self, at: usize, batches: &[&str]) -> Option<Answer> {
        let host = self.host(at)?;
        let work = async {
            let client = Client::open(&host.instance, "sa", PASSWORD).await;
            let mut client = client.ok()?;
            let mut answer = client.try_run("USE Bank").await;
            for batch in batches {
                if !answer.errors.is_empty() {
                    break;
                }
                answer = client.try_run(batch).await;
            }
            Some(answer)
        };
        let answer = tokio::select! {
            biased;
            () = host.gone() => None,
            answer = work => answer,
        };
        answer.filter(|_| host.is_alive())
    }

    /// As [`World::ask`], of a host that is up and does not fail.
    pub(crate) async fn told(&self, at: usize, batch: &str) -> Answer {
        let answer = self.ask(at, &[batch]).await;
        let answer = answer.unwrap_or_else(|| panic!("{} is down: {batch}", host_name(at)));
        assert!(
            answer.errors.is_empty(),
            "{}: {batch}\n{:?}",
            host_name(at),
            answer.errors
        );
        answer
    }

    /// Lets everybody else go on, and time with them, for so many steps.
    pub(crate) async fn wait(&self, milliseconds: u64) {
        self.clock.sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Host {
    fn is_alive(&self) -> bool {
        !self.disk.died().is_cancelled() && !self.instance.faults.is_killed()
    }

    /// Returns when it has died, of its disk or of a fault.
    pub(crate) async fn gone(&self) {
        let (disk, killed) = (self.disk.died(), self.instance.faults.killed());
        tokio::select! {
            () = disk.cancelled() => {}
            () = killed.cancelled() => {}
        }
    }
}
