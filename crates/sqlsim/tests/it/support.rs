//! Hosts and clients for tests: a simulated host in a temporary folder, and a client that shows
//! answers as text.
//!
//! Start at [`Host::new`] and [`Client::check`].

use std::path::Path;
use std::sync::Arc;

use sqlsim::link::Network;
use sqlsim::{Instance, InstanceOptions, Simulator};
use tempfile::TempDir;
use tiberius::{AuthMethod, ColumnData, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// The password of every login of the tests.
pub(crate) const PASSWORD: &str = "Pa55-word";

/// A simulated host in a folder that goes with it.
pub(crate) struct Host {
    folder: Arc<TempDir>,
    network: Arc<Network>,
    name: String,
    pub(crate) simulator: Simulator,
}

impl Host {
    /// A host of its own, on a network of its own.
    pub(crate) async fn new(name: &str) -> Self {
        Self::on(&Arc::new(Network::new()), name).await
    }

    /// A host on a network that others share.
    pub(crate) async fn on(network: &Arc<Network>, name: &str) -> Self {
        let folder = Arc::new(TempDir::new().expect("temporary folder"));
        let simulator = start(folder.path(), network, name).await;
        let instance = simulator.instance();
        instance
            .create_login("sa", PASSWORD, &["sysadmin"])
            .expect("sa is made once");
        Self {
            folder,
            network: Arc::clone(network),
            name: name.to_owned(),
            simulator,
        }
    }

    pub(crate) fn instance(&self) -> &Arc<Instance> {
        self.simulator.instance()
    }

    /// A client logged in as `sa` in master.
    pub(crate) async fn client(&self) -> Client {
        self.login("sa", "master").await.expect("sa may log in")
    }

    /// A client of another login.
    pub(crate) async fn login(
        &self,
        user: &str,
        database: &str,
    ) -> Result<Client, tiberius::error::Error> {
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(self.simulator.address().port());
        config.database(database);
        config.authentication(AuthMethod::sql_server(user, PASSWORD));
        config.encryption(EncryptionLevel::NotSupported);
        let stream = TcpStream::connect(self.simulator.address())
            .await
            .expect("it listens");
        let client = Box::pin(tiberius::Client::connect(config, stream.compat_write())).await?;
        Ok(Client { client })
    }

    /// Stops the host and starts it again in the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            folder,
            network,
            name,
            simulator,
        } = self;
        simulator.stop().await.expect("it stops");
        let simulator = start(folder.path(), &network, &name).await;
        Self {
            folder,
            network,
            name,
            simulator,
        }
    }

    /// Kills the host and starts it again in the same folder.
    pub(crate) async fn kill(self) -> Self {
        let Self {
            folder,
            network,
            name,
            simulator,
        } = self;
        simulator.kill();
        let simulator = start(folder.path(), &network, &name).await;
        Self {
            folder,
            network,
            name,
            simulator,
        }
    }
}

async fn start(folder: &Path, network: &Arc<Network>, name: &str) -> Simulator {
    let dial: Arc<Network> = Arc::clone(network);
    let options = InstanceOptions::new(name).with_dial(dial);
    let address = "127.0.0.1:0".parse().expect("an address");
    let simulator = Simulator::start_plain(folder, options, address)
        .await
        .expect("it starts");
    network.enter(name, &simulator.address().to_string());
    simulator
}

/// A client that shows answers as text.
pub(crate) struct Client {
    client: tiberius::Client<Compat<TcpStream>>,
}

impl Client {
    /// Runs a batch; each result set's rows are lines, cells are parted by `|`, and an error is its
    /// number.
    pub(crate) async fn run(&mut self, sql: &str) -> String {
        match self.rows(sql).await {
            Ok(text) => text,
            Err(tiberius::error::Error::Server(error)) => {
                format!("error {}: {}", error.code(), error.message())
            }
            Err(other) => format!("broken: {other}"),
        }
    }

    async fn rows(&mut self, sql: &str) -> Result<String, tiberius::error::Error> {
        let results = self.client.simple_query(sql).await?.into_results().await?;
        let lines = results.into_iter().flatten().map(|row| {
            let cells: Vec<String> = row.cells().map(|(_, cell)| shown(cell)).collect();
            cells.join("|")
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Runs a batch and compares what it shows.
    #[track_caller]
    pub(crate) fn check<'a>(
        &'a mut self,
        sql: &'a str,
        expected: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let shown = self.run(sql).await;
            assert_eq!(shown, expected, "{place}: {sql}");
        }
    }

    /// Runs a batch that must fail with this number.
    #[track_caller]
    pub(crate) fn fails<'a>(
        &'a mut self,
        sql: &'a str,
        number: u32,
    ) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let shown = self.run(sql).await;
            assert!(
                shown.starts_with(&format!("error {number}: ")),
                "{place}: {sql}: {shown}"
            );
        }
    }
}

pub(crate) fn shown(cell: &ColumnData<'_>) -> String {
    fn text<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
    }
    match cell {
        ColumnData::U8(v) => text(*v),
        ColumnData::I16(v) => text(*v),
        ColumnData::I32(v) => text(*v),
        ColumnData::I64(v) => text(*v),
        ColumnData::F32(v) => text(*v),
        ColumnData::F64(v) => text(*v),
        ColumnData::Bit(v) => text(v.map(u8::from)),
        ColumnData::String(v) => text(v.as_ref()),
        ColumnData::Guid(v) => text(*v),
        ColumnData::Numeric(Some(v)) if v.scale() == 0 => v.value().to_string(),
        ColumnData::Numeric(v) => text(*v),
        ColumnData::Binary(v) => text(v.as_ref().map(|bytes| format!("{} bytes", bytes.len()))),
        other => format!("{other:?}"),
    }
}

impl Client {
    /// Runs text with one integer parameter, as `sp_executesql` over RPC.
    pub(crate) async fn with_parameter(&mut self, sql: &str, value: i32) -> String {
        let results = self.client.query(sql, &[&value]).await.expect("it runs");
        let rows = results.into_results().await.expect("it ends well");
        let lines = rows.into_iter().flatten().map(|row| {
            let cells: Vec<String> = row.cells().map(|(_, cell)| shown(cell)).collect();
            cells.join("|")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Rows affected by each statement of a text with one integer parameter.
    pub(crate) async fn affected(&mut self, sql: &str, value: i32) -> Vec<u64> {
        let result = self.client.execute(sql, &[&value]).await.expect("it runs");
        result.rows_affected().to_vec()
    }
}
