//! The catalog and dynamic views of availability groups.
//!
//! Start at [`VIEWS`].

use mtf::Lsn;

use super::state::{DatabaseReplica, SynchronizationState, database_replicas};
use super::{AvailabilityGroup, BackupPreference, DistributedGroup, ReplicaRecord, groups};
use crate::catalog::views::{SystemView, ViewContext};
use crate::link::server::same;
use crate::value::{Row, SqlType, Value};

const GUID: SqlType = SqlType::UniqueIdentifier;
const DESC: SqlType = SqlType::NVarChar(Some(60));
const NAME: SqlType = SqlType::NVarChar(Some(256));
const BIT: SqlType = SqlType::Bit;
const INT: SqlType = SqlType::Int;

/// The views of this room.
pub(crate) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "availability_groups",
        columns: &[
            ("group_id", GUID),
            ("name", SqlType::SYSNAME),
            ("resource_id", SqlType::NVarChar(Some(40))),
            ("automated_backup_preference", SqlType::TinyInt),
            ("automated_backup_preference_desc", DESC),
            ("db_failover", BIT),
            ("dtc_support", BIT),
            ("is_distributed", BIT),
            ("cluster_type_desc", DESC),
        ],
        rows: |context| Ok(of_groups(context, |_, group| group_rows(group))),
    },
    SystemView {
        schema: "sys",
        name: "availability_replicas",
        columns: &[
            ("replica_id", GUID),
            ("group_id", GUID),
            ("replica_server_name", NAME),
            ("endpoint_url", SqlType::NVarChar(Some(128))),
            ("availability_mode_desc", DESC),
            ("failover_mode_desc", DESC),
            ("seeding_mode_desc", DESC),
            ("backup_priority", INT),
        ],
        rows: |context| Ok(of_groups(context, |_, group| replica_rows(group))),
    },
    SystemView {
        schema: "sys",
        name: "availability_databases_cluster",
        columns: &[
            ("group_id", GUID),
            ("group_database_id", GUID),
            ("database_name", SqlType::SYSNAME),
        ],
        rows: |context| Ok(of_groups(context, |_, group| database_rows(group))),
    },
    SystemView {
        schema: "sys",
        name: "availability_group_listeners",
        columns: &[
            ("group_id", GUID),
            ("dns_name", SqlType::NVarChar(Some(63))),
            ("port", INT),
        ],
        rows: |_| Ok(Vec::new()),
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_availability_group_states",
        columns: &[
            ("group_id", GUID),
            ("primary_replica", SqlType::NVarChar(Some(128))),
            ("primary_recovery_health_desc", DESC),
            ("secondary_recovery_health_desc", DESC),
            ("synchronization_health_desc", DESC),
        ],
        rows: |context| Ok(of_groups(context, group_state_rows)),
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_availability_replica_states",
        columns: &[
            ("replica_id", GUID),
            ("group_id", GUID),
            ("is_local", BIT),
            ("role", SqlType::TinyInt),
            ("role_desc", DESC),
            ("operational_state_desc", DESC),
            ("connected_state_desc", DESC),
            ("synchronization_health_desc", DESC),
        ],
        rows: |context| Ok(of_groups(context, replica_state_rows)),
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_database_replica_states",
        columns: &[
            ("database_id", INT),
            ("group_id", GUID),
            ("replica_id", GUID),
            ("group_database_id", GUID),
            ("is_local", BIT),
            ("is_primary_replica", BIT),
            ("synchronization_state", SqlType::TinyInt),
            ("synchronization_state_desc", DESC),
            ("synchronization_health_desc", DESC),
            ("database_state_desc", DESC),
            ("is_suspended", BIT),
            ("last_hardened_lsn", SqlType::LSN),
            ("last_redone_lsn", SqlType::LSN),
            ("end_of_log_lsn", SqlType::LSN),
            ("truncation_lsn", SqlType::LSN),
        ],
        rows: |context| Ok(of_groups(context, database_state_rows)),
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_automatic_seeding",
        columns: &[
            ("start_time", SqlType::DateTime),
            ("completion_time", SqlType::DateTime),
            ("ag_id", GUID),
            ("ag_db_id", GUID),
            ("is_source", BIT),
            ("current_state", DESC),
            ("failure_state_desc", DESC),
            ("error_code", INT),
        ],
        rows: |context| Ok(of_groups(context, seeding_rows)),
    },
    SystemView {
        schema: "sys",
        name: "dm_hadr_database_replica_cluster_states",
        columns: &[
            ("replica_id", GUID),
            ("group_database_id", GUID),
            ("database_name", SqlType::SYSNAME),
            ("is_failover_ready", BIT),
            ("is_database_joined", BIT),
        ],
        rows: |context| Ok(of_groups(context, cluster_state_rows)),
    },
];

