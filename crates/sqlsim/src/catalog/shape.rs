//! The shape of a table: its columns, keys and checks, as the sum of the statements that made it.
//!
//! Start at [`TableShape::of_texts`] for a stored table and [`TableShape::of_definition`] for a
//! table variable. This room looks at no row; what `ALTER TABLE` does to rows stands in
//! `session/ddl.rs`.

use crate::error::{SqlError, SqlResult};
use crate::lang;
use crate::lang::ast::{
    AlterTableAction, ColumnDefinition, Condition, ConstraintKind, Expr, StatementKind,
    TableConstraint, TableDefinition,
};
use crate::messages;
use crate::value::compare::same_name;
use crate::value::{Column, SqlType};

/// The shape of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableShape {
    /// Its columns in order.
    pub columns: Vec<ColumnShape>,
    /// Primary key, unique constraints and unique indexes.
    pub keys: Vec<Key>,
    /// `CHECK` constraints: name and condition.
    pub checks: Vec<(String, Condition)>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Seed and increment of an identity column.
    pub identity: Option<(i64, i64)>,
    /// The default's expression.
    pub default: Option<Expr>,
}

/// What must be unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Name of the constraint or index.
    pub name: String,
    /// What kind it is; messages tell them apart.
    pub kind: KeyKind,
    /// Positions of its columns.
    pub columns: Vec<usize>,
}

/// What makes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `PRIMARY KEY`; 2627 when violated.
    Primary,
    /// `UNIQUE`; 2627 when violated.
    Unique,
    /// `CREATE UNIQUE INDEX`; 2601 when violated.
    Index,
}

impl TableShape {
    /// The shape that statements add up to; the first is `CREATE TABLE`.
    pub fn of_texts(table: &str, texts: &[String]) -> SqlResult<Self> {
        let mut shape = Self::default();
        for text in texts {
            for statement in lang::parse(text)? {
                shape.apply(table, statement.kind)?;
            }
        }
        Ok(shape)
    }

    /// The shape that a definition gives.
    pub fn of_definition(table: &str, definition: &TableDefinition) -> SqlResult<Self> {
        let mut shape = Self::default();
        shape.add(table, definition)?;
        Ok(shape)
    }

    /// Changes the shape as a statement says.
    pub fn apply(&mut self, table: &str, statement: StatementKind) -> SqlResult<()> {
        match statement {
            StatementKind::CreateTable(create) => self.add(table, &create.definition),
            StatementKind::AlterTable(alter) => match alter.action {
                AlterTableAction::Add(definition) => self.add(table, &definition),
                AlterTableAction::DropColumns(names) => self.drop_columns(table, &names),
                AlterTableAction::DropConstraints(names) => self.drop_constraints(&names),
            },
            StatementKind::CreateIndex(index) if index.unique => {
                self.add_key(table, index.name, KeyKind::Index, &index.columns)
            }
            _ => Ok(()),
        }
    }

    /// The columns as a relation shows them.
    #[must_use]
    pub fn relation_columns(&self) -> Vec<Column> {
        let column = |c: &ColumnShape| Column {
            name: c.name.clone(),
            ty: c.ty,
            nullable: c.nullable,
        };
        self.columns.iter().map(column).collect()
    }

    /// Position of a column, found without regard to case.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| same_name(&c.name, name))
    }

    /// Position of the identity column, with its seed and increment.
    #[must_use]
    pub fn identity(&self) -> Option<(usize, i64, i64)> {
        let found = |(at, c): (usize, &ColumnShape)| c.identity.map(|(seed, by)| (at, seed, by));
        self.columns.iter().enumerate().find_map(found)
    }

    fn add(&mut self, table: &str, definition: &TableDefinition) -> SqlResult<()> {
        for column in &definition.columns {
            if self.position(&column.name).is_some() {
                return Err(messages::duplicate_column(&column.name, table));
            }
            self.columns.push(column_shape(column));
        }
        definition
            .constraints
            .iter()
            .try_for_each(|c| self.add_constraint(table, c))
    }

    fn add_constraint(&mut self, table: &str, constraint: &TableConstraint) -> SqlResult<()> {
        let number = self.keys.len() + self.checks.len() + 1;
        let name = |prefix: &str| {
            let made = || format!("{prefix}__{table}__{number:08X}");
            constraint.name.clone().unwrap_or_else(made)
        };
        match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => {
                self.add_key(table, name("PK"), KeyKind::Primary, columns)?;
                for &at in &self.keys[self.keys.len() - 1].columns.clone() {
                    self.columns[at].nullable = false;
                }
            }
            ConstraintKind::Unique(columns) => {
                self.add_key(table, name("UQ"), KeyKind::Unique, columns)?;
            }
            ConstraintKind::Check(condition) => {
                self.checks.push((name("CK"), (**condition).clone()));
            }
            ConstraintKind::ForeignKey { .. } => {}
            ConstraintKind::Default { value, column } => {
                let at = self.needed(table, column)?;
                self.columns[at].default = Some(value.clone());
            }
        }
        Ok(())
    }

    fn add_key(
        &mut self,
        table: &str,
        name: String,
        kind: KeyKind,
        columns: &[String],
    ) -> SqlResult<()> {
        let columns = columns
            .iter()
            .map(|c| self.needed(table, c))
            .collect::<SqlResult<_>>()?;
        self.keys.push(Key {
            name,
            kind,
            columns,
        });
        Ok(())
    }

    fn drop_columns(&mut self, table: &str, names: &[String]) -> SqlResult<()> {
        for name in names {
            let at = self.needed(table, name)?;
            if let Some(key) = self.keys.iter().find(|k| k.columns.contains(&at)) {
                return Err(column_in_use(&key.name, name));
            }
            self.columns.remove(at);
            let later = self
                .keys
                .iter_mut()
                .flat_map(|k| &mut k.columns)
                .filter(|c| **c > at);
            later.for_each(|c| *c -= 1);
        }
        Ok(())
    }

    fn drop_constraints(&mut self, names: &[String]) -> SqlResult<()> {
        for name in names {
            let before = self.keys.len() + self.checks.len();
            self.keys.retain(|k| !same_name(&k.name, name));
            self.checks.retain(|(known, _)| !same_name(known, name));
            if before == self.keys.len() + self.checks.len() {
                return Err(not_a_constraint(name));
            }
        }
        Ok(())
    }

    fn needed(&self, table: &str, column: &str) -> SqlResult<usize> {
        self.position(column)
            .ok_or_else(|| no_such_column(table, column))
    }
}

fn column_shape(column: &ColumnDefinition) -> ColumnShape {
    ColumnShape {
        name: column.name.clone(),
        ty: column.ty,
        nullable: column.nullable.unwrap_or(column.identity.is_none()),
        identity: column.identity,
        default: column.default.clone(),
    }
}

/// SQL Server raises 1911 for a key or index over a column that is not there.
fn no_such_column(table: &str, column: &str) -> SqlError {
    let text = format!("Column name '{column}' does not exist in the target table or view.");
    let _ = table;
    SqlError::new(1911, 16, text)
}

/// SQL Server raises 5074 for a column that a constraint needs.
fn column_in_use(constraint: &str, column: &str) -> SqlError {
    let text = format!("The object '{constraint}' is dependent on column '{column}'.");
    SqlError::new(5074, 16, text)
}

/// SQL Server raises 3728 for an unknown constraint.
fn not_a_constraint(name: &str) -> SqlError {
    SqlError::new(3728, 16, format!("'{name}' is not a constraint."))
}
