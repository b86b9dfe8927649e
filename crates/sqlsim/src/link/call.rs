//! What a session does over a link: call procedures, send text, read and change tables.
//!
//! Start at [`call`]. The rules stand here in the order in which SQL Server checks
//! them: the link exists (7202), allows it (7411), the login is mapped (7416), the host answers
//! (7303) and lets the login in (18456), and joins the transaction, if there is one (7391).

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Refusal, Security, Target};
use super::literal::{literal, quote, text, typed};
use super::server::{LinkedServer, Mapping, mapping, same};
use super::{SharedConnection, messages as link_messages, remote_text, views};
use crate::dtc;
use crate::error::{SqlError, SqlResult};
use crate::instance::{Instance, Version};
use crate::lang::ast::{ObjectName, Statement};
use crate::messages;
use crate::session::{Argument, Returned, Session};
use crate::value::{Rows, SqlType, Typed, Value};

/// The column by which the answer to a call is told from the procedure's own result sets.
const STATUS: &str = "sqlsim return status";
/// The default of `remote login timeout (s)`.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The default of `remote query timeout (s)`.
const QUERY_TIMEOUT: Duration = Duration::from_secs(600);

/// What a link is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Rpc,
    DataAccess,
}

/// `EXEC link.db.schema.procedure arguments`. Result sets go to the client as they are.
pub async fn call(
    session: &mut Session,
    server: &str,
    name: &ObjectName,
    arguments: Vec<Argument>,
) -> SqlResult<Returned> {
    let link = link(session, server, Purpose::Rpc)?;
    if arguments
        .iter()
        .any(|argument| argument.output && is_max(argument.ty))
    {
        return Err(messages::max_type_to_remote());
    }
    let sql = call_text(name, &arguments);
    let mut results = run(session, &link, &sql).await?;
    let returned = results.pop().map(|answer| returned(&answer, &arguments));
    relay(session, results).await;
    Ok(returned.unwrap_or_default())
}

/// `EXEC ('text with ?', arguments) AT link`.
pub async fn execute_text(
    session: &mut Session,
    server: &str,
    sql: &str,
    arguments: Vec<Argument>,
) -> SqlResult<()> {
    let link = link(session, server, Purpose::Rpc)?;
    let values: Vec<_> = arguments
        .into_iter()
        .filter_map(|argument| argument.value)
        .collect();
    let results = run(session, &link, &with_arguments(sql, &values)).await?;
    relay(session, results).await;
    Ok(())
}

/// The rows of a table or view on another host. Raises 7313 without a schema, 7314 where there is
/// no such table.
pub async fn fetch(session: &mut Session, name: &ObjectName) -> SqlResult<Rows> {
    let server = name.server.as_deref().unwrap_or_default();
    let link = link(session, server, Purpose::DataAccess)?;
    let from = remote_table(&link, name)?;
    let results = run(session, &link, &format!("SELECT * FROM {from}")).await;
    let mut results = results.map_err(|error| no_table(&link, name, error))?;
    Ok(results.pop().unwrap_or_default())
}

/// Sends INSERT, UPDATE or DELETE to the host of its table, as `remote_text` writes it. Gives back
/// how many rows changed.
pub async fn change(
    session: &mut Session,
    name: &ObjectName,
    statement: &Statement,
) -> SqlResult<u64> {
    let server = name.server.as_deref().unwrap_or_default();
    let link = link(session, server, Purpose::DataAccess)?;
    remote_table(&link, name)?;
    let sql = format!(
        "SET NOCOUNT ON; {}; SELECT CONVERT(bigint, @@ROWCOUNT) AS changed;",
        remote_text::write(session, name, statement)?
    );
    let results = run(session, &link, &sql).await;
    let results = results.map_err(|error| no_table(&link, name, error))?;
    let count = results
        .last()
        .and_then(|rows| rows.rows.first()?.first()?.as_int());
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or_default())
}

