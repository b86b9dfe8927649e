//! A whole query, bound: its arms, and how they are joined.
//!
//! Start at [`Plan::bind`] and [`SubPlan`]. What a subquery yields is kept if it does not depend on
//! the row around it.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::aggregate::order_values;
use super::bound::Frame;
use super::core::CorePlan;
use super::eval::same_kind;
use super::from::{Sources, renamed, same_table};
use super::names::Names;
use super::scope::Scope;
use super::typing;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{Expr, ObjectName, OrderItem, Page, Select, SetOperator};
use crate::messages;
use crate::value::compare::{Key, key, same_name};
use crate::value::{Column, Row, Rows, Typed, Value, convert};

/// How many queries may stand inside each other, views included; beyond it is error 191. It bounds
/// the stack where views name views.
const DEPTH_MAX: usize = 16;

/// The common tables that can be named.
pub(super) struct Commons<'a> {
    tables: Vec<Common>,
    parent: Option<&'a Self>,
    depth: usize,
}

/// A common table, already evaluated.
pub(super) struct Common {
    name: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Rc<Vec<Row>>,
}

impl Commons<'_> {
    pub(super) const fn none() -> Self {
        Self {
            tables: Vec::new(),
            parent: None,
            depth: 0,
        }
    }

    pub(super) fn find(&self, name: &ObjectName) -> Option<&Common> {
        if name.schema.is_some() || name.database.is_some() {
            return None;
        }
        let own = self
            .tables
            .iter()
            .rev()
            .find(|common| same_name(&common.name, &name.name));
        own.or_else(|| self.parent.and_then(|parent| parent.find(name)))
    }
}

/// The table that an `UPDATE` or `DELETE` changes: its rows, with a hidden last column that holds
/// their places.
pub(super) struct Target<'a> {
    pub(super) name: &'a ObjectName,
    /// Whether the name is an alias of `FROM`.
    pub(super) by_alias: bool,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Rc<Vec<Row>>,
}

impl Target<'_> {
    pub(super) fn is(&self, name: &ObjectName, alias: Option<&str>) -> bool {
        match (self.by_alias, alias) {
            (true, Some(alias)) => same_name(alias, &self.name.name),
            (true, None) => false,
            (false, _) => same_table(name, self.name),
        }
    }
}

/// A query, bound.
pub(super) struct Plan {
    first: CorePlan,
    rest: Vec<(SetOperator, CorePlan)>,
    /// Of the output, where there are several arms; a single arm sorts for itself.
    order: Vec<(usize, bool)>,
    /// How many rows are passed over, and how many follow.
    page: Option<(usize, usize)>,
    pub(super) columns: Vec<Column>,
}

impl Plan {
    /// Binds a query below a scope.
    pub(super) fn bind(
        names: &dyn Names,
        select: &Select,
        parent: Option<&Scope<'_>>,
        commons: &Commons<'_>,
    ) -> SqlResult<(Self, bool)> {
        if commons.depth >= DEPTH_MAX {
            return Err(messages::nested_too_deeply());
        }
        let depth = commons.depth + 1;
        let mut inner = Commons {
            tables: Vec::new(),
            parent: Some(commons),
            depth,
        };
        for table in &select.with {
            let (plan, _) = Self::bind(names, &table.select, parent, &inner)?;
            let columns = renamed(&plan.columns, &table.columns, &table.name)?;
            let rows = Rc::new(plan.rows(names, None)?);
            inner.tables.push(Common {
                name: table.name.clone(),
                columns,
                rows,
            });
        }
        let sources = Sources {
            names,
            commons: &inner,
            parent,
            target: None,
        };
        let single = select.rest.is_empty();
        let order: &[OrderItem] = if single { &select.order_by } else { &[] };
        let (first, mut correlated) = CorePlan::bind(&select.first, order, &sources)?;
        let mut rest = Vec::new();
        for (operator, core) in &select.rest {
            let (arm, arm_correlated) = CorePlan::bind(core, &[], &sources)?;
            if arm.columns.len() != first.columns.len() {
                return Err(messages::union_column_counts());
            }
            correlated |= arm_correlated;
            rest.push((*operator, arm));
        }
        let columns = union_columns(&first, &rest);
        let order = if single {
            Vec::new()
        } else {
            output_order(&select.order_by, &columns)?
        };
        let page = select
            .page
            .as_ref()
            .map(|page| bounds(names, page))
            .transpose()?;
        Ok((
            Self {
                first,
                rest,
                order,
                page,
                columns,
            },
            correlated,
        ))
    }

