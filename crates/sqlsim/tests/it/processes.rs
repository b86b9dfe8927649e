//! Hosts that are processes of their own and are killed while money moves: the proof that what
//! `seeds/` calls a loss of the process is one.
//!
//! Start at [`ten_killed_processes_keep_the_sum`]. The test binary runs itself again as each host. A
//! host tells where it listens in a file beside its folder, and ends when whoever started it is gone.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlsim::clock::{Clock as _, SystemClock};
use sqlsim::faults::Dice;
use sqlsim::link::{Connection, Dial, Security, Stream, Target};
use sqlsim::value::Row;
use sqlsim::{InstanceOptions, Simulator};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::hosts::PASSWORD;
use super::seeds::check::whole;
use super::seeds::work::{mark_batch, transfer_batch};
use super::seeds::world::{ACCOUNTS, START, host_name, make_bank};

/// Where a host has its folder and those of the others; its presence makes a process a host.
const FOLDER: &str = "SQLSIM_TEST_HOST_FOLDER";
/// Which of the hosts it is.
const PLACE: &str = "SQLSIM_TEST_HOST_PLACE";
/// What a host says when it can be reached.
const LISTENS: &str = "this host listens";

const TEST: &str = "processes::ten_killed_processes_keep_the_sum";
const HOSTS: usize = 3;
const KILLS: usize = 10;
const CLIENTS: usize = 3;
/// Acts of each client around a kill.
const ACTS: u64 = 8;

/// How long an outcome may take to arrive on a busy machine.
const SETTLED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_killed_processes_keep_the_sum() {
    if be_a_host().await {
        return;
    }
    let bank = Arc::new(Bank::open());
    let mut dice = Dice::new(1);
    for _ in 0..KILLS {
        let (acts, mut clients) = (watch::Sender::new(0), JoinSet::new());
        for _ in 0..CLIENTS {
            let (bank, acts) = (Arc::clone(&bank), acts.clone());
            clients.spawn(bank.work(Dice::new(dice.roll()), acts));
        }
        let goal = 1 + dice.below(CLIENTS as u64 * ACTS / 2);
        let mut seen = acts.subscribe();
        seen.wait_for(|acts| *acts >= goal)
            .await
            .expect("clients are at work");
        let (again, at) = (Arc::clone(&bank), dice.place(HOSTS));
        let killed = tokio::task::spawn_blocking(move || again.kill_and_restart(at)).await;
        killed.expect("it starts again");
        while let Some(done) = clients.join_next().await {
            done.expect("no client panics");
        }
        bank.settle().await;
    }
    assert!(
        !bank.moved().is_empty(),
        "no transfer was ever acknowledged"
    );
    let marks = bank.ask(0, "SELECT mark_name FROM msdb.dbo.logmarkhistory");
    assert!(marks.await.is_some_and(|rows| !rows.is_empty()), "no mark");
}

/// In a process that is to be a host: the host, until nobody holds its other end any more.
async fn be_a_host() -> bool {
    let (Ok(root), Ok(place)) = (std::env::var(FOLDER), std::env::var(PLACE)) else {
        return false;
    };
    let at: usize = place.parse().expect("a number");
    let signposts = Signposts(PathBuf::from(&root));
    let mut options = InstanceOptions::new(&host_name(at)).with_dial(Arc::new(signposts));
    options.lock_timeout = Duration::from_secs(1);
    options.dtc_timeout = Duration::from_secs(1);
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let folder = Path::new(&root).join(host_name(at));
    let host = Simulator::start_plain(&folder, options, any).await;
    let host = host.expect("it starts");
    if host.instance().login("sa").is_none() {
        let others = (0..HOSTS).filter(|other| *other != at);
        make_bank(host.instance(), others.map(host_name)).await;
    }
    tokio::task::spawn_blocking(until_nobody_listens)
        .await
        .expect("it only waits")
        .expect("its starter holds the other end");
    true
}

fn until_nobody_listens() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "\n{LISTENS}")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

/// A network whose address book is a folder, so that processes can share it.
#[derive(Debug)]
struct Signposts(PathBuf);

impl Signposts {
    fn of(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.address"))
    }
}

