//! Members of availability groups: which replica this one is, and what is being seeded to another.
//!
//! Start at [`add`] for surveys, at [`hardened`] for what waits for log to arrive. Hosts without groups are not asked anything.

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::quote::{identifier, literal};
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter, placeholders};
use super::{milink, rows};
use crate::error::{Error, Result};
use crate::model::{DatabaseName, HostName, Lsn, MemberName};
use crate::plan::LeaveGroup;
use crate::survey::{FarSide, HostFacts, MemberState, Replica, Secondary, Seeding, no_access};
use crate::world::FactsWanted;

/// The trace flag under which a log backup during seeding does no harm.
const KEEPS_LOG_WHILE_SEEDING: i32 = 12381;

/// Adds replicas and what is being seeded to a host's facts.
pub(super) async fn add(
    session: SqlSession,
    wanted: &FactsWanted,
    facts: &mut HostFacts,
) -> Result<SqlSession> {
    let grouped = facts.members.iter();
    let grouped = grouped.filter(|(_, member)| member.availability_group.is_some());
    let names: Vec<DatabaseName> = grouped.map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(session);
    }
    let (session, answer) = session.ask(&replicas_sql(&names)).await?;
    add_replicas(&answer, facts).map_err(|fault| fault.at(session.host()))?;
    let (session, answer) = session.ask(&far_sides_sql(&names)).await?;
    add_far_sides(&answer, facts).map_err(|fault| fault.at(session.host()))?;
    let (session, answer) = session.ask(&failed_seeding_sql(&names)).await?;
    add_failures(&answer, facts).map_err(|fault| fault.at(session.host()))?;
    let (mut session, answer) = session.ask(&seeding_sql(&names)).await?;
    let seeded = rows::set(&answer, 0).map(|row| row.text("name"));
    let seeded = seeded.collect::<Result<Vec<_>, Fault>>();
    let seeded = seeded.map_err(|fault| fault.at(session.host()))?;
    let mut keeps_log = false;
    if !seeded.is_empty() {
        let (back, flags) = session.ask(&milink::flags_sql()).await?;
        session = back;
        let flags = milink::flags_of(&flags).map_err(|fault| fault.at(session.host()))?;
        keeps_log = flags.contains(&KEEPS_LOG_WHILE_SEEDING);
    }
    for name in &names {
        let is_seeded = is_among(&seeded, name);
        let may_wait = is_seeded || wanted.wants_log_used;
        if !may_wait || !(is_seeded || may_look_into(facts, name)) {
            continue;
        }
        let (back, answer) = session.ask(&log_used_sql(name)).await?;
        session = back;
        let used = rows::only(&answer).and_then(|row| row.int("log_used_percent"));
        let used = used.map_err(|fault| fault.at(session.host()).at("database", name))?;
        let log_used_percent = u8::try_from(used.clamp(0, 100)).unwrap_or(100);
        let Some(member) = facts.members.get_mut(name) else {
            continue;
        };
        member.seeding = is_seeded.then_some(Seeding {
            log_used_percent,
            keeps_log,
        });
        if let Some(replica) = member.replica.as_mut().filter(|_| wanted.wants_log_used) {
            replica.log_used_percent = Some(log_used_percent);
        }
    }
    Ok(session)
}

/// Whether this is a primary replica that the login may enter.
fn may_look_into(facts: &HostFacts, name: &DatabaseName) -> bool {
    let member = facts.members.get(name);
    let is_primary = member.is_some_and(|member| {
        let replica = member.replica.as_ref();
        member.state == MemberState::Online && replica.is_some_and(|it| it.is_primary)
    });
    is_primary && !facts.missing_rights.contains(&no_access(name))
}

/// How far the log of a secondary replica is on its disk: the start of the last block there, padded with zeros; none
/// where the host has no secondary replica of this database, or does not say.
pub(super) async fn hardened(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
) -> Result<Option<Lsn>> {
    let (_, answer) = fleet.open(host).await?.ask(&hardened_sql(database)).await?;
    let lsn = rows::first(&answer, 0).map(|row| row.lsn_or_null("last_hardened_lsn"));
    let lsn = lsn.transpose();
    lsn.map(Option::flatten)
        .map_err(|fault| fault.at(host).at("database", database))
}

