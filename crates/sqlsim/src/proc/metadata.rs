//! Functions about names, rights and the running session: `DB_ID`, `OBJECT_ID`,
//! `HAS_PERMS_BY_NAME`, `ERROR_NUMBER`, ...
//!
//! Start at [`value`]. What SQL Server answers NULL for, so does this file.

use std::sync::Arc;

use crate::catalog::schema::StoredObject;
use crate::error::{SqlError, SqlResult};
use crate::instance::{DatabaseHandle, LockName, LockOwner};
use crate::lang;
use crate::messages;
use crate::session::{Scope, text_of};
use crate::value::{Column, Row, Rows, SqlType, Typed, Value};

/// The value of a function of this file; none when there is none of this name.
pub(super) fn value(scope: &Scope<'_>, name: &str, arguments: &[Typed]) -> Option<Typed> {
    let arguments = Arguments { list: arguments };
    principal(scope, name, &arguments)
        .or_else(|| object(scope, name, &arguments))
        .or_else(|| running(scope, name, &arguments))
}

/// Arguments, read as text or number.
struct Arguments<'a> {
    list: &'a [Typed],
}

impl Arguments<'_> {
    fn text(&self, at: usize) -> Option<String> {
        self.list.get(at).and_then(|a| text_of(&a.value))
    }

    fn number(&self, at: usize) -> Option<i64> {
        self.list
            .get(at)
            .and_then(|a| crate::session::integer_of(&a.value).ok())
    }

    fn is_given(&self, at: usize) -> bool {
        self.list.len() > at
    }
}

fn name_of(name: Option<String>) -> Typed {
    Typed::new(SqlType::SYSNAME, name)
}

fn number_of<N: Into<i64>>(number: Option<N>) -> Typed {
    Typed::new(SqlType::Int, number.map(Into::into))
}

fn principal(scope: &Scope<'_>, name: &str, arguments: &Arguments<'_>) -> Option<Typed> {
    let session = scope.session;
    let database = &scope.database;
    Some(match name {
        "suser_sname" | "suser_name" | "system_user" if !arguments.is_given(0) => {
            Typed::sysname(session.login().name.as_str())
        }
        "suser_sname" => {
            let sid = match arguments.list.first().map(|a| &a.value) {
                Some(Value::Binary(sid)) => session.instance.login_by_sid(sid),
                _ => None,
            };
            name_of(sid.map(|login| login.name.clone()))
        }
        "suser_name" => {
            let id = arguments.number(0);
            let mut logins = session.instance.logins().into_iter();
            name_of(logins.find(|l| Some(i64::from(l.id)) == id).map(|l| l.name))
        }
        "suser_sid" => {
            let name = arguments
                .text(0)
                .unwrap_or_else(|| session.login().name.clone());
            let sid = session
                .instance
                .login(&name)
                .map(|l| Value::Binary(l.sid.clone()));
            Typed {
                ty: SqlType::VarBinary(Some(85)),
                value: sid.unwrap_or(Value::Null),
            }
        }
        "suser_id" => {
            let name = arguments
                .text(0)
                .unwrap_or_else(|| session.login().name.clone());
            number_of(session.instance.login(&name).map(|l| l.id))
        }
        "original_login" => Typed::sysname(session.original_login.name.as_str()),
        "user_name" | "current_user" | "session_user" | "user" => match arguments.number(0) {
            Some(id) => {
                let schema = session.schema_of(database);
                let id = i32::try_from(id).unwrap_or_default();
                name_of(schema.principal_by_id(id).map(|p| p.name.clone()))
            }
            None => name_of(session.user_name(database)),
        },
        "user_id" | "database_principal_id" => {
            let name = arguments.text(0).or_else(|| session.user_name(database));
            let schema = session.schema_of(database);
            number_of(name.and_then(|name| schema.principal(&name).map(|p| p.id)))
        }
        "is_srvrolemember" => is_server_role_member(scope, arguments),
        "is_member" | "is_rolemember" => {
            let role = arguments.text(0).unwrap_or_default();
            number_of(session.is_in_database_role(database, &role).map(i64::from))
        }
        "has_dbaccess" => {
            let database = session
                .instance
                .database(&arguments.text(0).unwrap_or_default());
            number_of(database.map(|db| i64::from(session.require_access(&db).is_ok())))
        }
        "has_perms_by_name" => has_permission(scope, arguments),
        _ => return None,
    })
}

