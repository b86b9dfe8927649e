//! Makes and removes what marks need in a member: schema `stopmark`, its table, procedures and grants.
//!
//! Start at [`prepare_member`]. Everything may run again; a grant goes to the user of a login, who is made
//! where there is none. The same files' owner (`dbo`) makes the table reachable through the procedures
//! alone, so a link's login needs EXECUTE and nothing else.
//!
//! Users that were made are left when the rest is removed: somebody may rely on them by then.

use super::every::Sample;
use super::quote::{identifier, literal};
use super::session::SqlSession;
use super::statement::{Batch, Parameter};
use super::{SqlFleet, rows};
use crate::config::MarkLogKind;
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, MarkName, MemberName};
use crate::plan::PrepareMember;

/// Makes table, procedures, users and grants.
pub(super) async fn prepare_member(fleet: &SqlFleet, step: &PrepareMember) -> Result<()> {
    let member = &step.member;
    let at_member = |error: Error| error.at("member", member);
    let session = fleet.open(&member.host).await.map_err(at_member)?;
    let mut session = make_objects(session, &member.database)
        .await
        .map_err(at_member)?;
    for login in &step.grantees {
        session = grant(session, login).await.map_err(at_member)?;
    }
    Ok(())
}

/// Drops what was made; what is not there is no error.
pub(super) async fn remove_prepared(fleet: &SqlFleet, member: &MemberName) -> Result<()> {
    let at_member = |error: Error| error.at("member", member);
    let session = fleet.open(&member.host).await.map_err(at_member)?;
    let (session, _) = session
        .ask(&use_sql(&member.database))
        .await
        .map_err(at_member)?;
    session.ask(&remove_sql()).await.map_err(at_member)?;
    Ok(())
}

/// Deletes the rows of marks before `oldest`. Rows are told by their order, so that no host's clock counts.
pub(super) async fn trim_mark_log(
    fleet: &SqlFleet,
    member: &MemberName,
    oldest: &MarkName,
) -> Result<()> {
    let at_member = |error: Error| error.at("member", member);
    let session = fleet.open(&member.host).await.map_err(at_member)?;
    let trim = match fleet.config.mark_log {
        MarkLogKind::Stopmark => trim_sql(oldest.as_str()),
        MarkLogKind::BizTalk => trim_biztalk_sql(oldest.as_str()),
    };
    let entered = session.ask(&use_sql(&member.database)).await;
    let trimmed = match entered {
        Ok((session, _)) => session.ask(&trim).await,
        Err(error) => Err(error),
    };
    match trimmed {
        // After a failover it is a secondary replica: the rows go when it is the primary one again.
        Err(error) if is_of_secondary(&error) => Ok(()),
        Err(error) => Err(at_member(error).hint(
            "`stopmark group prepare` grants the right to delete rows; in a BizTalk group the script of `stopmark grants`",
        )),
        Ok(_) => Ok(()),
    }
}

/// Whether a database refuses since it is a secondary replica: not to be entered, or not to be changed.
fn is_of_secondary(error: &Error) -> bool {
    let number = error.sql().map(|cause| cause.number);
    matches!(number, Some(976 | 978 | 3906))
}

async fn make_objects(session: SqlSession, database: &DatabaseName) -> Result<SqlSession> {
    let (session, _) = session.ask(&use_sql(database)).await?;
    let (session, answer) = session.ask(&schema_id_sql()).await?;
    let has_schema = rows::only(&answer)
        .and_then(|row| row.int_or_null("schema_id"))
        .map_err(|fault| fault.at(session.host()))?
        .is_some();
    let mut session = session;
    if !has_schema {
        session = session.ask(&create_schema_sql()).await?.0;
    }
    for batch in [table_sql(), set_mark_sql(), set_mark_remote_sql()] {
        session = session.ask(&batch).await?.0;
    }
    Ok(session)
}

