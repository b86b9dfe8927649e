//! Order and equality of values under the default collation.
//!
//! Start at [`compare`]. The default collation here is case-insensitive, accent-sensitive and blind
//! to trailing blanks, as `SQL_Latin1_General_CP1_CI_AS` is for the text that this simulator meets.
//! Nothing here converts types: both sides must already be of one kind.

use std::cmp::Ordering;

use super::{Decimal, Value};

/// Compares two values of one kind; `None` where either is NULL or the kinds do not compare.
#[must_use]
pub fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Text(a), Value::Text(b)) => compare_text(a, b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Bit(a), Value::Bit(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.compare(*b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b)?,
        (Value::Binary(a), Value::Binary(b)) => compare_binary(a, b),
        (Value::Guid(a), Value::Guid(b)) => guid_key(a).cmp(&guid_key(b)),
        (Value::DateTime(a), Value::DateTime(b))
        | (Value::DateTimeOffset { utc: a, .. }, Value::DateTimeOffset { utc: b, .. }) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        _ => compare_mixed(left, right)?,
    })
}

/// The total order of `ORDER BY`, in which NULL comes first.
#[must_use]
pub fn order(left: &Value, right: &Value) -> Ordering {
    compare(left, right).unwrap_or_else(|| right.is_null().cmp(&left.is_null()))
}

/// Compares text without regard to case and trailing blanks.
#[must_use]
pub fn compare_text(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_end_matches(' '), right.trim_end_matches(' '));
    left.chars().map(fold).cmp(right.chars().map(fold))
}

/// Whether two object names are the same: without regard to case, but blanks count.
#[must_use]
pub fn same_name(left: &str, right: &str) -> bool {
    left.chars().map(fold).eq(right.chars().map(fold))
}

/// A key that is equal where two values compare as equal: for grouping, `DISTINCT`, hash joins and
/// unique indexes. Values must have been converted to one type before.
#[must_use]
pub fn key(value: &Value) -> Key {
    match value {
        Value::Null => Key::Null,
        Value::Text(text) => Key::Text(text.trim_end_matches(' ').chars().map(fold).collect()),
        Value::Int(n) => Key::Number(i128::from(*n), 0),
        Value::Bit(b) => Key::Number(i128::from(*b), 0),
        Value::Decimal(n) => {
            let n = n.trimmed();
            Key::Number(n.unscaled, n.scale)
        }
        Value::Float(n) => Key::Float((n + 0.0).to_bits()),
        Value::Binary(bytes) => Key::Bytes(trim_zeros(bytes).to_vec()),
        Value::Guid(id) => Key::Bytes(id.as_bytes().to_vec()),
        Value::DateTime(time) | Value::DateTimeOffset { utc: time, .. } => Key::Time(*time),
        Value::Date(date) => Key::Time(date.to_datetime(jiff::civil::Time::midnight())),
        Value::Time(time) => Key::Time(jiff::civil::date(1900, 1, 1).to_datetime(*time)),
    }
}

/// What [`key`] makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "opaque: only equality and hashing matter")]
pub enum Key {
    Null,
    Number(i128, u8),
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Time(jiff::civil::DateTime),
}

/// SQL Server folds character by character; `to_uppercase` would turn one sharp s into two.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

fn compare_mixed(left: &Value, right: &Value) -> Option<Ordering> {
    let as_decimal = |v: &Value| match v {
        Value::Decimal(n) => Some(*n),
        other => other.as_int().map(Decimal::from),
    };
    let as_float = |v: &Value| match v {
        Value::Float(n) => Some(*n),
        other => as_decimal(other).map(Decimal::to_f64),
    };
    match (as_decimal(left), as_decimal(right)) {
        (Some(a), Some(b)) => Some(a.compare(b)),
        _ => as_float(left)?.partial_cmp(&as_float(right)?),
    }
}

fn compare_binary(left: &[u8], right: &[u8]) -> Ordering {
    trim_zeros(left).cmp(trim_zeros(right))
}

/// SQL Server pads the shorter binary with zeros before it compares.
fn trim_zeros(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    &bytes[..end]
}

/// SQL Server orders a GUID by its last six bytes first, then by the groups before them.
fn guid_key(id: &uuid::Uuid) -> [u8; 16] {
    let b = id.as_bytes();
    [
        b[10], b[11], b[12], b[13], b[14], b[15], b[8], b[9], b[7], b[6], b[5], b[4], b[3], b[2],
        b[1], b[0],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_compares_without_case_and_trailing_blanks() {
        assert_eq!(compare_text("Abc ", "aBC"), Ordering::Equal);
        assert_ne!(compare_text("straße", "STRASSE"), Ordering::Equal);
        assert_eq!(compare_text(" a", "a"), Ordering::Less);
    }

    #[test]
    fn null_comes_first_and_compares_with_nothing() {
        assert_eq!(compare(&Value::Null, &Value::Int(1)), None);
        assert_eq!(order(&Value::Null, &Value::Int(1)), Ordering::Less);
        assert_eq!(order(&Value::Int(1), &Value::Null), Ordering::Greater);
        assert_eq!(order(&Value::Null, &Value::Null), Ordering::Equal);
    }

    #[test]
    fn keys_agree_with_equality() {
        let one = Value::Decimal(Decimal::new(100, 2));
        assert_eq!(key(&one), key(&Value::Int(1)));
        assert_eq!(key(&Value::text("A ")), key(&Value::text("a")));
        assert_ne!(key(&Value::text("A")), key(&Value::text("b")));
        assert_eq!(key(&Value::Float(0.0)), key(&Value::Float(-0.0)));
    }

    #[test]
    fn guids_are_ordered_by_their_last_group_first() {
        let low = uuid::uuid!("ffffffff-ffff-ffff-ffff-000000000001");
        let high = uuid::uuid!("00000000-0000-0000-0000-000000000002");
        assert_eq!(
            compare(&Value::Guid(low), &Value::Guid(high)),
            Some(Ordering::Less)
        );
    }
}
