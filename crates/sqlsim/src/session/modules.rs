//! EXECUTE: procedures of users and of the system, text, and calls of other hosts.
//!
//! Start at [`Session::execute`]. A procedure runs in its own database and with the rights of its
//! owner on that database's objects; text runs with the rights of the login.

use std::sync::Arc;

use super::Session;
use super::assign::assign;
use super::call::Argument;
use super::execute::{Boxed, Failed, Flow, Performed, Run, Stop, later};
use super::frame::{Frame, Module, Variables};
use crate::catalog::object::ObjectKind;
use crate::catalog::schema::StoredObject;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang;
use crate::lang::ast::{self, Execute, ExecuteTarget, Expr, ModuleKind, ObjectName, ProcedureName};
use crate::link;
use crate::messages;
use crate::proc;
use crate::value::{SqlType, Typed, Value};
use crate::wire::api::{Done, Event};

/// What a call gave back.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// The return status.
    pub status: i32,
    /// Output parameters: place among the arguments, and value.
    pub outputs: Vec<(usize, Typed)>,
}

/// SQL Server's limit of nesting (217).
const MAX_NESTING: usize = 32;

/// What a procedure returns whose module was ended by an error.
const FAILED_STATUS: i32 = -6;

impl Session {
    /// `EXECUTE`.
    pub(super) fn execute<'a>(&'a mut self, execute: &'a Execute) -> Boxed<'a, Performed> {
        Box::pin(async move {
            match &execute.target {
                ExecuteTarget::Procedure { name, arguments } => {
                    let name = self.procedure_name(name)?;
                    let given = self.arguments(arguments)?;
                    let returned = self.call(&name, given).await?;
                    self.take_back(execute, arguments, &returned)?;
                    self.end_call(returned.status).await;
                }
                ExecuteTarget::Text {
                    text,
                    arguments,
                    impersonate,
                    at,
                } => {
                    let text = self.text(text)?.unwrap_or_default();
                    match at {
                        Some(server) => {
                            let given = self.arguments(arguments)?;
                            later(self, |s| link::execute_text(s, server, &text, given)).await?;
                        }
                        None => self.execute_text(&text, impersonate.as_ref()).await?,
                    }
                }
            }
            Ok(Flow::Next)
        })
    }