/// Gives one login what marks need; a login that owns the database, or is sysadmin, needs no grant.
async fn grant(session: SqlSession, login: &str) -> Result<SqlSession> {
    let (session, answer) = session.ask(&user_of_sql(login)).await?;
    let host = session.host().clone();
    let read = || -> Result<_, super::fault::Fault> {
        let row = rows::only(&answer)?;
        Ok((
            row.int("is_known")? == 1,
            row.int("is_sysadmin")? == 1,
            row.int("is_self")? == 1,
            row.text_or_null("user_name")?,
        ))
    };
    let (is_known, is_sysadmin, is_self, user) = read().map_err(|fault| fault.at(&host))?;
    if !is_known {
        return Err(Error::new(
            Code::StatementFailed,
            format!("there is no login `{login}` to grant the mark procedures to"),
        )
        .at("host", &host)
        .hint("create the login on this host, or name another in the configuration"));
    }
    match user {
        Some(user) if user == "dbo" => Ok(session),
        // Nobody may grant to themselves. Who prepares holds all of it now, and later what `stopmark grants` gave.
        Some(_) if is_self => Ok(session),
        Some(user) => Ok(session.ask(&grant_sql(&user)).await?.0),
        None if is_sysadmin => Ok(session),
        None => {
            let (session, _) = session.ask(&create_user_sql(login)).await?;
            Ok(session.ask(&grant_sql(login)).await?.0)
        }
    }
}

/// `USE` as a batch of its own, for those after it that must be alone in theirs.
pub(super) fn use_sql(database: &DatabaseName) -> Batch {
    use_named_sql(database.as_str())
}

/// The same for a database of the system.
pub(super) fn use_named_sql(database: &str) -> Batch {
    Batch::plain(format!("USE {};", identifier(database)))
}

fn schema_id_sql() -> Batch {
    Batch::plain("SELECT CAST(SCHEMA_ID(N'stopmark') AS int) AS schema_id;")
}

fn create_schema_sql() -> Batch {
    Batch::plain("CREATE SCHEMA [stopmark] AUTHORIZATION [dbo];")
}

fn table_sql() -> Batch {
    Batch::plain(
        "IF OBJECT_ID(N'stopmark.MarkLog', N'U') IS NULL\n\
         CREATE TABLE [stopmark].[MarkLog]\n\
         (\n    \
             [id] bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,\n    \
             [mark_name] nvarchar(128) NOT NULL,\n    \
             [marked_at_utc] datetime2(3) NOT NULL\n\
         );",
    )
}

/// Joins the caller's transaction: a mark is recorded only in databases that the transaction modifies.
fn set_mark_sql() -> Batch {
    Batch::plain(
        "CREATE OR ALTER PROCEDURE [stopmark].[SetMark] @name nvarchar(128)\n\
         AS\n\
         BEGIN\n    \
             SET NOCOUNT ON;\n    \
             BEGIN TRANSACTION;\n    \
             INSERT INTO [stopmark].[MarkLog] ([mark_name], [marked_at_utc])\n    \
             VALUES (@name, SYSUTCDATETIME());\n    \
             COMMIT TRANSACTION;\n\
         END;",
    )
}

/// The same with a mark of its own: a mark does not travel to another host with the transaction.
fn set_mark_remote_sql() -> Batch {
    Batch::plain(
        "CREATE OR ALTER PROCEDURE [stopmark].[SetMarkRemote] @name nvarchar(128)\n\
         AS\n\
         BEGIN\n    \
             SET NOCOUNT ON;\n    \
             BEGIN TRANSACTION @name WITH MARK @name;\n    \
             INSERT INTO [stopmark].[MarkLog] ([mark_name], [marked_at_utc])\n    \
             VALUES (@name, SYSUTCDATETIME());\n    \
             COMMIT TRANSACTION;\n\
         END;",
    )
}

fn user_of_sql(login: &str) -> Batch {
    Batch::with(
        "SELECT CASE WHEN SUSER_SID(@P1) IS NULL THEN 0 ELSE 1 END AS is_known,\n    \
         ISNULL(IS_SRVROLEMEMBER(N'sysadmin', @P1), 0) AS is_sysadmin,\n    \
         CASE WHEN SUSER_SNAME() = @P1 THEN 1 ELSE 0 END AS is_self,\n    \
         (SELECT p.name FROM sys.database_principals AS p WHERE p.sid = SUSER_SID(@P1)) AS user_name;",
        [Parameter::text(login)],
    )
}

pub(super) fn create_user_sql(login: &str) -> Batch {
    let name = identifier(login);
    Batch::plain(format!("CREATE USER {name} FOR LOGIN {name};"))
}

