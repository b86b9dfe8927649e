//! Which type an expression has.
//!
//! Start at [`chain_type`] and [`common_type`]. The rules are those of "Data type precedence" and
//! of "Precision, scale, and length" in the T-SQL reference.

use super::bound::{Bound, Node};
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::Operator;
use crate::messages;
use crate::value::{Decimal, SqlType, Value};

/// The type that all of several results are converted to; NULL literals do not count.
pub(super) fn common_type<'a>(all: impl IntoIterator<Item = &'a Bound>) -> SqlType {
    all.into_iter()
        .filter(|bound| !bound.is_null_literal())
        .map(|bound| bound.ty)
        .reduce(wider)
        .unwrap_or(SqlType::Int)
}

/// The type that two are converted to: that of higher precedence, wide enough for both.
pub(super) fn wider(a: SqlType, b: SqlType) -> SqlType {
    let (low, high) = if a.precedence() <= b.precedence() {
        (a, b)
    } else {
        (b, a)
    };
    if high.is_text() && low.is_text() {
        return text_type(low, high, std::cmp::Ord::max);
    }
    match (digits(low), high) {
        (Some((p, s)), SqlType::Decimal { precision, scale }) => {
            let whole = (p - s).max(precision - scale);
            let scale = s.max(scale);
            SqlType::Decimal {
                precision: (whole + scale).min(38),
                scale,
            }
        }
        _ => match (low.length(), high) {
            (Some(n), SqlType::VarBinary(Some(m))) => SqlType::VarBinary(Some(n.max(m))),
            _ => high,
        },
    }
}

/// The type of `left operator right`. Fails with 402, 8117 or 206.
pub(super) fn chain_type(operator: Operator, left: &Bound, right: &Bound) -> SqlResult<SqlType> {
    match (left.is_null_literal(), right.is_null_literal()) {
        (true, false) => return step_type(operator, right.ty, right.ty),
        (false, true) => return step_type(operator, left.ty, left.ty),
        _ => {}
    }
    step_type(operator, narrowed(left, right.ty), narrowed(right, left.ty))
}

/// Beside a decimal an integer literal counts only the digits that it has: `7.0 / 2` is `3.500000`.
pub(super) fn narrowed(bound: &Bound, beside: SqlType) -> SqlType {
    match (&bound.node, beside) {
        (Node::Constant(Value::Int(n)), SqlType::Decimal { .. }) => SqlType::Decimal {
            precision: Decimal::from(*n).precision(),
            scale: 0,
        },
        _ => bound.ty,
    }
}

/// As [`chain_type`], of types alone.
pub(super) fn step_type(operator: Operator, a: SqlType, b: SqlType) -> SqlResult<SqlType> {
    let high = if a.precedence() >= b.precedence() {
        a
    } else {
        b
    };
    if a.is_text() && b.is_text() {
        return match operator {
            Operator::Add => Ok(text_type(a, b, u16::saturating_add)),
            _ => Err(messages::invalid_operand(
                high.base_name(),
                operator_name(operator),
            )),
        };
    }
    if a.is_binary() && b.is_binary() && operator == Operator::Add {
        let length = a
            .length()
            .zip(b.length())
            .map(|(a, b)| a.saturating_add(b).min(8000));
        return Ok(SqlType::VarBinary(length));
    }
    if high.is_temporal() {
        return temporal_type(operator, a, b, high);
    }
    if high == SqlType::UniqueIdentifier || !high.is_number() {
        return Err(incompatible(operator, a, b));
    }
    if matches!(
        operator,
        Operator::BitAnd | Operator::BitOr | Operator::BitXor
    ) {
        return if high.is_integer() {
            Ok(high)
        } else {
            Err(incompatible(operator, a, b))
        };
    }
    Ok(match high {
        SqlType::Decimal { .. } => decimal_type(operator, a, b),
        SqlType::Bit => SqlType::Int,
        _ => high,
    })
}

fn incompatible(operator: Operator, a: SqlType, b: SqlType) -> SqlError {
    messages::incompatible_types(a.base_name(), b.base_name(), operator_name(operator))
}

const fn operator_name(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "add",
        Operator::Subtract => "subtract",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        Operator::Modulo => "modulo",
        Operator::BitAnd => "'&'",
        Operator::BitOr => "'|'",
        Operator::BitXor => "'^'",
    }
}

fn temporal_type(operator: Operator, a: SqlType, b: SqlType, high: SqlType) -> SqlResult<SqlType> {
    let plus_or_minus = matches!(operator, Operator::Add | Operator::Subtract);
    let others = [a, b].into_iter().filter(|ty| *ty != high);
    let fits = others.into_iter().all(|ty| ty.is_number() || ty.is_text());
    if high == SqlType::DateTime && plus_or_minus && fits {
        return Ok(SqlType::DateTime);
    }
    Err(if a == b {
        messages::invalid_operand(high.base_name(), operator_name(operator))
    } else {
        incompatible(operator, a, b)
    })
}

/// Text that holds both: Unicode if either is, `max` if either is or the length is beyond the limit
/// and one of them was.
fn text_type(a: SqlType, b: SqlType, join: impl Fn(u16, u16) -> u16) -> SqlType {
    let unicode = a.is_unicode() || b.is_unicode();
    let limit = if unicode { 4000 } else { 8000 };
    let length = a
        .length()
        .zip(b.length())
        .map(|(a, b)| join(a, b).min(limit));
    if unicode {
        SqlType::NVarChar(length)
    } else {
        SqlType::VarChar(length)
    }
}

/// Precision and scale of an exact number.
fn digits(ty: SqlType) -> Option<(u8, u8)> {
    Some(match ty {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Money => (19, 4),
        SqlType::Decimal { precision, scale } => (precision, scale),
        _ => return None,
    })
}

fn decimal_type(operator: Operator, a: SqlType, b: SqlType) -> SqlType {
    let other = digits(a).or_else(|| digits(b)).unwrap_or((38, 0));
    let (p1, s1) = digits(a).unwrap_or(other);
    let (p2, s2) = digits(b).unwrap_or(other);
    let (precision, scale) = match operator {
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        Operator::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Operator::Modulo => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
    };
    if precision <= 38 {
        return SqlType::Decimal {
            precision: precision.max(1),
            scale,
        };
    }
    // The whole part is kept, the fraction shrinks, though not below six digits.
    let whole = precision - scale;
    let least = scale.min(6);
    let scale = 38_u8.saturating_sub(whole).max(least).min(scale);
    SqlType::Decimal {
        precision: 38,
        scale,
    }
}
