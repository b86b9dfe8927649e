//! The system procedures that make, change, list and remove links.
//!
//! Start at [`PROCEDURES`]. Their rules and results are those of Microsoft's documentation; what a
//! link is stands in `server.rs`.

use std::future::ready;

use super::server::{LinkedLogin, LinkedServer, ServerOptions, same};
use super::{call, messages as link_messages, views};
use crate::catalog::record;
use crate::error::SqlResult;
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::storage::{Database, TxId};
use crate::value::{Column, Row, Rows, SqlType, Value};

/// The procedures of this room.
pub const PROCEDURES: [SystemProcedure; 9] = [
    SystemProcedure {
        name: "sp_addlinkedserver",
        parameters: &[
            Parameter::needed("@server"),
            Parameter::optional("@srvproduct"),
            Parameter::optional("@provider"),
            Parameter::optional("@datasrc"),
            Parameter::optional("@location"),
            Parameter::optional("@provstr"),
            Parameter::optional("@catalog"),
        ],
        run: |session, call| Box::pin(ready(add_server(session, call))),
    },
    SystemProcedure {
        name: "sp_serveroption",
        parameters: &[
            Parameter::needed("@server"),
            Parameter::needed("@optname"),
            Parameter::needed("@optvalue"),
        ],
        run: |session, call| Box::pin(ready(server_option(session, call))),
    },
    SystemProcedure {
        name: "sp_dropserver",
        parameters: &[
            Parameter::needed("@server"),
            Parameter::optional("@droplogins"),
        ],
        run: |session, call| Box::pin(ready(drop_server(session, call))),
    },
    SystemProcedure {
        name: "sp_addlinkedsrvlogin",
        parameters: &[
            Parameter::needed("@rmtsrvname"),
            Parameter::optional("@useself"),
            Parameter::optional("@locallogin"),
            Parameter::optional("@rmtuser"),
            Parameter::optional("@rmtpassword"),
        ],
        run: |session, call| Box::pin(ready(add_login(session, call))),
    },
    SystemProcedure {
        name: "sp_droplinkedsrvlogin",
        parameters: &[
            Parameter::needed("@rmtsrvname"),
            Parameter::needed("@locallogin"),
        ],
        run: |session, call| Box::pin(ready(drop_login(session, call))),
    },
    SystemProcedure {
        name: "sp_testlinkedserver",
        parameters: &[Parameter::needed("@servername")],
        run: |session, call| Box::pin(test_server(session, call)),
    },
    SystemProcedure {
        name: "sp_linkedservers",
        parameters: &[],
        run: |session, call| Box::pin(list_servers(session, call)),
    },
    SystemProcedure {
        name: "sp_helpserver",
        parameters: &[
            Parameter::optional("@server"),
            Parameter::optional("@optname"),
            Parameter::optional("@show_topology"),
        ],
        run: |session, call| Box::pin(help_server(session, call)),
    },
    SystemProcedure {
        name: "sp_helplinkedsrvlogin",
        parameters: &[
            Parameter::optional("@rmtsrvname"),
            Parameter::optional("@locallogin"),
        ],
        run: |session, call| Box::pin(help_login(session, call)),
    },
];

/// Links and mappings may not be changed within a transaction (15002), nor without the right
/// (15247).
fn may_change(session: &Session, call: &Call, permission: &str) -> SqlResult<()> {
    if session.transaction_count() > 0 {
        return Err(link_messages::not_within_transaction(&call.procedure));
    }
    session.require_server(permission)
}

fn add_server(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    may_change(session, &call, "ALTER ANY LINKED SERVER")?;
    let link = new_link(session, &call)?;
    let known = views::servers(&session.instance);
    let is_known = known.iter().any(|other| same(&other.name, &link.name));
    if is_known || same(&link.name, &session.instance.name()) {
        return Err(messages::link_exists(&link.name));
    }
    let wildcard = LinkedLogin {
        server_id: link.id,
        local_login: None,
        uses_self: true,
        remote_name: None,
        remote_password: None,
        modified: link.modified,
    };
    session.instance.change_quietly(|master, tx| {
        record::add(master, tx, &link)?;
        record::add(master, tx, &wildcard).map(drop)
    })?;
    Ok((0, call))
}

