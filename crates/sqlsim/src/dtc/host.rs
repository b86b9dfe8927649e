//! A host's part in distributed transactions, tied to its databases: durable decisions, recovery,
//! and asking the coordinator of what is in doubt.
//!
//! Start at [`recover`]. The coordinator of a prepared transaction is kept as `NAME|TOKEN`: whoever
//! knows the token may ask that host for outcomes, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Decisions, Local, Outcome, Participant};
use crate::catalog::record::{self, Record};
use crate::error::SqlResult;
use crate::faults::{FaultKind, KillPoint};
use crate::instance::{DatabaseHandle, Instance};
use crate::link::{Connection, Security, Target};
use crate::msdb;
use crate::storage::{PrepareInfo, TableId};

/// The login by which hosts in doubt ask for outcomes. It has no right but to connect.
pub(crate) const LOGIN: &str = "##sim_dtc##";

/// How long a host waits before it asks again.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A transaction that this host has decided to commit, until every participant has been told.
#[derive(Debug, Serialize, Deserialize)]
struct Decision {
    gtrid: Uuid,
}

impl Record for Decision {
    const TABLE: TableId = TableId(14);
}

/// The password of [`LOGIN`], kept so that it can be told to participants.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    token: String,
}

impl Record for Token {
    const TABLE: TableId = TableId(15);
}

/// The durable decisions of an instance: rows of its master.
#[must_use]
pub fn decisions(instance: &Arc<Instance>) -> Arc<dyn Decisions> {
    Arc::new(MasterDecisions {
        instance: Arc::clone(instance),
    })
}

struct MasterDecisions {
    instance: Arc<Instance>,
}

#[async_trait]
impl Decisions for MasterDecisions {
    async fn decide(&self, gtrid: Uuid) -> SqlResult<()> {
        self.instance.stall(FaultKind::StallCommit).await;
        self.instance.kill_point(KillPoint::BeforeDecision).await;
        self.instance
            .change_quietly(|master, tx| record::add(master, tx, &Decision { gtrid }).map(drop))?;
        self.instance.kill_point(KillPoint::AfterDecision).await;
        Ok(())
    }

    fn is_committed(&self, gtrid: Uuid) -> SqlResult<bool> {
        let master = self.instance.master().storage();
        let decisions = record::all::<Decision>(&master, None);
        Ok(decisions
            .iter()
            .any(|(_, decision)| decision.gtrid == gtrid))
    }

    fn forget(&self, gtrid: Uuid) {
        // A decision that stays behind does no harm: it is true for ever.
        let _ = self.instance.change_quietly(|master, tx| {
            for (row, decision) in record::all::<Decision>(master, Some(tx)) {
                if decision.gtrid == gtrid {
                    record::remove::<Decision>(master, tx, row)?;
                }
            }
            Ok(())
        });
    }
}

/// What participants are told to remember as their coordinator: this host, and how to ask it.
#[must_use]
pub(crate) fn coordinator(instance: &Instance) -> String {
    let tokens = record::all::<Token>(&instance.master().storage(), None);
    let token = tokens
        .into_iter()
        .next()
        .map_or_else(String::new, |(_, token)| token.token);
    format!("{}|{token}", instance.name())
}

/// Takes up what a restart found prepared: what this host coordinated is ended by its decisions,
/// the rest is kept until its coordinator has been asked. Called once, when all databases are open.
pub fn recover(instance: &Arc<Instance>) -> SqlResult<()> {
    ensure_login(instance)?;
    let decisions = decisions(instance);
    for (gtrid, doubt) in in_doubt(instance) {
        let coordinator = doubt.coordinator;
        let mut local = Recovered {
            instance: Arc::clone(instance),
            gtrid,
            databases: doubt.databases,
        };
        if coordinator.split('|').next() == Some(instance.name().as_str()) {
            local.end(decisions.is_committed(gtrid)?)?;
        } else {
            let part = Participant::new(Box::new(local), Vec::new(), &coordinator, false);
            instance.dtc.adopt(gtrid, doubt.is_mark, part);
        }
    }
    tokio::spawn(keep_asking(Arc::downgrade(instance)));
    Ok(())
}

/// A transaction that a restart found prepared in some databases.
struct Doubt {
    coordinator: String,
    is_mark: bool,
    databases: Vec<Arc<DatabaseHandle>>,
}

type InDoubt = BTreeMap<Uuid, Doubt>;

