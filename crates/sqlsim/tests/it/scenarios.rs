//! Scenario scripts: T-SQL with what it must answer beside it, run through a real TDS client.
//!
//! Start at [`every_scenario_answers_as_expected`]. Nothing in a script knows whether a simulator or
//! a real server answers: `STOPMARK_LIVE` names one (`host,port`; login, password and a folder that
//! the server may write in `STOPMARK_LIVE_USER`, `_PASSWORD` and `_FOLDER`). `STOPMARK_BLESS=1`
//! writes the simulator's answers as expected; a real server's are never written.

use std::env::var;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use futures_core::Stream as _;
use sqlsim::{InstanceOptions, Simulator};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::ears::Ears;
use super::support::{PASSWORD, shown};

/// A batch that begins with this shows the names of its columns and no rows.
const COLUMNS_ONLY: &str = "-- columns only";

/// What is removed behind every script: names begin with `scn`.
const LEFT_BEHIND: &str = "USE master; \
    SELECT N'ALTER DATABASE [' + name + N'] SET SINGLE_USER WITH ROLLBACK IMMEDIATE' \
    FROM sys.databases WHERE name LIKE N'scn%' AND state_desc = N'ONLINE' AND is_in_standby = 0; \
    SELECT N'DROP DATABASE [' + name + N']' FROM sys.databases WHERE name LIKE N'scn%'; \
    SELECT N'DROP LOGIN [' + name + N']' FROM sys.server_principals WHERE name LIKE N'scn%'; \
    SELECT N'DROP EVENT SESSION [' + name + N'] ON SERVER' FROM sys.server_event_sessions \
    WHERE name LIKE N'scn%'; \
    SELECT N'EXEC sp_dropserver [' + name + N'], N''droplogins''' FROM sys.servers \
    WHERE name LIKE N'scn%'; \
    SELECT DISTINCT N'EXEC msdb.dbo.sp_delete_database_backuphistory N''' + database_name + N'''' \
    FROM msdb.dbo.backupset WHERE database_name LIKE N'scn%'";

/// The server that answers, and what scripts call its places.
struct Server {
    address: String,
    user: String,
    password: String,
    folder: String,
    /// The simulator, which lives as long as this; none where a real server answers.
    simulator: Option<(Simulator, tempfile::TempDir)>,
}

impl Server {
    async fn start() -> Self {
        match var("STOPMARK_LIVE") {
            Ok(address) => Self::live(address),
            Err(_) => Self::simulated().await,
        }
    }

    fn live(address: String) -> Self {
        let detail = |name: &str| {
            let name = format!("STOPMARK_LIVE_{name}");
            var(&name).unwrap_or_else(|_| panic!("STOPMARK_LIVE is set and {name} is not"))
        };
        Self {
            address,
            user: detail("USER"),
            password: detail("PASSWORD"),
            folder: detail("FOLDER"),
            simulator: None,
        }
    }

    async fn simulated() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let work = folder.path().join("work");
        fs::create_dir(&work).expect("the folder is new");
        let any = "127.0.0.1:0".parse().expect("an address");
        let options = InstanceOptions::new("SQL1");
        let simulator = Simulator::start_plain(&folder.path().join("SQL1"), options, any).await;
        let simulator = simulator.expect("it starts");
        let made = simulator
            .instance()
            .create_login("sa", PASSWORD, &["sysadmin"]);
        made.expect("sa is made once");
        let address = simulator.address();
        Self {
            address: format!("{},{}", address.ip(), address.port()),
            user: "sa".to_owned(),
            password: PASSWORD.to_owned(),
            folder: work.display().to_string(),
            simulator: Some((simulator, folder)),
        }
    }

    /// The script with its variables filled in.
    fn fill(&self, script: &str) -> String {
        let address = format!("tcp:{}", self.address);
        script
            .replace("$(folder)", &self.folder)
            .replace("$(address)", &address)
            .replace("$(user)", &self.user)
            .replace("$(password)", &self.password)
    }

    async fn connect(&self) -> Connection {
        let (host, port) = self.address.split_once(',').expect("host,port");
        let port: u16 = port.parse().expect("a port");
        let mut config = Config::new();
        config.host(host);
        config.port(port);
        config.authentication(AuthMethod::sql_server(&self.user, &self.password));
        config.trust_cert();
        if self.simulator.is_some() {
            config.encryption(EncryptionLevel::NotSupported);
        }
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.expect("it listens").compat_write();
        let client = Box::pin(Client::connect(config, stream)).await;
        client.expect("the login is good")
    }
}

