//! Operators at work.
//!
//! Start at [`apply`]. NULL in, NULL out; overflow is 8115, division by zero 8134.

use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{Operator, UnaryOperator};
use crate::messages;
use crate::value::convert::implicit;
use crate::value::{Decimal, SqlType, Typed, Value, date};

/// `left operator right`, of the type that `typing` found.
pub(super) fn apply(
    operator: Operator,
    left: &Typed,
    right: &Typed,
    ty: SqlType,
) -> SqlResult<Value> {
    if left.value.is_null() || right.value.is_null() {
        return Ok(Value::Null);
    }
    match ty {
        SqlType::NVarChar(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::Char(_) => {
            join_text(left, right, ty)
        }
        SqlType::VarBinary(_) | SqlType::Binary(_) => join_binary(left, right),
        SqlType::Float => floats(operator, left, right),
        SqlType::Decimal { precision, scale } => {
            decimals(operator, left, right, (precision, scale))?
                .fit(precision, scale)
                .map(Value::Decimal)
                .ok_or_else(|| overflow(ty))
        }
        SqlType::Money => decimals(operator, left, right, (19, 4))?
            .fit(19, 4)
            .map(Value::Decimal)
            .ok_or_else(|| overflow(ty)),
        SqlType::DateTime => datetimes(operator, left, right),
        _ => integers(operator, left, right, ty),
    }
}

/// `-x`, `+x`, `~x`.
pub(super) fn unary(operator: UnaryOperator, operand: Value, ty: SqlType) -> SqlResult<Value> {
    match (operator, operand) {
        (_, Value::Null) => Ok(Value::Null),
        (UnaryOperator::Plus, value) => Ok(value),
        (UnaryOperator::Minus, Value::Int(n)) => {
            n.checked_neg().map(Value::Int).ok_or_else(|| overflow(ty))
        }
        (UnaryOperator::Minus, Value::Decimal(n)) => {
            Ok(Value::Decimal(Decimal::new(-n.unscaled, n.scale)))
        }
        (UnaryOperator::Minus, Value::Float(n)) => Ok(Value::Float(-n)),
        (UnaryOperator::BitNot, Value::Int(n)) if ty != SqlType::TinyInt => Ok(Value::Int(!n)),
        (UnaryOperator::BitNot, Value::Int(n)) => Ok(Value::Int(!n & 0xff)),
        (UnaryOperator::BitNot, Value::Bit(b)) => Ok(Value::Bit(!b)),
        (UnaryOperator::Minus, _) => Err(messages::invalid_operand(ty.base_name(), "minus")),
        (UnaryOperator::BitNot, _) => Err(messages::invalid_operand(ty.base_name(), "'~'")),
    }
}

fn overflow(ty: SqlType) -> SqlError {
    messages::arithmetic_overflow("expression", ty.base_name())
}

fn join_text(left: &Typed, right: &Typed, ty: SqlType) -> SqlResult<Value> {
    let (Value::Text(left), Value::Text(right)) = (&left.value, &right.value) else {
        return Err(messages::incompatible_types(
            left.ty.base_name(),
            right.ty.base_name(),
            "add",
        ));
    };
    let joined = Typed {
        ty,
        value: Value::Text([left.as_str(), right].concat()),
    };
    // Cuts at 4000 or 8000 where neither side is `max`, as SQL Server does without a word.
    crate::value::convert::cast(&joined, ty, None)
}

fn join_binary(left: &Typed, right: &Typed) -> SqlResult<Value> {
    match (&left.value, &right.value) {
        (Value::Binary(a), Value::Binary(b)) => Ok(Value::Binary([a.as_slice(), b].concat())),
        _ => Err(messages::incompatible_types(
            left.ty.base_name(),
            right.ty.base_name(),
            "add",
        )),
    }
}

fn integers(operator: Operator, left: &Typed, right: &Typed, ty: SqlType) -> SqlResult<Value> {
    let number = |typed: &Typed| -> SqlResult<i64> {
        let wide = if typed.ty.is_integer() {
            SqlType::BigInt
        } else {
            ty
        };
        Ok(implicit(typed, wide)?.as_int().unwrap_or(0))
    };
    let (a, b) = (number(left)?, number(right)?);
    if b == 0 && matches!(operator, Operator::Divide | Operator::Modulo) {
        return Err(messages::divide_by_zero());
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Modulo => Some(a.checked_rem(b).unwrap_or(0)),
        Operator::BitAnd => Some(a & b),
        Operator::BitOr => Some(a | b),
        Operator::BitXor => Some(a ^ b),
    };
    let fits = |n: &i64| match ty {
        SqlType::TinyInt => u8::try_from(*n).is_ok(),
        SqlType::SmallInt => i16::try_from(*n).is_ok(),
        SqlType::Int => i32::try_from(*n).is_ok(),
        _ => true,
    };
    let result = result.filter(fits).ok_or_else(|| overflow(ty))?;
    Ok(if ty == SqlType::Bit {
        Value::Bit(result != 0)
    } else {
        Value::Int(result)
    })
}

fn decimals(
    operator: Operator,
    left: &Typed,
    right: &Typed,
    (precision, scale): (u8, u8),
) -> SqlResult<Decimal> {
    let ty = SqlType::Decimal { precision, scale };
    let number = |typed: &Typed| -> SqlResult<Decimal> {
        match &typed.value {
            Value::Decimal(n) => Ok(*n),
            other => match other.as_int() {
                Some(n) => Ok(Decimal::from(n)),
                None => match implicit(
                    typed,
                    SqlType::Decimal {
                        precision: 38,
                        scale,
                    },
                )? {
                    Value::Decimal(n) => Ok(n),
                    _ => Err(overflow(ty)),
                },
            },
        }
    };
    let (a, b) = (number(left)?, number(right)?);
    if b.unscaled == 0 && matches!(operator, Operator::Divide | Operator::Modulo) {
        return Err(messages::divide_by_zero());
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b, scale),
        Operator::Modulo => a.checked_rem(b),
        Operator::BitAnd | Operator::BitOr | Operator::BitXor => None,
    };
    result.ok_or_else(|| overflow(ty))
}

fn floats(operator: Operator, left: &Typed, right: &Typed) -> SqlResult<Value> {
    let number = |typed: &Typed| -> SqlResult<f64> {
        match implicit(typed, SqlType::Float)? {
            Value::Float(n) => Ok(n),
            _ => Err(overflow(SqlType::Float)),
        }
    };
    let (a, b) = (number(left)?, number(right)?);
    if b == 0.0 && matches!(operator, Operator::Divide | Operator::Modulo) {
        return Err(messages::divide_by_zero());
    }
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a % b,
    };
    if result.is_finite() {
        Ok(Value::Float(result))
    } else {
        Err(overflow(SqlType::Float))
    }
}

/// `datetime` plus and minus days.
fn datetimes(operator: Operator, left: &Typed, right: &Typed) -> SqlResult<Value> {
    let days = |typed: &Typed| -> SqlResult<f64> {
        match implicit(typed, SqlType::DateTime)? {
            Value::DateTime(time) => Ok(date::days_since_epoch(time)),
            _ => Err(overflow(SqlType::DateTime)),
        }
    };
    let (a, b) = (days(left)?, days(right)?);
    let sum = if operator == Operator::Add {
        a + b
    } else {
        a - b
    };
    date::from_days(sum)
        .map(Value::DateTime)
        .ok_or_else(|| overflow(SqlType::DateTime))
}
