//! A session as the wire sees it: requests in, events out.
//!
//! Start at [`SessionHandle`]. It opens the session, hands each request to the file that knows it,
//! and cleans up when the client goes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::call::Argument;
use super::{Last, Options, Output, Session, Temporary};
use crate::catalog::principal::Login;
use crate::error::{SqlError, SqlResult};
use crate::events::{Ears, Happening};
use crate::instance::{
    Activity, DatabaseHandle, Instance, LockOwner, RunningRequest, SessionRecord,
};
use crate::link::Connections;
use crate::messages;
use crate::value::{Column, SqlType, Value};
use crate::wire::api::{
    Answer, BackendSession, BeginTransaction, Done, LoginRequest, Request, RpcName, RpcParameter,
};

/// A session in the hands of the wire.
pub struct SessionHandle {
    session: Option<Session>,
    home: Arc<DatabaseHandle>,
}

impl SessionHandle {
    /// Opens a session for a login; 4060 when its database is not there or may not be entered.
    pub(crate) fn open(
        instance: &Arc<Instance>,
        login: Arc<Login>,
        request: &LoginRequest,
    ) -> SqlResult<Self> {
        let is_default = request.database.is_empty();
        let wanted = if is_default {
            &login.default_database
        } else {
            &request.database
        }
        .clone();
        let database = instance.database(&wanted);
        let database = database.ok_or_else(|| messages::cannot_open_database(&wanted))?;
        let mut session = Session::open(instance, login, &database, request)?;
        session.links = Connections::new(&request.password);
        let may_enter = session.require_access(&database).is_ok();
        if !may_enter || super::names::readable(&database).is_err() {
            return Err(messages::cannot_open_database(&wanted));
        }
        session.output.happened(Happening::Login);
        Ok(Self {
            session: Some(session),
            home: database,
        })
    }
}

impl Session {
    /// A session of the instance itself, with all rights, in a database.
    pub(crate) fn internal(instance: &Arc<Instance>, database: &str) -> SqlResult<Self> {
        let database = instance.needed_database(database)?;
        let request = LoginRequest {
            user_name: "sa".to_owned(),
            password: String::new(),
            database: String::new(),
            app_name: "sqlservr".to_owned(),
            host_name: instance.options.server_name.machine.clone(),
            server_name: instance.name(),
            library_name: String::new(),
            language: String::new(),
            process_id: 0,
            read_only_intent: false,
            integrated: false,
            encrypted: false,
            packet_bytes: 4096,
        };
        Self::open(instance, instance.own_login(), &database, &request)
    }

    fn open(
        instance: &Arc<Instance>,
        login: Arc<Login>,
        database: &Arc<DatabaseHandle>,
        request: &LoginRequest,
    ) -> SqlResult<Self> {
        let record = |id| SessionRecord {
            id,
            login_time: instance.clock.local(),
            host_name: request.host_name.clone(),
            program_name: request.app_name.clone(),
            login_name: login.name.clone(),
            encrypted: request.encrypted,
            packet_bytes: request.packet_bytes,
            killed: CancellationToken::new(),
            now: std::sync::Mutex::new(Activity {
                database: database.id(),
                ..Activity::default()
            }),
        };
        let record = instance
            .sessions
            .enter(record)
            .ok_or_else(too_many_sessions)?;
        let ears = Ears::new(instance, &record);
        Ok(Self {
            instance: Arc::clone(instance),
            record,
            database: Arc::clone(database),
            original_login: login,
            logins: Vec::new(),
            options: Options::default(),
            transaction: None,
            frames: Vec::new(),
            try_depth: 0,
            temporary: Temporary::new(),
            last: Last::default(),
            output: Output::heard_by(ears),
            links: Connections::default(),
            remote: super::Remote::new(),
            prepared: super::texts::Prepared::default(),
            cancel: CancellationToken::new(),
        })
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Batch(text) => self.run_batch(&text).await,
            Request::Rpc {
                procedure,
                parameters,
            } => self.rpc(&procedure, parameters).await,
            Request::Begin(begin) => {
                let outcome = self.begin_requested(begin).await;
                self.end_request(outcome).await;
            }
            Request::Commit { and_begin, .. } => {
                let committed = self.commit_transaction().await;
                self.then_begin(committed, and_begin).await;
            }
            Request::Rollback { name, and_begin } => {
                let rolled_back = if name.is_empty() {
                    self.rollback_transaction().await
                } else {
                    self.rollback_to(&name).await
                };
                self.then_begin(rolled_back, and_begin).await;
            }
            Request::Save(name) => {
                let saved = self.save_transaction(&name);
                self.end_request(saved).await;
            }
            Request::GetDtcAddress => self.dtc_address().await,
            Request::PropagateTransaction(_) | Request::PromoteTransaction => {
                let name = self.instance.name();
                self.end_request(Err(messages::dtc_unavailable(&name)))
                    .await;
            }
            // The handle takes care of it, since it knows the database to go back to.
            Request::Reset { .. } => {}
        }
    }

    async fn begin_requested(&mut self, begin: BeginTransaction) -> SqlResult<()> {
        let name = Some(begin.name).filter(|name| !name.is_empty());
        self.begin_transaction(name, None).await
    }

    async fn then_begin(&mut self, ended: SqlResult<()>, begin: Option<BeginTransaction>) {
        let outcome = match (ended, begin) {
            (Ok(()), Some(begin)) => self.begin_requested(begin).await,
            (ended, _) => ended,
        };
        self.end_request(outcome).await;
    }

    async fn end_request(&mut self, outcome: SqlResult<()>) {
        if let Err(error) = outcome {
            self.report(error.at_line(1)).await;
        }
        self.output.done(Done::statement(None)).await;
    }

    /// SQL Server answers with the address of its transaction manager; here is none that a client
    /// could reach.
    async fn dtc_address(&mut self) {
        let columns = vec![Column::new("TM Address", SqlType::VarBinary(Some(8000)))];
        self.output.columns(columns).await;
        self.output.row(vec![Value::Binary(Vec::new())]).await;
        self.output.done(Done::statement(Some(1))).await;
    }

    async fn rpc(&mut self, procedure: &RpcName, parameters: Vec<RpcParameter>) {
        let Some(name) = procedure.well_known() else {
            self.end_request(Err(messages::procedure_not_found("")))
                .await;
            return;
        };
        let name = name.to_owned();
        let arguments = parameters.into_iter().map(|p| Argument {
            name: Some(p.name).filter(|name| !name.is_empty()),
            value: Some(p.value),
            ty: Some(p.ty),
            output: p.output,
        });
        let arguments = arguments.collect();
        self.call_from_client(&name, arguments).await;
    }

    async fn reset(&mut self, home: &Arc<DatabaseHandle>, keep_transaction: bool) {
        if !keep_transaction {
            self.roll_back_all().await;
            self.links.close();
        }
        self.instance
            .app_locks
            .release_all(LockOwner::Session(self.record.id));
        self.options = Options::default();
        self.temporary.clear();
        self.prepared = super::texts::Prepared::default();
        self.logins.clear();
        self.last = Last::default();
        if !Arc::ptr_eq(&self.database, home) {
            let name = home.name();
            // A home that is gone leaves the session where it is; its next statement says so.
            let _ = self.use_database(&name).await;
        }
    }
}

