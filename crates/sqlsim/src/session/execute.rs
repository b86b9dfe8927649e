//! Walking through statements: what an error ends, and what it does not.
//!
//! Start at [`Session::run_batch`]. SQL Server knows errors that end a statement, a module or the
//! batch; some roll the transaction back. This file holds those rules and no statement's meaning.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Session;
use super::frame::Frame;
use crate::error::{SqlError, SqlResult};
use crate::faults::Suffered;
use crate::lang;
use crate::lang::ast::{Statement, StatementKind};
use crate::messages;
use crate::wire::api::Event;

/// Where control goes after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// On to the next statement.
    Next,
    /// Out of the loop.
    Break,
    /// To the head of the loop.
    Continue,
    /// To the label that the innermost frame names.
    Goto,
    /// Out of the module, with its return status.
    Return(i32),
}

/// What stops the statements that run.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// An error on its way to the nearest CATCH.
    Thrown(SqlError),
    /// The module ends; its caller goes on. The error has been sent.
    Module,
    /// The batch ends. The error has been sent.
    Batch,
}

/// The outcome of running statements.
pub(crate) type Run = Result<Flow, Stop>;

/// A future that may call itself.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes a future in a frame of its own and boxes it there. Procedures call procedures, 32 deep:
/// what each level keeps on the stack must be small, and a future that is boxed where it is awaited
/// stands on that stack for as long as it runs.
#[inline(never)]
pub(super) fn later<'a, F>(
    session: &'a mut Session,
    make: impl FnOnce(&'a mut Session) -> F,
) -> Boxed<'a, F::Output>
where
    F: Future + Send + 'a,
{
    Box::pin(make(session))
}

impl Session {
    /// Runs a batch. Everything that happens is sent; nothing is returned.
    pub async fn run_batch(&mut self, text: &str) {
        match lang::parse(text) {
            Ok(statements) => {
                self.enter(text);
                // Whatever stopped the batch has been sent already, but for a label that is not there.
                if let Ok(Flow::Goto) = self.run(&statements).await {
                    let error = self.label_missing();
                    self.report(error).await;
                }
                self.leave_batch().await;
            }
            Err(error) => self.report(error).await,
        }
    }

    /// Pushes the frame of a batch.
    pub(super) fn enter(&mut self, text: &str) {
        self.frames.push(Frame {
            text: Arc::from(text),
            ..Frame::default()
        });
    }

    /// Ends a batch: local things go, and a doomed transaction is rolled back with 3998.
    pub(super) async fn leave_batch(&mut self) {
        self.leave_frame();
        if self.transaction.as_ref().is_some_and(|t| t.doomed) {
            self.roll_back_all().await;
            self.report(messages::uncommittable_at_end()).await;
        }
    }

    /// Pops the innermost frame with its temporary tables.
    pub(super) fn leave_frame(&mut self) {
        let depth = self.frames.len();
        self.frames.pop();
        if depth > 1 {
            self.temporary.retain(|_, table| table.depth < depth);
        }
    }

    /// Runs statements in order.
    pub(super) fn run<'a>(&'a mut self, statements: &'a [Statement]) -> Boxed<'a, Run> {
        Box::pin(async move {
            let mut at = 0;
            while let Some(statement) = statements.get(at) {
                match self.run_one(statement).await? {
                    Flow::Next => at += 1,
                    Flow::Goto => match self.label_among(statements) {
                        Some(place) => at = place,
                        None => return Ok(Flow::Goto),
                    },
                    other => return Ok(other),
                }
            }
            Ok(Flow::Next)
        })
    }

    /// Runs one statement and decides what its failure ends.
    pub(super) async fn run_one(&mut self, statement: &Statement) -> Run {
        if self.is_cancelled() {
            return Err(Stop::Batch);
        }
        if let Some(run) = self.control(statement) {
            return run.await;
        }
        self.note_command(statement);
        let fault = if self.instance.faults.is_idle() {
            Ok(())
        } else {
            later(self, |s| s.fault(statement)).await
        };
        let outcome = match fault {
            Err(failed) => Err(failed),
            Ok(()) => later(self, |s| s.perform(statement)).await,
        };
        self.remote.clear();
        match outcome {
            Ok(flow) => {
                if !std::mem::take(&mut self.last.has_reported) {
                    self.last.error = 0;
                }
                Ok(flow)
            }
            Err(Failed::Stop(stop)) => Err(stop),
            Err(Failed::Error(error)) => {
                self.failed(error.at_line(statement.line), statement).await
            }
        }
    }

