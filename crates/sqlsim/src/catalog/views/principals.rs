//! Principals and permissions: `sys.server_principals`, `sys.database_principals` and their kin.
//!
//! Start at [`VIEWS`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "all views are made by functions of one type"
)]

use super::{DESC, SystemView, ViewContext, bit};
use crate::catalog::principal::{Login, PrincipalKind, Securable};
use crate::error::SqlResult;
use crate::instance::SERVER_ROLES;
use crate::value::{Row, SqlType, Value};

/// The views of this file.
pub(super) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "server_principals",
        columns: SERVER_PRINCIPALS,
        rows: server_principals,
    },
    SystemView {
        schema: "sys",
        name: "sql_logins",
        columns: SERVER_PRINCIPALS,
        rows: logins,
    },
    SystemView {
        schema: "sys",
        name: "server_role_members",
        columns: MEMBERS,
        rows: server_members,
    },
    SystemView {
        schema: "sys",
        name: "server_permissions",
        columns: SERVER_PERMISSIONS,
        rows: server_permissions,
    },
    SystemView {
        schema: "sys",
        name: "database_principals",
        columns: DATABASE_PRINCIPALS,
        rows: database_principals,
    },
    SystemView {
        schema: "sys",
        name: "database_role_members",
        columns: MEMBERS,
        rows: database_members,
    },
    SystemView {
        schema: "sys",
        name: "database_permissions",
        columns: DATABASE_PERMISSIONS,
        rows: database_permissions,
    },
];

const SERVER_PRINCIPALS: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("principal_id", SqlType::Int),
    ("sid", SqlType::VarBinary(Some(85))),
    ("type", SqlType::Char(1)),
    ("type_desc", DESC),
    ("is_disabled", SqlType::Bit),
    ("create_date", SqlType::DateTime),
    ("modify_date", SqlType::DateTime),
    ("default_database_name", SqlType::SYSNAME),
    ("default_language_name", SqlType::SYSNAME),
    ("is_fixed_role", SqlType::Bit),
];

/// A login sees itself, and all others with the right to alter logins.
fn seen(context: &ViewContext<'_>) -> Vec<Login> {
    let may_see_all = context.session.has_server("VIEW ANY DEFINITION")
        || context.session.has_server("ALTER ANY LOGIN");
    let own = context.session.login().id;
    let all = context.instance.logins().into_iter();
    all.filter(|login| may_see_all || login.id == own || login.id == 1)
        .collect()
}

fn login_row(login: Login) -> Row {
    vec![
        Value::text(login.name),
        login.id.into(),
        Value::Binary(login.sid),
        Value::text("S"),
        Value::text("SQL_LOGIN"),
        bit(login.disabled),
        login.created.into(),
        login.modified.into(),
        Value::text(login.default_database),
        Value::text("us_english"),
        bit(false),
    ]
}

fn logins(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(seen(context).into_iter().map(login_row).collect())
}

/// `principal_id` of a fixed server role; `public` has 2.
fn role_id(at: usize) -> i64 {
    i64::try_from(at).unwrap_or_default() + 3
}

fn server_principals(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let made = context.instance.master().record().created;
    let role = |(at, name): (usize, &&str)| {
        vec![
            Value::text(*name),
            role_id(at).into(),
            Value::Null,
            Value::text("R"),
            Value::text("SERVER_ROLE"),
            bit(false),
            made.into(),
            made.into(),
            Value::Null,
            Value::Null,
            bit(true),
        ]
    };
    let roles = SERVER_ROLES.iter().enumerate().map(role);
    Ok(seen(context)
        .into_iter()
        .map(login_row)
        .chain(roles)
        .collect())
}

const MEMBERS: &[(&str, SqlType)] = &[
    ("role_principal_id", SqlType::Int),
    ("member_principal_id", SqlType::Int),
];

