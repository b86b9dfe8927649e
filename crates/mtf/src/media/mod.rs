//! What backup media say: the family, the backup sets, their files and their log extents.
//!
//! Start at [`BackupSet`]. These are plain values; the [scanner](crate::Scanner) makes them from
//! media and the [writer](crate::MediaWriter) makes media from them.
//!
//! This room never reads or writes bytes, and never judges.

mod set;

pub use set::{BackupKind, BackupSet, ServerVersion, SetFlags};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Lsn;

/// The media that one file belongs to: a media set of `family_count` stripes.
///
/// A file of a media set with more than one family can be restored only with its siblings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFamily {
    /// The same in all stripes of a media set.
    pub media_set_id: Uuid,
    /// Stripes in the media set, at least 1.
    pub family_count: u16,
    /// This stripe, from 1.
    pub family_number: u16,
    /// A number that differs from stripe to stripe.
    pub family_id: u32,
    /// The software that formatted the media, `Microsoft SQL Server`.
    pub software: String,
    /// Physical block size in bytes, 65536 on disk.
    pub block_size_bytes: u32,
    /// Size in bytes of a filemark: the sector size of the device, 512 or 4096.
    pub filemark_bytes: u32,
    /// `MEDIANAME`, or empty.
    pub name: String,
    /// `MEDIADESCRIPTION`, or empty.
    pub description: String,
}

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Pages of 8192 bytes; type `D` of `RESTORE FILELISTONLY`.
    Data,
    /// Log blocks; type `L`.
    Log,
    /// Anything else (`FILESTREAM`, full-text, in-memory containers), by its number on media.
    Other(u32),
}

impl FileKind {
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Data,
            2 => Self::Log,
            other => Self::Other(other),
        }
    }

    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Data => 1,
            Self::Log => 2,
            Self::Other(other) => other,
        }
    }
}

/// A file of the database as `RESTORE FILELISTONLY` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFile {
    /// Number of the file in the database, from 1.
    pub file_id: u32,
    /// Pages or log.
    pub kind: FileKind,
    /// Number of the filegroup; 0 for log files.
    pub filegroup_id: u32,
    /// Name inside the database, unique there.
    pub logical_name: String,
    /// Path on the host where the backup was taken.
    pub physical_name: String,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// Pages of the file in this backup, over all stripes.
    pub pages_in_backup: u32,
}

/// A stretch of the log file (LDF) whose bytes a backup carries.
///
/// The place of an LSN in the file is the start of its virtual log file plus `block * 512`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogExtent {
    /// Offset in the log file of the first byte, in bytes.
    pub start_bytes: u64,
    /// Offset in the log file after the last byte, in bytes.
    pub end_bytes: u64,
    /// Number of the log file in the database.
    pub file_id: u16,
    /// The virtual log files that the extent touches, in log order.
    pub vlfs: Vec<Vlf>,
}

impl LogExtent {
    /// Bytes of log in the extent; 0 for a placeholder or nonsense.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.end_bytes.saturating_sub(self.start_bytes)
    }

    /// Where `lsn` lies in the log file, in bytes, or `None` if its virtual log file is not listed.
    #[must_use]
    pub fn position_of(&self, lsn: Lsn) -> Option<u64> {
        let vlf = self.vlfs.iter().find(|vlf| vlf.sequence == lsn.vlf)?;
        vlf.start_bytes.checked_add(u64::from(lsn.block) * 512)
    }

    /// Virtual log file and block number of the log block at `position_bytes` of the log file.
    #[must_use]
    pub fn block_at(&self, position_bytes: u64) -> Option<(u32, u32)> {
        let vlf = self.vlfs.iter().find(|vlf| vlf.contains(position_bytes))?;
        let block = (position_bytes - vlf.start_bytes) / 512;
        Some((vlf.sequence, u32::try_from(block).ok()?))
    }
}

/// A virtual log file: one of the pieces into which a log file is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlf {
    /// Sequence number, the first part of the LSNs in it.
    pub sequence: u32,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Offset in the log file, in bytes.
    pub start_bytes: u64,
    /// Number of the log file in the database.
    pub file_id: u16,
    /// 0x40 or 0x80, flipped at each reuse; stored in every sector of its blocks.
    pub parity: u8,
}

impl Vlf {
    fn contains(&self, position_bytes: u64) -> bool {
        position_bytes
            .checked_sub(self.start_bytes)
            .is_some_and(|into| into < self.size_bytes)
    }
}
