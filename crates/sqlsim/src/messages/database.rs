//! Messages of databases, their files and options, sessions and availability groups.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 911: an unknown database.
#[must_use]
pub fn database_not_found(name: &str) -> SqlError {
    SqlError::new(
        911,
        16,
        format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
    )
}

/// 916: a login without a user there.
#[must_use]
pub fn database_access_denied(login: &str, database: &str) -> SqlError {
    SqlError::new(
        916,
        14,
        format!(
            "The server principal \"{login}\" is not able to access the database \
         \"{database}\" under the current security context."
        ),
    )
}

/// 922: a database that is starting.
#[must_use]
pub fn database_recovering(name: &str) -> SqlError {
    SqlError::new(
        922,
        14,
        format!("Database '{name}' is being recovered. Waiting until recovery is finished."),
    )
}

/// 924: a database in single-user mode.
#[must_use]
pub fn database_single_user(name: &str) -> SqlError {
    SqlError::new(
        924,
        14,
        format!("Database '{name}' is already open and can only have one user at a time."),
    )
}

/// 927: a database that is RESTORING.
#[must_use]
pub fn database_restoring(name: &str) -> SqlError {
    SqlError::new(
        927,
        14,
        format!("Database '{name}' cannot be opened. It is in the middle of a restore."),
    )
}

/// 942: a database that is OFFLINE.
#[must_use]
pub fn database_offline(name: &str) -> SqlError {
    SqlError::new(
        942,
        14,
        format!("Database '{name}' cannot be opened because it is offline."),
    )
}

/// 976: a secondary that is not readable.
#[must_use]
pub fn database_in_availability_group(name: &str) -> SqlError {
    SqlError::new(
        976,
        14,
        format!(
            "The target database, '{name}', is participating in an availability group and \
         is currently not accessible for queries. Either data movement is suspended \
         or the availability replica is not enabled for read access. To allow \
         read-only access to this and other databases in the availability group, \
         enable read access to one or more secondary availability replicas in the \
         group.  For more information, see the ALTER AVAILABILITY GROUP statement in \
         SQL Server Books Online."
        ),
    )
}

/// 1475: a database that cannot join mirroring, an availability group or a link.
#[must_use]
pub fn bulk_logged_changes(database: &str) -> SqlError {
    SqlError::new(
        1475,
        16,
        format!(
            "Database \"{database}\" might contain bulk logged changes that have not been \
         backed up. Take a log backup on the principal database or primary database. \
         Then restore this backup either on the mirror database to enable database \
         mirroring or on every secondary database to enable you to join it to the \
         availability group."
        ),
    )
}

/// 1465: a join of a database that is not FULL.
#[must_use]
pub fn recovery_not_full(database: &str) -> SqlError {
    SqlError::new(
        1465,
        16,
        format!(
            "Database \"{database}\" database is not in full recovery mode on each of the \
         server instances. The full recovery model is required for a database to \
         participate in database mirroring or in an availability group."
        ),
    )
}

/// 1478: a secondary that lacks a log backup.
#[must_use]
pub fn mirror_lacks_log(database: &str) -> SqlError {
    SqlError::new(
        1478,
        16,
        format!(
            "The mirror database, \"{database}\", has insufficient transaction log data \
         to preserve the log backup chain of the principal database.  This may happen \
         if a log backup from the principal database has not been taken or has not \
         been restored on the mirror database."
        ),
    )
}

/// 1801: a database name taken.
#[must_use]
pub fn database_exists(name: &str) -> SqlError {
    SqlError::new(
        1801,
        16,
        format!("Database '{name}' already exists. Choose a different database name."),
    )
}

/// 1802: follows the cause of a failed `CREATE DATABASE`.
#[must_use]
pub fn create_database_failed() -> SqlError {
    SqlError::new(
        1802,
        16,
        "CREATE DATABASE failed. Some file names listed could not be created. Check \
         related errors.",
    )
}

/// 1834: a file of another database.
#[must_use]
pub fn file_in_use(file: &str, database: &str) -> SqlError {
    SqlError::new(
        1834,
        16,
        format!(
            "The file '{file}' cannot be overwritten.  It is being used by database \
         '{database}'."
        ),
    )
}

/// 5170: a file that is there already.
#[must_use]
pub fn file_exists(file: &str) -> SqlError {
    SqlError::new(
        5170,
        16,
        format!(
            "Cannot create file '{file}' because it already exists. Change the file path \
         or the file name, and retry the operation."
        ),
    )
}

