//! Messages of transactions and locks.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 266: a procedure that leaves another `@@TRANCOUNT`.
#[must_use]
pub fn transaction_count_mismatch(before: u32, after: u32) -> SqlError {
    SqlError::new(
        266,
        16,
        format!(
            "Transaction count after EXECUTE indicates a mismatching number of BEGIN and \
         COMMIT statements. Previous count = {before}, current count = {after}."
        ),
    )
    .with_state(2)
}

/// 226: `CREATE DATABASE` and its like in a transaction.
#[must_use]
pub fn not_in_transaction(statement: &str) -> SqlError {
    SqlError::new(
        226,
        16,
        format!("{statement} statement not allowed within multi-statement transaction."),
    )
}

/// 1205: a deadlock; resource is `lock`.
#[must_use]
pub fn deadlock_victim(spid: i16, resource: &str) -> SqlError {
    SqlError::new(
        1205,
        13,
        format!(
            "Transaction (Process ID {spid}) was deadlocked on {resource} resources with \
         another process and has been chosen as the deadlock victim. Rerun the \
         transaction."
        ),
    )
    .with_state(51)
}

/// 1222: `SET LOCK_TIMEOUT` ran out.
#[must_use]
pub fn lock_timeout() -> SqlError {
    SqlError::new(1222, 16, "Lock request time out period exceeded.").with_state(51)
}

/// 3902: `COMMIT` outside a transaction.
#[must_use]
pub fn commit_without_begin() -> SqlError {
    SqlError::new(
        3902,
        16,
        "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
    )
}

/// 3903: `ROLLBACK` outside a transaction.
#[must_use]
pub fn rollback_without_begin() -> SqlError {
    SqlError::new(
        3903,
        16,
        "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
    )
}

/// 3910: a linked server that leads back to its own transaction.
#[must_use]
pub fn transaction_context_in_use() -> SqlError {
    SqlError::new(3910, 16, "Transaction context in use by another session.")
}

/// 3915: `ROLLBACK` inside `INSERT .. EXEC`.
#[must_use]
pub fn rollback_in_insert_exec() -> SqlError {
    SqlError::new(
        3915,
        16,
        "Cannot use the ROLLBACK statement within an INSERT-EXEC statement.",
    )
}

/// 3916: `COMMIT` inside `INSERT .. EXEC`.
#[must_use]
pub fn commit_in_insert_exec() -> SqlError {
    SqlError::new(
        3916,
        16,
        "Cannot use the COMMIT statement within an INSERT-EXEC statement unless BEGIN \
         TRANSACTION is used first.",
    )
}

/// 3920: a second mark in one transaction.
#[must_use]
pub fn mark_ignored() -> SqlError {
    SqlError::new(
        3920,
        16,
        "The WITH MARK option only applies to the first BEGIN TRAN WITH MARK \
         statement. The option is ignored.",
    )
}

/// 6401: `ROLLBACK` to an unknown name.
#[must_use]
pub fn savepoint_not_found(name: &str) -> SqlError {
    SqlError::new(
        6401,
        16,
        format!("Cannot roll back {name}. No transaction or savepoint of that name was found."),
    )
}

/// 3930: work in a doomed transaction.
#[must_use]
pub fn transaction_doomed() -> SqlError {
    SqlError::new(
        3930,
        16,
        "The current transaction cannot be committed and cannot support operations \
         that write to the log file. Roll back the transaction.",
    )
}

/// 3931: a savepoint in a doomed transaction.
#[must_use]
pub fn savepoint_in_doomed() -> SqlError {
    SqlError::new(
        3931,
        16,
        "The current transaction cannot be committed and cannot be rolled back to a \
         savepoint. Roll back the entire transaction.",
    )
}

/// 3933: a savepoint before promotion.
#[must_use]
pub fn promote_with_savepoint() -> SqlError {
    SqlError::new(
        3933,
        16,
        "Cannot promote the transaction to a distributed transaction because there is \
         an active save point in this transaction.",
    )
}

/// 3998: a batch that leaves a doomed transaction.
#[must_use]
pub fn uncommittable_at_end() -> SqlError {
    SqlError::new(
        3998,
        16,
        "Uncommittable transaction is detected at the end of the batch. The \
         transaction is rolled back.",
    )
}
