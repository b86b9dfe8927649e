//! How a member stands in its availability group, as one of its replicas knows it. Start at [`Replica`]; values only.

use serde::{Deserialize, Serialize};

use crate::model::HostName;

/// The replicas of a member's availability group, as one of them knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The one on this host is the primary one.
    pub is_primary: bool,
    /// The hosts that have one, by true name.
    pub replicas: Vec<HostName>,
    /// How the secondary replicas stand; empty where this host has not the primary one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondaries: Vec<Secondary>,
    /// How full the log is, in per cent of its files, where logs may have to wait and this host has the primary replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_used_percent: Option<u8>,
    /// Why its last seeding to another replica failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeding_failure: Option<String>,
    /// Its group is one side of a distributed one, as a link to a Managed Instance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_side: Option<FarSide>,
    /// The group has no `DTC_SUPPORT = PER_DB`: after a failover the outcome of a distributed transaction may be lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_dtc: bool,
}

/// The other side of a distributed availability group: a Managed Instance, or another group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarSide {
    /// The distributed group, which is the link's name.
    pub group: String,
    /// The Managed Instance, or the other group.
    pub name: String,
    /// This side is the primary one, which applications write to.
    pub is_primary_here: bool,
    /// The other side says that it is the primary one; not known where nothing is heard of it.
    pub is_primary_there: bool,
}

/// A secondary replica as the primary one knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secondary {
    /// Its host, by true name.
    pub host: HostName,
    /// Log arrives there (`SYNCHRONIZED` or `SYNCHRONIZING`).
    pub is_synchronizing: bool,
    /// `BACKUP_PRIORITY`, 0 to 100; 0 takes no backups.
    pub backup_priority: u8,
}

/// Automatic seeding that goes on: a log backup before its end breaks it (1412 or 1408 on the other replica).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeding {
    /// How full the log is, in per cent of its files: no pause of log backups may fill it.
    pub log_used_percent: u8,
    /// Trace flag 12381 is on for everybody: the log that seeding needs is kept, whoever backs it up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_log: bool,
}
