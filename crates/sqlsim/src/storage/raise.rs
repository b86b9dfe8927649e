//! The messages of SQL Server's that only a database raises; all others are in `messages`.
//!
//! Start anywhere: one function is one message. Texts are SQL Server's own.

use std::io;
use std::path::Path;

use crate::error::SqlError;

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

/// 5120: a file cannot be opened.
pub(crate) fn cannot_open(path: &Path, error: &io::Error) -> SqlError {
    let code = error.raw_os_error().unwrap_or_default();
    let text = format!(
        "Unable to open the physical file \"{}\". Operating system error {code}: \
         \"{code}({error})\".",
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
        "SQL Server detected a logical consistency-based I/O error: incorrect checksum. It \
         occurred during a read of page (1:{page}) in file '{}'.",
        path.display()
    );
    SqlError::new(824, 24, text)
}

/// 3049: a backup found that the log is not what was written.
pub(crate) fn log_damaged(db: &str) -> SqlError {
    let text = format!(
        "BACKUP detected corruption in the database log of database '{db}'. Check the errorlog for \
         more information."
    );
    SqlError::new(3049, 16, text)
}
