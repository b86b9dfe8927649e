//! A plain SQL client for the demonstration's people: the application that moves money, and the operator.
//!
//! It is no part of the agent, which has typed verbs only.

use std::net::SocketAddr;
use std::path::Path;

use tiberius::{AuthMethod, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use crate::error::{Code, Error, Result, SqlCause};

/// One connection.
pub(super) struct Client(tiberius::Client<Compat<TcpStream>>);

impl Client {
    /// Logs in over TLS, the certificate checked.
    pub(super) async fn open(
        address: SocketAddr,
        ca: &Path,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Self> {
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(address.port());
        config.database(database);
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca(ca.display().to_string());
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| lost(&error))?;
        let client = Box::pin(tiberius::Client::connect(config, stream.compat_write())).await;
        client.map(Self).map_err(|error| refused(&error))
    }

    /// Runs a batch to its end.
    pub(super) async fn run(&mut self, sql: &str) -> Result<()> {
        self.rows(sql).await.map(|_| ())
    }

    /// Runs a batch whose first value is a whole number.
    pub(super) async fn number(&mut self, sql: &str) -> Result<i64> {
        let rows = self.rows(sql).await?;
        let value = rows
            .first()
            .and_then(|row| row.try_get::<i64, _>(0).ok().flatten());
        value.ok_or_else(|| {
            Error::new(
                Code::StatementFailed,
                "a number was asked for and none came",
            )
        })
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<tiberius::Row>> {
        let stream = self
            .0
            .simple_query(sql)
            .await
            .map_err(|error| refused(&error))?;
        let results = stream
            .into_results()
            .await
            .map_err(|error| refused(&error))?;
        Ok(results.into_iter().next().unwrap_or_default())
    }
}

fn refused(error: &tiberius::error::Error) -> Error {
    match error {
        tiberius::error::Error::Server(token) => {
            let number = i32::try_from(token.code()).unwrap_or(i32::MAX);
            let cause = SqlCause {
                number,
                class: token.class(),
                text: token.message().to_owned(),
            };
            let message = format!("SQL Server says {number}: {}", cause.text);
            Error::new(Code::StatementFailed, message).caused_by_sql(cause)
        }
        other => lost(other),
    }
}

fn lost(error: &dyn std::error::Error) -> Error {
    Error::new(
        Code::ConnectionLost,
        format!("the connection broke: {error}"),
    )
}
