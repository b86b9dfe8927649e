//! Bound expressions and conditions at work on a row.
//!
//! Start at [`value`] and [`truth`]. Truth has three values; `None` is unknown.

use std::cmp::Ordering;

use super::bound::{Bound, BoundCondition, Frame, Node};
use super::names::Names;
use super::plan::SubPlan;
use super::{arithmetic, like, typing};
use crate::error::SqlResult;
use crate::lang::ast::Comparison;
use crate::messages;
use crate::value::convert::{cast, implicit};
use crate::value::{SqlType, Typed, Value, compare};

/// What an expression is for a row, in the type of the expression.
pub(super) fn value(bound: &Bound, names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Value> {
    match &bound.node {
        Node::Constant(value) => Ok(value.clone()),
        Node::Variable(name) => Ok(names.variable(name)?.value),
        Node::Column { depth, index } => Ok(column(frame, *depth, *index)),
        Node::Aggregate(index) => Ok(frame.aggregates.get(*index).cloned().unwrap_or(Value::Null)),
        Node::Window(index) => Ok(frame.windows.get(*index).cloned().unwrap_or(Value::Null)),
        Node::Unary(operator, operand) => {
            arithmetic::unary(*operator, value(operand, names, frame)?, bound.ty)
        }
        Node::Chain(first, steps) => {
            let mut left = typed(first, names, frame)?;
            for step in steps {
                let right = typed(&step.operand, names, frame)?;
                let value = arithmetic::apply(step.operator, &left, &right, step.ty)?;
                left = Typed { ty: step.ty, value };
            }
            Ok(left.value)
        }
        Node::Case { .. } | Node::SimpleCase { .. } | Node::Coalesce(_) => {
            choice(bound, names, frame)
        }
        Node::Cast {
            value: inner,
            style,
            lenient,
        } => {
            let inner = typed(inner, names, frame)?;
            let style = style
                .as_deref()
                .map(|style| value(style, names, frame))
                .transpose()?;
            let result = cast(&inner, bound.ty, style.and_then(|style| style.as_int()));
            if *lenient {
                Ok(result.unwrap_or(Value::Null))
            } else {
                result
            }
        }
        Node::Builtin(builtin, arguments) => {
            let arguments = all(arguments, names, frame)?;
            builtin.call(&arguments, bound.ty)
        }
        Node::Function(name, arguments) => {
            let arguments = all(arguments, names, frame)?;
            let result = names.function(name, &arguments)?;
            if result.ty == bound.ty {
                Ok(result.value)
            } else {
                cast(&result, bound.ty, None)
            }
        }
        Node::Subquery(plan) => scalar(plan, names, frame),
    }
}

/// The forms that leave what they do not need unevaluated.
fn choice(bound: &Bound, names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Value> {
    match &bound.node {
        Node::Case {
            branches,
            otherwise,
        } => {
            for (when, then) in branches {
                if truth(when, names, frame)? == Some(true) {
                    return converted(then, bound.ty, names, frame);
                }
            }
            or_null(otherwise.as_deref(), bound.ty, names, frame)
        }
        Node::SimpleCase {
            subject,
            branches,
            otherwise,
        } => {
            for (when, then) in branches {
                if compared(subject, when, names, frame)? == Some(Ordering::Equal) {
                    return converted(then, bound.ty, names, frame);
                }
            }
            or_null(otherwise.as_deref(), bound.ty, names, frame)
        }
        Node::Coalesce(all) => {
            for bound_one in all {
                let value = converted(bound_one, bound.ty, names, frame)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Value::Null)
        }
        _ => Ok(Value::Null),
    }
}

/// As [`value`], with the type.
pub(super) fn typed(bound: &Bound, names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Typed> {
    Ok(Typed {
        ty: bound.ty,
        value: value(bound, names, frame)?,
    })
}

/// Each of several.
pub(super) fn all(bounds: &[Bound], names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Vec<Typed>> {
    bounds
        .iter()
        .map(|bound| typed(bound, names, frame))
        .collect()
}

fn column(frame: &Frame<'_>, depth: usize, index: usize) -> Value {
    let mut frame = Some(frame);
    for _ in 0..depth {
        frame = frame.and_then(|frame| frame.parent);
    }
    // A row shorter than its scope is the row of no rows, in which all is NULL.
    frame
        .and_then(|frame| frame.row.get(index))
        .cloned()
        .unwrap_or(Value::Null)
}

fn converted(bound: &Bound, ty: SqlType, names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Value> {
    let typed = typed(bound, names, frame)?;
    if typed.ty == ty {
        Ok(typed.value)
    } else {
        implicit(&typed, ty)
    }
}

fn or_null(
    bound: Option<&Bound>,
    ty: SqlType,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Value> {
    bound.map_or(Ok(Value::Null), |bound| converted(bound, ty, names, frame))
}

fn scalar(plan: &SubPlan, names: &dyn Names, frame: &Frame<'_>) -> SqlResult<Value> {
    plan.with_rows(names, frame, |rows| match rows {
        [] => Ok(Value::Null),
        [row] => Ok(row.first().cloned().unwrap_or(Value::Null)),
        _ => Err(messages::subquery_returned_many()),
    })
}

/// Whether a condition holds for a row; `None` is unknown.
pub(super) fn truth(
    condition: &BoundCondition,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Option<bool>> {
    Ok(match condition {
        BoundCondition::All(all) => {
            let mut result = Some(true);
            for condition in all {
                match truth(condition, names, frame)? {
                    Some(false) => return Ok(Some(false)),
                    None => result = None,
                    Some(true) => {}
                }
            }
            result
        }
        BoundCondition::Any(any) => {
            let mut result = Some(false);
            for condition in any {
                match truth(condition, names, frame)? {
                    Some(true) => return Ok(Some(true)),
                    None => result = None,
                    Some(false) => {}
                }
            }
            result
        }
        BoundCondition::Not(inner) => truth(inner, names, frame)?.map(|truth| !truth),
        BoundCondition::Compare(comparison, left, right) => {
            compared(left, right, names, frame)?.map(|order| holds(*comparison, order))
        }
        BoundCondition::IsNull(operand) => Some(value(operand, names, frame)?.is_null()),
        BoundCondition::Between { operand, low, high } => {
            let above = compared(operand, low, names, frame)?.map(Ordering::is_ge);
            let below = compared(operand, high, names, frame)?.map(Ordering::is_le);
            match (above, below) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        }
        BoundCondition::Like {
            operand,
            pattern,
            escape,
        } => like_truth(operand, pattern, escape.as_ref(), names, frame)?,
        BoundCondition::In(operand, values) => {
            let mut result = Some(false);
            for candidate in values {
                match compared(operand, candidate, names, frame)? {
                    Some(Ordering::Equal) => return Ok(Some(true)),
                    None => result = None,
                    Some(_) => {}
                }
            }
            result
        }
        BoundCondition::InSelect(operand, plan) => in_select(operand, plan, names, frame)?,
        BoundCondition::Exists(plan) => {
            Some(plan.with_rows(names, frame, |rows| Ok(!rows.is_empty()))?)
        }
    })
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

fn compared(
    left: &Bound,
    right: &Bound,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Option<Ordering>> {
    compare_typed(&typed(left, names, frame)?, &typed(right, names, frame)?)
}

/// Compares after conversion to the type of higher precedence; `None` where either is NULL.
pub(super) fn compare_typed(left: &Typed, right: &Typed) -> SqlResult<Option<Ordering>> {
    if left.value.is_null() || right.value.is_null() {
        return Ok(None);
    }
    if same_kind(left.ty, right.ty) {
        return Ok(compare::compare(&left.value, &right.value));
    }
    let ty = typing::wider(left.ty, right.ty);
    Ok(compare::compare(
        &implicit(left, ty)?,
        &implicit(right, ty)?,
    ))
}

/// Whether two types compare, and hash, without conversion.
pub(super) fn same_kind(a: SqlType, b: SqlType) -> bool {
    let exact = |ty: SqlType| ty.is_number() && ty != SqlType::Float;
    let civil = |ty: SqlType| matches!(ty, SqlType::DateTime | SqlType::DateTime2(_));
    a.is_text() && b.is_text()
        || a.is_binary() && b.is_binary()
        || exact(a) && exact(b)
        || civil(a) && civil(b)
        || std::mem::discriminant(&a) == std::mem::discriminant(&b)
}

fn like_truth(
    operand: &Bound,
    pattern: &Bound,
    escape: Option<&Bound>,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Option<bool>> {
    let text = |bound: &Bound| -> SqlResult<Option<String>> {
        match cast(&typed(bound, names, frame)?, SqlType::NVarChar(None), None)? {
            Value::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    };
    let (Some(operand), Some(pattern)) = (text(operand)?, text(pattern)?) else {
        return Ok(None);
    };
    let escape = match escape {
        None => None,
        Some(bound) => match text(bound)? {
            None => return Ok(None),
            Some(text) => text.chars().next(),
        },
    };
    Ok(Some(like::matches(&operand, &pattern, escape)))
}

fn in_select(
    operand: &Bound,
    plan: &SubPlan,
    names: &dyn Names,
    frame: &Frame<'_>,
) -> SqlResult<Option<bool>> {
    let operand = typed(operand, names, frame)?;
    let ty = plan
        .columns()
        .first()
        .map_or(SqlType::Int, |column| column.ty);
    if same_kind(operand.ty, ty) && !operand.value.is_null() {
        return plan.contains(names, frame, &operand.value);
    }
    plan.with_rows(names, frame, |rows| {
        let mut result = Some(false);
        for row in rows {
            let candidate = Typed {
                ty,
                value: row.first().cloned().unwrap_or(Value::Null),
            };
            match compare_typed(&operand, &candidate)? {
                Some(Ordering::Equal) => return Ok(Some(true)),
                None => result = None,
                Some(_) => {}
            }
        }
        Ok(result)
    })
}