fn in_doubt(instance: &Instance) -> InDoubt {
    let mut found = InDoubt::new();
    for database in instance.databases() {
        for doubt in database.storage().in_doubt() {
            let PrepareInfo {
                gtrid,
                coordinator,
                mark,
                ..
            } = doubt.info;
            let entry = found.entry(gtrid).or_insert_with(|| Doubt {
                coordinator,
                is_mark: false,
                databases: Vec::new(),
            });
            entry.is_mark |= mark.is_some();
            entry.databases.push(Arc::clone(&database));
        }
    }
    found
}

fn ensure_login(instance: &Instance) -> SqlResult<()> {
    if !record::all::<Token>(&instance.master().storage(), None).is_empty() {
        return Ok(());
    }
    let token = instance.new_guid().to_string();
    instance.change_quietly(|master, tx| {
        record::add(
            master,
            tx,
            &Token {
                token: token.clone(),
            },
        )
        .map(drop)
    })?;
    instance.create_login(LOGIN, &token, &[])
}

/// A prepared transaction whose session is gone.
struct Recovered {
    instance: Arc<Instance>,
    gtrid: Uuid,
    databases: Vec<Arc<DatabaseHandle>>,
}

impl Recovered {
    fn end(&mut self, is_committed: bool) -> SqlResult<()> {
        for database in &self.databases {
            let at = self.instance.clock.local();
            let resolved = database.storage().resolve(self.gtrid, is_committed, at)?;
            database.forget_schema();
            if let Some((lsn, mark)) = resolved.and_then(|done| Some((done.lsn, done.mark?))) {
                msdb::record_mark(&self.instance, &database.name(), lsn, &mark)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Local for Recovered {
    fn databases(&self) -> usize {
        self.databases.len()
    }

    async fn prepare(&mut self, _gtrid: Uuid) -> SqlResult<()> {
        Ok(())
    }

    async fn commit(&mut self) -> SqlResult<()> {
        self.end(true)
    }

    async fn abort(&mut self) {
        if let Err(error) = self.end(false) {
            tracing::error!(gtrid = %self.gtrid, %error, "cannot abort a transaction in doubt");
        }
    }
}

/// Asks the coordinators of what is in doubt, again and again, as long as the instance lives.
async fn keep_asking(instance: Weak<Instance>) {
    let mut seen = BTreeSet::new();
    loop {
        let Some(alive) = instance.upgrade() else {
            return;
        };
        if alive.faults.is_killed() {
            return;
        }
        let clock = alive.clock.clone();
        // What was prepared a moment ago is most likely being committed: it is asked for only if
        // it was there a round earlier.
        let doubts = alive.dtc.in_doubt();
        for (gtrid, coordinator) in &doubts {
            if seen.contains(gtrid) {
                settle(&alive, *gtrid, coordinator).await;
            }
        }
        seen = doubts.into_iter().map(|(gtrid, _)| gtrid).collect();
        drop(alive);
        clock.sleep(ASK_EVERY).await;
    }
}

async fn settle(instance: &Arc<Instance>, gtrid: Uuid, coordinator: &str) {
    let limit = Some(instance.options.dtc_timeout);
    let asked = instance
        .clock
        .within(limit, ask(instance, gtrid, coordinator))
        .await;
    let is_committed = match asked.flatten() {
        Some(Outcome::Committed) => true,
        Some(Outcome::Aborted) => false,
        Some(Outcome::Pending) | None => return,
    };
    if let Err(error) = instance.dtc.resolve(gtrid, is_committed).await {
        tracing::error!(%gtrid, %error, "cannot end a transaction in doubt on every host");
    }
}

/// What the coordinator says; nothing when it cannot be reached.
async fn ask(instance: &Instance, gtrid: Uuid, coordinator: &str) -> Option<Outcome> {
    let (name, token) = coordinator.split_once('|')?;
    let target = Target {
        data_source: name.to_owned(),
        user_name: LOGIN.to_owned(),
        password: token.to_owned(),
        database: None,
        security: Security::LoginOnly,
        program: "MSDTC".to_owned(),
    };
    let mut connection = Connection::open(&*instance.options.dial, &target)
        .await
        .ok()?;
    let answer = connection
        .run(&format!("EXEC sp_sim_dtc_outcome '{gtrid}'"))
        .await
        .ok()?;
    match answer.first()?.rows.first()?.first()?.as_text()? {
        "committed" => Some(Outcome::Committed),
        "aborted" => Some(Outcome::Aborted),
        _ => Some(Outcome::Pending),
    }
}
