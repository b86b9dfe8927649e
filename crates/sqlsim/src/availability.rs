//! Availability groups, so far as a backup agent meets them: making a group, joining a database and
//! being refused with 1475.
//!
//! Start at `Session::availability_group`. A group here has one replica, this host, which is its
//! primary. Nothing is sent anywhere and nothing fails over.

use std::future::ready;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::record::{self, Record};
use crate::catalog::views::{SystemView, ViewContext};
use crate::error::{SqlError, SqlResult};
use crate::instance::{DatabaseHandle, Instance};
use crate::lang::ast::{AvailabilityGroupAction, CreateAvailabilityGroup, Replica, StatementKind};
use crate::link::server::same;
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::storage::{DatabaseState, RecoveryModel, TableId};
use crate::value::{Row, SqlType, Typed, Value};

/// An availability group whose primary replica is this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityGroup {
    /// `group_id`.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `replica_server_name` of each replica.
    pub replicas: Vec<String>,
    /// The databases, with their `group_database_id`.
    pub databases: Vec<(String, Uuid)>,
}

impl Record for AvailabilityGroup {
    const TABLE: TableId = TableId(16);
}

/// All groups of a host.
#[must_use]
pub fn groups(instance: &Instance) -> Vec<AvailabilityGroup> {
    let master = instance.master().storage();
    record::all::<AvailabilityGroup>(&master, None)
        .into_iter()
        .map(|(_, group)| group)
        .collect()
}

/// The group that a database belongs to.
#[must_use]
pub fn group_of(instance: &Instance, database: &str) -> Option<AvailabilityGroup> {
    let has =
        |group: &AvailabilityGroup| group.databases.iter().any(|(name, _)| same(name, database));
    groups(instance).into_iter().find(has)
}

/// Raises 3104 for a database that belongs to a group: it cannot be restored there.
pub fn not_a_member(instance: &Instance, database: &str) -> SqlResult<()> {
    match group_of(instance, database) {
        Some(_) => Err(messages::restore_in_availability_group(database)),
        None => Ok(()),
    }
}

impl Session {
    /// CREATE, ALTER and DROP AVAILABILITY GROUP.
    pub(crate) fn availability_group(&mut self, kind: &StatementKind) -> SqlResult<()> {
        self.require_server("ALTER ANY AVAILABILITY GROUP")?;
        match kind {
            StatementKind::CreateAvailabilityGroup(create) => self.create_group(create),
            StatementKind::AlterAvailabilityGroup { name, action } => {
                self.alter_group(name, action)
            }
            StatementKind::DropAvailabilityGroup { name } => {
                self.needed_group(name)?;
                self.put_group(name, None)
            }
            _ => Ok(()),
        }
    }

    fn create_group(&mut self, create: &CreateAvailabilityGroup) -> SqlResult<()> {
        if groups(&self.instance)
            .iter()
            .any(|group| same(&group.name, &create.name))
        {
            // 41042: the name is taken.
            let text = format!("The availability group '{}' already exists.", create.name);
            return Err(SqlError::new(41042, 16, text));
        }
        let mut group = AvailabilityGroup {
            id: self.instance.new_guid(),
            name: create.name.clone(),
            replicas: replica_names(&create.replicas),
            databases: Vec::new(),
        };
        for database in &create.databases {
            self.join_group(&mut group, database)?;
        }
        self.put_group(&create.name, Some(&group))
    }

    fn alter_group(&mut self, name: &str, action: &AvailabilityGroupAction) -> SqlResult<()> {
        let mut group = self.needed_group(name)?;
        match action {
            AvailabilityGroupAction::AddDatabases(databases) => {
                for database in databases {
                    self.join_group(&mut group, database)?;
                }
            }
            AvailabilityGroupAction::RemoveDatabases(databases) => {
                let leaves = |name: &str| databases.iter().any(|leaving| same(leaving, name));
                group.databases.retain(|(name, _)| !leaves(name));
            }
            AvailabilityGroupAction::AddReplicas(replicas) => {
                group.replicas.extend(replica_names(replicas));
            }
            AvailabilityGroupAction::Set(_) | AvailabilityGroupAction::GrantCreateAnyDatabase => {}
            AvailabilityGroupAction::Join | AvailabilityGroupAction::Failover => {
                return Err(messages::availability_group_state(
                    name,
                    "ALTER AVAILABILITY GROUP",
                ));
            }
        }
        self.put_group(name, Some(&group))
    }

