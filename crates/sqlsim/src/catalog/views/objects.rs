//! Objects of a database: `sys.objects` and its kin, and `INFORMATION_SCHEMA.TABLES`.
//!
//! Start at [`VIEWS`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "all views are made by functions of one type"
)]

use super::{DESC, SystemView, ViewContext, bit, length_bytes};
use crate::catalog::object::ObjectKind;
use crate::catalog::schema::StoredObject;
use crate::catalog::shape::KeyKind;
use crate::error::SqlResult;
use crate::value::{Row, SqlType, Value};

/// The views of this file.
pub(super) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "objects",
        columns: OBJECTS,
        rows: objects,
    },
    SystemView {
        schema: "sys",
        name: "all_objects",
        columns: OBJECTS,
        rows: objects,
    },
    SystemView {
        schema: "sys",
        name: "tables",
        columns: OBJECTS,
        rows: tables,
    },
    SystemView {
        schema: "sys",
        name: "views",
        columns: OBJECTS,
        rows: views,
    },
    SystemView {
        schema: "sys",
        name: "procedures",
        columns: OBJECTS,
        rows: procedures,
    },
    SystemView {
        schema: "sys",
        name: "columns",
        columns: COLUMNS,
        rows: columns,
    },
    SystemView {
        schema: "sys",
        name: "all_columns",
        columns: COLUMNS,
        rows: columns,
    },
    SystemView {
        schema: "sys",
        name: "schemas",
        columns: SCHEMAS,
        rows: schemas,
    },
    SystemView {
        schema: "sys",
        name: "sql_modules",
        columns: MODULES,
        rows: modules,
    },
    SystemView {
        schema: "sys",
        name: "parameters",
        columns: PARAMETERS,
        rows: parameters,
    },
    SystemView {
        schema: "sys",
        name: "indexes",
        columns: INDEXES,
        rows: indexes,
    },
    SystemView {
        schema: "sys",
        name: "synonyms",
        columns: OBJECTS,
        rows: nothing,
    },
    SystemView {
        schema: "sys",
        name: "triggers",
        columns: OBJECTS,
        rows: nothing,
    },
    SystemView {
        schema: "information_schema",
        name: "tables",
        columns: STANDARD_TABLES,
        rows: standard_tables,
    },
    SystemView {
        schema: "information_schema",
        name: "columns",
        columns: STANDARD_COLUMNS,
        rows: standard_columns,
    },
];

const OBJECTS: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("object_id", SqlType::Int),
    ("principal_id", SqlType::Int),
    ("schema_id", SqlType::Int),
    ("parent_object_id", SqlType::Int),
    ("type", SqlType::Char(2)),
    ("type_desc", DESC),
    ("create_date", SqlType::DateTime),
    ("modify_date", SqlType::DateTime),
    ("is_ms_shipped", SqlType::Bit),
    ("is_published", SqlType::Bit),
    ("is_schema_published", SqlType::Bit),
];

/// Objects on which the login has any right.
fn seen(context: &ViewContext<'_>) -> Vec<StoredObject> {
    let session = context.session;
    let all = session.schema_of(&context.database).objects();
    let rights = ["SELECT", "EXECUTE", "VIEW DEFINITION", "INSERT", "ALTER"];
    let may_see = |object: &StoredObject| {
        rights
            .iter()
            .any(|right| session.has_on_object(&context.database, object, right))
    };
    all.into_iter().filter(may_see).collect()
}

fn rows_of(context: &ViewContext<'_>, kind: Option<ObjectKind>) -> Vec<Row> {
    let schema = context.session.schema_of(&context.database);
    let wanted = |object: &StoredObject| kind.is_none_or(|kind| object.object.kind == kind);
    let row = |stored: StoredObject| {
        let object = &stored.object;
        vec![
            Value::text(object.name.clone()),
            i64::from(object.id).into(),
            Value::Null,
            schema.schema_id(&object.schema).into(),
            0.into(),
            Value::text(object.kind.code()),
            Value::text(object.kind.description()),
            object.created.into(),
            object.modified.into(),
            bit(false),
            bit(false),
            bit(false),
        ]
    };
    seen(context).into_iter().filter(wanted).map(row).collect()
}

fn objects(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(rows_of(context, None))
}

fn tables(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(rows_of(context, Some(ObjectKind::Table)))
}

fn views(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(rows_of(context, Some(ObjectKind::View)))
}

