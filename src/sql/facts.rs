//! Asks one host for everything that a survey wants of it: identity, rights, links, open marks, members.
//!
//! Start at [`host_facts`]. A right that is missing is a fact, found before the statement that needs it;
//! members and their logs are read by `member`.
//!
//! This file only reads.

use std::collections::BTreeMap;

use jiff::civil;

use super::every::Sample;
use super::fault::Fault;
use super::history::NAMES_MAX;
use super::rights::{self, Asked, Purpose, SEES_HISTORY, SEES_STATE};
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter, placeholders};
use super::{SqlFleet, availability, links, member, reported, settings};
use crate::config::Encryption;
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MarkPrefix, ServerLocal, Timestamp};
use crate::survey::{EventSession, HostFacts, MemberFacts, MemberState, no_access};
use crate::world::FactsWanted;

/// Everything about one host, on one connection.
pub(super) async fn host_facts(
    fleet: &SqlFleet,
    host: &HostName,
    wanted: &FactsWanted,
) -> Result<HostFacts> {
    let rights = rights::asked(wanted.is_management_host);
    let (session, _) = fleet.open_any(host).await?;
    let asked_at = fleet.clock.now();
    let (session, answer) = session.ask(&identity_sql(&rights)).await?;
    let between_ms = asked_at.millis().midpoint(fleet.clock.now().millis());
    let fill = || -> Result<(HostFacts, civil::DateTime), Fault> {
        let row = rows::only(&answer)?;
        let utc_now = row.civil("utc_now")?;
        let facts = HostFacts {
            is_encrypted: fleet.is_encrypted(host),
            clock_ahead_s: ahead_s(utc_now, Timestamp::from_millis(between_ms)),
            ..identity(row, &rights)?
        };
        Ok((facts, utc_now))
    };
    let (mut facts, utc_now) = fill().map_err(|fault| fault.at(host))?;
    let mut session = session;
    if !lacks(&facts, &[SEES_STATE]) {
        (session, facts.open_marks) = open_marks(session, &wanted.mark_prefix).await?;
    }
    if wanted.is_management_host {
        (session, facts.links) = links::link_facts(session).await?;
    }
    let sees_state = !lacks(&facts, &[SEES_STATE]);
    let session = members(session, wanted, &mut facts).await?;
    if sees_state {
        let session = availability::add(session, wanted, &mut facts).await?;
        reported::add(session, wanted, &mut facts).await;
    }
    for member in facts.members.values_mut() {
        member.asked_at = Some(ServerLocal {
            civil: utc_now,
            offset_minutes: Some(0),
        });
    }
    Ok(facts)
}

/// What the host's clock shows.
pub(super) async fn utc_now(fleet: &SqlFleet, host: &HostName) -> Result<Timestamp> {
    let (_, answer) = fleet.open(host).await?.ask(&utc_now_sql()).await?;
    let shown = || -> Result<Timestamp, Fault> {
        let shown = rows::only(&answer)?.civil("utc_now")?;
        let at = jiff::tz::TimeZone::UTC.to_timestamp(shown);
        let at = at.map_err(|_| Fault::Shape("`utc_now` cannot be a time".to_owned()))?;
        Ok(Timestamp::from_millis(at.as_millisecond()))
    };
    shown().map_err(|fault| fault.at(host))
}

fn utc_now_sql() -> Batch {
    Batch::plain("SELECT SYSUTCDATETIME() AS utc_now;")
}

fn lacks(facts: &HostFacts, rights: &[&str]) -> bool {
    let is_one = |missing: &String| rights.contains(&missing.as_str());
    facts.missing_rights.iter().any(is_one)
}

impl SqlFleet {
    /// Whether the configuration lets no unencrypted session come about: tiberius refuses a server that
    /// cannot do what was asked for. `LoginOnly` promises nothing beyond the login.
    fn is_encrypted(&self, host: &HostName) -> bool {
        self.config
            .host(host)
            .is_some_and(|host| host.encryption != Encryption::LoginOnly)
    }
}

fn identity_sql(rights: &[Asked]) -> Batch {
    let mut text = "SELECT CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS true_name,\n    \
         CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,\n    \
         CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS edition,\n    \
         CAST(DATEPART(TZOFFSET, SYSDATETIMEOFFSET()) AS int) AS offset_minutes,\n    \
         SYSUTCDATETIME() AS utc_now,\n    \
         CAST(CONNECTIONPROPERTY('auth_scheme') AS nvarchar(40)) AS auth_scheme"
        .to_owned();
    for (at, right) in rights.iter().enumerate() {
        text.push_str(",\n    ");
        text.push_str(&right.question);
        text.push_str(" AS right_");
        text.push_str(&at.to_string());
    }
    text.push(';');
    Batch::plain(text)
}

/// How many whole seconds a host's clock is before ours. What is less than a second counts as none: an answer takes time.
fn ahead_s(host: civil::DateTime, ours: Timestamp) -> i64 {
    host.duration_since(ours.civil_utc()).as_secs()
}

/// Encryption and clock are for the caller, who knows of the connection.
fn identity(row: Cells<'_>, rights: &[Asked]) -> Result<HostFacts, Fault> {
    let name = row.text("true_name")?;
    let shape = |what: &str| Fault::Shape(format!("`{what}` cannot be a host's"));
    let (mut missing_rights, mut missing_to_restore) = (Vec::new(), Vec::new());
    for (at, right) in rights.iter().enumerate() {
        if row.int_or_null(&format!("right_{at}"))? != Some(1) {
            match right.purpose {
                Purpose::Restore => missing_to_restore.push(right.label.clone()),
                Purpose::Backup | Purpose::Check | Purpose::Prepare | Purpose::LeaveGroup => {
                    missing_rights.push(right.label.clone());
                }
            }
        }
    }
    Ok(HostFacts {
        true_name: name.parse().map_err(|_| shape(&name))?,
        version: row.text("version")?,
        edition: row.text("edition")?,
        offset_minutes: i16::try_from(row.int("offset_minutes")?).map_err(|_| shape("offset"))?,
        auth_scheme: row.text_or_null("auth_scheme")?.unwrap_or_default(),
        is_encrypted: false,
        clock_ahead_s: 0,
        missing_rights,
        missing_to_restore,
        links: Vec::new(),
        members: BTreeMap::new(),
        open_marks: Vec::new(),
        event_session: EventSession::Unknown,
    })
}

