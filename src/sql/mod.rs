//! The hosts, in typed verbs: every T-SQL text of the agent, and the connections that carry it.
//!
//! Start at [`SqlFleet`]; each verb family has a file with its texts as pure functions beside the verb that
//! sends them. [`quote`] is the only place that turns names and values into text, [`observe`] the only one
//! that hears INFO messages, [`dial`] the only way to a network.
//!
//! This room decides nothing about backups, never retries by itself, and offers no general query.

mod connect;
pub mod dial;
mod fault;
pub mod observe;
pub mod quote;
mod rows;
mod session;
mod statement;

use std::sync::Arc;

pub use statement::{Batch, Parameter};

use self::dial::Dial;
use self::session::SqlSession;
use crate::config::{Config, HostConfig};
use crate::error::{Code, Error, Result};
use crate::model::HostName;
use crate::world::Clock;

/// The hosts of one configuration. Every verb opens its own connection, so verbs may run side by side.
#[derive(Clone)]
pub struct SqlFleet {
    config: Arc<Config>,
    dial: Arc<dyn Dial>,
    clock: Arc<dyn Clock>,
}

impl SqlFleet {
    /// A fleet that reaches the configuration's hosts through `dial`; `SM9001` where the layer of
    /// [`observe`] is not installed.
    pub fn new(config: Arc<Config>, dial: Arc<dyn Dial>, clock: Arc<dyn Clock>) -> Result<Self> {
        observe::Operation::begin()?;
        Ok(Self {
            config,
            dial,
            clock,
        })
    }

    /// The host's configuration; `SM0103` for one that the file does not name.
    fn host(&self, name: &HostName) -> Result<&HostConfig> {
        self.config.host(name).ok_or_else(|| {
            Error::new(
                Code::ConfigValue,
                format!("the configuration has no host `{name}`"),
            )
            .hint("add a `[[host]]` with this true name")
        })
    }

    /// A new connection to the host.
    async fn open(&self, name: &HostName) -> Result<SqlSession> {
        let policy = &self.config.policy;
        connect::open(
            self.host(name)?,
            self.dial.as_ref(),
            Arc::clone(&self.clock),
            policy.connect_timeout,
            policy.statement_silence_max,
        )
        .await
    }
}
