//! Cells of an answer by column name, with errors instead of panics.
//!
//! Start at [`Cells`]. Statements cast what they select to `int`, `nvarchar`, `bit`, `datetime`, `varbinary` or
//! `uniqueidentifier`, and LSNs to `varchar(30)`; anything else in an answer is a [`Fault::Shape`].

use chrono::{Datelike, NaiveDateTime, Timelike};
use jiff::civil;
use tiberius::{FromSql, Row};
use uuid::Uuid;

use super::fault::Fault;
use super::session::Answer;
use crate::model::Lsn;

type Read<T> = std::result::Result<T, Fault>;

/// One row, read by column names.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a>(&'a Row);

/// The rows of one result set of an answer; none where the answer has fewer sets.
pub(super) fn set(answer: &Answer, index: usize) -> impl Iterator<Item = Cells<'_>> {
    answer.get(index).into_iter().flatten().map(Cells)
}

/// The one row of an answer's first set.
pub(super) fn only(answer: &Answer) -> Read<Cells<'_>> {
    first(answer, 0).ok_or_else(|| Fault::Shape("there is no row".to_owned()))
}

/// The first row of one result set.
pub(super) fn first(answer: &Answer, index: usize) -> Option<Cells<'_>> {
    answer.get(index)?.first().map(Cells)
}

impl<'a> Cells<'a> {
    fn cell<T: FromSql<'a>>(self, column: &str) -> Read<Option<T>> {
        self.0
            .try_get(column)
            .map_err(|error| Fault::Shape(format!("column `{column}`: {error}")))
    }

    fn filled<T>(column: &str, value: Option<T>) -> Read<T> {
        value.ok_or_else(|| Fault::Shape(format!("column `{column}` is null")))
    }

    /// A text.
    pub(super) fn text(self, column: &str) -> Read<String> {
        Self::filled(column, self.text_or_null(column)?)
    }

    /// A text that may be null.
    pub(super) fn text_or_null(self, column: &str) -> Read<Option<String>> {
        Ok(self.cell::<&str>(column)?.map(str::to_owned))
    }

    /// A `varbinary` in capital hex digits.
    pub(super) fn hex(self, column: &str) -> Read<String> {
        let bytes: &[u8] = Self::filled(column, self.cell(column)?)?;
        let hex = |text: String, byte: &u8| text + &format!("{byte:02X}");
        Ok(bytes.iter().fold(String::new(), hex))
    }

    /// An `int`.
    pub(super) fn int(self, column: &str) -> Read<i32> {
        Self::filled(column, self.cell(column)?)
    }

    /// An `int` that may be null.
    pub(super) fn int_or_null(self, column: &str) -> Read<Option<i32>> {
        self.cell(column)
    }

    /// A `bigint`.
    pub(super) fn long(self, column: &str) -> Read<i64> {
        Self::filled(column, self.cell(column)?)
    }

    /// A `bit`; null is false, as in columns that old versions left empty.
    pub(super) fn flag(self, column: &str) -> Read<bool> {
        Ok(self.cell(column)?.unwrap_or(false))
    }

    /// A `uniqueidentifier` that may be null.
    pub(super) fn guid_or_null(self, column: &str) -> Read<Option<Uuid>> {
        self.cell(column)
    }

    /// A `uniqueidentifier`.
    pub(super) fn guid(self, column: &str) -> Read<Uuid> {
        Self::filled(column, self.cell(column)?)
    }

    /// An LSN, cast to text; null and zero are both "none" on the server.
    pub(super) fn lsn_or_null(self, column: &str) -> Read<Option<Lsn>> {
        let Some(text) = self.cell::<&str>(column)? else {
            return Ok(None);
        };
        text.parse::<Lsn>()
            .map(Some)
            .map_err(|error| Fault::Shape(format!("column `{column}`: {error}")))
    }

    /// An LSN, zero where the server has none.
    pub(super) fn lsn(self, column: &str) -> Read<Lsn> {
        Ok(self.lsn_or_null(column)?.unwrap_or(Lsn::ZERO))
    }

    /// A `datetime`, in whatever zone the server keeps it.
    pub(super) fn civil(self, column: &str) -> Read<civil::DateTime> {
        let at: NaiveDateTime = Self::filled(column, self.cell(column)?)?;
        civil_time(at).ok_or_else(|| Fault::Shape(format!("column `{column}` holds no date")))
    }
}

/// chrono's civil time as jiff's.
fn civil_time(at: NaiveDateTime) -> Option<civil::DateTime> {
    civil::DateTime::new(
        i16::try_from(at.year()).ok()?,
        i8::try_from(at.month()).ok()?,
        i8::try_from(at.day()).ok()?,
        i8::try_from(at.hour()).ok()?,
        i8::try_from(at.minute()).ok()?,
        i8::try_from(at.second()).ok()?,
        // A leap second has a thousand million nanoseconds more in chrono.
        i32::try_from(at.nanosecond() % 1_000_000_000).ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn a_datetime_keeps_its_parts() {
        let at = NaiveDate::from_ymd_opt(2026, 11, 21)
            .and_then(|date| date.and_hms_milli_opt(9, 30, 1, 7))
            .expect("a date");
        let civil = civil_time(at).expect("in range");
        assert_eq!(civil.to_string(), "2026-11-21T09:30:01.007");
    }

    #[test]
    fn years_that_no_civil_time_holds_are_none() {
        let at = NaiveDate::from_ymd_opt(40_000, 1, 1)
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .expect("a date");
        assert_eq!(civil_time(at), None);
    }
}