    /// Calls a procedure by name, wherever it is.
    pub(crate) fn call<'a>(
        &'a mut self,
        name: &'a ObjectName,
        arguments: Vec<Argument>,
    ) -> Boxed<'a, Result<Returned, Failed>> {
        Box::pin(async move {
            if self.is_remote(name) {
                let server = name.server.as_deref().unwrap_or_default();
                return Ok(later(self, |s| link::call(s, server, name, arguments)).await?);
            }
            if self.frames.len() > MAX_NESTING {
                return Err(messages::nesting_level_exceeded().into());
            }
            if let Some(returned) = self.call_text(name, &arguments).await {
                return returned;
            }
            if let Some(procedure) = proc::find(name) {
                return self.call_system(name, procedure, arguments).await;
            }
            let database = self.database_named(name.database.as_deref())?;
            super::names::readable(&database)?;
            let found = self.find_object(&database, name.schema.as_deref(), &name.name);
            let object = found
                .filter(|o| o.object.kind == ObjectKind::Procedure)
                .ok_or_else(|| messages::procedure_not_found(&name.to_string()))?;
            if !self.is_chained(&database) {
                self.require_on_object(&database, &object, "EXECUTE")?;
            }
            self.call_module(&database, &object, arguments).await
        })
    }

    async fn call_system(
        &mut self,
        name: &ObjectName,
        procedure: &'static super::SystemProcedure,
        arguments: Vec<Argument>,
    ) -> Result<Returned, Failed> {
        let database = self.database_named(name.database.as_deref())?;
        let types: Vec<Option<SqlType>> = arguments.iter().map(|a| a.ty).collect();
        let call = procedure.bind(arguments)?;
        let before = std::mem::replace(&mut self.database, database);
        let ran = (procedure.run)(self, call).await;
        if name.database.is_some() {
            self.database = before;
        }
        let (status, call) = ran?;
        let output = |bound: super::Bound| {
            let place = bound.argument.filter(|_| bound.output)?;
            let ty = types.get(place).copied().flatten();
            let ty = ty.unwrap_or_else(|| bound.value.natural_type());
            Some((
                place,
                Typed {
                    ty,
                    value: bound.value,
                },
            ))
        };
        Ok(Returned {
            status,
            outputs: call.bound.into_iter().filter_map(output).collect(),
        })
    }

    async fn call_module(
        &mut self,
        database: &Arc<DatabaseHandle>,
        object: &StoredObject,
        arguments: Vec<Argument>,
    ) -> Result<Returned, Failed> {
        let module = object.module()?;
        let ModuleKind::Procedure {
            parameters, body, ..
        } = &module.kind
        else {
            return Err(messages::procedure_not_found(&object.object.name).into());
        };
        let bound = self.bind(&object.object.name, parameters, arguments)?;
        let frame = Frame {
            variables: bound.variables,
            module: Some(Module {
                name: object.object.name.clone(),
                id: object.object.id,
                chained: Some(Arc::clone(database)),
            }),
            text: Arc::from(object.object.definition()),
            ..Frame::default()
        };
        let count = self.transaction_count();
        let before = std::mem::replace(&mut self.database, Arc::clone(database));
        let (status, frame) = self.run_frame(frame, body).await;
        self.database = before;
        let status = status?;
        self.check_count(count, &object.object.name).await;
        let outputs = bound.outputs.iter().filter_map(|(place, name)| {
            frame
                .variables
                .get(name)
                .ok()
                .map(|value| (*place, value.clone()))
        });
        Ok(Returned {
            status,
            outputs: outputs.collect(),
        })
    }

    /// Runs statements in a frame of their own; hands the frame back for its variables.
    async fn run_frame(
        &mut self,
        frame: Frame,
        body: &[ast::Statement],
    ) -> (Result<i32, Stop>, Frame) {
        let logins = self.logins.len();
        let no_count = self.options.no_count;
        let xact_abort = self.options.xact_abort;
        self.frames.push(frame);
        let depth = self.frames.len();
        let mut ran: Run = self.run(body).await;
        if let Ok(Flow::Goto) = ran {
            let error = self.label_missing();
            self.report(error).await;
            ran = Err(Stop::Module);
        }
        let frame = self
            .frames
            .get_mut(depth - 1)
            .map(std::mem::take)
            .unwrap_or_default();
        while self.frames.len() >= depth {
            self.leave_frame();
        }
        self.logins.truncate(logins);
        self.options.no_count = no_count;
        self.options.xact_abort = xact_abort;
        let status = match ran {
            Ok(Flow::Return(status)) => Ok(status),
            Ok(_) => Ok(0),
            Err(Stop::Module) => Ok(FAILED_STATUS),
            Err(stop) => Err(stop),
        };
        (status, frame)
    }

    /// 266: a procedure that leaves more or fewer transactions open than it found says so and goes
    /// on.
    pub(super) async fn check_count(&mut self, before: u32, procedure: &str) {
        let after = self.transaction_count();
        if before != after && !self.is_in_try() {
            let error = messages::transaction_count_mismatch(before, after);
            self.report(error.in_procedure(procedure)).await;
        }
    }

    /// `EXECUTE ('text')`: a batch of its own, whose `USE` and `SET` end with it.
    async fn execute_text(
        &mut self,
        text: &str,
        impersonate: Option<&ast::Impersonation>,
    ) -> Result<(), Failed> {
        let login = impersonate
            .map(|whom| self.impersonated(whom))
            .transpose()?;
        if let Some(login) = login {
            self.logins.push(login);
            let ran = self.run_text(text, Variables::default()).await;
            self.logins.pop();
            return ran.map(drop);
        }
        self.run_text(text, Variables::default()).await.map(drop)
    }

    /// Runs text with variables of its own; hands them back.
    pub(crate) async fn run_text(
        &mut self,
        text: &str,
        variables: Variables,
    ) -> Result<Variables, Failed> {
        if self.frames.len() > MAX_NESTING {
            return Err(messages::nesting_level_exceeded().into());
        }
        let statements = lang::parse(text)?;
        let frame = Frame {
            variables,
            text: Arc::from(text),
            ..Frame::default()
        };
        let before = Arc::clone(&self.database);
        let (status, frame) = self.run_frame(frame, &statements).await;
        if !Arc::ptr_eq(&before, &self.database) {
            let name = before.name();
            self.use_database(&name).await?;
        }
        status?;
        Ok(frame.variables)
    }

    /// Values of arguments, with the type of each.
    fn arguments(&self, arguments: &[ast::Argument]) -> SqlResult<Vec<Argument>> {
        let evaluated = |argument: &ast::Argument| {
            let value = argument
                .value
                .as_ref()
                .map(|value| self.evaluate(value))
                .transpose()?;
            Ok(Argument {
                name: argument.name.clone(),
                ty: value.as_ref().map(|typed| typed.ty),
                value: value.map(|typed| typed.value),
                output: argument.output,
            })
        };
        arguments.iter().map(evaluated).collect()
    }

    fn bind(
        &self,
        procedure: &str,
        parameters: &[ast::Parameter],
        arguments: Vec<Argument>,
    ) -> SqlResult<BoundModule> {
        let mut values: Vec<Option<Typed>> = vec![None; parameters.len()];
        let mut outputs = Vec::new();
        for (place, argument) in arguments.into_iter().enumerate() {
            let at = parameter_of(procedure, parameters, &argument, place)?;
            if argument.output {
                if !parameters[at].output {
                    return Err(messages::output_not_declared(&parameters[at].name));
                }
                outputs.push((place, parameters[at].name.clone()));
            }
            let ty = argument.ty.unwrap_or(parameters[at].ty);
            values[at] = argument.value.map(|value| Typed { ty, value });
        }
        let mut variables = Variables::default();
        for (parameter, value) in parameters.iter().zip(values) {
            let value = match (value, &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.evaluate(default)?,
                (None, None) => {
                    return Err(messages::parameter_missing(procedure, &parameter.name));
                }
            };
            let typed = Typed {
                ty: parameter.ty,
                value: assign(&value, parameter.ty)?,
            };
            variables.declare(&parameter.name, typed)?;
        }
        Ok(BoundModule { variables, outputs })
    }

    /// Gives the caller's variables what the call gave back.
    fn take_back(
        &mut self,
        execute: &Execute,
        arguments: &[ast::Argument],
        returned: &Returned,
    ) -> SqlResult<()> {
        for (place, value) in &returned.outputs {
            if let Some(Expr::Variable(name)) = arguments.get(*place).and_then(|a| a.value.as_ref())
            {
                self.assign_variable(name, value)?;
            }
        }
        if let Some(name) = &execute.return_to {
            self.assign_variable(name, &Typed::int(returned.status))?;
        }
        Ok(())
    }

    async fn end_call(&mut self, status: i32) {
        if self.frames.len() == 1 && !self.output.is_capturing() {
            self.output.send(Event::ReturnStatus(status)).await;
            self.output
                .done(Done {
                    more: true,
                    ..Done::procedure()
                })
                .await;
        }
    }

    fn procedure_name(&self, name: &ProcedureName) -> SqlResult<ObjectName> {
        match name {
            ProcedureName::Name(name) => Ok(name.clone()),
            ProcedureName::Variable(variable) => {
                let value = self.scope_variable(variable)?.value;
                let text = super::assign::text_of(&value).unwrap_or_default();
                lang::parse_object_name(&text).map_err(|_| messages::procedure_not_found(&text))
            }
        }
    }

    /// A call that a client sent as such: its status, outputs and DONE follow.
    pub(super) async fn call_from_client(&mut self, name: &str, arguments: Vec<Argument>) {
        let types: Vec<(String, SqlType)> = arguments
            .iter()
            .map(|a| {
                (
                    a.name.clone().unwrap_or_default(),
                    a.ty.unwrap_or(SqlType::Int),
                )
            })
            .collect();
        let name = lang::parse_object_name(name).unwrap_or_else(|_| ObjectName::bare(name));
        self.enter("");
        match self.call(&name, arguments).await {
            Ok(returned) => {
                self.output.send(Event::ReturnStatus(returned.status)).await;
                for (place, value) in returned.outputs {
                    self.send_output(place, &types, value).await;
                }
            }
            Err(Failed::Error(error)) => {
                self.report(error.at_line(1)).await;
                self.roll_back_if_aborting().await;
            }
            // What stopped it has been sent.
            Err(Failed::Stop(_)) => {}
        }
        self.leave_batch().await;
        self.output.done(Done::procedure()).await;
    }

    async fn send_output(&mut self, place: usize, types: &[(String, SqlType)], value: Typed) {
        let (name, ty) = types
            .get(place)
            .cloned()
            .unwrap_or((String::new(), value.ty));
        let ordinal = u16::try_from(place).unwrap_or(u16::MAX);
        let value = assign(&value, ty).unwrap_or(Value::Null);
        self.output
            .send(Event::ReturnValue {
                name,
                ordinal,
                ty,
                value,
            })
            .await;
    }

    async fn roll_back_if_aborting(&mut self) {
        if self.options.xact_abort {
            self.roll_back_all().await;
        }
    }
}

/// Arguments bound to the parameters of a procedure.
struct BoundModule {
    variables: Variables,
    outputs: Vec<(usize, String)>,
}

fn parameter_of(
    procedure: &str,
    parameters: &[ast::Parameter],
    argument: &Argument,
    place: usize,
) -> SqlResult<usize> {
    if parameters.is_empty() {
        return Err(messages::procedure_has_no_parameters(procedure));
    }
    match &argument.name {
        Some(name) => {
            let found = parameters
                .iter()
                .position(|p| p.name.eq_ignore_ascii_case(name));
            found.ok_or_else(|| messages::not_a_parameter(name, procedure))
        }
        None if place < parameters.len() => Ok(place),
        None => Err(messages::too_many_arguments(procedure)),
    }
}

impl From<Failed> for SqlError {
    /// For callers that cannot stop what runs around them: what was sent already becomes 3621's
    /// plain word.
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Error(error) | Failed::Stop(Stop::Thrown(error)) => error,
            Failed::Stop(_) => Self::new(3621, 10, "The statement has been terminated."),
        }
    }
}
