//! Catalog views: `sys.*`, computed from records and from the running instance.
//!
//! Start at [`relation`]. Each view is a list of columns and a function that makes its rows. Rows that
//! the login may not see are left out, as SQL Server leaves them out; nothing here changes
//! anything.

mod databases;
mod keys;
mod objects;
mod principals;
mod server;

use std::sync::Arc;

use crate::availability;
use crate::error::SqlResult;
use crate::events;
use crate::instance::{DatabaseHandle, Instance, estate};
use crate::lang::ast::ObjectName;
use crate::session::Session;
use crate::value::{Column, Row, Rows, SqlType, Value};

/// Who looks at a view, and from where.
pub struct ViewContext<'a> {
    /// The session that looks.
    pub session: &'a Session,
    /// Its instance.
    pub instance: &'a Arc<Instance>,
    /// The database whose catalog is shown.
    pub database: Arc<DatabaseHandle>,
}

/// A catalog view.
pub struct SystemView {
    /// `sys` or `information_schema`.
    pub schema: &'static str,
    /// Its name, lower case.
    pub name: &'static str,
    /// Its columns: name and type.
    pub columns: &'static [(&'static str, SqlType)],
    /// Its rows, each as long as the columns.
    pub rows: fn(&ViewContext<'_>) -> SqlResult<Vec<Row>>,
}

impl SystemView {
    /// The view's columns and rows.
    pub fn relation(&self, context: &ViewContext<'_>) -> SqlResult<Rows> {
        let columns = self
            .columns
            .iter()
            .map(|(name, ty)| Column::new(*name, *ty))
            .collect();
        Ok(Rows {
            columns,
            rows: (self.rows)(context)?,
        })
    }
}

/// A view that another room makes whole: schema, name, and what makes it.
pub type MadeView = (
    &'static str,
    &'static str,
    fn(&ViewContext<'_>) -> SqlResult<Rows>,
);

/// The rows of a view; none when there is none of this name. Its schema must be named.
#[must_use]
pub fn relation(name: &ObjectName, context: &ViewContext<'_>) -> Option<SqlResult<Rows>> {
    let schema = name.schema.as_deref()?;
    let fits = |known_schema: &str, known: &str| {
        known_schema.eq_ignore_ascii_case(schema) && known.eq_ignore_ascii_case(&name.name)
    };
    let lists = [
        databases::VIEWS,
        keys::VIEWS,
        objects::VIEWS,
        principals::VIEWS,
        server::VIEWS,
        availability::VIEWS,
        events::VIEWS,
        estate::VIEWS,
    ];
    let view = lists
        .into_iter()
        .flatten()
        .find(|view| fits(view.schema, view.name));
    if let Some(view) = view {
        return Some(view.relation(context));
    }
    let made = server::MADE
        .iter()
        .find(|(schema, name, _)| fits(schema, name));
    made.map(|(_, _, make)| make(context))
}

/// `max_length` of a column: bytes, -1 for `max`.
#[must_use]
pub fn length_bytes(ty: SqlType) -> i64 {
    match ty {
        SqlType::Bit | SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 4,
        SqlType::BigInt
        | SqlType::Float
        | SqlType::Money
        | SqlType::DateTime
        | SqlType::DateTime2(_) => 8,
        SqlType::DateTimeOffset(_) => 10,
        SqlType::Date => 3,
        SqlType::Time(_) => 5,
        SqlType::UniqueIdentifier => 16,
        SqlType::Decimal { precision, .. } => match precision {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        SqlType::NVarChar(length) => length.map_or(-1, |n| i64::from(n) * 2),
        SqlType::VarChar(length) | SqlType::VarBinary(length) => length.map_or(-1, i64::from),
        SqlType::NChar(length) => i64::from(length) * 2,
        SqlType::Char(length) | SqlType::Binary(length) => i64::from(length),
    }
}

/// `bit` from a truth.
fn bit(is_so: bool) -> Value {
    Value::Bit(is_so)
}

/// Text of 60 characters, the type of most `_desc` columns.
const DESC: SqlType = SqlType::NVarChar(Some(60));
