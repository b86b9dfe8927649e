//! What an instance has for links to a Managed Instance, as far as a look at it can tell: master key,
//! certificates, the endpoint of database mirroring, trace flags, the availability group feature.
//!
//! Start at [`Estate`] and [`PROCEDURES`]. Nothing here does anything: no key encrypts, no endpoint
//! listens, and no trace flag changes what the engine does.

use std::future::ready;

use serde::{Deserialize, Serialize};

use super::Instance;
use crate::catalog::record::{self, Record};
use crate::catalog::views::{SystemView, ViewContext};
use crate::error::SqlResult;
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::storage::TableId;
use crate::value::{Column, Row, Rows, SqlType, Value};

/// The estate of an instance: one record of master.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Estate {
    /// `SERVERPROPERTY('IsHadrEnabled')`.
    pub hadr: bool,
    /// A database master key is in master.
    pub master_key: bool,
    /// Certificates in master: name, and the last day of each (`2027-01-31`).
    pub certificates: Vec<(String, String)>,
    /// The endpoint of database mirroring: its port, and the certificate that it shows.
    pub endpoint: Option<(i64, String)>,
    /// The endpoint's encryption, `AES` or `RC4`.
    pub algorithm: String,
    /// Trace flags that are on for everybody.
    pub trace_flags: Vec<i64>,
    /// Databases that managed backup knows, and whether it backs them up.
    #[serde(default)]
    pub managed: Vec<(String, bool)>,
}

impl Record for Estate {
    const TABLE: TableId = TableId(18);
}

impl Default for Estate {
    fn default() -> Self {
        Self {
            hadr: true,
            master_key: false,
            certificates: Vec::new(),
            endpoint: None,
            algorithm: "AES".to_owned(),
            trace_flags: Vec::new(),
            managed: Vec::new(),
        }
    }
}

/// `sp_sim_estate @what, @name, @value`: `hadr` and `master key` take 1 or 0 as `@value`; `certificate`
/// a name and its last day; `endpoint` the certificate's name and the port; `algorithm` a name; `trace
/// flag` a number as `@name` and 1 or 0; `managed backup` a database and 1 or 0.
pub const PROCEDURES: [SystemProcedure; 1] = [SystemProcedure {
    name: "sp_sim_estate",
    parameters: &[
        Parameter::needed("@what"),
        Parameter::needed("@name"),
        Parameter::needed("@value"),
    ],
    run: |session, call| Box::pin(ready(change(session, call))),
}];

/// What an instance has.
#[must_use]
pub fn of(instance: &Instance) -> Estate {
    let all = record::all::<Estate>(&instance.master().storage(), None);
    all.into_iter()
        .next()
        .map_or_else(Estate::default, |(_, estate)| estate)
}

fn change(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let what = call.needed_text("@what")?;
    let name = call.needed_text("@name")?;
    let value = call.needed_text("@value")?;
    let number = |text: &str| text.parse::<i64>().unwrap_or_default();
    let mut estate = of(&session.instance);
    match what.to_lowercase().as_str() {
        "hadr" => estate.hadr = value == "1",
        "master key" => estate.master_key = value == "1",
        "certificate" => {
            estate.certificates.retain(|(known, _)| *known != name);
            estate.certificates.push((name, value));
        }
        "endpoint" => estate.endpoint = Some((number(&value), name)),
        "algorithm" => estate.algorithm = name,
        "trace flag" => set_flag(&mut estate, number(&name), value == "1"),
        "managed backup" => {
            estate.managed.retain(|(known, _)| *known != name);
            estate.managed.push((name, value == "1"));
        }
        _ => return Err(messages::option_does_not_exist(&what)),
    }
    keep(&session.instance, &estate)?;
    Ok((0, call))
}

/// Turns a trace flag on or off for everybody.
pub(crate) fn trace(session: &Session, flag: i64, is_on: bool) -> SqlResult<()> {
    let mut estate = of(&session.instance);
    set_flag(&mut estate, flag, is_on);
    keep(&session.instance, &estate)
}

fn set_flag(estate: &mut Estate, flag: i64, is_on: bool) {
    estate.trace_flags.retain(|known| *known != flag);
    if is_on {
        estate.trace_flags.push(flag);
    }
}

fn keep(instance: &Instance, estate: &Estate) -> SqlResult<()> {
    instance.change_quietly(|master, tx| {
        for (row, _) in record::all::<Estate>(master, Some(tx)) {
            record::remove::<Estate>(master, tx, row)?;
        }
        record::add(master, tx, estate).map(drop)
    })
}

