//! A session: one client's connection to the instance, and the statements that it runs.
//!
//! Start at [`Session`]; `execute.rs` walks through a batch, `statement.rs` sends each kind of statement to the file
//! that does it. Values are computed by `query/`, through `names.rs`; rows are stored by `storage/`. What reaches
//! other hosts is done by `link/` and `dtc/`. This room never touches a socket or a file.

mod backend;
mod backup;
mod restore;
mod call;
mod control;
mod assign;
mod cursor;
mod databases;
mod format;
mod globals;
mod local;
mod principals;
mod variables;
mod ddl;
mod dml;
mod execute;
mod frame;
mod insert;
mod modules;
mod names;
mod options;
mod output;
mod scalar;
mod security;
mod statement;
mod tables;
mod temporary;
mod transaction;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::catalog::principal::Login;
use crate::instance::{DatabaseHandle, Instance, SessionRecord};
use crate::link::Connections;

pub use backend::SessionHandle;
pub use call::{Argument, Bound, Call, Parameter, ProcedureResult, SystemProcedure};
pub use frame::{Frame, Last};
pub use local::LocalPart;
pub use modules::Returned;
pub use names::Remote;
pub use options::Options;
pub use output::Output;
pub use temporary::Temporary;
pub use transaction::{MarkRequest, Transaction};

/// One client's connection to the instance.
pub struct Session {
    /// The instance.
    pub instance: Arc<Instance>,
    /// What other sessions see of this one; its number is `@@SPID`.
    pub record: Arc<SessionRecord>,
    /// The current database.
    pub database: Arc<DatabaseHandle>,
    /// Who acts: the login, under any `EXECUTE AS`. The last one counts.
    pub logins: Vec<Arc<Login>>,
    /// Who logged in, whatever `EXECUTE AS` says.
    pub original_login: Arc<Login>,
    /// What `SET` changed.
    pub options: Options,
    /// The open transaction, `@@TRANCOUNT` > 0.
    pub transaction: Option<Transaction>,
    /// Running modules, innermost last; the first is the batch.
    pub frames: Vec<Frame>,
    /// Temporary tables.
    pub temporary: Temporary,
    /// `@@ERROR`, `@@ROWCOUNT`, identities.
    pub last: Last,
    /// Where events go.
    pub output: Output,
    /// Connections over linked servers that this session has open.
    pub links: Connections,
    /// Rows that were fetched over links for the statement that runs.
    pub remote: Remote,
    /// Fires when the client wants no more of the running request.
    pub cancel: CancellationToken,
}
