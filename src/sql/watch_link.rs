//! The event session that watches a link for the length of one mark: made, started, read.
//!
//! Start at [`begin`]. It keeps what it sees in memory only, so that nothing of it is left where it is dropped;
//! `event_session` drops it. Logins and statements are those of the link's connections; what the transaction
//! coordinator does belongs to no connection, so that all of that is kept.

use super::SqlFleet;
use super::event_session::{drop_sql, start_sql};
use super::every::Sample;
use super::fault::Fault;
use super::quote::{identifier, literal};
use super::rows::{self, Cells};
use super::session::Answer;
use super::statement::{Batch, Parameter};
use super::xevent::{self, EventXml, shape};
use crate::error::Result;
use crate::model::{HostName, Timestamp};
use crate::plan::{ReadWatch, WatchLink};
use crate::run::events::{LeftBehind, LinkWatch, WatchedEvent};

/// Events that the ring keeps: a mark raises a few dozen.
const EVENTS_MAX: u16 = 1000;
/// The ring's memory in KiB.
const MEMORY_KIB_MAX: u16 = 4096;

/// What comes to a host by its connections.
const OF_CONNECTIONS: [&str; 4] = ["login", "rpc_completed", "sql_batch_completed", "logout"];

/// Where the statement of an event stands, by event.
const STATEMENTS: [&str; 2] = ["statement", "batch_text"];

/// Makes the event session and starts it; one of the name that is there is made anew.
pub(super) async fn begin(fleet: &SqlFleet, host: &HostName, step: &WatchLink) -> Result<()> {
    let (session, _) = fleet.open(host).await?.ask(&drop_sql(&step.name)).await?;
    let (session, _) = session.ask(&create_sql(step)).await?;
    session.ask(&start_sql(&step.name)).await?;
    Ok(())
}

/// What it saw until now, and what is left open.
pub(super) async fn read(fleet: &SqlFleet, host: &HostName, step: &ReadWatch) -> Result<LinkWatch> {
    let session = fleet.open(host).await?;
    let (session, ring) = session.ask(&ring_sql(&step.name)).await?;
    let (_, left) = session.ask(&left_sql(&step.program)).await?;
    let read = || -> Result<LinkWatch, Fault> {
        Ok(LinkWatch {
            events: events(&ring)?,
            left_behind: rows::set(&left, 0)
                .map(left_behind)
                .collect::<Result<_, _>>()?,
        })
    };
    read().map_err(|fault| fault.at(host))
}

fn left_behind(row: Cells<'_>) -> Result<LeftBehind, Fault> {
    Ok(LeftBehind {
        session: row.int("session_id")?,
        unit_of_work: row.guid_or_null("unit_of_work")?,
    })
}

fn events(answer: &Answer) -> Result<Vec<WatchedEvent>, Fault> {
    let mut seen = Vec::new();
    for row in rows::set(answer, 0) {
        let ring = row.text_or_null("target_data")?.unwrap_or_default();
        for event in xevent::ring(&ring)? {
            seen.push(watched(&event)?);
        }
    }
    seen.sort_by_key(|event: &WatchedEvent| event.at);
    Ok(seen)
}

fn watched(event: &EventXml) -> Result<WatchedEvent, Fault> {
    let statement = STATEMENTS.iter().find_map(|name| event.data(name));
    let is_statement = event.name.ends_with("_completed");
    let took = event.data("duration").filter(|_| is_statement);
    Ok(WatchedEvent {
        at: Timestamp::from_millis(event.at()?.as_millisecond()),
        name: event.name.clone(),
        session: event
            .action("session_id")
            .map(|id| id.parse().map_err(|_| shape("its session")))
            .transpose()?,
        what: statement.or_else(|| event.words()),
        took_us: took.and_then(|took| took.parse().ok()),
    })
}

