//! `FROM`: sources and joins.
//!
//! Start at [`bind`] and [`FromPlan::rows`]. An equality of two plain columns is joined by hashing;
//! everything else by nested loops.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use super::bind::Binder;
use super::bound::{Bound, BoundCondition, Frame};
use super::eval;
use super::names::{Names, Relation};
use super::plan::{Commons, SubPlan, Target};
use super::scope::{Scope, Source};
use crate::error::SqlResult;
use crate::lang::ast::{
    Comparison, Condition, FromItem, Join, JoinKind, ObjectName, Select, TableSource,
};
use crate::messages;
use crate::value::compare::{Key, key, same_name};
use crate::value::{Column, Row, SqlType, Value};

/// Where the rows of a query come from.
pub(super) enum FromPlan {
    /// No `FROM`: one row without columns.
    Nothing,
    Rows(Rc<Vec<Row>>),
    Sub(Box<SubPlan>),
    Values(Vec<Vec<Bound>>, Vec<SqlType>),
    Function(ObjectName, Vec<Bound>),
    Join(Box<JoinPlan>),
}

/// Two sources side by side.
pub(super) struct JoinPlan {
    kind: JoinKind,
    left: FromPlan,
    right: FromPlan,
    left_width: usize,
    right_width: usize,
    on: Option<BoundCondition>,
    /// Columns of the left and of the right that must be equal.
    hash: Option<(usize, usize)>,
}

/// What binding sources needs to know.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) names: &'a dyn Names,
    pub(super) commons: &'a Commons<'a>,
    pub(super) parent: Option<&'a Scope<'a>>,
    /// The table that an `UPDATE` or `DELETE` changes, whose rows are given.
    pub(super) target: Option<&'a Target<'a>>,
}

