//! What a database has on its host beside its data: asked for by the survey, put back after a restore.
//!
//! Start at [`read`] and [`put_back`]. Nothing here touches a row of the database itself; who may not set something is
//! told so, and the rest is set all the same.

use std::collections::BTreeMap;

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter};
use crate::error::{Error, Result};
use crate::model::{DatabaseName, DatabaseSettings, HostName, UserLogin};
use crate::plan::PutBack;

/// Users of one database that are remembered; more belong to applications that make them by themselves.
const USERS_MAX: u32 = 1000;

/// The columns of `sys.databases`, called `d`, that [`read`] needs.
pub(super) const COLUMNS: &str = "SUSER_SNAME(d.owner_sid) AS owner, d.is_trustworthy_on, d.is_db_chaining_on,\n    \
     d.is_broker_enabled, d.is_cdc_enabled, d.is_published,\n    \
     CAST(SERVERPROPERTY('Collation') AS nvarchar(128)) AS server_collation,\n    \
     CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS server_edition";

/// The settings in a row with [`COLUMNS`]; encryption and users come from elsewhere.
pub(super) fn read(row: Cells<'_>) -> Result<DatabaseSettings, Fault> {
    Ok(DatabaseSettings {
        owner: row.text_or_null("owner")?,
        is_trustworthy: row.flag("is_trustworthy_on")?,
        is_db_chaining: row.flag("is_db_chaining_on")?,
        is_broker_enabled: row.flag("is_broker_enabled")?,
        is_cdc_enabled: row.flag("is_cdc_enabled")?,
        is_published: row.flag("is_published")?,
        encryptor: None,
        server_collation: row.text_or_null("server_collation")?.unwrap_or_default(),
        server_edition: row.text_or_null("server_edition")?.unwrap_or_default(),
        users: Vec::new(),
    })
}

/// The certificates that databases of the host are encrypted by, by database; the login must see the server's state.
pub(super) async fn encryptors(
    session: SqlSession,
) -> Result<(SqlSession, BTreeMap<String, String>)> {
    let (session, answer) = session.ask(&encryptors_sql()).await?;
    let read = |row: Cells<'_>| Ok((row.text("name")?, row.hex("thumbprint")?));
    let found = rows::set(&answer, 0).map(read).collect::<Result<_, _>>();
    let found = found.map_err(|fault: Fault| fault.at(session.host()))?;
    Ok((session, found))
}

/// The certificates and keys that a host has; none where the login may not see them.
pub(super) async fn keys(session: SqlSession) -> Result<(SqlSession, Option<Vec<String>>)> {
    let (session, answer) = session.ask(&keys_sql()).await?;
    if answer.is_empty() {
        return Ok((session, None));
    }
    let keys = rows::set(&answer, 0).map(|row| row.hex("thumbprint"));
    let keys = keys.collect::<Result<_, _>>();
    let keys = keys.map_err(|fault: Fault| fault.at(session.host()))?;
    Ok((session, Some(keys)))
}

/// The users of an answer's set, in the order of their numbers.
pub(super) fn users(answer: &Answer, set: usize) -> Result<Vec<UserLogin>, Fault> {
    let mut users = Vec::new();
    for row in rows::set(answer, set) {
        let (user, login) = (row.text("user_name")?, row.text_or_null("login_name")?);
        let login = login.filter(|_| user != "dbo");
        users.extend(login.map(|login| UserLogin { user, login }));
    }
    Ok(users)
}

/// The users of the current database whose logins the login may see. `dbo` is always there: the client library loses
/// a set without rows that is not the last one, and those after it would be taken for others.
pub(super) fn users_sql() -> String {
    format!(
        "SELECT TOP ({USERS_MAX}) p.name AS user_name, s.name AS login_name\n\
         FROM sys.database_principals AS p\n\
         LEFT JOIN sys.server_principals AS s ON s.sid = p.sid\n\
         WHERE p.principal_id = 1\n    \
         OR (p.type IN ('S', 'U', 'G') AND p.principal_id > 4 AND s.sid IS NOT NULL)\n\
         ORDER BY p.principal_id;"
    )
}

/// Puts back what the step says; what could not be, a line each.
pub(super) async fn put_back(
    fleet: &SqlFleet,
    host: &HostName,
    step: &PutBack,
) -> Result<Vec<String>> {
    let at_member = |error: Error| {
        error
            .at("member", &step.member)
            .at("database", &step.target)
    };
    let session = fleet.open(host).await.map_err(at_member)?;
    let asked = session.ask(&orphans_sql(&step.target)).await;
    let (_, answer) = asked.map_err(at_member)?;
    let orphans = rows::set(&answer, 0).map(|row| row.text("name"));
    let orphans = orphans.collect::<Result<Vec<String>, Fault>>();
    let orphans = orphans.map_err(|fault| at_member(fault.at(host)))?;
    let mut left = Vec::new();
    for (what, batch) in batches(step, &orphans) {
        let session = fleet.open(host).await.map_err(at_member)?;
        match session.ask(&batch).await {
            Ok(_) => {}
            // A refusal is told; without an answer nobody knows, and the whole step is done again.
            Err(error) => match error.sql() {
                Some(cause) => left.push(format!("{what}: {}", cause.text)),
                None => return Err(at_member(error)),
            },
        }
    }
    Ok(left)
}

