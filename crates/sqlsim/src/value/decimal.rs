//! Exact decimals, wide enough for `numeric(38)` and LSNs.
//!
//! Start at [`Decimal`]. Arithmetic never rounds silently beyond what SQL Server does, and reports
//! overflow as `None`; whoever calls it raises 8115.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most digits a `numeric` may have.
pub const MAX_PRECISION: u8 = 38;

/// A decimal number: `unscaled / 10^scale`. Equality is of the parts; [`Decimal::compare`] compares
/// the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decimal {
    /// The digits.
    pub unscaled: i128,
    /// How many of them stand after the point, at most 38.
    pub scale: u8,
}

impl Decimal {
    /// A decimal from its parts.
    #[must_use]
    pub const fn new(unscaled: i128, scale: u8) -> Self {
        Self { unscaled, scale }
    }

    /// How many digits it has, at least 1 and at least its scale.
    #[must_use]
    pub fn precision(&self) -> u8 {
        let digits = self
            .unscaled
            .unsigned_abs()
            .checked_ilog10()
            .map_or(1, |n| n + 1);
        u8::try_from(digits)
            .unwrap_or(MAX_PRECISION)
            .max(self.scale)
            .max(1)
    }

    /// The same number with another scale, rounded half away from zero; `None` on overflow.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        let unscaled = match scale.cmp(&self.scale) {
            Ordering::Equal => self.unscaled,
            Ordering::Greater => self
                .unscaled
                .checked_mul(power_of_ten(scale - self.scale)?)?,
            Ordering::Less => divide_rounding(self.unscaled, power_of_ten(self.scale - scale)?)?,
        };
        Some(Self { unscaled, scale })
    }

    /// The number as a cell of `numeric(precision, scale)`; `None` where it does not fit.
    #[must_use]
    pub fn fit(self, precision: u8, scale: u8) -> Option<Self> {
        let number = self.rescale(scale)?;
        let limit = power_of_ten(precision.min(MAX_PRECISION))?;
        (number.unscaled.unsigned_abs() < limit.unsigned_abs()).then_some(number)
    }

    /// The integer part, towards zero; `None` beyond 64 bits.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.unscaled / power_of_ten(self.scale)?).ok()
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The decimal nearest to a float at a scale; `None` for what is no number or too large.
    #[must_use]
    pub fn from_f64(number: f64, scale: u8) -> Option<Self> {
        if !number.is_finite() || number.abs() >= 1e38 {
            return None;
        }
        format!("{number:.*}", usize::from(scale)).parse().ok()
    }

    /// The sum.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (a, b) = self.aligned(other)?;
        Some(Self {
            unscaled: a.unscaled.checked_add(b.unscaled)?,
            scale: a.scale,
        })
    }

    /// The difference.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self {
            unscaled: other.unscaled.checked_neg()?,
            scale: other.scale,
        })
    }

    /// The product.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let (a, b) = (self.trimmed(), other.trimmed());
        let product = a.unscaled.checked_mul(b.unscaled)?;
        Some(Self {
            unscaled: product,
            scale: a.scale + b.scale,
        })
    }

    /// The quotient with `scale` digits, cut off like SQL Server's; `None` on division by zero or
    /// overflow.
    #[must_use]
    pub fn checked_div(self, other: Self, scale: u8) -> Option<Self> {
        let (a, b) = (self.trimmed(), other.trimmed());
        let up = (scale + b.scale).checked_sub(a.scale);
        let unscaled = match up {
            Some(up) => a
                .unscaled
                .checked_mul(power_of_ten(up)?)?
                .checked_div(b.unscaled)?,
            None => {
                (a.unscaled / power_of_ten(a.scale - scale - b.scale)?).checked_div(b.unscaled)?
            }
        };
        Some(Self { unscaled, scale })
    }

    /// The remainder, with the sign of the dividend; `None` on division by zero.
    #[must_use]
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        let (a, b) = self.aligned(other)?;
        Some(Self {
            unscaled: a.unscaled.checked_rem(b.unscaled)?,
            scale: a.scale,
        })
    }

    /// Compares the numbers, not their scales.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        let (a, b) = (self.trimmed(), other.trimmed());
        match a.aligned(b) {
            Some((a, b)) => a.unscaled.cmp(&b.unscaled),
            // Alignment overflows only if the one with the smaller scale is the larger number.
            None if a.scale < b.scale => a.unscaled.cmp(&0),
            None => 0.cmp(&b.unscaled),
        }
    }

    /// The same number without zeros at its end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.unscaled % 10 == 0 {
            self.unscaled /= 10;
            self.scale -= 1;
        }
        self
    }

    fn aligned(self, other: Self) -> Option<(Self, Self)> {
        let scale = self.scale.max(other.scale);
        Some((self.rescale(scale)?, other.rescale(scale)?))
    }
}

