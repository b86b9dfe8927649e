//! Bytes for values and rows: what the log and the data file are filled with.
//!
//! Start at [`Encoder`] and [`Decoder`]. Numbers are variable-length, texts are UTF-8 with their
//! length in front. A decoder fed with nonsense says [`Malformed`]; it never panics and never
//! reserves more memory than there are bytes.

use jiff::civil::{Date, DateTime, Time};
use uuid::Uuid;

use crate::value::{Decimal, Row, Value};

/// The bytes are not what an [`Encoder`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The result of decoding.
pub(super) type Decoded<T> = Result<T, Malformed>;

/// Appends to a buffer.
#[derive(Debug, Default)]
pub(super) struct Encoder(pub Vec<u8>);

impl Encoder {
    /// One byte.
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number, seven bits to a byte.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.byte(number.to_le_bytes()[0]);
    }

    /// A signed number: small ones of either sign stay short.
    pub(super) fn signed(&mut self, number: i64) {
        let sign = u64::from_ne_bytes((number >> 63).to_ne_bytes());
        self.number(u64::from_ne_bytes((number << 1).to_ne_bytes()) ^ sign);
    }

    /// Bytes with their length in front.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A GUID.
    pub(super) fn guid(&mut self, guid: Uuid) {
        self.0.extend_from_slice(guid.as_bytes());
    }

    /// A civil time, to the nanosecond.
    pub(super) fn time(&mut self, at: DateTime) {
        self.date(at.date());
        self.clock(at.time());
    }

    /// A row.
    pub(super) fn row(&mut self, row: &Row) {
        self.number(row.len() as u64);
        for value in row {
            self.value(value);
        }
    }

    fn date(&mut self, date: Date) {
        self.signed(date.year().into());
        self.byte(date.month().to_ne_bytes()[0]);
        self.byte(date.day().to_ne_bytes()[0]);
    }

    fn clock(&mut self, time: Time) {
        for part in [time.hour(), time.minute(), time.second()] {
            self.byte(part.to_ne_bytes()[0]);
        }
        self.signed(time.subsec_nanosecond().into());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bit(bit) => self.byte(if *bit { 2 } else { 1 }),
            Value::Int(number) => {
                self.byte(3);
                self.signed(*number);
            }
            Value::Decimal(number) => {
                self.byte(4);
                self.0.extend_from_slice(&number.unscaled.to_le_bytes());
                self.byte(number.scale);
            }
            Value::Float(number) => {
                self.byte(5);
                self.0.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                self.byte(6);
                self.text(text);
            }
            Value::Binary(bytes) => {
                self.byte(7);
                self.bytes(bytes);
            }
            Value::Guid(guid) => {
                self.byte(8);
                self.guid(*guid);
            }
            Value::DateTime(at) => {
                self.byte(9);
                self.time(*at);
            }
            Value::DateTimeOffset {
                utc,
                offset_minutes,
            } => {
                self.byte(10);
                self.time(*utc);
                self.signed((*offset_minutes).into());
            }
            Value::Date(date) => {
                self.byte(11);
                self.date(*date);
            }
            Value::Time(time) => {
                self.byte(12);
                self.clock(*time);
            }
        }
    }
}

/// Takes from the front of a slice.
#[derive(Debug)]
pub(super) struct Decoder<'a>(pub &'a [u8]);

