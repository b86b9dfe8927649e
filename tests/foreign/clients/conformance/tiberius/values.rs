//! Values of every type, as tiberius takes them for parameters and hands them over in rows.
//!
//! Start at [`native`] and [`shown`], which undo each other.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use tiberius::numeric::Numeric;
use tiberius::{ColumnData, Row, ToSql};

use super::Fault;

/// A value of tiberius's, of the type that is nearest to the column's.
pub(super) fn native(ty: &str, text: Option<&str>) -> Result<Box<dyn ToSql>, Fault> {
    const AT: &str = "%Y-%m-%d %H:%M:%S%.f";
    let base = ty.split('(').next().unwrap_or(ty);
    Ok(match base {
        "bit" => Box::new(text.map(|text| text == "1")),
        "tinyint" => Box::new(text.map(str::parse::<u8>).transpose()?),
        "smallint" => Box::new(text.map(str::parse::<i16>).transpose()?),
        "int" => Box::new(text.map(str::parse::<i32>).transpose()?),
        "bigint" => Box::new(text.map(str::parse::<i64>).transpose()?),
        "real" => Box::new(text.map(str::parse::<f32>).transpose()?),
        "float" => Box::new(text.map(str::parse::<f64>).transpose()?),
        "decimal" | "money" | "smallmoney" => Box::new(text.map(numeric).transpose()?),
        "binary" | "varbinary" => Box::new(text.map(bytes).transpose()?),
        "uniqueidentifier" => Box::new(text.map(str::parse::<uuid::Uuid>).transpose()?),
        "date" => Box::new(text.map(str::parse::<NaiveDate>).transpose()?),
        "time" => Box::new(text.map(str::parse::<NaiveTime>).transpose()?),
        "datetime" | "smalldatetime" | "datetime2" => {
            let at = text.map(|text| NaiveDateTime::parse_from_str(text, AT));
            Box::new(at.transpose()?)
        }
        "datetimeoffset" => {
            let at = text.map(str::parse::<DateTime<FixedOffset>>);
            Box::new(at.transpose()?)
        }
        _ => Box::new(text.map(str::to_owned)),
    })
}

fn numeric(text: &str) -> Result<Numeric, Fault> {
    let scale = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let unscaled = text.replace('.', "").parse()?;
    Ok(Numeric::new_with_scale(unscaled, u8::try_from(scale)?))
}

fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    let digits = text.strip_prefix("0x").ok_or("no bytes")?;
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16);
    Ok((0..digits.len())
        .step_by(2)
        .map(byte)
        .collect::<Result<_, _>>()?)
}

/// A cell as every client's suite writes it.
pub(super) fn shown(row: &Row, at: usize) -> String {
    let Some(data) = row.get_column_data(at).ok() else {
        return "no cell".to_owned();
    };
    let told = match data {
        ColumnData::Bit(value) => value.map(|bit| u8::from(bit).to_string()),
        ColumnData::U8(value) => value.map(|number| number.to_string()),
        ColumnData::I16(value) => value.map(|number| number.to_string()),
        ColumnData::I32(value) => value.map(|number| number.to_string()),
        ColumnData::I64(value) => value.map(|number| number.to_string()),
        ColumnData::F32(value) => value.map(|number| number.to_string()),
        ColumnData::F64(value) => value.map(|number| number.to_string()),
        ColumnData::Numeric(value) => value.map(|number| f64::from(number).to_string()),
        ColumnData::Guid(value) => value.map(|id| id.to_string().to_uppercase()),
        ColumnData::Binary(value) => value.as_ref().map(|bytes| hexadecimal(bytes)),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        ColumnData::Date(_) => row.get::<NaiveDate, _>(at).map(|day| day.to_string()),
        ColumnData::Time(_) => row
            .get::<NaiveTime, _>(at)
            .map(|time| time.format("%H:%M:%S%.3f").to_string()),
        ColumnData::DateTimeOffset(_) => row
            .get::<DateTime<FixedOffset>, _>(at)
            .map(|at| at.to_utc().format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()),
        _ => row
            .get::<NaiveDateTime, _>(at)
            .map(|at| at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()),
    };
    told.unwrap_or_else(|| "NULL".to_owned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        write!(text, "{byte:02X}").expect("a string");
        text
    })
}
