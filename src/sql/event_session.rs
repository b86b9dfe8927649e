//! The Extended Events session that hears errors of others: made, started and dropped.
//!
//! Start at [`ensure`]. Its file has its name and lies where the host keeps its logs; it is small, for the survey
//! reads it whole. What it heard is read in `reported`.

use super::SqlFleet;
use super::every::Sample;
use super::quote::{identifier, literal};
use super::statement::{Batch, Parameter};
use crate::error::Result;
use crate::model::HostName;
use crate::plan::EnsureEventSession;

/// Size of a file of events, in MiB, and how many there may be: some thousand errors.
const FILE_MIB: u8 = 1;
/// See [`FILE_MIB`].
const FILES_MAX: u8 = 2;

/// Makes the session and starts it; one of the name that is there already is made anew.
pub(super) async fn ensure(
    fleet: &SqlFleet,
    host: &HostName,
    step: &EnsureEventSession,
) -> Result<()> {
    let (session, _) = fleet.open(host).await?.ask(&drop_sql(&step.name)).await?;
    let (session, _) = session.ask(&create_sql(step)).await?;
    session.ask(&start_sql(&step.name)).await?;
    Ok(())
}

/// Drops the session, running or not.
pub(super) async fn remove(fleet: &SqlFleet, host: &HostName, name: &str) -> Result<()> {
    fleet.open(host).await?.ask(&drop_sql(name)).await?;
    Ok(())
}

pub(super) fn drop_sql(name: &str) -> Batch {
    Batch::plain(format!(
        "IF EXISTS (SELECT 1 FROM sys.server_event_sessions AS s WHERE s.name = {})\n    \
         DROP EVENT SESSION {} ON SERVER;",
        literal(name),
        identifier(name),
    ))
}

/// Events reach the file within seconds; one may be lost rather than a session of somebody be held up.
fn create_sql(step: &EnsureEventSession) -> Batch {
    let numbers: Vec<String> = step
        .numbers
        .iter()
        .map(|number| format!("[error_number] = ({number})"))
        .collect();
    Batch::plain(format!(
        "CREATE EVENT SESSION {} ON SERVER\n\
         ADD EVENT sqlserver.error_reported\n\
         (\n    \
         ACTION (sqlserver.client_app_name, sqlserver.client_hostname, sqlserver.server_principal_name)\n    \
         WHERE ({})\n\
         )\n\
         ADD TARGET package0.event_file\n\
         (SET filename = {}, max_file_size = ({FILE_MIB}), max_rollover_files = ({FILES_MAX}))\n\
         WITH (EVENT_RETENTION_MODE = ALLOW_SINGLE_EVENT_LOSS, MAX_DISPATCH_LATENCY = 5 SECONDS,\n    \
         STARTUP_STATE = ON);",
        identifier(&step.name),
        numbers.join(" OR "),
        literal(&format!("{}.xel", step.name)),
    ))
}

pub(super) fn start_sql(name: &str) -> Batch {
    Batch::plain(format!(
        "ALTER EVENT SESSION {} ON SERVER STATE = START;",
        identifier(name)
    ))
}

/// Whether the session is there and runs, and whether the login may change that.
pub(super) fn state_sql(name: &str) -> Batch {
    Batch::with(
        "SELECT CASE WHEN s.name IS NULL THEN 0 ELSE 1 END AS is_there,\n    \
         CASE WHEN r.name IS NULL THEN 0 ELSE 1 END AS is_running,\n    \
         ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, N'ALTER ANY EVENT SESSION'), 0) AS may_make\n\
         FROM (SELECT @P1 AS name) AS wanted\n\
         LEFT JOIN sys.server_event_sessions AS s ON s.name = wanted.name\n\
         LEFT JOIN sys.dm_xe_sessions AS r ON r.name = wanted.name;",
        [Parameter::text(name)],
    )
}

/// What the files of the session hold.
pub(super) fn events_sql(name: &str) -> Batch {
    Batch::with(
        "SELECT CAST(f.event_data AS nvarchar(max)) AS event_data\n\
         FROM sys.fn_xe_file_target_read_file(@P1, NULL, NULL, NULL) AS f;",
        [Parameter::text(format!("{name}*.xel"))],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let name = sample.database.as_str();
    let step = EnsureEventSession {
        name: name.to_owned(),
        numbers: vec![1475, 4214],
        exists: false,
    };
    vec![
        ("event_session.drop", drop_sql(name)),
        ("event_session.create", create_sql(&step)),
        ("event_session.start", start_sql(name)),
        ("event_session.state", state_sql(name)),
        ("event_session.events", events_sql(name)),
    ]
}
