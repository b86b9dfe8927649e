//! `stopmark sim`: simulated SQL Servers on this machine, each a folder that survives everything.
//!
//! Start at [`Hosts::start`]. Hosts keep their ports, so a configuration that names them stays true. They
//! listen on 127.0.0.1 only.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlsim::certificate::Authority;
use sqlsim::link::Network;
use sqlsim::{InstanceOptions, Simulator};

use super::args::SimArgs;
use super::out::Out;
use super::{Failed, unprintable};
use crate::clock::{RandomIds, SystemClock};
use crate::error::{Code, Error, Exit, Result};
use crate::plan::slug;
use crate::run::Interrupt;
use crate::world::{Clock as _, Ids as _};

/// Simulated hosts that know each other.
pub(super) struct Hosts {
    hosts: Vec<(String, Simulator)>,
    folder: PathBuf,
}

impl Hosts {
    /// Opens or makes hosts of these names below `folder`. `first_port` 0: the ports of last time, else free
    /// ones.
    pub(super) async fn start(folder: &Path, names: &[String], first_port: u16) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| unstartable(folder, error))?;
        let folder = fs::canonicalize(folder).map_err(|error| unstartable(folder, error))?;
        let authority = Authority::open(&folder).map_err(|error| unstartable(&folder, error))?;
        let network = Arc::new(Network::new());
        let trusted = fs::read_to_string(authority.file());
        network.trust(&trusted.map_err(|error| unstartable(authority.file(), error))?);
        let password = password(&folder)?;
        let mut hosts = Vec::new();
        for (name, port) in names.iter().zip(ports(first_port)) {
            let home = folder.join(slug(name));
            let options = InstanceOptions::new(name).with_dial(network.clone());
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(port_of(&home))));
            let started = Simulator::start(&home, options, address, &authority).await;
            let host = started.map_err(|error| unstartable(&home, error))?;
            network.enter(name, &host.address().to_string());
            let port = host.address().port().to_string();
            fs::write(home.join("port"), port).map_err(|error| unstartable(&home, error))?;
            if host.instance().login("sa").is_none() {
                let made = host.instance().create_login("sa", &password, &["sysadmin"]);
                made.map_err(|error| unstartable(&home, error))?;
            }
            hosts.push((name.clone(), host));
        }
        Ok(Self { hosts, folder })
    }

    /// One of the hosts.
    pub(super) fn host(&self, name: &str) -> &Simulator {
        let found = self.hosts.iter().find(|(host, _)| host == name);
        &found.expect("only hosts that were started are asked for").1
    }

    /// The names and addresses, `127.0.0.1,1433`.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&str, String)> {
        self.hosts.iter().map(|(name, host)| {
            let address = host.address();
            (
                name.as_str(),
                format!("{},{}", address.ip(), address.port()),
            )
        })
    }

    /// The CA that signed all their certificates.
    pub(super) fn authority_file(&self) -> PathBuf {
        let file = self
            .hosts
            .iter()
            .find_map(|(_, host)| host.authority_file());
        file.map_or_else(|| self.folder.clone(), Path::to_path_buf)
    }

    /// Stops them all; their databases are whole on the disk afterwards.
    pub(super) async fn stop(self) -> Result<()> {
        for (name, host) in self.hosts {
            host.stop()
                .await
                .map_err(|error| unstartable(Path::new(&name), error))?;
        }
        Ok(())
    }
}

/// Runs hosts until Ctrl-C.
pub(super) async fn sim(
    args: &SimArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> std::result::Result<Exit, Failed> {
    refuse_twins(&args.hosts).map_err(|error| vec![error])?;
    let started = Hosts::start(&args.folder, &args.hosts, args.port).await;
    let hosts = started.map_err(|error| vec![error])?;
    let mut words = vec!["simulated hosts:".to_owned()];
    words.extend(
        hosts
            .addresses()
            .map(|(name, address)| format!("  {name:<16} {address}")),
    );
    words.push(format!(
        "login `sa`, password in {}",
        password_file(&hosts.folder).display()
    ));
    words.push(format!(
        "certificates are signed by {}",
        hosts.authority_file().display()
    ));
    words.push("Ctrl-C ends them".to_owned());
    out.say(&words.join("\n")).map_err(unprintable)?;
    let clock = SystemClock::new();
    while !interrupt.is_asked() {
        clock
            .sleep_until(clock.monotonic() + Duration::from_millis(200))
            .await;
    }
    hosts.stop().await.map_err(|error| vec![error])?;
    Ok(Exit::Ok)
}

/// Two hosts of one name would share a folder.
fn refuse_twins(names: &[String]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.to_lowercase())) {
        None => Ok(()),
        Some(twin) => Err(
            Error::new(Code::CommandLine, format!("host `{twin}` is named twice"))
                .hint("SQL Server compares host names without case: give each host another name"),
        ),
    }
}

/// Ports counted up from the first, or none where the system or last time shall say.
fn ports(first: u16) -> impl Iterator<Item = Option<u16>> {
    (0..u16::MAX).map(move |at| (first != 0).then(|| first.saturating_add(at)))
}

fn port_of(home: &Path) -> u16 {
    let kept = fs::read_to_string(home.join("port")).ok();
    kept.and_then(|port| port.trim().parse().ok()).unwrap_or(0)
}

fn password_file(folder: &Path) -> PathBuf {
    folder.join("sa.password")
}

/// A password of this folder's own, kept in a file that only its owner may read.
fn password(folder: &Path) -> Result<String> {
    let path = password_file(folder);
    if let Ok(password) = fs::read_to_string(&path) {
        return Ok(password.trim().to_owned());
    }
    let password = format!("Sim-{}", RandomIds.next().simple());
    super::setup::write_private(&path, &password)?;
    Ok(password)
}

fn unstartable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        Code::StateUnwritable,
        "a simulated host cannot be started or stopped",
    )
    .at("folder", path.display())
    .hint(
        "another process may be using the folder or the port; `--folder` and `--port` name others",
    )
    .source(error)
}
