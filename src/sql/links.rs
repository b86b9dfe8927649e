//! Linked servers: made, mended, removed, tested, and read for the survey.
//!
//! Start at [`ensure_link`]. A link leads from the management host to one other host; only the agent's own
//! login is mapped, the mapping for everybody is dropped (`sp_addlinkedserver` makes one), and a remote
//! call inside a transaction makes it distributed, or the mark over there would commit by itself.
//!
//! A link that Stopmark did not make is never removed here.

use super::SqlFleet;
use super::every::Sample;
use super::fault::{Fault, missing_right};
use super::quote::identifier;
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter};
use crate::config::LoginConfig;
use crate::doctor::LinkCure;
use crate::error::{Code, Error, Result, Retry};
use crate::model::HostName;
use crate::plan::{EnsureLink, LinkSecurity};
use crate::survey::{LinkFacts, LinkMapping};

/// Seconds to wait for the other side to answer at all.
const CONNECT_TIMEOUT_S: i32 = 15;

/// `sys.server_principals.type` of a login with a password of SQL Server's own.
const SQL_LOGIN: &str = "S";

/// Makes the link or mends it; safe to run again.
pub(super) async fn ensure_link(
    fleet: &SqlFleet,
    host: &HostName,
    step: &EnsureLink,
) -> Result<()> {
    let at_link = |error: Error| error.at("link", &step.link);
    let mapping = mapping_sql(fleet, step).map_err(at_link)?;
    let session = fleet.open(host).await.map_err(at_link)?;
    let (mut session, links) = link_facts(session).await.map_err(at_link)?;
    let existing = links
        .iter()
        .find(|link| link.name.to_lowercase() == step.link.to_lowercase());
    // Provider, source and provider string cannot be changed in place.
    let leads_right = existing.is_some_and(|link| leads_as(link, step));
    let has_wildcard = existing.is_none_or(|link| !leads_right || maps_everybody(link));
    let mut batches = Vec::new();
    if existing.is_some() && !leads_right {
        batches.push(drop_link_sql(&step.link));
    }
    if !leads_right {
        batches.push(add_link_sql(step));
    }
    batches.push(options_sql(step));
    if has_wildcard {
        batches.push(drop_wildcard_sql(&step.link));
    }
    batches.push(mapping);
    for batch in batches {
        session = told(session.try_ask(&batch).await, host)
            .map_err(at_link)?
            .0;
    }
    Ok(())
}

/// Removes a link that Stopmark made; `SM0304` for another's.
pub(super) async fn remove_link(fleet: &SqlFleet, host: &HostName, name: &str) -> Result<()> {
    let at_link = |error: Error| error.at("link", name);
    let session = fleet.open(host).await.map_err(at_link)?;
    let (session, links) = link_facts(session).await.map_err(at_link)?;
    let Some(link) = links
        .iter()
        .find(|link| link.name.to_lowercase() == name.to_lowercase())
    else {
        return Ok(());
    };
    if !link.is_ours() {
        return Err(at_link(
            Error::new(
                Code::LinkForeign,
                "the linked server was not made by Stopmark",
            )
            .at("host", host)
            .hint("remove it yourself with `sp_dropserver`, if nothing else uses it"),
        ));
    }
    told(session.try_ask(&drop_link_sql(&link.name)).await, host).map_err(at_link)?;
    Ok(())
}

/// Calls through the link; the true name of the other side.
pub(super) async fn test_link(fleet: &SqlFleet, host: &HostName, name: &str) -> Result<HostName> {
    let at_link = |error: Error| error.at("link", name);
    let session = fleet.open(host).await.map_err(at_link)?;
    let asked = session.try_ask(&reach_sql(name)).await;
    let (session, _) = asked.map_err(|fault| at_link(test_error(fault, host)))?;
    let asked = session.try_ask(&true_name_sql(name)).await;
    let (_, answer) = asked.map_err(|fault| at_link(test_error(fault, host)))?;
    let true_name = || -> Result<HostName, Fault> {
        let text = rows::only(&answer)?.text("true_name")?;
        text.parse()
            .map_err(|_| Fault::Shape(format!("`{text}` cannot be a host's name")))
    };
    true_name().map_err(|fault| at_link(fault.at(host)))
}

