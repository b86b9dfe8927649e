//! Hosts for tests: instances in a temporary folder, listening on TCP, linked to each other.
//!
//! Start at [`Cluster::start`]. [`Client`] talks to an instance without TDS, so that every message
//! is seen; between hosts there is always TDS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlsim::Simulator;
use sqlsim::clock::{Clock, SystemClock};
use sqlsim::error::SqlError;
use sqlsim::instance::{Instance, InstanceBackend, InstanceOptions};
use sqlsim::link::Network;
use sqlsim::value::{Row, Value};
use sqlsim::wire::api::{Backend, BackendSession, Event, LoginRequest, Request};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The password of `sa` on every host.
pub(crate) const PASSWORD: &str = "Pa55-word";

/// Hosts that know each other.
pub(crate) struct Cluster {
    /// Where they find each other.
    pub(crate) network: Arc<Network>,
    /// The hosts, in the order of their names.
    pub(crate) hosts: Vec<Host>,
    folder: TempDir,
}

/// One instance, listening.
pub(crate) struct Host {
    /// Its name.
    pub(crate) name: String,
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    simulator: Simulator,
    folder: PathBuf,
}

impl Cluster {
    /// Starts hosts of these names, without links.
    pub(crate) async fn start(names: &[&str]) -> Self {
        Self::start_at(names, Arc::new(SystemClock::new())).await
    }

    /// Starts hosts that look at one clock.
    pub(crate) async fn start_at(names: &[&str], clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let network = Arc::new(Network::new());
        let mut hosts = Vec::new();
        for name in names {
            let mut options = InstanceOptions::new(name).with_dial(network.clone());
            options.lock_timeout = Duration::from_secs(10);
            options.dtc_timeout = Duration::from_secs(20);
            options.clock = Arc::clone(&clock);
            hosts.push(Host::open(&folder.path().join(name), options).await);
        }
        Self {
            network,
            hosts,
            folder,
        }
    }

    /// Starts hosts and links each to all others; `sa` is mapped to itself.
    pub(crate) async fn linked(names: &[&str]) -> Self {
        let cluster = Self::start(names).await;
        cluster.link().await;
        cluster
    }

    /// Links each host to all others.
    pub(crate) async fn link(&self) {
        for host in &self.hosts {
            let mut client = host.client().await;
            for other in self.hosts.iter().filter(|other| other.name != host.name) {
                let add = format!("EXEC sp_addlinkedserver N'{}'", other.name);
                client.run(&add).await;
            }
        }
    }

    /// A path in the cluster's folder, for backups.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Host {
    async fn open(folder: &Path, options: InstanceOptions) -> Self {
        let name = options.server_name.to_string();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start_plain(folder, options, any).await;
        let simulator = simulator.expect("the host starts");
        let instance = Arc::clone(simulator.instance());
        if instance.login("sa").is_none() {
            let made = instance.create_login("sa", PASSWORD, &["sysadmin"]);
            made.expect("a login");
        }
        Self {
            name,
            instance,
            simulator,
            folder: folder.to_owned(),
        }
    }

    /// Kills the instance and starts it anew on the same folder.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.instance.kill();
        let next = Self::open(&self.folder, self.instance.options.clone()).await;
        std::mem::replace(self, next).simulator.kill();
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.simulator.address().to_string()
    }

    /// A session of `sa`.
    pub(crate) async fn client(&self) -> Client {
        self.client_of("sa", PASSWORD).await.expect("sa may log in")
    }

    /// A session of some login.
    pub(crate) async fn client_of(&self, name: &str, password: &str) -> Result<Client, SqlError> {
        Client::open(&self.instance, name, password).await
    }
}

fn backend(instance: &Arc<Instance>) -> Arc<dyn Backend> {
    Arc::new(InstanceBackend(Arc::clone(instance)))
}

/// A session, driven without TDS.
pub(crate) struct Client {
    session: Box<dyn BackendSession>,
}

/// What a batch sent.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Rows of all result sets, in order.
    pub(crate) rows: Vec<Row>,
    /// Names of the columns of the last result set.
    pub(crate) columns: Vec<String>,
    /// Errors, in order.
    pub(crate) errors: Vec<SqlError>,
    /// Information, in order.
    pub(crate) infos: Vec<SqlError>,
}

impl Answer {
    /// Numbers of the errors.
    pub(crate) fn numbers(&self) -> Vec<i32> {
        self.errors.iter().map(|error| error.number).collect()
    }

    /// Numbers of the information.
    pub(crate) fn info_numbers(&self) -> Vec<i32> {
        self.infos.iter().map(|info| info.number).collect()
    }

    /// The first cell.
    pub(crate) fn value(&self) -> &Value {
        &self.rows[0][0]
    }

    /// The cell of the first row in a column of this name.
    pub(crate) fn cell(&self, name: &str) -> &Value {
        let at = self
            .columns
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name));
        &self.rows[0][at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns))]
    }
}

impl Client {
    /// Logs in.
    pub(crate) async fn open(
        instance: &Arc<Instance>,
        name: &str,
        password: &str,
    ) -> Result<Self, SqlError> {
        let login = LoginRequest {
            user_name: name.to_owned(),
            password: password.to_owned(),
            database: String::new(),
            app_name: "test".to_owned(),
            host_name: "test".to_owned(),
            server_name: instance.name(),
            library_name: String::new(),
            language: String::new(),
            process_id: 1,
            read_only_intent: false,
            integrated: false,
            encrypted: false,
            packet_bytes: 4096,
        };
        Ok(Self {
            session: backend(instance).login(&login).await?,
        })
    }

    /// Runs a batch, errors and all.
    pub(crate) async fn try_run(&mut self, sql: &str) -> Answer {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
        let running = self.session.execute(
            Request::Batch(sql.to_owned()),
            sender,
            CancellationToken::new(),
        );
        let reading = async {
            let mut answer = Answer::default();
            while let Some(event) = receiver.recv().await {
                match event {
                    Event::Columns(columns) => {
                        answer.columns = columns.into_iter().map(|column| column.name).collect();
                    }
                    Event::Row(row) => answer.rows.push(row),
                    Event::Error(error) => answer.errors.push(error),
                    Event::Info(info) => answer.infos.push(info),
                    _ => {}
                }
            }
            answer
        };
        let ((), answer) = tokio::join!(running, reading);
        answer
    }

    /// Runs a batch that must not fail.
    pub(crate) async fn run(&mut self, sql: &str) -> Answer {
        let answer = self.try_run(sql).await;
        assert!(
            answer.errors.is_empty(),
            "{sql}\n{:?}\n{:?}",
            answer.errors,
            answer.infos
        );
        answer
    }

    /// Returns when a query's first value is this one; what travels between hosts takes its time.
    pub(crate) async fn wait_for(&mut self, sql: &str, value: &Value) {
        for _ in 0..1000 {
            let answer = self.try_run(sql).await;
            if answer.rows.first().and_then(|row| row.first()) == Some(value) {
                return;
            }
            self.run("WAITFOR DELAY '00:00:00.010'").await;
        }
        let answer = self.try_run(sql).await;
        panic!("{sql}: {answer:?}, never {value:?}");
    }

    /// The numbers of the errors of a batch that fails.
    pub(crate) async fn fail(&mut self, sql: &str) -> Vec<i32> {
        self.try_run(sql).await.numbers()
    }

    /// Runs batches separated by lines of `GO`, none of which may fail.
    pub(crate) async fn script(&mut self, sql: &str) {
        for batch in sql.split("\nGO\n") {
            self.run(batch).await;
        }
    }
}
