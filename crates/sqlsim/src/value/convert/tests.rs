//! Tests of conversion, by one `check`.

use super::*;
use crate::value::Decimal;

/// Casts and shows the result as text in style 121, or the number of the error.
fn check(from: SqlType, value: impl Into<Value>, to: SqlType, expected: &str) {
    let typed = Typed::new(from, value);
    let shown = match cast(&typed, to, None) {
        Ok(Value::Null) => "NULL".to_owned(),
        Ok(value) => {
            let style = if to.is_temporal() {
                Some(121)
            } else {
                to.is_binary().then_some(1)
            };
            let text = cast(&Typed { ty: to, value }, SqlType::NVarChar(None), style);
            text.expect("printable").as_text().expect("text").to_owned()
        }
        Err(error) => format!("error {}", error.number),
    };
    assert_eq!(shown, expected, "{typed:?} as {to}");
}

const TEXT: SqlType = SqlType::VarChar(Some(50));
const LSN: SqlType = SqlType::LSN;

fn numeric(precision: u8, scale: u8) -> SqlType {
    SqlType::Decimal { precision, scale }
}

#[test]
fn text_becomes_numbers_or_fails_as_sql_server_says() {
    check(TEXT, " 12 ", SqlType::Int, "12");
    check(TEXT, "", SqlType::Int, "0");
    check(TEXT, "abc", SqlType::Int, "error 245");
    check(TEXT, "1.5", SqlType::Int, "error 245");
    check(TEXT, "3000000000", SqlType::Int, "error 248");
    check(TEXT, "x", SqlType::BigInt, "error 8114");
    check(TEXT, "35000000012300001", LSN, "35000000012300001");
    check(TEXT, "x", LSN, "error 8114");
    check(TEXT, "1.005", numeric(5, 2), "1.01");
    check(TEXT, "1000", numeric(5, 2), "error 8115");
    check(TEXT, "$1,234.5", SqlType::Money, "1234.50");
    check(TEXT, "1e3", SqlType::Float, "1000");
    check(TEXT, "inf", SqlType::Float, "error 8114");
    check(TEXT, "true", SqlType::Bit, "1");
}

#[test]
fn numbers_become_narrower_numbers_or_overflow() {
    check(SqlType::Int, 300, SqlType::TinyInt, "error 220");
    check(
        SqlType::BigInt,
        3_000_000_000_i64,
        SqlType::Int,
        "error 8115",
    );
    check(numeric(5, 2), Decimal::new(199, 2), SqlType::Int, "1");
    check(SqlType::Float, Value::Float(2.9), SqlType::Int, "2");
    check(
        SqlType::Float,
        Value::Float(1e30),
        SqlType::BigInt,
        "error 8115",
    );
    check(SqlType::Int, 5, SqlType::Bit, "1");
}

#[test]
fn numbers_become_text() {
    check(SqlType::Int, 12345, SqlType::VarChar(Some(3)), "*");
    check(
        SqlType::Int,
        12345,
        SqlType::NVarChar(Some(3)),
        "error 8115",
    );
    check(SqlType::Float, Value::Float(0.1), TEXT, "0.1");
    check(SqlType::Float, Value::Float(1e20), TEXT, "1e+020");
    check(
        SqlType::Float,
        Value::Float(1_234_567.0),
        TEXT,
        "1.23457e+006",
    );
    check(SqlType::Money, Decimal::new(12_345, 4), TEXT, "1.23");
    check(SqlType::Int, 7, SqlType::Char(3), "7  ");
}

#[test]
fn text_is_cut_by_utf16_units_and_never_inside_a_character() {
    check(TEXT, "abcdef", SqlType::NVarChar(Some(3)), "abc");
    check(
        SqlType::NVarChar(None),
        "a🦀b",
        SqlType::NVarChar(Some(2)),
        "a",
    );
    check(
        SqlType::NVarChar(None),
        "a🦀b",
        SqlType::NVarChar(Some(3)),
        "a🦀",
    );
}

#[test]
fn dates_convert_and_refuse() {
    check(
        TEXT,
        "2026-11-21 09:04:07.001",
        SqlType::DateTime,
        "2026-11-21 09:04:07.000",
    );
    check(
        TEXT,
        "2026-11-21",
        SqlType::DateTime2(0),
        "2026-11-21 00:00:00",
    );
    check(TEXT, "20261121", SqlType::Date, "2026-11-21");
    check(TEXT, "1700-01-01", SqlType::DateTime, "error 242");
    check(TEXT, "soon", SqlType::DateTime, "error 241");
    check(
        SqlType::Int,
        1,
        SqlType::DateTime,
        "1900-01-02 00:00:00.000",
    );
    check(SqlType::Int, 1, SqlType::Date, "error 529");
    check(
        TEXT,
        "2026-11-21 09:00:00 +01:00",
        SqlType::DateTimeOffset(0),
        "2026-11-21 09:00:00 +01:00",
    );
}

#[test]
fn binaries_and_guids_convert() {
    check(SqlType::Int, 1, SqlType::VarBinary(Some(8)), "0x00000001");
    check(SqlType::Int, 258, SqlType::Binary(2), "0x0102");
    check(
        SqlType::VarBinary(None),
        Value::Binary(vec![1, 2]),
        SqlType::Int,
        "258",
    );
    check(
        SqlType::VarBinary(None),
        Value::Binary(vec![0xff; 4]),
        SqlType::Int,
        "-1",
    );
    check(
        SqlType::NVarChar(None),
        "a",
        SqlType::VarBinary(None),
        "0x6100",
    );
    let id = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
    check(TEXT, id, SqlType::UniqueIdentifier, id);
    check(TEXT, "nope", SqlType::UniqueIdentifier, "error 8169");
    check(TEXT, id, SqlType::VarBinary(Some(2)), "0x3646");
}

#[test]
fn binary_styles_read_and_write_hexadecimal() {
    let text = Typed::new(TEXT, "0x0AFF");
    let bytes = cast(&text, SqlType::VarBinary(None), Some(1)).expect("hexadecimal");
    assert_eq!(bytes, Value::Binary(vec![0x0a, 0xff]));
    let typed = Typed {
        ty: SqlType::VarBinary(None),
        value: bytes,
    };
    assert_eq!(cast(&typed, TEXT, Some(2)), Ok(Value::text("0AFF")));
    assert_eq!(
        cast(&text, SqlType::VarBinary(None), Some(2)).map_err(|e| e.number),
        Err(8114)
    );
}

#[test]
fn a_column_refuses_what_is_too_long_but_not_trailing_blanks() {
    let column = Column::new("c", SqlType::NVarChar(Some(3)));
    let stored = |text: &str| store(&Typed::new(TEXT, text), &column, "db.dbo.t");
    assert_eq!(stored("abc  "), Ok(Value::text("abc")));
    let error = stored("abcd").expect_err("too long");
    assert_eq!(error.number, 2628);
    assert!(
        error
            .text
            .contains("'db.dbo.t', column 'c'. Truncated value: 'abc'")
    );
}

#[test]
fn implicit_conversion_refuses_what_only_convert_may_do() {
    let number = |typed: Typed, to| implicit(&typed, to).map_err(|e| e.number);
    assert_eq!(
        number(Typed::new(TEXT, "a"), SqlType::VarBinary(None)),
        Err(257)
    );
    assert_eq!(number(Typed::int(1), SqlType::UniqueIdentifier), Err(206));
    assert_eq!(number(Typed::int(1), SqlType::BigInt), Ok(Value::Int(1)));
}
