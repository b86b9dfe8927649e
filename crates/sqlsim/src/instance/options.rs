//! What an instance is told at its start: its name, version, zone, neighbours and paths.
//!
//! Start at [`InstanceOptions`]. Nothing here is stored in the instance's folder; it is given anew
//! at each start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::paths::PathMap;
use crate::clock::{Clock, SystemClock};
use crate::link::{Dial, Network};
use crate::storage::{Disk, RealDisk};

/// The true name of an instance, as `SERVERPROPERTY('ServerName')` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// `SERVERPROPERTY('MachineName')`.
    pub machine: String,
    /// `SERVERPROPERTY('InstanceName')`; none for the default instance.
    pub instance: Option<String>,
}

impl ServerName {
    /// Reads `HOST` or `HOST\INST`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('\\') {
            Some((machine, instance)) => Self {
                machine: machine.to_owned(),
                instance: Some(instance.to_owned()),
            },
            None => Self {
                machine: text.to_owned(),
                instance: None,
            },
        }
    }

    /// `MSSQLSERVER`, or the instance's name: what `@@SERVICENAME` says.
    #[must_use]
    pub fn service(&self) -> &str {
        self.instance.as_deref().unwrap_or("MSSQLSERVER")
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instance {
            Some(instance) => write!(f, "{}\\{instance}", self.machine),
            None => f.write_str(&self.machine),
        }
    }
}

/// A version of SQL Server that an instance claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// SQL Server 2016 SP3, 13.0.
    V2016,
    /// SQL Server 2017, 14.0.
    V2017,
    /// SQL Server 2019, 15.0.
    V2019,
    /// SQL Server 2022, 16.0.
    V2022,
    /// SQL Server 2025, 17.0.
    V2025,
}

impl Version {
    /// The number before the first point.
    #[must_use]
    pub fn major(self) -> u8 {
        match self {
            Self::V2016 => 13,
            Self::V2017 => 14,
            Self::V2019 => 15,
            Self::V2022 => 16,
            Self::V2025 => 17,
        }
    }

    /// The build of this major version that is simulated.
    #[must_use]
    pub fn build(self) -> u16 {
        match self {
            Self::V2016 => 6300,
            Self::V2017 => 3456,
            Self::V2019 => 4375,
            Self::V2022 => 4175,
            Self::V2025 => 1000,
        }
    }

    /// The year in the product's name.
    #[must_use]
    pub fn year(self) -> u16 {
        match self {
            Self::V2016 => 2016,
            Self::V2017 => 2017,
            Self::V2019 => 2019,
            Self::V2022 => 2022,
            Self::V2025 => 2025,
        }
    }

    /// The version number of a database of this release, as backups carry it.
    #[must_use]
    pub fn database_version(self) -> u16 {
        match self {
            Self::V2016 => 852,
            Self::V2017 => 869,
            Self::V2019 => 904,
            Self::V2022 => 957,
            Self::V2025 => 998,
        }
    }

    /// The default compatibility level.
    #[must_use]
    pub fn compatibility_level(self) -> u8 {
        self.major() * 10
    }

    /// `SERVERPROPERTY('ProductVersion')`.
    #[must_use]
    pub fn product_version(self) -> String {
        format!("{}.0.{}.1", self.major(), self.build())
    }
}

/// What an instance is told at its start.
#[derive(Clone, Debug)]
pub struct InstanceOptions {
    /// The true name of the instance.
    pub server_name: ServerName,
    /// The version that it claims to be.
    pub version: Version,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// Minutes that local time is ahead of UTC.
    pub offset_minutes: i16,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The way to other hosts.
    pub dial: Arc<dyn Dial>,
    /// What paths in T-SQL mean on this machine.
    pub paths: PathMap,
    /// How long a statement waits for a lock before it becomes the victim of error 1205.
    pub lock_timeout: Duration,
    /// How long a step of a distributed commit may take before the others stop waiting for it.
    pub dtc_timeout: Duration,
    /// How often a secondary replica of an availability group asks for log.
    pub replica_pause: Duration,
    /// Whether each commit waits until the disk has it; kill -9 needs no such wait, a power cut
    /// does.
    pub sync_commits: bool,
    /// What holds the files of the databases; none is the disk of this machine. Another disk
    /// decides by itself whether commits wait for it.
    pub disk: Option<Arc<dyn Disk>>,
    /// What `sys.dm_os_volume_stats` says is free, in bytes; nothing else looks at it.
    pub free_bytes: u64,
}

impl InstanceOptions {
    /// The defaults: SQL Server 2022 Developer in UTC on the machine's clock, knowing nobody.
    #[must_use]
    pub fn new(server_name: &str) -> Self {
        Self {
            server_name: ServerName::parse(server_name),
            version: Version::V2022,
            edition: "Developer Edition (64-bit)".to_owned(),
            offset_minutes: 0,
            clock: Arc::new(SystemClock::new()),
            dial: Arc::new(Network::new()),
            paths: PathMap::default(),
            lock_timeout: Duration::from_secs(20),
            dtc_timeout: Duration::from_secs(10),
            replica_pause: Duration::from_millis(20),
            sync_commits: false,
            disk: None,
            free_bytes: 1 << 40,
        }
    }

    /// Reaches other hosts over this network; share one among hosts that shall know each other.
    #[must_use]
    pub fn with_dial(mut self, dial: Arc<dyn Dial>) -> Self {
        self.dial = dial;
        self
    }

    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        let own = || -> Arc<dyn Disk> {
            Arc::new(RealDisk {
                sync_commits: self.sync_commits,
            })
        };
        self.disk.clone().unwrap_or_else(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_name_follows_a_backslash() {
        let name = ServerName::parse(r"SQL1\BTS");
        assert_eq!((name.machine.as_str(), name.service()), ("SQL1", "BTS"));
        assert_eq!(ServerName::parse("SQL1").service(), "MSSQLSERVER");
    }
}
