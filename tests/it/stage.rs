//! A stage for stories: simulated hosts with databases, a configuration, and the commands run as a shell would.
//!
//! Start at [`Stage::set`]. Hosts listen on loopback with TLS; the agent reaches them as it reaches SQL Server.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sqlsim::certificate::Authority;
use sqlsim::instance::run_script;
use sqlsim::link::Network;
use sqlsim::{InstanceOptions, Simulator};
use stopmark::catalog::{CopyPolicy, SqliteCatalog};
use stopmark::cli::{self, progress::NoProgress};
use stopmark::clock::{RandomIds, SystemClock};
use stopmark::config::{self, Config, OsSecrets};
use stopmark::error::Exit;
use stopmark::media::{Access, ForeignMedia};
use stopmark::notify::Silent;
use stopmark::run::Interrupt;
use stopmark::run::journal::JournalFolder;
use stopmark::sql::{SqlFleet, dial::TcpDial, observe};
use stopmark::store::{AgentIdentity, LocalStaging, Stores};
use stopmark::world::World;
use tempfile::TempDir;
use tiberius::{AuthMethod, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use crate::scrub;

/// The password of every login.
pub(crate) const PASSWORD: &str = "Stage-Pa55word";
/// The agent's login.
pub(crate) const AGENT: &str = "stopmark";

/// How often a command is asked again that another seems to keep from working.
const AGAIN_MAX: u32 = 50;

/// A client of one host.
pub(crate) type Client = tiberius::Client<Compat<TcpStream>>;

/// Hosts, a group on them, and its configuration.
pub(crate) struct Stage {
    pub(crate) hosts: Vec<(String, Simulator)>,
    pub(crate) network: Arc<Network>,
    folder: TempDir,
    authority: Authority,
}

/// What a command printed and how it ended.
pub(crate) struct Printed {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    /// Starts these hosts with these databases (a host without databases is a spare one), makes the agent's
    /// login on each, writes the configuration, and prepares the members for marks. The first host is the
    /// management host.
    pub(crate) async fn set(layout: &[(&str, &[&str])]) -> Self {
        let stage = Self::unprepared(layout).await;
        let prepared = stage.run(&["group", "prepare"]).await;
        assert_eq!(
            prepared.exit,
            Exit::Ok,
            "{}{}",
            prepared.stdout,
            prepared.stderr
        );
        stage
    }

    /// As [`Self::set`], but the members lack what marks need.
    pub(crate) async fn unprepared(layout: &[(&str, &[&str])]) -> Self {
        Self::of(layout, |_, _| {}).await
    }

    /// As [`Self::unprepared`], each host on a clock of its own.
    pub(crate) async fn on_clocks(
        layout: &[(&str, &[&str])],
        clock_of: impl Fn(&str) -> Arc<dyn sqlsim::clock::Clock> + Send + Sync,
    ) -> Self {
        Self::of(layout, |name, options| options.clock = clock_of(name)).await
    }

    /// As [`Self::unprepared`], each host with options of its own.
    pub(crate) async fn of(
        layout: &[(&str, &[&str])],
        change: impl Fn(&str, &mut InstanceOptions) + Send + Sync,
    ) -> Self {
        observe::install_alone();
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path()).expect("an authority");
        let network = Arc::new(Network::new());
        network.trust(&fs::read_to_string(authority.file()).expect("its certificate"));
        let mut stage = Self {
            hosts: Vec::new(),
            network,
            folder,
            authority,
        };
        for (name, databases) in layout {
            stage.start_host(name, &change).await;
            for database in *databases {
                stage
                    .script(
                        name,
                        "master",
                        &format!("CREATE DATABASE [{}];", database.replace(']', "]]")),
                    )
                    .await;
            }
        }
        fs::write(stage.config_path(), stage.config_text(layout)).expect("writes");
        stage
    }

    /// Starts one host on a free port, on the folder of that name.
    async fn start_host(&mut self, name: &str, change: impl Fn(&str, &mut InstanceOptions) + Send) {
        let home = self
            .folder
            .path()
            .join("hosts")
            .join(self.hosts.len().to_string());
        let mut options = InstanceOptions::new(name).with_dial(self.network.clone());
        change(name, &mut options);
        let any = "127.0.0.1:0".parse().expect("an address");
        let host = Simulator::start(&home, options, any, &self.authority)
            .await
            .expect("it starts");
        self.network.enter(name, &host.address().to_string());
        host.instance()
            .create_login(AGENT, PASSWORD, &["sysadmin"])
            .expect("a login");
        self.hosts.push((name.to_owned(), host));
    }

    /// Stops a host and starts it on its folder and its port under another name, as a computer that was renamed.
    pub(crate) async fn rename(&mut self, from: &str, to: &str) {
        let at = self.hosts.iter().position(|(name, _)| name == from);
        let at = at.expect("a host of the stage");
        let (_, host) = self.hosts.remove(at);
        let address = host.address();
        host.stop().await.expect("it stops");
        let home = self.folder.path().join("hosts").join(at.to_string());
        let options = InstanceOptions::new(to).with_dial(self.network.clone());
        let host = Simulator::start(&home, options, address, &self.authority).await;
        let host = host.expect("it starts");
        self.network.enter(to, &host.address().to_string());
        self.hosts.insert(at, (to.to_owned(), host));
    }

    fn config_text(&self, layout: &[(&str, &[&str])]) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string");
        let members: Vec<String> = layout
            .iter()
            .flat_map(|(host, databases)| {
                databases
                    .iter()
                    .map(move |db| quoted(&format!("{host}/{db}")))
            })
            .collect();
        let store = url_of(&self.path("store"));
        let mut text = format!(
            "format = 1\n\n[group]\nname = \"stage\"\nmanagement_host = {}\nmark_prefix = \"SM\"\n\
             mark_log = \"stopmark\"\nmembers = [{}]\n\n[store]\nurl = {}\n\n[paths]\nstate = \"state\"\nlogs = \"logs\"\n\n\
             # Faults are injected one at a time, and are to be told.\n[policy]\nretry_times = 0\n",
            quoted(layout[0].0),
            members.join(", "),
            quoted(&store)
        );
        for (at, (name, host)) in self.hosts.iter().enumerate() {
            let share = self.path("share").join(at.to_string());
            fs::create_dir_all(&share).expect("a share");
            let share = quoted(&share.display().to_string());
            let login = format!("{{ user = \"{AGENT}\", password = {{ file = \"password\" }} }}");
            let section = format!(
                "\n[hosts.{}]\naddress = \"127.0.0.1,{}\"\nlogin = {login}\nlink_login = {login}\n\
                 trust_ca = {}\nshare = {{ sql = {share}, agent = {share} }}\n",
                quoted(name),
                host.address().port(),
                quoted(&self.authority.file().display().to_string())
            );
            text.push_str(&section);
        }
        self.write_secret("password", PASSWORD);
        text
    }

    /// Writes a file that only its owner may read, as a secret's should be.
    pub(crate) fn write_secret(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::write(&path, text).expect("writes");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&path, private).expect("its own file");
        }
    }

    /// The file of the authority that signed every host's certificate.
    pub(crate) fn authority_file(&self) -> &Path {
        self.authority.file()
    }

    /// A path in the stage's folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The configuration file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.path("stopmark.toml")
    }

    /// A host by name.
    pub(crate) fn host(&self, name: &str) -> &Simulator {
        &self
            .hosts
            .iter()
            .find(|(host, _)| host == name)
            .expect("a host of the stage")
            .1
    }

    /// Runs T-SQL on a host with all rights, without a network.
    pub(crate) async fn script(&self, host: &str, database: &str, script: &str) {
        let ran = run_script(self.host(host).instance(), database, script).await;
        ran.unwrap_or_else(|error| panic!("{host}/{database}: {script}: {error:?}"));
    }

    /// The first value of the first row, as a number.
    pub(crate) async fn number(&self, host: &str, database: &str, sql: &str) -> i64 {
        let row = self.row(host, database, sql).await;
        row.try_get::<i64, _>(0)
            .expect("a bigint")
            .expect("no NULL")
    }

    /// The first value of the first row in master, as a text.
    pub(crate) async fn text(&self, host: &str, sql: &str) -> String {
        let row = self.row(host, "master", sql).await;
        let text = row.try_get::<&str, _>(0).expect("a text");
        text.expect("no NULL").to_owned()
    }

    async fn row(&self, host: &str, database: &str, sql: &str) -> tiberius::Row {
        let mut client = self.client(host, database).await;
        let answer = client.simple_query(sql).await.expect("it is understood");
        answer
            .into_row()
            .await
            .expect("it is answered")
            .expect("a row")
    }

    /// A connection of the agent's login, for stories that say more than one thing.
    pub(crate) async fn client(&self, host: &str, database: &str) -> Client {
        let mut config = tiberius::Config::new();
        config.host("127.0.0.1");
        config.database(database);
        config.authentication(AuthMethod::sql_server(AGENT, PASSWORD));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca(self.authority_file().display().to_string());
        let stream = TcpStream::connect(self.host(host).address())
            .await
            .expect("it listens");
        let client = Box::pin(Client::connect(config, stream.compat_write())).await;
        client.expect("the agent's login may log in")
    }

    /// Runs a command as a shell would, in this process. Between the fork and the exec of a child that another test
    /// starts, the child holds every lock of this process too, one that was just let go among them: asked again at
    /// once, such a command is not busy any more.
    pub(crate) async fn run(&self, args: &[&str]) -> Printed {
        for _ in 0..AGAIN_MAX {
            let printed = self.run_once(args).await;
            if printed.exit != Exit::LeaseHeld || !printed.stderr.contains("SM0904") {
                return printed;
            }
            tokio::task::yield_now().await;
        }
        self.run_once(args).await
    }

    /// Runs a command that must end well, and gives what it printed.
    pub(crate) async fn must(&self, args: &[&str]) -> String {
        must(&self.run(args).await).to_owned()
    }

    async fn run_once(&self, args: &[&str]) -> Printed {
        let config = self.config_path();
        let all = [
            OsString::from("stopmark"),
            "--config".into(),
            config.into_os_string(),
        ];
        let all = all
            .into_iter()
            .chain(args.iter().map(OsString::from))
            .collect();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = cli::run(all, &mut stdout, &mut stderr, &Interrupt::default()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Printed {
            exit,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// Runs the program itself, as a shell does, in the stage's folder.
    pub(crate) async fn program(&self, args: &[&str]) -> Printed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stopmark"));
        command
            .arg("--config")
            .arg(self.config_path())
            .args(args)
            .current_dir(self.path(""))
            .env_remove("STOPMARK_CONFIG");
        let done = tokio::task::spawn_blocking(move || command.output()).await;
        let done = done.expect("no panic").expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = done.status.code().and_then(|code| u8::try_from(code).ok());
        let exit = code.and_then(|code| Exit::ALL.iter().find(|exit| **exit as u8 == code));
        Printed {
            exit: *exit.expect("a documented exit code"),
            stdout: text(done.stdout),
            stderr: text(done.stderr),
        }
    }

    /// Writes the restore of the newest point to `SPARE` on paper; what was said, and the folder.
    pub(crate) async fn on_paper(&self) -> (Printed, PathBuf) {
        let (folder, files) = (self.path("paper"), self.path("restored"));
        fs::create_dir_all(&files).expect("a folder");
        let (paper, files) = (folder.display().to_string(), files.display().to_string());
        let to = ["restore", "plan", "--to-host", "SPARE"];
        let args = [&to[..], &["--files-in", &files, "--script", &paper]].concat();
        (self.run(&args).await, folder)
    }

    /// Changes the configuration's text; what is to be replaced must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config_path()).expect("the configuration");
        assert!(text.contains(from), "`{from}` is not in:\n{text}");
        fs::write(self.config_path(), text.replacen(from, to, 1)).expect("writes");
    }

    /// A text without what differs from run to run: the folder, ports, ids, stamps and durations.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let mut text = text.replace(&folder, "<stage>");
        for (_, host) in &self.hosts {
            text = text.replace(&format!(",{}", host.address().port()), ",<port>");
        }
        scrub::scrub(&text)
    }

    /// The configuration and a world of its own, for stories that put something between the agent and it.
    pub(crate) fn world(&self) -> (Arc<Config>, World) {
        world_of(&self.config_path())
    }
}

