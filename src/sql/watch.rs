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

/// When the last sign of life came, in milliseconds of the monotonic clock; [`KILLED`] once it was killed.
struct Sign(AtomicU64);

/// Later than any time: nothing renews it.
const KILLED: u64 = u64::MAX;

impl Sign {
    fn renew(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(KILLED, Ordering::Relaxed);
    }

    fn is_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed) == KILLED
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
    let ended = tokio::select! {
        biased;
        ended = running => ended,
        fault = until_silent(fleet, &host, session_id, &sign, progress) => Err(fault),
    };
    match ended {
        // A killed statement may answer (596) before the watch is done: what ended it is the silence.
        Err(_) if sign.is_ended() => Err(Fault::Silent(fleet.config.policy.statement_silence_max)),
        ended => ended,
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
            sign.end();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU8;

    use sqlsim::certificate::Authority;
    use sqlsim::{InstanceOptions, Simulator};
    use tempfile::TempDir;

    use super::super::dial::TcpDial;
    use super::super::tests::{config, name};
    use super::*;
    use crate::clock::SystemClock;

    #[derive(Default)]
    struct Told(AtomicU8);

    impl StepProgress for Told {
        fn percent(&self, percent: u8) {
            self.0.fetch_max(percent, Ordering::Relaxed);
        }

        fn bytes(&self, _more: u64) {}
    }

    async fn host(silence_max: Duration) -> (TempDir, Simulator, SqlFleet) {
        observe::install_alone();
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Authority::open(&folder.path().join("authority")).expect("an authority");
        let options = InstanceOptions::new("PAY1");
        let address = "127.0.0.1:0".parse().expect("an address");
        let place = folder.path().join("PAY1");
        let simulator = Simulator::start(&place, options, address, &authority).await;
        let simulator = simulator.expect("it starts");
        let made = simulator
            .instance()
            .create_login("agent", "hunter2", &["sysadmin"]);
        made.expect("a new login");
        let mut config = config();
        config.policy.statement_silence_max = silence_max;
        for host in config.hosts.values_mut() {
            host.address = format!("127.0.0.1,{}", simulator.address().port());
        }
        let clock = Arc::new(SystemClock::new());
        let fleet = SqlFleet::new(Arc::new(config), Arc::new(TcpDial), clock);
        (folder, simulator, fleet.expect("the layer is installed"))
    }

    #[tokio::test]
    async fn a_statement_without_a_sign_of_life_is_killed() {
        let limit = Duration::from_millis(800);
        let (_folder, simulator, fleet) = host(limit).await;
        let session = fleet.open(&name()).await.expect("a session");
        let id = session.id();
        let hangs = Batch::plain("WAITFOR DELAY '00:10:00';");
        let ended = run_watched(&fleet, session, &hangs, &Told::default()).await;
        assert_eq!(ended.err(), Some(Fault::Silent(limit)));
        let sessions = simulator.instance().sessions.list();
        let is_alive = |one: &&Arc<sqlsim::instance::SessionRecord>| i32::from(one.id) == id;
        let killed = sessions
            .iter()
            .find(is_alive)
            .is_none_or(|one| one.killed.is_cancelled());
        assert!(killed, "session {id} runs on");
    }

    #[tokio::test]
    async fn a_statement_that_ends_gives_its_session_back() {
        let (_folder, _simulator, fleet) = host(Duration::from_secs(30)).await;
        let session = fleet.open(&name()).await.expect("a session");
        let id = session.id();
        let speaks = Batch::plain("RAISERROR (N'40 percent processed.', 0, 1) WITH NOWAIT;");
        let told = Told::default();
        let session = run_watched(&fleet, session, &speaks, &told)
            .await
            .expect("it ends");
        assert_eq!((session.id(), told.0.load(Ordering::Relaxed)), (id, 40));
        let own = session.ask(&look_sql(id)).await.expect("a look").1;
        assert_eq!(rows::set(&own, 0).count(), 1, "a request sees itself");
    }

    #[test]
    fn silence_counts_from_the_last_sign() {
        let seconds = Duration::from_secs;
        let sign = Sign(AtomicU64::new(0));
        sign.renew(seconds(5));
        sign.renew(seconds(3));
        assert_eq!(sign.silence(seconds(9)), seconds(4));
        assert_eq!(sign.silence(seconds(1)), Duration::ZERO);
    }
}
