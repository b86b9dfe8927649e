//! What can be seen of event sessions: their definitions, those that run, and event files.
//!
//! Start at [`VIEWS`] and [`read_file_target`].

use uuid::Uuid;

use super::definition::sessions;
use super::{EventSession, file, target};
use crate::catalog::views::{SystemView, ViewContext};
use crate::error::{SqlError, SqlResult};
use crate::instance::Version;
use crate::session::{Scope, text_of};
use crate::value::{Column, Row, Rows, SqlType, Typed, Value};

const NAME: SqlType = SqlType::NVarChar(Some(256));
const DESC: SqlType = SqlType::NVarChar(Some(60));
const ADDRESS: SqlType = SqlType::VarBinary(Some(8));
const GUID: SqlType = SqlType::UniqueIdentifier;
const INT: SqlType = SqlType::Int;

/// The GUID of `package0`, which has all targets.
const PACKAGE0: Uuid = Uuid::from_u128(0x60AA_9FBF_673B_4553_B7ED_71DC_A7F5_E972);
/// The GUID of the module that raises `error_reported`.
const MODULE: Uuid = Uuid::from_u128(0xCE79_811F_1A80_40E1_8F5D_7445_A3F3_75E7);
/// The GUID of the package `sqlserver`.
const SQLSERVER: Uuid = Uuid::from_u128(0x655F_D93F_3364_40D5_B2BA_330F_7FFB_6491);

/// The views of this room.
pub(crate) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "server_event_sessions",
        columns: &[
            ("event_session_id", INT),
            ("name", SqlType::SYSNAME),
            ("event_retention_mode_desc", DESC),
            ("max_dispatch_latency", INT),
            ("max_memory", INT),
            ("track_causality", SqlType::Bit),
            ("startup_state", SqlType::Bit),
        ],
        rows: |context| defined(context, session_row),
    },
    SystemView {
        schema: "sys",
        name: "server_event_session_events",
        columns: &[
            ("event_session_id", INT),
            ("event_id", INT),
            ("name", SqlType::SYSNAME),
            ("package", SqlType::SYSNAME),
            ("module", SqlType::SYSNAME),
            ("predicate", SqlType::NVarChar(Some(3000))),
        ],
        rows: |context| defined(context, event_rows),
    },
    SystemView {
        schema: "sys",
        name: "server_event_session_actions",
        columns: &[
            ("event_session_id", INT),
            ("event_id", INT),
            ("name", SqlType::SYSNAME),
            ("package", SqlType::SYSNAME),
            ("module", SqlType::SYSNAME),
        ],
        rows: |context| defined(context, action_rows),
    },
    SystemView {
        schema: "sys",
        name: "server_event_session_targets",
        columns: &[
            ("event_session_id", INT),
            ("target_id", INT),
            ("name", SqlType::SYSNAME),
            ("package", SqlType::SYSNAME),
            ("module", SqlType::SYSNAME),
        ],
        rows: |context| defined(context, target_rows),
    },
    SystemView {
        schema: "sys",
        name: "server_event_session_fields",
        columns: &[
            ("event_session_id", INT),
            ("object_id", INT),
            ("name", SqlType::SYSNAME),
            ("value", SqlType::NVarChar(Some(4000))),
        ],
        rows: |context| defined(context, field_rows),
    },
    SystemView {
        schema: "sys",
        name: "dm_xe_sessions",
        columns: &[
            ("address", ADDRESS),
            ("name", NAME),
            ("dropped_event_count", INT),
            ("dropped_buffer_count", INT),
            ("create_time", SqlType::DateTime),
            ("session_source", NAME),
        ],
        rows: running_sessions,
    },
    SystemView {
        schema: "sys",
        name: "dm_xe_session_targets",
        columns: &[
            ("event_session_address", ADDRESS),
            ("target_name", NAME),
            ("target_package_guid", GUID),
            ("execution_count", SqlType::BigInt),
            ("execution_duration_ms", SqlType::BigInt),
            ("target_data", SqlType::NVarChar(None)),
        ],
        rows: running_targets,
    },
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every view")]
fn defined(context: &ViewContext<'_>, rows: fn(&EventSession) -> Vec<Row>) -> SqlResult<Vec<Row>> {
    Ok(sessions(context.instance).iter().flat_map(rows).collect())
}