fn is_server_role_member(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Typed {
    let role = arguments.text(0).unwrap_or_default();
    if !crate::instance::SERVER_ROLES.contains(&role.to_lowercase().as_str()) && role != "public" {
        return Typed::null(SqlType::Int);
    }
    let login = match arguments.text(1) {
        Some(name) => scope.session.instance.login(&name),
        None => Some(Arc::clone(scope.session.login())),
    };
    number_of(login.map(|login| i64::from(login.is_in_role(&role))))
}

fn has_permission(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Typed {
    let session = scope.session;
    let permission = arguments.text(2).unwrap_or_default().to_uppercase();
    let securable = arguments.text(0);
    let class = arguments.text(1).map(|class| class.to_uppercase());
    let held = match (class.as_deref(), securable) {
        (None | Some("SERVER"), None) => Some(session.has_server(&permission)),
        (Some("DATABASE"), name) => {
            let database = name.map_or(Some(Arc::clone(&scope.database)), |name| {
                session.instance.database(unquoted(&name).as_str())
            });
            database.map(|db| session.has_in_database(&db, &permission))
        }
        (Some("OBJECT"), Some(name)) => {
            found(scope, &name).map(|(db, object)| session.has_on_object(&db, &object, &permission))
        }
        (Some("LOGIN"), Some(_)) => Some(session.has_server("ALTER ANY LOGIN")),
        _ => None,
    };
    number_of(held.map(i64::from))
}

fn unquoted(name: &str) -> String {
    lang::parse_object_name(name).map_or_else(|_| name.to_owned(), |parsed| parsed.name)
}

fn found(scope: &Scope<'_>, name: &str) -> Option<(Arc<DatabaseHandle>, StoredObject)> {
    let name = lang::parse_object_name(name).ok()?;
    let database = match &name.database {
        Some(other) => scope.session.database_named(Some(other)).ok()?,
        None => Arc::clone(&scope.database),
    };
    let object = scope
        .session
        .find_object(&database, name.schema.as_deref(), &name.name)?;
    Some((database, object))
}

fn object(scope: &Scope<'_>, name: &str, arguments: &Arguments<'_>) -> Option<Typed> {
    let session = scope.session;
    Some(match name {
        "db_name" => match arguments.number(0) {
            None if arguments.is_given(0) => name_of(None),
            None => Typed::sysname(scope.database.name()),
            Some(id) => {
                let mut all = session.instance.databases().into_iter();
                name_of(all.find(|db| i64::from(db.id()) == id).map(|db| db.name()))
            }
        },
        "db_id" => {
            let database = match arguments.text(0) {
                Some(name) => session.instance.database(&name),
                None if arguments.is_given(0) => None,
                None => Some(Arc::clone(&scope.database)),
            };
            number_of(database.map(|db| db.id()))
        }
        "object_id" => object_id(scope, arguments),
        "object_name" | "object_schema_name" => {
            let id = arguments.number(0).and_then(|id| u32::try_from(id).ok());
            let database = match arguments.number(1) {
                Some(id) => {
                    let mut all = session.instance.databases().into_iter();
                    all.find(|db| i64::from(db.id()) == id)
                }
                None => Some(Arc::clone(&scope.database)),
            };
            let object = database
                .zip(id)
                .and_then(|(db, id)| session.schema_of(&db).object_by_id(id));
            name_of(object.map(|o| {
                let o = &o.object;
                if name == "object_name" {
                    o.name.clone()
                } else {
                    o.schema.clone()
                }
            }))
        }
        "schema_id" => {
            let name = arguments.text(0).unwrap_or_else(|| "dbo".to_owned());
            number_of(session.schema_of(&scope.database).schema_id(&name))
        }
        "schema_name" => {
            let id = arguments.number(0).unwrap_or(1);
            let schemas = session.schema_of(&scope.database).all_schemas();
            let found = schemas
                .into_iter()
                .find(|(known, _)| i64::from(*known) == id);
            name_of(found.map(|(_, name)| name))
        }
        "col_length" => {
            let table = arguments.text(0).and_then(|name| found(scope, &name));
            let shape = table.and_then(|(_, object)| object.shape().ok());
            let column = arguments.text(1).unwrap_or_default();
            let found = shape.and_then(|s| s.position(&column).map(|at| s.columns[at].ty));
            number_of(found.map(crate::catalog::views::length_bytes))
        }
        "ident_current" => {
            let table = arguments.text(0).and_then(|name| found(scope, &name));
            let counter = table.and_then(|(db, o)| db.storage().counter(o.object.table_id()));
            number_of(counter)
        }
        _ => return None,
    })
}

fn object_id(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Typed {
    let name = arguments.text(0).unwrap_or_default();
    if let Some(temporary) = name.rsplit('.').next().filter(|n| n.starts_with('#')) {
        let is_there = scope
            .session
            .temporary
            .contains_key(&temporary.to_lowercase());
        return number_of(is_there.then_some(-1_i64));
    }
    let wanted = arguments.text(1).map(|ty| ty.trim().to_uppercase());
    let object = found(scope, &name).filter(|(_, object)| {
        let code = object.object.kind.code().trim();
        wanted.as_deref().is_none_or(|wanted| wanted == code)
    });
    number_of(object.map(|(_, object)| i64::from(object.object.id)))
}

fn running(scope: &Scope<'_>, name: &str, arguments: &Arguments<'_>) -> Option<Typed> {
    let session = scope.session;
    let caught = session
        .frames
        .iter()
        .rev()
        .find_map(|frame| frame.caught.last());
    let error = |read: fn(&SqlError) -> Value, ty: SqlType| Typed {
        ty,
        value: caught.map_or(Value::Null, read),
    };
    Some(match name {
        "error_number" => error(|e| Value::Int(e.number.into()), SqlType::Int),
        "error_severity" => error(|e| Value::Int(e.class.into()), SqlType::Int),
        "error_state" => error(|e| Value::Int(e.state.into()), SqlType::Int),
        "error_line" => error(|e| Value::Int(e.line.into()), SqlType::Int),
        "error_message" => error(
            |e| Value::text(e.text.clone()),
            SqlType::NVarChar(Some(4000)),
        ),
        "error_procedure" => error(|e| e.procedure.clone().into(), SqlType::SYSNAME),
        "xact_state" => {
            let state = match &session.transaction {
                Some(t) if t.doomed => -1,
                Some(t) if t.count > 0 => 1,
                _ => 0_i64,
            };
            Typed::new(SqlType::SmallInt, state)
        }
        "scope_identity" => {
            let ty = SqlType::Decimal {
                precision: 38,
                scale: 0,
            };
            Typed {
                ty,
                value: session.last.identity.map_or(Value::Null, Value::Int),
            }
        }
        "rowcount_big" => {
            let rows = i64::try_from(session.last.rows).unwrap_or(i64::MAX);
            Typed::new(SqlType::BigInt, rows)
        }
        "app_name" | "program_name" => Typed::sysname(session.record.program_name.as_str()),
        "host_name" => Typed::sysname(session.record.host_name.as_str()),
        "host_id" => Typed::sysname(std::process::id().to_string()),
        "current_transaction_id" => {
            let id = session
                .transaction
                .as_ref()
                .map(|t| i64::try_from(t.id.0).unwrap_or_default());
            Typed::new(SqlType::BigInt, id)
        }
        "cursor_status" => Typed::new(SqlType::SmallInt, cursor_status(scope, arguments)),
        "applock_mode" => applock_mode(scope, arguments),
        "applock_test" => Typed::new(SqlType::SmallInt, 1_i64),
        "context_info" => Typed::null(SqlType::VarBinary(Some(128))),
        _ => return None,
    })
}

fn cursor_status(scope: &Scope<'_>, arguments: &Arguments<'_>) -> i64 {
    let name = arguments.text(1).unwrap_or_default().to_lowercase();
    let mut frames = scope.session.frames.iter().rev();
    match frames.find_map(|frame| frame.cursors.get(&name)) {
        None => -3,
        Some(cursor) => match &cursor.open {
            None => -1,
            Some((rows, _)) => i64::from(!rows.is_empty()),
        },
    }
}

fn applock_mode(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Typed {
    let session = scope.session;
    let resource = arguments.text(1).unwrap_or_default();
    let name = LockName {
        database: scope.database.id(),
        resource,
    };
    let is_session = arguments
        .text(2)
        .is_some_and(|o| o.eq_ignore_ascii_case("session"));
    let owner = match &session.transaction {
        Some(t) if !is_session => LockOwner::Transaction(t.id),
        _ => LockOwner::Session(session.record.id),
    };
    let mode = session.instance.app_locks.mode(&name, owner);
    Typed::sysname(mode.map_or_else(|| "NoLock".to_owned(), |mode| format!("{mode:?}")))
}

/// `sys.dm_os_volume_stats`: one volume holds everything, as on Linux it is not said where it is mounted.
pub(super) fn volume_stats(scope: &Scope<'_>, arguments: &[Typed]) -> SqlResult<Rows> {
    let session = scope.session;
    if !session.has_server("VIEW SERVER STATE") {
        let (right, server) = ("VIEW SERVER STATE", "server");
        return Err(messages::permission_denied(right, server, "master"));
    }
    let number = |at: usize| arguments.get(at).and_then(|given| given.value.as_int());
    let databases = session.instance.databases();
    let has = |id: i64| databases.iter().any(|db| i64::from(db.id()) == id);
    let free = session.instance.options.free_bytes;
    let row = match (number(0), number(1)) {
        (Some(database), Some(file @ 1..=2)) if has(database) => Some(vec![
            database.into(),
            file.into(),
            Value::Null,
            Value::from(i64::try_from(free).unwrap_or(i64::MAX)),
        ]),
        _ => None,
    };
    Ok(Rows {
        columns: vec![
            Column::new("database_id", SqlType::Int),
            Column::new("file_id", SqlType::Int),
            Column::new("volume_mount_point", SqlType::NVarChar(Some(256))),
            Column::new("available_bytes", SqlType::BigInt),
        ],
        rows: row.into_iter().collect(),
    })
}

/// `sys.fn_my_permissions`: what the login may do on the server or in a database.
pub(super) fn my_permissions(scope: &Scope<'_>, arguments: &[Typed]) -> Rows {
    let arguments = Arguments { list: arguments };
    let session = scope.session;
    let class = arguments.text(1).unwrap_or_default().to_uppercase();
    let held: Vec<&str> = match class.as_str() {
        "SERVER" => SERVER
            .into_iter()
            .filter(|p| session.has_server(p))
            .collect(),
        "DATABASE" => {
            let name = arguments.text(0).map(|name| unquoted(&name));
            let database = name.map_or(Some(Arc::clone(&scope.database)), |name| {
                session.instance.database(&name)
            });
            database.map_or_else(Vec::new, |db| {
                DATABASE
                    .into_iter()
                    .filter(|p| session.has_in_database(&db, p))
                    .collect()
            })
        }
        _ => match arguments.text(0).and_then(|name| found(scope, &name)) {
            Some((db, object)) => OBJECT
                .into_iter()
                .filter(|p| session.has_on_object(&db, &object, p))
                .collect(),
            None => Vec::new(),
        },
    };
    let entity = if class.is_empty() {
        "OBJECT".to_owned()
    } else {
        class
    };
    let row = |permission: &str| -> Row {
        vec![
            Value::text(entity.to_lowercase()),
            Value::text(""),
            Value::text(permission),
        ]
    };
    let column = |name| Column::required(name, SqlType::SYSNAME);
    Rows {
        columns: vec![
            column("entity_name"),
            column("subentity_name"),
            column("permission_name"),
        ],
        rows: held.into_iter().map(row).collect(),
    }
}

const SERVER: [&str; 11] = [
    "CONNECT SQL",
    "CONTROL SERVER",
    "ALTER ANY LINKED SERVER",
    "ALTER ANY LOGIN",
    "ALTER ANY DATABASE",
    "ALTER ANY CONNECTION",
    "ALTER SETTINGS",
    "CREATE ANY DATABASE",
    "VIEW ANY DATABASE",
    "VIEW ANY DEFINITION",
    "VIEW SERVER STATE",
];

const DATABASE: [&str; 14] = [
    "ALTER",
    "ALTER ANY ROLE",
    "ALTER ANY USER",
    "BACKUP DATABASE",
    "BACKUP LOG",
    "CONTROL",
    "CREATE PROCEDURE",
    "CREATE SCHEMA",
    "CREATE TABLE",
    "CREATE VIEW",
    "DELETE",
    "EXECUTE",
    "INSERT",
    "SELECT",
];

const OBJECT: [&str; 7] = [
    "ALTER", "CONTROL", "DELETE", "EXECUTE", "INSERT", "SELECT", "UPDATE",
];
