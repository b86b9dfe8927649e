//! A session: one client's connection to the instance, and the statements that it runs.
//!
//! Start at [`Session`]; `execute.rs` walks through a batch, `statement.rs` sends each kind of
//! statement to the file that does it. Values are computed by `query/`, through `names.rs`; rows
//! are stored by `storage/`. What reaches other hosts is done by `link/` and `dtc/`. This room
//! never touches a socket or a file.

mod assign;
mod backend;
mod backup;
mod call;
mod checks;
mod control;
mod cursor;
mod databases;
mod ddl;
mod devices;
mod dml;
mod drops;
mod execute;
mod format;
mod frame;
mod globals;
mod insert;
mod local;
mod media_info;
mod merge;
mod modules;
mod names;
mod options;
mod output;
mod principals;
mod restore;
mod scalar;
mod security;
mod standby;
mod statement;
mod tables;
mod temporary;
mod texts;
mod transaction;
mod variables;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::catalog::principal::Login;
use crate::instance::{DatabaseHandle, Instance, SessionRecord};
use crate::link::Connections;

pub(crate) use assign::{integer_of, text_of};
pub use backend::SessionHandle;
pub use call::{Argument, Bound, Call, Parameter, ProcedureResult, SystemProcedure};
pub use frame::{Frame, Last};
pub use local::LocalPart;
pub use modules::Returned;
pub use names::{Remote, Scope};
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
    /// Who logged in.
    pub original_login: Arc<Login>,
    /// Whose rights `EXECUTE AS` took on, the last one counts; none: those of who logged in.
    pub logins: Vec<Arc<Login>>,
    /// What `SET` changed.
    pub options: Options,
    /// The open transaction, `@@TRANCOUNT` > 0.
    pub transaction: Option<Transaction>,
    /// Running modules, innermost last; the first is the batch.
    pub frames: Vec<Frame>,
    /// How many TRY blocks are open around the running statement.
    pub try_depth: usize,
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
    /// Texts that the client has prepared.
    pub(crate) prepared: texts::Prepared,
    /// Fires when the client wants no more of the running request.
    pub cancel: CancellationToken,
}
