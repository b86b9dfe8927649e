//! The catalog of links: its records in master, and how `sys.servers` and `sys.linked_logins` show
//! them.
//!
//! Start at [`servers`]. This file changes nothing.

use crate::catalog::record;
use crate::instance::Instance;
use crate::value::{Column, Row, Rows, SqlType, Value};

use super::server::{LinkedLogin, LinkedServer};

/// All links, in the order of their making.
#[must_use]
pub fn servers(instance: &Instance) -> Vec<LinkedServer> {
    let master = instance.master().storage();
    record::all::<LinkedServer>(&master, None)
        .into_iter()
        .map(|(_, link)| link)
        .collect()
}

/// All login mappings, in the order of their making.
#[must_use]
pub fn logins(instance: &Instance) -> Vec<LinkedLogin> {
    let master = instance.master().storage();
    record::all::<LinkedLogin>(&master, None)
        .into_iter()
        .map(|(_, login)| login)
        .collect()
}

/// `sys.servers`: the host itself first. The provider string is shown to those only who may alter
/// links; a link that the login cannot use is not shown to it (`may_see`).
#[must_use]
pub fn sys_servers(
    instance: &Instance,
    shows_provider_string: bool,
    may_see: &dyn Fn(&LinkedServer) -> bool,
) -> Rows {
    let own = own_row(instance);
    let seen = servers(instance).into_iter().filter(|link| may_see(link));
    let rows = std::iter::once(own).chain(seen.map(|link| row(&link, shows_provider_string)));
    Rows {
        columns: server_columns(),
        rows: rows.collect(),
    }
}

/// `sys.linked_logins`. `principal` tells the number of a local login.
#[must_use]
pub fn sys_linked_logins(instance: &Instance, principal: &dyn Fn(&str) -> i32) -> Rows {
    let columns = vec![
        Column::required("server_id", SqlType::Int),
        Column::required("local_principal_id", SqlType::Int),
        Column::required("uses_self_credential", SqlType::Bit),
        Column::new("remote_name", SqlType::SYSNAME),
        Column::required("modify_date", SqlType::DateTime),
    ];
    let row = |login: LinkedLogin| -> Row {
        let local = login.local_login.as_deref().map_or(0, principal);
        vec![
            login.server_id.into(),
            local.into(),
            login.uses_self.into(),
            login.remote_name.into(),
            login.modified.into(),
        ]
    };
    Rows {
        columns,
        rows: logins(instance).into_iter().map(row).collect(),
    }
}

fn server_columns() -> Vec<Column> {
    let flag = |name| Column::required(name, SqlType::Bit);
    let text = |name| Column::new(name, SqlType::NVarChar(Some(4000)));
    vec![
        Column::required("server_id", SqlType::Int),
        Column::required("name", SqlType::SYSNAME),
        Column::required("product", SqlType::SYSNAME),
        Column::required("provider", SqlType::SYSNAME),
        text("data_source"),
        text("location"),
        text("provider_string"),
        Column::new("catalog", SqlType::SYSNAME),
        Column::required("connect_timeout", SqlType::Int),
        Column::required("query_timeout", SqlType::Int),
        flag("is_linked"),
        flag("is_remote_login_enabled"),
        flag("is_rpc_out_enabled"),
        flag("is_data_access_enabled"),
        flag("is_collation_compatible"),
        flag("uses_remote_collation"),
        Column::new("collation_name", SqlType::SYSNAME),
        flag("lazy_schema_validation"),
        flag("is_system"),
        flag("is_publisher"),
        flag("is_subscriber"),
        flag("is_distributor"),
        flag("is_nonsql_subscriber"),
        flag("is_remote_proc_transaction_promotion_enabled"),
        Column::required("modify_date", SqlType::DateTime),
    ]
}

fn row(link: &LinkedServer, shows_provider_string: bool) -> Row {
    let options = &link.options;
    let provider_string = link
        .provider_string
        .clone()
        .filter(|_| shows_provider_string);
    vec![
        link.id.into(),
        link.name.as_str().into(),
        link.product.as_str().into(),
        link.provider.as_str().into(),
        link.data_source.clone().into(),
        link.location.clone().into(),
        provider_string.into(),
        link.catalog.clone().into(),
        options.connect_timeout_seconds.into(),
        options.query_timeout_seconds.into(),
        true.into(),
        options.rpc.into(),
        options.rpc_out.into(),
        options.data_access.into(),
        options.collation_compatible.into(),
        options.use_remote_collation.into(),
        options.collation_name.clone().into(),
        options.lazy_schema_validation.into(),
        false.into(),
        options.publisher.into(),
        options.subscriber.into(),
        options.distributor.into(),
        false.into(),
        options.promotion.into(),
        link.modified.into(),
    ]
}

/// The host itself, `server_id` 0.
fn own_row(instance: &Instance) -> Row {
    let name = instance.name();
    let own = LinkedServer {
        id: 0,
        name: name.clone(),
        product: "SQL Server".to_owned(),
        provider: "SQLNCLI".to_owned(),
        data_source: Some(name),
        location: None,
        provider_string: None,
        catalog: None,
        options: super::ServerOptions {
            data_access: false,
            ..super::ServerOptions::new(true)
        },
        modified: instance.master().record().created,
    };
    let mut row = row(&own, false);
    row[10] = Value::Bit(false);
    row
}
