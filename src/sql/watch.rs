//! Watches over statements that take long: BACKUP and RESTORE may run for hours, but never in silence.
//!
//! Start at [`run_watched`]. A second connection looks at the request from outside; one that shows no sign
//! of life for the policy's `statement_silence_max` is ended by `KILL`, and its connection dropped.
//!
//! What the watch sees never decides whether a statement succeeded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::observe;
use super::rows;
use super::session::{SqlSession, within};
use super::statement::{Batch, Parameter};
use crate::error::Result;
use crate::model::HostName;
use crate::world::StepProgress;

/// The longest pause between two looks.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(15);

/// The shortest, whatever the policy says.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(50);

/// What a look saw; any difference to the look before is a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    thousandths: i32,
    work: i64,
}

/// When the last sign of life came, in milliseconds of the monotonic clock.
struct Sign(AtomicU64);

impl Sign {
    fn renew(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

/// Runs a BACKUP or RESTORE to its end, telling its per cents; [`Fault::Silent`] when it was killed.
pub(super) async fn run_watched(
    fleet: &SqlFleet,
    session: SqlSession,
    batch: &Batch,
    progress: &dyn StepProgress,
) -> Result<SqlSession, Fault> {
    let clock = fleet.clock.as_ref();
    let sign = Sign(AtomicU64::new(0));
    sign.renew(clock.monotonic());
    let (host, session_id) = (session.host().clone(), session.id());
    let running = session.run_heard(batch, |heard| {
        sign.renew(clock.monotonic());
        if let Some(percent) = observe::percent(heard) {
            progress.percent(percent);
        }
    });
    tokio::select! {
        biased;
        ended = running => ended,
        fault = until_silent(fleet, &host, session_id, &sign, progress) => Err(fault),
    }
}

/// Ends a session from outside and waits no longer than a connection may take. Best effort: dropping the
/// connection follows in any case, and the caller's error says that the outcome must be looked at.
pub(super) async fn kill(fleet: &SqlFleet, host: &HostName, session_id: i32) {
    let killing = async {
        let session = fleet.open(host).await?;
        session.ask(&kill_sql(session_id)).await
    };
    let limit = fleet.config.policy.connect_timeout;
    drop(within(fleet.clock.as_ref(), limit, killing).await);
}

/// Returns once the statement was silent for too long and has been killed.
async fn until_silent(
    fleet: &SqlFleet,
    host: &HostName,
    session_id: i32,
    sign: &Sign,
    progress: &dyn StepProgress,
) -> Fault {
    let clock = fleet.clock.as_ref();
    let limit = fleet.config.policy.statement_silence_max;
    let pause = (limit / 4).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
    let mut control = None;
    let mut before = None;
    loop {
        clock
            .sleep_until(clock.monotonic().saturating_add(pause))
            .await;
        let seen = match look(fleet, host, control.take(), session_id).await {
            Ok((session, seen)) => {
                control = Some(session);
                seen
            }
            // A watch that cannot look hears at least what the statement itself says.
            Err(_) => None,
        };
        if let Some(look) = seen {
            progress.percent(u8::try_from(look.thousandths / 1000).unwrap_or(0).min(100));
            if before.replace(look) != seen {
                sign.renew(clock.monotonic());
            }
        }
        if sign.silence(clock.monotonic()) >= limit {
            kill(fleet, host, session_id).await;
            return Fault::Silent(limit);
        }
    }
}

async fn look(
    fleet: &SqlFleet,
    host: &HostName,
    control: Option<SqlSession>,
    session_id: i32,
) -> Result<(SqlSession, Option<Look>)> {
    let session = match control {
        Some(session) => session,
        None => fleet.open(host).await?,
    };
    let (session, answer) = session.ask(&look_sql(session_id)).await?;
    let read = |row: rows::Cells<'_>| -> Result<Look, Fault> {
        Ok(Look {
            thousandths: row.int("thousandths")?,
            work: row.long("work")?,
        })
    };
    let seen = rows::first(&answer, 0).map(read).transpose();
    Ok((session, seen.map_err(|fault| fault.at(host))?))
}

/// One look at a request; without `VIEW SERVER STATE` it shows no row.
fn look_sql(session_id: i32) -> Batch {
    Batch::with(
        "SELECT CAST(r.percent_complete * 1000 AS int) AS thousandths,\n    \
         CAST(r.cpu_time AS bigint) + r.reads + r.writes + r.logical_reads AS work\n\
         FROM sys.dm_exec_requests AS r\n\
         WHERE r.session_id = @P1;",
        [Parameter::Int(session_id)],
    )
}

/// `KILL` takes neither a parameter nor a variable.
fn kill_sql(session_id: i32) -> Batch {
    Batch::plain(format!("KILL {session_id};"))
}

/// The texts of this file.
pub(super) fn statements(_: &Sample) -> Vec<(&'static str, Batch)> {
    vec![("watch.look", look_sql(52)), ("watch.kill", kill_sql(52))]
}