/// All linked servers of a host with their mappings.
pub(super) async fn link_facts(session: SqlSession) -> Result<(SqlSession, Vec<LinkFacts>)> {
    let (session, answer) = session.ask(&links_sql()).await?;
    let links = read_links(&answer).map_err(|fault| fault.at(session.host()))?;
    Ok((session, links))
}

fn leads_as(link: &LinkFacts, step: &EnsureLink) -> bool {
    link.product.is_empty()
        && link.provider.eq_ignore_ascii_case(&step.provider)
        && link.data_source.as_deref() == Some(&step.data_source)
        && link.provider_string.as_deref() == Some(&step.provider_string)
}

fn maps_everybody(link: &LinkFacts) -> bool {
    link.mappings
        .iter()
        .any(|mapping| mapping.local_login.is_none())
}

fn read_links(answer: &Answer) -> Result<Vec<LinkFacts>, Fault> {
    let mappings = rows::set(answer, 1)
        .map(|row| Ok((row.int("server_id")?, mapping(row)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    rows::set(answer, 0)
        .map(|row| link(row, &mappings))
        .collect()
}

fn link(row: Cells<'_>, mappings: &[(i32, LinkMapping)]) -> Result<LinkFacts, Fault> {
    let id = row.int("server_id")?;
    let own = mappings.iter().filter(|(server, _)| *server == id);
    Ok(LinkFacts {
        name: row.text("name")?,
        product: row.text_or_null("product")?.unwrap_or_default(),
        provider: row.text_or_null("provider")?.unwrap_or_default(),
        data_source: row.text_or_null("data_source")?,
        provider_string: row.text_or_null("provider_string")?,
        is_rpc: row.flag("is_remote_login_enabled")?,
        is_rpc_out: row.flag("is_rpc_out_enabled")?,
        is_data_access: row.flag("is_data_access_enabled")?,
        is_promotion: row.flag("is_remote_proc_transaction_promotion_enabled")?,
        query_timeout_s: row.int_or_null("query_timeout")?.unwrap_or(0),
        connect_timeout_s: row.int_or_null("connect_timeout")?.unwrap_or(0),
        is_collation_compatible: row.flag("is_collation_compatible")?,
        mappings: own.map(|(_, mapping)| mapping.clone()).collect(),
    })
}

fn mapping(row: Cells<'_>) -> Result<LinkMapping, Fault> {
    let principal = row.int("local_principal_id")?;
    let name = row.text_or_null("local_login")?;
    Ok(LinkMapping {
        // Principal 0 is everybody; another without a name is one that the login may not see.
        local_login: match (principal, name) {
            (0, _) => None,
            (_, Some(name)) => Some(name),
            (id, None) => Some(format!("principal {id}")),
        },
        uses_self: row.flag("uses_self_credential")?,
        remote_login: row.text_or_null("remote_name")?,
        is_sql_login: row.text_or_null("login_type")?.as_deref() == Some(SQL_LOGIN),
    })
}

/// A link statement's answer, with the codes of links.
fn told(
    asked: std::result::Result<(SqlSession, Answer), Fault>,
    host: &HostName,
) -> Result<(SqlSession, Answer)> {
    asked.map_err(|fault| fault.at_as(host, Code::LinkWrong, "the linked server was not mended"))
}

fn test_error(fault: Fault, host: &HostName) -> Error {
    let (code, hint) = match fault.number() {
        Some(7202) => (Code::LinkMissing, "run `stopmark link apply`"),
        Some(7411) => (
            Code::LinkWrong,
            "`rpc out` is off: run `stopmark link apply`",
        ),
        Some(7416) => (
            Code::LinkWrong,
            "the agent's login is not mapped: run `stopmark link apply`",
        ),
        Some(18452 | 18456) => (
            Code::LinkTestFailed,
            "the other side refuses the mapped login: see `link_login` of that host; `stopmark link apply --foreign 'LINK'` \
             maps it anew",
        ),
        _ => (
            Code::LinkTestFailed,
            "see that this host reaches the other by the link's data source and trusts its certificate",
        ),
    };
    match fault {
        Fault::Refused(cause) if missing_right(&cause).is_none() => {
            Error::new(code, "the linked server does not answer")
                .caused_by_sql(cause)
                .at("host", host)
                .hint(hint)
                .retry(Retry::Safe)
        }
        other => other.at(host),
    }
}

fn links_sql() -> Batch {
    Batch::plain(
        "SELECT s.server_id, s.name, s.product, s.provider, s.data_source, s.provider_string,\n    \
         s.is_remote_login_enabled, s.is_rpc_out_enabled, s.is_data_access_enabled,\n    \
         s.is_remote_proc_transaction_promotion_enabled, s.query_timeout, s.connect_timeout,\n    \
         s.is_collation_compatible\n\
         FROM sys.servers AS s\n\
         WHERE s.is_linked = 1\n\
         ORDER BY s.name;\n\
         SELECT l.server_id, l.local_principal_id, p.name AS local_login,\n    \
         p.type AS login_type, l.uses_self_credential, l.remote_name\n\
         FROM sys.linked_logins AS l\n\
         LEFT JOIN sys.server_principals AS p ON p.principal_id = l.local_principal_id\n\
         WHERE l.server_id <> 0\n\
         ORDER BY l.server_id, l.local_principal_id;",
    )
}

/// An empty product makes it an OLE DB source, whose name need not be its network name.
fn add_link_sql(step: &EnsureLink) -> Batch {
    Batch::with(
        "EXEC sys.sp_addlinkedserver @server = @P1, @srvproduct = N'', @provider = @P2,\n    \
         @datasrc = @P3, @provstr = @P4;",
        [
            &step.link,
            &step.provider,
            &step.data_source,
            &step.provider_string,
        ]
        .map(Parameter::text),
    )
}

fn drop_link_sql(name: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_dropserver @server = @P1, @droplogins = 'droplogins';",
        [Parameter::text(name)],
    )
}

/// `data access` stays as it is: calls do not need it, and it does no harm.
fn options_sql(step: &EnsureLink) -> Batch {
    Batch::with(
        "EXEC sys.sp_serveroption @server = @P1, @optname = 'rpc', @optvalue = N'true';\n\
         EXEC sys.sp_serveroption @server = @P1, @optname = 'rpc out', @optvalue = N'true';\n\
         EXEC sys.sp_serveroption @server = @P1,\n    \
         @optname = 'remote proc transaction promotion', @optvalue = N'true';\n\
         EXEC sys.sp_serveroption @server = @P1, @optname = 'query timeout', @optvalue = @P2;\n\
         EXEC sys.sp_serveroption @server = @P1, @optname = 'connect timeout', @optvalue = @P3;",
        [
            Parameter::text(&step.link),
            Parameter::text(step.query_timeout_s.to_string()),
            Parameter::text(CONNECT_TIMEOUT_S.to_string()),
        ],
    )
}

fn drop_wildcard_sql(name: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_droplinkedsrvlogin @rmtsrvname = @P1, @locallogin = NULL;",
        [Parameter::text(name)],
    )
}

fn drop_mapping_sql(name: &str, login: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_droplinkedsrvlogin @rmtsrvname = @P1, @locallogin = @P2;",
        [name, login].map(Parameter::text),
    )
}

