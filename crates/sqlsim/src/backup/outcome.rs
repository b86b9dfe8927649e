//! What a backup or restore did: the material of msdb rows and of messages.
//!
//! Start at [`BackupOutcome`] and [`RestoreOutcome`]. Values only.

use mtf::{BackupKind, BackupSet, Lsn, MediaFamily};

use crate::error::SqlError;
use crate::messages;
use crate::storage::{DatabaseFiles, Facts};

/// A backup that was written, and counted by the database.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupOutcome {
    /// The backup set, as it stands on the media: `msdb.dbo.backupset`.
    pub set: BackupSet,
    /// One media family for each device, in order: `backupmediafamily`.
    pub media: Vec<MediaFamily>,
    /// The media were formatted by this backup; else their `backupmediaset` row is there already.
    pub is_new_media: bool,
    /// The media are compressed.
    pub is_compressed: bool,
    /// `is_copy_only`.
    pub is_copy_only: bool,
    /// `begins_log_chain`: the first log backup of its chain.
    pub begins_log_chain: bool,
    /// The database as it was when the backup began.
    pub facts: Facts,
    /// Pages of the data file that were written.
    pub data_pages: u64,
    /// Pages of log that were written.
    pub log_pages: u64,
}

/// A restore that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreOutcome {
    /// The backup set that was applied.
    pub set: BackupSet,
    /// The media it came from.
    pub media: Vec<MediaFamily>,
    /// These are compressed.
    pub is_compressed: bool,
    /// Where the database's files are.
    pub files: DatabaseFiles,
    /// Pages of the data file that were read.
    pub data_pages: u64,
    /// Pages of log that were read.
    pub log_pages: u64,
    /// Information that comes before the last message, such as 4329.
    pub notices: Vec<SqlError>,
    /// Rolling forward stopped at the point that was asked for, before this LSN.
    pub stopped_at: Option<Lsn>,
    /// The database was recovered and is open.
    pub is_recovered: bool,
}

impl BackupOutcome {
    /// The messages of success: 4035 for each file, then 3014.
    #[must_use]
    pub fn messages(&self, milliseconds: u64) -> Vec<SqlError> {
        let files = &self.facts.files;
        let pages = [self.data_pages, self.log_pages];
        let names = [&files.data_logical_name, &files.log_logical_name];
        let mut messages = processed(&self.set, names, pages);
        let statement = statement("BACKUP", self.set.kind);
        let all = self.data_pages + self.log_pages;
        messages.push(messages::successfully_processed(
            &statement,
            all,
            milliseconds,
        ));
        messages
    }
}

impl RestoreOutcome {
    /// The messages of success: 4035 for each file, notices, then 3014.
    #[must_use]
    pub fn messages(&self, milliseconds: u64) -> Vec<SqlError> {
        let pages = [self.data_pages, self.log_pages];
        let names = [&self.files.data_logical_name, &self.files.log_logical_name];
        let mut messages = processed(&self.set, names, pages);
        messages.extend(self.notices.iter().cloned());
        let statement = statement("RESTORE", self.set.kind);
        let all = self.data_pages + self.log_pages;
        messages.push(messages::successfully_processed(
            &statement,
            all,
            milliseconds,
        ));
        messages
    }
}

/// Bytes as whole pages of 8 KiB, the last one begun counted.
#[must_use]
pub(super) fn pages_of(bytes: u64) -> u64 {
    bytes.div_ceil(mtf::page::SIZE as u64)
}

fn processed(set: &BackupSet, names: [&String; 2], pages: [u64; 2]) -> Vec<SqlError> {
    let number = u32::from(set.position);
    let db = &set.database_name;
    let files = names.into_iter().zip(pages);
    let files = files.filter(|(_, pages)| *pages > 0 || set.kind == BackupKind::Log);
    let skip = usize::from(set.kind == BackupKind::Log);
    let shown = files.skip(skip);
    shown
        .map(|(name, pages)| messages::pages_processed(pages, db, name, number))
        .collect()
}

fn statement(verb: &str, kind: BackupKind) -> String {
    match kind {
        BackupKind::Log => format!("{verb} LOG"),
        BackupKind::Full | BackupKind::Differential | BackupKind::Other(_) => {
            format!("{verb} DATABASE")
        }
    }
}
