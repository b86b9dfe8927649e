//! System procedures: how they are declared, how arguments reach them, how they answer.
//!
//! Start at [`SystemProcedure`]. `proc/` lists them all; each is a function over [`Call`].
//! Procedures that users write run in `modules.rs`.

use std::future::Future;
use std::pin::Pin;

use super::Session;
use super::assign::{integer_of, text_of};
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::value::{SqlType, Value};

/// A procedure that the simulator itself provides.
pub struct SystemProcedure {
    /// Its name, lower case, without schema.
    pub name: &'static str,
    /// Its parameters in order. A last one named `@*` takes any number of further arguments.
    pub parameters: &'static [Parameter],
    /// Runs it. Result sets and messages go through `session.output`; the value is the return
    /// status.
    pub run: for<'a> fn(&'a mut Session, Call) -> ProcedureResult<'a>,
}

/// What a system procedure gives back: its return status and, in the call, its output parameters.
pub type ProcedureResult<'a> = Pin<Box<dyn Future<Output = SqlResult<(i32, Call)>> + Send + 'a>>;

/// A parameter of a system procedure.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// With its `@`, as documented by Microsoft.
    pub name: &'static str,
    /// False: leaving it out raises 201.
    pub optional: bool,
}

impl Parameter {
    /// A parameter that must be given.
    #[must_use]
    pub const fn needed(name: &'static str) -> Self {
        Self {
            name,
            optional: false,
        }
    }

    /// A parameter that may be left out; it is NULL then.
    #[must_use]
    pub const fn optional(name: &'static str) -> Self {
        Self {
            name,
            optional: true,
        }
    }
}

/// An argument as the caller gave it.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The parameter's name with its `@`, if the caller named it.
    pub name: Option<String>,
    /// Its value; none for `DEFAULT`.
    pub value: Option<Value>,
    /// The type that the caller knows it by.
    pub ty: Option<SqlType>,
    /// Whether the caller wants it back.
    pub output: bool,
}

/// One parameter after binding.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The parameter's name with its `@`.
    pub name: String,
    /// What it holds now.
    pub value: Value,
    /// Position among the caller's arguments; none if the caller did not give it.
    pub argument: Option<usize>,
    /// The type that the caller knows it by.
    pub ty: Option<SqlType>,
    /// Whether the caller wants it back.
    pub output: bool,
}

/// The arguments of one call, bound to parameters.
#[derive(Clone, Debug)]
pub struct Call {
    /// The procedure's name, for messages.
    pub procedure: String,
    /// All parameters in order, then any further arguments.
    pub bound: Vec<Bound>,
}

impl SystemProcedure {
    /// Binds arguments to parameters: 201 for one left out, 8145 for an unknown name, 8144 for too
    /// many.
    pub fn bind(&self, arguments: Vec<Argument>) -> SqlResult<Call> {
        let open = self.parameters.last().is_some_and(|p| p.name == "@*");
        let named = if open {
            &self.parameters[..self.parameters.len() - 1]
        } else {
            self.parameters
        };
        let mut bound: Vec<Option<Bound>> = named.iter().map(|_| None).collect();
        let mut further = Vec::new();
        for (position, argument) in arguments.into_iter().enumerate() {
            let slot = self.slot(named, &argument, position, open)?;
            let name = slot.map_or_else(
                || argument.name.clone().unwrap_or_default(),
                |slot| named[slot].name.to_owned(),
            );
            let value = Bound {
                name,
                value: argument.value.unwrap_or(Value::Null),
                argument: Some(position),
                ty: argument.ty,
                output: argument.output,
            };
            match slot {
                Some(slot) => bound[slot] = Some(value),
                None => further.push(value),
            }
        }
        let filled = named.iter().zip(bound).map(|(p, b)| self.filled(p, b));
        let mut bound = filled.collect::<SqlResult<Vec<_>>>()?;
        bound.extend(further);
        Ok(Call {
            procedure: self.name.to_owned(),
            bound,
        })
    }

    fn slot(
        &self,
        named: &[Parameter],
        argument: &Argument,
        position: usize,
        open: bool,
    ) -> SqlResult<Option<usize>> {
        let found = match &argument.name {
            Some(name) => named.iter().position(|p| p.name.eq_ignore_ascii_case(name)),
            None => (position < named.len()).then_some(position),
        };
        match (found, &argument.name) {
            (Some(slot), _) => Ok(Some(slot)),
            (None, _) if open => Ok(None),
            (None, Some(name)) => Err(messages::not_a_parameter(name, self.name)),
            (None, None) => Err(messages::too_many_arguments(self.name)),
        }
    }

    fn filled(&self, parameter: &Parameter, bound: Option<Bound>) -> SqlResult<Bound> {
        match bound {
            Some(bound) => Ok(bound),
            None if parameter.optional => Ok(Bound {
                name: parameter.name.to_owned(),
                value: Value::Null,
                argument: None,
                ty: None,
                output: false,
            }),
            None => Err(messages::parameter_missing(self.name, parameter.name)),
        }
    }
}

impl Call {
    /// A parameter's value; NULL when it was left out.
    #[must_use]
    pub fn value(&self, name: &str) -> &Value {
        self.bound
            .iter()
            .find(|b| b.name.eq_ignore_ascii_case(name))
            .map_or(&Value::Null, |b| &b.value)
    }

    /// Whether the caller gave the parameter at all, be it as NULL.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.bound
            .iter()
            .any(|b| b.argument.is_some() && b.name.eq_ignore_ascii_case(name))
    }

    /// A parameter as text; none for NULL.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        text_of(self.value(name))
    }

    /// A parameter as text that may not be NULL.
    pub fn needed_text(&self, name: &str) -> SqlResult<String> {
        self.text(name).ok_or_else(|| self.null_not_allowed(name))
    }

    /// A parameter as an integer; none for NULL, 8114 for what is no number.
    pub fn integer(&self, name: &str) -> SqlResult<Option<i64>> {
        match self.value(name) {
            Value::Null => Ok(None),
            value => integer_of(value).map(Some),
        }
    }

    /// Gives an output parameter its value.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(bound) = self
            .bound
            .iter_mut()
            .find(|b| b.name.eq_ignore_ascii_case(name))
        {
            bound.value = value;
        }
    }

    fn null_not_allowed(&self, name: &str) -> SqlError {
        parameter_null(&self.procedure, name)
    }
}

/// SQL Server raises 15004 for a name that is NULL.
fn parameter_null(procedure: &str, parameter: &str) -> SqlError {
    let text = format!("Parameter '{parameter}' of procedure '{procedure}' cannot be NULL.");
    SqlError::new(15004, 16, text)
}
