//! Somebody else's backup in words: who took it, on what computer, with which program, and where it went.
//!
//! Start at [`Taken`]. Nothing is judged here.

use std::fmt;

use crate::model::ServerLocal;
use crate::survey::BackupRow;

/// A backup that is not ours, as its host's history names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The login.
    pub user: String,
    /// When it ended, on its host's clock.
    pub when: ServerLocal,
    /// The computer that SQL Server ran on, where msdb says so.
    pub machine: Option<String>,
    /// The program that wrote the medium, where msdb says so.
    pub program: Option<String>,
    /// Where it went.
    pub device: String,
    /// It went to a program instead of a file.
    pub is_virtual: bool,
    /// It is a snapshot of volumes.
    pub is_snapshot: bool,
}

impl Taken {
    pub(super) fn of(row: &BackupRow) -> Self {
        Self {
            user: row.user_name.clone(),
            when: row.finished,
            machine: row.machine.clone(),
            program: row.program.clone(),
            device: row.device.clone(),
            is_virtual: row.is_virtual,
            is_snapshot: row.is_snapshot,
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_snapshot {
            "a snapshot of volumes (VSS), which counts as a full,"
        } else {
            "a full"
        };
        let how = how(self.program.as_deref(), self.machine.as_deref());
        let place = place(&self.device, self.is_virtual);
        write!(
            f,
            "`{}` took {what} on {}{how} {place}",
            self.user, self.when
        )
    }
}

/// With which program and on which computer it was taken, as far as msdb says so.
pub(super) fn how(program: Option<&str>, machine: Option<&str>) -> String {
    let with = program.map(|it| format!(" with `{it}`"));
    let on = machine.map(|it| format!(" on computer `{it}`"));
    with.into_iter().chain(on).collect()
}

/// Where it went; what went to a program is nowhere to be read.
pub(super) fn place(device: &str, is_virtual: bool) -> String {
    if is_virtual {
        format!(
            "to a program through the virtual device `{device}`, so that there is no file of it"
        )
    } else {
        format!("to `{device}`")
    }
}
