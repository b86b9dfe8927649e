//! Messages of `RESTORE`.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 3101: `RESTORE` over a database in use.
#[must_use]
pub fn database_in_use_by_others() -> SqlError {
    SqlError::new(
        3101,
        16,
        "Exclusive access could not be obtained because the database is in use.",
    )
}

/// 3102: `RESTORE` over the current database.
#[must_use]
pub fn database_in_use_by_session(database: &str) -> SqlError {
    SqlError::new(
        3102,
        16,
        format!(
            "RESTORE cannot process database '{database}' because it is in use by this \
         session. It is recommended that the master database be used when performing \
         this operation."
        ),
    )
}

/// 3104: `RESTORE` over a joined database.
#[must_use]
pub fn restore_in_availability_group(database: &str) -> SqlError {
    SqlError::new(
        3104,
        16,
        format!(
            "RESTORE cannot operate on database '{database}' because it is configured for \
         database mirroring or has joined an availability group. If you intend to \
         restore the database, use ALTER DATABASE to remove mirroring or to remove \
         the database from its availability group."
        ),
    )
}

/// 3110: `RESTORE` without the right.
#[must_use]
pub fn restore_permission(database: &str) -> SqlError {
    SqlError::new(
        3110,
        14,
        format!("User does not have permission to RESTORE database '{database}'."),
    )
}

/// 3117: a log for a database that is not RESTORING.
#[must_use]
pub fn no_files_ready() -> SqlError {
    SqlError::new(
        3117,
        16,
        "The log or differential backup cannot be restored because no files are ready \
         to rollforward.",
    )
}

/// 3119: follows the cause of a failed `RESTORE`.
#[must_use]
pub fn restore_planning_failed() -> SqlError {
    SqlError::new(
        3119,
        16,
        "Problems were identified while planning for the RESTORE statement. Previous \
         messages provide details.",
    )
}

/// 3132: a stripe that is missing.
#[must_use]
pub fn media_families_missing(expected: u32, provided: u32) -> SqlError {
    SqlError::new(
        3132,
        16,
        format!(
            "The media set has {expected} media families but only {provided} are \
         provided. All members must be provided."
        ),
    )
}

/// 3136: a differential on another base.
#[must_use]
pub fn differential_not_matching() -> SqlError {
    SqlError::new(
        3136,
        16,
        "This differential backup cannot be restored because the database has not \
         been restored to the correct earlier state.",
    )
}

/// 3145: `STOPAT` for a SIMPLE database.
#[must_use]
pub fn stop_with_simple() -> SqlError {
    SqlError::new(
        3145,
        16,
        "The STOPAT option is not supported for databases that use the SIMPLE \
         recovery model.",
    )
}

/// 3154: `RESTORE` over another database without `REPLACE`.
#[must_use]
pub fn other_database(database: &str) -> SqlError {
    SqlError::new(
        3154,
        16,
        format!(
            "The backup set holds a backup of a database other than the existing \
         '{database}' database."
        ),
    )
}

/// 3156: a path that is taken or impossible.
#[must_use]
pub fn file_cannot_be_restored(file: &str, path: &str) -> SqlError {
    SqlError::new(
        3156,
        16,
        format!(
            "File '{file}' cannot be restored to '{path}'. Use WITH MOVE to identify a \
         valid location for the file."
        ),
    )
}

/// 3159: `RESTORE` over work that was never backed up.
#[must_use]
pub fn tail_not_backed_up(database: &str) -> SqlError {
    SqlError::new(
        3159,
        16,
        format!(
            "The tail of the log for the database \"{database}\" has not been backed up. \
         Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do \
         not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE \
         statement to just overwrite the contents of the log."
        ),
    )
}

/// 3169: a backup of a newer server.
#[must_use]
pub fn version_incompatible(backup: &str, server: &str) -> SqlError {
    SqlError::new(
        3169,
        16,
        format!(
            "The database was backed up on a server running version {backup}. That \
         version is incompatible with this server, which is running version {server}. \
         Either restore the database on a server that supports the backup, or use a \
         backup that is compatible with this server."
        ),
    )
}

/// 3183: a damaged page in a backup.
#[must_use]
pub fn restore_page_error(file: u32, page: u64, database: &str) -> SqlError {
    SqlError::new(
        3183,
        16,
        format!(
            "RESTORE detected an error on page ({file}:{page}) in database \"{database}\" \
         as read from the backup set."
        ),
    )
}

