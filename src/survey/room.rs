//! How much room a host has left: the logs of members, and the volumes that their files are on. Values only.
//!
//! Start at [`HostRoom`]. A log that cannot be reused or cannot grow stops its database (error 9002), and a disk
//! without room stops whatever writes there; both are seen before they happen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Volume;
use crate::model::DatabaseName;

/// What one host has left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoom {
    /// The logs of those databases that are open to the agent's login.
    pub logs: BTreeMap<DatabaseName, LogRoom>,
    /// The volumes that their files are on, each once.
    pub volumes: Vec<Volume>,
}

/// One database's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRoom {
    /// `sys.dm_db_log_space_usage.used_log_space_in_bytes`.
    pub used_bytes: u64,
    /// What its files have now.
    pub size_bytes: u64,
    /// What its files may grow to: their limits, or the room on their volumes.
    pub most_bytes: u64,
    /// Why the log cannot be reused (`sys.databases.log_reuse_wait_desc`); `NOTHING` where it can.
    pub reuse_wait: String,
}

/// A log file, as far as its room goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// What it has now.
    pub size_bytes: u64,
    /// Its limit; none: it has none.
    pub limit_bytes: Option<u64>,
    /// Whether it grows at all.
    pub grows: bool,
    /// The volume that it is on.
    pub volume: String,
}

impl LogRoom {
    /// How full the log is, in per cent of what it may grow to.
    #[must_use]
    pub fn used_percent(&self) -> u8 {
        let used = u128::from(self.used_bytes) * 100;
        let percent = used / u128::from(self.most_bytes.max(1));
        u8::try_from(percent.min(100)).unwrap_or(100)
    }

    /// Whether a log backup would make room, as far as the server's word goes.
    #[must_use]
    pub fn is_freed_by_log_backup(&self) -> bool {
        matches!(
            self.reuse_wait.as_str(),
            "NOTHING" | "CHECKPOINT" | "LOG_BACKUP" | "ACTIVE_BACKUP_OR_RESTORE" | "OLDEST_PAGE"
        )
    }
}

/// What these files of one log may grow to together; a volume's room counts once, however many of them are on it.
#[must_use]
pub fn most_bytes(files: &[LogFile], volumes: &[Volume]) -> u64 {
    let size: u64 = files.iter().map(|file| file.size_bytes).sum();
    let growth = volumes.iter().map(|volume| {
        let on_it = files
            .iter()
            .filter(|it| it.grows && it.volume == volume.root);
        let wanted = on_it.map(|file| {
            let limit = file.limit_bytes.unwrap_or(u64::MAX);
            limit.saturating_sub(file.size_bytes)
        });
        wanted.fold(0, u64::saturating_add).min(volume.free_bytes)
    });
    growth.fold(size, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size_bytes: u64, limit_bytes: Option<u64>, grows: bool) -> LogFile {
        LogFile {
            size_bytes,
            limit_bytes,
            grows,
            volume: "L:\\".to_owned(),
        }
    }

    #[test]
    fn a_log_may_grow_to_its_limit_or_to_the_end_of_its_disk() {
        let volumes = [Volume {
            root: "L:\\".to_owned(),
            free_bytes: 100,
        }];
        for (files, most) in [
            (vec![file(50, None, true)], 150),
            (vec![file(50, Some(80), true)], 80),
            (vec![file(50, Some(40), true)], 50),
            (vec![file(50, None, false)], 50),
            (vec![file(50, Some(400), true), file(30, None, true)], 180),
            (Vec::new(), 0),
        ] {
            assert_eq!(most_bytes(&files, &volumes), most, "{files:?}");
        }
    }

    #[test]
    fn how_full_a_log_is_counts_by_what_it_may_grow_to() {
        let log = |used_bytes, most_bytes| LogRoom {
            used_bytes,
            size_bytes: 10,
            most_bytes,
            reuse_wait: "NOTHING".to_owned(),
        };
        for (used, most, percent) in [(9, 10, 90), (9, 900, 1), (20, 10, 100), (0, 0, 0)] {
            assert_eq!(log(used, most).used_percent(), percent);
        }
    }

    #[test]
    fn only_some_waits_end_with_a_log_backup() {
        let wait = |word: &str| {
            let log = LogRoom {
                used_bytes: 0,
                size_bytes: 0,
                most_bytes: 0,
                reuse_wait: word.to_owned(),
            };
            log.is_freed_by_log_backup()
        };
        assert!(wait("LOG_BACKUP") && wait("NOTHING"));
        assert!(!wait("ACTIVE_TRANSACTION") && !wait("REPLICATION"));
    }
}