fn create_sql(step: &WatchLink) -> Batch {
    let by_program = |event: &&str| -> String {
        format!(
            "ADD EVENT sqlserver.{event}\n(\n    ACTION (sqlserver.session_id)\n    \
             WHERE ([sqlserver].[client_app_name] = {})\n),\n",
            literal(&step.program)
        )
    };
    let of_connections: String = OF_CONNECTIONS.iter().map(by_program).collect();
    Batch::plain(format!(
        "CREATE EVENT SESSION {} ON SERVER\n\
         {of_connections}\
         ADD EVENT sqlserver.dtc_transaction\n(\n    ACTION (sqlserver.session_id)\n)\n\
         ADD TARGET package0.ring_buffer\n\
         (SET max_events_limit = ({EVENTS_MAX}), max_memory = ({MEMORY_KIB_MAX}))\n\
         WITH (EVENT_RETENTION_MODE = ALLOW_SINGLE_EVENT_LOSS, MAX_DISPATCH_LATENCY = 1 SECONDS);",
        identifier(&step.name),
    ))
}

fn ring_sql(name: &str) -> Batch {
    Batch::with(
        "SELECT CAST(t.target_data AS nvarchar(max)) AS target_data\n\
         FROM sys.dm_xe_sessions AS s\n\
         INNER JOIN sys.dm_xe_session_targets AS t ON t.event_session_address = s.address\n\
         WHERE s.name = @P1 AND t.target_name = N'ring_buffer';",
        [Parameter::text(name)],
    )
}

/// Transactions that no session has any more hold their locks as session -2, each with its unit of work; a session of
/// the link that sleeps in an open transaction lost whoever should end it.
fn left_sql(program: &str) -> Batch {
    Batch::with(
        "SELECT DISTINCT CAST(l.request_session_id AS int) AS session_id,\n    \
         l.request_owner_guid AS unit_of_work\n\
         FROM sys.dm_tran_locks AS l\n\
         WHERE l.request_session_id = -2\n\
         UNION ALL\n\
         SELECT CAST(s.session_id AS int) AS session_id, CAST(NULL AS uniqueidentifier) AS unit_of_work\n\
         FROM sys.dm_exec_sessions AS s\n\
         WHERE s.is_user_process = 1 AND s.status = N'sleeping' AND s.open_transaction_count > 0\n    \
         AND s.program_name = @P1;",
        [Parameter::text(program)],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let step = WatchLink {
        name: sample.database.clone(),
        program: sample.login.clone(),
    };
    vec![
        ("watch_link.create", create_sql(&step)),
        ("watch_link.ring", ring_sql(&step.name)),
        ("watch_link.left", left_sql(&step.program)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_tells_statements_with_their_time_and_what_the_coordinator_did() {
        let ring = "<RingBufferTarget eventCount=\"2\">\
            <event name=\"rpc_completed\" package=\"sqlserver\" timestamp=\"2026-11-21T09:30:00.250Z\">\
            <data name=\"duration\"><type name=\"uint64\" package=\"package0\"/><value>420</value></data>\
            <data name=\"statement\"><value>exec \"Pay\".\"stopmark\".\"SetMark\" N'X'</value></data>\
            <action name=\"session_id\" package=\"sqlserver\"><value>57</value></action></event>\
            <event name=\"dtc_transaction\" package=\"sqlserver\" timestamp=\"2026-11-21T09:30:00.260Z\">\
            <data name=\"state\"><type name=\"dtc\" package=\"sqlserver\"/><value>17</value>\
            <text>Transaction is committing</text></data></event></RingBufferTarget>";
        let seen: Result<Vec<_>, Fault> = xevent::ring(ring)
            .expect("reads")
            .iter()
            .map(watched)
            .collect();
        let seen = seen.expect("reads");
        assert_eq!((seen[0].session, seen[0].took_us), (Some(57), Some(420)));
        assert!(
            seen[0]
                .what
                .as_ref()
                .is_some_and(|what| what.contains("SetMark"))
        );
        assert_eq!(seen[1].what.as_deref(), Some("Transaction is committing"));
        assert_eq!((seen[1].session, seen[1].took_us), (None, None));
    }

    #[test]
    fn an_empty_ring_has_no_events_and_nonsense_is_told() {
        assert!(
            xevent::ring("<RingBufferTarget/>")
                .expect("reads")
                .is_empty()
        );
        for nonsense in [
            "",
            "<RingBufferTarget>",
            "<RingBufferTarget><event/></RingBufferTarget>",
        ] {
            assert!(xevent::ring(nonsense).is_err(), "{nonsense}");
        }
    }
}
