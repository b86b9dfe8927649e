//! The server as it runs: sessions, requests, connections, configuration, links.
//!
//! Start at [`VIEWS`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "all views are made by functions of one type"
)]

use std::sync::Arc;

use super::{DESC, MadeView, SystemView, ViewContext, bit};
use crate::error::SqlResult;
use crate::instance::SessionRecord;
use crate::link;
use crate::messages;
use crate::proc::administration::{SETTINGS, setting};
use crate::value::compare::same_name;
use crate::value::{Row, Rows, SqlType, Value};

/// The views of this file.
pub(super) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "dm_exec_sessions",
        columns: SESSIONS,
        rows: sessions,
    },
    SystemView {
        schema: "sys",
        name: "dm_exec_requests",
        columns: REQUESTS,
        rows: requests,
    },
    SystemView {
        schema: "sys",
        name: "dm_exec_connections",
        columns: CONNECTIONS,
        rows: connections,
    },
    SystemView {
        schema: "sys",
        name: "configurations",
        columns: CONFIGURATIONS,
        rows: configurations,
    },
    SystemView {
        schema: "sys",
        name: "dm_os_sys_info",
        columns: SYSTEM_INFO,
        rows: system_info,
    },
    SystemView {
        schema: "sys",
        name: "dm_tran_active_transactions",
        columns: ACTIVE_TRANSACTIONS,
        rows: active_transactions,
    },
    SystemView {
        schema: "sys",
        name: "dm_tran_locks",
        columns: LOCKS,
        rows: locks,
    },
];

/// Views that other rooms make.
pub(super) const MADE: &[MadeView] = &[
    ("sys", "servers", servers),
    ("sys", "linked_logins", linked_logins),
];

const SESSIONS: &[(&str, SqlType)] = &[
    ("session_id", SqlType::SmallInt),
    ("login_time", SqlType::DateTime),
    ("host_name", SqlType::SYSNAME),
    ("program_name", SqlType::SYSNAME),
    ("login_name", SqlType::SYSNAME),
    ("original_login_name", SqlType::SYSNAME),
    ("status", SqlType::NVarChar(Some(30))),
    ("database_id", SqlType::SmallInt),
    ("open_transaction_count", SqlType::Int),
    ("is_user_process", SqlType::Bit),
];

/// Without VIEW SERVER STATE a login sees its own session only.
fn seen(context: &ViewContext<'_>) -> Vec<Arc<SessionRecord>> {
    let may_see_all = context.session.has_server("VIEW SERVER STATE");
    let own = context.session.record.id;
    let all = context.instance.sessions.list().into_iter();
    all.filter(|session| may_see_all || session.id == own)
        .collect()
}

fn sessions(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |session: Arc<SessionRecord>| {
        let now = session.activity();
        let status = if now.request.is_some() {
            "running"
        } else {
            "sleeping"
        };
        vec![
            i64::from(session.id).into(),
            session.login_time.into(),
            Value::text(session.host_name.clone()),
            Value::text(session.program_name.clone()),
            Value::text(session.login_name.clone()),
            Value::text(session.login_name.clone()),
            Value::text(status),
            now.database.into(),
            i64::from(now.transactions).into(),
            bit(true),
        ]
    };
    Ok(seen(context).into_iter().map(row).collect())
}

const REQUESTS: &[(&str, SqlType)] = &[
    ("session_id", SqlType::SmallInt),
    ("request_id", SqlType::Int),
    ("start_time", SqlType::DateTime),
    ("status", SqlType::NVarChar(Some(30))),
    ("command", SqlType::NVarChar(Some(32))),
    ("sql_handle", SqlType::NVarChar(None)),
    ("database_id", SqlType::SmallInt),
    ("user_id", SqlType::Int),
    ("blocking_session_id", SqlType::SmallInt),
    ("wait_type", DESC),
    ("wait_time", SqlType::Int),
    ("last_wait_type", DESC),
    ("open_transaction_count", SqlType::Int),
    ("percent_complete", SqlType::Float),
    ("estimated_completion_time", SqlType::BigInt),
    ("total_elapsed_time", SqlType::Int),
    ("cpu_time", SqlType::Int),
    ("reads", SqlType::BigInt),
    ("writes", SqlType::BigInt),
    ("logical_reads", SqlType::BigInt),
];

fn requests(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let local = context.instance.clock.local();
    let row = |session: Arc<SessionRecord>| {
        let now = session.activity();
        let request = now.request?;
        let elapsed = local.duration_since(request.started).as_millis();
        let elapsed = i64::try_from(elapsed).unwrap_or_default();
        let wait = if request.command.starts_with("BACKUP") {
            Some("BACKUPIO")
        } else {
            None
        };
        Some(vec![
            i64::from(session.id).into(),
            0.into(),
            request.started.into(),
            Value::text("running"),
            Value::text(request.command),
            Value::text(request.text),
            now.database.into(),
            1.into(),
            0.into(),
            wait.into(),
            0.into(),
            Value::text(wait.unwrap_or("MISCELLANEOUS")),
            i64::from(now.transactions).into(),
            Value::Float(request.percent),
            0.into(),
            elapsed.into(),
            0.into(),
            0.into(),
            0.into(),
            0.into(),
        ])
    };
    Ok(seen(context).into_iter().filter_map(row).collect())
}