    /// The checks of SQL Server in its order: the database is there and open, in FULL, in no group,
    /// and its log chain was begun by a regular full and holds no bulk change without a backup.
    fn join_group(&self, group: &mut AvailabilityGroup, name: &str) -> SqlResult<()> {
        let database = self.instance.needed_database(name)?;
        check_joinable(&database)?;
        if group_of(&self.instance, name).is_some() {
            // 1468: the operation is not allowed on a database that takes part already.
            let text = format!(
                "The operation cannot be performed on database \"{name}\" because it \
                is involved in a database mirroring session or an availability group. Some \
                operations are not allowed on a database that is participating in a database \
                mirroring session or in an availability group."
            );
            return Err(SqlError::new(1468, 16, text));
        }
        group
            .databases
            .push((database.name(), self.instance.new_guid()));
        Ok(())
    }

    /// `ALTER DATABASE .. SET HADR AVAILABILITY GROUP = ..`: what a secondary replica says. The
    /// primary is this host, or cannot be reached (35250).
    pub(crate) fn join_availability_group(
        &mut self,
        database: &Arc<DatabaseHandle>,
        group: &str,
    ) -> SqlResult<()> {
        self.needed_group(group)?;
        check_joinable(database)?;
        Err(messages::replica_not_connected())
    }

    /// `ALTER DATABASE .. SET HADR OFF | SUSPEND | RESUME`.
    pub(crate) fn hadr(&mut self, database: &Arc<DatabaseHandle>, action: &str) -> SqlResult<()> {
        let name = database.name();
        let Some(mut group) = group_of(&self.instance, &name) else {
            // 35240: the database is in no group.
            let text = format!(
                "Database '{name}' cannot be joined to or unjoined from availability \
                group. This operation is not supported on the primary replica of the availability \
                group."
            );
            return Err(SqlError::new(35240, 16, text));
        };
        if action.trim() == "OFF" {
            group.databases.retain(|(known, _)| !same(known, &name));
            let group_name = group.name.clone();
            return self.put_group(&group_name, Some(&group));
        }
        Ok(())
    }

    /// `ALTER DATABASE .. SET PARTNER`: 1475 as for a group; then 1418, since nobody answers.
    #[expect(clippy::unused_self, reason = "a statement like its neighbours")]
    pub(crate) fn begin_mirroring(&mut self, database: &Arc<DatabaseHandle>) -> SqlResult<()> {
        check_joinable(database)?;
        // 1418: no endpoint there.
        Err(SqlError::new(
            1418,
            16,
            "The server network address can not be reached or does not \
            exist. Check the network address name and that the ports for the local and remote \
            endpoints are operational.",
        ))
    }

    fn needed_group(&self, name: &str) -> SqlResult<AvailabilityGroup> {
        let found = groups(&self.instance)
            .into_iter()
            .find(|group| same(&group.name, name));
        found.ok_or_else(|| {
            // 41106 is for databases; 15151 is what ALTER and DROP raise for an unknown group.
            messages::principal_not_found("alter", "availability group", name)
        })
    }

    fn put_group(&self, name: &str, group: Option<&AvailabilityGroup>) -> SqlResult<()> {
        self.instance.change_quietly(|master, tx| {
            for (row, known) in record::all::<AvailabilityGroup>(master, Some(tx)) {
                if same(&known.name, name) {
                    record::remove::<AvailabilityGroup>(master, tx, row)?;
                }
            }
            match group {
                Some(group) => record::add(master, tx, group).map(drop),
                None => Ok(()),
            }
        })
    }
}

fn check_joinable(database: &DatabaseHandle) -> SqlResult<()> {
    let (name, facts) = (database.name(), database.storage().facts());
    match facts.state {
        DatabaseState::Restoring => return Err(messages::database_restoring(&name)),
        DatabaseState::Offline => return Err(messages::database_offline(&name)),
        DatabaseState::Online | DatabaseState::Standby => {}
    }
    if facts.recovery_model != RecoveryModel::Full {
        return Err(messages::recovery_not_full(&name));
    }
    if facts.might_hold_unbacked_bulk_changes {
        return Err(messages::bulk_logged_changes(&name));
    }
    Ok(())
}

fn replica_names(replicas: &[Replica]) -> Vec<String> {
    replicas
        .iter()
        .map(|replica| replica.name.clone())
        .collect()
}

const GUID: SqlType = SqlType::UniqueIdentifier;
const DESC: SqlType = SqlType::NVarChar(Some(60));
const BIT: SqlType = SqlType::Bit;