/// What `DBCC TRACESTATUS (-1)` shows: the flags that are on for everybody.
pub(crate) fn trace_status(instance: &Instance) -> Rows {
    let columns = ["TraceFlag", "Status", "Global", "Session"];
    let columns = columns.map(|name| Column::required(name, SqlType::Int));
    let row = |flag: i64| vec![flag.into(), 1_i64.into(), 1_i64.into(), 0_i64.into()];
    Rows {
        columns: columns.into(),
        rows: of(instance).trace_flags.into_iter().map(row).collect(),
    }
}

/// `managed_backup.fn_backup_db_config`: the databases that managed backup knows; the name that may be asked for is
/// heeded by none of ours.
pub(crate) fn managed_backups(instance: &Instance) -> Rows {
    let row = |(name, is_enabled): (String, bool)| vec![name.into(), i64::from(is_enabled).into()];
    Rows {
        columns: vec![
            Column::required("db_name", SqlType::SYSNAME),
            Column::required("is_managed_backup_enabled", SqlType::Int),
        ],
        rows: of(instance).managed.into_iter().map(row).collect(),
    }
}

const INT: SqlType = SqlType::Int;
const DESC: SqlType = SqlType::NVarChar(Some(60));

/// The views of this file.
pub(crate) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "symmetric_keys",
        columns: &[("name", SqlType::SYSNAME), ("symmetric_key_id", INT)],
        rows: |context| Ok(keys(context)),
    },
    SystemView {
        schema: "sys",
        name: "database_mirroring_endpoints",
        columns: &[
            ("name", SqlType::SYSNAME),
            ("endpoint_id", INT),
            ("state_desc", DESC),
            ("connection_auth_desc", DESC),
            ("certificate_id", INT),
            ("is_encryption_enabled", SqlType::Bit),
            ("encryption_algorithm_desc", DESC),
        ],
        rows: |context| Ok(endpoints(context)),
    },
    SystemView {
        schema: "sys",
        name: "tcp_endpoints",
        columns: &[
            ("name", SqlType::SYSNAME),
            ("endpoint_id", INT),
            ("port", INT),
        ],
        rows: |context| Ok(ports(context)),
    },
];

/// The number of the mirroring endpoint.
const ENDPOINT: i64 = 65_536;
const ENDPOINT_NAME: &str = "database_mirroring_endpoint";
/// Numbers of certificates that people made begin here.
const FIRST_CERTIFICATE: i64 = 256;

fn keys(context: &ViewContext<'_>) -> Vec<Row> {
    let has_one = of(context.instance).master_key;
    let key = || vec![Value::text("##MS_DatabaseMasterKey##"), 101_i64.into()];
    has_one.then(key).into_iter().collect()
}

/// The certificates that endpoints may show: number, name, and the day on which each ends.
pub(crate) fn certificates(instance: &Instance) -> Vec<(i64, String, Value)> {
    let numbered = (FIRST_CERTIFICATE..).zip(of(instance).certificates);
    let dated = |(id, (name, day)): (i64, (String, String))| {
        let date = day.parse::<jiff::civil::Date>().ok();
        let expiry = date.map_or(Value::Null, |date| date.at(0, 0, 0, 0).into());
        (id, name, expiry)
    };
    numbered.map(dated).collect()
}

fn endpoints(context: &ViewContext<'_>) -> Vec<Row> {
    let estate = of(context.instance);
    let Some((_, certificate)) = &estate.endpoint else {
        return Vec::new();
    };
    let mut numbered = (FIRST_CERTIFICATE..).zip(&estate.certificates);
    let id = numbered
        .find(|(_, (name, _))| name == certificate)
        .map(|(id, _)| id);
    let authentication = if id.is_some() {
        "CERTIFICATE"
    } else {
        "NEGOTIATE"
    };
    vec![vec![
        ENDPOINT_NAME.into(),
        ENDPOINT.into(),
        "STARTED".into(),
        authentication.into(),
        id.unwrap_or(0).into(),
        true.into(),
        estate.algorithm.as_str().into(),
    ]]
}

fn ports(context: &ViewContext<'_>) -> Vec<Row> {
    let endpoint = of(context.instance).endpoint;
    let row = |(port, _): (i64, String)| vec![ENDPOINT_NAME.into(), ENDPOINT.into(), port.into()];
    endpoint.map(row).into_iter().collect()
}
