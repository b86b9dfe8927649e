//! Availability groups, so far as a backup agent meets them: making a group, joining a database and
//! being refused with 1475, the roles of replicas, the log that travels between them, and what each
//! may back up.
//!
//! Start at [`AvailabilityGroup`] and `Session::availability_group`. A secondary replica asks the
//! primary one for log (`transport.rs`) and may take over (`failover.rs`). A group has the same
//! GUIDs on every host, because they are made of its name.

mod backups;
mod failover;
mod known;
mod procedures;
mod rules;
mod state;
mod statements;
mod transport;
mod views;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::catalog::record::{self, Record};
use crate::error::SqlResult;
use crate::instance::{DatabaseHandle, Instance};
use crate::link::server::same;
use crate::messages;
use crate::storage::TableId;
use crate::value::Value;

pub(crate) use backups::{Noted, Primary};
pub use known::Known;
pub use procedures::PROCEDURES;
pub(crate) use rules::may_back_up;
pub use rules::{is_enabled, is_preferred_replica, is_primary_replica};
pub(crate) use views::VIEWS;

/// An availability group, as the replica on this host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityGroup {
    /// Its name.
    pub name: String,
    /// Whether this host has the primary replica.
    pub is_primary: bool,
    /// The replicas; this host's own is among them.
    pub replicas: Vec<ReplicaRecord>,
    /// The databases that have joined here.
    pub databases: Vec<String>,
    /// Those that are being seeded to another replica, as far as `sp_sim_seeding` says so.
    #[serde(default)]
    pub seeding: Vec<String>,
    /// Those whose last seeding failed.
    #[serde(default)]
    pub seeding_failed: Vec<String>,
    /// `AUTOMATED_BACKUP_PREFERENCE`.
    pub preference: BackupPreference,
    /// `DTC_SUPPORT = PER_DB`.
    pub dtc_support: bool,
    /// `CLUSTER_TYPE`.
    pub cluster_type: String,
    /// How often it has failed over: of two that think themselves the primary replica, the later counts.
    #[serde(default)]
    pub epoch: u64,
    /// The distributed group that it is one side of, as far as `sp_sim_distributed` says so.
    #[serde(default)]
    pub distributed: Option<DistributedGroup>,
}

/// A distributed availability group, of which the other side is somewhere that nobody simulates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistributedGroup {
    /// Its name.
    pub name: String,
    /// The group on the other side, or the Managed Instance.
    pub other: String,
    /// The role of this side, `PRIMARY` or `SECONDARY`.
    pub role: String,
    /// The role that the other side is heard to have; none where nothing is heard of it.
    pub other_role: Option<String>,
}

impl DistributedGroup {
    /// `group_id`.
    #[must_use]
    pub fn id(&self) -> Uuid {
        guid(&["group", &self.name])
    }

    /// `replica_id` of one side.
    #[must_use]
    pub fn replica_id(&self, side: &str) -> Uuid {
        guid(&["replica", &self.name, side])
    }
}

/// A replica and its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRecord {
    /// `replica_server_name`.
    pub name: String,
    /// Options by name in capitals, such as `AVAILABILITY_MODE`.
    pub options: Vec<(String, String)>,
}

/// Where automated backups prefer to run. It binds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackupPreference {
    /// On the primary.
    Primary,
    /// On a secondary and nowhere else.
    SecondaryOnly,
    /// On a secondary, if one is connected.
    Secondary,
    /// Anywhere.
    None,
}

impl Record for AvailabilityGroup {
    const TABLE: TableId = TableId(16);
}

impl AvailabilityGroup {
    /// `group_id`.
    #[must_use]
    pub fn id(&self) -> Uuid {
        guid(&["group", &self.name])
    }

    /// `replica_id` of a replica.
    #[must_use]
    pub fn replica_id(&self, server: &str) -> Uuid {
        guid(&["replica", &self.name, server])
    }

    /// `group_database_id` of a database.
    #[must_use]
    pub fn database_id(&self, database: &str) -> Uuid {
        guid(&["database", &self.name, database])
    }

    /// The hosts of the replicas that are not on this one.
    fn others(&self, own: &str) -> impl Iterator<Item = &str> {
        let names = self.replicas.iter().map(|replica| replica.name.as_str());
        names.filter(move |name| !same(name, own))
    }

