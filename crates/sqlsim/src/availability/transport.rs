//! How log travels: a secondary replica asks the primary one for what it lacks, again and again.
//!
//! Start at [`keep_in_step`]. Between hosts there is TDS, as between linked servers; what is asked are the private
//! procedures of `procedures.rs`. No commit waits for a secondary replica, whatever `AVAILABILITY_MODE` says.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mtf::Lsn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::known::Heard;
use super::{AvailabilityGroup, groups};
use crate::error::SqlResult;
use crate::faults::FaultKind;
use crate::instance::{DatabaseHandle, Instance};
use crate::link::literal::text;
use crate::link::messages::connection_broken;
use crate::link::{Connection, Refusal, Security, Target};
use crate::messages;
use crate::storage::{Archive, Extent};
use crate::value::{Row, Value};

/// The login by which replicas ask each other. It has no right but to connect.
pub(super) const LOGIN: &str = "##sim_hadr##";

/// How many rounds pass until a primary replica greets the others again.
const GREET_EVERY: u32 = 25;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The password of [`LOGIN`]: replicas of one group have to know each other before they can talk. It keeps nobody out
/// who reads this.
pub(super) fn password() -> String {
    super::guid(&["endpoint"]).to_string()
}

/// What a replica says of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    /// It is the primary one.
    pub(super) is_primary: bool,
    /// How often the group has failed over, as far as it knows.
    pub(super) epoch: u64,
}

/// What stands beside a stretch of log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Parcel {
    /// Where the stretch begins; none where there is nothing to give.
    pub(super) first: Option<Lsn>,
    /// The LSN after all of the giver's log.
    pub(super) end_lsn: Lsn,
    /// The giver's archive point.
    pub(super) archive: Archive,
}

/// Connections to other replicas, by their hosts' names.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, Connection>);

impl Lines {
    /// Asks a replica; 35250 where it cannot be reached, the loss of the connection where it may have heard.
    pub(super) async fn ask(
        &mut self,
        instance: &Instance,
        replica: &str,
        sql: &str,
    ) -> SqlResult<Vec<Row>> {
        let mut line = match self.0.remove(replica) {
            Some(line) if !line.is_broken() => line,
            _ => connect(instance, replica).await?,
        };
        let asked = instance.clock.within(Some(ANSWER_LIMIT), line.run(sql));
        let answer = asked.await.ok_or_else(connection_broken)?;
        self.0.insert(replica.to_owned(), line);
        Ok(answer?.into_iter().flat_map(|set| set.rows).collect())
    }

    /// The one value of an answer.
    pub(super) async fn learn<T: DeserializeOwned>(
        &mut self,
        instance: &Instance,
        replica: &str,
        sql: &str,
    ) -> SqlResult<T> {
        let rows = self.ask(instance, replica, sql).await?;
        rows.first()
            .and_then(read)
            .ok_or_else(messages::replica_not_connected)
    }

    /// The replica that is the primary one of this group now.
    pub(super) async fn primary_of(
        &mut self,
        instance: &Instance,
        group: &AvailabilityGroup,
    ) -> Option<String> {
        let sql = format!("EXEC sp_sim_hadr_role {}", text(&group.name));
        for replica in group.others(&instance.name()) {
            match self.learn::<Role>(instance, replica, &sql).await {
                Ok(role) if role.is_primary && role.epoch >= group.epoch => {
                    return Some(replica.to_owned());
                }
                _ => {}
            }
        }
        None
    }
}

async fn connect(instance: &Instance, replica: &str) -> SqlResult<Connection> {
    let target = Target {
        data_source: replica.to_owned(),
        user_name: LOGIN.to_owned(),
        password: password(),
        database: None,
        security: Security::LoginOnly,
        program: "Availability group".to_owned(),
    };
    let opening = Connection::open(&*instance.options.dial, &target);
    let opened = instance.clock.within(Some(ANSWER_LIMIT), opening).await;
    match opened {
        Some(Ok(line)) => Ok(line),
        Some(Err(Refusal::Unreachable(_) | Refusal::Refused(_))) | None => {
            Err(messages::replica_not_connected())
        }
    }
}

/// The value that the first cell of a row holds as JSON.
fn read<T: DeserializeOwned>(row: &Row) -> Option<T> {
    serde_json::from_str(row.first()?.as_text()?).ok()
}

/// Begins to keep the replicas of this host in step, unless somebody does already.
pub(super) fn begin(instance: &Arc<Instance>) {
    if instance.replicas.begin() {
        tokio::spawn(keep_in_step(Arc::downgrade(instance)));
    }
}

