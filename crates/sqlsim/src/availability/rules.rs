//! What a replica may do, and where backups are preferred.
//!
//! Start at [`may_back_up`].

use super::state::{SynchronizationState, database_replicas};
use super::{AvailabilityGroup, BackupPreference, group_of};
use crate::error::{SqlError, SqlResult};
use crate::instance::{Instance, Version};
use crate::link::server::same;
use crate::session::Session;
use crate::value::{SqlType, Typed, Value};

/// Raises 3059 for a backup that a secondary replica does not take: up to SQL Server 2022 fulls only
/// as copies, no differentials, and logs only in earnest.
pub(crate) fn may_back_up(
    instance: &Instance,
    database: &str,
    is_log: bool,
    is_copy: bool,
    is_differential: bool,
) -> SqlResult<()> {
    let is_secondary = group_of(instance, database).is_some_and(|group| !group.is_primary);
    let is_free = instance.options.version >= Version::V2025;
    let is_taken = if is_log {
        !is_copy
    } else {
        is_free || is_copy && !is_differential
    };
    if is_secondary && !is_taken {
        return Err(not_on_secondary());
    }
    Ok(())
}

/// `SERVERPROPERTY('IsHadrEnabled')`.
#[must_use]
pub const fn is_enabled(_instance: &Instance) -> bool {
    true
}

/// `sys.fn_hadr_is_primary_replica`: NULL for a database in no group.
#[must_use]
pub fn is_primary_replica(session: &Session, database: &str) -> Typed {
    let role = group_of(&session.instance, database).map(|group| group.is_primary);
    Typed {
        ty: SqlType::Bit,
        value: role.into(),
    }
}

/// `sys.fn_hadr_backup_is_preferred_replica`: 1 for a database in no group.
#[must_use]
pub fn is_preferred_replica(session: &Session, database: &str) -> Typed {
    let instance = &session.instance;
    let group = group_of(instance, database);
    let is_preferred = group.is_none_or(|group| prefers(instance, &group));
    Typed {
        ty: SqlType::Bit,
        value: Value::Bit(is_preferred),
    }
}

/// Whether the group prefers the replica on this host. A primary stands in for secondaries where it may and none of
/// them is connected; among secondaries the priority decides.
fn prefers(instance: &Instance, group: &AvailabilityGroup) -> bool {
    let own = instance.name();
    let mut others = group
        .replicas
        .iter()
        .filter(|replica| !same(&replica.name, &own));
    let own = group
        .replicas
        .iter()
        .find(|replica| same(&replica.name, &own));
    let priority = own.map_or(50, super::ReplicaRecord::backup_priority);
    let is_best = priority > 0 && others.all(|other| other.backup_priority() <= priority);
    match group.preference {
        BackupPreference::Primary => group.is_primary,
        BackupPreference::Secondary if group.is_primary => !has_secondary(instance, group),
        BackupPreference::None | BackupPreference::Secondary => is_best,
        BackupPreference::SecondaryOnly => !group.is_primary && is_best,
    }
}

/// Whether a secondary replica that may take backups is connected.
fn has_secondary(instance: &Instance, group: &AvailabilityGroup) -> bool {
    let others = group.replicas.iter();
    let mut able = others.filter(|replica| replica.backup_priority() > 0);
    let states = database_replicas(instance, group);
    able.any(|replica| {
        let mut its = states.iter().filter(|it| same(&it.replica, &replica.name));
        !same(&replica.name, &instance.name())
            && its.any(|it| it.state != SynchronizationState::Not)
    })
}

/// 3059
fn not_on_secondary() -> SqlError {
    SqlError::new(
        3059,
        16,
        "This BACKUP or RESTORE command is not supported on a database mirror or secondary replica.",
    )
}