/// `sp_testlinkedserver`: connects anew and asks for nothing.
pub(super) async fn test(session: &mut Session, server: &str) -> SqlResult<()> {
    let link = find(&session.instance, server)?;
    let target = target(session, &link)?;
    dial(session, &link, &target).await.map(drop)
}

/// Sends a whole result set to the client.
pub(super) async fn send(session: &mut Session, rows: Rows) {
    let count = rows.rows.len() as u64;
    session.output.rows(rows).await;
    session.done(count).await;
}

async fn relay(session: &mut Session, results: Vec<Rows>) {
    for rows in results {
        send(session, rows).await;
    }
}

fn link(session: &Session, server: &str, purpose: Purpose) -> SqlResult<LinkedServer> {
    let link = find(&session.instance, server)?;
    match purpose {
        Purpose::Rpc if !link.options.rpc_out => {
            Err(messages::not_configured_for(&link.name, "RPC"))
        }
        Purpose::DataAccess if !link.options.data_access => {
            Err(messages::not_configured_for(&link.name, "DATA ACCESS"))
        }
        _ => Ok(link),
    }
}

async fn run(session: &mut Session, link: &LinkedServer, sql: &str) -> SqlResult<Vec<Rows>> {
    let connection = connect(session, link).await?;
    let connection = enlist(session, link, connection).await?;
    let limit = seconds(link.options.query_timeout_seconds, QUERY_TIMEOUT);
    let mut connection = connection.lock().await;
    let answer = tokio::select! {
        answer = session.instance.clock.within(Some(limit), connection.run(sql)) => answer,
        // The client wants no more; the other host learns of it by the broken connection.
        () = session.cancel.cancelled() => Some(Err(link_messages::connection_broken())),
    };
    if let Some(answer) = answer {
        return answer;
    }
    connection.break_off();
    drop(connection);
    provider_says(session, link, "Query timeout expired").await;
    Err(messages::provider_error(
        &link.provider,
        &link.name,
        "Execution terminated by the provider because a resource limit was reached.",
    ))
}

/// This session's connection over a link, opened if there is none.
async fn connect(session: &mut Session, link: &LinkedServer) -> SqlResult<SharedConnection> {
    let target = target(session, link)?;
    if let Some(open) = session.links.find(link.id, &target.user_name) {
        return Ok(open);
    }
    let connection = dial(session, link, &target).await?;
    Ok(session.links.keep(link.id, &target.user_name, connection))
}

async fn dial(
    session: &mut Session,
    link: &LinkedServer,
    target: &Target,
) -> SqlResult<Connection> {
    let instance = Arc::clone(&session.instance);
    let limit = seconds(link.options.connect_timeout_seconds, LOGIN_TIMEOUT);
    let opening = Connection::open(&*instance.options.dial, target);
    let reason = match instance.clock.within(Some(limit), opening).await {
        Some(Ok(connection)) => return Ok(connection),
        Some(Err(Refusal::Refused(error))) => return Err(error),
        Some(Err(Refusal::Unreachable(reason))) => reason,
        None => "Login timeout expired".to_owned(),
    };
    provider_says(session, link, &reason).await;
    Err(messages::cannot_initialize_link(&link.provider, &link.name))
}

/// 7412, which comes before the error that follows from it.
async fn provider_says(session: &mut Session, link: &LinkedServer, reason: &str) {
    let mut message = messages::provider_message(&link.provider, &link.name, reason);
    message.class = 10;
    session.output.message(message).await;
}

fn target(session: &Session, link: &LinkedServer) -> SqlResult<Target> {
    let local = session.login().name.clone();
    let is_impersonating = !same(&local, &session.original_login.name);
    let logins = views::logins(&session.instance);
    let (user_name, password) = match mapping(logins.iter(), link.id, &local)? {
        Mapping::Itself if is_impersonating => {
            return Err(messages::impersonation_without_mapping());
        }
        Mapping::Itself => (local, session.links.password.clone()),
        Mapping::Remote(login) => (
            login.remote_name.clone().unwrap_or_default(),
            login.remote_password.clone().unwrap_or_default(),
        ),
    };
    Ok(Target {
        data_source: link.target().to_owned(),
        user_name,
        password,
        database: link.catalog.clone().filter(|catalog| !catalog.is_empty()),
        security: security(link, session.instance.options.version),
        program: link
            .provider_keyword("APP")
            .unwrap_or("Microsoft SQL Server")
            .to_owned(),
    })
}

