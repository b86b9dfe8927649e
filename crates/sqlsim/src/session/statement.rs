//! One statement: to whom each kind goes.
//!
//! Start at [`Session::perform`]. Small statements are done here; the others in the file of their
//! family.

use std::time::Duration;

use super::Session;
use super::assign::{integer_of, text_of};
use super::execute::{Boxed, Flow, Performed, later};
use super::transaction::MarkRequest;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{
    BeginTransaction, Expr, NameOrVariable, RaisError, Statement, StatementKind,
};
use crate::messages;
use crate::query;
use crate::value::{Typed, Value};
use crate::wire::api::{Done, Event};

impl Session {
    /// Does what a statement says. Control of flow has been taken care of before.
    pub(super) async fn perform(&mut self, statement: &Statement) -> Performed {
        later(self, |s| s.fetch_remote(statement)).await?;
        match &statement.kind {
            StatementKind::Execute(execute) => return self.execute(execute).await,
            StatementKind::Insert(insert) => {
                return later(self, |s| s.insert(insert, statement)).await;
            }
            StatementKind::Return(value) => return self.returned(value.as_ref()),
            kind => self.perform_plain(kind, statement).await?,
        }
        Ok(Flow::Next)
    }

    fn perform_plain<'a>(
        &'a mut self,
        kind: &'a StatementKind,
        whole: &'a Statement,
    ) -> Boxed<'a, SqlResult<()>> {
        use StatementKind as Kind;
        match kind {
            Kind::Select(select) => later(self, |s| s.select(select)),
            Kind::Update(update) => later(self, |s| s.update(update, whole)),
            Kind::Delete(delete) => later(self, |s| s.delete(delete, whole)),
            Kind::Merge(parts) => later(self, |s| s.merge(parts)),
            Kind::BeginTransaction(begin) => later(self, |s| s.begin(begin)),
            Kind::Commit(_) => later(self, Self::commit_transaction),
            Kind::Rollback(name) => later(self, |s| s.roll_back(name.as_ref())),
            Kind::SetOption(set) => later(self, |s| s.set_option(set)),
            Kind::DeclareCursor { .. }
            | Kind::OpenCursor(_)
            | Kind::Fetch { .. }
            | Kind::CloseCursor(_)
            | Kind::DeallocateCursor(_) => later(self, |s| s.cursor(kind)),
            Kind::Print(text) => later(self, |s| s.print(text)),
            Kind::RaisError(raise) => later(self, |s| s.raise(raise)),
            Kind::WaitForDelay(delay) => later(self, |s| s.wait_for(delay)),
            Kind::Use(name) => later(self, |s| s.use_database(name)),
            Kind::Backup(backup) => later(self, |s| s.backup(backup)),
            Kind::Restore(restore) => later(self, |s| s.restore(restore)),
            Kind::Dbcc(dbcc) => later(self, |s| s.dbcc(dbcc)),
            Kind::CreateAvailabilityGroup(_)
            | Kind::AlterAvailabilityGroup { .. }
            | Kind::DropAvailabilityGroup { .. } => later(self, |s| s.availability_group(kind)),
            _ => match self.perform_at_once(kind) {
                Some(done) => Box::pin(std::future::ready(done)),
                None => later(self, |s| s.define(kind, whole)),
            },
        }
    }

    /// Statements that wait for nothing; none for the others.
    fn perform_at_once(&mut self, kind: &StatementKind) -> Option<SqlResult<()>> {
        use StatementKind as Kind;
        Some(match kind {
            Kind::Save(name) => {
                let name = self.name_of(name);
                name.and_then(|name| self.save_transaction(&name))
            }
            Kind::SetVariable(set) => self.set_variable(set),
            Kind::Declare(declarations) => self.declare(declarations),
            Kind::Throw(parts) => self.thrown(parts.as_deref()).and_then(Err),
            Kind::Kill(spid) => self.kill(spid),
            Kind::CreateEventSession(_)
            | Kind::AlterEventSession { .. }
            | Kind::DropEventSession { .. } => self.event_session(kind),
            Kind::Checkpoint => self.checkpoint(),
            Kind::Reconfigure => Ok(()),
            Kind::ExecuteAs(impersonation) => self.execute_as(impersonation),
            Kind::Revert => {
                self.revert();
                Ok(())
            }
            _ => return None,
        })
    }

    /// The value of an expression, here and now.
    pub(crate) fn evaluate(&self, expr: &Expr) -> SqlResult<Typed> {
        query::evaluate(&self.scope(), expr)
    }

    /// The text of an expression; none for NULL.
    pub(crate) fn text(&self, expr: &Expr) -> SqlResult<Option<String>> {
        Ok(text_of(&self.evaluate(expr)?.value))
    }

    /// A name that was said outright or stands in a variable.
    pub(crate) fn name_of(&self, name: &NameOrVariable) -> SqlResult<String> {
        match name {
            NameOrVariable::Name(name) => Ok(name.clone()),
            NameOrVariable::Variable(variable) => {
                let value = self.scope_variable(variable)?;
                text_of(&value.value).ok_or_else(|| messages::incorrect_syntax(variable))
            }
        }
    }

    async fn begin(&mut self, begin: &BeginTransaction) -> SqlResult<()> {
        let name = begin
            .name
            .as_ref()
            .map(|name| self.transaction_name(name))
            .transpose()?;
        let mark = match (&begin.mark, &name) {
            (Some(mark), Some(name)) => {
                let description = mark
                    .description
                    .as_ref()
                    .map(|d| self.text(d))
                    .transpose()?;
                Some(MarkRequest {
                    name: name.clone(),
                    description: description.flatten().unwrap_or_default(),
                    context: self.database.name(),
                    user_name: self.login().name.clone(),
                })
            }
            (Some(_), None) => return Err(messages::incorrect_syntax_near_keyword("WITH")),
            (None, _) => None,
        };
        if begin.distributed && self.instance.faults.dtc_is_off() {
            return Err(messages::dtc_unavailable(&self.instance.name()));
        }
        self.begin_transaction(name, mark).await
    }

    /// A name of a transaction: 32 characters; a longer literal is refused (103), a longer variable
    /// cut.
    fn transaction_name(&self, name: &NameOrVariable) -> SqlResult<String> {
        let text = self.name_of(name)?;
        if text.chars().count() <= MAX_TRANSACTION_NAME {
            return Ok(text);
        }
        match name {
            NameOrVariable::Variable(_) => Ok(text.chars().take(MAX_TRANSACTION_NAME).collect()),
            NameOrVariable::Name(_) => Err(identifier_too_long(&text)),
        }
    }

    async fn roll_back(&mut self, name: Option<&NameOrVariable>) -> SqlResult<()> {
        match name {
            Some(name) => {
                let name = self.transaction_name(name)?;
                self.rollback_to(&name).await
            }
            None => self.rollback_transaction().await,
        }
    }

    fn returned(&mut self, value: Option<&Expr>) -> Performed {
        let Some(value) = value else {
            return Ok(Flow::Return(0));
        };
        let value = self.evaluate(value)?.value;
        let status = if value.is_null() {
            0
        } else {
            integer_of(&value)?
        };
        Ok(Flow::Return(i32::try_from(status).unwrap_or_default()))
    }

    async fn print(&mut self, text: &Expr) -> SqlResult<()> {
        let text = self.text(text)?.unwrap_or_default();
        self.output.message(messages::printed(&text)).await;
        Ok(())
    }

    async fn raise(&mut self, raise: &RaisError) -> SqlResult<()> {
        let error = self.raised(raise)?;
        if error.is_info() {
            self.output.message(error).await;
            return Ok(());
        }
        Err(error)
    }

    fn raised(&self, raise: &RaisError) -> SqlResult<SqlError> {
        let mut arguments = Vec::new();
        for argument in &raise.arguments {
            arguments.push(self.text(argument)?);
        }
        let message = self.evaluate(&raise.message)?.value;
        let severity = integer_of(&self.evaluate(&raise.severity)?.value)?;
        let state = integer_of(&self.evaluate(&raise.state)?.value)?;
        let (number, text) = match message {
            Value::Int(number) => {
                let number = i32::try_from(number).unwrap_or(50000);
                (
                    number,
                    format!(
                        "Error {number}, severity {severity}, state {state} was raised, but no \
                           message with that error number was found in sys.messages."
                    ),
                )
            }
            other => (50000, text_of(&other).unwrap_or_default()),
        };
        let text = super::format::message(&text, &arguments);
        let class = u8::try_from(severity.clamp(0, 25)).unwrap_or(16);
        let state = u8::try_from(state.clamp(0, 255)).unwrap_or(1);
        Ok(messages::user_message(number, class, state, &text))
    }

    fn thrown(&self, parts: Option<&(Expr, Expr, Expr)>) -> SqlResult<SqlError> {
        let Some((number, message, state)) = parts else {
            let caught = self.frames.last().and_then(|f| f.caught.last());
            return caught.cloned().ok_or_else(throw_outside_catch);
        };
        let number = integer_of(&self.evaluate(number)?.value)?;
        let text = self.text(message)?.unwrap_or_default();
        let state = integer_of(&self.evaluate(state)?.value)?;
        let number = i32::try_from(number).unwrap_or(50000);
        let state = u8::try_from(state.clamp(0, 255)).unwrap_or(1);
        Ok(messages::user_message(number, 16, state, &text))
    }

    async fn wait_for(&mut self, delay: &Expr) -> SqlResult<()> {
        let text = self.text(delay)?.unwrap_or_default();
        let delay = parse_delay(&text).ok_or_else(|| incorrect_time(&text))?;
        tokio::select! {
            () = self.instance.clock.sleep(delay) => {}
            () = self.cancel.cancelled() => {}
            () = self.record.killed.cancelled() => {}
        }
        Ok(())
    }

    /// `USE`, also the database that a client asks for at login.
    pub(super) async fn use_database(&mut self, name: &str) -> SqlResult<()> {
        let database = self.instance.needed_database(name)?;
        self.require_access(&database)?;
        super::names::readable(&database)?;
        let (from, to) = (self.database.name(), database.name());
        let id = database.id();
        self.database = database;
        self.record.update(|now| now.database = id);
        self.output.message(messages::database_changed(&to)).await;
        self.output.send(Event::DatabaseChanged { to, from }).await;
        Ok(())
    }

    fn kill(&mut self, spid: &Expr) -> SqlResult<()> {
        self.require_server("ALTER ANY CONNECTION")?;
        let spid = integer_of(&self.evaluate(spid)?.value)?;
        if spid == i64::from(self.record.id) {
            return Err(messages::kill_self());
        }
        let session = i16::try_from(spid)
            .ok()
            .and_then(|id| self.instance.sessions.get(id));
        let session = session.ok_or_else(|| messages::not_an_active_process(spid))?;
        session.killed.cancel();
        Ok(())
    }

    fn checkpoint(&mut self) -> SqlResult<()> {
        super::names::readable(&self.database)?
            .checkpoint()
            .map(drop)
    }

    /// The end of a statement that touched `rows` rows.
    pub(crate) async fn done(&mut self, rows: u64) {
        self.last.rows = rows;
        let shown = (!self.options.no_count).then_some(rows);
        let done = self.end_of_statement(shown);
        self.output.done(done).await;
    }

    /// What ends a statement: inside of any module or text, the kind that says that more follows.
    pub(super) fn end_of_statement(&self, rows: Option<u64>) -> Done {
        if self.frames.len() > 1 {
            Done::in_procedure(rows)
        } else {
            Done {
                more: true,
                ..Done::statement(rows)
            }
        }
    }

    /// Shows others what runs.
    pub(super) fn note_command(&self, statement: &Statement) {
        let command = super::format::command_name(&statement.kind);
        self.record.update(|now| {
            if let Some(request) = &mut now.request {
                command.clone_into(&mut request.command);
            }
        });
    }

    /// A failure in a condition, treated as that of its statement.
    pub(super) async fn fail_control(
        &mut self,
        error: SqlError,
        whole: &Statement,
    ) -> super::execute::Run {
        self.failed(error.at_line(whole.line), whole).await
    }
}