/// 3187: `CHECKSUM` for media without.
#[must_use]
pub fn no_backup_checksums() -> SqlError {
    SqlError::new(
        3187,
        16,
        "RESTORE WITH CHECKSUM cannot be specified because the backup set does not \
         contain checksum information.",
    )
}

/// 3189: media whose checksums do not hold.
#[must_use]
pub fn backup_set_damaged() -> SqlError {
    SqlError::new(3189, 16, "Damage to the backup set was detected.")
}

/// 3227: one stripe given twice.
#[must_use]
pub fn device_used_twice(device: &str) -> SqlError {
    SqlError::new(
        3227,
        16,
        format!(
            "The backup media on \"{device}\" is part of media family 1 which has already \
         been processed on \"{device}\".  Ensure that backup devices are correctly \
         specified.  For tape devices, ensure that the correct volumes are loaded."
        ),
    )
}

/// 3231: the wrong number of stripes.
#[must_use]
pub fn wrong_family_count(device: &str, on_media: u32, expected: u32) -> SqlError {
    SqlError::new(
        3231,
        16,
        format!(
            "The media loaded on \"{device}\" is formatted to support {on_media} media \
         families, but {expected} media families are expected according to the backup \
         device specification."
        ),
    )
}

/// 3234: `MOVE` of an unknown file.
#[must_use]
pub fn not_a_logical_file(file: &str, database: &str) -> SqlError {
    SqlError::new(
        3234,
        16,
        format!(
            "Logical file '{file}' is not part of database '{database}'. Use RESTORE \
         FILELISTONLY to list the logical file names."
        ),
    )
}

/// 3241: a file that is no backup.
#[must_use]
pub fn media_incorrectly_formed(device: &str) -> SqlError {
    SqlError::new(
        3241,
        16,
        format!(
            "The media family on device '{device}' is incorrectly formed. SQL Server \
         cannot process this media family."
        ),
    )
}

/// 3242: a file that holds no backup set.
#[must_use]
pub fn backup_set_not_found(device: &str) -> SqlError {
    SqlError::new(
        3242,
        16,
        format!("The file on device '{device}' is not a valid Microsoft Tape Format backup set."),
    )
}

/// 3257: a full disk.
#[must_use]
pub fn insufficient_space(volume: &str, needed_bytes: u64, free_bytes: u64) -> SqlError {
    SqlError::new(
        3257,
        16,
        format!(
            "There is insufficient free space on disk volume '{volume}' to create the \
         database. The database requires {needed_bytes} additional free bytes, while \
         only {free_bytes} bytes are available."
        ),
    )
}

/// 3262: information of `VERIFYONLY`.
#[must_use]
pub fn backup_set_valid(file: u32) -> SqlError {
    SqlError::new(3262, 10, format!("The backup set on file {file} is valid."))
}

/// 3256: a backup that was cut off.
#[must_use]
pub fn backup_set_incomplete() -> SqlError {
    SqlError::new(
        3256,
        16,
        "The backup set on device was terminated while it was being created and is \
         incomplete. RESTORE sequence is terminated abnormally.",
    )
}

/// 3266: a media end that is damaged.
#[must_use]
pub fn bad_media_end(device: &str) -> SqlError {
    SqlError::new(
        3266,
        16,
        format!(
            "The backup data at the end of \"{device}\" is incorrectly formatted. Backup \
         sets on the media might be damaged and unusable. To determine the backup \
         sets on the media, use RESTORE HEADERONLY. To determine the usability of the \
         backup sets, run RESTORE VERIFYONLY. If all of the backup sets are \
         incomplete, reformat the media using BACKUP WITH FORMAT, which destroys all \
         the backup sets."
        ),
    )
}

/// 4303: recovery before the end of the backup.
#[must_use]
pub fn more_rollforward_needed(at: &str, past: &str) -> SqlError {
    SqlError::new(
        4303,
        16,
        format!(
            "The roll forward start point is now at log sequence number (LSN) {at}. \
         Additional roll forward past LSN {past} is required to complete the restore \
         sequence."
        ),
    )
}

