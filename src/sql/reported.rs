//! Errors of others, as our event session heard them.
//!
//! Start at [`add`]. An event belongs to the member that its message names in quotes: the database that it was raised
//! in is usually master (design, 10.10). What cannot be read is told in the facts, never an error of the survey.

use super::event_session::{events_sql, state_sql};
use super::fault::Fault;
use super::rows;
use super::session::{Answer, SqlSession};
use super::xevent::{self, shape};
use crate::model::{DatabaseName, ServerLocal};
use crate::survey::{EventSession, HostFacts, ReportedError};
use crate::world::FactsWanted;

/// Adds the state of the event session and what it heard to a host's facts.
pub(super) async fn add(session: SqlSession, wanted: &FactsWanted, facts: &mut HostFacts) {
    facts.event_session = match look(session, wanted, facts).await {
        Ok(state) => state,
        Err(fault) => EventSession::Unreadable { why: words(fault) },
    };
}

async fn look(
    session: SqlSession,
    wanted: &FactsWanted,
    facts: &mut HostFacts,
) -> Result<EventSession, Fault> {
    let (session, answer) = session.try_ask(&state_sql(&wanted.event_session)).await?;
    let row = rows::only(&answer)?;
    let may_make = row.int("may_make")? == 1;
    match (row.int("is_there")?, row.int("is_running")?) {
        (0, _) => return Ok(EventSession::Absent { may_make }),
        (_, 0) => return Ok(EventSession::Stopped { may_make }),
        _ => {}
    }
    let (_, answer) = session.try_ask(&events_sql(&wanted.event_session)).await?;
    for (database, error) in reported(&answer, facts.offset_minutes)? {
        let is_meant = |name: &&DatabaseName| name.as_str() == database;
        let by_letters =
            |name: &&DatabaseName| name.as_str().to_lowercase() == database.to_lowercase();
        let mut names = facts.members.keys();
        let name = names
            .clone()
            .find(is_meant)
            .or_else(|| names.find(by_letters))
            .cloned();
        // An error about a database outside the group is nobody's here.
        if let Some(member) = name.and_then(|name| facts.members.get_mut(&name)) {
            member.reported.push(error);
        }
    }
    for member in facts.members.values_mut() {
        member.reported.sort_by_key(|error| error.at.civil_utc());
    }
    Ok(EventSession::Running)
}

fn words(fault: Fault) -> String {
    match fault {
        Fault::Refused(cause) => format!("{} ({})", cause.text, cause.number),
        Fault::Broken(text) | Fault::Shape(text) => text,
        Fault::Silent(limit) => format!("no answer within {} s", limit.as_secs()),
    }
}

fn reported(answer: &Answer, offset_minutes: i16) -> Result<Vec<(String, ReportedError)>, Fault> {
    let mut found = Vec::new();
    for row in rows::set(answer, 0) {
        found.extend(event(&row.text("event_data")?, offset_minutes)?);
    }
    Ok(found)
}

/// The database that an event names, and what happened; none where it names no database.
fn event(xml: &str, offset_minutes: i16) -> Result<Option<(String, ReportedError)>, Fault> {
    let event = xevent::event(xml)?;
    let message = event.data("message").unwrap_or_default();
    let Some(database) = quoted(&message) else {
        return Ok(None);
    };
    let number = event
        .data("error_number")
        .and_then(|number| number.parse().ok());
    let offset = jiff::tz::Offset::from_seconds(i32::from(offset_minutes) * 60);
    let offset = offset.map_err(|_| shape("the host's offset"))?;
    let error = ReportedError {
        number: number.ok_or_else(|| shape("its number"))?,
        server: None,
        at: ServerLocal {
            civil: offset.to_datetime(event.at()?),
            offset_minutes: Some(offset_minutes),
        },
        login: event.action("server_principal_name"),
        client: event.action("client_hostname"),
        program: event.action("client_app_name"),
        message: message.clone(),
    };
    Ok(Some((database.to_owned(), error)))
}

/// The first argument of a message that stands in quotes, single or double.
fn quoted(message: &str) -> Option<&str> {
    let at = message.find(['"', '\''])?;
    let (quote, rest) = (&message[at..=at], &message[at + 1..]);
    // A name may hold the quote itself; messages go on with a space or a stop behind the closing one.
    let end = [" ", ".", ","]
        .iter()
        .filter_map(|after| rest.find(&format!("{quote}{after}")))
        .min();
    let end = end.or_else(|| rest.strip_suffix(quote).map(str::len))?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "<event name=\"error_reported\" package=\"sqlserver\" \
        timestamp=\"2026-11-21T09:30:00.250Z\">\
        <data name=\"error_number\"><type name=\"int32\" package=\"package0\"/><value>1475</value></data>\
        <data name=\"message\"><value>Database \"Pay &amp; Go\" might contain bulk logged changes that have not \
        been backed up.</value></data>\
        <action name=\"server_principal_name\" package=\"sqlserver\"><value>CORP\\ann</value></action>\
        <action name=\"client_app_name\" package=\"sqlserver\"><value></value></action></event>";

    #[test]
    fn an_event_tells_its_database_number_time_and_login() {
        let (database, error) = event(EVENT, 60).expect("reads").expect("names one");
        assert_eq!((database.as_str(), error.number), ("Pay & Go", 1475));
        assert_eq!(error.at.to_string(), "2026-11-21 10:30:00 +01:00");
        assert_eq!(error.login.as_deref(), Some(r"CORP\ann"));
        assert_eq!((error.program, error.client), (None, None));
    }

    #[test]
    fn an_event_that_names_no_database_is_nobodys_and_nonsense_is_told() {
        let nobodys = EVENT.replace("\"Pay &amp; Go\"", "it");
        assert_eq!(event(&nobodys, 0).expect("reads"), None);
        for nonsense in ["", "<event>", "<event timestamp=\"never\"></event>"] {
            let told = event(nonsense, 0);
            assert!(
                matches!(told, Err(Fault::Shape(_)) | Ok(None)),
                "{nonsense}: {told:?}"
            );
        }
        event(&EVENT.replace("1475", "x"), 0).expect_err("no number");
    }

    #[test]
    fn the_first_quoted_argument_is_the_name() {
        for (message, name) in [
            ("Database \"A\" might", Some("A")),
            ("BACKUP LOG cannot run for 'B' because 'x'.", Some("B")),
            ("database 'it's' is", Some("it's")),
            ("database 'end'", Some("end")),
            ("no name at all", None),
            ("an open \"quote", None),
        ] {
            assert_eq!(quoted(message), name, "{message}");
        }
    }
}