/// Binds what stands behind `FROM`, commas included.
pub(super) fn bind<'a>(
    items: &[FromItem],
    sources: &Sources<'a>,
) -> SqlResult<(FromPlan, Scope<'a>)> {
    let mut bound: Option<(FromPlan, Scope<'a>)> = None;
    for item in items {
        let next = sources.item(item)?;
        bound = Some(match bound {
            None => next,
            Some(left) => sources.join(left, next, JoinKind::Cross, None)?,
        });
    }
    Ok(bound.unwrap_or_else(|| (FromPlan::Nothing, Scope::below(sources.parent))))
}

impl<'a> Sources<'a> {
    fn item(&self, item: &FromItem) -> SqlResult<(FromPlan, Scope<'a>)> {
        let mut bound = self.source(&item.first)?;
        for Join { kind, source, on } in &item.joins {
            bound = match kind {
                JoinKind::CrossApply | JoinKind::OuterApply => self.apply(bound, source, *kind)?,
                _ => {
                    let right = self.source(source)?;
                    self.join(bound, right, *kind, on.as_ref())?
                }
            };
        }
        Ok(bound)
    }

    pub(super) fn join(
        &self,
        (left, mut scope): (FromPlan, Scope<'a>),
        (right, right_scope): (FromPlan, Scope<'a>),
        kind: JoinKind,
        on: Option<&Condition>,
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let (left_width, right_width) = (scope.columns.len(), right_scope.columns.len());
        if right_scope.correlated.get() {
            scope.correlated.set(true);
        }
        scope.append(right_scope)?;
        scope.allow_missing(kind, left_width);
        let on = match on {
            None => None,
            Some(on) => Some(self.binder(&scope).condition(on)?),
        };
        let hash = on.as_ref().and_then(|on| equality(on, left_width));
        let join = JoinPlan {
            kind,
            left,
            right,
            left_width,
            right_width,
            on,
            hash,
        };
        Ok((FromPlan::Join(Box::new(join)), scope))
    }

    /// The right side is bound below the left one, whose columns it sees as those of an outer
    /// query.
    fn apply(
        &self,
        (left, mut scope): (FromPlan, Scope<'a>),
        source: &TableSource,
        kind: JoinKind,
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let (right, columns) = {
            let inner = Sources {
                parent: Some(&scope),
                target: None,
                ..*self
            };
            let (right, right_scope) = inner.source(source)?;
            let columns: Vec<Column> = right_scope
                .columns
                .iter()
                .map(|c| c.column.clone())
                .collect();
            let source = right_scope.sources.into_iter().next();
            (
                right,
                (source.unwrap_or_else(|| Source::alias("")), columns),
            )
        };
        let (left_width, right_width) = (scope.columns.len(), columns.1.len());
        scope.add(columns.0, &columns.1)?;
        scope.allow_missing(kind, left_width);
        let join = JoinPlan {
            kind,
            left,
            right,
            left_width,
            right_width,
            on: None,
            hash: None,
        };
        Ok((FromPlan::Join(Box::new(join)), scope))
    }

    fn binder<'b>(&self, scope: &'b Scope<'b>) -> Binder<'b>
    where
        'a: 'b,
    {
        Binder {
            names: self.names,
            scope,
            commons: self.commons,
            collected: None,
            grouping: None,
        }
    }

    fn source(&self, source: &TableSource) -> SqlResult<(FromPlan, Scope<'a>)> {
        match source {
            TableSource::Table { name, alias, .. } => self.table(name, alias.as_deref()),
            TableSource::Function {
                name,
                arguments,
                alias,
            } => self.function(name, arguments, alias.as_deref()),
            TableSource::Derived {
                select,
                alias,
                columns,
            } => self.derived(select, &Source::alias(alias), columns),
            TableSource::Values {
                rows,
                alias,
                columns,
            } => self.values(rows, alias, columns),
            TableSource::Nested(inner) => self.item(inner),
        }
    }

    fn scope_of(&self, source: Source, columns: &[Column]) -> SqlResult<Scope<'a>> {
        let mut scope = Scope::below(self.parent);
        scope.add(source, columns)?;
        Ok(scope)
    }

    fn table(&self, name: &ObjectName, alias: Option<&str>) -> SqlResult<(FromPlan, Scope<'a>)> {
        let source = match alias {
            Some(alias) => Source::alias(alias),
            None => Source {
                name: name.clone(),
                aliased: false,
            },
        };
        if let Some(target) = self.target.filter(|target| target.is(name, alias)) {
            let scope = self.scope_of(source, &target.columns)?;
            return Ok((FromPlan::Rows(Rc::clone(&target.rows)), scope));
        }
        if let Some(common) = self.commons.find(name) {
            let scope = self.scope_of(source, &common.columns)?;
            return Ok((FromPlan::Rows(Rc::clone(&common.rows)), scope));
        }
        match self.names.relation(name)? {
            Relation::Rows(rows) => {
                let scope = self.scope_of(source, &rows.columns)?;
                Ok((FromPlan::Rows(Rc::new(rows.rows)), scope))
            }
            Relation::View(select) => {
                let plan = SubPlan::bind_view(self.names, &select, self.commons)?;
                let scope = self.scope_of(source, plan.columns())?;
                Ok((FromPlan::Sub(Box::new(plan)), scope))
            }
        }
    }

    fn function(
        &self,
        name: &ObjectName,
        arguments: &[crate::lang::ast::Expr],
        alias: Option<&str>,
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let around = Scope::below(self.parent);
        let arguments = self.binder(&around).exprs(arguments)?;
        // The columns are asked for before any row is known, so outer columns are NULL here.
        let frame = Frame::default();
        let values = eval::all(&arguments, self.names, &frame)?;
        let columns = self.names.table_function(name, &values)?.columns;
        let source = match alias {
            Some(alias) => Source::alias(alias),
            None => Source {
                name: name.clone(),
                aliased: false,
            },
        };
        let scope = self.scope_of(source, &columns)?;
        scope.correlated.set(around.correlated.get());
        Ok((FromPlan::Function(name.clone(), arguments), scope))
    }

    fn derived(
        &self,
        select: &Select,
        source: &Source,
        names: &[String],
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let plan = SubPlan::bind(self.names, select, self.parent, self.commons)?;
        let columns = renamed(plan.columns(), names, &source.name.name)?;
        let scope = self.scope_of(source.clone(), &columns)?;
        scope.correlated.set(plan.is_correlated());
        Ok((FromPlan::Sub(Box::new(plan)), scope))
    }

    fn values(
        &self,
        rows: &[Vec<crate::lang::ast::Expr>],
        alias: &str,
        names: &[String],
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let around = Scope::below(self.parent);
        let binder = self.binder(&around);
        let rows: SqlResult<Vec<Vec<Bound>>> = rows.iter().map(|row| binder.exprs(row)).collect();
        let rows = rows?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(messages::union_column_counts());
        }
        let types: Vec<SqlType> = (0..width)
            .map(|i| super::typing::common_type(rows.iter().map(|row| &row[i])))
            .collect();
        let unnamed: Vec<Column> = types.iter().map(|ty| Column::new("", *ty)).collect();
        let columns = renamed(&unnamed, names, alias)?;
        let scope = self.scope_of(Source::alias(alias), &columns)?;
        scope.correlated.set(around.correlated.get());
        Ok((FromPlan::Values(rows, types), scope))
    }
}

/// Columns under the names of a list. Every column of a derived table needs one.
pub(super) fn renamed(columns: &[Column], names: &[String], alias: &str) -> SqlResult<Vec<Column>> {
    if !names.is_empty() && columns.len() > names.len() {
        return Err(messages::column_list_mismatch(alias));
    }
    if !names.is_empty() && columns.len() < names.len() {
        return Err(messages::column_list_too_long(alias));
    }
    let renamed = columns.iter().enumerate().map(|(i, column)| {
        let name = names.get(i).unwrap_or(&column.name).clone();
        if name.is_empty() {
            return Err(messages::no_column_name(i + 1, alias));
        }
        Ok(Column {
            name,
            ..column.clone()
        })
    });
    renamed.collect()
}

/// An equality of a column of the left and one of the right, which all rows must fulfil.
fn equality(on: &BoundCondition, left_width: usize) -> Option<(usize, usize)> {
    match on {
        BoundCondition::All(all) => all.iter().find_map(|one| equality(one, left_width)),
        BoundCondition::Compare(Comparison::Equal, a, b) if eval::same_kind(a.ty, b.ty) => {
            let (a, b) = (a.own_column()?, b.own_column()?);
            match (a < left_width, b < left_width) {
                (true, false) => Some((a, b - left_width)),
                (false, true) => Some((b, a - left_width)),
                _ => None,
            }
        }
        _ => None,
    }
}

impl FromPlan {
    /// The rows; borrowed where they are at hand.
    pub(super) fn rows(
        &self,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Cow<'_, [Row]>> {
        let frame = Frame {
            parent,
            ..Frame::default()
        };
        Ok(match self {
            Self::Nothing => Cow::Owned(vec![Vec::new()]),
            Self::Rows(rows) => Cow::Borrowed(rows.as_slice()),
            // The frame stands where the scope of the sources stands: one below the outer query.
            Self::Sub(plan) => {
                Cow::Owned(plan.with_parent(names, parent, |rows| Ok(rows.to_vec()))?)
            }
            Self::Values(rows, types) => Cow::Owned(values(rows, types, names, &frame)?),
            Self::Function(name, arguments) => {
                let arguments = eval::all(arguments, names, &frame)?;
                Cow::Owned(names.table_function(name, &arguments)?.rows)
            }
            Self::Join(join) => Cow::Owned(join.rows(names, parent)?),
        })
    }
}

fn values(
    rows: &[Vec<Bound>],
    types: &[SqlType],
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Vec<Row>> {
    rows.iter()
        .map(|row| {
            row.iter()
                .zip(types)
                .map(|(bound, ty)| {
                    let value = eval::typed(bound, names, frame)?;
                    crate::value::convert::implicit(&value, *ty)
                })
                .collect()
        })
        .collect()
}

impl JoinPlan {
    fn rows(&self, names: &dyn Names, parent: Option<&Frame<'_>>) -> SqlResult<Vec<Row>> {
        let left = self.left.rows(names, parent)?;
        if matches!(self.kind, JoinKind::CrossApply | JoinKind::OuterApply) {
            return self.applied(&left, names, parent);
        }
        let right = self.right.rows(names, parent)?;
        let index = self.hash.map(|(_, column)| index(&right, column));
        let all: Vec<usize> = if index.is_some() {
            Vec::new()
        } else {
            (0..right.len()).collect()
        };
        let mut matched = vec![false; right.len()];
        let mut rows = Vec::new();
        for left_row in left.iter() {
            let candidates: &[usize] = match (&index, self.hash) {
                (Some(index), Some((column, _))) => {
                    let key = key(&left_row[column]);
                    index.get(&key).map_or(&[], Vec::as_slice)
                }
                _ => &all,
            };
            let before = rows.len();
            for &place in candidates {
                let row = [left_row.as_slice(), &right[place]].concat();
                if self.fits(&row, names, parent)? {
                    matched[place] = true;
                    rows.push(row);
                }
            }
            if rows.len() == before && matches!(self.kind, JoinKind::Left | JoinKind::Full) {
                rows.push(self.padded_right(left_row));
            }
        }
        if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
            let alone = right.iter().zip(matched).filter(|(_, matched)| !matched);
            rows.extend(
                alone.map(|(row, _)| [vec![Value::Null; self.left_width].as_slice(), row].concat()),
            );
        }
        Ok(rows)
    }

    fn applied(
        &self,
        left: &[Row],
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Vec<Row>> {
        let mut rows = Vec::new();
        for left_row in left {
            let frame = Frame {
                row: left_row,
                parent,
                ..Frame::default()
            };
            let right = self.right.rows(names, Some(&frame))?;
            rows.extend(right.iter().map(|row| [left_row.as_slice(), row].concat()));
            if right.is_empty() && self.kind == JoinKind::OuterApply {
                rows.push(self.padded_right(left_row));
            }
        }
        Ok(rows)
    }

    fn padded_right(&self, left: &[Value]) -> Row {
        [left, vec![Value::Null; self.right_width].as_slice()].concat()
    }

    fn fits(
        &self,
        row: &[Value],
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<bool> {
        let frame = Frame {
            row,
            parent,
            ..Frame::default()
        };
        match &self.on {
            None => Ok(true),
            Some(on) => Ok(eval::truth(on, names, &frame)? == Some(true)),
        }
    }
}

/// Places of rows by a column; NULL equals nothing and is left out.
fn index(rows: &[Row], column: usize) -> HashMap<Key, Vec<usize>> {
    let mut index: HashMap<Key, Vec<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        if !row[column].is_null() {
            index.entry(key(&row[column])).or_default().push(place);
        }
    }
    index
}

/// Whether two names of tables mean the same so far as both say it.
pub(super) fn same_table(a: &ObjectName, b: &ObjectName) -> bool {
    let agree = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => same_name(a, b),
        _ => true,
    };
    same_name(&a.name, &b.name)
        && agree(&a.schema, &b.schema)
        && agree(&a.database, &b.database)
        && agree(&a.server, &b.server)
}
