//! `SERVERPROPERTY`, `DATABASEPROPERTYEX` and their kin.
//!
//! Start at [`value`]. An unknown property is NULL, as in SQL Server.

use std::sync::Arc;

use super::words::{recovery, status, user_access};
use crate::instance::{COLLATION, DatabaseHandle, estate};
use crate::session::{Scope, text_of};
use crate::storage::DatabaseState;
use crate::value::{SqlType, Typed, Value};

/// The value of a function of this file; none when there is none of this name.
pub(super) fn value(scope: &Scope<'_>, name: &str, arguments: &[Typed]) -> Option<Typed> {
    let text = |at: usize| {
        arguments
            .get(at)
            .and_then(|a| text_of(&a.value))
            .unwrap_or_default()
    };
    Some(match name {
        "serverproperty" => server(scope, &text(0).to_lowercase()),
        "databasepropertyex" => {
            let database = scope.session.instance.database(&text(0));
            let null = Typed::null(SqlType::NVarChar(Some(128)));
            database.map_or(null, |db| of_database(&db, &text(1).to_lowercase()))
        }
        "connectionproperty" => connection(scope, &text(0).to_lowercase()),
        _ => return None,
    })
}

fn server(scope: &Scope<'_>, property: &str) -> Typed {
    let instance = &scope.session.instance;
    let (options, version) = (&instance.options, instance.options.version);
    match property {
        "servername" => Typed::sysname(instance.name()),
        "machinename" | "computernamephysicalnetbios" => {
            Typed::sysname(options.server_name.machine.as_str())
        }
        "instancename" => match &options.server_name.instance {
            Some(name) => Typed::sysname(name.as_str()),
            None => Typed::null(SqlType::SYSNAME),
        },
        "productversion" => Typed::sysname(version.product_version()),
        "productmajorversion" => Typed::sysname(version.major().to_string()),
        "productminorversion" => Typed::sysname("0"),
        "productbuild" => Typed::sysname(version.build().to_string()),
        "productlevel" => Typed::sysname("RTM"),
        "edition" => Typed::sysname(options.edition.as_str()),
        "editionid" => Typed::new(SqlType::BigInt, -2_117_995_310_i64),
        "engineedition" => Typed::int(engine_edition(&options.edition)),
        "collation" => Typed::sysname(COLLATION),
        "ishadrenabled" => Typed::int(i64::from(estate::of(instance).hadr)),
        "isclustered"
        | "isintegratedsecurityonly"
        | "issingleuser"
        | "isfulltextinstalled"
        | "islocaldb"
        | "filestreameffectivelevel" => Typed::int(0_i64),
        "processid" => Typed::int(i64::from(std::process::id())),
        "instancedefaultdatapath" | "instancedefaultlogpath" => {
            Typed::sysname(format!("{}/", instance.data_folder().display()))
        }
        "instancedefaultbackuppath" => {
            Typed::sysname(format!("{}/", instance.backup_folder().display()))
        }
        "lcid" => Typed::int(1033_i64),
        "buildclrversion" => Typed::sysname("v4.0.30319"),
        _ => Typed::null(SqlType::SYSNAME),
    }
}

fn engine_edition(edition: &str) -> i64 {
    match edition {
        e if e.starts_with("Express") => 4,
        e if e.starts_with("Standard") || e.starts_with("Web") => 2,
        _ => 3,
    }
}

fn of_database(database: &Arc<DatabaseHandle>, property: &str) -> Typed {
    let facts = database.storage().facts();
    match property {
        "status" => Typed::sysname(status(facts.state)),
        "recovery" => Typed::sysname(recovery(facts.recovery_model)),
        "updateability" => {
            let is_fixed = facts.is_read_only || facts.state == DatabaseState::Standby;
            Typed::sysname(if is_fixed { "READ_ONLY" } else { "READ_WRITE" })
        }
        "collation" => Typed::sysname(facts.collation),
        "useraccess" => Typed::sysname(user_access(database)),
        "isinstandby" => Typed::int(i64::from(facts.state == DatabaseState::Standby)),
        "version" => Typed::int(957_i64),
        "isautoclose" => Typed::int(i64::from(database.record().option("AUTO_CLOSE") == "ON")),
        "ispublished" | "issubscribed" | "ismergepublished" | "isfulltextenabled" => {
            Typed::int(0_i64)
        }
        _ => Typed::null(SqlType::NVarChar(Some(128))),
    }
}

fn connection(scope: &Scope<'_>, property: &str) -> Typed {
    let _ = scope;
    match property {
        "auth_scheme" => Typed::sysname("SQL"),
        "net_transport" | "physical_net_transport" => Typed::sysname("TCP"),
        "protocol_type" => Typed::sysname("TSQL"),
        "local_net_address" | "client_net_address" => Typed::sysname("127.0.0.1"),
        _ => Typed {
            ty: SqlType::SYSNAME,
            value: Value::Null,
        },
    }
}