fn of_groups(
    context: &ViewContext<'_>,
    rows: impl Fn(&ViewContext<'_>, &AvailabilityGroup) -> Vec<Row>,
) -> Vec<Row> {
    let groups = groups(context.instance);
    groups
        .iter()
        .flat_map(|group| rows(context, group))
        .collect()
}

fn group_rows(group: &AvailabilityGroup) -> Vec<Row> {
    let distributed = group.distributed.iter().map(|it| {
        vec![
            it.id().into(),
            it.name.as_str().into(),
            it.id().to_string().into(),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            true.into(),
            "NONE".into(),
        ]
    });
    std::iter::once(group_row(group))
        .chain(distributed)
        .collect()
}

/// The two sides of a distributed group: this one by its group's name, and the other.
fn sides<'a>(
    group: &'a AvailabilityGroup,
    of: &'a DistributedGroup,
) -> [(&'a str, Option<&'a str>); 2] {
    let own = (group.name.as_str(), Some(of.role.as_str()));
    [own, (of.other.as_str(), of.other_role.as_deref())]
}

fn side_rows(group: &AvailabilityGroup) -> Vec<Row> {
    let of = group.distributed.iter();
    let sides = of.flat_map(|of| sides(group, of).map(|(side, _)| (of, side)));
    let row = |(of, side): (&DistributedGroup, &str)| {
        vec![
            of.replica_id(side).into(),
            of.id().into(),
            side.into(),
            format!("tcp://{side}:5022").into(),
            "ASYNCHRONOUS_COMMIT".into(),
            "MANUAL".into(),
            "AUTOMATIC".into(),
            Value::Null,
        ]
    };
    sides.map(row).collect()
}

fn side_state_rows(group: &AvailabilityGroup) -> Vec<Row> {
    let of = group.distributed.iter();
    let sides = of.flat_map(|of| {
        sides(group, of)
            .into_iter()
            .enumerate()
            .filter_map(move |(at, (side, role))| Some((of, at == 0, side, role?)))
    });
    let row = |(of, is_local, side, role): (&DistributedGroup, bool, &str, &str)| {
        vec![
            of.replica_id(side).into(),
            of.id().into(),
            is_local.into(),
            if role == "PRIMARY" { 1 } else { 2 }.into(),
            role.into(),
            is_local.then_some("ONLINE").into(),
            "CONNECTED".into(),
            "HEALTHY".into(),
        ]
    };
    sides.map(row).collect()
}

fn group_row(group: &AvailabilityGroup) -> Row {
    let (number, word) = match group.preference {
        BackupPreference::Primary => (0, "PRIMARY"),
        BackupPreference::SecondaryOnly => (1, "SECONDARY_ONLY"),
        BackupPreference::Secondary => (2, "SECONDARY"),
        BackupPreference::None => (3, "NONE"),
    };
    vec![
        group.id().into(),
        group.name.as_str().into(),
        group.id().to_string().into(),
        number.into(),
        word.into(),
        false.into(),
        group.dtc_support.into(),
        false.into(),
        group.cluster_type.as_str().into(),
    ]
}

fn replica_rows(group: &AvailabilityGroup) -> Vec<Row> {
    let row = |replica: &ReplicaRecord| {
        let option = |name, default| Value::text(replica.option(name, default).to_uppercase());
        vec![
            group.replica_id(&replica.name).into(),
            group.id().into(),
            replica.name.as_str().into(),
            replica.option("ENDPOINT_URL", "").into(),
            option("AVAILABILITY_MODE", "ASYNCHRONOUS_COMMIT"),
            option("FAILOVER_MODE", "MANUAL"),
            option("SEEDING_MODE", "MANUAL"),
            replica.backup_priority().into(),
        ]
    };
    let own = group.replicas.iter().map(row);
    own.chain(side_rows(group)).collect()
}

fn database_rows(group: &AvailabilityGroup) -> Vec<Row> {
    let row = |name: &String| {
        let id = group.database_id(name);
        vec![group.id().into(), id.into(), name.as_str().into()]
    };
    group.databases.iter().map(row).collect()
}