/// The views of this room.
pub const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "availability_groups",
        columns: &[
            ("group_id", GUID),
            ("name", SqlType::SYSNAME),
            ("resource_id", SqlType::NVarChar(Some(40))),
            ("db_failover", BIT),
            ("is_distributed", BIT),
            ("cluster_type_desc", DESC),
            ("dtc_support", BIT),
            ("automated_backup_preference_desc", DESC),
        ],
        rows: group_rows,
    },
    SystemView {
        schema: "sys",
        name: "availability_replicas",
        columns: &[
            ("replica_id", GUID),
            ("group_id", GUID),
            ("replica_server_name", SqlType::NVarChar(Some(256))),
        ],
        rows: replica_rows,
    },
    SystemView {
        schema: "sys",
        name: "availability_databases_cluster",
        columns: &[
            ("group_id", GUID),
            ("group_database_id", GUID),
            ("database_name", SqlType::SYSNAME),
        ],
        rows: database_rows,
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_database_replica_states",
        columns: &[
            ("database_id", SqlType::Int),
            ("group_id", GUID),
            ("replica_id", GUID),
            ("group_database_id", GUID),
            ("is_local", BIT),
            ("is_primary_replica", BIT),
            ("synchronization_state_desc", DESC),
            ("synchronization_health_desc", DESC),
            ("last_hardened_lsn", SqlType::LSN),
        ],
        rows: state_rows,
    },
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every view")]
fn group_rows(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |group: AvailabilityGroup| -> Row {
        vec![
            group.id.into(),
            group.name.into(),
            group.id.to_string().into(),
            false.into(),
            false.into(),
            "NONE".into(),
            true.into(),
            "PRIMARY".into(),
        ]
    };
    Ok(groups(context.instance).into_iter().map(row).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every view")]
fn replica_rows(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for group in groups(context.instance) {
        for (at, name) in group.replicas.iter().enumerate() {
            rows.push(vec![
                replica_id(&group, at).into(),
                group.id.into(),
                name.as_str().into(),
            ]);
        }
    }
    Ok(rows)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every view")]
fn database_rows(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for group in groups(context.instance) {
        for (name, id) in group.databases {
            rows.push(vec![group.id.into(), id.into(), name.into()]);
        }
    }
    Ok(rows)
}

/// This host's own row of each database.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every view")]
fn state_rows(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for group in groups(context.instance) {
        for (name, id) in &group.databases {
            let Some(database) = context.instance.database(name) else {
                continue;
            };
            rows.push(vec![
                database.id().into(),
                group.id.into(),
                replica_id(&group, 0).into(),
                (*id).into(),
                true.into(),
                true.into(),
                "SYNCHRONIZED".into(),
                "HEALTHY".into(),
                crate::msdb::number(database.storage().facts().end_lsn),
            ]);
        }
    }
    Ok(rows)
}

/// The GUID of a replica: made of its group's, so that nobody has to keep it.
fn replica_id(group: &AvailabilityGroup, at: usize) -> Uuid {
    let at = u128::try_from(at).unwrap_or_default();
    Uuid::from_u128(group.id.as_u128().wrapping_add(at + 1))
}

/// `sys.databases.replica_id` and `group_database_id`: NULL for a database in no group.
#[must_use]
pub fn identity(instance: &Instance, database: &DatabaseHandle) -> (Value, Value) {
    let name = database.name();
    let Some(group) = group_of(instance, &name) else {
        return (Value::Null, Value::Null);
    };
    let member = group.databases.iter().find(|(known, _)| same(known, &name));
    (
        replica_id(&group, 0).into(),
        member.map(|(_, id)| *id).into(),
    )
}

/// `SERVERPROPERTY('IsHadrEnabled')`.
#[must_use]
pub const fn is_enabled(_instance: &Instance) -> bool {
    true
}

/// `sys.fn_hadr_is_primary_replica`: NULL for a database in no group.
#[must_use]
pub fn is_primary_replica(session: &Session, database: &str) -> Typed {
    let is_member = group_of(&session.instance, database).map(|_| true);
    Typed {
        ty: BIT,
        value: is_member.into(),
    }
}

/// `sys.fn_hadr_backup_is_preferred_replica`: 1 here, also for a database in no group.
#[must_use]
pub fn is_preferred_replica(_session: &Session, _database: &str) -> Typed {
    Typed {
        ty: BIT,
        value: Value::Bit(true),
    }
}

/// `sp_sim_bulk_change @db`: a minimally logged change, such as SELECT INTO under `BULK_LOGGED`.
pub const PROCEDURES: [SystemProcedure; 1] = [SystemProcedure {
    name: "sp_sim_bulk_change",
    parameters: &[Parameter::needed("@db")],
    run: |session, call| Box::pin(ready(bulk_change(session, call))),
}];

fn bulk_change(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let database = session
        .instance
        .needed_database(&call.needed_text("@db")?)?;
    database.storage().mark_bulk_logged()?;
    Ok((0, call))
}