impl From<i64> for Decimal {
    fn from(n: i64) -> Self {
        Self {
            unscaled: n.into(),
            scale: 0,
        }
    }
}

impl From<i128> for Decimal {
    fn from(n: i128) -> Self {
        Self {
            unscaled: n,
            scale: 0,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = format!(
            "{:0>width$}",
            self.unscaled.unsigned_abs(),
            width = scale + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if scale == 0 {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

/// The text is not a decimal number of at most 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of at most 38 digits")]
pub struct NotADecimal;

impl FromStr for Decimal {
    type Err = NotADecimal;

    /// Reads `[+-]digits[.digits]`.
    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, text) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits: String = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotADecimal);
        }
        let scale = u8::try_from(fraction.len()).map_err(|_| NotADecimal)?;
        let unscaled: i128 = digits.parse().map_err(|_| NotADecimal)?;
        if scale > MAX_PRECISION || unscaled >= 10_i128.pow(MAX_PRECISION.into()) {
            return Err(NotADecimal);
        }
        Ok(Self {
            unscaled: if negative { -unscaled } else { unscaled },
            scale,
        })
    }
}

fn power_of_ten(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(exponent.into())
}

fn divide_rounding(number: i128, divisor: i128) -> Option<i128> {
    let half = divisor / 2;
    let shifted = if number < 0 {
        number.checked_sub(half)?
    } else {
        number.checked_add(half)?
    };
    shifted.checked_div(divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal in a test")
    }

    #[test]
    fn text_survives_the_round_trip() {
        for text in [
            "0",
            "-1",
            "0.05",
            "-0.05",
            "123.4500",
            "35000000012300001",
            "1.0",
        ] {
            assert_eq!(decimal(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "1.2.3",
            "1e3",
            " 1",
            "999999999999999999999999999999999999999",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal), "{text:?}");
        }
    }

    #[test]
    fn rescaling_rounds_half_away_from_zero() {
        assert_eq!(decimal("1.25").rescale(1), Some(decimal("1.3")));
        assert_eq!(decimal("-1.25").rescale(1), Some(decimal("-1.3")));
        assert_eq!(decimal("1.24").rescale(1), Some(decimal("1.2")));
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        assert_eq!(decimal("1000").fit(3, 0), None);
        assert_eq!(decimal("999.5").fit(3, 0), None);
        assert_eq!(decimal("999.4").fit(3, 0), Some(decimal("999")));
    }

    #[test]
    fn comparison_ignores_the_scale_and_survives_extremes() {
        let huge = Decimal::new(10_i128.pow(37) * 9, 0);
        let tiny = Decimal::new(1, 38);
        assert_eq!(decimal("1.0").compare(decimal("1")), Ordering::Equal);
        assert_eq!(huge.compare(tiny), Ordering::Greater);
        assert_eq!(tiny.compare(huge), Ordering::Less);
        assert_eq!(
            tiny.compare(Decimal::new(-huge.unscaled, 0)),
            Ordering::Greater
        );
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(
            decimal("0.1").checked_add(decimal("0.2")),
            Some(decimal("0.3"))
        );
        assert_eq!(
            decimal("10").checked_div(decimal("4"), 2),
            Some(decimal("2.50"))
        );
        assert_eq!(
            decimal("1.005").checked_div(decimal("10"), 1),
            Some(decimal("0.1"))
        );
        assert_eq!(
            decimal("7.5").checked_rem(decimal("2")),
            Some(decimal("1.5"))
        );
        assert_eq!(decimal("1").checked_div(decimal("0"), 2), None);
    }
}