    /// All rows, or the page of them that was asked for.
    pub(super) fn rows(
        &self,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Vec<Row>> {
        let mut rows = self.all_rows(names, parent)?;
        if let Some((offset, fetch)) = self.page {
            rows.drain(..offset.min(rows.len()));
            rows.truncate(fetch);
        }
        Ok(rows)
    }

    fn all_rows(&self, names: &dyn Names, parent: Option<&Frame<'_>>) -> SqlResult<Vec<Row>> {
        let mut rows = self.first.rows(names, parent)?;
        if self.rest.is_empty() {
            return Ok(rows);
        }
        self.convert(&mut rows, &self.first.columns)?;
        for (operator, arm) in &self.rest {
            let mut more = arm.rows(names, parent)?;
            self.convert(&mut more, &arm.columns)?;
            rows = combine(*operator, rows, more);
        }
        let places = |row: &Row| {
            self.order
                .iter()
                .map(|(i, _)| row[*i].clone())
                .collect::<Row>()
        };
        rows.sort_by(|a, b| {
            order_values(&places(a), &places(b), self.order.iter().map(|(_, d)| *d))
        });
        Ok(rows)
    }

    fn convert(&self, rows: &mut [Row], from: &[Column]) -> SqlResult<()> {
        for (place, (from, to)) in from.iter().zip(&self.columns).enumerate() {
            if from.ty == to.ty {
                continue;
            }
            for row in rows.iter_mut() {
                let value = std::mem::replace(&mut row[place], Value::Null);
                row[place] = convert::implicit(&Typed { ty: from.ty, value }, to.ty)?;
            }
        }
        Ok(())
    }

    /// The only arm, for what `UNION` cannot do.
    pub(super) fn single(&self) -> Option<&CorePlan> {
        self.rest.is_empty().then_some(&self.first)
    }
}

/// The bounds of a page: 10742 for a negative offset, 10744 for fewer than one row.
fn bounds(names: &dyn Names, page: &Page) -> SqlResult<(usize, usize)> {
    let number = |expr: &Expr| -> SqlResult<i64> {
        let value = super::evaluate(names, expr)?.value;
        Ok(value.as_int().unwrap_or(-1))
    };
    let offset = usize::try_from(number(&page.offset)?).map_err(|_| {
        let text = "The offset specified in a OFFSET clause may not be negative.";
        SqlError::new(10742, 15, text)
    })?;
    let fetch = page.fetch.as_ref().map(number).transpose()?;
    match fetch.map(usize::try_from) {
        None => Ok((offset, usize::MAX)),
        Some(Ok(fetch @ 1..)) => Ok((offset, fetch)),
        Some(_) => {
            let text = "The number of rows provided for a FETCH clause must be greater then zero.";
            Err(SqlError::new(10744, 15, text))
        }
    }
}

fn union_columns(first: &CorePlan, rest: &[(SetOperator, CorePlan)]) -> Vec<Column> {
    let mut columns = first.columns.clone();
    for (_, arm) in rest {
        for ((column, other), null) in columns.iter_mut().zip(&arm.columns).zip(&arm.null_items) {
            column.nullable |= other.nullable;
            if !null {
                column.ty = typing::wider(column.ty, other.ty);
            }
        }
    }
    for (place, column) in columns.iter_mut().enumerate() {
        let other = rest.iter().find(|(_, arm)| !arm.null_items[place]);
        if first.null_items[place]
            && let Some((_, arm)) = other
        {
            column.ty = arm.columns[place].ty;
        }
    }
    columns
}

/// `ORDER BY` behind a `UNION` may only name columns or places of the output.
fn output_order(items: &[OrderItem], columns: &[Column]) -> SqlResult<Vec<(usize, bool)>> {
    items
        .iter()
        .map(|item| match &item.expr {
            Expr::Literal(Typed {
                value: Value::Int(n),
                ..
            }) => Ok((output_place(*n, columns.len())?, item.descending)),
            Expr::Column {
                qualifier: None,
                name,
            } => columns
                .iter()
                .position(|column| same_name(&column.name, name))
                .map(|place| (place, item.descending))
                .ok_or_else(|| messages::invalid_column(name)),
            _ => Err(order_not_in_list()),
        })
        .collect()
}

/// The place that `ORDER BY n` means. Fails with 108.
pub(super) fn output_place(n: i64, width: usize) -> SqlResult<usize> {
    usize::try_from(n)
        .ok()
        .and_then(|n| n.checked_sub(1))
        .filter(|place| *place < width)
        .ok_or_else(|| messages::order_by_position(n))
}

fn order_not_in_list() -> SqlError {
    SqlError::new(
        104,
        16,
        "ORDER BY items must appear in the select list if the statement contains a UNION, \
         INTERSECT \
         or EXCEPT operator.",
    )
}

fn row_key(row: &Row) -> Vec<Key> {
    row.iter().map(key).collect()
}

/// The first of each set of equal rows.
pub(super) fn distinct(rows: Vec<Row>) -> Vec<Row> {
    let mut seen = HashSet::new();
    rows.into_iter()
        .filter(|row| seen.insert(row_key(row)))
        .collect()
}

fn combine(operator: SetOperator, mut left: Vec<Row>, right: Vec<Row>) -> Vec<Row> {
    let keys = |rows: &[Row]| rows.iter().map(row_key).collect::<HashSet<_>>();
    match operator {
        SetOperator::UnionAll => {
            left.extend(right);
            left
        }
        SetOperator::Union => {
            left.extend(right);
            distinct(left)
        }
        SetOperator::Except => {
            let right = keys(&right);
            distinct(
                left.into_iter()
                    .filter(|row| !right.contains(&row_key(row)))
                    .collect(),
            )
        }
        SetOperator::Intersect => {
            let right = keys(&right);
            distinct(
                left.into_iter()
                    .filter(|row| right.contains(&row_key(row)))
                    .collect(),
            )
        }
    }
}

/// A query inside another. Its rows are kept if no row around it matters.
pub(super) struct SubPlan {
    plan: Plan,
    correlated: bool,
    kept: OnceCell<Kept>,
}

struct Kept {
    rows: Vec<Row>,
    /// The keys of the first column, and whether a NULL is among its values.
    keys: OnceCell<(HashSet<Key>, bool)>,
}

impl SubPlan {
    pub(super) fn bind(
        names: &dyn Names,
        select: &Select,
        parent: Option<&Scope<'_>>,
        commons: &Commons<'_>,
    ) -> SqlResult<Self> {
        let (plan, correlated) = Plan::bind(names, select, parent, commons)?;
        Ok(Self {
            plan,
            correlated,
            kept: OnceCell::new(),
        })
    }