fn server_members(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for login in seen(context) {
        for role in &login.roles {
            if let Some(at) = SERVER_ROLES.iter().position(|known| known == role) {
                rows.push(vec![role_id(at).into(), login.id.into()]);
            }
        }
    }
    Ok(rows)
}

const SERVER_PERMISSIONS: &[(&str, SqlType)] = &[
    ("class", SqlType::TinyInt),
    ("class_desc", DESC),
    ("major_id", SqlType::Int),
    ("grantee_principal_id", SqlType::Int),
    ("permission_name", SqlType::SYSNAME),
    ("state", SqlType::Char(1)),
    ("state_desc", DESC),
];

fn server_permissions(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |login: &Login, permission: &String, is_denied: bool| {
        let (state, word) = if is_denied {
            ("D", "DENY")
        } else {
            ("G", "GRANT")
        };
        vec![
            100.into(),
            Value::text("SERVER"),
            0.into(),
            login.id.into(),
            Value::text(permission.as_str()),
            Value::text(state),
            Value::text(word),
        ]
    };
    let mut rows = Vec::new();
    for login in seen(context) {
        rows.extend(login.granted.iter().map(|p| row(&login, p, false)));
        rows.extend(login.denied.iter().map(|p| row(&login, p, true)));
    }
    Ok(rows)
}

const DATABASE_PRINCIPALS: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("principal_id", SqlType::Int),
    ("type", SqlType::Char(1)),
    ("type_desc", DESC),
    ("default_schema_name", SqlType::SYSNAME),
    ("sid", SqlType::VarBinary(Some(85))),
    ("is_fixed_role", SqlType::Bit),
    ("authentication_type_desc", DESC),
];

fn database_principals(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let schema = context.session.schema_of(&context.database);
    let row = |p: &crate::catalog::principal::DatabasePrincipal| {
        let (code, word, default) = match p.kind {
            PrincipalKind::User => ("S", "SQL_USER", Some("dbo")),
            PrincipalKind::Role => ("R", "DATABASE_ROLE", None),
        };
        let authentication = if p.sid.is_some() { "INSTANCE" } else { "NONE" };
        vec![
            Value::text(p.name.clone()),
            p.id.into(),
            Value::text(code),
            Value::text(word),
            default.into(),
            p.sid.clone().map_or(Value::Null, Value::Binary),
            bit(p.is_fixed_role),
            Value::text(authentication),
        ]
    };
    Ok(schema.principals.iter().map(|(_, p)| row(p)).collect())
}

fn database_members(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let schema = context.session.schema_of(&context.database);
    Ok(schema
        .members
        .iter()
        .map(|(_, m)| vec![m.role.into(), m.member.into()])
        .collect())
}

const DATABASE_PERMISSIONS: &[(&str, SqlType)] = &[
    ("class", SqlType::TinyInt),
    ("class_desc", DESC),
    ("major_id", SqlType::Int),
    ("minor_id", SqlType::Int),
    ("grantee_principal_id", SqlType::Int),
    ("grantor_principal_id", SqlType::Int),
    ("permission_name", SqlType::SYSNAME),
    ("state", SqlType::Char(1)),
    ("state_desc", DESC),
];

fn database_permissions(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let schema = context.session.schema_of(&context.database);
    let row = |p: &crate::catalog::principal::Permission| {
        let (class, word, id) = match &p.on {
            Securable::Database => (0, "DATABASE", 0),
            Securable::Object(id) => (1, "OBJECT_OR_COLUMN", i64::from(*id)),
            Securable::Schema(name) => (3, "SCHEMA", schema.schema_id(name).map_or(0, i64::from)),
        };
        let (state, state_word) = if p.denied {
            ("D", "DENY")
        } else {
            ("G", "GRANT")
        };
        vec![
            class.into(),
            Value::text(word),
            id.into(),
            0.into(),
            p.grantee.into(),
            1.into(),
            Value::text(p.permission.clone()),
            Value::text(state),
            Value::text(state_word),
        ]
    };
    Ok(schema.permissions.iter().map(|(_, p)| row(p)).collect())
}
