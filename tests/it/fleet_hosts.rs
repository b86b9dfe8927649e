//! Simulated hosts for the fleet's tests: TCP with TLS, one authority, one share, one network.
//!
//! Start at [`Hosts::start`] and [`Hosts::fleet`]. The agent's login is no sysadmin unless a test says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use sqlsim::certificate::Authority;
use sqlsim::link::Network;
use sqlsim::{Instance, InstanceOptions, Simulator};
use stopmark::clock::SystemClock;
use stopmark::config::{
    BizTalkConfig, Config, Encryption, HostConfig, KeepingConfig, LoginConfig, MarkLogKind,
    PolicyConfig, ReadBack, ScheduleConfig, ServiceConfig, StoreConfig, TransferConfig,
};
use stopmark::model::{DatabaseName, HostName, MarkName, MemberName, PieceId, PieceKind};
use stopmark::plan::{
    BackUp, EnsureLink, LinkSecurity, MarkLeg, PlaceMark, PrepareMember, ProveMark, ProvenState,
    StagedStripe,
};
use stopmark::sql::SqlFleet;
use stopmark::sql::dial::TcpDial;
use stopmark::sql::observe;
use stopmark::survey::LINK_SIGNATURE;
use stopmark::world::{FactsWanted, Fleet, StepProgress};
use tempfile::TempDir;
use tiberius::AuthMethod;
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;
use uuid::Uuid;

/// A plain client of a host.
type Connection = Box<tiberius::Client<tokio_util::compat::Compat<TcpStream>>>;

const PASSWORD: &str = "Pa55-word";

/// Hosts that know each other.
pub(crate) struct Hosts {
    folder: TempDir,
    started: BTreeMap<HostName, Simulator>,
    next_piece: AtomicU64,
}

/// A valid name, whatever it names.
pub(crate) fn named<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("tests use valid names")
}

/// What one long step told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    highest: AtomicU8,
    all: Mutex<Vec<u8>>,
}

impl Told {
    /// The highest per cent.
    pub(crate) fn highest(&self) -> u8 {
        self.highest.load(Ordering::Relaxed)
    }
}

impl StepProgress for Told {
    fn percent(&self, percent: u8) {
        self.highest.fetch_max(percent, Ordering::Relaxed);
        self.all
            .lock()
            .expect("no test panics in here")
            .push(percent);
    }

    fn bytes(&self, _more: u64) {}
}