#[async_trait]
impl BackendSession for SessionHandle {
    fn spid(&self) -> i16 {
        self.session.as_ref().map_or(0, |session| session.record.id)
    }

    fn database(&self) -> String {
        self.session
            .as_ref()
            .map_or_else(String::new, |session| session.database.name())
    }

    async fn execute(&mut self, request: Request, answer: Answer, cancel: CancellationToken) {
        let home = Arc::clone(&self.home);
        let Some(session) = &mut self.session else {
            return;
        };
        session.cancel = cancel;
        session.output.attach(answer);
        let running = running(&session.instance, &request);
        session.record.update(|now| now.request = Some(running));
        let heard = session
            .output
            .listening_since()
            .map(|began| (began, heard_as(&request)));
        if let Request::Reset { keep_transaction } = request {
            session.reset(&home, keep_transaction).await;
        } else {
            session.answer(request).await;
        }
        if session.cancel.is_cancelled() && session.options.xact_abort {
            session.roll_back_all().await;
        }
        session.frames.clear();
        session.try_depth = 0;
        session.output.detach();
        if let Some((began, Some((is_rpc, text)))) = heard {
            let took = session.instance.clock.now().duration_since(began);
            session.output.happened(Happening::Completed {
                is_rpc,
                text,
                microseconds: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            });
        }
        session.record.update(|now| now.request = None);
    }

    fn killed(&self) -> CancellationToken {
        let session = self.session.as_ref();
        session.map_or_else(CancellationToken::new, |session| {
            session.record.killed.clone()
        })
    }
}

impl Drop for SessionHandle {
    /// The open transaction is rolled back, on other hosts as well; that needs a runtime, and
    /// outlives the handle.
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        session.output.detach();
        session.output.happened(Happening::Logout);
        if session.transaction.is_none() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { session.roll_back_all().await });
        }
    }
}

impl Drop for Session {
    /// The session is over: its locks go, and it is listed no more.
    fn drop(&mut self) {
        self.instance
            .app_locks
            .release_all(LockOwner::Session(self.record.id));
        self.instance.sessions.leave(self.record.id);
    }
}

fn running(instance: &Instance, request: &Request) -> RunningRequest {
    let (command, text) = match request {
        Request::Batch(text) => ("BATCH", text.clone()),
        Request::Rpc { procedure, .. } => (
            "EXECUTE",
            procedure.well_known().unwrap_or_default().to_owned(),
        ),
        _ => ("TM REQUEST", String::new()),
    };
    RunningRequest {
        command: command.to_owned(),
        started: instance.clock.local(),
        percent: 0.0,
        text,
    }
}

/// How event sessions hear of a request when it is over: whether it calls a procedure by name, and its
/// text. What hosts say to each other of a transaction is `dtc_transaction` and no statement.
fn heard_as(request: &Request) -> Option<(bool, String)> {
    let heard = match request {
        Request::Batch(text) => (false, text.clone()),
        Request::Rpc { procedure, .. } => {
            (true, procedure.well_known().unwrap_or_default().to_owned())
        }
        Request::Reset { .. } => (true, "exec sp_reset_connection".to_owned()),
        _ => return None,
    };
    Some(heard).filter(|(_, text)| !text.contains("sp_sim_"))
}

/// SQL Server raises 17809 when no more connections can be taken.
fn too_many_sessions() -> SqlError {
    let text = "Could not connect because the maximum number of user connections has already been \
                reached.";
    SqlError::new(17809, 20, text)
}
