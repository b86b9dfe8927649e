//! Small administrative procedures: roles, configuration, and those that only show things.
//!
//! Start at [`PROCEDURES`]. Each is as small as its use here allows; what it does not do it
//! refuses.

use crate::catalog::record::{self, Record};
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::storage::TableId;
use crate::value::{Column, Rows, SqlType, Value};

/// The procedures of this file.
pub(super) static PROCEDURES: &[SystemProcedure] = &[
    SystemProcedure {
        name: "sp_addrolemember",
        parameters: &[
            Parameter::needed("@rolename"),
            Parameter::needed("@membername"),
        ],
        run: |session, call| Box::pin(change_member(session, call, true)),
    },
    SystemProcedure {
        name: "sp_droprolemember",
        parameters: &[
            Parameter::needed("@rolename"),
            Parameter::needed("@membername"),
        ],
        run: |session, call| Box::pin(change_member(session, call, false)),
    },
    SystemProcedure {
        name: "sp_configure",
        parameters: &[
            Parameter::optional("@configname"),
            Parameter::optional("@configvalue"),
        ],
        run: |session, call| Box::pin(configure(session, call)),
    },
    SystemProcedure {
        name: "sp_helptext",
        parameters: &[Parameter::needed("@objname")],
        run: |session, call| Box::pin(help_text(session, call)),
    },
];

/// A changed setting of `sp_configure`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Configured {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: i64,
}

impl Record for Configured {
    const TABLE: TableId = TableId(20);
}

/// A setting: its number, name, default, least and greatest value, and whether it is an advanced
/// one.
pub(crate) type Setting = (i32, &'static str, i64, i64, i64, bool);

/// The settings that `sp_configure` and `sys.configurations` know.
pub(crate) const SETTINGS: [Setting; 9] = [
    (117, "remote access", 1, 0, 1, false),
    (518, "show advanced options", 0, 0, 1, false),
    (
        1519,
        "remote login timeout (s)",
        10,
        0,
        i32::MAX as i64,
        false,
    ),
    (
        1520,
        "remote query timeout (s)",
        600,
        0,
        i32::MAX as i64,
        false,
    ),
    (
        1544,
        "max server memory (MB)",
        i32::MAX as i64,
        128,
        i32::MAX as i64,
        true,
    ),
    (1579, "backup compression default", 0, 0, 1, false),
    (1584, "backup checksum default", 0, 0, 1, false),
    (16385, "remote proc trans", 0, 0, 1, false),
    (16391, "Ad Hoc Distributed Queries", 0, 0, 1, true),
];

/// The value of a setting; none when there is no such setting.
pub(crate) fn setting(instance: &crate::instance::Instance, name: &str) -> Option<i64> {
    let known = SETTINGS.iter().find(|s| s.1.eq_ignore_ascii_case(name))?;
    let changed = record::all::<Configured>(&instance.master().storage(), None);
    let changed = changed.into_iter().find(|(_, c)| c.name == known.1);
    Some(changed.map_or(known.2, |(_, c)| c.value))
}

async fn change_member(session: &mut Session, call: Call, is_add: bool) -> SqlResult<(i32, Call)> {
    let (role, member) = (
        call.needed_text("@rolename")?,
        call.needed_text("@membername")?,
    );
    session.change_member(&role, &member, is_add).await?;
    Ok((0, call))
}

async fn configure(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let wanted = call.text("@configname");
    let name = |s: &Setting| wanted.as_ref().is_none_or(|w| s.1.eq_ignore_ascii_case(w));
    let found: Vec<Setting> = SETTINGS.into_iter().filter(name).collect();
    if found.is_empty() {
        return Err(unknown_setting());
    }
    if let (Some(value), [one]) = (call.integer("@configvalue")?, found.as_slice()) {
        return set(session, call, *one, value).await;
    }
    let int = |name| Column::required(name, SqlType::Int);
    let columns = vec![
        Column::required("name", SqlType::NVarChar(Some(35))),
        int("minimum"),
        int("maximum"),
        int("config_value"),
        int("run_value"),
    ];
    let row = |s: Setting| {
        let value = setting(&session.instance, s.1).unwrap_or(s.2);
        vec![
            Value::text(s.1),
            s.3.into(),
            s.4.into(),
            value.into(),
            value.into(),
        ]
    };
    let rows = Rows {
        columns,
        rows: found.into_iter().map(row).collect(),
    };
    session.output.rows(rows).await;
    Ok((0, call))
}

async fn set(session: &mut Session, call: Call, one: Setting, to: i64) -> SqlResult<(i32, Call)> {
    session.require_server("ALTER SETTINGS")?;
    if to < one.3 || to > one.4 {
        return Err(invalid_setting(one.1));
    }
    let from = setting(&session.instance, one.1).unwrap_or(one.2);
    session.instance.change_quietly(|master, tx| {
        for (row, known) in record::all::<Configured>(master, Some(tx)) {
            if known.name == one.1 {
                record::remove::<Configured>(master, tx, row)?;
            }
        }
        let changed = Configured {
            name: one.1.to_owned(),
            value: to,
        };
        record::add(master, tx, &changed).map(drop)
    })?;
    session
        .output
        .message(messages::configuration_changed(one.1, from, to))
        .await;
    Ok((0, call))
}

async fn help_text(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let name = call.needed_text("@objname")?;
    let parsed = crate::lang::parse_object_name(&name);
    let parsed = parsed.map_err(|_| messages::invalid_object(&name))?;
    let database = session.database_named(parsed.database.as_deref())?;
    let object = session.find_object(&database, parsed.schema.as_deref(), &parsed.name);
    let object = object.ok_or_else(|| no_such_object(&name, &database.name()))?;
    let columns = vec![Column::new("Text", SqlType::NVarChar(Some(255)))];
    let lines = object.object.definition().split_inclusive('\n');
    let rows = lines.map(|line| vec![Value::text(line)]).collect();
    session.output.rows(Rows { columns, rows }).await;
    Ok((0, call))
}

/// SQL Server raises 15123 for a setting that it does not know.
fn unknown_setting() -> SqlError {
    let text = "The configuration option does not exist, or it may be an advanced option.";
    SqlError::new(15123, 16, text)
}

/// SQL Server raises 15129 for a value out of range.
fn invalid_setting(name: &str) -> SqlError {
    SqlError::new(
        15129,
        16,
        format!("The given value is not a valid value for configuration option '{name}'."),
    )
}

/// SQL Server raises 15009 for an object that is not there.
fn no_such_object(name: &str, database: &str) -> SqlError {
    let text = format!(
        "The object '{name}' does not exist in database '{database}' or is invalid for this \
           operation."
    );
    SqlError::new(15009, 16, text)
}
