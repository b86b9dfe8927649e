//! Frames: the variables, tables and cursors of one running module.
//!
//! Start at [`Frame`]. The first frame is the batch. Nothing here evaluates anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assign::assign;
use super::temporary::LocalTable;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::messages;
use crate::value::{Column, Row, Typed, Value};

/// Variables by lower-case name, `@` included.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Typed>);

impl Variables {
    /// Declares a variable; 134 when it is there already.
    pub fn declare(&mut self, name: &str, typed: Typed) -> SqlResult<()> {
        let key = name.to_lowercase();
        if self.0.contains_key(&key) {
            return Err(messages::variable_declared_twice(name));
        }
        self.0.insert(key, typed);
        Ok(())
    }

    /// Declares a variable or, in a loop, gives the one of the same statement its first value anew.
    pub fn redeclare(&mut self, name: &str, typed: Typed) {
        self.0.insert(name.to_lowercase(), typed);
    }

    /// A variable's type and value; 137 when it is not declared.
    pub fn get(&self, name: &str) -> SqlResult<&Typed> {
        self.0
            .get(&name.to_lowercase())
            .ok_or_else(|| messages::scalar_variable_not_declared(name))
    }

    /// Whether it is declared.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(&name.to_lowercase())
    }

    /// Gives a variable a value, converted to its declared type.
    pub fn set(&mut self, name: &str, value: &Typed) -> SqlResult<()> {
        let slot = self.0.get_mut(&name.to_lowercase());
        let slot = slot.ok_or_else(|| messages::scalar_variable_not_declared(name))?;
        slot.value = assign(value, slot.ty)?;
        Ok(())
    }

    /// Gives a variable a value that has its type already.
    pub fn put(&mut self, name: &str, value: &Value) -> SqlResult<()> {
        let slot = self.0.get_mut(&name.to_lowercase());
        let slot = slot.ok_or_else(|| messages::scalar_variable_not_declared(name))?;
        slot.value.clone_from(value);
        Ok(())
    }
}

/// The module that a frame runs.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name as messages show it.
    pub name: String,
    /// `@@PROCID`.
    pub id: u32,
    /// Objects of this database are used with the rights of the module's owner.
    pub chained: Option<Arc<DatabaseHandle>>,
}

/// A cursor.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// Its query; none for a cursor variable that was given none yet.
    pub select: Option<Arc<crate::lang::ast::Select>>,
    /// Its rows once it is open, and the place of the next one.
    pub open: Option<(Vec<Row>, usize)>,
    /// Its columns, known once it is open.
    pub columns: Vec<Column>,
}

/// What one running module has of its own.
#[derive(Debug, Default)]
pub struct Frame {
    /// Scalar variables.
    pub variables: Variables,
    /// Table variables, by lower-case name.
    pub tables: BTreeMap<String, LocalTable>,
    /// Cursors, by lower-case name.
    pub cursors: BTreeMap<String, Cursor>,
    /// The module; none for a batch.
    pub module: Option<Module>,
    /// Errors whose CATCH blocks run, innermost last.
    pub caught: Vec<SqlError>,
    /// Where a GOTO leads.
    pub goto: Option<String>,
    /// Text of the batch, for what is sent to other hosts as text.
    pub text: Arc<str>,
}

/// What the last statement left behind.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// `@@ERROR`.
    pub error: i32,
    /// `@@ROWCOUNT`.
    pub rows: u64,
    /// `@@IDENTITY`, also `SCOPE_IDENTITY()`.
    pub identity: Option<i64>,
    /// The statement has reported errors itself and gone on to its end, as DBCC does: its error number
    /// stays.
    pub has_reported: bool,
    /// `@@FETCH_STATUS`.
    pub fetch_status: i32,
}
