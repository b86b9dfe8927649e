//! The messages of SQL Server's that only backup and restore raise; all others are in `messages`.
//!
//! Start anywhere: one function is one message. Texts are SQL Server's own.

use crate::error::SqlError;

/// 3098: backup sets that are compressed and others on the same media.
pub(super) fn other_structure(asked_compression: bool) -> SqlError {
    let (asked, other) = if asked_compression {
        ("COMPRESSION", "NO_COMPRESSION")
    } else {
        ("NO_COMPRESSION", "COMPRESSION")
    };
    let text = format!(
        "The backup cannot be performed because '{asked}' was requested after the media was \
         formatted with an incompatible structure. To append to this media set, either omit \
         '{asked}' or specify '{other}'. Alternatively, you can create a new media set by using \
         WITH FORMAT in your BACKUP statement. If you use WITH FORMAT on an existing media set, \
         all its backup sets will be overwritten."
    );
    SqlError::new(3098, 16, text)
}

/// 3118: a log or differential for a database that is not there.
pub(super) fn database_does_not_exist(db: &str) -> SqlError {
    let text = format!(
        "The database \"{db}\" does not exist. RESTORE can only create a database when restoring \
         either a full backup or a file backup of the primary file."
    );
    SqlError::new(3118, 16, text)
}

/// 3135: a backup set of the wrong kind for the statement.
pub(super) fn wrong_kind(device: &str, made_by: &str) -> SqlError {
    let text = format!(
        "The backup set in file '{device}' was created by {made_by} and cannot be used for this \
         restore operation."
    );
    SqlError::new(3135, 16, text)
}

/// 3258: a device of another media set.
pub(super) fn other_media_set(device: &str) -> SqlError {
    let text = format!(
        "The volume on the device \"{device}\" is not part of the media set that is currently \
         being processed. Ensure that the backup devices are loaded with the correct media."
    );
    SqlError::new(3258, 16, text)
}

/// 3287: `FILE = n` beyond the last backup set.
pub(super) fn no_such_position(position: u16, device: &str) -> SqlError {
    let text = format!("The file ID {position} on device '{device}' is not valid.");
    SqlError::new(3287, 16, text)
}

/// 4322, of severity 10: the time comes later than this log.
pub(super) fn time_not_in_log() -> SqlError {
    SqlError::new(
        4322,
        10,
        "This backup set contains records that were logged before the designated point in time. \
         The database is being left in the restoring state so that more roll forward can be \
         performed.",
    )
}

/// 3180: an older backup that is to be readable between logs.
pub(super) fn standby_needs_upgrade() -> SqlError {
    SqlError::new(
        3180,
        16,
        "This backup cannot be restored using WITH STANDBY because a database upgrade is needed. \
         Reissue the RESTORE without WITH STANDBY.",
    )
}

/// 5133: a file in a folder that is not there.
pub(super) fn no_folder(path: &str) -> SqlError {
    let text = format!(
        "Directory lookup for the file \"{path}\" failed with the operating system error 3(The \
         system cannot find the path specified.)."
    );
    SqlError::new(5133, 16, text)
}
