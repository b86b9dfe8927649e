//! What the wire and the sessions behind it say to each other: requests go in, events come out.
//!
//! Start at [`Backend`] and [`BackendSession`]: the engine implements them, `server.rs` and the
//! connection drive them. Nothing here knows a TDS byte, a socket or a packet; nothing here
//! decides what a statement means.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::SqlError;
use crate::value::{Column, Row, SqlType, Value};

/// A simulated instance, seen from the wire.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens a session, or refuses with the error that the client shall see.
    ///
    /// Whatever the error, SQL Server tells a client that failed to log in no more than 18456
    /// (or 4060, 18452 and their kin); the backend chooses.
    async fn login(&self, login: &LoginRequest) -> Result<Box<dyn BackendSession>, SqlError>;

    /// `@@SERVERNAME`, which ERROR and INFO tokens carry.
    fn server_name(&self) -> String;

    /// Major, minor, build, as LOGINACK and PRELOGIN tell it: 16.0.1000 for SQL Server 2022.
    fn version(&self) -> ServerVersion;
}

/// One logged-in session. Dropping it ends it: its open transaction is rolled back, its locks and
/// session app locks are released.
#[async_trait]
pub trait BackendSession: Send {
    /// `@@SPID`; it is stamped on every packet sent to the client.
    fn spid(&self) -> i16;

    /// The current database. Right after login the wire announces it (message 5701).
    fn database(&self) -> String;

    /// Carries out one request and sends what happens, in order, as it happens.
    ///
    /// Errors are events, not results. A request need not end with [`Event::Done`]: the wire adds
    /// the last one, and corrects `more` on those before it. When `cancel` fires (the client sent
    /// an attention, or hung up) stop soon and return; what is sent after that is thrown away and
    /// the wire acknowledges the attention. A batch that is cancelled leaves its transaction open,
    /// as SQL Server does unless `XACT_ABORT` is on.
    /// `answer` fails to send once the client is gone; that is no error, return then. The answer
    /// ends when this returns: what is sent later through a copy of `answer` fails.
    async fn execute(&mut self, request: Request, answer: Answer, cancel: CancellationToken);

    /// Fires when the session has been killed by another (`KILL`) or the instance shuts down at
    /// once; the wire then cancels what runs and cuts the connection. Asked once, after login.
    fn killed(&self) -> CancellationToken {
        CancellationToken::new()
    }
}

/// Where a session puts its events. Bounded: a slow client slows the session down, as in life.
pub type Answer = mpsc::Sender<Event>;

/// A backend that is shared by all connections of one server.
pub type SharedBackend = Arc<dyn Backend>;

/// Version of a server in the three numbers that clients read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// 16 for SQL Server 2022.
    pub major: u8,
    /// Always 0 in released versions, 50 in 2008 R2.
    pub minor: u8,
    /// The build, 1000 for the first release of 2022.
    pub build: u16,
}

/// What a client says of itself in LOGIN7. Texts are empty where the client sent none.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// Login name.
    pub user_name: String,
    /// Password in clear; `Debug` hides it.
    pub password: String,
    /// Database asked for; empty means the login's default.
    pub database: String,
    /// Name of the client's program, `APP_NAME()`.
    pub app_name: String,
    /// Name of the client's machine, `HOST_NAME()`.
    pub host_name: String,
    /// The server's name as the client wrote it.
    pub server_name: String,
    /// Name of the client's library.
    pub library_name: String,
    /// Language asked for; empty means the login's default.
    pub language: String,
    /// The client's process id.
    pub process_id: u32,
    /// True when the client said that it only means to read (`ApplicationIntent=ReadOnly`).
    pub read_only_intent: bool,
    /// True when the client asked for Windows authentication (SSPI), which the simulator refuses.
    pub integrated: bool,
    /// True when the whole connection is encrypted, not the login alone.
    pub encrypted: bool,
    /// Size of the packets that both sides agreed on, in bytes.
    pub packet_bytes: usize,
}