/// The world of a configuration; a second process may ask for it too.
pub(crate) fn world_of(config_path: &Path) -> (Arc<Config>, World) {
    let config = config::load(config_path, &OsSecrets).expect("a sound configuration");
    let config = Arc::new(config);
    let state: &Path = &config.state;
    fs::create_dir_all(state).expect("a state folder");
    let clock = Arc::new(SystemClock::new());
    let fleet = SqlFleet::new(config.clone(), Arc::new(TcpDial), clock.clone()).expect("a fleet");
    let agent = AgentIdentity {
        id: "stage".to_owned(),
        name: "the stage".to_owned(),
    };
    let of_store: Arc<dyn stopmark::world::Clock> = clock.clone();
    let store = Stores::open(&config, &agent, &of_store).expect("stores");
    let world = World {
        clock,
        ids: Arc::new(RandomIds),
        fleet: Arc::new(fleet),
        store: Arc::new(store),
        staging: Arc::new(LocalStaging),
        foreign: Arc::new(ForeignMedia::new(Access::default(), state)),
        catalog: Arc::new(
            SqliteCatalog::open_for(state, CopyPolicy::of(&config)).expect("a catalog"),
        ),
        journals: Arc::new(JournalFolder::open(state).expect("journals")),
        notifier: Arc::new(Silent),
        progress: Arc::new(NoProgress),
    };
    (config, world)
}

fn url_of(path: &Path) -> String {
    fs::create_dir_all(path).expect("a store");
    url::Url::from_file_path(path)
        .expect("an absolute path")
        .to_string()
}

/// What a command printed that must have ended well.
pub(crate) fn must(printed: &Printed) -> &str {
    let (out, err) = (&printed.stdout, &printed.stderr);
    assert_eq!(printed.exit, Exit::Ok, "{out}\n{err}");
    out
}