impl Hosts {
    /// Starts a host of each name, with the logins `sa` and `agent` (both sysadmin) and `link`.
    pub(crate) async fn start(names: &[&str]) -> Self {
        observe::install_alone();
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("share")).expect("a new folder");
        let authority = Authority::open(&folder.path().join("authority")).expect("an authority");
        let network = Arc::new(Network::new());
        network.trust(&std::fs::read_to_string(authority.file()).expect("its file"));
        let mut started = BTreeMap::new();
        for name in names {
            let dial: Arc<Network> = Arc::clone(&network);
            let options = InstanceOptions::new(name).with_dial(dial);
            let place = folder.path().join(name.replace('\\', "_"));
            let address = "127.0.0.1:0".parse().expect("an address");
            let simulator = Simulator::start(&place, options, address, &authority)
                .await
                .expect("it starts");
            network.enter(name, &simulator.address().to_string());
            for (login, roles) in [
                ("sa", ["sysadmin"].as_slice()),
                ("agent", &["sysadmin"]),
                ("link", &[]),
            ] {
                let made = simulator.instance().create_login(login, PASSWORD, roles);
                made.expect("a new login");
            }
            started.insert(named(name), simulator);
        }
        let next_piece = AtomicU64::new(1);
        Self {
            folder,
            started,
            next_piece,
        }
    }

    /// The simulated instance, for faults.
    pub(crate) fn instance(&self, name: &str) -> &Arc<Instance> {
        self.started[&named::<HostName>(name)].instance()
    }

    /// Where a host listens.
    pub(crate) fn address(&self, name: &str) -> std::net::SocketAddr {
        self.started[&named::<HostName>(name)].address()
    }

    /// The folder that hosts and agent share.
    pub(crate) fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// A fleet of these hosts, logged in as `agent`.
    pub(crate) fn fleet(&self) -> SqlFleet {
        self.fleet_with(|_| {})
    }

    /// The same with a change to each host's configuration.
    pub(crate) fn fleet_with(&self, change: impl Fn(&mut HostConfig)) -> SqlFleet {
        let mut config = self.config();
        config.hosts.values_mut().for_each(change);
        let (dial, clock) = (Arc::new(TcpDial), Arc::new(SystemClock::new()));
        SqlFleet::new(Arc::new(config), dial, clock).expect("the layer is installed")
    }

    fn config(&self) -> Config {
        let login = |user: &str| LoginConfig::Sql {
            user: user.to_owned(),
            password: SecretString::from(PASSWORD.to_owned()),
        };
        let host = |(name, simulator): (&HostName, &Simulator)| {
            let host = HostConfig {
                name: name.clone(),
                address: format!("127.0.0.1,{}", simulator.address().port()),
                login: login("agent"),
                encryption: Encryption::Required,
                trust_ca: simulator.authority_file().map(PathBuf::from),
                trust_any_certificate: false,
                share: None,
                foreign: Vec::new(),
                link_address: None,
                link_login: Some(login("link")),
            };
            (name.clone(), host)
        };
        Config {
            group: named("payments"),
            management_host: self.started.keys().next().expect("a host").clone(),
            mark_prefix: named("BTS"),
            mark_log: MarkLogKind::Stopmark,
            discovery: None,
            biztalk: BizTalkConfig::default(),
            members: Vec::new(),
            hosts: self.started.iter().map(host).collect(),
            store: StoreConfig {
                name: stopmark::model::StoreName::default(),
                url: "file:///nowhere".to_owned(),
                options: BTreeMap::new(),
                secrets: BTreeMap::new(),
                transfer: TransferConfig::default(),
                keeping: KeepingConfig::default(),
            },
            further_stores: Vec::new(),
            schedule: ScheduleConfig::default(),
            service: ServiceConfig::default(),
            sealing: None,
            policy: PolicyConfig {
                read_back: ReadBack::Whole,
                sample_over_bytes: 64 << 30,
                copies: 1,
                copy_budget_bytes: 8 << 30,
                staging_max_bytes: 100 << 30,
                statement_silence_max: Duration::from_secs(30),
                mark_timeout: Duration::from_secs(30),
                connect_timeout: Duration::from_secs(10),
                lease_ttl: Duration::from_secs(60),
                ..PolicyConfig::default()
            },
            retention: None,
            drill: None,
            companions: Vec::new(),
            state: "/nowhere".into(),
            logs: "/nowhere".into(),
        }
    }

    /// Runs a batch as `sa`; the first column's texts.
    pub(crate) async fn run(&self, host: &str, sql: &str) -> Vec<String> {
        self.hold(host, sql).await.1
    }

    /// The same, and the connection, which keeps what it locked until it is dropped.
    pub(crate) async fn hold(&self, host: &str, sql: &str) -> (Connection, Vec<String>) {
        let mut config = tiberius::Config::new();
        config.host("127.0.0.1");
        config.authentication(AuthMethod::sql_server("sa", PASSWORD));
        config.trust_cert();
        let stream = TcpStream::connect(self.address(host))
            .await
            .expect("it listens");
        let connecting = Box::pin(tiberius::Client::connect(config, stream.compat_write()));
        let mut client = Box::new(connecting.await.expect("sa may log in"));
        let answer = client
            .simple_query(sql)
            .await
            .expect(sql)
            .into_results()
            .await
            .expect(sql);
        let text =
            |row: &tiberius::Row| row.try_get::<&str, _>(0).ok().flatten().map(str::to_owned);
        let texts = answer.iter().flatten().filter_map(text).collect();
        (client, texts)
    }

    /// Makes databases in the FULL recovery model.
    pub(crate) async fn create(&self, host: &str, databases: &[&str]) {
        for database in databases {
            let name = stopmark::sql::quote::identifier(database);
            self.run(host, &format!("CREATE DATABASE {name};")).await;
            self.run(host, &format!("ALTER DATABASE {name} SET RECOVERY FULL;"))
                .await;
        }
    }

    /// Makes databases and what marks need in them.
    pub(crate) async fn prepare(&self, host: &str, databases: &[&str]) {
        self.create(host, databases).await;
        for database in databases {
            self.prepare_again(host, database).await;
        }
    }

    /// Makes what marks need in a database that is there.
    pub(crate) async fn prepare_again(&self, host: &str, database: &str) {
        let step = PrepareMember {
            member: member(host, database),
            grantees: vec!["agent".to_owned(), "link".to_owned()],
        };
        self.fleet().prepare_member(&step).await.expect("prepared");
    }

    /// The link from one host to another as a plan would have it.
    pub(crate) fn link(&self, target: &str) -> EnsureLink {
        let address = self.address(target);
        EnsureLink {
            link: target.to_owned(),
            target: named(target),
            data_source: format!("tcp:127.0.0.1,{}", address.port()),
            provider: "MSOLEDBSQL".to_owned(),
            provider_string: format!("{LINK_SIGNATURE}Encrypt=Mandatory;"),
            query_timeout_s: 60,
            security: LinkSecurity::Mapped {
                remote_login: "link".to_owned(),
            },
            exists: false,
            reason: "it does not exist".to_owned(),
        }
    }

    /// A backup of one member to `stripes` files of the share.
    pub(crate) fn backup(
        &self,
        member: &MemberName,
        piece_kind: PieceKind,
        stripes: u16,
    ) -> BackUp {
        let piece = self.next_piece.fetch_add(1, Ordering::Relaxed);
        let stripe = |at: u16| {
            let path = self.share().join(format!("{piece}.{at}of{stripes}.bak"));
            StagedStripe {
                sql_path: path.to_string_lossy().into_owned(),
                agent_path: path,
                key: String::new(),
            }
        };
        BackUp {
            piece: PieceId(Uuid::from_u64_pair(0, piece)),
            member: member.clone(),
            taken_on: None,
            replica_wait_ms: None,
            piece_kind,
            stripes: (1..=stripes).map(stripe).collect(),
            compression: None,
            mark: None,
            reason: "a test".to_owned(),
            is_cure: false,
            tail: None,
            retry: None,
            is_copy_only: false,
            by_procedure: None,
        }
    }
}

