//! The hosts as every story finds them, made once: banks, links of the application, members prepared for marks.
//!
//! Start at [`Template::make`]. A story takes some of the hosts and ledgers; who is not of its group sleeps.

use std::sync::Arc;

use sqlsim::faults::Dice;
use tempfile::TempDir;

use super::agent::{Agent, Habits};
use super::bank::{Bank, Ledger};
use super::client::PASSWORD;
use super::clock::StoryClock;
use super::hosts::{Blank, Hosts, LOGIN};

/// The hosts that members are on.
const NAMES: [&str; 4] = ["SQL1", "SQL2", "SQL3", "SQL4"];

/// The host that copies go to.
const SPARE: &str = "SPARE";

/// Every ledger, by the place of its host.
const LEDGERS: [(usize, &str); 6] = [
    (0, "Ledger11"),
    (0, "Ledger12"),
    (1, "Ledger21"),
    (1, "Ledger22"),
    (2, "Ledger31"),
    (3, "Ledger41"),
];

/// Disks to begin with.
pub(crate) struct Template {
    blanks: Vec<Blank>,
    _folder: TempDir,
}

impl Template {
    /// Makes all hosts, and prepares all members.
    pub(crate) async fn make(clock: &Arc<StoryClock>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let home = folder.path().join("hosts");
        let names = NAMES.into_iter().chain([SPARE]);
        let blanks: Vec<Blank> = names
            .map(|name| Blank::new(name, home.join(name)))
            .collect();
        let hosts = Hosts::of(&blanks, &home, clock).await;
        for at in 0..hosts.count() {
            let instance = hosts.host(at).expect("it is up").instance;
            let made = instance.create_login(LOGIN, PASSWORD, &["sysadmin"]);
            made.expect("a login");
        }
        let bank = Bank {
            ledgers: LEDGERS.into_iter().map(ledger).collect(),
            grouped: None,
        };
        bank.open(&hosts).await;
        let habits = Habits {
            stores: 1,
            keep_last: None,
            sees_elsewhere: false,
            hears: true,
            replica: None,
            biztalk: None,
        };
        let agent = Agent::install(folder.path(), (&hosts, &bank), habits, &Arc::default());
        agent.prepare().await;
        Self {
            blanks: hosts.blanks(),
            _folder: folder,
        }
    }

    /// Two to four hosts and a spare one, and a bank of two to six ledgers on them.
    pub(crate) fn some(&self, dice: &mut Dice) -> (Vec<Blank>, Bank) {
        let count = 2 + dice.place(NAMES.len() - 1);
        let spare = self.blanks.last().expect("the spare host").clone();
        let blanks = self.blanks.iter().take(count).cloned().chain([spare]);
        let mut ledgers: Vec<Ledger> = Vec::new();
        for (host, database) in LEDGERS {
            let is_first = ledgers.last().is_none_or(|last| last.host != host);
            if host < count && (is_first || dice.below(2) == 0) {
                ledgers.push(ledger((host, database)));
            }
        }
        let grouped = None;
        (blanks.collect(), Bank { ledgers, grouped })
    }
}

fn ledger((host, database): (usize, &str)) -> Ledger {
    Ledger {
        host,
        database: database.to_owned(),
    }
}
