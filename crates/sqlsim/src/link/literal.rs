//! Values written as T-SQL, so that they can travel to another host within a batch.
//!
//! Start at [`literal`]; [`quote`] is for names. Nothing here runs anything.

use std::fmt::Write as _;

use crate::value::{SqlType, Value};

/// A name in brackets.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A text as a Unicode literal.
#[must_use]
pub fn text(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// A value as a literal or a conversion of one; what comes back has the same value and type family.
#[must_use]
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => decimal(number.unscaled, number.scale),
        Value::Float(number) => format!("{number:e}"),
        Value::Text(content) => text(content),
        Value::Binary(bytes) => binary(bytes),
        Value::Guid(guid) => convert("uniqueidentifier", &guid.to_string()),
        Value::DateTime(time) => convert("datetime2(7)", &seconds(time)),
        Value::Date(date) => convert("date", &date.to_string()),
        Value::Time(time) => convert("time(7)", &time.to_string()),
        Value::DateTimeOffset {
            utc,
            offset_minutes,
        } => {
            let shift = jiff::SignedDuration::from_mins(i64::from(*offset_minutes));
            let local = utc.saturating_add(shift);
            let sign = if *offset_minutes < 0 { '-' } else { '+' };
            let (hours, minutes) = (
                offset_minutes.unsigned_abs() / 60,
                offset_minutes.unsigned_abs() % 60,
            );
            convert(
                "datetimeoffset(7)",
                &format!("{} {sign}{hours:02}:{minutes:02}", seconds(&local)),
            )
        }
    }
}

/// A value as an expression of exactly this type, for the first value of a variable.
#[must_use]
pub fn typed(value: &Value, ty: SqlType) -> String {
    format!("CONVERT({ty}, {})", literal(value))
}

fn convert(ty: &str, content: &str) -> String {
    format!("CONVERT({ty}, '{content}')")
}

/// Date and time with at most seven digits after the second, as T-SQL reads them.
fn seconds(time: &jiff::civil::DateTime) -> String {
    format!("{} {}", time.date(), clock(time.time()))
}

fn clock(time: jiff::civil::Time) -> String {
    let ticks = time.subsec_nanosecond() / 100;
    format!(
        "{:02}:{:02}:{:02}.{ticks:07}",
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn decimal(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    // The point keeps a whole number beyond bigint from being anything but a decimal.
    format!("{sign}{whole}.{fraction}")
}

fn binary(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Decimal;

    #[test]
    fn quotes_and_brackets_cannot_break_out() {
        assert_eq!(text("a'b"), "N'a''b'");
        assert_eq!(quote("a]b"), "[a]]b]");
    }

    #[test]
    fn numbers_keep_every_digit() {
        let lsn = Value::Decimal(Decimal::new(1_234_567_890_123_456_789_012_345, 0));
        assert_eq!(literal(&lsn), "1234567890123456789012345.");
        assert_eq!(literal(&Value::Decimal(Decimal::new(-5, 2))), "-0.05");
        assert_eq!(literal(&Value::Int(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn times_are_written_as_t_sql_reads_them() {
        let time = jiff::civil::date(2026, 11, 21).at(9, 5, 7, 120_000_000);
        assert_eq!(
            literal(&Value::DateTime(time)),
            "CONVERT(datetime2(7), '2026-11-21 09:05:07.1200000')"
        );
        let offset = Value::DateTimeOffset {
            utc: time,
            offset_minutes: -90,
        };
        assert_eq!(
            literal(&offset),
            "CONVERT(datetimeoffset(7), '2026-11-21 07:35:07.1200000 -01:30')"
        );
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        assert_eq!(literal(&Value::Binary(vec![0, 0xAB])), "0x00AB");
        assert_eq!(typed(&Value::Null, SqlType::Int), "CONVERT(int, NULL)");
    }
}
