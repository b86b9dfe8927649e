//! `@@` variables.
//!
//! Start at [`value`]. They are read only; an unknown one raises 137, as SQL Server does.

use super::Session;
use crate::error::SqlResult;
use crate::instance::Instance;
use crate::messages;
use crate::value::{SqlType, Typed, Value};

/// The value of a `@@` variable.
pub(super) fn value(session: &Session, name: &str) -> SqlResult<Typed> {
    let instance = &session.instance;
    let int = |n: i64| Ok(Typed::int(n));
    match name.to_lowercase().as_str() {
        "@@spid" => Ok(Typed::new(SqlType::SmallInt, i64::from(session.record.id))),
        "@@trancount" => int(session.transaction_count().into()),
        "@@error" => int(session.last.error.into()),
        "@@rowcount" => int(i64::try_from(session.last.rows).unwrap_or(i64::MAX)),
        "@@fetch_status" => int(session.last.fetch_status.into()),
        "@@identity" => {
            let identity = session.last.identity.map_or(Value::Null, Value::Int);
            Ok(Typed {
                ty: SqlType::Decimal {
                    precision: 38,
                    scale: 0,
                },
                value: identity,
            })
        }
        "@@servername" => Ok(Typed::sysname(instance.name())),
        "@@servicename" => Ok(Typed::sysname(instance.options.server_name.service())),
        "@@version" => Ok(Typed::text(version_text(instance))),
        "@@nestlevel" => {
            let modules = session.frames.iter().filter(|f| f.module.is_some()).count();
            int(i64::try_from(modules).unwrap_or(i64::MAX))
        }
        "@@procid" => {
            let module = session.frames.last().and_then(|f| f.module.as_ref());
            int(module.map_or(0, |m| m.id.into()))
        }
        "@@language" => Ok(Typed::sysname(session.options.language.as_str())),
        "@@datefirst" => Ok(Typed::new(
            SqlType::TinyInt,
            i64::from(session.options.date_first),
        )),
        "@@lock_timeout" => int(session.options.lock_timeout_ms),
        "@@microsoftversion" => int(i64::from(instance.options.version.major()) << 24),
        "@@max_connections" => int(32767),
        "@@max_precision" => Ok(Typed::new(SqlType::TinyInt, 38_i64)),
        "@@dbts" => Ok(Typed::new(
            SqlType::VarBinary(Some(8)),
            Value::Binary(vec![0; 8]),
        )),
        "@@options" => int(5496),
        "@@textsize" => int(2_147_483_647),
        _ => Err(messages::scalar_variable_not_declared(name)),
    }
}

/// `@@VERSION`, in the words of the product.
pub(crate) fn version_text(instance: &Instance) -> String {
    let version = instance.options.version;
    format!(
        "Microsoft SQL Server {} (RTM) - {} (X64) \n\tCopyright (C) {} Microsoft Corporation\n\t{} \
         on a simulated host",
        version.year(),
        version.product_version(),
        version.year(),
        instance.options.edition,
    )
}