/// Takes a database out of its group; one that is in none is left as it is.
pub(super) async fn leave_group(
    fleet: &SqlFleet,
    host: &HostName,
    step: &LeaveGroup,
) -> Result<()> {
    let at_member = |error: Error| {
        let error = error
            .at("member", &step.member)
            .at("availability group", &step.group);
        if error.sql().is_none() {
            return error;
        }
        error.hint(
            "the primary replica must be on this host, and the login must have the right ALTER ANY AVAILABILITY \
             GROUP: `stopmark grants --for leave-group` prints the T-SQL",
        )
    };
    let session = fleet.open(host).await.map_err(at_member)?;
    let left = session.ask(&leave_sql(step)).await;
    left.map(|_| ()).map_err(at_member)
}

/// Every replica of a group has a row, whichever the host has.
fn add_replicas(answer: &Answer, facts: &mut HostFacts) -> Result<(), Fault> {
    for row in rows::set(answer, 0) {
        let (name, replica) = (row.text("name")?, row.text("replica_server_name")?);
        let is_primary = row.int("is_primary")? == 1;
        let lacks_dtc = !row.flag("dtc_support")?;
        let is_meant = |name: &DatabaseName, meant: &str| is_among(&[meant.to_owned()], name);
        let mut members = facts.members.iter_mut();
        let Some((_, member)) = members.find(|(it, _)| is_meant(it, &name)) else {
            continue;
        };
        let found = member.replica.get_or_insert_with(|| Replica {
            is_primary,
            replicas: Vec::new(),
            seeding_failure: None,
            far_side: None,
            secondaries: Vec::new(),
            log_used_percent: None,
            lacks_dtc,
        });
        // A name that no host can have is no host's.
        let Ok(host) = replica.parse::<HostName>() else {
            continue;
        };
        found.replicas.push(host.clone());
        if is_primary && row.int("is_other")? == 1 {
            found.secondaries.push(Secondary {
                host,
                is_synchronizing: row.int("is_synchronizing")? == 1,
                backup_priority: u8::try_from(row.int("backup_priority")?).unwrap_or(0),
            });
        }
    }
    Ok(())
}

fn add_far_sides(answer: &Answer, facts: &mut HostFacts) -> Result<(), Fault> {
    for row in rows::set(answer, 0) {
        let far_side = FarSide {
            group: row.text("distributed_group")?,
            name: row.text("other")?,
            is_primary_here: row.text_or_null("own_role")?.as_deref() == Some("PRIMARY"),
            is_primary_there: row.text_or_null("other_role")?.as_deref() == Some("PRIMARY"),
        };
        if let Some(replica) = replica_of(facts, &row.text("name")?) {
            replica.far_side = Some(far_side);
        }
    }
    Ok(())
}

fn add_failures(answer: &Answer, facts: &mut HostFacts) -> Result<(), Fault> {
    for row in rows::set(answer, 0) {
        let why = row.text_or_null("why")?.unwrap_or_default();
        let number = row.int_or_null("error_code")?;
        let number = number.map_or_else(String::new, |number| format!(" ({number})"));
        if let Some(replica) = replica_of(facts, &row.text("name")?) {
            replica.seeding_failure = Some(format!("{why}{number}"));
        }
    }
    Ok(())
}

/// The replicas of the member that a row names in its own letters.
fn replica_of<'a>(facts: &'a mut HostFacts, name: &str) -> Option<&'a mut Replica> {
    let name = name.to_lowercase();
    let mut members = facts.members.iter_mut();
    let (_, member) = members.find(|(it, _)| it.as_str().to_lowercase() == name)?;
    member.replica.as_mut()
}

fn is_among(seeded: &[String], name: &DatabaseName) -> bool {
    let letters = name.as_str().to_lowercase();
    seeded.iter().any(|it| it.to_lowercase() == letters)
}

/// Whether this host has the primary replica of these databases, who has any, and whether log arrives there.
fn replicas_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT d.name, CASE WHEN s.role_desc = N'PRIMARY' THEN 1 ELSE 0 END AS is_primary,\n    \
             r.replica_server_name, r.backup_priority, g.dtc_support,\n    \
             CASE WHEN r.replica_id = d.replica_id THEN 0 ELSE 1 END AS is_other,\n    \
             CASE WHEN b.synchronization_state_desc IN (N'SYNCHRONIZED', N'SYNCHRONIZING') THEN 1 ELSE 0 END\n        \
             AS is_synchronizing\n\
             FROM sys.databases AS d\n\
             INNER JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = d.replica_id\n\
             INNER JOIN sys.availability_replicas AS r ON r.group_id = s.group_id\n\
             INNER JOIN sys.availability_groups AS g ON g.group_id = r.group_id\n\
             LEFT JOIN sys.dm_hadr_database_replica_states AS b\n    \
             ON b.replica_id = r.replica_id AND b.group_database_id = d.group_database_id\n\
             WHERE s.is_local = 1 AND d.name IN ({list})\n\
             ORDER BY d.name, r.replica_server_name;"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