    /// Whether the replica on this host is `SYNCHRONOUS_COMMIT`.
    fn is_synchronous(&self, host: &str) -> bool {
        let mut replicas = self.replicas.iter();
        let replica = replicas.find(|replica| same(&replica.name, host));
        replica.is_some_and(|it| {
            let mode = it.option("AVAILABILITY_MODE", "ASYNCHRONOUS_COMMIT");
            mode.eq_ignore_ascii_case("SYNCHRONOUS_COMMIT")
        })
    }

    fn has(&self, database: &str) -> bool {
        self.databases.iter().any(|known| same(known, database))
    }
}

impl ReplicaRecord {
    /// An option's value.
    #[must_use]
    pub fn option<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        let found = self.options.iter().find(|(known, _)| known == name);
        found.map_or(default, |(_, value)| value)
    }

    /// `BACKUP_PRIORITY`, 50 unless it was said.
    #[must_use]
    pub fn backup_priority(&self) -> i64 {
        self.option("BACKUP_PRIORITY", "50").parse().unwrap_or(50)
    }
}

/// A GUID made of names, equal on every host.
fn guid(names: &[&str]) -> Uuid {
    let text = names.join("/").to_lowercase();
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
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
    groups(instance)
        .into_iter()
        .find(|group| group.has(database))
}

/// Raises 3104 for a database that belongs to a group: it cannot be restored there.
pub fn not_a_member(instance: &Instance, database: &str) -> SqlResult<()> {
    match group_of(instance, database) {
        Some(_) => Err(messages::restore_in_availability_group(database)),
        None => Ok(()),
    }
}

/// `sys.databases.replica_id` and `group_database_id`: NULL for a database in no group.
#[must_use]
pub fn identity(instance: &Instance, database: &DatabaseHandle) -> (Value, Value) {
    let name = database.name();
    match group_of(instance, &name) {
        None => (Value::Null, Value::Null),
        Some(group) => (
            group.replica_id(&instance.name()).into(),
            group.database_id(&name).into(),
        ),
    }
}

/// The group of this name; 15151 is what ALTER and DROP raise for an unknown one.
fn needed_group(instance: &Instance, name: &str) -> SqlResult<AvailabilityGroup> {
    let mut all = groups(instance).into_iter();
    all.find(|group| same(&group.name, name))
        .ok_or_else(|| messages::principal_not_found("alter", "availability group", name))
}

/// Changes what this host knows of a group. Reading and writing are one, because a greeting of the primary replica
/// would undo a statement that came between, or the other way round. Returns what `change` does.
fn change_group<T>(
    instance: &Arc<Instance>,
    name: &str,
    change: impl FnOnce(&mut AvailabilityGroup) -> SqlResult<T>,
) -> SqlResult<T> {
    let _alone = instance.replicas.alone();
    let known = needed_group(instance, name)?;
    let mut group = known.clone();
    let done = change(&mut group)?;
    if group != known {
        write_group(instance, name, Some(&group))?;
    }
    Ok(done)
}

/// Writes a group that this host did not know, or forgets one.
fn put_group(
    instance: &Arc<Instance>,
    name: &str,
    group: Option<&AvailabilityGroup>,
) -> SqlResult<()> {
    let _alone = instance.replicas.alone();
    write_group(instance, name, group)
}

/// Whoever has a group has to be reached by its replicas.
fn write_group(
    instance: &Arc<Instance>,
    name: &str,
    group: Option<&AvailabilityGroup>,
) -> SqlResult<()> {
    if instance.login(transport::LOGIN).is_none() {
        instance.create_login(transport::LOGIN, &transport::password(), &[])?;
    }
    instance.change_quietly(|master, tx| {
        for (row, known) in record::all::<AvailabilityGroup>(master, Some(tx)) {
            if same(&known.name, name) {
                record::remove::<AvailabilityGroup>(master, tx, row)?;
            }
        }
        match group {
            Some(group) => record::add(master, tx, group).map(drop),
            None => Ok(()),
        }
    })?;
    transport::begin(instance);
    Ok(())
}

/// Goes on with what the replicas of this host were about when it stopped.
pub(crate) fn recover(instance: &Arc<Instance>) {
    if !groups(instance).is_empty() {
        transport::begin(instance);
    }
}
