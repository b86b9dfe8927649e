//! BACKUP and RESTORE: from a database to real backup media and back.
//!
//! Start at [`backup_database`], [`backup_log`], [`restore_database`] and [`restore_log`];
//! [`read_media`] is behind `RESTORE .. ONLY`. Media are written and read by the `mtf` crate.
//! What comes out is typed; rows of msdb and result sets are made of it elsewhere.
//!
//! All of this blocks: call it where blocking is allowed. Nothing here parses SQL, knows sessions
//! or reads a clock. Errors are the cause alone: the 3013 that SQL Server sends behind it is the
//! caller's.

mod apply;
mod devices;
mod media;
mod outcome;
mod raise;
mod restore;
mod stop;
mod take;
mod write;

pub use devices::{Device, Devices, RealDevices};
pub use media::{Media, MediaFile, SetContents, read_media, verify_media};
pub use outcome::{BackupOutcome, RestoreOutcome};
pub use restore::{
    AfterRestore, DatabaseRestored, MoveFile, RestoreRequest, Surroundings, recover,
    restore_database, restore_log,
};
pub use stop::Stop;
pub use take::{
    BackupRequest, Compression, HostIdentity, LocalClock, LogBackupMode, backup_database,
    backup_log,
};

#[cfg(test)]
mod tests;
