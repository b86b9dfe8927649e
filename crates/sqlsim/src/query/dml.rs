//! What `INSERT`, `UPDATE`, `DELETE` and `OUTPUT` make of rows.
//!
//! Start at [`update`]. Nothing is changed here: the caller gets the places of rows and their new
//! values, and owns identity, defaults, NOT NULL, keys and checks.

use std::collections::HashSet;
use std::rc::Rc;

use super::arithmetic;
use super::bind::{Binder, null};
use super::bound::{Bound, BoundCondition, Frame, Node};
use super::core::{bind_items, bind_top, top_limit};
use super::eval;
use super::from::{self, FromPlan, Sources, same_table};
use super::names::Names;
use super::plan::{Commons, Target, run};
use super::scope::{Scope, Source};
use super::typing;
use crate::error::SqlResult;
use crate::lang::ast::{
    Assignment, Condition, Delete, FromItem, Insert, InsertSource, ObjectName, Output, TableSource,
    Top, Update,
};
use crate::messages;
use crate::value::compare::same_name;
use crate::value::{Column, Row, Rows, SqlType, Typed, Value, convert};

/// The name of the hidden column with the places of the target's rows; no name can be written so.
const PLACE: &str = "\0place";

/// The rows that an `INSERT ... VALUES | SELECT | DEFAULT VALUES` brings, converted to the columns
/// that it fills (`columns`, in the order of its list); `None` in a row is the word `DEFAULT`.
/// `INSERT ... EXEC` brings no rows here: the caller runs it and hands each to [`store_row`].
/// Fails with 109, 110, 120, 121, 213, 2628 and the errors of conversion.
pub fn insert(
    names: &dyn Names,
    insert: &Insert,
    columns: &[Column],
) -> SqlResult<Vec<Vec<Option<Value>>>> {
    let table = insert.target.to_string();
    match &insert.source {
        InsertSource::Values(rows) => {
            let scope = Scope::below(None);
            let commons = Commons::none();
            let binder = plain(names, &scope, &commons);
            let frame = Frame::default();
            rows.iter()
                .map(|row| {
                    check_width(row.len(), columns.len(), !insert.columns.is_empty())?;
                    row.iter()
                        .zip(columns)
                        .map(|(value, column)| {
                            let Some(expr) = value else { return Ok(None) };
                            let typed = eval::typed(&binder.expr(expr)?, names, &frame)?;
                            convert::store(&typed, column, &table).map(Some)
                        })
                        .collect()
                })
                .collect()
        }
        InsertSource::Select(select) => {
            let Rows {
                columns: from,
                rows,
            } = run(names, select)?;
            check_select_width(from.len(), columns.len(), !insert.columns.is_empty())?;
            rows.into_iter()
                .map(|row| {
                    let row = store_row(row, &from, columns, &table)?;
                    Ok(row.into_iter().map(Some).collect())
                })
                .collect()
        }
        InsertSource::DefaultValues => Ok(vec![vec![None; columns.len()]]),
        InsertSource::Execute(_) => Ok(Vec::new()),
    }
}

/// Converts a row of a result to the columns of a table. Fails with 213 where the widths differ.
pub fn store_row(row: Row, from: &[Column], to: &[Column], table: &str) -> SqlResult<Row> {
    if row.len() != to.len() || from.len() != to.len() {
        return Err(messages::values_do_not_match());
    }
    row.into_iter()
        .zip(from.iter().zip(to))
        .map(|(value, (from, to))| convert::store(&Typed { ty: from.ty, value }, to, table))
        .collect()
}

fn check_width(values: usize, columns: usize, listed: bool) -> SqlResult<()> {
    match values.cmp(&columns) {
        std::cmp::Ordering::Equal => Ok(()),
        _ if !listed => Err(messages::values_do_not_match()),
        std::cmp::Ordering::Less => Err(messages::too_many_columns_in_insert()),
        std::cmp::Ordering::Greater => Err(messages::too_few_columns_in_insert()),
    }
}

