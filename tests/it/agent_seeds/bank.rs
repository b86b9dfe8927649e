//! A bank over all members: money moves, the sum stays.
//!
//! Start at [`Bank::transfers`]. Every member holds one account; a transfer is one transaction, distributed where the
//! members are on two hosts. A restore to one moment has the exact sum, a restore to two moments has another.

use std::fmt::Write as _;

use sqlsim::faults::Dice;
use sqlsim::instance::run_script;
use sqlsim::value::Value;

use super::books::Books;
use super::client::PASSWORD;
use super::hosts::{Hosts, LOGIN};

/// What each account holds at first.
const BEGIN: i128 = 100_000;

/// A member: its host by place, and its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The host, by its place.
    pub(crate) host: usize,
    /// The database, named like no other on any host.
    pub(crate) database: String,
}

/// The bank of a story.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    /// Its ledgers.
    pub(crate) ledgers: Vec<Ledger>,
    /// The database that is in an availability group.
    pub(crate) grouped: Option<String>,
}

/// How long a client waits for an answer.
pub(super) const PATIENCE_MS: u64 = 60_000;

/// What makes a ledger, in an empty database.
const LEDGER: &str = "CREATE TABLE dbo.Account (Id int NOT NULL PRIMARY KEY, Total bigint NOT NULL)
GO
INSERT INTO dbo.Account (Id, Total) VALUES (1, 100000)
GO
CREATE PROCEDURE dbo.Credit @amount bigint AS BEGIN SET NOCOUNT ON; \
UPDATE dbo.Account SET Total = Total + @amount WHERE Id = 1; END";

impl Bank {
    /// Makes databases, tables, and the links of the application: those that marks need are the agent's to make.
    pub(crate) async fn open(&self, hosts: &Hosts) {
        for Ledger { host, database } in &self.ledgers {
            hosts
                .told(*host, &format!("CREATE DATABASE {database}"))
                .await;
            let instance = hosts.host(*host).expect("it is up").instance;
            let made = run_script(&instance, database, LEDGER).await;
            made.expect("an empty database");
        }
        for own in 0..hosts.count() {
            for other in (0..hosts.count()).filter(|other| *other != own) {
                hosts.told(own, &link_to(hosts.name(other))).await;
            }
        }
    }

    /// Whether this database is in an availability group: it is not taken offline then, nor restored over, and its
    /// recovery model stays.
    pub(crate) fn is_grouped(&self, database: &str) -> bool {
        self.grouped.as_deref() == Some(database)
    }

    /// What all ledgers hold together, for ever.
    pub(crate) fn total(&self) -> i128 {
        BEGIN * self.ledgers.len() as i128
    }

    /// Transfers between ledgers chosen at random, one after the other; who is told of an error goes on.
    pub(crate) async fn transfers(&self, hosts: &Hosts, books: &Books, mut dice: Dice, count: u64) {
        for _ in 0..count {
            for _ in 0..dice.below(40) {
                tokio::task::yield_now().await;
            }
            let (home, sql) = self.transfer(hosts, &mut dice);
            let is_done = tokio::select! {
                is_done = hosts.call(home, &sql) => is_done,
                () = hosts.clock.wait_ms(PATIENCE_MS) => false,
            };
            if is_done {
                books.count(|told| told.transfers += 1);
            }
        }
    }

    fn transfer(&self, hosts: &Hosts, dice: &mut Dice) -> (usize, String) {
        let from = &self.ledgers[dice.place(self.ledgers.len())];
        let amount = i64::try_from(1 + dice.below(90)).unwrap_or_default();
        let home = &from.database;
        let mut sql = format!("USE {home}; SET XACT_ABORT ON; BEGIN TRAN;");
        let others = self.ledgers.iter().filter(|to| *to != from);
        let first = dice.place(self.ledgers.len() - 1);
        let count = 1 + dice.place(2);
        for to in others.cycle().skip(first).take(count) {
            let (name, database) = (hosts.name(to.host), &to.database);
            let place = if to.host == from.host {
                database.clone()
            } else {
                format!("TO_{name}.{database}")
            };
            let moves = format!(" EXEC dbo.Credit -{amount}; EXEC {place}.dbo.Credit {amount};");
            sql.push_str(&moves);
        }
        sql.push_str(" COMMIT");
        (from.host, sql)
    }

    /// The sum over the ledgers where they are.
    pub(crate) async fn sum(&self, hosts: &Hosts) -> i128 {
        let mut sum = 0;
        for Ledger { host, database } in &self.ledgers {
            sum += balance(hosts, *host, database).await;
        }
        sum
    }

    /// The sum over copies of all ledgers on one host.
    pub(crate) async fn sum_on(&self, hosts: &Hosts, host: usize) -> i128 {
        let mut sum = 0;
        for Ledger { database, .. } in &self.ledgers {
            sum += balance(hosts, host, database).await;
        }
        sum
    }
}

async fn balance(hosts: &Hosts, host: usize, database: &str) -> i128 {
    let sql = format!("SELECT SUM(Total) FROM {database}.dbo.Account");
    match hosts.told(host, &sql).await.value() {
        Value::Decimal(number) if number.scale == 0 => number.unscaled,
        Value::Int(number) => (*number).into(),
        other => panic!("no sum: {other:?}"),
    }
}

/// A link of the application to another host.
fn link_to(name: &str) -> String {
    let mut sql = format!(
        "EXEC sp_addlinkedserver @server = N'TO_{name}', @srvproduct = N'', \
         @provider = N'MSOLEDBSQL', @datasrc = N'{name}', @provstr = N'Encrypt=no'; "
    );
    for option in ["rpc out", "remote proc transaction promotion"] {
        write!(
            sql,
            "EXEC sp_serveroption N'TO_{name}', '{option}', 'true'; "
        )
        .expect("a string");
    }
    write!(
        sql,
        "EXEC sp_droplinkedsrvlogin N'TO_{name}', NULL; \
         EXEC sp_addlinkedsrvlogin N'TO_{name}', 'FALSE', N'{LOGIN}', N'{LOGIN}', N'{PASSWORD}';"
    )
    .expect("a string");
    sql
}
