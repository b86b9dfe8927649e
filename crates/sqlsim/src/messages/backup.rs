//! Messages of `BACKUP`.
//!
//! Search for the number. Nothing here decides when a message is raised.

use mtf::Lsn;

use crate::error::SqlError;

/// 3009: a backup without its row in msdb.
#[must_use]
pub fn history_not_written() -> SqlError {
    SqlError::new(
        3009,
        16,
        "Could not insert a backup or restore history/detail record in the msdb \
         database. This may indicate a problem with the msdb database. The \
         backup/restore operation was still successful.",
    )
}

/// 3013: follows the cause; statement is `BACKUP LOG`, `RESTORE DATABASE`, ....
#[must_use]
pub fn terminating_abnormally(statement: &str) -> SqlError {
    SqlError::new(3013, 16, format!("{statement} is terminating abnormally."))
}

/// 3021: `BACKUP` inside a transaction.
#[must_use]
pub fn backup_in_transaction() -> SqlError {
    SqlError::new(
        3021,
        16,
        "Cannot perform a backup or restore operation within a transaction.",
    )
}

/// 3023: a second backup of one database.
#[must_use]
pub fn backup_serialized() -> SqlError {
    SqlError::new(
        3023,
        16,
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and \
         encryption changes on a database must be serialized. Reissue the statement \
         after the current backup or file manipulation operation is completed.",
    )
}

/// 3031: options that exclude each other.
#[must_use]
pub fn options_conflict(option: &str, other: &str) -> SqlError {
    SqlError::new(
        3031,
        16,
        format!(
            "Option '{option}' conflicts with option(s) '{other}'. Remove the conflicting \
         option and reissue the statement."
        ),
    )
}

/// 3032: options that the statement does not take.
#[must_use]
pub fn options_not_supported(options: &str) -> SqlError {
    SqlError::new(
        3032,
        16,
        format!(
            "One or more of the options ({options}) are not supported for this statement. \
         Review the documentation for supported options."
        ),
    )
}

/// 3035: a differential without its base.
#[must_use]
pub fn differential_without_full(database: &str) -> SqlError {
    SqlError::new(
        3035,
        16,
        format!(
            "Cannot perform a differential backup for database \"{database}\", because a \
         current database backup does not exist. Perform a full database backup by \
         reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option."
        ),
    )
}

/// 3043: a damaged page found by `WITH CHECKSUM`.
#[must_use]
pub fn backup_page_error(database: &str, file: &str, page: u64) -> SqlError {
    SqlError::new(
        3043,
        16,
        format!("BACKUP '{database}' detected an error on page ({file}:{page}) in file '{file}'."),
    )
}

/// 3041: for the error log only.
#[must_use]
pub fn backup_failed_event(statement: &str) -> SqlError {
    SqlError::new(
        3041,
        16,
        format!(
            "BACKUP failed to complete the command {statement}. Check the backup \
         application log for detailed messages."
        ),
    )
}

/// 3057: a device whose name is too long.
#[must_use]
pub fn device_name_too_long(longest: usize) -> SqlError {
    SqlError::new(
        3057,
        16,
        format!(
            "Invalid device name. The length of the device name provided exceeds supported limit \
             (maximum length is:{longest}). Reissue the BACKUP statement with a valid device name."
        ),
    )
}

/// 3201: a device that does not open; the OS error is `2(The system cannot find the file
/// specified.)`.
#[must_use]
pub fn cannot_open_device(device: &str, os_error: &str) -> SqlError {
    SqlError::new(
        3201,
        16,
        format!("Cannot open backup device '{device}'. Operating system error {os_error}."),
    )
}

/// 3202: a device that cannot be written.
#[must_use]
pub fn write_failed(device: &str, os_error: &str) -> SqlError {
    SqlError::new(
        3202,
        16,
        format!("Write on \"{device}\" failed: {os_error}"),
    )
}

/// 3203: a device that cannot be read.
#[must_use]
pub fn read_failed(device: &str, os_error: &str) -> SqlError {
    SqlError::new(3203, 16, format!("Read on \"{device}\" failed: {os_error}"))
}

/// 3211: information of `STATS`.
#[must_use]
pub fn percent_processed(percent: u8) -> SqlError {
    SqlError::new(3211, 10, format!("{percent} percent processed."))
}

/// 3250: an option beyond its limits.
#[must_use]
pub fn parameter_range(value: i64, parameter: &str) -> SqlError {
    SqlError::new(
        3250,
        16,
        format!("The value '{value}' is not within range for the {parameter} parameter."),
    )
}

/// 3271: a device that fails amid the work.
#[must_use]
pub fn nonrecoverable_io_error(device: &str, os_error: &str) -> SqlError {
    SqlError::new(
        3271,
        16,
        format!("A nonrecoverable I/O error occurred on file \"{device}:\" {os_error}."),
    )
}