/// One statement for each thing, so that a refusal concerns it alone.
fn batches(step: &PutBack, orphans: &[String]) -> Vec<(String, Batch)> {
    let (database, had) = (identifier(step.target.as_str()), &step.settings);
    let mut all = Vec::new();
    if let Some(owner) = &had.owner {
        let text = format!(
            "ALTER AUTHORIZATION ON DATABASE::{database} TO {};",
            identifier(owner)
        );
        all.push((format!("owner `{owner}`"), text));
    }
    all.extend(switched_on(step).map(|(what, text)| (what.to_owned(), text)));
    let is_orphan = |it: &&UserLogin| orphans.contains(&it.user);
    for it in had.users.iter().filter(is_orphan) {
        let (user, login) = (identifier(&it.user), identifier(&it.login));
        let text = format!("USE {database};\nALTER USER {user} WITH LOGIN = {login};");
        all.push((format!("user `{}`", it.user), text));
    }
    let all = all.into_iter();
    all.map(|(what, text)| (what, Batch::plain(text))).collect()
}

/// What was on and a restore leaves off, each with its statement.
pub(super) fn switched_on(step: &PutBack) -> impl Iterator<Item = (&'static str, String)> {
    let (database, had) = (identifier(step.target.as_str()), &step.settings);
    let switches = [
        (had.is_trustworthy, "TRUSTWORTHY", "TRUSTWORTHY ON"),
        (had.is_db_chaining, "DB_CHAINING", "DB_CHAINING ON"),
        (
            had.is_broker_enabled,
            "ENABLE_BROKER",
            "ENABLE_BROKER WITH ROLLBACK IMMEDIATE",
        ),
    ];
    let on = switches.into_iter().filter(|(is_on, ..)| *is_on);
    on.map(move |(_, what, clause)| (what, format!("ALTER DATABASE {database} SET {clause};")))
}

fn encryptors_sql() -> Batch {
    Batch::plain(
        "SELECT d.name, k.encryptor_thumbprint AS thumbprint\n\
         FROM sys.dm_database_encryption_keys AS k\n\
         INNER JOIN sys.databases AS d ON d.database_id = k.database_id\n\
         WHERE k.encryptor_thumbprint IS NOT NULL AND d.database_id > 4;",
    )
}

/// Without the right there is no answer, where with it there may be no row.
fn keys_sql() -> Batch {
    Batch::plain(
        "IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION') = 1\n\
         SELECT c.thumbprint FROM master.sys.certificates AS c\n\
         UNION ALL\n\
         SELECT a.thumbprint FROM master.sys.asymmetric_keys AS a;",
    )
}

/// Users whose login the host does not know by its SID.
fn orphans_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "USE {};\n\
         SELECT p.name FROM sys.database_principals AS p\n\
         LEFT JOIN sys.server_principals AS s ON s.sid = p.sid\n\
         WHERE p.type IN ('S', 'U', 'G') AND p.principal_id > 4 AND p.sid IS NOT NULL AND s.sid IS NULL;",
        identifier(database.as_str())
    ))
}

/// Lets the users of a database in again whom a statement had sent away that then failed; not where it is not open.
pub(super) async fn let_in(fleet: &SqlFleet, host: &HostName, database: &DatabaseName) {
    let Ok(session) = fleet.open(host).await else {
        return;
    };
    // Whoever reads the failure is told of it by that; this one adds nothing.
    drop(session.ask(&let_in_sql(database)).await);
}

fn let_in_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        format!(
            "IF DATABASEPROPERTYEX(@P1, N'Status') = N'ONLINE'\n    \
             AND DATABASEPROPERTYEX(@P1, N'UserAccess') = N'SINGLE_USER'\n    \
             ALTER DATABASE {} SET MULTI_USER;",
            identifier(database.as_str())
        ),
        [Parameter::text(database.as_str())],
    )
}

/// A step with everything that there is to put back.
pub(super) fn sample_step(sample: &Sample) -> PutBack {
    let database = sample.database_name();
    PutBack {
        member: crate::model::MemberName::new(
            sample.host.parse().expect("samples are valid names"),
            database.clone(),
        ),
        target: database,
        settings: DatabaseSettings {
            owner: Some(sample.login.clone()),
            is_trustworthy: true,
            is_db_chaining: true,
            is_broker_enabled: true,
            users: vec![UserLogin {
                user: sample.file.clone(),
                login: sample.login.clone(),
            }],
            ..DatabaseSettings::default()
        },
        retry: None,
    }
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let step = sample_step(sample);
    let database = &step.target;
    let names = [
        "settings.owner",
        "settings.trustworthy",
        "settings.chaining",
        "settings.broker",
        "settings.user",
    ];
    let batches = batches(&step, std::slice::from_ref(&sample.file));
    let batches = batches.into_iter().map(|(_, batch)| batch);
    let mut all = vec![
        ("settings.encryptors", encryptors_sql()),
        ("settings.keys", keys_sql()),
        ("settings.orphans", orphans_sql(database)),
        ("settings.let_in", let_in_sql(database)),
    ];
    all.extend(names.into_iter().zip(batches));
    all
}
