//! One arm of a query: `FROM`, `WHERE`, `GROUP BY`, `HAVING`, the select list, `ORDER BY`, `TOP`.
//!
//! Start at [`CorePlan::bind`], then [`CorePlan::rows`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::aggregate::order_values;
use super::bind::{Binder, Collected, Grouping};
use super::bound::{Bound, BoundCondition, Frame};
use super::eval;
use super::from::{self, FromPlan, Sources};
use super::names::Names;
use super::plan::{distinct, output_place};
use super::scope::Scope;
use super::{walk, window};
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{Expr, OrderItem, SelectCore, SelectItem, Top};
use crate::messages;
use crate::value::compare::{Key, key, same_name};
use crate::value::{Column, Row, SqlType, Typed, Value, convert};

/// One arm, bound.
pub(super) struct CorePlan {
    from: FromPlan,
    filter: Option<BoundCondition>,
    /// The keys of the groups, where there are groups.
    groups: Option<Vec<Bound>>,
    collected: Collected,
    having: Option<BoundCondition>,
    pub(super) items: Vec<Bound>,
    pub(super) columns: Vec<Column>,
    /// Which items are the literal NULL, whose type gives way in a `UNION`.
    pub(super) null_items: Vec<bool>,
    distinct: bool,
    order: Vec<(SortKey, bool)>,
    top: Option<(Bound, bool)>,
}

enum SortKey {
    Item(usize),
    Expr(Bound),
}

/// A row on its way: of the sources, or the first of a group with its aggregates.
pub(super) struct Line<'a> {
    row: Cow<'a, [Value]>,
    aggregates: Vec<Value>,
    pub(super) windows: Vec<Value>,
}

impl Line<'_> {
    pub(super) fn frame<'b>(&'b self, parent: Option<&'b Frame<'b>>) -> Frame<'b> {
        let Self {
            row,
            aggregates,
            windows,
        } = self;
        Frame {
            row,
            aggregates,
            windows,
            parent,
        }
    }
}

impl CorePlan {
    /// Binds an arm; also whether it depends on the query around it.
    pub(super) fn bind(
        core: &SelectCore,
        order_by: &[OrderItem],
        sources: &Sources<'_>,
    ) -> SqlResult<(Self, bool)> {
        let (from, scope) = from::bind(&core.from, sources)?;
        let collected = RefCell::new(Collected::default());
        let plain = Binder {
            names: sources.names,
            scope: &scope,
            commons: sources.commons,
            collected: None,
            grouping: None,
        };
        let filter = core
            .condition
            .as_ref()
            .map(|c| plain.condition(c))
            .transpose()?;
        let keys = plain.exprs(&core.group_by)?;
        let grouped = !keys.is_empty() || core.having.is_some() || aggregates(core, order_by);
        let grouping = grouped.then(|| Grouping {
            exprs: core.group_by.clone(),
            columns: keys.iter().filter_map(Bound::own_column).collect(),
        });
        let binder = Binder {
            collected: Some(&collected),
            grouping: grouping.as_ref(),
            ..plain
        };
        let (items, columns) = bind_items(&core.items, &binder)?;
        let having = core
            .having
            .as_ref()
            .map(|c| binder.condition(c))
            .transpose()?;
        let order = bind_order(order_by, &columns, &binder)?;
        let top = core
            .top
            .as_ref()
            .map(|top| bind_top(top, &plain))
            .transpose()?;
        let null_items = items.iter().map(Bound::is_null_literal).collect();
        let correlated = scope.correlated.get();
        let groups = grouped.then_some(keys);
        let collected = collected.into_inner();
        let distinct = core.distinct;
        let arm = Self {
            from,
            filter,
            groups,
            collected,
            having,
            items,
            columns,
            null_items,
            distinct,
            order,
            top,
        };
        Ok((arm, correlated))
    }