/// One thing that a client asks of its session.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A batch of T-SQL.
    Batch(String),
    /// A call of a stored procedure.
    Rpc {
        /// Which procedure.
        procedure: RpcName,
        /// Its parameters, in the order sent.
        parameters: Vec<RpcParameter>,
    },
    /// Transaction manager request 5: begin a local transaction.
    Begin(BeginTransaction),
    /// Request 7: commit. Answered by [`Event::TransactionEnded`], then, if a new transaction was
    /// asked for, by [`Event::TransactionBegan`].
    Commit {
        /// Name given by the client, nearly always empty.
        name: String,
        /// The transaction to begin at once afterwards, if any (ODBC without autocommit).
        and_begin: Option<BeginTransaction>,
    },
    /// Request 8: roll back, to a savepoint when `name` is one.
    Rollback {
        /// Empty for the whole transaction.
        name: String,
        /// The transaction to begin at once afterwards, if any.
        and_begin: Option<BeginTransaction>,
    },
    /// Request 9: set a savepoint of this name.
    Save(String),
    /// Request 0: where the transaction coordinator can be reached. SQL Server answers with one
    /// row of one `varbinary` column.
    GetDtcAddress,
    /// Request 1: join the distributed transaction that this cookie describes.
    PropagateTransaction(Vec<u8>),
    /// Request 6: make the local transaction a distributed one.
    PromoteTransaction,
    /// The client takes the connection from a pool: forget settings, temporary tables, the current
    /// database. Comes before the request that carried it; its events except `Done` are sent.
    Reset {
        /// True: an open transaction survives (RESETCONNECTIONSKIPTRAN).
        keep_transaction: bool,
    },
}

/// How a transaction shall begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeginTransaction {
    /// Isolation level as on the wire: 0 keeps the session's, 1 read uncommitted, 2 read
    /// committed, 3 repeatable read, 4 serializable, 5 snapshot.
    pub isolation: u8,
    /// Name of the transaction, nearly always empty.
    pub name: String,
}

/// Which procedure a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcName {
    /// One of the well-known procedures; see [`RpcName::well_known`].
    ById(u16),
    /// By name, as the client wrote it: `sys.sp_tables`, `[db].[dbo].[p]`.
    ByName(String),
}

impl RpcName {
    /// `sp_executesql`'s number.
    pub const EXECUTE_SQL: u16 = 10;
    /// `sp_prepare`'s number.
    pub const PREPARE: u16 = 11;
    /// `sp_execute`'s number.
    pub const EXECUTE: u16 = 12;
    /// `sp_prepexec`'s number.
    pub const PREPARE_AND_EXECUTE: u16 = 13;
    /// `sp_unprepare`'s number.
    pub const UNPREPARE: u16 = 15;

    /// The procedure's name, whichever way it was called; `None` for a number that is unknown
    /// (SQL Server raises 2812 then).
    #[must_use]
    pub fn well_known(&self) -> Option<&str> {
        match self {
            Self::ByName(name) => Some(name),
            Self::ById(id) => procedure_name(*id),
        }
    }
}

/// One parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcParameter {
    /// With its `@`; empty for a positional parameter.
    pub name: String,
    /// The value, [`Value::Null`] also for "use the default".
    pub value: Value,
    /// The type the client declared.
    pub ty: SqlType,
    /// True when the client wants the value back as [`Event::ReturnValue`].
    pub output: bool,
}

