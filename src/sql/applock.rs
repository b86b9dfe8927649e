//! An application lock, held by a connection of its own that does nothing else: ending it frees the lock.
//!
//! Start at [`take`].

use std::time::Duration;

use super::fault::Fault;
use super::session::{SqlSession, within};
use super::statement::{Batch, Parameter};
use super::{SqlFleet, prepare, rows};
use crate::error::{Code, Error, Result, Retry};
use crate::model::{DatabaseName, HostName};

/// Which lock is wanted, where, and for how long to wait for it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a HostName,
    pub(super) database: &'a DatabaseName,
    pub(super) resource: &'a str,
    pub(super) timeout_ms: u64,
}

/// Takes the lock, exclusive, for as long as the session lives; `SM0211` where another holds it.
pub(super) async fn take(fleet: &SqlFleet, wanted: Wanted<'_>) -> Result<SqlSession> {
    let Wanted {
        host,
        database,
        resource,
        timeout_ms,
    } = wanted;
    let (session, _) = fleet
        .open(host)
        .await?
        .ask(&prepare::use_sql(database))
        .await?;
    let wait_ms = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
    let limit =
        Duration::from_millis(timeout_ms).saturating_add(fleet.config.policy.connect_timeout);
    let batch = take_sql(resource, wait_ms);
    let asked = session.ask_without_limit(&batch);
    let asked = within(fleet.clock.as_ref(), limit, asked).await;
    let (session, answer) = asked
        .unwrap_or(Err(Fault::Silent(limit)))
        .map_err(|fault| fault.at(host))?;
    let result = rows::only(&answer)
        .and_then(|row| row.int("result"))
        .map_err(|fault| fault.at(host))?;
    // 0: granted at once, 1: granted after waiting; -1 timed out, -2 cancelled, -3 deadlock, -999 wrong.
    if result >= 0 {
        return Ok(session);
    }
    Err(Error::new(
        Code::AppLockHeld,
        format!("another job holds `{resource}` (`sp_getapplock` returned {result})"),
    )
    .at("host", host)
    .at("database", database)
    .hint("wait for the other backup job to end, and disable it if Stopmark has taken over")
    .retry(Retry::Safe))
}

/// Gives the lock back. Ending the session frees it too, so a failure here is of no consequence.
pub(super) async fn release(session: SqlSession, resource: &str) {
    drop(session.ask(&release_sql(resource)).await);
}

fn take_sql(resource: &str, wait_ms: i32) -> Batch {
    Batch::with(
        "DECLARE @result int;\n\
         EXEC @result = sys.sp_getapplock @Resource = @P1, @LockMode = N'Exclusive',\n    \
         @LockOwner = N'Session', @LockTimeout = @P2;\n\
         SELECT @result AS result;",
        [Parameter::text(resource), Parameter::Int(wait_ms)],
    )
}

fn release_sql(resource: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_releaseapplock @Resource = @P1, @LockOwner = N'Session';",
        [Parameter::text(resource)],
    )
}

/// The texts of this file.
pub(super) fn statements() -> Vec<(&'static str, Batch)> {
    vec![
        ("applock.take", take_sql("BTS_BackupJob_Lock", 60_000)),
        ("applock.release", release_sql("BTS_BackupJob_Lock")),
    ]
}