/// Joins the other host to the open transaction, unless the link says not to. A host that has
/// joined before is called over the connection by which it joined.
async fn enlist(
    session: &mut Session,
    link: &LinkedServer,
    connection: SharedConnection,
) -> SqlResult<SharedConnection> {
    let is_open = session.transaction_count() > 0;
    let Some(transaction) = session.transaction.as_mut().filter(|_| is_open) else {
        return Ok(connection);
    };
    if !link.options.promotion {
        return Ok(connection);
    }
    let host_name = connection.lock().await.host_name().to_owned();
    if let Some(known) = transaction.branches.find(&host_name) {
        return Ok(known);
    }
    let own_name = session.instance.name();
    if same(&host_name, &own_name) {
        return Err(messages::transaction_context_in_use());
    }
    if session.instance.faults.dtc_is_off() {
        return Err(messages::dtc_unavailable(&own_name));
    }
    // A host called by a part of the transaction asks the root as well: the part may lose what it
    // knew of those below it.
    let root = transaction.coordinator.clone();
    let root = root.unwrap_or_else(|| dtc::coordinator(&session.instance));
    let begin = format!(
        "EXEC sp_sim_dtc_begin '{}', {}",
        transaction.gtrid,
        text(&root)
    );
    let joined = connection.lock().await.run(&begin).await;
    if joined.is_ok() {
        transaction
            .branches
            .add(&host_name, Arc::clone(&connection));
        return Ok(connection);
    }
    let reason = "The partner transaction manager has disabled its support for \
                  remote/network transactions.";
    provider_says(session, link, reason).await;
    Err(messages::cannot_begin_distributed(
        &link.provider,
        &link.name,
    ))
}

/// A link by name, 7202 without one.
pub fn find(instance: &Instance, server: &str) -> SqlResult<LinkedServer> {
    let all = views::servers(instance);
    let found = all.into_iter().find(|link| same(&link.name, server));
    found.ok_or_else(|| messages::server_not_found(server))
}

/// A time-out of a link; 0 is the instance's default.
fn seconds(given: i32, default: Duration) -> Duration {
    let given = Duration::from_secs(u64::try_from(given).unwrap_or_default());
    if given.is_zero() { default } else { given }
}

/// Up to 2022 encryption of links is optional; from 2025 it is mandatory and the certificate is
/// verified unless the provider string says otherwise.
fn security(link: &LinkedServer, version: Version) -> Security {
    let wish = link.provider_keyword("Encrypt").map(str::to_lowercase);
    let is_encrypted = match wish.as_deref() {
        Some("yes" | "true" | "mandatory" | "strict") => true,
        Some(_) => false,
        None => version >= Version::V2025,
    };
    let trust = link
        .provider_keyword("TrustServerCertificate")
        .map(str::to_lowercase);
    let is_trusting = matches!(trust.as_deref(), Some("yes" | "true"));
    match (is_encrypted, is_trusting) {
        (false, _) => Security::LoginOnly,
        (true, true) => Security::Trusting,
        (true, false) => {
            let name = link.provider_keyword("HostNameInCertificate");
            Security::Verified {
                host_name: name.map_or_else(|| host_of(link), str::to_owned),
            }
        }
    }
}

/// The host's name within a data source: without `tcp:`, instance and port.
fn host_of(link: &LinkedServer) -> String {
    let target = link.target();
    let plain = target.strip_prefix("tcp:").unwrap_or(target);
    plain
        .split([',', '\\'])
        .next()
        .unwrap_or(plain)
        .trim()
        .to_owned()
}