/// Characters that a transaction's name may have.
const MAX_TRANSACTION_NAME: usize = 32;

/// SQL Server raises 103 for a transaction name that is too long.
fn identifier_too_long(name: &str) -> SqlError {
    let text = format!(
        "The identifier that starts with '{name}' is too long. Maximum length is \
           {MAX_TRANSACTION_NAME}."
    );
    SqlError::new(103, 15, text)
}

/// SQL Server raises 10704 for a THROW without arguments outside of CATCH.
fn throw_outside_catch() -> SqlError {
    let text = "To rethrow an error, a THROW statement must be used inside a CATCH block.";
    SqlError::new(10704, 15, text)
}

/// SQL Server raises 148 for a time that cannot be read.
fn incorrect_time(text: &str) -> SqlError {
    SqlError::new(
        148,
        15,
        format!("Incorrect time syntax in time string '{text}' used with WAITFOR."),
    )
}

/// Reads `hh:mm[:ss[.mmm]]`.
fn parse_delay(text: &str) -> Option<Duration> {
    let mut parts = text.trim().split(':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let is_right = hours < 24 && minutes < 60 && (0.0..60.0).contains(&seconds);
    let whole = Duration::from_secs(hours * 3600 + minutes * 60);
    (is_right && parts.next().is_none()).then(|| whole + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_hours_minutes_and_seconds() {
        assert_eq!(
            parse_delay("00:00:01.500"),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(parse_delay("01:02"), Some(Duration::from_secs(3720)));
        assert_eq!(parse_delay("24:00:00"), None);
        assert_eq!(parse_delay("soon"), None);
    }
}
