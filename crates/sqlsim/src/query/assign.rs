//! `SELECT @v = expr`.
//!
//! Start at [`assign`]. Rows are taken one after the other, and each sees what the one before it
//! assigned, so that `SELECT @s = @s + name FROM t` joins all names.

use std::cell::RefCell;

use super::dml::combine;
use super::eval;
use super::names::{Names, Relation};
use super::plan::{Commons, Plan};
use crate::error::SqlResult;
use crate::lang::ast::{ObjectName, Select, SelectItem};
use crate::messages;
use crate::value::{Rows, SqlType, Typed, Value, convert};

/// What `SELECT @v = expr` leaves in its variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// Each variable, `@` included, with its value after the last row, converted to its declared
    /// type; empty where there was no row, and then the variables keep what they had.
    pub values: Vec<(String, Value)>,
    /// How many rows there were, for `@@ROWCOUNT`.
    pub rows: u64,
}

/// Whether a `SELECT` assigns variables rather than yielding rows.
#[must_use]
pub fn assigns(select: &Select) -> bool {
    select
        .first
        .items
        .iter()
        .any(|item| matches!(item, SelectItem::Assign { .. }))
}

/// Evaluates a `SELECT` whose items assign. Fails with 141 where they are mixed with others.
pub fn assign(names: &dyn Names, select: &Select) -> SqlResult<Assigned> {
    let overlay = Overlay {
        names,
        values: RefCell::default(),
    };
    let commons = Commons::none();
    let (plan, _) = Plan::bind(&overlay, select, None, &commons)?;
    let core = plan
        .single()
        .ok_or_else(messages::assignment_mixed_with_retrieval)?;
    let items = assignments(select)?;
    let mut rows = 0;
    core.each_line(&overlay, |frame| {
        rows += 1;
        for ((variable, operator), bound) in items.iter().zip(&core.items) {
            let declared = overlay.variable(variable)?;
            let mut typed = eval::typed(bound, &overlay, frame)?;
            if let Some(operator) = operator {
                typed = combine(*operator, &declared, &typed)?;
            }
            let value = convert::cast(&typed, declared.ty, None)?;
            overlay.set(
                variable,
                Typed {
                    ty: declared.ty,
                    value,
                },
            );
        }
        Ok(())
    })?;
    let values = overlay.values.into_inner();
    Ok(Assigned {
        values: values
            .into_iter()
            .map(|(name, typed)| (name, typed.value))
            .collect(),
        rows,
    })
}

type Target = (String, Option<crate::lang::ast::Operator>);

fn assignments(select: &Select) -> SqlResult<Vec<Target>> {
    select
        .first
        .items
        .iter()
        .map(|item| match item {
            SelectItem::Assign {
                variable, operator, ..
            } => Ok((variable.clone(), *operator)),
            _ => Err(messages::assignment_mixed_with_retrieval()),
        })
        .collect()
}

/// The names around, with the variables assigned so far on top.
struct Overlay<'a> {
    names: &'a dyn Names,
    values: RefCell<Vec<(String, Typed)>>,
}

impl Overlay<'_> {
    fn set(&self, name: &str, typed: Typed) {
        let mut values = self.values.borrow_mut();
        match values
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, known)) => *known = typed,
            None => values.push((name.to_owned(), typed)),
        }
    }
}

impl Names for Overlay<'_> {
    fn variable(&self, name: &str) -> SqlResult<Typed> {
        let values = self.values.borrow();
        let known = values
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, typed)) => Ok(typed.clone()),
            None => self.names.variable(name),
        }
    }

    fn relation(&self, name: &ObjectName) -> SqlResult<Relation> {
        self.names.relation(name)
    }

    fn table_function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Rows> {
        self.names.table_function(name, arguments)
    }

    fn function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Typed> {
        self.names.function(name, arguments)
    }

    fn function_type(&self, name: &ObjectName, arguments: &[SqlType]) -> SqlResult<SqlType> {
        self.names.function_type(name, arguments)
    }
}
