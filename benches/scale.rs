//! How much many databases and a large one cost: `cargo bench --bench scale -- [HOSTS] [MEMBERS A HOST] [MIB]`.
//!
//! Start at [`main`]. This program starts itself a second time as the simulated hosts, all in one process, so that the
//! agent and the simulator can be told apart: CPU seconds and resident memory of both are read from `/proc`, which
//! makes it a program for Linux. It takes a full and two marked log runs over all members (10 hosts of 50 where nothing
//! else is said) and restores them over themselves, then takes a full of one member with so much ballast (4,096 MiB),
//! and prints what each cost.
//!
//! It judges nothing: the figures stand in `docs/evidence.md`.
#![expect(clippy::print_stdout, reason = "figures are for whoever ran it")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use sqlsim::certificate::Authority;
use sqlsim::link::Network;
use sqlsim::{InstanceOptions, Simulator};
use stopmark::clock::SystemClock;
use stopmark::error::Exit;
use stopmark::run::Interrupt;
use stopmark::world::Clock as _;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const LOGIN: &str = "stopmark";
const PASSWORD: &str = "Scale-1-scale";
/// Set for the process that is the hosts.
const HOSTS_FOLDER: &str = "STOPMARK_SCALE_HOSTS";

/// What is tried.
#[derive(Clone, Copy)]
struct Size {
    hosts: usize,
    members_per_host: usize,
    ballast_mib: usize,
}

fn main() -> Outcome<()> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let at = |index: usize, default: usize| numbers.get(index).copied().unwrap_or(default);
    let size = Size {
        hosts: at(0, 10),
        members_per_host: at(1, 50),
        ballast_mib: at(2, 4096),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match std::env::var_os(HOSTS_FOLDER) {
        Some(folder) => runtime.block_on(be_the_hosts(Path::new(&folder), size)),
        None => runtime.block_on(measure(size)),
    }
}

async fn measure(size: Size) -> Outcome<()> {
    println!(
        "{:<28} {:>8} {:>10} {:>10} {:>11} {:>11}",
        "", "seconds", "agent CPU", "hosts CPU", "agent peak", "hosts peak"
    );
    let heavy = Size {
        hosts: 1,
        members_per_host: 1,
        ..size
    };
    trial(
        heavy,
        &[
            ("prepare", &["group", "prepare"]),
            ("full", &["backup", "full"]),
        ],
    )
    .await?;
    let many = Size {
        ballast_mib: 0,
        ..size
    };
    let log = ["backup", "log"];
    let in_place = [
        "restore",
        "run",
        "--in-place",
        "--no-tail",
        "--yes-overwrite",
        "scale",
    ];
    let steps: [(&str, &[&str]); 5] = [
        ("prepare", &["group", "prepare"]),
        ("full", &["backup", "full"]),
        ("first mark and logs", &log),
        ("next mark and logs", &log),
        ("restore over itself", &in_place),
    ];
    trial(many, &steps).await
}

/// Runs these commands over a new group of this size.
async fn trial(size: Size, steps: &[(&str, &[&str])]) -> Outcome<()> {
    let Size {
        hosts,
        members_per_host: members,
        ballast_mib: mib,
    } = size;
    println!("hosts {hosts}, members a host {members}, ballast {mib} MiB:");
    let folder = tempfile::tempdir()?;
    let hosts = Hosts::start(folder.path(), size)?;
    let config = folder.path().join("stopmark.toml");
    let text = configuration(folder.path(), &hosts.addresses, size)?;
    fs::write(&config, text)?;
    for (title, command) in steps {
        hosts.measure(title, &config, command).await?;
    }
    hosts.end()
}

/// The process that is the hosts.
struct Hosts {
    child: Child,
    addresses: Vec<String>,
}

impl Hosts {
    fn start(folder: &Path, size: Size) -> Outcome<Self> {
        let numbers = [size.hosts, size.members_per_host, size.ballast_mib];
        let mut child = Command::new(std::env::current_exe()?)
            .args(numbers.map(|number| number.to_string()))
            .env(HOSTS_FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdout.take().ok_or("the hosts have no output")?;
        let lines = BufReader::new(said).lines().take(size.hosts);
        let addresses = lines.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { child, addresses })
    }

