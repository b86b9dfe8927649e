//! Simulated hosts that listen on loopback, for foreign clients and for whole runs of the agent.
//!
//! Start at [`Hosts::start`]. The hosts share one authority and know each other by name.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sqlsim::certificate::Authority;
use sqlsim::link::Network;
use sqlsim::{InstanceOptions, Simulator};

/// The login that may do everything on every host.
pub(crate) const LOGIN: &str = "sa";
/// Its password; the hosts live as long as a test and listen on loopback only.
pub(crate) const PASSWORD: &str = "F0reign 'quoted'";

/// Hosts in a folder that goes with them.
pub(crate) struct Hosts {
    folder: tempfile::TempDir,
    authority: Authority,
    list: Vec<(String, Simulator)>,
}

impl Hosts {
    /// Starts a host of each name.
    pub(crate) async fn start(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path()).expect("an authority");
        let network = Arc::new(Network::new());
        network.trust(&fs::read_to_string(authority.file()).expect("the authority's file"));
        let mut list = Vec::new();
        for name in names {
            let options = InstanceOptions::new(name).with_dial(network.clone());
            let home = folder.path().join("hosts").join(name);
            let address = "127.0.0.1:0".parse().expect("an address");
            let host = Simulator::start(&home, options, address, &authority).await;
            let host = host.expect("a host starts");
            network.enter(name, &host.address().to_string());
            let login = host.instance().create_login(LOGIN, PASSWORD, &["sysadmin"]);
            login.expect("a login");
            list.push(((*name).to_owned(), host));
        }
        Self {
            folder,
            authority,
            list,
        }
    }

    /// One of them.
    pub(crate) fn host(&self, name: &str) -> &Simulator {
        let found = self.list.iter().find(|(host, _)| host == name);
        &found.expect("a host that was started").1
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    /// The file of the authority that signed every host's certificate.
    pub(crate) fn authority_file(&self) -> &Path {
        self.authority.file()
    }

    /// A folder for the test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs T-SQL on a host from inside, with all rights.
    pub(crate) async fn script(&self, host: &str, database: &str, sql: &str) {
        let instance = self.host(host).instance();
        let ran = sqlsim::instance::run_script(instance, database, sql).await;
        ran.expect("the script runs");
    }

    /// Stops them all.
    pub(crate) async fn stop(self) {
        for (_, host) in self.list {
            host.stop().await.expect("a host stops");
        }
    }
}