const CONNECTIONS: &[(&str, SqlType)] = &[
    ("session_id", SqlType::Int),
    ("connect_time", SqlType::DateTime),
    ("net_transport", SqlType::NVarChar(Some(40))),
    ("protocol_type", SqlType::NVarChar(Some(40))),
    ("encrypt_option", SqlType::NVarChar(Some(40))),
    ("auth_scheme", SqlType::NVarChar(Some(40))),
    ("client_net_address", SqlType::VarChar(Some(48))),
    ("net_packet_size", SqlType::Int),
];

fn connections(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |session: Arc<SessionRecord>| {
        vec![
            i64::from(session.id).into(),
            session.login_time.into(),
            Value::text("TCP"),
            Value::text("TSQL"),
            Value::text(if session.encrypted { "TRUE" } else { "FALSE" }),
            Value::text("SQL"),
            Value::text("127.0.0.1"),
            i64::try_from(session.packet_bytes).unwrap_or(0).into(),
        ]
    };
    Ok(seen(context).into_iter().map(row).collect())
}

const CONFIGURATIONS: &[(&str, SqlType)] = &[
    ("configuration_id", SqlType::Int),
    ("name", SqlType::NVarChar(Some(35))),
    ("value", SqlType::Int),
    ("minimum", SqlType::Int),
    ("maximum", SqlType::Int),
    ("value_in_use", SqlType::Int),
    ("description", SqlType::NVarChar(Some(255))),
    ("is_dynamic", SqlType::Bit),
    ("is_advanced", SqlType::Bit),
];

fn configurations(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row =
        |(id, name, default, least, most, is_advanced): &crate::proc::administration::Setting| {
            let value = setting(context.instance, name).unwrap_or(*default);
            vec![
                (*id).into(),
                Value::text(*name),
                value.into(),
                (*least).into(),
                (*most).into(),
                value.into(),
                Value::text(*name),
                bit(true),
                bit(*is_advanced),
            ]
        };
    Ok(SETTINGS.iter().map(row).collect())
}

const SYSTEM_INFO: &[(&str, SqlType)] = &[
    ("cpu_count", SqlType::Int),
    ("sqlserver_start_time", SqlType::DateTime),
];

fn system_info(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    if !context.session.has_server("VIEW SERVER STATE") {
        return Err(messages::permission_denied(
            "VIEW SERVER STATE",
            "server",
            "master",
        ));
    }
    let started = context
        .instance
        .database("tempdb")
        .map(|db| db.storage().facts().created);
    Ok(vec![vec![2.into(), started.into()]])
}

const ACTIVE_TRANSACTIONS: &[(&str, SqlType)] = &[
    ("transaction_id", SqlType::BigInt),
    ("name", SqlType::NVarChar(Some(32))),
    ("transaction_type", SqlType::Int),
    ("transaction_state", SqlType::Int),
];

/// One row a session with an open transaction; one without a name is called `user_transaction`.
fn active_transactions(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |session: Arc<SessionRecord>| {
        let now = session.activity();
        let name = now.transaction_name;
        (now.transactions > 0).then(|| {
            vec![
                i64::from(session.id).into(),
                Value::text(name.unwrap_or_else(|| "user_transaction".to_owned())),
                1.into(),
                2.into(),
            ]
        })
    };
    Ok(seen(context).into_iter().filter_map(row).collect())
}

const LOCKS: &[(&str, SqlType)] = &[
    ("resource_type", DESC),
    ("resource_database_id", SqlType::Int),
    ("request_session_id", SqlType::Int),
    ("request_mode", DESC),
    ("request_owner_guid", SqlType::UniqueIdentifier),
];

/// Transactions in doubt belong to session -2, as SQL Server shows them.
fn locks(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for db in context.instance.databases() {
        for doubt in db.storage().in_doubt() {
            if doubt.tx.is_none() {
                let (database, spid) = (db.id().into(), (-2).into());
                rows.push(vec![
                    Value::text("DATABASE"),
                    database,
                    spid,
                    Value::text("S"),
                    Value::Guid(doubt.info.gtrid),
                ]);
            }
        }
    }
    Ok(rows)
}

fn servers(context: &ViewContext<'_>) -> SqlResult<Rows> {
    let shows = context.session.has_server("ALTER ANY LINKED SERVER");
    let logins = link::views::logins(context.instance);
    let own = &context.session.login().name;
    let may_see = |server: &link::LinkedServer| {
        let maps = |l: &link::LinkedLogin| {
            l.server_id == server.id
                && l.local_login
                    .as_ref()
                    .is_none_or(|name| same_name(name, own))
        };
        shows || logins.iter().any(maps)
    };
    Ok(link::views::sys_servers(context.instance, shows, &may_see))
}

fn linked_logins(context: &ViewContext<'_>) -> SqlResult<Rows> {
    let principal = |name: &str| context.instance.login(name).map_or(0, |login| login.id);
    Ok(link::views::sys_linked_logins(context.instance, &principal))
}