async fn open_marks(session: SqlSession, prefix: &MarkPrefix) -> Result<(SqlSession, Vec<String>)> {
    let (session, answer) = session.ask(&open_marks_sql(prefix)).await?;
    let names = rows::set(&answer, 0)
        .map(|row| row.text("name"))
        .collect::<Result<_, _>>();
    let names = names.map_err(|fault| fault.at(session.host()))?;
    Ok((session, names))
}

/// Transactions are called as `BEGIN TRANSACTION` called them. A prefix is letters and digits, so only the
/// `_` after it must be kept from matching anything.
fn open_marks_sql(prefix: &MarkPrefix) -> Batch {
    Batch::with(
        "SELECT DISTINCT t.name FROM sys.dm_tran_active_transactions AS t\n\
         WHERE t.name LIKE @P1\n\
         ORDER BY t.name;",
        [Parameter::text(format!("{prefix}[_]%"))],
    )
}

async fn members(
    mut session: SqlSession,
    wanted: &FactsWanted,
    facts: &mut HostFacts,
) -> Result<SqlSession> {
    let sees_history = !lacks(facts, SEES_HISTORY);
    let mut encryptors = BTreeMap::new();
    if !lacks(facts, &[SEES_STATE]) {
        (session, encryptors) = settings::encryptors(session).await?;
    }
    for names in wanted.databases.chunks(NAMES_MAX) {
        let (back, answer) = session.ask(&databases_sql(names)).await?;
        session = back;
        for (name, may_enter, mut member) in databases(&answer, names, session.host())? {
            if let Some(settings) = &mut member.settings {
                settings.encryptor = encryptors.remove(name.as_str());
            }
            if sees_history {
                let offset = facts.offset_minutes;
                (session, member.history) = member::history(session, &name, offset).await?;
            }
            let mut missing = Vec::new();
            match (member.state, may_enter) {
                (MemberState::Online, true) => {
                    let looking = member::look_inside(session, &name, &mut member, wanted.mark_log);
                    (session, missing) = looking.await?;
                }
                (MemberState::Online, false) => {
                    missing.push(no_access(&name));
                }
                (MemberState::Restoring | MemberState::Unusable, _) => {}
            }
            facts.missing_rights.extend(missing);
            facts.members.insert(name, member);
        }
    }
    Ok(session)
}

/// The databases that are there, each under the name that was asked for.
fn databases(
    answer: &Answer,
    asked: &[DatabaseName],
    host: &HostName,
) -> Result<Vec<(DatabaseName, bool, MemberFacts)>> {
    let mut found = Vec::new();
    for row in rows::set(answer, 0) {
        let read = || {
            Ok((
                row.text("name")?,
                row.int("may_enter")? == 1,
                member::state(row)?,
            ))
        };
        let (name, may_enter, facts) = read().map_err(|fault: Fault| fault.at(host))?;
        // The server compares names by its collation; the answer goes by the caller's spelling.
        let asked = asked
            .iter()
            .find(|asked| asked.as_str() == name)
            .or_else(|| asked.iter().find(|asked| same_letters(asked, &name)));
        let asked = asked.ok_or_else(|| {
            Error::new(
                Code::StatementFailed,
                format!("nobody asked for database `{name}`"),
            )
            .at("host", host)
        })?;
        found.push((asked.clone(), may_enter, facts));
    }
    Ok(found)
}

fn same_letters(asked: &DatabaseName, name: &str) -> bool {
    asked.as_str().to_lowercase() == name.to_lowercase()
}

/// State and chain of these databases; those that are not there, or not to be seen, have no row.
fn databases_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT d.name, d.state_desc, d.recovery_model_desc, d.is_read_only,\n    \
             r.database_guid, r.family_guid, r.recovery_fork_guid,\n    \
             CAST(r.last_log_backup_lsn AS varchar(30)) AS last_log_backup_lsn,\n    \
             g.name AS availability_group,\n    \
             {settings},\n    \
             ISNULL(HAS_DBACCESS(d.name), 0) AS may_enter\n\
             FROM sys.databases AS d\n\
             LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id\n\
             LEFT JOIN sys.availability_replicas AS a ON a.replica_id = d.replica_id\n\
             LEFT JOIN sys.availability_groups AS g ON g.group_id = a.group_id\n\
             WHERE d.name IN ({list})\n\
             ORDER BY d.name;",
            settings = settings::COLUMNS
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = |name: &String| {
        name.parse::<DatabaseName>()
            .expect("samples are valid names")
    };
    let names = [database(&sample.database), database(&sample.other_database)];
    let prefix: MarkPrefix = "BTS".parse().expect("a valid prefix");
    let mut all = vec![
        ("facts.identity", identity_sql(&rights::asked(false))),
        (
            "facts.management_identity",
            identity_sql(&rights::asked(true)),
        ),
        ("facts.utc_now", utc_now_sql()),
        ("facts.open_marks", open_marks_sql(&prefix)),
        ("facts.databases", databases_sql(&names)),
    ];
    all.extend(member::statements(sample));
    all
}