    async fn measure(&self, title: &str, config: &Path, command: &[&str]) -> Outcome<()> {
        let clock = SystemClock::new();
        let hosts = self.child.id().to_string();
        let (agent_before, hosts_before) = (cpu_seconds("self")?, cpu_seconds(&hosts)?);
        agent(config, command).await?;
        println!(
            "{title:<28} {:>8.1} {:>10.1} {:>10.1} {:>7} MiB {:>7} MiB",
            clock.monotonic().as_secs_f64(),
            cpu_seconds("self")? - agent_before,
            cpu_seconds(&hosts)? - hosts_before,
            peak_mib("self")?,
            peak_mib(&hosts)?,
        );
        Ok(())
    }

    fn end(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

async fn agent(config: &Path, command: &[&str]) -> Outcome<()> {
    let program = ["stopmark".into(), "--config".into(), config.into()];
    let words = command.iter().map(Into::into);
    let args = program.into_iter().chain(words).collect();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let interrupt = Interrupt::default();
    let exit = Box::pin(stopmark::cli::run(
        args,
        &mut stdout,
        &mut stderr,
        &interrupt,
    ))
    .await;
    if exit == Exit::Ok {
        return Ok(());
    }
    let said = [stdout, stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

async fn be_the_hosts(folder: &Path, size: Size) -> Outcome<()> {
    let authority = Authority::open(folder)?;
    let network = Arc::new(Network::new());
    network.trust(&fs::read_to_string(authority.file())?);
    let mut hosts = Vec::new();
    for name in host_names(size) {
        let home = folder.join(&name);
        let options = InstanceOptions::new(&name).with_dial(network.clone());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let host = Simulator::start(&home, options, address, &authority).await?;
        network.enter(&name, &host.address().to_string());
        host.instance()
            .create_login(LOGIN, PASSWORD, &["sysadmin"])?;
        sqlsim::instance::run_script(host.instance(), "master", &databases(size)?).await?;
        hosts.push(host);
    }
    for host in &hosts {
        println!("{},{}", host.address().ip(), host.address().port());
    }
    // Until whoever started them is gone.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn host_names(size: Size) -> impl Iterator<Item = String> {
    (0..size.hosts).map(|host| format!("HOST{host}"))
}

fn databases(size: Size) -> Outcome<String> {
    let mut script = String::new();
    for member in 0..size.members_per_host {
        writeln!(script, "CREATE DATABASE db{member};")?;
        if size.ballast_mib > 0 {
            let mib = size.ballast_mib;
            writeln!(script, "EXEC sp_sim_ballast N'db{member}', {mib};")?;
        }
    }
    Ok(script)
}

fn configuration(folder: &Path, addresses: &[String], size: Size) -> Outcome<String> {
    let here = folder.display();
    let mut text =
        "format = 1\n[group]\nname = \"scale\"\nmanagement_host = \"HOST0\"\nmembers = [\n"
            .to_owned();
    for host in host_names(size) {
        for member in 0..size.members_per_host {
            writeln!(text, "\"{host}/db{member}\",")?;
        }
    }
    writeln!(
        text,
        "]\n[store]\nurl = \"file://{here}/store\"\n[paths]\nstate = \"state\"\nlogs = \"logs\""
    )?;
    fs::write(folder.join("password"), PASSWORD)?;
    let login = format!("{{ user = \"{LOGIN}\", password = {{ file = \"password\" }} }}");
    for (host, address) in host_names(size).zip(addresses) {
        let share = folder.join("share").join(&host);
        fs::create_dir_all(&share)?;
        writeln!(
            text,
            "[hosts.{host}]\naddress = \"{address}\"\nlogin = {login}\nlink_login = {login}\ntrust_ca = '{here}/ca.pem'\n\
             share = {{ sql = '{share}', agent = '{share}' }}",
            share = share.display(),
        )?;
    }
    Ok(text)
}

fn cpu_seconds(process: &str) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name in brackets, which may hold anything; ticks are hundredths of a second on Linux.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in the statistics")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<u32> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(f64::from(ticks.iter().sum::<u32>()) / 100.0)
}

fn peak_mib(process: &str) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.split_whitespace().next());
    Ok(kib.ok_or("no peak")?.parse::<u64>()? / 1024)
}
