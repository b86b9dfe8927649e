//! The simulated hosts that the suite's clients meet: one for each way to protect a connection, and one that
//! acknowledges attentions in the other form.
//!
//! Start at [`Servers::start`]. Each client has a database of its own, of its own name, on every host.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use sqlsim::certificate::{Authority, TlsSetup};
use sqlsim::wire::{AttentionForm, Encryption, WireOptions};
use sqlsim::{InstanceOptions, Simulator};

use super::features::{CLIENTS, VALUES};
use crate::hosts::{LOGIN, PASSWORD};

/// The host that most features are tried on: SQL Server's default, where each client may choose.
pub(super) const ANY: &str = "login-only";

/// What each client finds in its database.
const CONTENT: &str = "CREATE TABLE dbo.Kept (word nvarchar(60) NOT NULL); \
    CREATE TABLE dbo.Words (id int NOT NULL, word nvarchar(200) NOT NULL); DECLARE @i int = 0; \
    WHILE @i < 300 BEGIN SET @i = @i + 1; INSERT INTO dbo.Words VALUES (@i, REPLICATE(N'é', 200)) END";
const PROCEDURE: &str = "CREATE PROCEDURE dbo.AddUp @a int, @b int, @sum int OUTPUT AS \
    BEGIN SET @sum = @a + @b; RETURN 3 END";

/// Hosts in a folder that goes with them.
pub(super) struct Servers {
    folder: tempfile::TempDir,
    authority: Authority,
    /// An authority that signed none of their certificates.
    stranger: Authority,
    list: Vec<(&'static str, Simulator)>,
}

impl Servers {
    /// Starts one host of each kind and fills the clients' databases.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(&folder.path().join("authority")).expect("an authority");
        let stranger = Authority::open(&folder.path().join("stranger")).expect("an authority");
        let tls = authority.tls(&folder.path().join("certificate"), &[]);
        let mut list = Vec::new();
        for (name, wire) in wires(&tls.expect("a certificate")) {
            let home = folder.path().join(name);
            let host = start(&home, name, wire).await;
            for (client, _) in CLIENTS {
                let create = format!("CREATE DATABASE {client}");
                script(&host, "master", &create).await;
                if name == ANY {
                    script(&host, client, CONTENT).await;
                    script(&host, client, PROCEDURE).await;
                }
            }
            list.push((name, host));
        }
        Self {
            folder,
            authority,
            stranger,
            list,
        }
    }

    /// Where a host listens.
    pub(super) fn address(&self, name: &str) -> SocketAddr {
        let found = self.list.iter().find(|(host, _)| *host == name);
        found.expect("a host that was started").1.address()
    }

    /// The file of the authority that signed every host's certificate.
    pub(super) fn authority_file(&self) -> &Path {
        self.authority.file()
    }

    /// The file of another authority.
    pub(super) fn stranger_file(&self) -> &Path {
        self.stranger.file()
    }

    /// A folder for backups and for what clients write down.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a client's program must know, in JSON.
    pub(super) fn told_to(&self, client: &str, features: &[&str]) -> String {
        let ports: serde_json::Map<_, _> = self
            .list
            .iter()
            .map(|(name, host)| ((*name).to_owned(), host.address().port().into()))
            .collect();
        let told = serde_json::json!({
            "hosts": ports,
            "user": LOGIN,
            "password": PASSWORD,
            "database": client,
            "authority": self.authority.file(),
            "stranger": self.stranger.file(),
            "backup": self.backup_that_waits_to_be_seen(client),
            "values": VALUES,
            "features": features,
        });
        told.to_string()
    }

    /// A batch that takes a backup and then waits until somebody has seen its progress and said so, which is
    /// possible only while it runs; its one cell is 1 then.
    pub(super) fn backup_that_waits_to_be_seen(&self, database: &str) -> String {
        let folder = self.folder().display();
        format!(
            "BACKUP DATABASE {database} TO DISK = N'{folder}/{database}.bak' WITH STATS = 10, FORMAT; \
             DECLARE @tries int = 0; \
             WHILE @tries < 100 AND NOT EXISTS (SELECT 1 FROM dbo.Kept WHERE word = 'seen') \
             BEGIN SET @tries = @tries + 1; WAITFOR DELAY '00:00:00.050' END; \
             SELECT COUNT(*) FROM dbo.Kept WHERE word = 'seen'"
        )
    }

    /// Stops them all.
    pub(super) async fn stop(self) {
        for (_, host) in self.list {
            host.stop().await.expect("a host stops");
        }
    }
}

fn wires(tls: &TlsSetup) -> [(&'static str, WireOptions); 5] {
    let with = |encryption| WireOptions {
        encryption,
        ..WireOptions::with_tls(tls.clone())
    };
    let one_message = WireOptions {
        attention: AttentionForm::OneMessage,
        ..with(Encryption::LoginOnly)
    };
    [
        ("never", with(Encryption::Never)),
        (ANY, with(Encryption::LoginOnly)),
        ("required", with(Encryption::Required)),
        ("strict", with(Encryption::Strict)),
        ("one-message", one_message),
    ]
}

async fn start(home: &Path, name: &str, wire: WireOptions) -> Simulator {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let host = Simulator::start_wired(home, InstanceOptions::new(name), address, wire).await;
    let host = host.expect("a host starts");
    let login = host.instance().create_login(LOGIN, PASSWORD, &["sysadmin"]);
    login.expect("a login");
    host
}

async fn script(host: &Simulator, database: &str, sql: &str) {
    let ran = sqlsim::instance::run_script(host.instance(), database, sql).await;
    ran.expect("the script runs");
}