fn is_max(ty: Option<SqlType>) -> bool {
    matches!(
        ty,
        Some(SqlType::NVarChar(None) | SqlType::VarChar(None) | SqlType::VarBinary(None))
    )
}

/// The batch that calls a procedure there and tells its status and outputs in a last result set.
fn call_text(name: &ObjectName, arguments: &[Argument]) -> String {
    let mut declarations = String::from("DECLARE @sqlsim_status int;");
    let (mut words, mut outputs) = (Vec::new(), String::new());
    for (position, argument) in arguments.iter().enumerate() {
        let prefix = argument
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!("{name} = "));
        let Some(value) = &argument.value else {
            words.push(format!("{prefix}DEFAULT"));
            continue;
        };
        if !argument.output {
            words.push(format!("{prefix}{}", literal(value)));
            continue;
        }
        let ty = argument.ty.unwrap_or_else(|| SqlType::of_literal(value));
        let variable = format!("@sqlsim_{position}");
        let initial = typed(value, ty);
        declarations.extend([
            " DECLARE ",
            &variable,
            " ",
            &ty.to_string(),
            " = ",
            &initial,
            ";",
        ]);
        words.push(format!("{prefix}{variable} OUTPUT"));
        outputs += ", ";
        outputs += &variable;
    }
    format!(
        "{declarations} EXEC @sqlsim_status = {} {}; SELECT @sqlsim_status AS [{STATUS}]{outputs};",
        remote_name(name),
        words.join(", ")
    )
}

fn returned(answer: &Rows, arguments: &[Argument]) -> Returned {
    let mut cells = answer.rows.first().into_iter().flatten().cloned();
    let status = cells.next().and_then(|status| status.as_int());
    let status = status
        .and_then(|status| i32::try_from(status).ok())
        .unwrap_or_default();
    let wanted = arguments
        .iter()
        .enumerate()
        .filter(|(_, a)| a.output && a.value.is_some());
    let output = |((position, argument), value): ((usize, &Argument), Value)| {
        let ty = argument.ty.unwrap_or_else(|| SqlType::of_literal(&value));
        (position, Typed { ty, value })
    };
    Returned {
        status,
        outputs: wanted.zip(cells).map(output).collect(),
    }
}

/// The name without its server, each part in brackets.
fn remote_name(name: &ObjectName) -> String {
    let database = name.database.as_deref().map(quote);
    let schema = name.schema.as_deref().map(quote);
    match (database, schema) {
        (Some(database), schema) => {
            format!(
                "{database}.{}.{}",
                schema.unwrap_or_default(),
                quote(&name.name)
            )
        }
        (None, Some(schema)) => format!("{schema}.{}", quote(&name.name)),
        (None, None) => quote(&name.name),
    }
}

fn remote_table(link: &LinkedServer, name: &ObjectName) -> SqlResult<String> {
    if name.schema.is_none() {
        return Err(link_messages::invalid_schema(&link.provider, &link.name));
    }
    Ok(remote_name(name))
}

/// To the client a missing table is 7314, whatever the other host calls it.
fn no_table(link: &LinkedServer, name: &ObjectName, error: SqlError) -> SqlError {
    if !matches!(error.number, 208 | 229 | 911 | 916) {
        return error;
    }
    let table = remote_name(name).replace(['[', ']'], "\"");
    messages::remote_table_not_found(&link.provider, &link.name, &table)
}

/// Puts arguments in the places of question marks outside of quotes and comments.
fn with_arguments(sql: &str, arguments: &[Value]) -> String {
    let mut values = arguments.iter();
    let mut out = String::with_capacity(sql.len());
    let mut quoted: Option<char> = None;
    for letter in sql.chars() {
        match (quoted, letter) {
            (None, '?') => match values.next() {
                Some(value) => out.push_str(&literal(value)),
                None => out.push(letter),
            },
            (None, '\'' | '"' | '[') => {
                quoted = Some(if letter == '[' { ']' } else { letter });
                out.push(letter);
            }
            (Some(end), _) if letter == end => {
                quoted = None;
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests;