/// One thing that a session tells its client. Each becomes one token.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A result set begins.
    Columns(Vec<Column>),
    /// A row of the result set; as many values as columns.
    Row(Row),
    /// A message of class 0 to 10: `PRINT`, "10 percent processed.", 4219. Sent at once.
    Info(SqlError),
    /// A message of class 11 and above. Class 20 and above ends the connection.
    Error(SqlError),
    /// A statement has ended.
    Done(Done),
    /// The status that a procedure returns; before the `Done` of that procedure.
    ReturnStatus(i32),
    /// The value of an output parameter; after [`Event::ReturnStatus`].
    ReturnValue {
        /// With its `@`; may be empty.
        name: String,
        /// Position among the call's parameters, from 0.
        ordinal: u16,
        /// Its type.
        ty: SqlType,
        /// Its value.
        value: Value,
    },
    /// The current database is another one. The session also sends message 5701 as Info.
    DatabaseChanged {
        /// The new database.
        to: String,
        /// The one before.
        from: String,
    },
    /// `SET LANGUAGE`. The session also sends message 5703 as Info.
    LanguageChanged {
        /// The new language.
        to: String,
        /// The one before.
        from: String,
    },
    /// A user transaction was begun, by request or by a batch (`@@TRANCOUNT` from 0 to 1). The
    /// number is its descriptor, which the client repeats in the headers of later requests.
    TransactionBegan(u64),
    /// A user transaction is over (`@@TRANCOUNT` back to 0).
    TransactionEnded {
        /// The descriptor that [`Event::TransactionBegan`] told.
        id: u64,
        /// False: rolled back.
        committed: bool,
    },
    /// The transaction became a distributed one; answers [`Request::PromoteTransaction`].
    TransactionPromoted {
        /// The cookie by which others join it.
        cookie: Vec<u8>,
    },
    /// The session joined a distributed transaction, whose descriptor here this is; answers
    /// [`Request::PropagateTransaction`].
    TransactionEnlisted(u64),
}

/// The end of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows affected or returned; `None` under `SET NOCOUNT ON` and where there is no count.
    pub rows: Option<u64>,
    /// True when more follows in this request. When false and something does follow, the wire
    /// corrects it.
    pub more: bool,
    /// What ended.
    pub kind: DoneKind,
}

impl Done {
    /// The end of a statement of a batch, with its count.
    #[must_use]
    pub const fn statement(rows: Option<u64>) -> Self {
        Self {
            rows,
            more: false,
            kind: DoneKind::Statement,
        }
    }

    /// The end of a statement inside a procedure; more always follows (python-tds insists).
    #[must_use]
    pub const fn in_procedure(rows: Option<u64>) -> Self {
        Self {
            rows,
            more: true,
            kind: DoneKind::InProcedure,
        }
    }

    /// The end of a procedure.
    #[must_use]
    pub const fn procedure() -> Self {
        Self {
            rows: None,
            more: false,
            kind: DoneKind::Procedure,
        }
    }
}

/// Which of the three DONE tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoneKind {
    /// DONE: a statement of a batch.
    Statement,
    /// DONEINPROC: a statement inside a procedure or `sp_executesql`.
    InProcedure,
    /// DONEPROC: the procedure itself.
    Procedure,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginRequest")
            .field("user_name", &self.user_name)
            .field("database", &self.database)
            .field("app_name", &self.app_name)
            .field("host_name", &self.host_name)
            .finish_non_exhaustive()
    }
}

/// The well-known procedures, by the numbers that the protocol gives them.
fn procedure_name(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "sp_cursor",
        2 => "sp_cursoropen",
        3 => "sp_cursorprepare",
        4 => "sp_cursorexecute",
        5 => "sp_cursorprepexec",
        6 => "sp_cursorunprepare",
        7 => "sp_cursorfetch",
        8 => "sp_cursoroption",
        9 => "sp_cursorclose",
        RpcName::EXECUTE_SQL => "sp_executesql",
        RpcName::PREPARE => "sp_prepare",
        RpcName::EXECUTE => "sp_execute",
        RpcName::PREPARE_AND_EXECUTE => "sp_prepexec",
        14 => "sp_prepexecrpc",
        RpcName::UNPREPARE => "sp_unprepare",
        _ => return None,
    })
}