fn procedures(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(rows_of(context, Some(ObjectKind::Procedure)))
}

fn nothing(_: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(Vec::new())
}

const COLUMNS: &[(&str, SqlType)] = &[
    ("object_id", SqlType::Int),
    ("name", SqlType::SYSNAME),
    ("column_id", SqlType::Int),
    ("system_type_id", SqlType::TinyInt),
    ("user_type_id", SqlType::Int),
    ("max_length", SqlType::SmallInt),
    ("precision", SqlType::TinyInt),
    ("scale", SqlType::TinyInt),
    ("collation_name", SqlType::SYSNAME),
    ("is_nullable", SqlType::Bit),
    ("is_identity", SqlType::Bit),
    ("is_computed", SqlType::Bit),
];

fn columns(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for object in seen(context)
        .into_iter()
        .filter(|o| o.object.kind == ObjectKind::Table)
    {
        for (at, column) in object.shape()?.columns.iter().enumerate() {
            let (precision, scale) = precision_of(column.ty);
            let collation = column.ty.is_text().then_some(crate::instance::COLLATION);
            rows.push(vec![
                i64::from(object.object.id).into(),
                Value::text(column.name.clone()),
                i64::try_from(at + 1).unwrap_or_default().into(),
                type_number(column.ty).into(),
                type_number(column.ty).into(),
                length_bytes(column.ty).into(),
                precision.into(),
                scale.into(),
                collation.into(),
                bit(column.nullable),
                bit(column.identity.is_some()),
                bit(false),
            ]);
        }
    }
    Ok(rows)
}

fn precision_of(ty: SqlType) -> (i64, i64) {
    match ty {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int | SqlType::Date => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Decimal { precision, scale } => (precision.into(), scale.into()),
        SqlType::Money => (19, 4),
        SqlType::Float => (53, 0),
        SqlType::DateTime => (23, 3),
        SqlType::DateTime2(scale) => (27, scale.into()),
        SqlType::DateTimeOffset(scale) => (34, scale.into()),
        SqlType::Time(scale) => (16, scale.into()),
        _ => (0, 0),
    }
}

/// `system_type_id` as in `sys.types`.
fn type_number(ty: SqlType) -> i64 {
    match ty {
        SqlType::UniqueIdentifier => 36,
        SqlType::Date => 40,
        SqlType::Time(_) => 41,
        SqlType::DateTime2(_) => 42,
        SqlType::DateTimeOffset(_) => 43,
        SqlType::TinyInt => 48,
        SqlType::SmallInt => 52,
        SqlType::Int => 56,
        SqlType::Money => 60,
        SqlType::DateTime => 61,
        SqlType::Float => 62,
        SqlType::Bit => 104,
        SqlType::Decimal { .. } => 106,
        SqlType::BigInt => 127,
        SqlType::VarBinary(_) => 165,
        SqlType::VarChar(_) => 167,
        SqlType::Binary(_) => 173,
        SqlType::Char(_) => 175,
        SqlType::NVarChar(_) => 231,
        SqlType::NChar(_) => 239,
    }
}

const SCHEMAS: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("schema_id", SqlType::Int),
    ("principal_id", SqlType::Int),
];

fn schemas(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let all = context.session.schema_of(&context.database).all_schemas();
    Ok(all
        .into_iter()
        .map(|(id, name)| vec![Value::text(name), id.into(), 1.into()])
        .collect())
}

const MODULES: &[(&str, SqlType)] = &[
    ("object_id", SqlType::Int),
    ("definition", SqlType::NVarChar(None)),
    ("uses_ansi_nulls", SqlType::Bit),
    ("uses_quoted_identifier", SqlType::Bit),
];

fn modules(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let all = seen(context)
        .into_iter()
        .filter(|o| o.object.kind != ObjectKind::Table);
    let row = |stored: StoredObject| {
        let text = Value::text(stored.object.definition());
        vec![
            i64::from(stored.object.id).into(),
            text,
            bit(true),
            bit(true),
        ]
    };
    Ok(all.map(row).collect())
}

const PARAMETERS: &[(&str, SqlType)] = &[
    ("object_id", SqlType::Int),
    ("name", SqlType::SYSNAME),
    ("parameter_id", SqlType::Int),
    ("system_type_id", SqlType::TinyInt),
    ("max_length", SqlType::SmallInt),
    ("is_output", SqlType::Bit),
    ("has_default_value", SqlType::Bit),
];

