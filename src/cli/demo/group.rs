//! The demonstration's group: nine databases as a BizTalk group has them, on three hosts, with accounts in three.

use std::fmt::Write as _;

use sqlsim::biztalk::{Group, install_management, install_member};

use super::super::sim::Hosts;
use crate::error::{Code, Error, Result};

/// Where marks start.
pub(super) const MANAGEMENT: &str = "MGMT";
/// The host that the group is brought back on.
pub(super) const SPARE: &str = "DR";
/// Every host; the last has no member.
pub(super) const HOSTS: [&str; 4] = [MANAGEMENT, "PAY1", "PAY2", SPARE];

/// The members: host and database.
pub(super) const MEMBERS: [(&str, &str); 9] = [
    (MANAGEMENT, "BizTalkMgmtDb"),
    (MANAGEMENT, "BizTalkMsgBoxDb"),
    (MANAGEMENT, "BizTalkDTADb"),
    (MANAGEMENT, "SSODB"),
    (MANAGEMENT, "BAMPrimaryImport"),
    ("PAY1", "BizTalkRuleEngineDb"),
    ("PAY1", "LedgerNorth"),
    ("PAY2", "LedgerSouth"),
    ("PAY2", "BizTalkMsgBoxDb2"),
];

/// The members that hold accounts.
pub(super) const LEDGERS: [(&str, &str); 3] = [
    (MANAGEMENT, "BizTalkMsgBoxDb"),
    ("PAY1", "LedgerNorth"),
    ("PAY2", "LedgerSouth"),
];

/// Accounts in each ledger.
pub(super) const ACCOUNTS: i64 = 60;
/// What each holds at the beginning.
pub(super) const BALANCE: i64 = 1_000;
/// What all of them hold together, always.
pub(super) const TOTAL: i64 = 3 * ACCOUNTS * BALANCE;

/// The application's login.
pub(super) const APPLICATION: &str = "application";
/// The agent's login.
pub(super) const AGENT: &str = "stopmark";

/// Makes databases, accounts, logins and the application's own linked servers.
pub(super) async fn make(hosts: &Hosts, password: &str) -> Result<()> {
    for host in HOSTS {
        for login in [APPLICATION, AGENT] {
            let made = hosts
                .host(host)
                .instance()
                .create_login(login, password, &["sysadmin"]);
            made.map_err(failed)?;
        }
    }
    for (host, database) in MEMBERS {
        run(
            hosts,
            host,
            "master",
            &format!("CREATE DATABASE [{database}];"),
        )
        .await?;
        let instance = hosts.host(host).instance();
        if database == "BizTalkMgmtDb" {
            install_management(instance, database, &biztalk())
                .await
                .map_err(failed)?;
        } else {
            install_member(instance, database).await.map_err(failed)?;
        }
    }
    for (host, database) in LEDGERS {
        run(hosts, host, database, &ledger_script()).await?;
    }
    link_applications(hosts, password).await
}

fn biztalk() -> Group {
    let at = |host: &str, database: &str| (host.to_owned(), database.to_owned());
    let other = |default: &str, host: &str, database: &str| {
        (default.to_owned(), host.to_owned(), database.to_owned())
    };
    Group {
        name: "payments".to_owned(),
        tracking: Some(at(MANAGEMENT, "BizTalkDTADb")),
        bam: Some(at(MANAGEMENT, "BAMPrimaryImport")),
        rule_engine: Some(at("PAY1", "BizTalkRuleEngineDb")),
        message_boxes: vec![
            at(MANAGEMENT, "BizTalkMsgBoxDb"),
            at("PAY2", "BizTalkMsgBoxDb2"),
        ],
        others: vec![
            other("SSO", MANAGEMENT, "SSODB"),
            other("LedgerNorth", "PAY1", "LedgerNorth"),
            other("LedgerSouth", "PAY2", "LedgerSouth"),
        ],
    }
}

/// A ledger takes money in and out by procedures, so that another host can call them.
fn ledger_script() -> String {
    let mut script = "CREATE TABLE dbo.Account (id int NOT NULL PRIMARY KEY, balance bigint NOT NULL);\nGO\n\
        CREATE PROCEDURE dbo.Pay @id int, @amount bigint AS\nBEGIN\n    \
        SET NOCOUNT ON;\n    UPDATE dbo.Account SET balance = balance + @amount WHERE id = @id;\nEND\nGO\n"
        .to_owned();
    for id in 1..=ACCOUNTS {
        writeln!(
            script,
            "INSERT INTO dbo.Account (id, balance) VALUES ({id}, {BALANCE});"
        )
        .expect("a string takes everything");
    }
    script
}

/// The application has linked servers of its own; those that marks need are Stopmark's to make.
async fn link_applications(hosts: &Hosts, password: &str) -> Result<()> {
    for (from, _) in LEDGERS {
        for (to, _) in LEDGERS.iter().filter(|(to, _)| *to != from) {
            let script = format!(
                "EXEC sp_addlinkedserver @server = N'APP_{to}', @srvproduct = N'', @provider = N'MSOLEDBSQL', \
                 @datasrc = N'{to}';\n\
                 EXEC sp_serveroption N'APP_{to}', 'rpc out', 'true';\n\
                 EXEC sp_droplinkedsrvlogin N'APP_{to}', NULL;\n\
                 EXEC sp_addlinkedsrvlogin N'APP_{to}', 'FALSE', N'{APPLICATION}', N'{APPLICATION}', N'{password}';"
            );
            run(hosts, from, "master", &script).await?;
        }
    }
    Ok(())
}

async fn run(hosts: &Hosts, host: &str, database: &str, script: &str) -> Result<()> {
    let ran = sqlsim::instance::run_script(hosts.host(host).instance(), database, script).await;
    ran.map_err(failed)
}

fn failed(error: sqlsim::error::SqlError) -> Error {
    Error::new(
        Code::StatementFailed,
        "the demonstration's group cannot be made",
    )
    .source(error)
}
