//! Alarms: logs that fill up, logs that nothing frees, disks without room. Pure, but for the file in which a service
//! leaves its newest look for `stopmark status`.
//!
//! Start at [`alarms`]. What is too little the configuration says; nothing here is mended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kept::{self, Formatted};
use crate::config::AlarmsConfig;
use crate::error::{Code, Error, Result};
use crate::model::{HostName, MemberName, Severity, Timestamp};
use crate::report::bytes::size;
use crate::survey::{HostRoom, LogRoom};

/// The newest format of the file.
const FORMAT: u16 = 1;

/// A look that is older than this says nothing of now.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// Something that will stop a member if nobody does anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The stable code.
    pub code: String,
    /// The member, or the host with the volume.
    pub about: String,
    /// One line.
    pub message: String,
    /// What a person should do.
    pub hint: String,
}

impl Alarm {
    /// How grave it is: what is full stops a member, what holds a log or hides it will.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let is_full = [Code::LogFilling, Code::DiskFilling];
        if is_full.iter().any(|code| code.text() == self.code) {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// The alarm in a line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {} [{}]", self.about, self.message, self.code)
    }
}

/// What a look at all hosts found.
pub type Rooms = BTreeMap<HostName, Result<HostRoom>>;

/// A look as it is left in the state folder.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u16,
    at: Timestamp,
    alarms: Vec<Alarm>,
}

impl Formatted for Kept {
    const NEWEST: u16 = FORMAT;

    fn format(&self) -> u16 {
        self.format
    }
}

/// What is wrong with the room that these hosts have left. A host that does not answer is for the runs to tell.
#[must_use]
pub fn alarms(config: &AlarmsConfig, rooms: &Rooms) -> Vec<Alarm> {
    let of_host = |(host, room): (&HostName, &Result<HostRoom>)| match room {
        Ok(room) => of_room(config, host, room),
        Err(error) if error.code() == Code::RightMissing => vec![blind(host, error)],
        Err(_) => Vec::new(),
    };
    rooms.iter().flat_map(of_host).collect()
}

/// What is wrong with the room of one host.
#[must_use]
pub fn of_room(config: &AlarmsConfig, host: &HostName, room: &HostRoom) -> Vec<Alarm> {
    let logs = room.logs.iter().filter_map(|(database, log)| {
        let member = MemberName::new(host.clone(), database.clone());
        of_log(config, &member, log)
    });
    let full = |free_bytes: u64| free_bytes < config.disk_free_bytes;
    let volumes = room.volumes.iter().filter(|it| full(it.free_bytes));
    let volumes = volumes.map(|volume| {
        let (free, place) = (size(volume.free_bytes), &volume.root);
        let hint = "make room, or `[alarms] disk_free` says what is enough";
        let message = format!("{free} free on `{place}`, where members have their files");
        alarm(Code::DiskFilling, format!("{host} {place}"), message, hint)
    });
    logs.chain(volumes).collect()
}

fn of_log(config: &AlarmsConfig, member: &MemberName, log: &LogRoom) -> Option<Alarm> {
    let (used, bound) = (log.used_percent(), config.log_used_percent);
    if bound == 0 {
        return None;
    }
    let (wait, most) = (&log.reuse_wait, size(log.most_bytes));
    let hint = hint_of(wait);
    if used >= bound {
        let message = format!("the log uses {used} % of the {most} that it can have ({wait})");
        return Some(alarm(Code::LogFilling, member.to_string(), message, hint));
    }
    // Below the bound only what no log backup will ever free is worth a word.
    (used >= bound / 2 && !log.is_freed_by_log_backup()).then(|| {
        let message = format!("log backups free nothing: {wait}; the log uses {used} % of {most}");
        alarm(Code::LogHeld, member.to_string(), message, hint)
    })
}

/// What helps against a reason why a log cannot be reused, by SQL Server's word for it.
fn hint_of(wait: &str) -> &'static str {
    match wait {
        "LOG_BACKUP" | "NOTHING" | "CHECKPOINT" | "OLDEST_PAGE" => {
            "see with `stopmark status` that log backups run, or let the log grow"
        }
        "ACTIVE_TRANSACTION" => "find the oldest transaction with `DBCC OPENTRAN` and end it",
        "ACTIVE_BACKUP_OR_RESTORE" => "a backup holds it; it is freed when that has ended",
        "REPLICATION" => "see that the log reader of replication or change data capture runs",
        "AVAILABILITY_REPLICA" => "see that every replica is connected and keeps up",
        "DATABASE_MIRRORING" => "see that the mirror is connected and keeps up",
        _ => "look up this word of `log_reuse_wait_desc` in SQL Server's documentation",
    }
}