/// A member's name.
pub(crate) fn member(host: &str, database: &str) -> MemberName {
    MemberName::new(named(host), named(database))
}

/// Everything that a survey may want of these databases.
pub(crate) fn wanted(databases: &[&str], is_management_host: bool) -> FactsWanted {
    FactsWanted {
        databases: databases.iter().map(|name| named(name)).collect(),
        mark_log: MarkLogKind::Stopmark,
        mark_prefix: named("BTS"),
        is_management_host,
        event_session: "stopmark_test".to_owned(),
        wants_log_used: false,
    }
}

/// The proof that a restored database stands at this mark.
pub(crate) fn proof(target: &str, mark: &str, mark_log: MarkLogKind) -> ProveMark {
    ProveMark {
        member: member("PAY1", "Ledger"),
        target: named(target),
        mark: named(mark),
        later_marks: Vec::new(),
        mark_log,
        state: ProvenState::Online,
    }
}

/// A mark that begins on `management_host` with these members.
pub(crate) fn mark(
    name: &str,
    management_host: &str,
    local: &[&str],
    remote: &[(&str, &[&str])],
) -> PlaceMark {
    let databases =
        |names: &[&str]| -> Vec<DatabaseName> { names.iter().map(|name| named(name)).collect() };
    let name: MarkName = named(name);
    PlaceMark {
        stamped_at: name.stamped_at().expect("a stamped mark"),
        mark: name,
        mark_log: MarkLogKind::Stopmark,
        management_host: named(management_host),
        local: databases(local),
        remote: remote
            .iter()
            .map(|(host, names)| MarkLeg {
                host: named(host),
                link: (*host).to_owned(),
                databases: databases(names),
            })
            .collect(),
        app_lock: None,
        timeout_ms: 30_000,
        tracking: None,
        by_procedure: None,
    }
}