impl<'a> Decoder<'a> {
    /// Whether nothing is left.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Decoded<u8> {
        Ok(self.take::<1>()?[0])
    }

    /// See [`Encoder::number`].
    pub(super) fn number(&mut self) -> Decoded<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    /// See [`Encoder::signed`].
    pub(super) fn signed(&mut self) -> Decoded<i64> {
        let raw = self.number()?;
        let magnitude = i64::from_ne_bytes((raw >> 1).to_ne_bytes());
        Ok(if raw & 1 == 1 { !magnitude } else { magnitude })
    }

    /// A number of a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Decoded<T> {
        T::try_from(self.number()?).map_err(|_| Malformed)
    }

    /// See [`Encoder::bytes`].
    pub(super) fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let length = self.narrow::<usize>()?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// See [`Encoder::text`].
    pub(super) fn text(&mut self) -> Decoded<String> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)?;
        Ok(text.to_owned())
    }

    /// See [`Encoder::guid`].
    pub(super) fn guid(&mut self) -> Decoded<Uuid> {
        Ok(Uuid::from_bytes(self.take()?))
    }

    /// See [`Encoder::time`].
    pub(super) fn time(&mut self) -> Decoded<DateTime> {
        let date = self.date()?;
        Ok(DateTime::from_parts(date, self.clock()?))
    }

    /// See [`Encoder::row`].
    pub(super) fn row(&mut self) -> Decoded<Row> {
        let columns = self.narrow::<usize>()?;
        // Every value takes a byte at least, so a lie about the number cannot reserve memory.
        if columns > self.0.len() {
            return Err(Malformed);
        }
        (0..columns).map(|_| self.value()).collect()
    }

    fn take<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn small(&mut self) -> Decoded<i8> {
        i8::try_from(self.byte()?).map_err(|_| Malformed)
    }

    fn date(&mut self) -> Decoded<Date> {
        let year = i16::try_from(self.signed()?).map_err(|_| Malformed)?;
        Date::new(year, self.small()?, self.small()?).map_err(|_| Malformed)
    }

    fn clock(&mut self) -> Decoded<Time> {
        let (hour, minute, second) = (self.small()?, self.small()?, self.small()?);
        let nanosecond = i32::try_from(self.signed()?).map_err(|_| Malformed)?;
        Time::new(hour, minute, second, nanosecond).map_err(|_| Malformed)
    }

    fn value(&mut self) -> Decoded<Value> {
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bit(false),
            2 => Value::Bit(true),
            3 => Value::Int(self.signed()?),
            4 => {
                let unscaled = i128::from_le_bytes(self.take()?);
                Value::Decimal(Decimal {
                    unscaled,
                    scale: self.byte()?,
                })
            }
            5 => Value::Float(f64::from_le_bytes(self.take()?)),
            6 => Value::Text(self.text()?),
            7 => Value::Binary(self.bytes()?.to_vec()),
            8 => Value::Guid(self.guid()?),
            9 => Value::DateTime(self.time()?),
            10 => {
                let utc = self.time()?;
                let offset_minutes = i16::try_from(self.signed()?).map_err(|_| Malformed)?;
                Value::DateTimeOffset {
                    utc,
                    offset_minutes,
                }
            }
            11 => Value::Date(self.date()?),
            12 => Value::Time(self.clock()?),
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn every_value() -> Row {
        let at = date(2026, 11, 21).at(9, 30, 1, 123_456_700);
        vec![
            Value::Null,
            Value::Bit(true),
            Value::Bit(false),
            Value::Int(i64::MIN),
            Value::Int(-1),
            Value::Int(i64::MAX),
            Value::Decimal(Decimal {
                unscaled: -12_345,
                scale: 2,
            }),
            Value::Float(-0.5),
            Value::Text("Ünï ]'👍".into()),
            Value::Binary(vec![0, 255, 7]),
            Value::Guid(Uuid::from_u128(7)),
            Value::DateTime(at),
            Value::DateTimeOffset {
                utc: at,
                offset_minutes: -570,
            },
            Value::Date(date(1, 1, 1)),
            Value::Time(at.time()),
        ]
    }

    #[test]
    fn every_kind_of_value_survives_its_bytes() {
        let mut encoder = Encoder::default();
        encoder.row(&every_value());
        let mut decoder = Decoder(&encoder.0);
        assert_eq!(decoder.row(), Ok(every_value()));
        assert!(decoder.is_empty());
    }

    #[test]
    fn a_row_cut_anywhere_is_malformed_and_nothing_worse() {
        let mut encoder = Encoder::default();
        encoder.row(&every_value());
        for cut in 0..encoder.0.len() {
            assert_eq!(Decoder(&encoder.0[..cut]).row(), Err(Malformed));
        }
    }

    #[test]
    fn a_lie_about_a_length_is_malformed() {
        let mut encoder = Encoder::default();
        encoder.number(u64::MAX);
        assert_eq!(Decoder(&encoder.0).row(), Err(Malformed));
        assert_eq!(Decoder(&encoder.0).bytes(), Err(Malformed));
    }
}