fn check_select_width(values: usize, columns: usize, listed: bool) -> SqlResult<()> {
    match values.cmp(&columns) {
        std::cmp::Ordering::Equal => Ok(()),
        _ if !listed => Err(messages::values_do_not_match()),
        std::cmp::Ordering::Less => Err(messages::too_many_columns_in_insert_select()),
        std::cmp::Ordering::Greater => Err(messages::too_few_columns_in_insert_select()),
    }
}

/// What an `UPDATE` makes of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The place of the row in the rows that were given.
    pub index: usize,
    /// The whole new row, converted to the types of its columns; NULL is not checked.
    pub row: Row,
    /// The places of the columns that are set to `DEFAULT`.
    pub defaults: Vec<usize>,
    /// Variables assigned by this row, converted to their declared types.
    pub variables: Vec<(String, Value)>,
}

/// The table that an `UPDATE` means: its target, through an alias of `FROM` if it is one.
#[must_use]
pub fn target_of_update(update: &Update) -> ObjectName {
    behind_alias(&update.target, &update.from)
}

/// The table that a `DELETE` means, as [`target_of_update`].
#[must_use]
pub fn target_of_delete(delete: &Delete) -> ObjectName {
    behind_alias(&delete.target, &delete.from)
}

fn behind_alias(target: &ObjectName, from: &[FromItem]) -> ObjectName {
    tables(from)
        .find(|(_, alias)| is_alias(target, *alias))
        .map_or_else(|| target.clone(), |(name, _)| name.clone())
}

fn is_alias(target: &ObjectName, alias: Option<&str>) -> bool {
    target.schema.is_none() && alias.is_some_and(|alias| same_name(alias, &target.name))
}

fn tables(from: &[FromItem]) -> impl Iterator<Item = (&ObjectName, Option<&str>)> {
    let sources = from
        .iter()
        .flat_map(|item| std::iter::once(&item.first).chain(item.joins.iter().map(|j| &j.source)));
    sources.filter_map(|source| match source {
        TableSource::Table { name, alias, .. } => Some((name, alias.as_deref())),
        _ => None,
    })
}

/// What an `UPDATE` makes of the rows of its target (see [`target_of_update`]), each at most once.
/// `target` must be the rows as the caller will address them.
pub fn update(names: &dyn Names, update: &Update, target: &Rows) -> SqlResult<Vec<Change>> {
    let table = target_of_update(update).to_string();
    let mut changes = Vec::new();
    let places: Vec<Option<usize>> = update
        .assignments
        .iter()
        .map(|a| {
            a.column
                .as_deref()
                .map(|name| column_place(target, name))
                .transpose()
        })
        .collect::<SqlResult<_>>()?;
    let clauses = Clauses {
        target: &update.target,
        top: update.top.as_ref(),
        from: &update.from,
        condition: update.condition.as_ref(),
    };
    let bind = |binder: &Binder<'_>| -> SqlResult<Vec<Bound>> {
        update
            .assignments
            .iter()
            .map(|assignment| bind_assignment(assignment, binder))
            .collect()
    };
    clauses.each_row(names, target, bind, |index, values, frame| {
        let mut change = Change {
            index,
            row: target.rows[index].clone(),
            defaults: Vec::new(),
            variables: Vec::new(),
        };
        for ((assignment, place), bound) in update.assignments.iter().zip(&places).zip(values) {
            if let (None, Some(place)) = (&assignment.value, place) {
                change.defaults.push(*place);
                continue;
            }
            let typed = eval::typed(bound, names, frame)?;
            if let Some(place) = place {
                change.row[*place] = convert::store(&typed, &target.columns[*place], &table)?;
            }
            if let Some(variable) = &assignment.variable {
                let ty = names.variable(variable)?.ty;
                change
                    .variables
                    .push((variable.clone(), convert::cast(&typed, ty, None)?));
            }
        }
        changes.push(change);
        Ok(())
    })?;
    Ok(changes)
}