fn grant_sql(user: &str) -> Batch {
    let user = identifier(user);
    Batch::plain(format!(
        "GRANT EXECUTE ON OBJECT::[stopmark].[SetMark] TO {user};\n\
         GRANT EXECUTE ON OBJECT::[stopmark].[SetMarkRemote] TO {user};\n\
         GRANT SELECT, DELETE ON OBJECT::[stopmark].[MarkLog] TO {user};"
    ))
}

fn trim_sql(oldest: &str) -> Batch {
    Batch::with(
        "DELETE FROM [stopmark].[MarkLog]\n\
         WHERE [id] < (SELECT MIN(m.[id]) FROM [stopmark].[MarkLog] AS m WHERE m.[mark_name] = @P1);",
        [Parameter::text(oldest)],
    )
}

/// BizTalk's table has no key: rows are told by their stamps, the last 23 characters, and only those of this group's
/// own prefix go.
fn trim_biztalk_sql(oldest: &str) -> Batch {
    Batch::with(
        "DELETE FROM [dbo].[MarkLog]\n\
         WHERE [MarkName] LIKE LEFT(@P1, LEN(@P1) - 24) + N'[_]____[_]__[_]__[_]__[_]__[_]__[_]___'\n    \
         AND RIGHT([MarkName], 23) < RIGHT(@P1, 23)\n    \
         AND EXISTS (SELECT 1 FROM [dbo].[MarkLog] AS m WHERE m.[MarkName] = @P1);",
        [Parameter::text(oldest)],
    )
}

fn remove_sql() -> Batch {
    Batch::plain(
        "DROP PROCEDURE IF EXISTS [stopmark].[SetMarkRemote];\n\
         DROP PROCEDURE IF EXISTS [stopmark].[SetMark];\n\
         DROP TABLE IF EXISTS [stopmark].[MarkLog];\n\
         DROP SCHEMA IF EXISTS [stopmark];",
    )
}

/// The script that `stopmark group prepare` prints: what `prepare_member` sends, for one member.
#[must_use]
pub fn script(step: &PrepareMember) -> String {
    let mut batches = vec![
        use_sql(&step.member.database),
        script_schema_sql(),
        table_sql(),
        set_mark_sql(),
        set_mark_remote_sql(),
    ];
    for login in &step.grantees {
        batches.extend([script_user_sql(login), grant_sql(login)]);
    }
    let text = |batch: &Batch| format!("{}\nGO\n", batch.text);
    batches.iter().map(text).collect()
}

/// `CREATE SCHEMA` must be alone in its batch, which a script cannot make depend on a condition.
pub(super) fn script_schema_sql() -> Batch {
    Batch::plain(format!(
        "IF SCHEMA_ID(N'stopmark') IS NULL EXEC ({});",
        literal(&create_schema_sql().text)
    ))
}

fn script_user_sql(login: &str) -> Batch {
    Batch::plain(format!(
        "IF USER_ID({}) IS NULL {}",
        literal(login),
        create_user_sql(login).text
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    vec![
        ("prepare.use", use_sql(&database)),
        ("prepare.schema_id", schema_id_sql()),
        ("prepare.schema", create_schema_sql()),
        ("prepare.table", table_sql()),
        ("prepare.set_mark", set_mark_sql()),
        ("prepare.set_mark_remote", set_mark_remote_sql()),
        ("prepare.user_of", user_of_sql(&sample.login)),
        ("prepare.create_user", create_user_sql(&sample.login)),
        ("prepare.grant", grant_sql(&sample.login)),
        ("prepare.trim", trim_sql("SM_2026_11_21_02_00_00_007")),
        (
            "prepare.trim_biztalk",
            trim_biztalk_sql("BTS_2026_11_21_02_00_00_007"),
        ),
        ("prepare.remove", remove_sql()),
        ("prepare.script_schema", script_schema_sql()),
        ("prepare.script_user", script_user_sql(&sample.login)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_holds_what_is_sent_and_a_batch_for_each() {
        let step = PrepareMember {
            member: "PAY1/Led]ger".parse().expect("valid"),
            grantees: vec!["stopmark".to_owned(), "link'user".to_owned()],
        };
        let script = script(&step);
        assert!(script.starts_with("USE [Led]]ger];\nGO\n"), "{script}");
        assert!(script.contains(&set_mark_remote_sql().text));
        assert!(script.contains("USER_ID(N'link''user')"), "{script}");
        assert_eq!(script.matches("\nGO\n").count(), 5 + 2 * 2);
    }
}