/// Maps the login that the agent itself is on this host; a mapping that is there is replaced.
fn mapping_sql(fleet: &SqlFleet, step: &EnsureLink) -> Result<Batch> {
    let LinkSecurity::Mapped { remote_login } = &step.security else {
        return Ok(map_self_sql(&step.link));
    };
    let target = fleet.host(&step.target)?;
    match &target.link_login {
        Some(LoginConfig::Sql { user, password }) if user == remote_login => Ok(map_login_sql(
            &step.link,
            remote_login,
            Parameter::Secret(password.clone()),
        )),
        _ => Err(Error::new(
            Code::ConfigValue,
            format!(
                "host `{}` has no `link_login` called `{remote_login}`",
                step.target
            ),
        )
        .hint("the plan was made from another configuration: plan again")),
    }
}

fn map_self_sql(name: &str) -> Batch {
    Batch::with(
        "DECLARE @self sysname = SUSER_SNAME();\n\
         EXEC sys.sp_addlinkedsrvlogin @rmtsrvname = @P1, @useself = 'TRUE', @locallogin = @self;",
        [Parameter::text(name)],
    )
}

fn map_login_sql(name: &str, remote_login: &str, password: Parameter) -> Batch {
    Batch::with(
        "DECLARE @self sysname = SUSER_SNAME();\n\
         EXEC sys.sp_addlinkedsrvlogin @rmtsrvname = @P1, @useself = 'FALSE', @locallogin = @self,\n    \
         @rmtuser = @P2, @rmtpassword = @P3;",
        [
            Parameter::text(name),
            Parameter::text(remote_login),
            password,
        ],
    )
}

