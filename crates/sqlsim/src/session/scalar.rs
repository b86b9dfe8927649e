//! Scalar functions that users write: a small interpreter that only computes.
//!
//! Start at [`call`]. A function may declare, set, branch, loop, query and return; anything else in
//! its body raises 443, as SQL Server refuses side effects there.

use super::assign::assign;
use super::frame::Variables;
use super::names::Scope;
use crate::catalog::object::ObjectKind;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{DeclarationKind, ModuleKind, ObjectName, Statement, StatementKind};
use crate::messages;
use crate::query;
use crate::value::{SqlType, Typed};

/// How many statements one call may run: a function cannot be cancelled while it computes.
const MAX_STEPS: usize = 1_000_000;

/// Calls a user's scalar function; 195 when there is none of this name.
pub(super) fn call(scope: &Scope<'_>, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Typed> {
    let unknown = || messages::unrecognized_name(&name.to_string(), "built-in function name");
    let database = match &name.database {
        Some(other) => scope.session.database_named(Some(other))?,
        None => std::sync::Arc::clone(&scope.database),
    };
    // A user's function is always named with its schema; without one it can only be a built-in one.
    let schema = name.schema.as_deref().ok_or_else(unknown)?;
    let found = scope
        .session
        .find_object(&database, Some(schema), &name.name);
    let object = found
        .filter(|o| o.object.kind == ObjectKind::Function)
        .ok_or_else(unknown)?;
    if !(scope.chained && std::sync::Arc::ptr_eq(&database, &scope.database)) {
        scope
            .session
            .require_on_object(&database, &object, "EXECUTE")?;
    }
    let module = object.module()?;
    let ModuleKind::Function {
        parameters,
        returns,
        body,
    } = &module.kind
    else {
        return Err(unknown());
    };
    if arguments.len() > parameters.len() {
        return Err(messages::too_many_arguments(&name.to_string()));
    }
    let mut variables = Variables::default();
    for (at, parameter) in parameters.iter().enumerate() {
        let value = arguments
            .get(at)
            .ok_or_else(|| too_few_arguments(&name.to_string()))?;
        let value = assign(value, parameter.ty)?;
        variables.declare(
            &parameter.name,
            Typed {
                ty: parameter.ty,
                value,
            },
        )?;
    }
    let frame = Scope {
        database,
        chained: true,
        depth: scope.depth + 1,
        variables: None,
        ..*scope
    };
    let mut machine = Machine {
        scope: frame,
        variables,
        steps: 0,
    };
    let value = machine.run(body)?;
    let result = match value {
        Step::Return(value) => value,
        _ => Typed::null(*returns),
    };
    Ok(Typed {
        ty: *returns,
        value: assign(&result, *returns)?,
    })
}

/// Where control goes after a statement.
enum Step {
    Next,
    Break,
    Continue,
    Return(Typed),
}

struct Machine<'a> {
    scope: Scope<'a>,
    variables: Variables,
    steps: usize,
}

impl Machine<'_> {
    fn run(&mut self, statements: &[Statement]) -> SqlResult<Step> {
        for statement in statements {
            match self
                .step(statement)
                .map_err(|e| e.at_line(statement.line))?
            {
                Step::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Step::Next)
    }

    fn step(&mut self, statement: &Statement) -> SqlResult<Step> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(messages::nesting_level_exceeded());
        }
        match &statement.kind {
            StatementKind::Block(body) => return self.run(body),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = query::condition(&self.names(), condition)?;
                return match (holds, otherwise) {
                    (Some(true), _) => self.step(then),
                    (_, Some(otherwise)) => self.step(otherwise),
                    (_, None) => Ok(Step::Next),
                };
            }
            StatementKind::While { condition, body } => {
                while query::condition(&self.names(), condition)? == Some(true) {
                    match self.step(body)? {
                        Step::Next | Step::Continue => {}
                        Step::Break => break,
                        Step::Return(value) => return Ok(Step::Return(value)),
                    }
                }
            }
            StatementKind::Break => return Ok(Step::Break),
            StatementKind::Continue => return Ok(Step::Continue),
            StatementKind::Return(value) => {
                let value = value
                    .as_ref()
                    .map(|v| query::evaluate(&self.names(), v))
                    .transpose()?;
                return Ok(Step::Return(value.unwrap_or(Typed::null(SqlType::Int))));
            }
            StatementKind::Declare(declarations) => {
                for declaration in declarations {
                    let DeclarationKind::Scalar { ty, initial } = &declaration.kind else {
                        return Err(side_effect("DECLARE"));
                    };
                    let value = match initial {
                        Some(initial) => assign(&query::evaluate(&self.names(), initial)?, *ty)?,
                        None => crate::value::Value::Null,
                    };
                    self.variables
                        .redeclare(&declaration.name, Typed { ty: *ty, value });
                }
            }
            StatementKind::SetVariable(set) => {
                let expr = super::variables::with_operator(set);
                let value = query::evaluate(&self.names(), &expr)?;
                self.variables.set(&set.name, &value)?;
            }
            StatementKind::Select(select) if query::assigns(select) => {
                for (name, value) in query::assign(&self.names(), select)?.values {
                    self.variables.put(&name, &value)?;
                }
            }
            other => return Err(side_effect(super::format::command_name(other))),
        }
        Ok(Step::Next)
    }

    fn names(&self) -> Scope<'_> {
        Scope {
            session: self.scope.session,
            database: std::sync::Arc::clone(&self.scope.database),
            variables: Some(&self.variables),
            depth: self.scope.depth,
            chained: true,
        }
    }
}

/// SQL Server raises 443 for a statement that a function may not contain.
fn side_effect(statement: &str) -> SqlError {
    let text = format!("Invalid use of a side-effecting operator '{statement}' within a function.");
    SqlError::new(443, 16, text)
}

/// SQL Server raises 313 for a call with too few arguments.
fn too_few_arguments(function: &str) -> SqlError {
    let text = format!(
        "An insufficient number of arguments were supplied for the procedure or function \
           {function}."
    );
    SqlError::new(313, 16, text)
}