fn column_place(target: &Rows, name: &str) -> SqlResult<usize> {
    target
        .position(name)
        .ok_or_else(|| messages::invalid_column(name))
}

fn bind_assignment(assignment: &Assignment, binder: &Binder<'_>) -> SqlResult<Bound> {
    let Some(value) = &assignment.value else {
        return Ok(null(SqlType::Int));
    };
    let Some(operator) = assignment.operator else {
        return binder.expr(value);
    };
    // `c += v` is `c = c + v`.
    let left = match (&assignment.column, &assignment.variable) {
        (Some(name), _) => crate::lang::ast::Expr::Column {
            qualifier: None,
            name: name.clone(),
        },
        (None, variable) => crate::lang::ast::Expr::Variable(variable.clone().unwrap_or_default()),
    };
    let rest = vec![(operator, value.clone())];
    binder.expr(&crate::lang::ast::Expr::Chain {
        first: Box::new(left),
        rest,
    })
}

/// The places of the rows of its target (see [`target_of_delete`]) that a `DELETE` removes, in
/// order.
pub fn delete(names: &dyn Names, delete: &Delete, target: &Rows) -> SqlResult<Vec<usize>> {
    let clauses = Clauses {
        target: &delete.target,
        top: delete.top.as_ref(),
        from: &delete.from,
        condition: delete.condition.as_ref(),
    };
    let mut places = Vec::new();
    clauses.each_row(
        names,
        target,
        |_| Ok(Vec::new()),
        |index, _, _| {
            places.push(index);
            Ok(())
        },
    )?;
    Ok(places)
}

/// What `UPDATE` and `DELETE` share.
struct Clauses<'a> {
    target: &'a ObjectName,
    top: Option<&'a Top>,
    from: &'a [FromItem],
    condition: Option<&'a Condition>,
}

impl Clauses<'_> {
    /// Hands over each row of the target that is met, once, with the frame that met it first.
    fn each_row(
        &self,
        names: &dyn Names,
        target: &Rows,
        bind: impl FnOnce(&Binder<'_>) -> SqlResult<Vec<Bound>>,
        mut take: impl FnMut(usize, &[Bound], &Frame<'_>) -> SqlResult<()>,
    ) -> SqlResult<()> {
        let commons = Commons::none();
        let target = hidden(self.target, self.from, target);
        let sources = Sources {
            names,
            commons: &commons,
            parent: None,
            target: Some(&target),
        };
        let (from, scope) = self.bind_from(&sources, &target)?;
        let place = scope.resolve(None, PLACE)?.index;
        let binder = plain(names, &scope, &commons);
        let filter = self.condition.map(|c| binder.condition(c)).transpose()?;
        let bounds = bind(&binder)?;
        let nothing = Frame::default();
        let limit = match self.top {
            None => usize::MAX,
            Some(top) => {
                let (bound, percent) = bind_top(top, &binder)?;
                top_limit(&bound, percent, target.rows.len(), names, &nothing)?
            }
        };
        let mut seen = HashSet::new();
        for row in from.rows(names, None)?.iter() {
            let frame = Frame {
                row,
                ..Frame::default()
            };
            if seen.len() >= limit || !passes(filter.as_ref(), names, &frame)? {
                continue;
            }
            // An outer join may pad the target with NULL; such a row is no row of it.
            let index = row[place].as_int().and_then(|n| usize::try_from(n).ok());
            let Some(index) = index.filter(|index| seen.insert(*index)) else {
                continue;
            };
            take(index, &bounds, &frame)?;
        }
        Ok(())
    }

    /// `FROM`, with the target in front where it is not named there.
    fn bind_from<'a>(
        &self,
        sources: &Sources<'a>,
        target: &Target<'_>,
    ) -> SqlResult<(FromPlan, Scope<'a>)> {
        let named = tables(self.from).any(|(name, alias)| target.is(name, alias));
        if named {
            return from::bind(self.from, sources);
        }
        let first = TableSource::Table {
            name: self.target.clone(),
            alias: None,
            hints: Vec::new(),
        };
        let mut items = vec![FromItem {
            first,
            joins: Vec::new(),
        }];
        items.extend(self.from.iter().cloned());
        from::bind(&items, sources)
    }
}