/// A seeding that is over leaves no row here unless it failed.
fn seeding_rows(context: &ViewContext<'_>, group: &AvailabilityGroup) -> Vec<Row> {
    let ended = crate::msdb::datetime(context.instance.clock.local());
    let failed = |name: &String| {
        vec![
            Value::Null,
            ended.clone(),
            group.id().into(),
            group.database_id(name).into(),
            group.is_primary.into(),
            "FAILED".into(),
            "Seeding Check Message Timeout".into(),
            1412_i64.into(),
        ]
    };
    let row = |name: &String| {
        vec![
            Value::Null,
            Value::Null,
            group.id().into(),
            group.database_id(name).into(),
            group.is_primary.into(),
            "SEEDING".into(),
            Value::Null,
            Value::Null,
        ]
    };
    let goes_on = group.seeding.iter().map(row);
    goes_on
        .chain(group.seeding_failed.iter().map(failed))
        .collect()
}

/// The worst health of a group's databases here, as a word.
fn health(states: &[DatabaseReplica]) -> &'static str {
    let is_healthy = |state: &DatabaseReplica| state.state.is_healthy(state.is_synchronous);
    if states.iter().all(is_healthy) {
        "HEALTHY"
    } else if states.iter().any(is_healthy) {
        "PARTIALLY_HEALTHY"
    } else {
        "NOT_HEALTHY"
    }
}

fn group_state_rows(context: &ViewContext<'_>, group: &AvailabilityGroup) -> Vec<Row> {
    let own = group.is_primary;
    let primary = own.then(|| context.instance.name());
    let online = Value::text("ONLINE");
    let (as_primary, as_secondary) = if own {
        (online, Value::Null)
    } else {
        (Value::Null, online)
    };
    vec![vec![
        group.id().into(),
        primary.into(),
        as_primary,
        as_secondary,
        health(&database_replicas(context.instance, group)).into(),
    ]]
}

fn replica_state_rows(context: &ViewContext<'_>, group: &AvailabilityGroup) -> Vec<Row> {
    let own = context.instance.name();
    let databases = database_replicas(context.instance, group);
    let row = |replica: &ReplicaRecord| {
        let is_local = same(&replica.name, &own);
        let (role, role_word) = match (is_local, group.is_primary) {
            (true, true) => (1, "PRIMARY"),
            (true, false) | (false, true) => (2, "SECONDARY"),
            // A secondary knows of itself only.
            (false, false) => return None,
        };
        let is_its = |it: &&DatabaseReplica| same(&it.replica, &replica.name);
        let its: Vec<DatabaseReplica> = databases.iter().filter(is_its).cloned().collect();
        let is_connected = its.iter().any(|it| it.state != SynchronizationState::Not);
        let connected = if is_local || is_connected {
            "CONNECTED"
        } else {
            "DISCONNECTED"
        };
        Some(vec![
            group.replica_id(&replica.name).into(),
            group.id().into(),
            is_local.into(),
            role.into(),
            role_word.into(),
            is_local.then_some("ONLINE").into(),
            connected.into(),
            health(&its).into(),
        ])
    };
    let own = group.replicas.iter().filter_map(row);
    own.chain(side_state_rows(group)).collect()
}

/// This host's own row of each database; on the primary replica those of all others too.
fn database_state_rows(context: &ViewContext<'_>, group: &AvailabilityGroup) -> Vec<Row> {
    let own = context.instance.name();
    let row = |it: &DatabaseReplica| {
        let is_local = same(&it.replica, &own);
        let database = context.instance.database(&it.database)?;
        let lsn = |lsn: Option<Lsn>| lsn.map_or(Value::Null, crate::msdb::number);
        let (number, word) = it.state.words();
        Some(vec![
            database.id().into(),
            group.id().into(),
            group.replica_id(&it.replica).into(),
            group.database_id(&it.database).into(),
            is_local.into(),
            (is_local && group.is_primary).into(),
            number.into(),
            word.into(),
            health(std::slice::from_ref(it)).into(),
            is_local.then_some("ONLINE").into(),
            false.into(),
            lsn(it.hardened_lsn),
            // What is hardened is redone at once.
            lsn(it.hardened_lsn),
            lsn(it.end_lsn),
            lsn(context
                .instance
                .database(&it.database)
                .and_then(|it| it.storage().archive().last_log_backup_lsn)),
        ])
    };
    let databases = database_replicas(context.instance, group);
    databases.iter().filter_map(row).collect()
}

fn cluster_state_rows(context: &ViewContext<'_>, group: &AvailabilityGroup) -> Vec<Row> {
    let replica = group.replica_id(&context.instance.name());
    let row = |name: &String| {
        vec![
            replica.into(),
            group.database_id(name).into(),
            name.as_str().into(),
            group.is_primary.into(),
            true.into(),
        ]
    };
    group.databases.iter().map(row).collect()
}