#[async_trait]
impl Dial for Signposts {
    async fn dial(&self, target: &str) -> io::Result<Box<dyn Stream>> {
        let address = fs::read_to_string(self.of(target))?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    fn announce(&self, name: &str, address: &str) {
        let draft = self.of(name).with_extension("draft");
        let told = fs::write(&draft, address).and_then(|()| fs::rename(&draft, self.of(name)));
        told.expect("the folder is there");
    }
}

/// A process that is killed with whoever started it.
struct Process(Child);

impl Process {
    /// Returns when the host can be reached.
    fn start(root: &Path, at: usize) -> Self {
        let binary = std::env::current_exe().expect("this binary");
        let child = Command::new(binary)
            .args([TEST, "--exact", "--quiet", "--nocapture"])
            .env(FOLDER, root)
            .env(PLACE, at.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = Self(child.expect("it starts"));
        let out = process.0.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line == LISTENS),
            "host {at} came to nothing"
        );
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that is gone already cannot be killed; either way it is to be waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The hosts, as seen from outside.
struct Bank {
    processes: [Mutex<Process>; HOSTS],
    signposts: Signposts,
    moved: Mutex<Vec<(u64, Vec<usize>)>>,
    numbers: AtomicU64,
    root: TempDir,
}

impl Bank {
    fn open() -> Self {
        let root = TempDir::new().expect("a temporary folder");
        let processes = std::array::from_fn(|at| Mutex::new(Process::start(root.path(), at)));
        Self {
            processes,
            signposts: Signposts(root.path().to_owned()),
            moved: Mutex::default(),
            numbers: AtomicU64::new(1),
            root,
        }
    }

    fn kill_and_restart(&self, at: usize) {
        let mut process = self.processes[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        process.0.kill().expect("it lives");
        process.0.wait().expect("it was killed");
        *process = Process::start(self.root.path(), at);
    }

    /// The rows of a batch, if it succeeded and its answer arrived.
    async fn ask(&self, at: usize, sql: &str) -> Option<Vec<Row>> {
        let target = Target {
            data_source: host_name(at),
            user_name: "sa".to_owned(),
            password: PASSWORD.to_owned(),
            database: Some("Bank".to_owned()),
            security: Security::LoginOnly,
            program: "test".to_owned(),
        };
        let mut connection = Connection::open(&self.signposts, &target).await.ok()?;
        let results = connection.run(sql).await.ok()?;
        Some(results.into_iter().flat_map(|rows| rows.rows).collect())
    }

    async fn work(self: Arc<Self>, mut dice: Dice, acts: watch::Sender<u64>) {
        for _ in 0..ACTS {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            if dice.below(5) == 0 {
                let first = dice.place(HOSTS);
                self.ask(first, &mark_batch(HOSTS, first, number)).await;
            } else {
                let (sql, hosts) = transfer_batch(HOSTS, number, &mut dice);
                if self.ask(hosts[0], &sql).await.is_some() {
                    self.moved().push((number, hosts));
                }
            }
            acts.send_modify(|acts| *acts += 1);
        }
    }

    fn moved(&self) -> MutexGuard<'_, Vec<(u64, Vec<usize>)>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until the sum is right and nothing that was acknowledged is missing.
    async fn settle(&self) {
        let clock = SystemClock::new();
        let total = Some(HOSTS as i128 * i128::from(ACCOUNTS * START));
        let mut seen = None;
        while clock.monotonic() < SETTLED {
            seen = self.sum().await;
            if seen == total && self.is_all_there().await {
                return;
            }
        }
        panic!("the sum is {seen:?} and not {total:?}, or a transfer is missing");
    }

    async fn sum(&self) -> Option<i128> {
        let mut sum = 0;
        for at in 0..HOSTS {
            let rows = self.ask(at, "SELECT SUM(Total) FROM dbo.Account").await?;
            sum += whole(&rows[0][0]);
        }
        Some(sum)
    }

    async fn is_all_there(&self) -> bool {
        let mut there = BTreeSet::new();
        for at in 0..HOSTS {
            let rows = self.ask(at, "SELECT Move FROM dbo.Moved").await;
            let moves = rows.unwrap_or_default();
            there.extend(moves.iter().map(|row| (whole(&row[0]), at)));
        }
        let moved = self.moved();
        let places = moved.iter().flat_map(|(number, hosts)| {
            let places = hosts.iter();
            places.map(|at| (i128::from(*number), *at))
        });
        places.into_iter().all(|place| there.contains(&place))
    }
}
