//! The private procedures of availability groups: `sp_sim_hadr_*`, by which replicas talk to each other, and what
//! arranges things for tests.
//!
//! Start at [`PROCEDURES`].

use std::future::ready;

use mtf::Lsn;
use serde::Serialize;
use uuid::Uuid;

use super::known::Heard;
use super::transport::{LOGIN, Parcel, Role};
use super::{AvailabilityGroup, DistributedGroup, change_group, failover, group_of, needed_group};
use crate::error::{SqlError, SqlResult};
use crate::link::server::same;
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::value::{Column, Row, Rows, SqlType, Value};

const GROUP: Parameter = Parameter::needed("@group");
const DATABASE: Parameter = Parameter::needed("@db");

/// `sp_sim_bulk_change @db`: a minimally logged change, such as SELECT INTO under `BULK_LOGGED`.
/// `sp_sim_seeding @db, @goes_on`: whether a database of a group is being seeded to another replica: 1 yes, 0 no longer, 2 no
/// longer, since it failed.
/// `sp_sim_distributed @group, @name, @other, @role, @other_role`: the distributed group that a group is one side of; no
/// role ends it, no role of the other side means that nothing is heard of it. The others are for replicas only.
pub const PROCEDURES: [SystemProcedure; 9] = [
    SystemProcedure {
        name: "sp_sim_bulk_change",
        parameters: &[DATABASE],
        run: |session, call| Box::pin(ready(bulk_change(session, call))),
    },
    SystemProcedure {
        name: "sp_sim_seeding",
        parameters: &[DATABASE, Parameter::needed("@goes_on")],
        run: |session, call| Box::pin(ready(seed(session, call))),
    },
    SystemProcedure {
        name: "sp_sim_distributed",
        parameters: &[
            GROUP,
            Parameter::needed("@name"),
            Parameter::needed("@other"),
            Parameter::needed("@role"),
            Parameter::needed("@other_role"),
        ],
        run: |session, call| Box::pin(ready(distribute(session, call))),
    },
    SystemProcedure {
        name: "sp_sim_hadr_role",
        parameters: &[GROUP],
        run: |session, call| Box::pin(role(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_hadr_greet",
        parameters: &[GROUP],
        run: |session, call| Box::pin(greeted(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_hadr_log",
        parameters: &[
            GROUP,
            DATABASE,
            Parameter::needed("@taker"),
            Parameter::needed("@from"),
            Parameter::needed("@fork"),
            Parameter::needed("@archived"),
        ],
        run: |session, call| Box::pin(give_log(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_hadr_archive",
        parameters: &[GROUP, DATABASE, Parameter::needed("@for_log")],
        run: |session, call| Box::pin(archive(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_hadr_archived",
        parameters: &[
            GROUP,
            DATABASE,
            Parameter::needed("@first"),
            Parameter::needed("@last"),
        ],
        run: |session, call| Box::pin(ready(archived(session, call))),
    },
    SystemProcedure {
        name: "sp_sim_hadr_step_down",
        parameters: &[GROUP, Parameter::needed("@epoch")],
        run: |session, call| Box::pin(ready(step_down(session, call))),
    },
];

async fn role(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let group = asked(session, &call)?;
    answer(session, json(&role_of(&group))?).await;
    Ok((0, call))
}

const fn role_of(group: &AvailabilityGroup) -> Role {
    Role {
        is_primary: group.is_primary,
        epoch: group.epoch,
    }
}

/// The primary replica tells what the group is; a secondary one has its replicas and options from there.
async fn greeted(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let told = call.needed_text("@group")?;
    let told: AvailabilityGroup =
        serde_json::from_str(&told).map_err(|_| messages::incorrect_syntax("@group"))?;
    let name = known(session, &told.name)?.name;
    let role = change_group(&session.instance, &name, |group| {
        if !group.is_primary && told.epoch >= group.epoch {
            *group = AvailabilityGroup {
                is_primary: false,
                databases: std::mem::take(&mut group.databases),
                seeding: std::mem::take(&mut group.seeding),
                seeding_failed: std::mem::take(&mut group.seeding_failed),
                ..told
            };
        }
        Ok(role_of(group))
    })?;
    answer(session, json(&role)?).await;
    Ok((0, call))
}

async fn give_log(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let group = asked(session, &call)?;
    let name = call.needed_text("@db")?;
    let database = session.instance.needed_database(&name)?;
    let (taker, from) = (call.needed_text("@taker")?, lsn(&call, "@from")?);
    let fork = Uuid::parse_str(&call.needed_text("@fork")?);
    let fork = fork.map_err(|_| messages::incorrect_syntax("@fork"))?;
    let archived_too = call.integer("@archived")? == Some(1);
    let given = database
        .storage()
        .log_from(&taker, from, fork, archived_too)?
        .ok_or_else(|| too_far_apart(&name))?;
    if group.is_primary {
        let heard = Heard {
            end_lsn: from,
            is_at_end: from == given.end_lsn,
            at: session.instance.clock.monotonic(),
        };
        session.instance.replicas.note_taker(&name, &taker, heard);
    }
    let row = |first, bytes| -> SqlResult<Row> {
        let parcel = Parcel {
            first,
            end_lsn: given.end_lsn,
            archive: given.archive,
        };
        Ok(vec![json(&parcel)?, bytes])
    };
    let mut rows: Vec<Row> = Vec::new();
    for extent in &given.extents {
        rows.push(row(
            Some(extent.first),
            Value::Binary(extent.bytes.clone()),
        )?);
    }
    if rows.is_empty() {
        rows.push(row(None, Value::Null)?);
    }
    let columns = vec![
        Column::required("parcel", SqlType::NVarChar(None)),
        Column::new("log", SqlType::VarBinary(None)),
    ];
    session.output.rows(Rows { columns, rows }).await;
    Ok((0, call))
}

async fn archive(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let database = led(session, &call)?;
    let archive = match call.integer("@for_log")? {
        Some(1) => database.storage().archive_for_log()?,
        _ => database.storage().archive(),
    };
    answer(session, json(&archive)?).await;
    Ok((0, call))
}

fn archived(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let database = led(session, &call)?;
    let (first, last) = (lsn(&call, "@first")?, lsn(&call, "@last")?);
    if !database.storage().archive_moved(first, last)? {
        return Err(messages::backup_serialized());
    }
    Ok((0, call))
}

fn step_down(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let group = asked(session, &call)?;
    let epoch = call.integer("@epoch")?.unwrap_or_default();
    let epoch = u64::try_from(epoch).unwrap_or_default();
    failover::step_down(&session.instance, &group.name, epoch)?;
    Ok((0, call))
}

/// The group that another replica asks about; only replicas, and those who may do anything, may ask.
fn asked(session: &Session, call: &Call) -> SqlResult<AvailabilityGroup> {
    known(session, &call.needed_text("@group")?)
}

fn known(session: &Session, name: &str) -> SqlResult<AvailabilityGroup> {
    if session.login().name != LOGIN {
        session.require_server("CONTROL SERVER")?;
    }
    needed_group(&session.instance, name)
}

/// A database whose primary replica this host has; 41190 where it has not.
fn led(
    session: &Session,
    call: &Call,
) -> SqlResult<std::sync::Arc<crate::instance::DatabaseHandle>> {
    let group = asked(session, call)?;
    if !group.is_primary {
        return Err(messages::availability_group_state(&group.name, "BACKUP"));
    }
    session.instance.needed_database(&call.needed_text("@db")?)
}

fn lsn(call: &Call, name: &str) -> SqlResult<Lsn> {
    let text = call.needed_text(name)?;
    text.parse().map_err(|_| messages::incorrect_syntax(name))
}

fn json(value: &impl Serialize) -> SqlResult<Value> {
    let text = serde_json::to_string(value);
    text.map(Value::text)
        .map_err(|_| messages::replica_not_connected())
}

async fn answer(session: &mut Session, value: Value) {
    let rows = vec![vec![value]];
    let columns = vec![Column::required("answer", SqlType::NVarChar(None))];
    session.output.rows(Rows { columns, rows }).await;
}

/// 1408: the two copies do not continue each other.
fn too_far_apart(database: &str) -> SqlError {
    let text = format!(
        "The remote copy of database \"{database}\" is not recovered far enough to enable database mirroring or to \
         join it to the availability group. You need to apply missing log records to the remote database by \
         restoring the current log backups from the principal/primary database."
    );
    SqlError::new(1408, 16, text)
}

fn seed(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let name = call.needed_text("@db")?;
    let database = session.instance.needed_database(&name)?.name();
    let Some(group) = group_of(&session.instance, &database) else {
        return Err(messages::option_does_not_exist(&name));
    };
    let state = call.integer("@goes_on")?;
    change_group(&session.instance, &group.name, |group| {
        group.seeding.retain(|known| !same(known, &database));
        group.seeding_failed.retain(|known| !same(known, &database));
        match state {
            Some(1) => group.seeding.push(database),
            Some(2) => group.seeding_failed.push(database),
            _ => {}
        }
        Ok(())
    })?;
    Ok((0, call))
}

fn distribute(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let group = needed_group(&session.instance, &call.needed_text("@group")?)?;
    let other_role = call.needed_text("@other_role")?;
    let distributed = DistributedGroup {
        name: call.needed_text("@name")?,
        other: call.needed_text("@other")?,
        role: call.needed_text("@role")?.to_uppercase(),
        other_role: (!other_role.is_empty()).then(|| other_role.to_uppercase()),
    };
    change_group(&session.instance, &group.name, |group| {
        group.distributed = Some(distributed).filter(|it| !it.role.is_empty());
        Ok(())
    })?;
    Ok((0, call))
}

fn bulk_change(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let database = session
        .instance
        .needed_database(&call.needed_text("@db")?)?;
    database.storage().mark_bulk_logged()?;
    Ok((0, call))
}