fn hidden<'a>(name: &'a ObjectName, from: &[FromItem], rows: &Rows) -> Target<'a> {
    let by_alias = tables(from).any(|(_, alias)| is_alias(name, alias));
    let mut columns = rows.columns.clone();
    columns.push(Column::required(PLACE, SqlType::BigInt));
    let with_place = rows.rows.iter().zip(0_i64..).map(|(row, place)| {
        let mut row = row.clone();
        row.push(Value::Int(place));
        row
    });
    Target {
        name,
        by_alias,
        columns,
        rows: Rc::new(with_place.collect()),
    }
}

fn passes(
    filter: Option<&BoundCondition>,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<bool> {
    filter.map_or(Ok(true), |filter| {
        Ok(eval::truth(filter, names, frame)? == Some(true))
    })
}

fn plain<'a>(names: &'a dyn Names, scope: &'a Scope<'a>, commons: &'a Commons<'a>) -> Binder<'a> {
    Binder {
        names,
        scope,
        commons,
        collected: None,
        grouping: None,
    }
}

/// The rows of an `OUTPUT` clause. `inserted[i]` and `deleted[i]` belong together; either list may
/// be empty, and then its columns are NULL.
pub fn output(
    names: &dyn Names,
    output: &Output,
    columns: &[Column],
    inserted: &[Row],
    deleted: &[Row],
) -> SqlResult<Rows> {
    let mut scope = Scope::below(None);
    scope.add(Source::alias("INSERTED"), columns)?;
    scope.add(Source::alias("DELETED"), columns)?;
    let commons = Commons::none();
    let binder = plain(names, &scope, &commons);
    let (items, columns_out) = bind_items(&output.items, &binder)?;
    let none = vec![Value::Null; columns.len()];
    let rows = (0..inserted.len().max(deleted.len())).map(|i| {
        let both = [
            inserted.get(i).unwrap_or(&none),
            deleted.get(i).unwrap_or(&none),
        ];
        let row = both.map(Vec::as_slice).concat();
        let frame = Frame {
            row: &row,
            ..Frame::default()
        };
        items
            .iter()
            .map(|item| eval::value(item, names, &frame))
            .collect()
    });
    Ok(Rows {
        rows: rows.collect::<SqlResult<_>>()?,
        columns: columns_out,
    })
}

/// Whether a `CHECK` holds for a row of a table; unknown passes, as SQL Server has it.
pub fn check_holds(
    names: &dyn Names,
    condition: &Condition,
    columns: &[Column],
    row: &[Value],
) -> SqlResult<bool> {
    let mut scope = Scope::below(None);
    scope.add(Source::alias(""), columns)?;
    let commons = Commons::none();
    let bound = plain(names, &scope, &commons).condition(condition)?;
    let frame = Frame {
        row,
        ..Frame::default()
    };
    Ok(eval::truth(&bound, names, &frame)? != Some(false))
}

/// `left operator right`, as `SET @v += e` computes it.
pub fn combine(
    operator: crate::lang::ast::Operator,
    left: &Typed,
    right: &Typed,
) -> SqlResult<Typed> {
    let bound = |typed: &Typed| Bound {
        ty: typed.ty,
        node: Node::Constant(typed.value.clone()),
    };
    let ty = typing::chain_type(operator, &bound(left), &bound(right));
    // A variable that holds NULL keeps its type: only a literal gives way.
    let ty = ty.or_else(|_| typing::step_type(operator, left.ty, right.ty))?;
    Ok(Typed {
        ty,
        value: arithmetic::apply(operator, left, right, ty)?,
    })
}

/// Whether two names can mean one table.
#[must_use]
pub fn may_be_same_table(a: &ObjectName, b: &ObjectName) -> bool {
    same_table(a, b)
}