fn session_row(session: &EventSession) -> Vec<Row> {
    let option = |name: &str, default: &str| session.option(name).unwrap_or(default).to_owned();
    let number = |name: &str, default: i64| {
        let text = option(name, "");
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(default)
    };
    let row = vec![
        session.id.into(),
        session.name.as_str().into(),
        option("EVENT_RETENTION_MODE", "ALLOW_SINGLE_EVENT_LOSS").into(),
        (number("MAX_DISPATCH_LATENCY", 30) * 1000).into(),
        number("MAX_MEMORY", 4096).into(),
        (option("TRACK_CAUSALITY", "OFF") == "ON").into(),
        session.starts_up().into(),
    ];
    vec![row]
}

/// Events have the first numbers of a session's objects, targets those behind them.
fn numbered<T>(first: usize, items: &[T]) -> impl Iterator<Item = (i64, &T)> {
    let number = move |at: usize| i64::try_from(first + at + 1).unwrap_or(i64::MAX);
    items
        .iter()
        .enumerate()
        .map(move |(at, item)| (number(at), item))
}

fn event_rows(session: &EventSession) -> Vec<Row> {
    let events = numbered(0, &session.events);
    let row = |(id, event): (i64, &crate::lang::ast::EventDefinition)| {
        let predicate = Some(event.predicate_text.as_str()).filter(|text| !text.is_empty());
        vec![
            session.id.into(),
            id.into(),
            event.name.as_str().into(),
            "sqlserver".into(),
            "sqlserver".into(),
            predicate.into(),
        ]
    };
    events.map(row).collect()
}

fn action_rows(session: &EventSession) -> Vec<Row> {
    let of_event = |(id, event): (i64, &crate::lang::ast::EventDefinition)| {
        let row = |action: &String| {
            vec![
                session.id.into(),
                id.into(),
                action.as_str().into(),
                "sqlserver".into(),
                "sqlserver".into(),
            ]
        };
        event.actions.iter().map(row).collect::<Vec<Row>>()
    };
    numbered(0, &session.events).flat_map(of_event).collect()
}

fn target_rows(session: &EventSession) -> Vec<Row> {
    let targets = numbered(session.events.len(), &session.targets);
    let row = |(id, target): (i64, &crate::lang::ast::EventTarget)| {
        vec![
            session.id.into(),
            id.into(),
            target.name.as_str().into(),
            "package0".into(),
            "package0".into(),
        ]
    };
    targets.map(row).collect()
}

fn field_rows(session: &EventSession) -> Vec<Row> {
    let targets = numbered(session.events.len(), &session.targets);
    let fields = |(id, target): (i64, &crate::lang::ast::EventTarget)| {
        let row = |(name, value): &(String, String)| {
            vec![
                session.id.into(),
                id.into(),
                name.as_str().into(),
                value.as_str().into(),
            ]
        };
        target.settings.iter().map(row).collect::<Vec<Row>>()
    };
    targets.flat_map(fields).collect()
}

/// An address that names a running session for as long as it is defined.
fn address(session: &EventSession) -> Value {
    Value::Binary(
        u64::try_from(session.id)
            .unwrap_or_default()
            .to_be_bytes()
            .to_vec(),
    )
}

fn running_sessions(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    context.session.require_server("VIEW SERVER STATE")?;
    let running = context.instance.events.lock();
    let row = |running: &super::Running| {
        vec![
            address(&running.session),
            running.session.name.as_str().into(),
            0.into(),
            0.into(),
            running.started.into(),
            "server".into(),
        ]
    };
    Ok(running.iter().map(row).collect())
}