/// The distributed groups of these databases: one side has the name of the database's own group. The other side's role is
/// known where this host has heard of it.
fn far_sides_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT d.name, dg.name AS distributed_group, o.replica_server_name AS other,\n    \
             ms.role_desc AS own_role, os.role_desc AS other_role\n\
             FROM sys.databases AS d\n\
             INNER JOIN sys.availability_replicas AS r ON r.replica_id = d.replica_id\n\
             INNER JOIN sys.availability_groups AS g ON g.group_id = r.group_id\n\
             INNER JOIN sys.availability_replicas AS m ON m.replica_server_name = g.name\n\
             INNER JOIN sys.availability_groups AS dg ON dg.group_id = m.group_id AND dg.is_distributed = 1\n\
             INNER JOIN sys.availability_replicas AS o ON o.group_id = dg.group_id AND o.replica_id <> m.replica_id\n\
             INNER JOIN sys.dm_hadr_availability_replica_states AS ms\n    \
             ON ms.replica_id = m.replica_id AND ms.group_id = dg.group_id\n\
             LEFT JOIN sys.dm_hadr_availability_replica_states AS os\n    \
             ON os.replica_id = o.replica_id AND os.group_id = dg.group_id\n\
             WHERE d.name IN ({list})\n\
             ORDER BY d.name;"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

/// The databases among these that this replica is the source of a seeding of.
fn seeding_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT DISTINCT d.name FROM sys.databases AS d\n\
             INNER JOIN sys.dm_hadr_automatic_seeding AS s ON s.ag_db_id = d.group_database_id\n\
             WHERE s.is_source = 1 AND s.completion_time IS NULL AND d.name IN ({list});"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

fn leave_sql(step: &LeaveGroup) -> Batch {
    let name = step.target.as_str();
    Batch::plain(format!(
        "IF EXISTS (SELECT 1 FROM sys.databases AS d WHERE d.name = {} AND d.replica_id IS NOT NULL)\n    \
         ALTER AVAILABILITY GROUP {} REMOVE DATABASE {};",
        literal(name),
        identifier(&step.group),
        identifier(name)
    ))
}

/// Those whose newest seeding from here failed, with SQL Server's words; one that goes on counts more.
fn failed_seeding_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT d.name, s.failure_state_desc AS why, CAST(s.error_code AS int) AS error_code\n\
             FROM sys.databases AS d\n\
             INNER JOIN sys.dm_hadr_automatic_seeding AS s ON s.ag_db_id = d.group_database_id\n\
             WHERE s.is_source = 1 AND s.current_state = N'FAILED' AND d.name IN ({list})\n    \
             AND NOT EXISTS (SELECT 1 FROM sys.dm_hadr_automatic_seeding AS n\n        \
             WHERE n.ag_db_id = s.ag_db_id AND n.is_source = 1\n        \
             AND (n.completion_time IS NULL OR n.completion_time > s.completion_time));"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

fn hardened_sql(name: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT CAST(b.last_hardened_lsn AS varchar(30)) AS last_hardened_lsn\n\
         FROM sys.dm_hadr_database_replica_states AS b\n\
         WHERE b.is_local = 1 AND b.is_primary_replica = 0 AND b.database_id = DB_ID(@P1);",
        [Parameter::text(name.as_str())],
    )
}

fn log_used_sql(name: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "USE {};\n\
         SELECT CAST(u.used_log_space_in_percent AS int) AS log_used_percent\n\
         FROM sys.dm_db_log_space_usage AS u;",
        identifier(name.as_str())
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let name = sample.database_name();
    let leaving = LeaveGroup {
        member: MemberName::new(
            sample.host.parse().expect("samples are valid names"),
            name.clone(),
        ),
        target: name.clone(),
        group: sample.login.clone(),
    };
    vec![
        ("availability.leave", leave_sql(&leaving)),
        (
            "availability.replicas",
            replicas_sql(std::slice::from_ref(&name)),
        ),
        (
            "availability.far_sides",
            far_sides_sql(std::slice::from_ref(&name)),
        ),
        (
            "availability.seeding",
            seeding_sql(std::slice::from_ref(&name)),
        ),
        (
            "availability.failed_seeding",
            failed_seeding_sql(std::slice::from_ref(&name)),
        ),
        ("availability.log_used", log_used_sql(&name)),
        ("availability.hardened", hardened_sql(&name)),
    ]
}