fn blind(host: &HostName, error: &Error) -> Alarm {
    let hint = error.hint_text().unwrap_or_default();
    alarm(
        error.code(),
        host.to_string(),
        error.message().to_owned(),
        hint,
    )
}

fn alarm(code: Code, about: String, message: String, hint: &str) -> Alarm {
    Alarm {
        code: code.text().to_owned(),
        about,
        message,
        hint: hint.to_owned(),
    }
}

/// Leaves a look in the state folder, whole or not at all.
///
/// # Errors
/// Those of the file system.
pub fn keep(state: &Path, alarms: &[Alarm], at: Timestamp) -> std::io::Result<()> {
    let kept = Kept {
        format: FORMAT,
        at,
        alarms: alarms.to_vec(),
    };
    kept::write(&place(state), &kept)
}

/// The alarms that a service saw lately; none where no service looks.
#[must_use]
pub fn kept(state: &Path, now: Timestamp) -> Vec<Alarm> {
    let kept = kept::read::<Kept>(&place(state));
    let kept = kept.filter(|kept| now < kept.at.plus(FRESH));
    kept.map(|kept| kept.alarms).unwrap_or_default()
}

fn place(state: &Path) -> PathBuf {
    state.join("alarms.json")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::survey::Volume;

    fn host() -> HostName {
        "SQL1".parse().expect("a name")
    }

    fn room(used_bytes: u64, wait: &str, free_bytes: u64) -> HostRoom {
        let log = LogRoom {
            used_bytes,
            size_bytes: 100,
            most_bytes: 100,
            reuse_wait: wait.to_owned(),
        };
        HostRoom {
            logs: [("A".parse().expect("a name"), log)].into(),
            volumes: vec![Volume {
                root: "D:\\".to_owned(),
                free_bytes,
            }],
        }
    }

    fn found(room: &HostRoom) -> Vec<(String, String)> {
        let alarms = of_room(&AlarmsConfig::default(), &host(), room);
        alarms.into_iter().map(|it| (it.code, it.about)).collect()
    }

    #[test]
    fn a_log_and_a_disk_that_fill_up_are_told() {
        let much = 1 << 40;
        assert_eq!(found(&room(69, "LOG_BACKUP", much)), []);
        let log = |code: Code| vec![(code.text().to_owned(), "SQL1/A".to_owned())];
        assert_eq!(found(&room(70, "LOG_BACKUP", much)), log(Code::LogFilling));
        assert_eq!(found(&room(35, "REPLICATION", much)), log(Code::LogHeld));
        assert_eq!(found(&room(34, "REPLICATION", much)), []);
        let disk = (Code::DiskFilling.text().to_owned(), "SQL1 D:\\".to_owned());
        assert_eq!(found(&room(0, "NOTHING", 1 << 30)), [disk]);
    }

    #[test]
    fn a_log_that_may_fill_up_is_not_told() {
        let config = AlarmsConfig {
            log_used_percent: 0,
            disk_free_bytes: 0,
            ..AlarmsConfig::default()
        };
        assert_eq!(of_room(&config, &host(), &room(100, "REPLICATION", 0)), []);
    }

    #[test]
    fn a_host_that_shows_nothing_is_told_and_one_that_is_silent_is_not() {
        let error = |code| -> Result<HostRoom> { Err(Error::new(code, "no")) };
        let rooms = |code| Rooms::from([(host(), error(code))]);
        let config = AlarmsConfig::default();
        assert_eq!(alarms(&config, &rooms(Code::HostUnreachable)), []);
        assert_eq!(alarms(&config, &rooms(Code::RightMissing)).len(), 1);
    }

    #[test]
    fn a_look_is_kept_for_an_hour() {
        let state = tempfile::tempdir().expect("a folder");
        let at = Timestamp::from_millis(1_000_000);
        assert_eq!(kept(state.path(), at), []);
        let alarms = of_room(
            &AlarmsConfig::default(),
            &host(),
            &room(99, "NOTHING", 1 << 40),
        );
        keep(state.path(), &alarms, at).expect("writes");
        assert_eq!(kept(state.path(), at.plus(FRESH / 2)), alarms);
        assert_eq!(kept(state.path(), at.plus(FRESH)), []);
        fs::write(place(state.path()), "{").expect("writes");
        assert_eq!(kept(state.path(), at), []);
    }
}