    /// All rows of the arm.
    pub(super) fn rows(
        &self,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Vec<Row>> {
        let source = self.from.rows(names, parent)?;
        let mut output = Vec::new();
        for line in self.lines(&source, names, parent)? {
            let frame = line.frame(parent);
            let row: Row = self
                .items
                .iter()
                .map(|item| eval::value(item, names, &frame))
                .collect::<SqlResult<_>>()?;
            let keys = self.sort_keys(&row, names, &frame)?;
            output.push((keys, row));
        }
        output.sort_by(|(a, _), (b, _)| order_values(a, b, self.directions()));
        let mut rows: Vec<Row> = output.into_iter().map(|(_, row)| row).collect();
        if self.distinct {
            rows = distinct(rows);
        }
        let limit = self.limit(rows.len(), names, parent)?;
        rows.truncate(limit);
        Ok(rows)
    }

    /// Hands every line over in order, `TOP` applied, before the items are computed: for
    /// assignments, in which one row sees what the row before it assigned.
    pub(super) fn each_line(
        &self,
        names: &dyn Names,
        mut take: impl FnMut(&Frame<'_>) -> SqlResult<()>,
    ) -> SqlResult<()> {
        let source = self.from.rows(names, None)?;
        let mut keyed = Vec::new();
        for line in self.lines(&source, names, None)? {
            let keys = self.sort_keys(&[], names, &line.frame(None))?;
            keyed.push((keys, line));
        }
        keyed.sort_by(|(a, _), (b, _)| order_values(a, b, self.directions()));
        let limit = self.limit(keyed.len(), names, None)?;
        keyed
            .iter()
            .take(limit)
            .try_for_each(|(_, line)| take(&line.frame(None)))
    }

    fn directions(&self) -> impl Iterator<Item = bool> {
        self.order.iter().map(|(_, descending)| *descending)
    }

    fn sort_keys(&self, row: &[Value], names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Row> {
        self.order
            .iter()
            .map(|(key, _)| match key {
                SortKey::Item(place) => Ok(row.get(*place).cloned().unwrap_or(Value::Null)),
                SortKey::Expr(bound) => eval::value(bound, names, frame),
            })
            .collect()
    }

    fn lines<'b>(
        &self,
        source: &'b [Row],
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Vec<Line<'b>>> {
        let mut kept: Vec<&Row> = Vec::new();
        for row in source {
            let frame = Frame {
                row,
                parent,
                ..Frame::default()
            };
            let fits = match &self.filter {
                None => true,
                Some(filter) => eval::truth(filter, names, &frame)? == Some(true),
            };
            if fits {
                kept.push(row);
            }
        }
        let mut lines = match &self.groups {
            None => kept
                .into_iter()
                .map(|row| Line {
                    row: Cow::Borrowed(row.as_slice()),
                    aggregates: Vec::new(),
                    windows: Vec::new(),
                })
                .collect(),
            Some(keys) => self.grouped(keys, &kept, names, parent)?,
        };
        if let Some(having) = &self.having {
            let mut passed = Vec::new();
            for line in lines {
                if eval::truth(having, names, &line.frame(parent))? == Some(true) {
                    passed.push(line);
                }
            }
            lines = passed;
        }
        for window in &self.collected.windows {
            window::number(&mut lines, window, names, parent)?;
        }
        Ok(lines)
    }

    fn grouped<'b>(
        &self,
        keys: &[Bound],
        rows: &[&'b Row],
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Vec<Line<'b>>> {
        let mut places: HashMap<Vec<Key>, usize> = HashMap::new();
        let mut groups: Vec<Vec<&'b Row>> = Vec::new();
        if keys.is_empty() {
            // Without GROUP BY there is one group, even of no rows.
            groups.push(rows.to_vec());
        } else {
            for row in rows {
                let frame = Frame {
                    row,
                    parent,
                    ..Frame::default()
                };
                let values: SqlResult<Vec<Key>> = keys
                    .iter()
                    .map(|bound| Ok(key(&eval::value(bound, names, &frame)?)))
                    .collect();
                let place = *places.entry(values?).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Vec::new());
                }
                groups[place].push(row);
            }
        }
        groups
            .into_iter()
            .map(|rows| {
                let aggregates = self
                    .collected
                    .aggregates
                    .iter()
                    .map(|aggregate| aggregate.compute(&rows, names, parent))
                    .collect::<SqlResult<_>>()?;
                let row = rows.first().map_or(&[] as &[Value], |row| row.as_slice());
                Ok(Line {
                    row: Cow::Borrowed(row),
                    aggregates,
                    windows: Vec::new(),
                })
            })
            .collect()
    }