fn running_targets(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    context.session.require_server("VIEW SERVER STATE")?;
    let running = context.instance.events.lock();
    let rows = |running: &super::Running| {
        let row = |target: &target::Target| {
            vec![
                address(&running.session),
                target.name().into(),
                PACKAGE0.into(),
                i64::try_from(target.taken()).unwrap_or(i64::MAX).into(),
                0.into(),
                target.data().into(),
            ]
        };
        running.targets.iter().map(row).collect::<Vec<Row>>()
    };
    Ok(running.iter().flat_map(rows).collect())
}

/// `sys.fn_xe_file_target_read_file (path, mdpath, initial_file_name, initial_offset)`: what comes
/// behind the event at the offset of the first file, or all. Raises 25718 for files that are not
/// there, 25719 for one of the last two arguments without the other.
pub(crate) fn read_file_target(scope: &Scope<'_>, arguments: &[Typed]) -> SqlResult<Rows> {
    scope.session.require_server("VIEW SERVER STATE")?;
    let text = |at: usize| arguments.get(at).and_then(|given| text_of(&given.value));
    let instance = &scope.session.instance;
    let pattern = text(0).unwrap_or_default();
    let path = target::file_path(instance, &pattern).map_err(|_| no_file(&pattern))?;
    let mut files = file::matching(&path);
    let offset = arguments.get(3).and_then(|given| given.value.as_int());
    match (text(2), offset) {
        (None, None) => {}
        (Some(first), Some(_)) => {
            let first = target::file_path(instance, &first).map_err(|_| no_file(&first))?;
            files.retain(|file| *file >= first);
        }
        _ => return Err(not_a_pair()),
    }
    if files.is_empty() {
        return Err(no_file(&pattern));
    }
    let has_time = instance.options.version > Version::V2016;
    let mut rows = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let after = offset
            .filter(|_| at == 0)
            .and_then(|offset| u64::try_from(offset).ok());
        let read = file::read(file).map_err(|_| no_file(&file.display().to_string()))?;
        let wanted = read
            .into_iter()
            .filter(|one| after.is_none_or(|after| one.offset > after));
        rows.extend(wanted.map(|one| file_row(one, has_time)));
    }
    Ok(Rows {
        columns: file_columns(has_time),
        rows,
    })
}

fn file_columns(has_time: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::required("module_guid", GUID),
        Column::required("package_guid", GUID),
        Column::required("object_name", NAME),
        Column::required("event_data", SqlType::NVarChar(None)),
        Column::required("file_name", SqlType::NVarChar(Some(260))),
        Column::required("file_offset", SqlType::BigInt),
    ];
    if has_time {
        columns.push(Column::required("timestamp_utc", SqlType::DateTime2(7)));
    }
    columns
}

fn file_row(read: file::Read, has_time: bool) -> Row {
    // An event's XML begins with its name in quotes.
    let name = read.xml.split('"').nth(1).unwrap_or_default().to_owned();
    let mut row: Row = vec![
        MODULE.into(),
        SQLSERVER.into(),
        name.into(),
        read.xml.into(),
        read.file.display().to_string().into(),
        i64::try_from(read.offset).unwrap_or(i64::MAX).into(),
    ];
    if has_time {
        let at = read.at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        row.push(at.into());
    }
    row
}

/// 25718: no such file.
fn no_file(name: &str) -> SqlError {
    let text = format!(
        "The log file name \"{name}\" is invalid.  Verify that the file exists and that the SQL \
         Server service account has access to it."
    );
    SqlError::new(25718, 16, text)
}

/// 25719: a first file without an offset, or the other way round.
fn not_a_pair() -> SqlError {
    SqlError::new(
        25719,
        16,
        "Initial file name and initial offset must be specified as a pair. Please correct the \
         parameters and retry your query.",
    )
}
