//! A member in an availability group: a second replica, log that is held back, seeding, and failovers between runs.
//!
//! Start at [`Replica::some`] and [`join`]. Nobody fails over by force in a story: that loses money by itself.

use sqlsim::faults::{Dice, Fault, FaultKind, Lost};
use sqlsim::value::Value;

use super::bank::{Bank, Ledger};
use super::hosts::Hosts;
use super::story::Scene;

/// How often it is asked whether a replica is in step, and how often at most.
const ASK_EVERY_MS: u64 = 500;
/// See [`ASK_EVERY_MS`].
const ASKED_MAX: u64 = 600;

/// Where an agent may be told to take the logs.
const PREFERENCES: [&str; 3] = ["primary", "secondary", "secondary_only"];

/// The ledger of a story that is in an availability group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replica {
    /// Which of the bank's ledgers; its host is that of the primary replica.
    ledger: usize,
    /// The host of the other replica.
    second: usize,
    /// Where the agent takes its logs.
    pub(crate) preference: &'static str,
}

impl Replica {
    /// A ledger chosen at random, with its other replica on another member's host; in one story of four.
    pub(crate) fn some(bank: &Bank, dice: &mut Dice) -> Option<Self> {
        if dice.below(4) != 0 {
            return None;
        }
        let ledger = dice.place(bank.ledgers.len());
        let own = bank.ledgers[ledger].host;
        let mut others: Vec<usize> = bank.ledgers.iter().map(|it| it.host).collect();
        others.retain(|host| *host != own);
        let second = others[dice.place(others.len())];
        Some(Self {
            ledger,
            second,
            preference: PREFERENCES[dice.place(PREFERENCES.len())],
        })
    }

    /// The database.
    pub(crate) fn database(self, bank: &Bank) -> &str {
        &bank.ledgers[self.ledger].database
    }
}

/// Makes the group and its second replica.
pub(crate) async fn join(scene: &Scene) {
    let Some(replica) = scene.habits.replica else {
        return;
    };
    let (hosts, folder) = (&scene.hosts, scene.folder.path());
    let Ledger { host, database } = &scene.bank.ledgers[replica.ledger];
    let second = hosts.name(replica.second);
    let of = |name: &str| {
        format!(
            "N'{name}' WITH (ENDPOINT_URL = N'TCP://{name}:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"
        )
    };
    let full = folder.join("replica.bak").display().to_string();
    let file = |end: &str| {
        let data = folder.join("hosts").join(second).join("data");
        data.join(format!("{database}.{end}")).display().to_string()
    };
    let primary = format!(
        "CREATE AVAILABILITY GROUP ag WITH (DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE) \
         FOR DATABASE {database} REPLICA ON {}, {}; \
         BACKUP DATABASE {database} TO DISK = N'{full}' WITH COPY_ONLY",
        of(hosts.name(*host)),
        of(second),
    );
    hosts.told(*host, &primary).await;
    let secondary = format!(
        "RESTORE DATABASE {database} FROM DISK = N'{full}' WITH NORECOVERY, \
         MOVE '{database}' TO N'{}', MOVE '{database}_log' TO N'{}'; \
         ALTER AVAILABILITY GROUP ag JOIN; \
         ALTER DATABASE {database} SET HADR AVAILABILITY GROUP = ag",
        file("mdf"),
        file("ldf"),
    );
    hosts.told(replica.second, &secondary).await;
    in_step(scene).await;
    let first = hosts.name(*host);
    scene.books.note(format!(
        "{database} has its primary replica on {first} and another on {second}"
    ));
}

/// What happens to the group between two runs. A failover in good order is asked for only while nothing else goes on.
pub(crate) async fn meanwhile(scene: &mut Scene, is_quiet: bool, dice: &mut Dice) {
    let Some(replica) = scene.habits.replica else {
        return;
    };
    let hosts = &scene.hosts;
    let Ledger { host, database } = scene.bank.ledgers[replica.ledger].clone();
    match dice.below(6) {
        0 => {
            let Some(second) = hosts.host(replica.second) else {
                return;
            };
            scene
                .books
                .note(format!("the second replica of {database} takes no log"));
            second.instance.faults.arm(Fault {
                database: Some(database),
                times: 0,
                ..Fault::once(FaultKind::HoldLog)
            });
        }
        1 => seed(scene, 1).await,
        3 => lose_a_point(scene, replica, dice),
        2 if is_quiet => {
            let failover = "ALTER AVAILABILITY GROUP ag FAILOVER";
            let answer = hosts.ask(replica.second, failover).await;
            let numbers = answer.map(|answer| answer.numbers());
            let is_done = numbers.as_ref().is_some_and(Vec::is_empty);
            let to = hosts.name(replica.second);
            scene
                .books
                .note(format!("{database} fails over to {to}: {numbers:?}"));
            if is_done {
                scene.books.count(|told| told.failovers += 1);
                scene.bank_moves(replica.ledger, replica.second);
                scene.habits.replica = Some(Replica {
                    second: host,
                    ..replica
                });
            }
        }
        _ => {}
    }
}

/// The primary replica does not hear of the second one's next log backup, or is not heard (35297).
fn lose_a_point(scene: &Scene, replica: Replica, dice: &mut Dice) {
    let database = replica.database(&scene.bank).to_owned();
    let lost = [Lost::Word, Lost::Answer][dice.place(2)];
    if let Some(second) = scene.hosts.host(replica.second) {
        let books = &scene.books;
        books.note(format!("the {lost:?} of a log of {database} will be lost"));
        second.instance.faults.arm(Fault {
            database: Some(database),
            ..Fault::once(FaultKind::LosePoint(lost))
        });
    }
}

/// The group is as it should be: nobody seeds, and both replicas are in step.
pub(crate) async fn relieve(scene: &Scene) {
    if scene.habits.replica.is_some() {
        seed(scene, 0).await;
    }
    in_step(scene).await;
}

/// Whether the member is being seeded to another replica, so that its logs wait.
async fn seed(scene: &Scene, goes_on: u8) {
    let Some(replica) = scene.habits.replica else {
        return;
    };
    let Ledger { host, database } = &scene.bank.ledgers[replica.ledger];
    let sql = format!("EXEC sp_sim_seeding '{database}', {goes_on}");
    let answer = scene.hosts.ask(*host, &sql).await;
    let numbers = answer.map(|answer| answer.numbers());
    scene.books.note(format!("{sql}: {numbers:?}"));
}

/// Returns when the second replica has all log, by its own word and by that of the primary one: one whose question was lost
/// believes for a while what it knew, and where the clock leaps both know nothing until the next question.
pub(crate) async fn in_step(scene: &Scene) {
    let Some(replica) = scene.habits.replica else {
        return;
    };
    let hosts = &scene.hosts;
    let first = scene.bank.ledgers[replica.ledger].host;
    for _ in 0..ASKED_MAX {
        if says_in_step(hosts, replica.second, 1).await && says_in_step(hosts, first, 2).await {
            return;
        }
        hosts.clock.wait_ms(ASK_EVERY_MS).await;
    }
    panic!("the second replica never comes into step");
}

/// Whether this host knows so many replicas, and each of them to be in step.
async fn says_in_step(hosts: &Hosts, host: usize, count: i64) -> bool {
    let sql = "SELECT COUNT(*) FROM sys.dm_hadr_database_replica_states \
               WHERE synchronization_state_desc = N'SYNCHRONIZED'";
    hosts.told(host, sql).await.value() == &Value::Int(count)
}
