//! `COUNT`, `SUM`, `MIN`, `MAX`, `AVG` and `STRING_AGG`.
//!
//! Start at [`BoundAggregate::compute`].

use std::cmp::Ordering;
use std::collections::HashSet;

use super::bind::Binder;
use super::bound::{Bound, Frame};
use super::names::Names;
use super::{arithmetic, eval};
use crate::error::SqlResult;
use crate::lang::ast::{Aggregate, AggregateKind, Operator};
use crate::messages;
use crate::value::{Row, SqlType, Typed, Value, compare, convert};

/// An aggregate whose argument is bound.
pub(super) struct BoundAggregate {
    kind: AggregateKind,
    distinct: bool,
    argument: Option<Bound>,
    separator: Option<Bound>,
    order_by: Vec<(Bound, bool)>,
    pub(super) ty: SqlType,
}

impl BoundAggregate {
    /// Binds the argument and finds the type. Fails with 8117 for an operand that cannot be summed.
    pub(super) fn bind(aggregate: &Aggregate, binder: &Binder<'_>) -> SqlResult<Self> {
        let argument = aggregate
            .argument
            .as_ref()
            .map(|a| binder.expr(a))
            .transpose()?;
        let separator = aggregate
            .separator
            .as_ref()
            .map(|s| binder.expr(s))
            .transpose()?;
        let order_by = binder.order(&aggregate.order_by)?;
        let ty = result_type(aggregate.kind, argument.as_ref().map(|a| a.ty))?;
        let (kind, distinct) = (aggregate.kind, aggregate.distinct);
        Ok(Self {
            kind,
            distinct,
            argument,
            separator,
            order_by,
            ty,
        })
    }

    /// The aggregate over the rows of a group.
    pub(super) fn compute(
        &self,
        rows: &[&Row],
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Value> {
        let Some(argument) = &self.argument else {
            return Ok(count(rows.len()));
        };
        let frames = rows.iter().map(|row| Frame {
            row,
            parent,
            ..Frame::default()
        });
        let mut values = Vec::with_capacity(rows.len());
        let mut seen = HashSet::new();
        for frame in frames {
            let value = eval::value(argument, names, &frame)?;
            if value.is_null() || self.distinct && !seen.insert(compare::key(&value)) {
                continue;
            }
            let keys = self
                .order_by
                .iter()
                .map(|(key, _)| eval::value(key, names, &frame));
            values.push((keys.collect::<SqlResult<Row>>()?, value));
        }
        values.sort_by(|(a, _), (b, _)| order_keys(a, b, &self.order_by));
        let values = values.into_iter().map(|(_, value)| value);
        match self.kind {
            AggregateKind::Count | AggregateKind::CountBig => Ok(count(values.len())),
            AggregateKind::Min => Ok(extreme(values, Ordering::Less)),
            AggregateKind::Max => Ok(extreme(values, Ordering::Greater)),
            AggregateKind::Sum => self.sum(values, argument.ty),
            AggregateKind::Avg => self.average(values, argument.ty),
            AggregateKind::StringAgg => self.joined(values, argument.ty, names, parent),
        }
    }

    fn sum(&self, values: impl Iterator<Item = Value>, ty: SqlType) -> SqlResult<Value> {
        let mut sum = Typed::null(self.ty);
        for value in values {
            let next = Typed { ty, value };
            sum.value = if sum.value.is_null() {
                convert::cast(&next, self.ty, None)?
            } else {
                arithmetic::apply(Operator::Add, &sum, &next, self.ty)?
            };
        }
        Ok(sum.value)
    }

    fn average(
        &self,
        values: impl ExactSizeIterator<Item = Value>,
        ty: SqlType,
    ) -> SqlResult<Value> {
        let count = Typed::new(
            SqlType::BigInt,
            i64::try_from(values.len()).unwrap_or(i64::MAX),
        );
        let value = self.sum(values, ty)?;
        arithmetic::apply(
            Operator::Divide,
            &Typed { ty: self.ty, value },
            &count,
            self.ty,
        )
    }

    fn joined(
        &self,
        values: impl ExactSizeIterator<Item = Value>,
        ty: SqlType,
        names: &dyn Names,
        parent: Option<&Frame<'_>>,
    ) -> SqlResult<Value> {
        if values.len() == 0 {
            return Ok(Value::Null);
        }
        let frame = Frame {
            parent,
            ..Frame::default()
        };
        let text = |typed: &Typed| -> SqlResult<String> {
            let value = convert::cast(typed, SqlType::NVarChar(None), None)?;
            Ok(value.as_text().unwrap_or_default().to_owned())
        };
        let separator = match &self.separator {
            Some(separator) => text(&eval::typed(separator, names, &frame)?)?,
            None => String::new(),
        };
        let texts: SqlResult<Vec<String>> =
            values.map(|value| text(&Typed { ty, value })).collect();
        Ok(Value::Text(texts?.join(&separator)))
    }
}

fn result_type(kind: AggregateKind, argument: Option<SqlType>) -> SqlResult<SqlType> {
    let Some(ty) = argument else {
        return Ok(count_type(kind));
    };
    let name = if kind == AggregateKind::Sum {
        "sum"
    } else {
        "avg"
    };
    Ok(match kind {
        AggregateKind::Count | AggregateKind::CountBig => count_type(kind),
        AggregateKind::Min | AggregateKind::Max => ty,
        AggregateKind::StringAgg if ty.is_unicode() => SqlType::NVarChar(Some(4000)),
        AggregateKind::StringAgg => SqlType::VarChar(Some(8000)),
        AggregateKind::Sum | AggregateKind::Avg => match ty {
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
            SqlType::BigInt | SqlType::Money | SqlType::Float => ty,
            SqlType::Decimal { scale, .. } => {
                let average = kind == AggregateKind::Avg;
                SqlType::Decimal {
                    precision: 38,
                    scale: if average { scale.max(6) } else { scale },
                }
            }
            _ => return Err(messages::invalid_operand(ty.base_name(), name)),
        },
    })
}

const fn count_type(kind: AggregateKind) -> SqlType {
    match kind {
        AggregateKind::CountBig => SqlType::BigInt,
        _ => SqlType::Int,
    }
}

fn count(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn extreme(values: impl Iterator<Item = Value>, wanted: Ordering) -> Value {
    values
        .reduce(|best, next| {
            if compare::order(&next, &best) == wanted {
                next
            } else {
                best
            }
        })
        .unwrap_or(Value::Null)
}

/// The order of two lists of keys.
pub(super) fn order_keys(a: &[Value], b: &[Value], keys: &[(Bound, bool)]) -> Ordering {
    let descending = keys.iter().map(|(_, descending)| *descending);
    order_values(a, b, descending)
}

/// As [`order_keys`], of the directions alone.
pub(super) fn order_values(
    a: &[Value],
    b: &[Value],
    descending: impl Iterator<Item = bool>,
) -> Ordering {
    a.iter()
        .zip(b)
        .zip(descending)
        .map(|((a, b), descending)| {
            let order = compare::order(a, b);
            if descending { order.reverse() } else { order }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