/// What the arguments describe. Without a product, or with `SQL Server`, nothing else may be said.
fn new_link(session: &Session, call: &Call) -> SqlResult<LinkedServer> {
    let name = call.needed_text("@server")?;
    let details = ["@provider", "@datasrc", "@location", "@provstr", "@catalog"];
    let is_detailed = details.iter().any(|detail| call.text(detail).is_some());
    let product = call.text("@srvproduct").unwrap_or_default();
    let is_sql_server = same(&product, "SQL Server") || (product.is_empty() && !is_detailed);
    if is_sql_server && is_detailed {
        return Err(link_messages::product_takes_no_provider("SQL Server"));
    }
    if !is_sql_server && call.text("@provider").is_none() {
        return Err(link_messages::invalid_product(&product));
    }
    let provider = call
        .text("@provider")
        .unwrap_or_else(|| "SQLNCLI".to_owned());
    let known = views::servers(&session.instance);
    let data_source = if is_sql_server {
        Some(name.clone())
    } else {
        call.text("@datasrc")
    };
    Ok(LinkedServer {
        id: (1..i32::MAX)
            .find(|id| known.iter().all(|link| link.id != *id))
            .unwrap_or(i32::MAX),
        name,
        product: if is_sql_server {
            "SQL Server".to_owned()
        } else {
            product
        },
        provider,
        data_source,
        location: call.text("@location"),
        provider_string: call.text("@provstr"),
        catalog: call.text("@catalog"),
        options: ServerOptions::new(is_sql_server),
        modified: session.instance.clock.local(),
    })
}

fn server_option(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    may_change(session, &call, "ALTER ANY LINKED SERVER")?;
    let mut link = needed(session, &call.needed_text("@server")?)?;
    link.set_option(
        &call.needed_text("@optname")?,
        &call.needed_text("@optvalue")?,
    )?;
    link.modified = session.instance.clock.local();
    session.instance.change_quietly(|master, tx| {
        for (row, known) in record::all::<LinkedServer>(master, Some(tx)) {
            if known.id == link.id {
                record::replace(master, tx, row, &link)?;
            }
        }
        Ok(())
    })?;
    Ok((0, call))
}

fn drop_server(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    may_change(session, &call, "ALTER ANY LINKED SERVER")?;
    let link = needed(session, &call.needed_text("@server")?)?;
    let drops_logins = match call.text("@droplogins") {
        None => false,
        Some(word) if same(&word, "droplogins") => true,
        Some(_) => return Err(link_messages::invalid_parameter(&call.procedure)),
    };
    let logins = views::logins(&session.instance);
    if !drops_logins && logins.iter().any(|login| login.server_id == link.id) {
        return Err(messages::remote_logins_left(&link.name));
    }
    session.instance.change_quietly(|master, tx| {
        remove_logins(master, tx, |login| login.server_id == link.id)?;
        for (row, known) in record::all::<LinkedServer>(master, Some(tx)) {
            if known.id == link.id {
                record::remove::<LinkedServer>(master, tx, row)?;
            }
        }
        Ok(())
    })?;
    Ok((0, call))
}

fn add_login(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    may_change(session, &call, "ALTER ANY LOGIN")?;
    let link = needed(session, &call.needed_text("@rmtsrvname")?)?;
    let uses_self = match call.text("@useself").unwrap_or_else(|| "TRUE".to_owned()) {
        word if same(&word, "true") => true,
        word if same(&word, "false") => false,
        _ => return Err(link_messages::invalid_parameter(&call.procedure)),
    };
    let local_login = local_login(session, &call)?;
    let remote = |name: &str| call.text(name).filter(|_| !uses_self);
    let login = LinkedLogin {
        server_id: link.id,
        local_login,
        uses_self,
        remote_name: remote("@rmtuser"),
        remote_password: remote("@rmtpassword"),
        modified: session.instance.clock.local(),
    };
    session.instance.change_quietly(|master, tx| {
        remove_logins(master, tx, |known| {
            is_for(known, link.id, login.local_login.as_deref())
        })?;
        record::add(master, tx, &login).map(drop)
    })?;
    Ok((0, call))
}

fn drop_login(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    may_change(session, &call, "ALTER ANY LOGIN")?;
    let link = needed(session, &call.needed_text("@rmtsrvname")?)?;
    let local = local_login(session, &call)?;
    session.instance.change_quietly(|master, tx| {
        remove_logins(master, tx, |known| is_for(known, link.id, local.as_deref()))
    })?;
    Ok((0, call))
}

fn local_login(session: &Session, call: &Call) -> SqlResult<Option<String>> {
    let Some(name) = call.text("@locallogin") else {
        return Ok(None);
    };
    match session.instance.login(&name) {
        Some(login) => Ok(Some(login.name.clone())),
        None => Err(messages::not_a_valid_login(&name)),
    }
}

fn is_for(login: &LinkedLogin, server_id: i32, local: Option<&str>) -> bool {
    let is_same_login = match (&login.local_login, local) {
        (None, None) => true,
        (Some(known), Some(local)) => same(known, local),
        _ => false,
    };
    login.server_id == server_id && is_same_login
}

fn remove_logins(
    master: &Database,
    tx: TxId,
    is_meant: impl Fn(&LinkedLogin) -> bool,
) -> SqlResult<()> {
    for (row, login) in record::all::<LinkedLogin>(master, Some(tx)) {
        if is_meant(&login) {
            record::remove::<LinkedLogin>(master, tx, row)?;
        }
    }
    Ok(())
}

