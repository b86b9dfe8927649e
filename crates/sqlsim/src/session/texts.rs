//! Calls that run text: `sp_executesql`, and the prepared texts of clients.
//!
//! Start at [`Session::call_text`]. The text runs as a batch of its own, with the parameters as its
//! variables.

use std::collections::BTreeMap;

use super::Session;
use super::assign::{assign, integer_of, text_of};
use super::call::Argument;
use super::execute::Failed;
use super::frame::Variables;
use super::modules::Returned;
use crate::error::SqlResult;
use crate::lang;
use crate::lang::ast::{ObjectName, Parameter};
use crate::messages;
use crate::value::{SqlType, Typed, Value};

/// Texts that a client has prepared, by handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    texts: BTreeMap<i32, (String, String)>,
    last: i32,
}

impl Session {
    /// Runs one of the procedures that run text; none when the name is of no such procedure.
    pub(super) async fn call_text(
        &mut self,
        name: &ObjectName,
        arguments: &[Argument],
    ) -> Option<Result<Returned, Failed>> {
        let text = |at: usize| {
            arguments
                .get(at)
                .and_then(|a| a.value.as_ref())
                .and_then(text_of)
                .unwrap_or_default()
        };
        Some(match name.name.to_lowercase().as_str() {
            "sp_executesql" => {
                let has_declarations = arguments.len() > 1;
                let declarations = if has_declarations {
                    text(1)
                } else {
                    String::new()
                };
                self.run_with(&text(0), &declarations, arguments, 2).await
            }
            "sp_prepexec" => {
                let handle = self.prepare(text(1), text(2));
                let ran = self.run_with(&text(2), &text(1), arguments, 3).await;
                ran.map(|returned| with_handle(returned, handle))
            }
            "sp_prepare" => {
                let handle = self.prepare(text(1), text(2));
                Ok(with_handle(Returned::default(), handle))
            }
            "sp_execute" => match self.prepared_text(arguments) {
                Ok((declarations, text)) => self.run_with(&text, &declarations, arguments, 1).await,
                Err(error) => Err(error.into()),
            },
            "sp_unprepare" => match Self::handle(arguments) {
                Ok(handle) => {
                    self.prepared.texts.remove(&handle);
                    Ok(Returned::default())
                }
                Err(error) => Err(error.into()),
            },
            _ => return None,
        })
    }

    fn prepare(&mut self, declarations: String, text: String) -> i32 {
        self.prepared.last += 1;
        self.prepared
            .texts
            .insert(self.prepared.last, (declarations, text));
        self.prepared.last
    }

    fn handle(arguments: &[Argument]) -> SqlResult<i32> {
        let value = arguments
            .first()
            .and_then(|a| a.value.clone())
            .unwrap_or(Value::Null);
        Ok(i32::try_from(integer_of(&value)?).unwrap_or_default())
    }

    fn prepared_text(&self, arguments: &[Argument]) -> SqlResult<(String, String)> {
        let handle = Self::handle(arguments)?;
        let found = self.prepared.texts.get(&handle).cloned();
        found.ok_or_else(|| messages::prepared_statement_not_found(handle))
    }

    /// Runs text whose parameters are declared by `declarations` and given from the argument
    /// `first` on.
    async fn run_with(
        &mut self,
        text: &str,
        declarations: &str,
        arguments: &[Argument],
        first: usize,
    ) -> Result<Returned, Failed> {
        let parameters = lang::parse_parameters(declarations)?;
        let given = arguments.get(first..).unwrap_or_default();
        let (variables, outputs) = bind(text, &parameters, given)?;
        let before = self.transaction_count();
        let variables = self.run_text(text, variables).await?;
        self.check_count(before, "").await;
        let outputs = outputs.into_iter().filter_map(|(at, name)| {
            variables
                .get(&name)
                .ok()
                .map(|value| (at + first, value.clone()))
        });
        Ok(Returned {
            status: 0,
            outputs: outputs.collect(),
        })
    }
}

fn with_handle(mut returned: Returned, handle: i32) -> Returned {
    returned.outputs.insert(
        0,
        (
            0,
            Typed {
                ty: SqlType::Int,
                value: handle.into(),
            },
        ),
    );
    returned
}

/// Variables, and for each output parameter the place of its argument and its name.
type BoundText = (Variables, Vec<(usize, String)>);

/// 8178 for a parameter that is declared and not given, 8144 for an argument too many.
fn bind(text: &str, parameters: &[Parameter], given: &[Argument]) -> SqlResult<BoundText> {
    if given.len() > parameters.len() {
        return Err(messages::too_many_arguments(""));
    }
    let mut variables = Variables::default();
    let mut outputs = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let by_name = given.iter().position(|argument| {
            argument
                .name
                .as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case(&parameter.name))
        });
        let by_place = given
            .get(at)
            .filter(|argument| argument.name.is_none())
            .map(|_| at);
        let place = by_name.or(by_place);
        let missing = || messages::parameterized_query_expects(text, &parameter.name);
        let place = place.ok_or_else(missing)?;
        let argument = &given[place];
        let value = argument.value.clone().unwrap_or(Value::Null);
        let ty = argument.ty.unwrap_or_else(|| value.natural_type());
        let value = assign(&Typed { ty, value }, parameter.ty)?;
        variables.declare(
            &parameter.name,
            Typed {
                ty: parameter.ty,
                value,
            },
        )?;
        if argument.output {
            outputs.push((place, parameter.name.clone()));
        }
    }
    Ok((variables, outputs))
}
