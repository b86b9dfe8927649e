//! Functions of numbers.
//!
//! Start at [`FUNCTIONS`].

use super::{Builtin, INT, ResultType, bad_argument, int_of};
use crate::error::SqlResult;
use crate::messages;
use crate::value::convert::cast;
use crate::value::{Decimal, SqlType, Typed, Value};

pub(super) const FUNCTIONS: &[Builtin] = &[
    builtin("ABS", |a, ty| {
        whole(a, ty, "abs", Decimal::abs_of, f64::abs)
    }),
    builtin("FLOOR", |a, ty| {
        whole(a, ty, "floor", Decimal::floor_of, f64::floor)
    }),
    builtin("CEILING", |a, ty| {
        whole(a, ty, "ceiling", Decimal::ceiling_of, f64::ceil)
    }),
    builtin("SIGN", |a, ty| whole(a, ty, "sign", Decimal::sign_of, sign)),
    Builtin {
        name: "ROUND",
        least: 2,
        most: 3,
        ty: ResultType::Number,
        run: round,
    },
    Builtin {
        name: "SQRT",
        least: 1,
        most: 1,
        ty: ResultType::Fixed(SqlType::Float),
        run: |a, _| float(a, f64::sqrt),
    },
    Builtin {
        name: "POWER",
        least: 2,
        most: 2,
        ty: ResultType::Number,
        run: power,
    },
    Builtin {
        name: "ISNUMERIC",
        least: 1,
        most: 1,
        ty: INT,
        run: is_numeric,
    },
];

const fn builtin(name: &'static str, run: fn(&[Typed], SqlType) -> SqlResult<Value>) -> Builtin {
    Builtin {
        name,
        least: 1,
        most: 1,
        ty: ResultType::Number,
        run,
    }
}

fn sign(n: f64) -> f64 {
    if n == 0.0 { 0.0 } else { n.signum() }
}

impl Decimal {
    fn abs_of(self) -> Option<Self> {
        Some(Self::new(self.unscaled.checked_abs()?, self.scale))
    }

    fn sign_of(self) -> Option<Self> {
        Self::new(self.unscaled.signum(), 0).rescale(self.scale)
    }

    fn floor_of(self) -> Option<Self> {
        let unit = 10_i128.checked_pow(self.scale.into())?;
        Some(Self::new(self.unscaled.div_euclid(unit), 0))
    }

    fn ceiling_of(self) -> Option<Self> {
        let negated = Self::new(self.unscaled.checked_neg()?, self.scale).floor_of()?;
        Some(Self::new(negated.unscaled.checked_neg()?, 0))
    }
}

/// A function of one number, done exactly where the number is exact.
fn whole(
    arguments: &[Typed],
    ty: SqlType,
    function: &str,
    exact: fn(Decimal) -> Option<Decimal>,
    float: fn(f64) -> f64,
) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    let overflow = || messages::arithmetic_overflow("expression", ty.base_name());
    match cast(typed, ty, None)? {
        Value::Null => Ok(Value::Null),
        Value::Int(n) => exact(Decimal::from(n))
            .and_then(Decimal::to_i64)
            .filter(|n| ty == SqlType::BigInt || i32::try_from(*n).is_ok())
            .map(Value::Int)
            .ok_or_else(overflow),
        Value::Decimal(n) => {
            let scale = n.scale;
            exact(n)
                .and_then(|n| n.rescale(scale))
                .map(Value::Decimal)
                .ok_or_else(overflow)
        }
        Value::Float(n) => Ok(Value::Float(float(n))),
        _ => Err(bad_argument(arguments, 0, function)),
    }
}

/// `ROUND(number, digits, truncate)`.
fn round(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let (Some(typed), Some(digits)) = (arguments.first(), int_of(arguments, 1)?) else {
        return Ok(Value::Null);
    };
    let cut = int_of(arguments, 2)?.unwrap_or(0) != 0;
    let overflow = || messages::arithmetic_overflow("expression", ty.base_name());
    match cast(typed, ty, None)? {
        Value::Int(n) => rounded(Decimal::from(n), digits, cut)
            .and_then(Decimal::to_i64)
            .filter(|n| ty == SqlType::BigInt || i32::try_from(*n).is_ok())
            .map(Value::Int)
            .ok_or_else(overflow),
        Value::Decimal(n) => rounded(n, digits, cut)
            .map(Value::Decimal)
            .ok_or_else(overflow),
        Value::Float(n) => {
            let factor = 10_f64.powi(i32::try_from(digits.clamp(-300, 300)).unwrap_or(0));
            let scaled = n * factor;
            Ok(Value::Float(
                if cut { scaled.trunc() } else { scaled.round() } / factor,
            ))
        }
        Value::Null => Ok(Value::Null),
        _ => Err(bad_argument(arguments, 0, "round")),
    }
}

/// Rounds at a digit before or behind the point and keeps the scale.
fn rounded(n: Decimal, digits: i64, cut: bool) -> Option<Decimal> {
    let dropped = u32::try_from(i64::from(n.scale) - digits).unwrap_or(0);
    if dropped > 38 {
        return Some(Decimal::new(0, n.scale));
    }
    let unit = 10_i128.checked_pow(dropped)?;
    let half = if cut {
        0
    } else {
        unit / 2 * n.unscaled.signum()
    };
    let unscaled = n.unscaled.checked_add(half)? / unit * unit;
    Some(Decimal::new(unscaled, n.scale))
}

fn float(arguments: &[Typed], function: fn(f64) -> f64) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    match cast(typed, SqlType::Float, None)? {
        Value::Float(n) if function(n).is_finite() => Ok(Value::Float(function(n))),
        Value::Null => Ok(Value::Null),
        _ => Err(crate::error::SqlError::new(
            3623,
            16,
            "An invalid floating point operation occurred.",
        )),
    }
}

fn power(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let mut numbers = Vec::with_capacity(2);
    for typed in arguments {
        match cast(typed, SqlType::Float, None)? {
            Value::Float(n) => numbers.push(n),
            _ => return Ok(Value::Null),
        }
    }
    let [base, exponent] = numbers.as_slice() else {
        return Ok(Value::Null);
    };
    let result = base.powf(*exponent);
    if !result.is_finite() {
        return Err(messages::arithmetic_overflow("expression", ty.base_name()));
    }
    cast(
        &Typed {
            ty: SqlType::Float,
            value: Value::Float(result),
        },
        ty,
        None,
    )
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of all functions")]
fn is_numeric(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    let number = match &typed.value {
        Value::Null => false,
        Value::Text(text) if text.trim().is_empty() => false,
        Value::Text(_) => [SqlType::Float, SqlType::Money]
            .into_iter()
            .any(|ty| cast(typed, ty, None).is_ok()),
        _ => typed.ty.is_number(),
    };
    Ok(Value::Int(number.into()))
}
