//! Logs in: from one host's configuration to a session that is ready for statements.
//!
//! Start at [`open`]. Certificates are verified unless the configuration asks for none; every connection
//! first speaks US English, so that texts mean the same everywhere, and learns its session id, so that
//! another connection can end what it started.
//!
//! Nothing here puts a password into an error or a log.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio_util::compat::TokioAsyncWriteCompatExt;
use tracing::Instrument;

use super::dial::{Address, Dial, Listener, Wire};
use super::fault::Fault;
use super::observe::Operation;
use super::rows;
use super::session::{Answer, SqlSession, as_fault, within};
use super::statement::Batch;
use crate::config::{Encryption, HostConfig, LoginConfig};
use crate::error::{Code, Error, Result, Retry, SqlCause};
use crate::model::HostName;
use crate::survey::PROGRAM_NAME;
use crate::world::Clock;

/// Opens a session on the host, and tells the true name that whoever answers there says; `connect_timeout` is for dialling, TLS and login together, and
/// `answer_max` is how long a statement may go without ending.
///
/// Errors: `SM0201` unreachable, `SM0202` login refused, `SM0208` certificate, `SM0103` a configuration
/// that cannot work on this system.
pub(super) async fn open(
    host: &HostConfig,
    dial: &dyn Dial,
    clock: Arc<dyn Clock>,
    connect_timeout: Duration,
    answer_max: Duration,
) -> Result<(SqlSession, HostName)> {
    let mut config = client_config(host).await?;
    if dial.stays_inside() {
        config.encryption(EncryptionLevel::NotSupported);
    }
    let operation = Operation::begin()?;
    let logging_in = async {
        let wire = dial
            .dial(host)
            .await
            .map_err(|error| unreachable(host, &error.to_string()))?;
        let client = Box::pin(Client::connect(config, wire.compat_write())).await;
        client
            .map(Box::new)
            .map_err(|error| login_error(host, error))
    };
    let client = within(
        clock.as_ref(),
        connect_timeout,
        logging_in.instrument(operation.span()),
    )
    .await
    .unwrap_or_else(|| {
        let text = format!("no answer within {} s", connect_timeout.as_secs());
        Err(unreachable(host, &text))
    })?;
    let session = SqlSession::new(host.name.clone(), client, operation, clock, answer_max);
    let (session, answer) = session.ask(&greeting()).await?;
    let (id, said) = greeted(&answer).map_err(|fault| fault.at(&host.name))?;
    Ok((session.with_id(id), said))
}

fn greeted(answer: &Answer) -> Result<(i32, HostName), Fault> {
    let row = rows::only(answer)?;
    let name = row.text("true_name")?;
    let shape = |_| Fault::Shape(format!("`{name}` cannot be a host's"));
    Ok((row.int("session_id")?, name.parse().map_err(shape)?))
}

/// What every connection says first: one language for all texts, and the settings that remote calls and
/// BACKUP need, whatever the server's `user options` are.
pub(super) fn greeting() -> Batch {
    Batch::plain(
        "SET LANGUAGE us_english;\n\
         SET ANSI_NULLS ON;\n\
         SET ANSI_WARNINGS ON;\n\
         SET QUOTED_IDENTIFIER ON;\n\
         SET IMPLICIT_TRANSACTIONS OFF;\n\
         SET NOCOUNT ON;\n\
         SELECT CAST(@@SPID AS int) AS session_id,\n    \
             CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS true_name;",
    )
}

/// A client over whatever the dial opened.
pub(super) type Connection = Client<tokio_util::compat::Compat<Box<dyn Wire>>>;

async fn client_config(host: &HostConfig) -> Result<tiberius::Config> {
    let address = Address::parse(&host.address).ok_or_else(|| {
        Error::new(
            Code::ConfigValue,
            format!("`{}` is not an address over tcp", host.address),
        )
        .at("host", &host.name)
        .hint("write `host`, `host,port` or `host\\instance`")
    })?;
    let mut config = tiberius::Config::new();
    config.host(address.machine);
    config.application_name(PROGRAM_NAME);
    // A ticket of Kerberos is for one port of one machine.
    if let Listener::Port(port) = address.listener {
        config.port(port);
    }
    config.authentication(authentication(host)?);
    config.encryption(match host.encryption {
        Encryption::Required => EncryptionLevel::Required,
        Encryption::Strict => EncryptionLevel::Strict,
        Encryption::LoginOnly => EncryptionLevel::Off,
    });
    // Both limits are ours, by the clock seam; tiberius' own would leave a connection half-read.
    config.handshake_timeout(None);
    config.command_timeout(None);
    config.lossy_utf16_decoding(true);
    match (&host.trust_ca, host.trust_any_certificate) {
        (_, true) => config.trust_cert(),
        (Some(path), false) => config.trust_cert_ca_bundle(authority(host, path).await?),
        (None, false) => {}
    }
    Ok(config)
}

