//! Linked servers: what they are, who may use them, and calls that travel over them.
//!
//! Start at [`mod@call`] (what a session can do over a link) and [`server`] (what a link is). A link
//! is a real TDS client connection, one per session and link, opened when first needed through the
//! [`Dial`] seam. Two-phase commit over links is decided in `dtc/`; this room only carries it.

mod branches;
pub mod call;
mod connection;
mod convert;
mod dial;
pub mod literal;
pub mod messages;
mod procedures;
mod remote_text;
pub mod server;
pub mod views;

use std::sync::Arc;

pub use branches::Branches;
pub use call::{call, change, execute_text, fetch};
pub use connection::{Connection, Refusal, Security, Target};
pub use dial::{Dial, Network, Stream};
pub use procedures::PROCEDURES;
pub use server::{LinkedLogin, LinkedServer, ServerOptions};

/// A connection that a session and its open transaction share.
pub type SharedConnection = Arc<tokio::sync::Mutex<Connection>>;

/// The connections over links that one session has open.
#[derive(Default)]
pub struct Connections {
    password: String,
    open: Vec<Open>,
}

struct Open {
    server_id: i32,
    user_name: String,
    connection: SharedConnection,
}

impl Connections {
    /// For a session that logged in with this password: a link that maps logins to themselves
    /// presents it to the other host.
    #[must_use]
    pub fn new(password: &str) -> Self {
        Self {
            password: password.to_owned(),
            open: Vec::new(),
        }
    }

    fn find(&mut self, server_id: i32, user_name: &str) -> Option<SharedConnection> {
        // A connection that is in use belongs to this session's transaction, and is not broken.
        self.open
            .retain(|open| open.connection.try_lock().map_or(true, |c| !c.is_broken()));
        let same = |open: &&Open| open.server_id == server_id && open.user_name == user_name;
        self.open
            .iter()
            .find(same)
            .map(|open| Arc::clone(&open.connection))
    }

    fn keep(
        &mut self,
        server_id: i32,
        user_name: &str,
        connection: Connection,
    ) -> SharedConnection {
        let connection = Arc::new(tokio::sync::Mutex::new(connection));
        let open = Open {
            server_id,
            user_name: user_name.to_owned(),
            connection: Arc::clone(&connection),
        };
        self.open.push(open);
        connection
    }

    /// Closes all, as a reset of the session does.
    pub fn close(&mut self) {
        self.open.clear();
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
