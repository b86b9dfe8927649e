//! `sp_getapplock` and `sp_releaseapplock`.
//!
//! Start at [`take`]. The locks themselves are kept by `instance/`.

use std::time::Duration;

use crate::error::{SqlError, SqlResult};
use crate::instance::{LockMode, LockName, LockOwner};
use crate::session::{Call, Parameter, Session, SystemProcedure};

/// The procedures of this file.
pub(super) static PROCEDURES: &[SystemProcedure] = &[
    SystemProcedure {
        name: "sp_getapplock",
        parameters: &[
            Parameter::needed("@Resource"),
            Parameter::needed("@LockMode"),
            Parameter::optional("@LockOwner"),
            Parameter::optional("@LockTimeout"),
            Parameter::optional("@DbPrincipal"),
        ],
        run: |session, call| Box::pin(take(session, call)),
    },
    SystemProcedure {
        name: "sp_releaseapplock",
        parameters: &[
            Parameter::needed("@Resource"),
            Parameter::optional("@LockOwner"),
            Parameter::optional("@DbPrincipal"),
        ],
        run: |session, call| Box::pin(async move { release(session, call) }),
    },
];

/// Granted at once.
const GRANTED: i32 = 0;
/// Granted after a wait.
const GRANTED_LATER: i32 = 1;
/// Not granted in time.
const TIMED_OUT: i32 = -1;
/// The wait was cancelled.
const CANCELLED: i32 = -2;
/// A parameter is wrong.
const INVALID: i32 = -999;

async fn take(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let Some(mode) = LockMode::parse(&call.needed_text("@LockMode")?) else {
        return Ok((INVALID, call));
    };
    let owner = owner(session, &call, "sp_getapplock")?;
    let name = name(session, &call)?;
    let limit = call
        .integer("@LockTimeout")?
        .unwrap_or(session.options.lock_timeout_ms);
    let spid = session.record.id;
    let instance = std::sync::Arc::clone(&session.instance);
    if instance.app_locks.try_take(&name, owner, spid, mode) {
        return Ok((GRANTED, call));
    }
    let waiting = async {
        loop {
            let changed = instance.app_locks.changed().notified();
            tokio::pin!(changed);
            // Listening begins before the lock is tried, so that no release is missed between the
            // two.
            changed.as_mut().enable();
            if instance.app_locks.try_take(&name, owner, spid, mode) {
                return;
            }
            changed.await;
        }
    };
    let limit = u64::try_from(limit).ok().map(Duration::from_millis);
    let status = tokio::select! {
        taken = instance.clock.within(limit, waiting) => match taken {
            Some(()) => GRANTED_LATER,
            None => TIMED_OUT,
        },
        () = session.cancel.cancelled() => CANCELLED,
        () = session.record.killed.cancelled() => CANCELLED,
    };
    Ok((status, call))
}

fn release(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let owner = owner(session, &call, "sp_releaseapplock")?;
    let name = name(session, &call)?;
    if session.instance.app_locks.release(&name, owner) {
        return Ok((GRANTED, call));
    }
    Err(not_held(&name.resource))
}

fn name(session: &Session, call: &Call) -> SqlResult<LockName> {
    let resource = call.needed_text("@Resource")?;
    let resource = resource.chars().take(255).collect();
    Ok(LockName {
        database: session.database.id(),
        resource,
    })
}

fn owner(session: &Session, call: &Call, procedure: &str) -> SqlResult<LockOwner> {
    let owner = call
        .text("@LockOwner")
        .unwrap_or_else(|| "Transaction".to_owned());
    if owner.eq_ignore_ascii_case("Session") {
        return Ok(LockOwner::Session(session.record.id));
    }
    let open = session.transaction.as_ref().filter(|t| t.count > 0);
    open.map(|t| LockOwner::Transaction(t.id))
        .ok_or_else(|| no_transaction(procedure))
}

/// SQL Server raises 1223 for the release of a lock that is not held.
fn not_held(resource: &str) -> SqlError {
    let text = format!(
        "Cannot release the application lock (Database Principal: 'public', Resource: \
           '{resource}') \
         because it is not currently held."
    );
    SqlError::new(1223, 16, text)
}

/// SQL Server raises 15627 for a transaction's lock outside of any transaction.
fn no_transaction(procedure: &str) -> SqlError {
    let text = format!(
        "'{procedure}' was invoked with a transaction owner outside of a user transaction."
    );
    SqlError::new(15627, 16, text)
}