async fn authority(host: &HostConfig, path: &std::path::Path) -> Result<Vec<u8>> {
    tokio::fs::read(path).await.map_err(|error| {
        Error::new(
            Code::HostTls,
            "the file of the certificate authority cannot be read",
        )
        .at("host", &host.name)
        .at("file", path.display())
        .source(error)
    })
}

fn authentication(host: &HostConfig) -> Result<AuthMethod> {
    match &host.login {
        LoginConfig::Sql { user, password } => {
            Ok(AuthMethod::sql_server(user, password.expose_secret()))
        }
        LoginConfig::Integrated => integrated(host),
    }
}

#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may be an error")]
fn integrated(_host: &HostConfig) -> Result<AuthMethod> {
    Ok(AuthMethod::Integrated)
}

/// With a ticket for `MSSQLSvc/machine:port`; nothing here asks which port SQL Browser told.
#[cfg(all(not(windows), feature = "kerberos"))]
fn integrated(host: &HostConfig) -> Result<AuthMethod> {
    match Address::parse(&host.address).map(|address| address.listener) {
        Some(Listener::Instance(_)) => Err(Error::new(
            Code::ConfigValue,
            format!("kerberos needs the port, and `{}` has none", host.address),
        )
        .at("host", &host.name)
        .hint("write `address = 'machine,port'`, as in the service's principal name")),
        Some(Listener::Port(_)) | None => Ok(AuthMethod::Integrated),
    }
}

#[cfg(not(any(windows, feature = "kerberos")))]
fn integrated(host: &HostConfig) -> Result<AuthMethod> {
    Err(Error::new(
        Code::ConfigValue,
        "integrated login works only on windows, or in a build that knows kerberos",
    )
    .at("host", &host.name)
    .hint("give a SQL Server login with `user` and `password`"))
}

fn unreachable(host: &HostConfig, why: &str) -> Error {
    Error::new(
        Code::HostUnreachable,
        format!("`{}` does not answer: {why}", host.address),
    )
    .at("host", &host.name)
    .hint("see that SQL Server runs, listens on TCP, and that a firewall lets the port through")
    .retry(Retry::Safe)
}

/// What a failed login becomes.
fn login_error(host: &HostConfig, error: tiberius::error::Error) -> Error {
    use tiberius::error::Error as Client;
    match error {
        Client::Tls(text) => certificate_error(host, &text),
        Client::Io { message, .. } => unreachable(host, &message),
        Client::Routing { host: other, port } => unreachable(
            host,
            &format!("it sends its clients on to `{other},{port}`"),
        ),
        #[cfg(all(not(windows), feature = "kerberos"))]
        Client::Gssapi(text) => no_ticket(host, &text),
        other => match as_fault(other) {
            super::fault::Fault::Refused(cause) => refused_login(host, cause),
            fault => fault.at(&host.name),
        },
    }
}

fn certificate_error(host: &HostConfig, text: &str) -> Error {
    // The library goes on with advice about its own interface, which helps nobody here.
    let text = text.split(" To connect anyway").next().unwrap_or(text);
    Error::new(Code::HostTls, text.trim_end_matches('.'))
        .at("host", &host.name)
        .hint("name the authority's file in `trust_ca`; the address must stand in the certificate")
}

/// Kerberos gave no ticket, or the host's answer to it was none.
#[cfg(all(not(windows), feature = "kerberos"))]
fn no_ticket(host: &HostConfig, text: &str) -> Error {
    Error::new(Code::LoginRefused, format!("kerberos: {}", text.trim()))
        .at("host", &host.name)
        .hint(
            "see `klist` as the agent's account, and that the directory knows \
             `MSSQLSvc/machine:port` of this host's address (`setspn -L`)",
        )
}