    fn limit(
        &self,
        count: usize,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<usize> {
        let frame = Frame {
            parent,
            ..Frame::default()
        };
        match &self.top {
            None => Ok(count),
            Some((bound, percent)) => top_limit(bound, *percent, count, names, &frame),
        }
    }
}

/// How many of `count` rows `TOP` lets through. Fails with 1060 for what is no count.
pub(super) fn top_limit(
    bound: &Bound,
    percent: bool,
    count: usize,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<usize> {
    let typed = eval::typed(bound, names, frame)?;
    let Value::Int(n) = convert::cast(&typed, SqlType::BigInt, None)? else {
        return Err(not_a_count());
    };
    let n = usize::try_from(n).map_err(|_| not_a_count())?;
    Ok(if percent {
        count.saturating_mul(n).div_ceil(100)
    } else {
        n
    })
}

fn not_a_count() -> SqlError {
    SqlError::new(
        1060,
        15,
        "The number of rows provided for a TOP or FETCH clauses row count \
        parameter must be an integer.",
    )
}

/// Binds `TOP`.
pub(super) fn bind_top(top: &Top, binder: &Binder<'_>) -> SqlResult<(Bound, bool)> {
    Ok((binder.expr(&top.count)?, top.percent))
}

fn aggregates(core: &SelectCore, order_by: &[OrderItem]) -> bool {
    let in_items = core.items.iter().any(|item| match item {
        SelectItem::Expr { expr, .. } | SelectItem::Assign { expr, .. } => {
            walk::contains_aggregate(expr)
        }
        SelectItem::All | SelectItem::AllOf(_) => false,
    });
    in_items
        || order_by
            .iter()
            .any(|item| walk::contains_aggregate(&item.expr))
}

/// Binds a select list: its items and their columns.
pub(super) fn bind_items(
    items: &[SelectItem],
    binder: &Binder<'_>,
) -> SqlResult<(Vec<Bound>, Vec<Column>)> {
    let (mut bounds, mut columns) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            SelectItem::All => {
                if binder.scope.sources.is_empty() {
                    return Err(messages::incorrect_syntax("*"));
                }
                expand(|_| true, binder, &mut bounds, &mut columns)?;
            }
            SelectItem::AllOf(name) => {
                let sources = &binder.scope.sources;
                let called = |source: usize| sources[source].is_called(name);
                if !(0..sources.len()).any(called) {
                    return Err(messages::column_prefix_no_match(&name.to_string()));
                }
                expand(called, binder, &mut bounds, &mut columns)?;
            }
            SelectItem::Expr { expr, alias } => {
                let bound = binder.expr(expr)?;
                columns.push(column_of(expr, alias.as_deref(), &bound, binder.scope));
                bounds.push(bound);
            }
            SelectItem::Assign { expr, .. } => {
                let bound = binder.expr(expr)?;
                columns.push(Column::new("", bound.ty));
                bounds.push(bound);
            }
        }
    }
    Ok((bounds, columns))
}

fn expand(
    wanted: impl Fn(usize) -> bool,
    binder: &Binder<'_>,
    bounds: &mut Vec<Bound>,
    columns: &mut Vec<Column>,
) -> SqlResult<()> {
    for (index, column) in binder.scope.columns.iter().enumerate() {
        if !wanted(column.source) {
            continue;
        }
        if binder
            .grouping
            .is_some_and(|grouping| !grouping.columns.contains(&index))
        {
            let source = &binder.scope.sources[column.source].name.name;
            let name = format!("{source}.{}", column.column.name);
            return Err(messages::column_not_grouped(&name));
        }
        let node = super::bound::Node::Column { depth: 0, index };
        bounds.push(Bound {
            ty: column.column.ty,
            node,
        });
        columns.push(column.column.clone());
    }
    Ok(())
}

fn column_of(expr: &Expr, alias: Option<&str>, bound: &Bound, scope: &Scope<'_>) -> Column {
    let nullable = bound
        .own_column()
        .is_none_or(|index| scope.columns[index].column.nullable);
    let name = match (alias, expr) {
        (Some(alias), _) => alias.to_owned(),
        (None, Expr::Column { name, .. }) => match bound.own_column() {
            // The name is shown as it was declared, not as it was typed.
            Some(index) => scope.columns[index].column.name.clone(),
            None => name.clone(),
        },
        _ => String::new(),
    };
    Column {
        name,
        ty: bound.ty,
        nullable,
    }
}

fn bind_order(
    items: &[OrderItem],
    columns: &[Column],
    binder: &Binder<'_>,
) -> SqlResult<Vec<(SortKey, bool)>> {
    items
        .iter()
        .map(|item| {
            let key = match &item.expr {
                Expr::Literal(Typed {
                    value: Value::Int(n),
                    ..
                }) => SortKey::Item(output_place(*n, columns.len())?),
                Expr::Column {
                    qualifier: None,
                    name,
                } => {
                    let output = columns.iter().position(|c| same_name(&c.name, name));
                    match output {
                        Some(place) => SortKey::Item(place),
                        None => SortKey::Expr(binder.expr(&item.expr)?),
                    }
                }
                expr => SortKey::Expr(binder.expr(expr)?),
            };
            Ok((key, item.descending))
        })
        .collect()
}