/// 4035: information per file.
#[must_use]
pub fn pages_processed(pages: u64, database: &str, file: &str, number: u32) -> SqlError {
    SqlError::new(
        4035,
        10,
        format!(
            "Processed {pages} pages for database '{database}', file '{file}' on file \
         {number}."
        ),
    )
}

/// 4212: `BACKUP LOG master`.
#[must_use]
pub fn cannot_back_up_master_log() -> SqlError {
    SqlError::new(
        4212,
        16,
        "Cannot back up the log of the master database. Use BACKUP DATABASE instead.",
    )
}

/// 4208: `BACKUP LOG` under SIMPLE.
#[must_use]
pub fn log_backup_under_simple(statement: &str) -> SqlError {
    SqlError::new(
        4208,
        16,
        format!(
            "The statement {statement} is not allowed while the recovery model is SIMPLE. \
         Use BACKUP DATABASE or change the recovery model using ALTER DATABASE."
        ),
    )
}

/// 4214: `BACKUP LOG` before a full that counts.
#[must_use]
pub fn log_backup_without_full() -> SqlError {
    SqlError::new(
        4214,
        16,
        "BACKUP LOG cannot be performed because there is no current database backup.",
    )
}

/// 4215: information: the log stays.
#[must_use]
pub fn log_not_truncated_replication() -> SqlError {
    SqlError::new(
        4215,
        10,
        "The log was not truncated because records at the beginning of the log are \
         pending replication or Change Data Capture. Ensure the Log Reader Agent or \
         capture job is running or use sp_repldone to mark transactions as \
         distributed or captured.",
    )
}

/// 4217: information: a log backup of a read-only database.
#[must_use]
pub fn log_backup_read_only() -> SqlError {
    SqlError::new(
        4217,
        10,
        "BACKUP LOG cannot modify the database because the database is read-only. The \
         backup will continue, although subsequent backups will duplicate the work of \
         this backup.",
    )
}

/// 4219: information, of severity 10: no client fails on it, and no backup is taken.
#[must_use]
pub fn log_chain_broken() -> SqlError {
    SqlError::new(
        4219,
        10,
        "The log backup chain is broken. You must perform a full database backup \
         before you can perform a log backup.",
    )
}

/// 3062: a backup on a secondary replica that no log arrives at.
#[must_use]
pub fn secondary_not_synchronizing() -> SqlError {
    SqlError::new(
        3062,
        16,
        "Cannot backup from a HADRON secondary because it is not in Synchronizing or Synchronized state.",
    )
}

/// 35294: a log backup on a secondary replica whose primary one does not say where it begins.
#[must_use]
pub fn no_synchronization_point(database: &str) -> SqlError {
    SqlError::new(
        35294,
        16,
        format!(
            "Log backup for database \"{database}\" on a secondary replica failed because a \
         synchronization point could not be established on the primary database. Either locks \
         could not be acquired on the primary database or the database is not operating as part \
         of the availability replica. Check the database status in the SQL Server error log of \
         the server instance that is hosting the current primary replica. If the primary database \
         is participating in the availability group, retry the operation."
        ),
    )
}

/// 35295: a log backup on a secondary replica that lacks log which is backed up already.
#[must_use]
pub fn replica_behind_last_backup(database: &str, backed_up: Lsn, redone: Lsn) -> SqlError {
    let hex = |lsn: Lsn| format!("0x{:08x}:{:08x}:{:04x}", lsn.vlf, lsn.block, lsn.slot);
    SqlError::new(
        35295,
        16,
        format!(
            "Log backup for database \"{database}\" on a secondary replica failed because the last \
         backup LSN ({}) from the primary database is greater than the current local redo LSN \
         ({}). No log records need to be backed up at this time. Retry the log-backup operation \
         later.",
            hex(backed_up),
            hex(redone)
        ),
    )
}

/// 35296: a log backup on a secondary replica of which its primary one took no note.
#[must_use]
pub fn point_not_committed(database: &str) -> SqlError {
    SqlError::new(
        35296,
        16,
        format!(
            "Log backup for database \"{database}\" on secondary replica failed because the new backup \
         information could not be committed on primary database. Check the database status in the \
         SQL Server error log of the server instance that is hosting the current primary replica. \
         If the primary database is participating in the availability group, retry the operation."
        ),
    )
}

/// 35297: a log backup on a secondary replica of which its primary one may know nothing.
#[must_use]
pub fn point_not_ensured(database: &str) -> SqlError {
    SqlError::new(
        35297,
        10,
        format!(
            "Log backup for database \"{database}\" on secondary replica created backup files \
         successfully but could not ensure that a backup point has been committed on the primary. \
         This is an informational message only. Preserve this log backup along with the other log \
         backups of this database."
        ),
    )
}