type Connection = Client<Compat<TcpStream>>;

/// Runs a batch; what it answers, a line each: rows, errors by number, information by text.
async fn answer(client: &mut Connection, ears: &Ears, batch: &str) -> String {
    let columns_only = batch.trim_start().starts_with(COLUMNS_ONLY);
    let mut text = String::new();
    let mut stream = match client.simple_query(batch).await {
        Ok(stream) => Box::pin(stream),
        // An answer without a result set was read to its end before the library told its error.
        Err(tiberius::error::Error::Server(_)) => return lines(ears),
        Err(error) => return format!("broken: {error}\n"),
    };
    loop {
        let item = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await;
        text += &lines(ears);
        match item {
            Some(Ok(QueryItem::Metadata(metadata))) => {
                let names: Vec<_> = metadata
                    .columns()
                    .iter()
                    .map(tiberius::Column::name)
                    .collect();
                let _ = writeln!(text, "> {}", names.join(" | "));
            }
            Some(Ok(QueryItem::Row(row))) if !columns_only => {
                let cells: Vec<_> = row.cells().map(|(_, cell)| shown(cell)).collect();
                let _ = writeln!(text, "{}", cells.join(" | "));
            }
            Some(Ok(QueryItem::Row(_)) | Err(tiberius::error::Error::Server(_))) => {}
            Some(Err(error)) => {
                let _ = writeln!(text, "broken: {error}");
                return text;
            }
            None => return text,
        }
    }
}

/// What was heard, a line each.
fn lines(ears: &Ears) -> String {
    let mut heard = ears.take();
    heard.push(String::new());
    heard.join("\n")
}

async fn run(client: &mut Connection, ears: &Ears, script: &str) -> String {
    let mut text = String::new();
    for batch in script.split("\nGO\n") {
        if !text.is_empty() {
            text += "GO\n";
        }
        let answered = answer(client, ears, batch).await;
        text += if answered.is_empty() {
            "done\n"
        } else {
            &answered
        };
    }
    text
}

async fn clean_up(client: &mut Connection, ears: &Ears) {
    let left = answer(client, ears, LEFT_BEHIND).await;
    for statement in left.lines().filter(|line| !line.starts_with(['>', 'i'])) {
        let answered = answer(client, ears, statement).await;
        assert!(!answered.contains("error "), "{statement}\n{answered}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder of the scripts");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut scripts: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "sql"))
        .collect();
    scripts.sort();
    scripts
}

#[tokio::test]
async fn every_scenario_answers_as_expected() {
    let ears = Ears::listen();
    let server = Server::start().await;
    let is_blessed = server.simulator.is_some() && var("STOPMARK_BLESS").is_ok();
    let scripts = scripts();
    assert!(scripts.len() >= 25, "{} scripts", scripts.len());
    let mut wrong = String::new();
    for script in scripts {
        let mut client = server.connect().await;
        ears.take();
        let text = fs::read_to_string(&script).expect("a script");
        let answered = run(&mut client, &ears, &server.fill(text.trim_end())).await;
        let answered = answered.replace(&server.folder, "$(folder)");
        clean_up(&mut client, &ears).await;
        let beside = script.with_extension("expected");
        if is_blessed {
            fs::write(&beside, &answered).expect("the folder is writable");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if expected != answered {
            let _ = writeln!(wrong, "{}\n{answered}", script.display());
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{wrong}");
}
