//! The functions that need no instance.
//!
//! Start at [`find`]. A [`Builtin`] says how many arguments it takes, which type it yields, and
//! what it computes. What needs a clock, randomness, a database or a principal is not here: the
//! session answers it through `Names::function`.

mod date;
mod misc;
mod number;
mod text;

use super::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::value::convert::{cast, implicit};
use crate::value::{SqlType, Typed, Value};

pub use text::format_message;

/// A function.
pub(super) struct Builtin {
    /// In capitals.
    name: &'static str,
    least: usize,
    most: usize,
    ty: ResultType,
    run: fn(&[Typed], SqlType) -> SqlResult<Value>,
}

/// Which type a function yields.
#[derive(Clone, Copy)]
enum ResultType {
    /// Always this one.
    Fixed(SqlType),
    /// That of the first argument.
    First,
    /// Text as the first argument, Unicode or not, of its length.
    FirstText,
    /// Text as the first argument, as long as text may be.
    LongText,
    /// The first argument's type, a number: text counts as float.
    Number,
    /// That of the second argument (the third of `DATEADD`), text being a `datetime`.
    Moved,
    /// Text, Unicode if any argument is.
    AnyText,
}

const INT: ResultType = ResultType::Fixed(SqlType::Int);

/// The function of a name, in any case.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    let all = text::FUNCTIONS
        .iter()
        .chain(number::FUNCTIONS)
        .chain(date::FUNCTIONS);
    all.chain(misc::FUNCTIONS)
        .find(|builtin| builtin.name.eq_ignore_ascii_case(name))
}

impl Builtin {
    /// Fails with 174 or 189 for a wrong number of arguments.
    pub(super) fn check_count(&self, count: usize) -> SqlResult<()> {
        let name = self.name.to_ascii_lowercase();
        if (self.least..=self.most).contains(&count) {
            Ok(())
        } else if self.least == self.most {
            Err(messages::function_argument_count(&name, self.least))
        } else {
            Err(messages::function_argument_range(
                &name, self.least, self.most,
            ))
        }
    }

    pub(super) fn result_type(&self, arguments: &[Bound]) -> SqlType {
        let first = arguments.first().map_or(SqlType::Int, |first| first.ty);
        let as_text = |ty: SqlType| match ty {
            SqlType::NVarChar(n) => SqlType::NVarChar(n),
            SqlType::NChar(n) => SqlType::NVarChar(Some(n)),
            SqlType::VarChar(n) => SqlType::VarChar(n),
            SqlType::Char(n) => SqlType::VarChar(Some(n)),
            _ => SqlType::VarChar(Some(8000)),
        };
        match self.ty {
            ResultType::Fixed(ty) => ty,
            ResultType::First => {
                // ISNULL(NULL, x) is of the type of x.
                let null = arguments.first().is_some_and(Bound::is_null_literal);
                arguments
                    .get(1)
                    .filter(|_| null)
                    .map_or(first, |second| second.ty)
            }
            ResultType::FirstText => as_text(first),
            ResultType::LongText => long(as_text(first)),
            ResultType::Number => match first {
                ty if ty.is_text() => SqlType::Float,
                SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
                ty => ty,
            },
            ResultType::Moved => match arguments.get(2).or_else(|| arguments.first()) {
                Some(moved) if moved.ty.is_temporal() => moved.ty,
                _ => SqlType::DateTime,
            },
            ResultType::AnyText => {
                let unicode = arguments.iter().any(|argument| argument.ty.is_unicode());
                let max = arguments
                    .iter()
                    .any(|argument| argument.ty.is_text() && argument.ty.length().is_none());
                match (unicode, max) {
                    (true, true) => SqlType::NVarChar(None),
                    (true, false) => SqlType::NVarChar(Some(4000)),
                    (false, true) => SqlType::VarChar(None),
                    (false, false) => SqlType::VarChar(Some(8000)),
                }
            }
        }
    }

    /// The value, converted to the type that was derived.
    pub(super) fn call(&self, arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
        let value = (self.run)(arguments, ty)?;
        match (&value, ty) {
            (Value::Text(_), ty) if ty.is_text() => cast(&Typed { ty, value }, ty, None),
            _ => Ok(value),
        }
    }
}

fn long(ty: SqlType) -> SqlType {
    match ty {
        SqlType::NVarChar(Some(_)) => SqlType::NVarChar(Some(4000)),
        SqlType::VarChar(Some(_)) => SqlType::VarChar(Some(8000)),
        other => other,
    }
}

/// An argument as text; `None` is NULL or not there.
fn text_of(arguments: &[Typed], index: usize) -> SqlResult<Option<String>> {
    let Some(typed) = arguments.get(index) else {
        return Ok(None);
    };
    match cast(typed, SqlType::NVarChar(None), None)? {
        Value::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// An argument as an integer; `None` is NULL or not there.
fn int_of(arguments: &[Typed], index: usize) -> SqlResult<Option<i64>> {
    let Some(typed) = arguments.get(index) else {
        return Ok(None);
    };
    Ok(implicit(typed, SqlType::BigInt)?.as_int())
}

fn bad_argument(arguments: &[Typed], index: usize, function: &str) -> SqlError {
    let ty = arguments
        .get(index)
        .map_or("void type", |typed| typed.ty.base_name());
    messages::invalid_argument_type(ty, index + 1, function)
}