async fn test_server(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let server = call.needed_text("@servername")?;
    call::test(session, &server).await?;
    Ok((0, call))
}

/// A link by name; the procedures that change links raise 15015 without one.
fn needed(session: &Session, name: &str) -> SqlResult<LinkedServer> {
    let found = views::servers(&session.instance)
        .into_iter()
        .find(|link| same(&link.name, name));
    found.ok_or_else(|| messages::link_not_found(name))
}

async fn list_servers(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let name = |name| Column::new(name, SqlType::SYSNAME);
    let text = |name| Column::new(name, SqlType::NVarChar(Some(4000)));
    let columns = vec![
        name("SRV_NAME"),
        name("SRV_PROVIDERNAME"),
        name("SRV_PRODUCT"),
        text("SRV_DATASOURCE"),
        text("SRV_PROVIDERSTRING"),
        text("SRV_LOCATION"),
        name("SRV_CAT"),
    ];
    let own = session.instance.name();
    let own_row: Row = vec![
        own.as_str().into(),
        "SQLNCLI".into(),
        "SQL Server".into(),
        own.as_str().into(),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    let shows = session.has_server("ALTER ANY LINKED SERVER");
    let row = |link: LinkedServer| -> Row {
        vec![
            link.name.into(),
            link.provider.into(),
            link.product.into(),
            link.data_source.into(),
            link.provider_string.filter(|_| shows).into(),
            link.location.into(),
            link.catalog.into(),
        ]
    };
    let links = views::servers(&session.instance).into_iter().map(row);
    let rows = Rows {
        columns,
        rows: std::iter::once(own_row).chain(links).collect(),
    };
    call::send(session, rows).await;
    Ok((0, call))
}

async fn help_server(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let wanted = call.text("@server");
    if let Some(name) = &wanted
        && !same(name, &session.instance.name())
    {
        needed(session, name)?;
    }
    let name = |name| Column::new(name, SqlType::SYSNAME);
    let columns = vec![
        name("name"),
        name("network_name"),
        Column::new("status", SqlType::VarChar(Some(70))),
        Column::new("id", SqlType::Char(4)),
        name("collation_name"),
        Column::new("connect_timeout", SqlType::Int),
        Column::new("query_timeout", SqlType::Int),
    ];
    let own = session.instance.name();
    let own_row = help_row(&own, 0, &ServerOptions::new(true));
    let links = views::servers(&session.instance);
    let rows = links.iter().map(|link| {
        (
            link.name.as_str(),
            help_row(&link.name, link.id, &link.options),
        )
    });
    let all = std::iter::once((own.as_str(), own_row)).chain(rows);
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| same(wanted, name));
    let rows = all
        .filter(|(name, _)| is_wanted(name))
        .map(|(_, row)| row)
        .collect();
    call::send(session, Rows { columns, rows }).await;
    Ok((0, call))
}

fn help_row(name: &str, id: i32, options: &ServerOptions) -> Row {
    let words = [
        (options.rpc, "rpc"),
        (options.rpc_out, "rpc out"),
        (options.data_access && id > 0, "data access"),
        (options.collation_compatible, "collation compatible"),
        (options.use_remote_collation, "use remote collation"),
        (options.promotion, "remote proc transaction promotion"),
    ];
    let set: Vec<_> = words
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, word)| *word)
        .collect();
    vec![
        name.into(),
        name.into(),
        set.join(",").into(),
        format!("{id:<4}").into(),
        options.collation_name.clone().into(),
        options.connect_timeout_seconds.into(),
        options.query_timeout_seconds.into(),
    ]
}

async fn help_login(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let servers = views::servers(&session.instance);
    let server_name = |id| {
        servers
            .iter()
            .find(|link| link.id == id)
            .map(|link| link.name.clone())
    };
    let wanted = call
        .text("@rmtsrvname")
        .map(|name| needed(session, &name))
        .transpose()?;
    let name = |name| Column::new(name, SqlType::SYSNAME);
    let columns = vec![
        name("Linked Server"),
        name("Local Login"),
        Column::new("Is Self Mapping", SqlType::SmallInt),
        name("Remote Login"),
    ];
    let logins = views::logins(&session.instance);
    let logins = logins.into_iter().filter(|login| {
        wanted
            .as_ref()
            .is_none_or(|link| link.id == login.server_id)
    });
    let row = |login: LinkedLogin| -> Row {
        vec![
            server_name(login.server_id).into(),
            login.local_login.into(),
            Value::Int(login.uses_self.into()),
            login.remote_name.into(),
        ]
    };
    let rows = Rows {
        columns,
        rows: logins.map(row).collect(),
    };
    call::send(session, rows).await;
    Ok((0, call))
}