fn parameters(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    use crate::lang::ast::ModuleKind;
    let mut rows = Vec::new();
    for stored in seen(context)
        .into_iter()
        .filter(|o| o.object.kind != ObjectKind::Table)
    {
        let module = stored.module()?;
        let (ModuleKind::Procedure { parameters, .. } | ModuleKind::Function { parameters, .. }) =
            &module.kind
        else {
            continue;
        };
        for (at, parameter) in parameters.iter().enumerate() {
            rows.push(vec![
                i64::from(stored.object.id).into(),
                Value::text(parameter.name.clone()),
                i64::try_from(at + 1).unwrap_or_default().into(),
                type_number(parameter.ty).into(),
                length_bytes(parameter.ty).into(),
                bit(parameter.output),
                bit(false),
            ]);
        }
    }
    Ok(rows)
}

const INDEXES: &[(&str, SqlType)] = &[
    ("object_id", SqlType::Int),
    ("name", SqlType::SYSNAME),
    ("index_id", SqlType::Int),
    ("type", SqlType::TinyInt),
    ("type_desc", DESC),
    ("is_unique", SqlType::Bit),
    ("is_primary_key", SqlType::Bit),
    ("is_unique_constraint", SqlType::Bit),
];

fn indexes(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for object in seen(context)
        .into_iter()
        .filter(|o| o.object.kind == ObjectKind::Table)
    {
        for (at, key) in object.shape()?.keys.iter().enumerate() {
            let is_primary = key.kind == KeyKind::Primary;
            let (kind, word) = if is_primary {
                (1, "CLUSTERED")
            } else {
                (2, "NONCLUSTERED")
            };
            rows.push(vec![
                i64::from(object.object.id).into(),
                Value::text(key.name.clone()),
                i64::try_from(at + 1).unwrap_or_default().into(),
                kind.into(),
                Value::text(word),
                bit(true),
                bit(is_primary),
                bit(key.kind == KeyKind::Unique),
            ]);
        }
    }
    Ok(rows)
}

const STANDARD_TABLES: &[(&str, SqlType)] = &[
    ("TABLE_CATALOG", SqlType::SYSNAME),
    ("TABLE_SCHEMA", SqlType::SYSNAME),
    ("TABLE_NAME", SqlType::SYSNAME),
    ("TABLE_TYPE", SqlType::VarChar(Some(10))),
];

fn standard_tables(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |stored: StoredObject| {
        let word = match stored.object.kind {
            ObjectKind::Table => "BASE TABLE",
            ObjectKind::View => "VIEW",
            ObjectKind::Procedure | ObjectKind::Function => return None,
        };
        Some(vec![
            Value::text(context.database.name()),
            Value::text(stored.object.schema.clone()),
            Value::text(stored.object.name.clone()),
            Value::text(word),
        ])
    };
    Ok(seen(context).into_iter().filter_map(row).collect())
}

const STANDARD_COLUMNS: &[(&str, SqlType)] = &[
    ("TABLE_CATALOG", SqlType::SYSNAME),
    ("TABLE_SCHEMA", SqlType::SYSNAME),
    ("TABLE_NAME", SqlType::SYSNAME),
    ("COLUMN_NAME", SqlType::SYSNAME),
    ("ORDINAL_POSITION", SqlType::Int),
    ("IS_NULLABLE", SqlType::VarChar(Some(3))),
    ("DATA_TYPE", SqlType::SYSNAME),
    ("CHARACTER_MAXIMUM_LENGTH", SqlType::Int),
];

fn standard_columns(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let mut rows = Vec::new();
    for object in seen(context)
        .into_iter()
        .filter(|o| o.object.kind == ObjectKind::Table)
    {
        for (at, column) in object.shape()?.columns.iter().enumerate() {
            let length = match column.ty {
                SqlType::NVarChar(None) | SqlType::VarChar(None) | SqlType::VarBinary(None) => {
                    Some(-1)
                }
                ty => ty.length().map(i64::from),
            };
            rows.push(vec![
                Value::text(context.database.name()),
                Value::text(object.object.schema.clone()),
                Value::text(object.object.name.clone()),
                Value::text(column.name.clone()),
                i64::try_from(at + 1).unwrap_or_default().into(),
                Value::text(if column.nullable { "YES" } else { "NO" }),
                Value::text(column.ty.base_name()),
                length.into(),
            ]);
        }
    }
    Ok(rows)
}