    /// A view sees neither the columns nor the common tables around it.
    pub(super) fn bind_view(
        names: &dyn Names,
        select: &Select,
        commons: &Commons<'_>,
    ) -> SqlResult<Self> {
        // Its depth goes on, so that a view that names itself ends.
        let own = Commons {
            tables: Vec::new(),
            parent: None,
            depth: commons.depth,
        };
        Self::bind(names, select, None, &own)
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.plan.columns
    }

    pub(super) const fn is_correlated(&self) -> bool {
        self.correlated
    }

    /// Hands its rows over; `frame` is the row of the query around it.
    pub(super) fn with_rows<T>(
        &self,
        names: &dyn Names,
        frame: &Frame<'_>,
        take: impl FnOnce(&[Row]) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.with_parent(names, Some(frame), take)
    }

    /// As [`SubPlan::with_rows`], for a place that may have no row around it.
    pub(super) fn with_parent<T>(
        &self,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
        take: impl FnOnce(&[Row]) -> SqlResult<T>,
    ) -> SqlResult<T> {
        if self.correlated {
            return take(&self.plan.rows(names, parent)?);
        }
        take(&self.kept(names)?.rows)
    }

    fn kept(&self, names: &dyn Names) -> SqlResult<&Kept> {
        if let Some(kept) = self.kept.get() {
            return Ok(kept);
        }
        let rows = self.plan.rows(names, None)?;
        Ok(self.kept.get_or_init(|| Kept {
            rows,
            keys: OnceCell::new(),
        }))
    }

    /// Whether a value that is not NULL is among those of the first column, of the same kind.
    pub(super) fn contains(
        &self,
        names: &dyn Names,
        frame: &Frame<'_>,
        value: &Value,
    ) -> SqlResult<Option<bool>> {
        debug_assert!(
            self.columns()
                .first()
                .is_some_and(|c| same_kind(c.ty, c.ty))
        );
        let answer = |keys: &HashSet<Key>, null: bool| match (keys.contains(&key(value)), null) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        };
        if self.correlated {
            let rows = self.plan.rows(names, Some(frame))?;
            let (keys, null) = first_keys(&rows);
            return Ok(answer(&keys, null));
        }
        let kept = self.kept(names)?;
        let (keys, null) = kept.keys.get_or_init(|| first_keys(&kept.rows));
        Ok(answer(keys, *null))
    }
}

fn first_keys(rows: &[Row]) -> (HashSet<Key>, bool) {
    let values = || rows.iter().filter_map(|row| row.first());
    (
        values().filter(|v| !v.is_null()).map(key).collect(),
        values().any(Value::is_null),
    )
}

/// Evaluates a query on its own.
pub(super) fn run(names: &dyn Names, select: &Select) -> SqlResult<Rows> {
    let none = Commons::none();
    let (plan, _) = Plan::bind(names, select, None, &none)?;
    let rows = plan.rows(names, None)?;
    Ok(Rows {
        columns: plan.columns,
        rows,
    })
}
