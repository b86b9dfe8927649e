//! What columns can be seen from a place in a query.
//!
//! Start at [`Scope::resolve`]. A subquery's scope has the enclosing one as its parent; a column
//! found there makes the subquery correlated, and every scope that was crossed remembers it.

use std::cell::Cell;

use crate::error::SqlResult;
use crate::lang::ast::{JoinKind, ObjectName};
use crate::messages;
use crate::value::compare::same_name;
use crate::value::{Column, SqlType};

/// A source of rows in `FROM`: its alias, or else its name.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) name: ObjectName,
    pub(super) aliased: bool,
}

/// A column and the place of its source in [`Scope::sources`].
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) source: usize,
    pub(super) column: Column,
}

/// The columns of all sources of one `FROM`, side by side.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub(super) sources: Vec<Source>,
    pub(super) columns: Vec<ScopeColumn>,
    pub(super) parent: Option<&'a Self>,
    /// Whether anything below looked through this scope into its parent.
    pub(super) correlated: Cell<bool>,
}

/// Where a column is: how many scopes out, and at which place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) depth: usize,
    pub(super) index: usize,
    pub(super) ty: SqlType,
    pub(super) nullable: bool,
}

impl Source {
    pub(super) fn alias(name: &str) -> Self {
        Self {
            name: ObjectName::bare(name),
            aliased: true,
        }
    }

    /// Whether a qualifier means this source. What either leaves unsaid does not matter.
    pub(super) fn is_called(&self, qualifier: &ObjectName) -> bool {
        let agree = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => same_name(a, b),
            _ => true,
        };
        if self.aliased && qualifier.schema.is_some() {
            return false;
        }
        same_name(&self.name.name, &qualifier.name)
            && agree(&self.name.schema, &qualifier.schema)
            && agree(&self.name.database, &qualifier.database)
    }
}

impl<'a> Scope<'a> {
    pub(super) fn below(parent: Option<&'a Self>) -> Self {
        Self {
            parent,
            ..Self::default()
        }
    }

    /// Adds a source with its columns. Fails with 1011 where its alias is taken.
    pub(super) fn add(&mut self, source: Source, columns: &[Column]) -> SqlResult<()> {
        let taken = self.sources.iter().any(|other| {
            other.aliased == source.aliased
                && same_name(&other.name.name, &source.name.name)
                && other.name.schema == source.name.schema
                && other.name.database == source.name.database
        });
        if taken {
            return Err(messages::duplicate_source(&source.name.to_string()));
        }
        let place = self.sources.len();
        self.sources.push(source);
        self.columns.extend(columns.iter().map(|c| ScopeColumn {
            source: place,
            column: c.clone(),
        }));
        Ok(())
    }

    /// Takes the sources of another scope behind its own.
    pub(super) fn append(&mut self, other: Scope<'_>) -> SqlResult<()> {
        let first = self.sources.len();
        let mut by_source: Vec<Vec<Column>> = vec![Vec::new(); other.sources.len()];
        for column in other.columns {
            by_source[column.source].push(column.column);
        }
        for (source, columns) in other.sources.into_iter().zip(by_source) {
            self.add(source, &columns)?;
        }
        debug_assert!(self.sources.len() >= first);
        Ok(())
    }

    /// A row of an outer join may lack one side, whose columns are NULL then whatever their table
    /// says.
    pub(super) fn allow_missing(&mut self, kind: JoinKind, left_width: usize) {
        let (left, right) = match kind {
            JoinKind::Inner | JoinKind::Cross | JoinKind::CrossApply => (false, false),
            JoinKind::Left | JoinKind::OuterApply => (false, true),
            JoinKind::Right => (true, false),
            JoinKind::Full => (true, true),
        };
        for (place, column) in self.columns.iter_mut().enumerate() {
            column.column.nullable |= if place < left_width { left } else { right };
        }
    }

    /// The place of a column. Fails with 207 (unknown), 209 (ambiguous) or 4104 (unknown
    /// qualifier).
    pub(super) fn resolve(&self, qualifier: Option<&ObjectName>, name: &str) -> SqlResult<Place> {
        let mut scope = self;
        let mut depth = 0;
        let mut qualifier_known = false;
        loop {
            if let Some((index, column)) = scope.find(qualifier, name, &mut qualifier_known)? {
                self.mark_correlated(depth);
                let Column { ty, nullable, .. } = column.column;
                return Ok(Place {
                    depth,
                    index,
                    ty,
                    nullable,
                });
            }
            let Some(parent) = scope.parent.filter(|_| !qualifier_known) else {
                break;
            };
            scope = parent;
            depth += 1;
        }
        Err(match qualifier {
            Some(qualifier) if !qualifier_known => {
                messages::multi_part_identifier(&format!("{qualifier}.{name}"))
            }
            _ => messages::invalid_column(name),
        })
    }

    fn find(
        &self,
        qualifier: Option<&ObjectName>,
        name: &str,
        qualifier_known: &mut bool,
    ) -> SqlResult<Option<(usize, &ScopeColumn)>> {
        let called = |source: usize| qualifier.is_none_or(|q| self.sources[source].is_called(q));
        *qualifier_known |= qualifier.is_some() && (0..self.sources.len()).any(called);
        let mut found = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| same_name(&c.column.name, name) && called(c.source));
        let first = found.next();
        if found.next().is_some() {
            return Err(messages::ambiguous_column(name));
        }
        Ok(first)
    }

    fn mark_correlated(&self, depth: usize) {
        let mut scope = Some(self);
        for _ in 0..depth {
            if let Some(crossed) = scope {
                crossed.correlated.set(true);
                scope = crossed.parent;
            }
        }
    }
}