fn reach_sql(name: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_testlinkedserver @servername = @P1;",
        [Parameter::text(name)],
    )
}

fn true_name_sql(name: &str) -> Batch {
    Batch::plain(format!(
        "EXEC (N'SELECT CAST(SERVERPROPERTY(''ServerName'') AS nvarchar(128)) AS true_name;') AT {};",
        identifier(name)
    ))
}

/// The T-SQL that makes and mends links, for a person to run as the agent's login; passwords are left to be filled in.
#[must_use]
pub fn script<'a>(steps: impl IntoIterator<Item = &'a EnsureLink>) -> String {
    let mut text = String::new();
    for step in steps {
        let mapping = match &step.security {
            LinkSecurity::UseSelf => map_self_sql(&step.link),
            LinkSecurity::Mapped { remote_login } => {
                map_login_sql(&step.link, remote_login, Parameter::text("<password>"))
            }
        };
        let drop = step.exists.then(|| drop_link_sql(&step.link));
        let made = [
            add_link_sql(step),
            options_sql(step),
            drop_wildcard_sql(&step.link),
            mapping,
        ];
        for batch in drop.into_iter().chain(made) {
            text.push_str(&batch.to_script());
            text.push_str("\nGO\n");
        }
    }
    text
}

/// The T-SQL of one cure of a link, for a person to run; none where it needs `stopmark link apply`, which knows the
/// login.
#[must_use]
pub fn cure_script(link: &str, cure: &LinkCure) -> Option<String> {
    let batch = match cure {
        LinkCure::Option { option, value } => option_sql(link, option, value),
        LinkCure::DropWildcard => drop_wildcard_sql(link),
        LinkCure::DropMapping { login } => drop_mapping_sql(link, login),
        LinkCure::DropLink { link } => drop_link_sql(link),
        LinkCure::Configure { .. } | LinkCure::Apply => return None,
    };
    Some(batch.to_script())
}

fn option_sql(link: &str, option: &str, value: &str) -> Batch {
    Batch::with(
        "EXEC sys.sp_serveroption @server = @P1, @optname = @P2, @optvalue = @P3;",
        [link, option, value].map(Parameter::text),
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let step = EnsureLink {
        link: sample.host.clone(),
        target: sample.host.parse().expect("samples are valid names"),
        data_source: "tcp:pay2.example,1433".to_owned(),
        provider: "MSOLEDBSQL".to_owned(),
        provider_string: format!("{}Encrypt=Mandatory;", crate::survey::LINK_SIGNATURE),
        query_timeout_s: 600,
        security: LinkSecurity::UseSelf,
        exists: false,
        reason: String::new(),
    };
    let password = Parameter::Secret("hunter2".to_owned().into());
    vec![
        ("links.list", links_sql()),
        ("links.add", add_link_sql(&step)),
        ("links.drop", drop_link_sql(&step.link)),
        ("links.options", options_sql(&step)),
        ("links.drop_wildcard", drop_wildcard_sql(&step.link)),
        (
            "links.drop_mapping",
            drop_mapping_sql(&step.link, &sample.login),
        ),
        ("links.map_self", map_self_sql(&step.link)),
        (
            "links.map_login",
            map_login_sql(&step.link, &sample.login, password),
        ),
        ("links.option", option_sql(&step.link, "rpc out", "true")),
        ("links.reach", reach_sql(&step.link)),
        ("links.true_name", true_name_sql(&step.link)),
    ]
}