/// Takes what the databases of this host's secondary replicas lack, as long as the instance lives.
async fn keep_in_step(instance: Weak<Instance>) {
    let (mut lines, mut primaries) = (Lines::default(), BTreeMap::new());
    for round in 0_u32.. {
        let Some(alive) = instance.upgrade() else {
            return;
        };
        if alive.faults.is_killed() {
            return;
        }
        for group in groups(&alive) {
            if !group.is_primary {
                follow(&alive, &group, &mut lines, &mut primaries).await;
            } else if round.is_multiple_of(GREET_EVERY) {
                greet(&alive, &group, &mut lines).await;
            }
        }
        let (clock, pause) = (alive.clock.clone(), alive.options.replica_pause);
        drop(alive);
        clock.sleep(pause).await;
    }
}

/// Tells the other replicas what the group is. One that knows of a later failover takes the role away.
async fn greet(instance: &Arc<Instance>, group: &AvailabilityGroup, lines: &mut Lines) {
    let Ok(told) = serde_json::to_string(group) else {
        return;
    };
    let sql = format!("EXEC sp_sim_hadr_greet {}", text(&told));
    for replica in group.others(&instance.name()) {
        let answer = lines.learn::<Role>(instance, replica, &sql).await;
        let Ok(role) = answer else { continue };
        if role.is_primary && role.epoch > group.epoch {
            let stepped = super::failover::step_down(instance, &group.name, role.epoch);
            if let Err(error) = stepped {
                tracing::error!(group = group.name, %error, "cannot give the primary role up");
            }
            return;
        }
    }
}

/// Takes what all databases of one group lack.
async fn follow(
    instance: &Arc<Instance>,
    group: &AvailabilityGroup,
    lines: &mut Lines,
    primaries: &mut BTreeMap<String, String>,
) {
    let mut primary = primaries.remove(&group.name);
    if primary.is_none() {
        primary = lines.primary_of(instance, group).await;
    }
    let mut is_lost = primary.is_none();
    for name in &group.databases {
        let Some(database) = instance.database(name) else {
            continue;
        };
        let taken = match &primary {
            Some(primary) => take_all(instance, group, &database, (primary, lines)).await,
            None => Err(messages::replica_not_connected()),
        };
        if taken.is_err() {
            instance.replicas.lose_giver(name);
            is_lost = true;
        }
    }
    if let Some(primary) = primary.filter(|_| !is_lost) {
        primaries.insert(group.name.clone(), primary);
    }
}

/// Takes what one database lacks, until there is no more or a fault holds it back. Returns whether it has all.
pub(super) async fn take_all(
    instance: &Arc<Instance>,
    group: &AvailabilityGroup,
    database: &Arc<DatabaseHandle>,
    (giver, lines): (&str, &mut Lines),
) -> SqlResult<bool> {
    loop {
        let (lacked, reached) = take(instance, group, database, (giver, lines)).await?;
        if lacked == reached || reached.is_none() {
            return Ok(reached.is_some());
        }
    }
}

/// Takes a stretch; the LSN after the giver's log, and the LSN after what is there now, none where it is held back.
async fn take(
    instance: &Arc<Instance>,
    group: &AvailabilityGroup,
    database: &Arc<DatabaseHandle>,
    (giver, lines): (&str, &mut Lines),
) -> SqlResult<(Option<Lsn>, Option<Lsn>)> {
    let (name, storage) = (database.name(), database.storage());
    let facts = storage.facts();
    if !facts.is_replica {
        return Ok((None, None));
    }
    let sql = format!(
        "EXEC sp_sim_hadr_log {}, {}, {}, '{}', '{}', {}",
        text(&group.name),
        text(&name),
        text(&instance.name()),
        facts.end_lsn,
        facts.recovery_fork_guid,
        u8::from(!instance.replicas.holds_archived(&name)),
    );
    let rows = lines.ask(instance, giver, &sql).await?;
    let parcel: Option<Parcel> = rows.first().and_then(read);
    let parcel = parcel.ok_or_else(messages::replica_not_connected)?;
    let at = instance.clock.monotonic();
    let heard = |end_lsn| Heard {
        end_lsn,
        is_at_end: end_lsn == parcel.end_lsn,
        at,
    };
    let held = instance.faults.strike(FaultKind::HoldLog, "", &name);
    if held.is_some() {
        instance.replicas.note_giver(&name, heard(facts.end_lsn));
        return Ok((Some(parcel.end_lsn), None));
    }
    let extents: Vec<Extent> = rows.into_iter().filter_map(extent).collect();
    let reached = storage.take_log(&extents, &parcel.archive)?;
    if !extents.is_empty() {
        database.forget_schema();
    }
    instance.replicas.note_giver(&name, heard(reached));
    Ok((Some(parcel.end_lsn), Some(reached)))
}

fn extent(mut row: Row) -> Option<Extent> {
    let parcel: Parcel = read(&row)?;
    match row.pop()? {
        Value::Binary(bytes) => Some(Extent {
            first: parcel.first?,
            vlf_start_bytes: 0,
            bytes,
        }),
        _ => None,
    }
}