    /// The error that a fault has in store for a statement; before that, others may act and the
    /// connection may be cut. Backups and restores ask for their errors themselves, since a real
    /// one would come after their checks.
    async fn fault(&mut self, statement: &Statement) -> Result<(), Failed> {
        let kind = &statement.kind;
        let command = super::format::command_name(kind);
        let named = match kind {
            StatementKind::Backup(backup) => self.name_of(&backup.database).ok(),
            StatementKind::Restore(restore) => {
                let named = restore.database.as_ref();
                named.and_then(|name| self.name_of(name).ok())
            }
            _ => None,
        };
        let database = named.unwrap_or_else(|| self.database.name());
        if self.suffer(command, &database).await == Suffered::Gone {
            return Err(Failed::Stop(Stop::Batch));
        }
        let failure = match kind {
            StatementKind::Backup(_) | StatementKind::Restore(_) => None,
            _ => self.instance.faults.statement_failure(command, &database),
        };
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether the client wants no more, or the session was killed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled() || self.record.killed.is_cancelled() || self.output.is_gone()
    }

    /// Whether an error goes to a CATCH rather than to the client.
    #[must_use]
    pub(super) fn is_in_try(&self) -> bool {
        self.try_depth > 0
    }

    /// An error before the last one of a statement that raises several (BACKUP's cause before
    /// 3013): the client sees it, a CATCH does not.
    pub async fn report_cause(&mut self, error: SqlError) {
        if self.is_in_try() {
            self.output.intercepted(&error);
        } else {
            self.report(error).await;
        }
    }

    /// Sends an error to the client and remembers its number.
    pub(super) async fn report(&mut self, error: SqlError) {
        let mut error = self.placed(error);
        for cause in std::mem::take(&mut error.causes) {
            let cause = self.placed(cause.at_line(error.line));
            self.output.send(Event::Error(cause)).await;
        }
        self.last.error = error.number;
        self.output.send(Event::Error(error)).await;
    }

    fn placed(&self, error: SqlError) -> SqlError {
        let error = if error.line == 0 {
            error.at_line(1)
        } else {
            error
        };
        let module = self.frames.last().and_then(|f| f.module.as_ref());
        match module {
            Some(module) => error.in_procedure(&module.name.clone()),
            None => error,
        }
    }

    pub(super) async fn failed(&mut self, error: SqlError, statement: &Statement) -> Run {
        let error = self.placed(error);
        let fate = Fate::of(&error, statement, self.options.xact_abort);
        self.last.error = error.number;
        if self.is_in_try() {
            self.output.intercepted(&error);
            self.doom_if(fate);
            return Err(Stop::Thrown(error));
        }
        self.report(error).await;
        let done = self.end_of_statement(None);
        self.output.done(done).await;
        match fate {
            Fate::Statement => Ok(Flow::Next),
            Fate::Module => Err(Stop::Module),
            Fate::Batch => Err(Stop::Batch),
            Fate::Transaction => {
                self.roll_back_all().await;
                Err(Stop::Batch)
            }
        }
    }

    /// In a TRY nothing ends, but a transaction that would have been rolled back can do nothing
    /// else any more.
    fn doom_if(&mut self, fate: Fate) {
        if let (Fate::Transaction | Fate::Batch, Some(transaction)) = (fate, &mut self.transaction)
        {
            transaction.doomed |= transaction.count > 0;
        }
    }

    /// Runs a batch in a session of the instance itself and returns its first error.
    pub(crate) async fn run_to_end(&mut self, text: &str) -> SqlResult<()> {
        let (answer, mut events) = tokio::sync::mpsc::channel(64);
        self.output.attach(answer);
        let reading = async {
            let mut first = Ok(());
            while let Some(event) = events.recv().await {
                if let Event::Error(error) = event {
                    first = first.and(Err(error));
                }
            }
            first
        };
        let running = async {
            self.run_batch(text).await;
            self.output.detach();
        };
        let ((), first) = tokio::join!(running, reading);
        first
    }
}

/// What ends a statement without success.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    /// An error that has not been sent.
    Error(SqlError),
    /// Something deeper has stopped; what there was to send was sent.
    Stop(Stop),
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Self::Error(error)
    }
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The outcome of a statement.
pub(crate) type Performed = Result<Flow, Failed>;

/// What an error ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The statement.
    Statement,
    /// The module that it stands in.
    Module,
    /// The batch.
    Batch,
    /// The batch, and the transaction is rolled back.
    Transaction,
}

impl Fate {
    fn of(error: &SqlError, statement: &Statement, xact_abort: bool) -> Self {
        match (error.number, &statement.kind) {
            // The victim of a deadlock, and a transaction that MSDTC has aborted, lose everything.
            (1205 | 1206 | 8509 | 7393 | 7394 | 8522, _) => Self::Transaction,
            // RAISERROR never honours XACT_ABORT; 3920 and 266 only warn.
            (_, StatementKind::RaisError(_)) | (266 | 3920, _) => Self::Statement,
            _ if xact_abort => Self::Transaction,
            (208, _) => Self::Module,
            (_, StatementKind::Throw(_)) | (217 | 245 | 911 | 916 | 927 | 942 | 3906 | 3930, _) => {
                Self::Batch
            }
            _ if error.class >= 19 => Self::Batch,
            _ => Self::Statement,
        }
    }
}