/// 4305: a log that leaves a gap.
#[must_use]
pub fn log_too_recent(begins: &str, needed: &str) -> SqlError {
    SqlError::new(
        4305,
        16,
        format!(
            "The log in this backup set begins at LSN {begins}, which is too recent to \
         apply to the database. An earlier log backup that includes LSN {needed} can \
         be restored."
        ),
    )
}

/// 4312: a gap in the chain.
#[must_use]
pub fn log_gap() -> SqlError {
    SqlError::new(
        4312,
        16,
        "This log cannot be restored because a gap in the log chain was created. Use \
         more recent data backups to bridge the gap.",
    )
}

/// 4318: recovery with too little log.
#[must_use]
pub fn log_ends_too_early(file: &str, at: &str, ends: &str) -> SqlError {
    SqlError::new(
        4318,
        16,
        format!(
            "File '{file}' has been rolled forward to LSN {at}. This log terminates at \
         LSN {ends}, which is too early to apply the WITH RECOVERY option. Reissue \
         the RESTORE LOG statement WITH NORECOVERY."
        ),
    )
}

/// 4326: a log that was applied already.
#[must_use]
pub fn log_too_early(ends: &str, needed: &str) -> SqlError {
    SqlError::new(
        4326,
        16,
        format!(
            "The log in this backup set terminates at LSN {ends}, which is too early to \
         apply to the database. A more recent log backup that includes LSN {needed} \
         can be restored."
        ),
    )
}

/// 4327: a stop inside bulk-logged changes.
#[must_use]
pub fn bulk_logged_stop_inhibited() -> SqlError {
    SqlError::new(
        4327,
        16,
        "The log in this backup set contains bulk-logged changes. Point-in-time \
         recovery was inhibited. The database has been rolled forward to the end of \
         the log.",
    )
}

/// 4329: information, of severity 10: the mark comes later.
#[must_use]
pub fn mark_not_in_log() -> SqlError {
    SqlError::new(
        4329,
        10,
        "This log file contains records logged before the designated mark. The \
         database is being left in the Restoring state so you can apply another log \
         file.",
    )
}

/// 4330: a log of another fork.
#[must_use]
pub fn other_recovery_path() -> SqlError {
    SqlError::new(
        4330,
        16,
        "This backup set cannot be applied because it is on a recovery path that is \
         inconsistent with the database. The recovery path is the sequence of data \
         and log backups that have brought the database to a particular recovery \
         point. Find a compatible backup to restore, or restore the rest of the \
         database to match a recovery point within this backup set, which will \
         restore the database to a different point in time.  For more information \
         about recovery paths, see SQL Server Books Online.",
    )
}

/// 4333: recovery without any log.
#[must_use]
pub fn log_not_restored() -> SqlError {
    SqlError::new(
        4333,
        16,
        "The database cannot be recovered because the log was not restored.",
    )
}

/// 4334: `STOPATMARK` of an unknown form.
#[must_use]
pub fn mark_is_no_lsn() -> SqlError {
    SqlError::new(4334, 16, "The named mark does not identify a valid LSN.")
}

/// 4335: `STOPAT` in the past of the database.
#[must_use]
pub fn stop_time_too_early() -> SqlError {
    SqlError::new(
        4335,
        16,
        "The specified STOPAT time is too early. All or part of the database is \
         already rolled forward beyond that point.",
    )
}

/// 4338: a stop before the backup.
#[must_use]
pub fn stop_point_too_early() -> SqlError {
    SqlError::new(
        4338,
        16,
        "The STOPAT clause specifies a point too early to allow this backup set to be \
         restored. Choose a different stop point or use RESTORE DATABASE WITH \
         RECOVERY to recover at the current point.",
    )
}

/// 4341: a stop in a log with bulk-logged changes.
#[must_use]
pub fn bulk_logged_no_stop() -> SqlError {
    SqlError::new(
        4341,
        16,
        "This log backup contains bulk-logged changes. It cannot be used to stop at \
         an arbitrary point in time.",
    )
}

/// 4343: a stop that was passed.
#[must_use]
pub fn rolled_beyond_stop() -> SqlError {
    SqlError::new(
        4343,
        16,
        "The database has been rolled forward to the end of this backup set and \
         beyond the specified point in time. RESTORE WITH RECOVERY can be used to \
         accept the current recovery point.",
    )
}
