//! How far each replica of a database is, as this host knows it.
//!
//! Start at [`database_replicas`].

use mtf::Lsn;

use super::AvailabilityGroup;
use super::known::Heard;
use crate::instance::Instance;
use crate::link::server::same;

/// `synchronization_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SynchronizationState {
    /// Nothing arrives.
    Not,
    /// Log arrives.
    Synchronizing,
    /// All log has arrived, and the replica commits synchronously.
    Synchronized,
}

/// One replica of one database.
#[derive(Clone, Debug)]
pub(super) struct DatabaseReplica {
    /// The database.
    pub(super) database: String,
    /// The replica's host.
    pub(super) replica: String,
    /// It is `SYNCHRONOUS_COMMIT`.
    pub(super) is_synchronous: bool,
    /// How it stands.
    pub(super) state: SynchronizationState,
    /// `last_hardened_lsn`: the start of the last block of log that is on its disk.
    pub(super) hardened_lsn: Option<Lsn>,
    /// The LSN after its log.
    pub(super) end_lsn: Option<Lsn>,
}

impl SynchronizationState {
    /// SQL Server's number and word.
    pub(super) const fn words(self) -> (i64, &'static str) {
        match self {
            Self::Not => (0, "NOT SYNCHRONIZING"),
            Self::Synchronizing => (1, "SYNCHRONIZING"),
            Self::Synchronized => (2, "SYNCHRONIZED"),
        }
    }

    /// Whether a replica may be like this.
    pub(super) fn is_healthy(self, is_synchronous: bool) -> bool {
        match self {
            Self::Not => false,
            Self::Synchronizing => !is_synchronous,
            Self::Synchronized => true,
        }
    }
}

/// The replicas of all databases of a group: on the primary's host all of them, elsewhere this host's own.
pub(super) fn database_replicas(
    instance: &Instance,
    group: &AvailabilityGroup,
) -> Vec<DatabaseReplica> {
    let own = instance.name();
    let mut found = Vec::new();
    for name in &group.databases {
        found.extend(local(instance, group, name, &own));
        let others = group.replicas.iter().filter(|_| group.is_primary);
        for replica in others.filter(|replica| !same(&replica.name, &own)) {
            let heard = instance.replicas.taker(name, &replica.name);
            found.extend(other(instance, (name, &replica.name), heard, group));
        }
    }
    found
}

fn local(
    instance: &Instance,
    group: &AvailabilityGroup,
    name: &str,
    own: &str,
) -> Option<DatabaseReplica> {
    let storage = instance.database(name)?.storage();
    let is_synchronous = group.is_synchronous(own);
    let end = storage.facts().end_lsn;
    let state = if group.is_primary {
        SynchronizationState::Synchronized
    } else {
        state(instance, instance.replicas.giver(name), is_synchronous)
    };
    Some(DatabaseReplica {
        database: name.to_owned(),
        replica: own.to_owned(),
        is_synchronous,
        state,
        hardened_lsn: storage.block_before(end).ok(),
        end_lsn: Some(end),
    })
}

fn other(
    instance: &Instance,
    (name, replica): (&str, &str),
    heard: Option<Heard>,
    group: &AvailabilityGroup,
) -> Option<DatabaseReplica> {
    let storage = instance.database(name)?.storage();
    let is_synchronous = group.is_synchronous(replica);
    let end_lsn = heard.map(|heard| heard.end_lsn);
    Some(DatabaseReplica {
        database: name.to_owned(),
        replica: replica.to_owned(),
        is_synchronous,
        state: state(instance, heard, is_synchronous),
        hardened_lsn: end_lsn.and_then(|end| storage.block_before(end).ok()),
        end_lsn,
    })
}

fn state(instance: &Instance, heard: Option<Heard>, is_synchronous: bool) -> SynchronizationState {
    let now = instance.clock.monotonic();
    match heard.filter(|heard| heard.is_recent(now)) {
        None => SynchronizationState::Not,
        Some(heard) if heard.is_at_end && is_synchronous => SynchronizationState::Synchronized,
        Some(_) => SynchronizationState::Synchronizing,
    }
}