/// 3702: `DROP DATABASE` with someone inside.
#[must_use]
pub fn database_in_use(name: &str) -> SqlError {
    SqlError::new(
        3702,
        16,
        format!("Cannot drop database \"{name}\" because it is currently in use."),
    )
}

/// 3906: a write to a read-only database.
#[must_use]
pub fn database_read_only(name: &str) -> SqlError {
    SqlError::new(
        3906,
        16,
        format!("Failed to update database \"{name}\" because the database is read-only."),
    )
}

/// 3908: a damaged database.
#[must_use]
pub fn begin_in_emergency(name: &str) -> SqlError {
    SqlError::new(
        3908,
        16,
        format!(
            "Could not run BEGIN TRANSACTION in database '{name}' because the database is \
         in emergency mode or is damaged and must be restarted."
        ),
    )
}

/// 5011: `ALTER DATABASE` without right or database.
#[must_use]
pub fn cannot_alter_database(name: &str) -> SqlError {
    SqlError::new(
        5011,
        14,
        format!(
            "User does not have permission to alter database '{name}', the database does \
         not exist, or the database is not in a state that allows access checks."
        ),
    )
}

/// 5058: an option that a database does not take.
#[must_use]
pub fn option_not_settable(option: &str, database: &str) -> SqlError {
    SqlError::new(
        5058,
        16,
        format!("Option '{option}' cannot be set in database '{database}'."),
    )
}

/// 5060: information while `WITH ROLLBACK IMMEDIATE` works.
#[must_use]
pub fn rolling_back_others(percent: u8) -> SqlError {
    SqlError::new(
        5060,
        10,
        format!(
            "Nonqualified transactions are being rolled back. Estimated rollback \
         completion: {percent}%."
        ),
    )
}

/// 5069: follows the cause of a failed `ALTER DATABASE`.
#[must_use]
pub fn alter_database_failed() -> SqlError {
    SqlError::new(5069, 16, "ALTER DATABASE statement failed.")
}

/// 5061: a database in use.
#[must_use]
pub fn alter_database_lock(name: &str) -> SqlError {
    SqlError::new(
        5061,
        16,
        format!(
            "ALTER DATABASE failed because a lock could not be placed on database \
         '{name}'. Try again later."
        ),
    )
}

/// 5701: information after `USE`.
#[must_use]
pub fn database_changed(name: &str) -> SqlError {
    SqlError::new(5701, 10, format!("Changed database context to '{name}'.")).with_state(2)
}

/// 5703: information after `SET LANGUAGE`.
#[must_use]
pub fn language_changed(name: &str) -> SqlError {
    SqlError::new(5703, 10, format!("Changed language setting to {name}."))
}

/// 6104: `KILL @@SPID`.
#[must_use]
pub fn kill_self() -> SqlError {
    SqlError::new(6104, 16, "Cannot use KILL to kill your own process.")
}

/// 6106: `KILL` of nobody.
#[must_use]
pub fn not_an_active_process(spid: i64) -> SqlError {
    SqlError::new(
        6106,
        16,
        format!("Process ID {spid} is not an active process ID."),
    )
}

/// 9002: a full log; the reason is `log_reuse_wait_desc`.
#[must_use]
pub fn log_full(database: &str, reason: &str) -> SqlError {
    SqlError::new(
        9002,
        17,
        format!("The transaction log for database '{database}' is full due to '{reason}'."),
    )
}

/// 2528: information after every `DBCC`.
#[must_use]
pub fn dbcc_done() -> SqlError {
    SqlError::new(
        2528,
        10,
        "DBCC execution completed. If DBCC printed error messages, contact your \
         system administrator.",
    )
}

/// 2526: an unknown `DBCC`.
#[must_use]
pub fn dbcc_unknown() -> SqlError {
    SqlError::new(
        2526,
        16,
        "Incorrect DBCC statement. Check the documentation for the correct DBCC \
         syntax and options.",
    )
}

/// 35250: a secondary without its primary.
#[must_use]
pub fn replica_not_connected() -> SqlError {
    SqlError::new(
        35250,
        16,
        "The connection to the primary replica is not active.  The command cannot be \
         processed.",
    )
}

/// 41190: a command sent to the wrong replica.
#[must_use]
pub fn availability_group_state(group: &str, command: &str) -> SqlError {
    SqlError::new(
        41190,
        16,
        format!(
            "Availability group '{group}' failed to process {command} command.  The local \
         availability replica is not in a state that could process the command.  Verify \
         that the availability group is online and that the local availability \
         replica is the primary replica, then retry the operation."
        ),
    )
}
