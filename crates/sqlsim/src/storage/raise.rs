//! SQL Server's messages that a database raises, with their true numbers and classes.
//!
//! Start anywhere: one function is one message. Texts are SQL Server's own.

use std::io;
use std::path::Path;

use crate::error::SqlError;

/// 1205: the victim of a deadlock or of a wait that took too long.
pub(crate) fn deadlock_victim() -> SqlError {
    SqlError::new(
        1205,
        13,
        "Transaction was deadlocked on lock resources with another process and has been chosen as \
         the deadlock victim. Rerun the transaction.",
    )
}

/// 1222: the lock is held by another transaction and nobody waited for it.
pub(crate) fn lock_not_held() -> SqlError {
    SqlError::new(1222, 16, "Lock request time out period exceeded.")
}

/// 927: someone wants to read or write a database that is being restored.
pub(crate) fn is_restoring(db: &str) -> SqlError {
    let text = format!(
        "Database '{db}' cannot be opened. It is in the middle of a restore."
    );
    SqlError::new(927, 14, text)
}

/// 942: the database was taken offline.
pub(crate) fn is_offline(db: &str) -> SqlError {
    let text = format!("Database '{db}' cannot be opened because it is offline.");
    SqlError::new(942, 14, text)
}

/// 3906: a change to a read-only or standby database.
pub(crate) fn is_read_only(db: &str) -> SqlError {
    let text = format!(
        "Failed to update database \"{db}\" because the database is read-only."
    );
    SqlError::new(3906, 16, text)
}

/// 3902: a commit of a transaction that is not there.
pub(crate) fn no_transaction() -> SqlError {
    SqlError::new(
        3902,
        16,
        "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
    )
}

/// 3926: the transaction is prepared and takes no more work.
pub(crate) fn is_prepared() -> SqlError {
    SqlError::new(
        3926,
        16,
        "The transaction active in this session has been committed or aborted by another session.",
    )
}

/// 9001: the log could not be written; the outcome of what ran is not known.
pub(crate) fn log_not_available(db: &str, error: &io::Error) -> SqlError {
    let text = format!(
        "The log for database '{db}' is not available. Check the operating system error log for \
         related error messages. Resolve any errors and restart the database. ({error})"
    );
    SqlError::new(9001, 21, text)
}

/// 5170: a file to be made is there already.
pub(crate) fn file_exists(path: &Path) -> SqlError {
    let text = format!(
        "Cannot create file '{}' because it already exists. Change the file path or the file name, \
         and retry the operation.",
        path.display()
    );
    SqlError::new(5170, 16, text)
}

/// 5120: a file cannot be opened.
pub(crate) fn cannot_open(path: &Path, error: &io::Error) -> SqlError {
    let code = error.raw_os_error().unwrap_or_default();
    let text = format!(
        "Unable to open the physical file \"{}\". Operating system error {code}: \"{code}({error})\".",
        path.display()
    );
    SqlError::new(5120, 16, text)
}

/// 823: reading or writing the data file failed.
pub(crate) fn data_file(path: &Path, error: &io::Error) -> SqlError {
    let text = format!(
        "The operating system returned error {error} to SQL Server during a read or write in file \
         '{}'.",
        path.display()
    );
    SqlError::new(823, 24, text)
}

/// 824: the data file is not what was written.
pub(crate) fn data_damaged(path: &Path, page: u32) -> SqlError {
    let text = format!(
        "SQL Server detected a logical consistency-based I/O error: incorrect checksum. It occurred \
         during a read of page (1:{page}) in file '{}'.",
        path.display()
    );
    SqlError::new(824, 24, text)
}

/// 3023: a full or differential backup of this database runs already.
pub(crate) fn must_be_serialised(db: &str) -> SqlError {
    let text = format!(
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption \
         changes on database '{db}' must be serialized. Reissue the statement after the current \
         backup, file manipulation, or encryption operation is completed."
    );
    SqlError::new(3023, 16, text)
}

/// 3035: a differential without a full to measure against.
pub(crate) fn no_differential_base(db: &str) -> SqlError {
    let text = format!(
        "Cannot perform a differential backup for database \"{db}\", because a current database \
         backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, \
         omitting the WITH DIFFERENTIAL option."
    );
    SqlError::new(3035, 16, text)
}

/// 4208: `BACKUP LOG` under SIMPLE.
pub(crate) fn log_backup_under_simple() -> SqlError {
    SqlError::new(
        4208,
        16,
        "The statement BACKUP LOG is not allowed while the recovery model is SIMPLE. Use BACKUP \
         DATABASE or change the recovery model using ALTER DATABASE.",
    )
}

/// 4214: `BACKUP LOG` where no full began a chain.
pub(crate) fn log_backup_without_full() -> SqlError {
    SqlError::new(
        4214,
        16,
        "BACKUP LOG cannot be performed because there is no current database backup.",
    )
}

/// 3117: a log or differential for a database that is not being restored.
pub(crate) fn not_ready_to_roll_forward() -> SqlError {
    SqlError::new(
        3117,
        16,
        "The log or differential backup cannot be restored because no files are ready to \
         rollforward.",
    )
}
