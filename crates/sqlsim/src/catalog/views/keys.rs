//! Certificates: `sys.certificates` and `sys.dm_database_encryption_keys`.
//!
//! Start at [`VIEWS`]. Who made them is `proc/keys.rs`.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all views are made by functions of one type"
)]

use super::{SystemView, ViewContext};
use crate::error::SqlResult;
use crate::instance::estate;
use crate::proc::keys;
use crate::value::{Row, SqlType, Value};

/// The views of this file.
pub(super) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "certificates",
        columns: CERTIFICATES,
        rows: certificates,
    },
    SystemView {
        schema: "sys",
        name: "asymmetric_keys",
        columns: ASYMMETRIC_KEYS,
        rows: |_| Ok(Vec::new()),
    },
    SystemView {
        schema: "sys",
        name: "dm_database_encryption_keys",
        columns: ENCRYPTION_KEYS,
        rows: encryption_keys,
    },
];

const CERTIFICATES: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("certificate_id", SqlType::Int),
    ("thumbprint", SqlType::VarBinary(Some(32))),
    ("expiry_date", SqlType::DateTime),
];

const ASYMMETRIC_KEYS: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("thumbprint", SqlType::VarBinary(Some(32))),
];

/// Numbers of certificates with a thumbprint begin here; those of endpoints are `instance/estate.rs`'s.
const FIRST_CERTIFICATE: i64 = 1000;

/// Only `master` has any here.
fn certificates(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let master = context.instance.master();
    let may_see = context.session.has_server("VIEW ANY DEFINITION");
    if context.database.id() != master.id() || !may_see {
        return Ok(Vec::new());
    }
    let row = |(id, (name, thumbprint)): (i64, (String, Vec<u8>))| {
        let thumbprint = Value::Binary(thumbprint);
        vec![Value::text(name), id.into(), thumbprint, Value::Null]
    };
    let with_thumbprint = (FIRST_CERTIFICATE..).zip(keys::certificates(&master));
    let of_endpoints = estate::certificates(context.instance).into_iter();
    let of_endpoints = of_endpoints
        .map(|(id, name, expiry)| vec![Value::text(name), id.into(), Value::Null, expiry]);
    Ok(with_thumbprint.map(row).chain(of_endpoints).collect())
}

const ENCRYPTION_KEYS: &[(&str, SqlType)] = &[
    ("database_id", SqlType::Int),
    ("encryption_state", SqlType::Int),
    ("encryptor_type", SqlType::SYSNAME),
    ("encryptor_thumbprint", SqlType::VarBinary(Some(20))),
];

fn encryption_keys(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    if !context.session.has_server("VIEW SERVER STATE") {
        return Ok(Vec::new());
    }
    let databases = context.instance.databases();
    let rows = databases.iter().filter_map(|database| {
        let thumbprint = keys::encryptor(database)?;
        Some(vec![
            database.id().into(),
            3.into(),
            Value::text("CERTIFICATE"),
            Value::Binary(thumbprint),
        ])
    });
    Ok(rows.collect())
}
