//! One open connection to another host: a real TDS client.
//!
//! Start at [`Connection::open`] and [`Connection::run`]. The connection knows the true name of the
//! host behind it, so that two links to one host are recognised. It decides nothing about rights,
//! mappings or transactions.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream as _;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::dial::{Dial, Stream};
use super::{convert, messages};
use crate::error::{SqlError, SqlResult};
use crate::value::{Row, Rows, Value};

/// Whom to connect to, and as whom.
#[derive(Clone)]
pub struct Target {
    /// The data source to dial.
    pub data_source: String,
    /// The login there.
    pub user_name: String,
    /// Its password.
    pub password: String,
    /// The database to begin in; the login's own if none.
    pub database: Option<String>,
    /// How the connection is protected.
    pub security: Security,
    /// What the other host sees as program name.
    pub program: String,
}

/// How a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Only the login is encrypted, and the certificate is not looked at (`Encrypt=Optional`).
    LoginOnly,
    /// All is encrypted, and the certificate is not looked at.
    Trusting,
    /// All is encrypted, and the certificate must be good for this name.
    Verified {
        /// The name that the certificate must carry.
        host_name: String,
    },
}

/// Why there is no connection.
pub enum Refusal {
    /// Nobody answered, or not in TDS, or the certificate was not trusted; with a reason.
    Unreachable(String),
    /// The host said no, for instance with 18456.
    Refused(SqlError),
}

/// One open connection.
pub struct Connection {
    client: Client<Compat<Box<dyn Stream>>>,
    host_name: String,
    is_broken: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("host_name", &self.host_name)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, logs in and asks for the host's true name.
    pub async fn open(dial: &dyn Dial, target: &Target) -> Result<Self, Refusal> {
        let opened = Self::open_with(dial, target, config(dial, target)).await;
        let Err(Refusal::Unreachable(reason)) = opened else {
            return opened;
        };
        if target.security != Security::LoginOnly {
            return Err(Refusal::Unreachable(reason));
        }
        // The client library insists on TLS for the login; a host that has none is asked again
        // without.
        let mut config = config(dial, target);
        config.encryption(EncryptionLevel::NotSupported);
        let again = Self::open_with(dial, target, config).await;
        again.map_err(|refusal| match refusal {
            Refusal::Unreachable(_) => Refusal::Unreachable(reason),
            refused @ Refusal::Refused(_) => refused,
        })
    }

    async fn open_with(dial: &dyn Dial, target: &Target, config: Config) -> Result<Self, Refusal> {
        let stream = dial.dial(&target.data_source).await;
        let stream = stream.map_err(|error| Refusal::Unreachable(error.to_string()))?;
        // Boxed, because a login of the client library is a future of 17 KiB.
        let connecting = Client::connect(config, stream.compat_write());
        let client = Box::pin(connecting).await;
        let client = client.map_err(refusal)?;
        let mut connection = Self {
            client,
            host_name: String::new(),
            is_broken: false,
        };
        let name = "SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ServerName'))";
        let answer = connection.run(name).await.map_err(Refusal::Refused)?;
        connection.host_name = first_text(&answer).unwrap_or_default();
        Ok(connection)
    }

    /// `SERVERPROPERTY('ServerName')` of the host behind the connection.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Whether the connection is of no more use.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Gives the connection up: whatever was going on there is rolled back by the host.
    pub const fn break_off(&mut self) {
        self.is_broken = true;
    }

    /// Runs a batch and collects its result sets. The first error of the host is the error here.
    pub async fn run(&mut self, sql: &str) -> SqlResult<Vec<Rows>> {
        if self.is_broken {
            return Err(messages::connection_broken());
        }
        // Until the answer has been read to its end the connection cannot be used for anything
        // else; a caller that stops waiting leaves it broken.
        self.is_broken = true;
        let answer = collect(&mut self.client, sql).await;
        match answer {
            Ok(results) => {
                self.is_broken = false;
                Ok(results)
            }
            Err(tiberius::error::Error::Server(error)) => {
                // A fatal error ends the session on the other side.
                self.is_broken = error.class() >= 20;
                Err(server_error(&error))
            }
            Err(_) => Err(messages::connection_broken()),
        }
    }
}

/// The first cell of the first result, as text.
pub(super) fn first_text(results: &[Rows]) -> Option<String> {
    first_value(results)?.as_text().map(str::to_owned)
}

/// The first cell of the first result.
pub(super) fn first_value(results: &[Rows]) -> Option<&Value> {
    results.first()?.rows.first()?.first()
}

async fn collect(
    client: &mut Client<Compat<Box<dyn Stream>>>,
    sql: &str,
) -> tiberius::Result<Vec<Rows>> {
    let mut stream = client.simple_query(sql).await?;
    let mut results: Vec<Rows> = Vec::new();
    while let Some(item) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        match item? {
            QueryItem::Metadata(metadata) => {
                let columns = metadata.columns().iter().map(convert::column).collect();
                results.push(Rows {
                    columns,
                    rows: Vec::new(),
                });
            }
            QueryItem::Row(row) => {
                let row: Row = row.cells().map(|(_, data)| convert::value(data)).collect();
                if let Some(result) = results.last_mut() {
                    result.rows.push(row);
                }
            }
        }
    }
    for result in &mut results {
        convert::fit(&mut result.columns, &result.rows);
    }
    Ok(results)
}

fn config(dial: &dyn Dial, target: &Target) -> Config {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server(&target.user_name, &target.password));
    config.application_name(&target.program);
    if let Some(database) = &target.database {
        config.database(database);
    }
    match &target.security {
        Security::LoginOnly => {
            config.encryption(EncryptionLevel::Off);
            config.trust_cert();
        }
        Security::Trusting => {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert();
        }
        Security::Verified { host_name } => {
            config.encryption(EncryptionLevel::Required);
            config.host(host_name);
            if let Some(ca) = dial.trusted_ca() {
                config.trust_cert_ca_bundle(ca.into_bytes());
            }
        }
    }
    config
}

fn refusal(error: tiberius::error::Error) -> Refusal {
    match error {
        tiberius::error::Error::Server(error) => Refusal::Refused(server_error(&error)),
        tiberius::error::Error::Tls(text) => Refusal::Unreachable(format!("SSL Provider: {text}")),
        other => Refusal::Unreachable(other.to_string()),
    }
}

fn server_error(error: &tiberius::error::TokenError) -> SqlError {
    let number = i32::try_from(error.code()).unwrap_or(i32::MAX);
    let mut copy = SqlError::new(number, error.class(), error.message()).with_state(error.state());
    copy.line = error.line();
    if !error.procedure().is_empty() {
        copy.procedure = Some(error.procedure().to_owned());
    }
    copy
}
