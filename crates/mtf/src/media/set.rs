//! A backup set: the identity that `RESTORE HEADERONLY` would print.
//!
//! Start at [`BackupSet`].
//!
//! This file never decides which of the two copies on media is true; the scanner does.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DatabaseFile;
use crate::{Lsn, MediaTime};

/// What a backup set is a backup of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// The whole database; letter `D`.
    #[default]
    Full,
    /// The extents changed since the differential base; letter `I`.
    Differential,
    /// The log since the log backup before; letter `L`.
    Log,
    /// A kind that this crate does not place in chains (`F`, `G`, `P`, `Q`), by its letter.
    Other(u8),
}

impl BackupKind {
    /// The letter of `msdb.dbo.backupset.type`.
    #[must_use]
    pub fn letter(self) -> char {
        char::from(self.byte())
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Full => b'D',
            Self::Differential => b'I',
            Self::Log => b'L',
            Self::Other(letter) => letter,
        }
    }

    pub(crate) fn from_byte(letter: u8) -> Self {
        match letter {
            b'D' => Self::Full,
            b'I' => Self::Differential,
            b'L' => Self::Log,
            other => Self::Other(other),
        }
    }
}

/// Version of the server that wrote a backup set, printed as `16.0.4135`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ServerVersion {
    /// 10 for 2008, 13 for 2016, 16 for 2022.
    pub major: u8,
    /// 50 for 2008 R2, else 0.
    pub minor: u8,
    /// The build within the version.
    pub build: u16,
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// The flag word of a backup set.
///
/// Which bits mean what is documented for `RESTORE HEADERONLY`; only the checksum bit was seen to
/// agree with media contents. Where media keep `IsCopyOnly` is not known, so nothing here says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SetFlags(pub u32);

impl SetFlags {
    /// Contains bulk-logged data: point-in-time restore inside this log is impossible.
    pub const BULK_LOGGED: u32 = 0x1;
    /// Taken as a snapshot.
    pub const SNAPSHOT: u32 = 0x2;
    /// The database was read-only.
    pub const READ_ONLY: u32 = 0x4;
    /// The database was in single-user mode.
    pub const SINGLE_USER: u32 = 0x8;
    /// Written `WITH CHECKSUM`.
    pub const BACKUP_CHECKSUMS: u32 = 0x10;
    /// The database was damaged, but the backup was asked to go on.
    pub const DAMAGED: u32 = 0x20;
    /// Set in every backup set ever seen; what it means is not known.
    pub const ALWAYS: u32 = 0x200;
    /// Set in every differential ever seen.
    pub const DIFFERENTIAL: u32 = 0x800;

    /// Whether all of `bits` are set.
    #[must_use]
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// This word with `bits` set or cleared.
    #[must_use]
    pub fn with(self, bits: u32, set: bool) -> Self {
        Self(if set { self.0 | bits } else { self.0 & !bits })
    }
}

/// The identity of a backup set, from its authoritative copy (or the provisional one in front).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSet {
    /// Number on the media, from 1: `FILE = n` of `RESTORE`.
    pub position: u16,
    /// `NAME` of the backup, or empty.
    pub name: String,
    /// `DESCRIPTION`, or empty.
    pub description: String,
    /// Login that took the backup.
    pub user_name: String,
    /// Short name of the machine.
    pub machine_name: String,
    /// Name of the instance, `HOST` or `HOST\INSTANCE`.
    pub server_name: String,
    /// Name of the database.
    pub database_name: String,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// The flag word; see [`SetFlags`] and the methods of this type.
    pub flags: SetFlags,
    /// `BackupSetGUID`, `backup_set_uuid` in msdb.
    pub set_guid: Uuid,
    /// Version of the server.
    pub server_version: ServerVersion,
    /// Internal version of the database, 661 for 2008 R2, 957 for 2022.
    pub database_version: u16,
    /// Compatibility level, 100 for 2008.
    pub compatibility_level: u8,
    /// Start, local time of the server.
    pub started: MediaTime,
    /// End, local time of the server; `None` in the front copy, written before the end was known.
    pub finished: Option<MediaTime>,
    /// Quarter-hours from UTC of those times, if the server said.
    pub time_zone_quarters: Option<i8>,
    /// When the database was created, local time of the server.
    pub database_created: MediaTime,
    /// First LSN in the backup.
    pub first_lsn: Lsn,
    /// The LSN after the last one in the backup.
    pub last_lsn: Lsn,
    /// Checkpoint LSN of the database at the time of the backup.
    pub checkpoint_lsn: Lsn,
    /// Checkpoint LSN of the full backup that this one follows; zero if none.
    pub database_backup_lsn: Lsn,
    /// Where the changes in a differential begin; zero in other kinds.
    pub differential_base_lsn: Lsn,
    /// `set_guid` of a differential's base.
    pub differential_base_guid: Option<Uuid>,
    /// Binding id of the database.
    pub binding_id: Uuid,
    /// The recovery fork on which the backup ends, `last_recovery_fork_guid`.
    pub recovery_fork_guid: Uuid,
    /// The recovery fork on which the backup begins; equals the last one but where it crosses a
    /// fork.
    pub first_recovery_fork_guid: Uuid,
    /// Where the forks part; zero if the backup crosses none.
    pub fork_point_lsn: Lsn,
    /// Family GUID of the database; survives restores.
    pub family_guid: Uuid,
    /// `set_guid` of the full backup that `database_backup_lsn` names.
    pub base_full_guid: Option<Uuid>,
    /// Size of the backup in bytes as the server counts it; preliminary in the front copy.
    pub backup_size_bytes: u64,
    /// Compressed size in bytes; 0 on servers before 2008.
    pub compressed_size_bytes: u64,
    /// Collation as a number.
    pub collation: u32,
    /// Windows locale id of the collation.
    pub locale_id: u32,
    /// Comparison style of the collation.
    pub compare_style: u32,
    /// SQL sort order of the collation, 0 for Windows collations.
    pub sort_order: u8,
    /// Names of the filegroups.
    pub filegroups: Vec<String>,
    /// Files of the database.
    pub files: Vec<DatabaseFile>,
}

impl BackupSet {
    /// Written `WITH CHECKSUM`. An empty log backup says so too, though it holds no checksum.
    #[must_use]
    pub fn has_backup_checksums(&self) -> bool {
        self.flags.has(SetFlags::BACKUP_CHECKSUMS)
    }

    /// Holds minimally logged changes: its log can be rolled through, but not stopped in.
    #[must_use]
    pub fn has_bulk_logged_data(&self) -> bool {
        self.flags.has(SetFlags::BULK_LOGGED)
    }

    /// The server knew the database to be damaged.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.flags.has(SetFlags::DAMAGED)
    }
}