fn refused_login(host: &HostConfig, cause: SqlCause) -> Error {
    let hint = match cause.number {
        18452 => {
            "the host does not trust the login's domain: use a SQL Server login, or see that host and \
             account are of one domain"
        }
        18456 => "see user and password; the server's error log has the reason as a state number",
        18470 | 18486 => "the login is disabled or locked",
        18487 | 18488 => "the login's password has expired or must be changed",
        4060 | 4064 => "the login's default database cannot be opened",
        _ => "the server's error log may say more",
    };
    Error::new(Code::LoginRefused, Code::LoginRefused.meaning())
        .caused_by_sql(cause)
        .at("host", &host.name)
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tiberius::error::Error as Client;

    use super::*;

    fn host() -> HostConfig {
        HostConfig {
            name: "PAY1".parse().expect("valid"),
            address: "pay1.example,14330".to_owned(),
            login: LoginConfig::Sql {
                user: "agent".to_owned(),
                password: SecretString::from("hunter2".to_owned()),
            },
            encryption: Encryption::Required,
            trust_ca: None,
            trust_any_certificate: false,
            share: None,
            foreign: Vec::new(),
            link_address: None,
            link_login: None,
        }
    }

    #[test]
    fn failures_to_connect_have_their_codes() {
        let io = Client::Io {
            kind: std::io::ErrorKind::ConnectionReset,
            message: "reset".to_owned(),
        };
        let tls = Client::Tls(
            "the server's certificate was rejected: UnknownIssuer. To connect anyway you can: x"
                .to_owned(),
        );
        let routing = Client::Routing {
            host: "elsewhere".to_owned(),
            port: 11000,
        };
        for (error, code) in [
            (io, Code::HostUnreachable),
            (tls, Code::HostTls),
            (routing, Code::HostUnreachable),
            (Client::Protocol("nonsense".into()), Code::ConnectionLost),
        ] {
            assert_eq!(
                login_error(&host(), error.clone()).code(),
                code,
                "{error:?}"
            );
        }
    }

    #[test]
    fn the_librarys_advice_is_cut_from_certificate_errors() {
        let error = certificate_error(
            &host(),
            "rejected: UnknownIssuer. To connect anyway you can: x",
        );
        assert_eq!(error.message(), "rejected: UnknownIssuer");
    }

    #[test]
    fn a_refused_login_keeps_the_servers_number_and_no_password() {
        let cause = SqlCause {
            number: 18456,
            class: 14,
            text: "Login failed for user 'agent'.".to_owned(),
        };
        let error = refused_login(&host(), cause.clone());
        assert_eq!(error.code(), Code::LoginRefused);
        assert_eq!(error.sql(), Some(&cause));
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(!format!("{:?}", host()).contains("hunter2"));
    }

    #[tokio::test]
    async fn a_client_configuration_hides_the_password() {
        let config = client_config(&host()).await.expect("complete");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.get_command_timeout(), None);
        assert_eq!(config.get_handshake_timeout(), None);
    }

    #[tokio::test]
    async fn a_missing_authority_file_is_named() {
        let mut host = host();
        host.trust_ca = Some("/nonexistent/ca.pem".into());
        let error = client_config(&host).await.expect_err("no such file");
        assert_eq!(error.code(), Code::HostTls);
        let file = ("file", "/nonexistent/ca.pem".to_owned());
        assert!(error.context().contains(&file));
    }

    #[tokio::test]
    async fn a_client_knows_the_port_that_a_ticket_is_for() {
        let config = client_config(&host()).await.expect("complete");
        assert_eq!(config.get_addr(), "pay1.example:14330");
    }

    #[cfg(all(not(windows), feature = "kerberos"))]
    #[test]
    fn kerberos_asks_for_the_port() {
        let mut host = host();
        host.login = LoginConfig::Integrated;
        authentication(&host).expect("it has one");
        host.address = r"pay1.example\PAY".to_owned();
        let error = authentication(&host).expect_err("no port");
        assert_eq!(error.code(), Code::ConfigValue);
    }

    #[cfg(not(any(windows, feature = "kerberos")))]
    #[test]
    fn integrated_login_is_refused_where_it_cannot_work() {
        let mut host = host();
        host.login = LoginConfig::Integrated;
        let error = authentication(&host).expect_err("not on windows");
        assert_eq!(error.code(), Code::ConfigValue);
    }
}
