//! Built-in functions that need an instance: metadata, rights, the clock, the running error.
//!
//! Start at [`value`]. Functions that only compute stand in `query/`.

use crate::availability;
use crate::error::SqlResult;
use crate::events;
use crate::instance::estate;
use crate::lang::ast::ObjectName;
use crate::messages;
use crate::session::{Scope, text_of};
use crate::value::{Column, Rows, SqlType, Typed, Value};

use super::{metadata, properties};

/// The value of a built-in function; none when there is none of this name.
pub(crate) fn value(
    scope: &Scope<'_>,
    name: &ObjectName,
    arguments: &[Typed],
) -> Option<SqlResult<Typed>> {
    let lower = name.name.to_lowercase();
    match name.schema.as_deref() {
        None => plain(scope, &lower, arguments),
        Some(schema) if schema.eq_ignore_ascii_case("sys") => {
            in_sys(scope, &lower, arguments).map(Ok)
        }
        Some(_) => None,
    }
}

/// The rows of a built-in table-valued function; 208 when there is none of this name.
pub(crate) fn rows(scope: &Scope<'_>, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Rows> {
    match name.name.to_lowercase().as_str() {
        "fn_my_permissions" => Ok(metadata::my_permissions(scope, arguments)),
        "dm_os_volume_stats" => metadata::volume_stats(scope, arguments),
        "fn_xe_file_target_read_file" => events::read_file_target(scope, arguments),
        "fn_backup_db_config" => Ok(estate::managed_backups(&scope.session.instance)),
        "fn_helpcollations" => Ok(Rows {
            columns: vec![Column::required("name", SqlType::SYSNAME)],
            rows: vec![vec![Value::text(crate::instance::COLLATION)]],
        }),
        "dm_exec_sql_text" => Ok(Rows {
            columns: vec![Column::new("text", SqlType::NVarChar(None))],
            rows: vec![
                arguments
                    .first()
                    .map(|a| vec![a.value.clone()])
                    .unwrap_or_default(),
            ],
        }),
        _ => Err(messages::invalid_object(&name.to_string())),
    }
}

fn plain(scope: &Scope<'_>, name: &str, arguments: &[Typed]) -> Option<SqlResult<Typed>> {
    let clock = &scope.session.instance.clock;
    Some(Ok(match name {
        "getdate" | "current_timestamp" => Typed {
            ty: SqlType::DateTime,
            value: Value::DateTime(milliseconds(clock.local())),
        },
        "getutcdate" => Typed {
            ty: SqlType::DateTime,
            value: Value::DateTime(milliseconds(clock.utc())),
        },
        "sysdatetime" => Typed::new(SqlType::DateTime2(7), clock.local()),
        "sysutcdatetime" => Typed::new(SqlType::DateTime2(7), clock.utc()),
        "sysdatetimeoffset" => {
            let offset_minutes = clock.offset_minutes();
            let value = Value::DateTimeOffset {
                utc: clock.utc(),
                offset_minutes,
            };
            Typed {
                ty: SqlType::DateTimeOffset(7),
                value,
            }
        }
        "newid" | "newsequentialid" => {
            Typed::new(SqlType::UniqueIdentifier, scope.session.instance.new_guid())
        }
        _ => {
            return metadata::value(scope, name, arguments)
                .or_else(|| properties::value(scope, name, arguments))
                .map(Ok)
                .or_else(|| in_sys(scope, name, arguments).map(Ok));
        }
    }))
}

fn in_sys(scope: &Scope<'_>, name: &str, arguments: &[Typed]) -> Option<Typed> {
    let database = || {
        arguments
            .first()
            .and_then(|a| text_of(&a.value))
            .unwrap_or_default()
    };
    match name {
        "fn_hadr_is_primary_replica" => {
            Some(availability::is_primary_replica(scope.session, &database()))
        }
        "fn_hadr_backup_is_preferred_replica" => Some(availability::is_preferred_replica(
            scope.session,
            &database(),
        )),
        "fn_varbintohexstr" => {
            let Some(Value::Binary(bytes)) = arguments.first().map(|a| &a.value) else {
                return Some(Typed::null(SqlType::NVarChar(None)));
            };
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
            let hex = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
            Some(Typed::text("0x".chars().chain(hex).collect::<String>()))
        }
        _ => None,
    }
}

/// `datetime` keeps no more than milliseconds.
fn milliseconds(time: jiff::civil::DateTime) -> jiff::civil::DateTime {
    let nanosecond = time.subsec_nanosecond() / 1_000_000 * 1_000_000;
    time.with()
        .subsec_nanosecond(nanosecond)
        .build()
        .unwrap_or(time)
}
