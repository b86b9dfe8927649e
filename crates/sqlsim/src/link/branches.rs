//! The parts of one transaction on other hosts, as the session that calls them sees it.
//!
//! Start at [`Branches`]. Each is driven by `sp_sim_dtc_*` over the link's own connection. What is
//! said when is decided by `dtc/`.

use async_trait::async_trait;
use uuid::Uuid;

use super::SharedConnection;
use super::messages::dtc_cancelled;
use super::server::same;
use crate::dtc::{Branch, Closing};
use crate::error::SqlResult;

/// The hosts that a transaction has enlisted.
#[derive(Debug, Default)]
pub struct Branches {
    enlisted: Vec<Enlisted>,
    is_silenced: bool,
}

#[derive(Clone, Debug)]
struct Enlisted {
    host_name: String,
    connection: SharedConnection,
}

impl Branches {
    /// Whether the transaction has stayed on its host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.enlisted.is_empty()
    }

    /// The connection over which a host was enlisted. Every later call to the host takes it,
    /// whatever the link is called: a host is in a transaction once.
    #[must_use]
    pub fn find(&self, host_name: &str) -> Option<SharedConnection> {
        let found = self
            .enlisted
            .iter()
            .find(|branch| same(&branch.host_name, host_name));
        found.map(|branch| branch.connection.clone())
    }

    /// Adds a host that has joined the transaction.
    pub fn add(&mut self, host_name: &str, connection: SharedConnection) {
        self.enlisted.push(Enlisted {
            host_name: host_name.to_owned(),
            connection,
        });
    }

    /// Remembers that a mark has closed this host's gate for the transaction.
    pub const fn silence(&mut self) {
        self.is_silenced = true;
    }

    /// Whether a mark has closed this host's gate for the transaction.
    #[must_use]
    pub const fn is_silenced(&self) -> bool {
        self.is_silenced
    }

    /// The hosts as `dtc/` drives them.
    #[must_use]
    pub fn list(&self) -> Vec<Box<dyn Branch>> {
        let boxed = |branch: &Enlisted| Box::new(branch.clone()) as Box<dyn Branch>;
        self.enlisted.iter().map(boxed).collect()
    }

    /// The hosts as `dtc/` drives them, at the transaction's end.
    #[must_use]
    pub fn into_list(self) -> Vec<Box<dyn Branch>> {
        self.list()
    }
}

impl Enlisted {
    async fn say(&self, sql: String) -> SqlResult<()> {
        let mut connection = self.connection.lock().await;
        connection.run(&sql).await.map(drop)
    }
}

#[async_trait]
impl Branch for Enlisted {
    async fn close(&mut self, gtrid: Uuid, closing: Closing) -> SqlResult<()> {
        let everyone = u8::from(closing == Closing::Everyone);
        self.say(format!("EXEC sp_sim_dtc_close '{gtrid}', {everyone}"))
            .await
    }

    async fn prepare(&mut self, gtrid: Uuid) -> SqlResult<()> {
        let prepared = self.say(format!("EXEC sp_sim_dtc_prepare '{gtrid}'")).await;
        // Whatever the other host says, to the client the transaction was cancelled.
        prepared.map_err(|_| dtc_cancelled())
    }

    async fn end(&mut self, gtrid: Uuid, is_committed: bool) -> SqlResult<()> {
        let verb = if is_committed { "commit" } else { "abort" };
        self.say(format!("EXEC sp_sim_dtc_{verb} '{gtrid}'")).await
    }
}
