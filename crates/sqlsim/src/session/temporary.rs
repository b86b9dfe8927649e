//! Temporary tables and table variables: tables that live in the session and nowhere else.
//!
//! Start at [`LocalTable`]. They have no log and no locks; a transaction that rolls back brings
//! temporary tables back as they were, and leaves table variables alone, as SQL Server does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::shape::TableShape;
use crate::value::{Row, Rows};

/// A table in the memory of a session.
#[derive(Clone, Debug)]
pub struct LocalTable {
    /// Its shape.
    pub shape: Arc<TableShape>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// The last identity value given.
    pub identity: Option<i64>,
    /// How many frames were running when it was made: it goes with the innermost of them.
    pub depth: usize,
}

impl LocalTable {
    /// An empty table.
    #[must_use]
    pub fn new(shape: Arc<TableShape>, depth: usize) -> Self {
        Self {
            shape,
            rows: Vec::new(),
            identity: None,
            depth,
        }
    }

    /// Its rows as a relation.
    #[must_use]
    pub fn relation(&self) -> Rows {
        Rows {
            columns: self.shape.relation_columns(),
            rows: self.rows.clone(),
        }
    }
}

/// The temporary tables of a session, by lower-case name.
pub type Temporary = BTreeMap<String, LocalTable>;
