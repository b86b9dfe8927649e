//! What a host has for a link to an Azure SQL Managed Instance. Start at [`MilinkFacts`].
//!
//! These are facts and nothing else: whether a link can be made of them is for `milink` to say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{DatabaseName, HostName};

/// One host, as a link to a Managed Instance needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MilinkFacts {
    /// `SERVERPROPERTY('ServerName')`.
    pub true_name: HostName,
    /// `SERVERPROPERTY('ProductVersion')`, `16.0.1000.6`.
    pub version: String,
    /// `SERVERPROPERTY('ProductUpdateLevel')`, `CU10`; none where nothing was added since the first delivery.
    pub update: Option<String>,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// `SERVERPROPERTY('Collation')`.
    pub collation: String,
    /// `SERVERPROPERTY('IsHadrEnabled')`.
    pub is_hadr_enabled: bool,
    /// The login is sysadmin.
    pub is_sysadmin: bool,
    /// master has a database master key.
    pub has_master_key: bool,
    /// The endpoint of database mirroring; a host has one at most.
    pub endpoint: Option<MirrorEndpoint>,
    /// Trace flags that are on for everybody.
    pub trace_flags: BTreeSet<i32>,
    /// The availability groups that the host has, distributed ones among them.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// The databases that were asked for, as far as they are there.
    pub databases: BTreeMap<DatabaseName, MilinkDatabase>,
}

/// An endpoint of database mirroring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorEndpoint {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub port: i32,
    /// `state_desc` is `STARTED`.
    pub is_started: bool,
    /// `connection_auth_desc`, such as `CERTIFICATE` or `NEGOTIATE, CERTIFICATE`.
    pub authentication: String,
    /// `encryption_algorithm_desc`, such as `AES`.
    pub encryption: String,
    /// The certificate that it shows.
    pub certificate: Option<ServerCertificate>,
}

/// A certificate in master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// Its name.
    pub name: String,
    /// The day on which it ends.
    pub expires: Date,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MilinkDatabase {
    /// `collation_name`; none where the database is not open.
    pub collation: Option<String>,
    /// Its files are encrypted (TDE).
    pub is_encrypted: bool,
    /// Service Broker is on.
    pub is_broker_enabled: bool,
    /// Accelerated database recovery is on; no version before 2019 has it.
    #[serde(default)]
    pub has_accelerated_recovery: bool,
    /// It closes when nobody uses it.
    pub is_auto_close: bool,
    /// `user_access_desc`, such as `MULTI_USER`.
    pub user_access: String,
}

/// The first number of a `SERVERPROPERTY('ProductVersion')`, 16 for SQL Server 2022; 0 where it cannot be read.
#[must_use]
pub fn major(version: &str) -> u32 {
    let first = version.split('.').next();
    first.and_then(|text| text.parse().ok()).unwrap_or(0)
}
