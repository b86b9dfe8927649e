//! What a session says, as tiberius understands it.

use jiff::civil::{date, datetime, time};
use tiberius::ColumnData;
use tiberius::error::Error;
use uuid::Uuid;

use super::*;
use crate::value::Decimal;

const ID: Uuid = Uuid::from_u128(0x0123_4567_89AB_CDEF_0011_2233_4455_6677);

/// A type, a value of it, and the text that tiberius makes of the value.
type Told = (SqlType, Value, &'static str);

fn numbers() -> Vec<Told> {
    let decimal = |unscaled, scale| Value::Decimal(Decimal { unscaled, scale });
    vec![
        (SqlType::Bit, Value::Bit(true), "Bit(Some(true))"),
        (SqlType::TinyInt, Value::Int(255), "U8(Some(255))"),
        (SqlType::SmallInt, Value::Int(-2), "I16(Some(-2))"),
        (SqlType::Int, Value::Int(-3), "I32(Some(-3))"),
        (
            SqlType::BigInt,
            Value::Int(i64::MIN),
            "I64(Some(-9223372036854775808))",
        ),
        (SqlType::Float, Value::Float(0.5), "F64(Some(0.5))"),
        (
            SqlType::LSN,
            decimal(35_000_000_056_800_001, 0),
            "Numeric(Some(35000000056800001.0))",
        ),
        (
            SqlType::Decimal {
                precision: 9,
                scale: 2,
            },
            decimal(-1234, 2),
            "Numeric(Some(-12.34))",
        ),
        (
            SqlType::Decimal {
                precision: 5,
                scale: 2,
            },
            Value::Int(3),
            "Numeric(Some(3.00))",
        ),
        (SqlType::Money, decimal(-12_3456, 4), "F64(Some(-12.3456))"),
    ]
}

fn texts_and_bytes() -> Vec<Told> {
    vec![
        (
            SqlType::NVarChar(Some(4)),
            Value::text("añ😀"),
            "String(Some(\"añ😀\"))",
        ),
        (
            SqlType::NVarChar(None),
            Value::text("long"),
            "String(Some(\"long\"))",
        ),
        (
            SqlType::NVarChar(None),
            Value::text(""),
            "String(Some(\"\"))",
        ),
        (
            SqlType::VarChar(Some(5)),
            Value::text("Gr€ße"),
            "String(Some(\"Gr€ße\"))",
        ),
        (
            SqlType::VarChar(None),
            Value::text("Gr€ße"),
            "String(Some(\"Gr€ße\"))",
        ),
        (SqlType::NChar(2), Value::text("ab"), "String(Some(\"ab\"))"),
        (SqlType::Char(2), Value::text("ab"), "String(Some(\"ab\"))"),
        (
            SqlType::VarBinary(Some(3)),
            Value::Binary(vec![1, 2]),
            "Binary(Some([1, 2]))",
        ),
        (
            SqlType::VarBinary(None),
            Value::Binary(vec![3]),
            "Binary(Some([3]))",
        ),
        (
            SqlType::Binary(2),
            Value::Binary(vec![4, 5]),
            "Binary(Some([4, 5]))",
        ),
        (
            SqlType::UniqueIdentifier,
            Value::Guid(ID),
            "Guid(Some(01234567-89ab-cdef-0011-223344556677))",
        ),
    ]
}

fn times() -> Vec<Told> {
    let at = datetime(2026, 11, 21, 9, 4, 13, 120_000_000);
    vec![
        (
            SqlType::DateTime,
            Value::DateTime(at),
            "2026-11-21 09:04:13.120",
        ),
        (
            SqlType::DateTime2(7),
            Value::DateTime(at),
            "2026-11-21 09:04:13.120",
        ),
        (
            SqlType::DateTime2(0),
            Value::DateTime(at),
            "2026-11-21 09:04:13",
        ),
        (SqlType::Date, Value::Date(date(1, 1, 1)), "0001-01-01"),
        (
            SqlType::Time(3),
            Value::Time(time(23, 59, 59, 999_000_000)),
            "23:59:59.999",
        ),
        (
            SqlType::DateTimeOffset(3),
            Value::DateTimeOffset {
                utc: at,
                offset_minutes: -90,
            },
            "2026-11-21 07:34:13.120 -01:30",
        ),
    ]
}

/// The whole answer, or the first error, wherever tiberius tells it.
async fn outcome(client: &mut PipeClient, sql: &str) -> Result<Vec<Vec<tiberius::Row>>, Error> {
    client.simple_query(sql).await?.into_results().await
}

/// How tiberius shows a cell; dates through chrono, because its own form is raw counts.
fn shown(row: &tiberius::Row, index: usize) -> String {
    let data = row.get_column_data(index).expect("a cell");
    match data {
        ColumnData::DateTime(Some(_)) | ColumnData::DateTime2(Some(_)) => row
            .get::<chrono::NaiveDateTime, _>(index)
            .expect("a time")
            .to_string(),
        ColumnData::Date(Some(_)) => row
            .get::<chrono::NaiveDate, _>(index)
            .expect("a day")
            .to_string(),
        ColumnData::Time(Some(_)) => row
            .get::<chrono::NaiveTime, _>(index)
            .expect("a time")
            .to_string(),
        ColumnData::DateTimeOffset(Some(_)) => {
            let at = row.get::<chrono::DateTime<chrono::FixedOffset>, _>(index);
            at.expect("a moment").to_string()
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn every_type_arrives_as_it_was_said_also_where_it_cannot_be_null() {
    let all = [numbers(), texts_and_bytes(), times()].concat();
    let columns = |make: fn(&'static str, SqlType) -> Column| {
        let columns = all.iter().map(|(ty, ..)| make("c", *ty));
        Event::Columns(columns.collect())
    };
    let values: Vec<Value> = all.iter().map(|(_, value, _)| value.clone()).collect();
    let stub = Stub::saying(vec![
        columns(Column::required),
        Event::Row(values.clone()),
        Event::Done(Done::statement(Some(1))),
        columns(Column::new),
        Event::Row(values),
    ]);
    let mut client = connect(&stub).await;
    let answer = client.simple_query("select").await.expect("sent");
    let sets = answer.into_results().await.expect("answered");
    assert_eq!(sets.len(), 2);
    for (index, (ty, _, expected)) in all.iter().enumerate() {
        for rows in &sets {
            assert_eq!(shown(&rows[0], index), *expected, "{ty}");
        }
    }
}

#[tokio::test]
async fn null_of_every_type_arrives_as_null() {
    let all = [numbers(), texts_and_bytes(), times()].concat();
    let columns = all.iter().map(|(ty, ..)| Column::new("c", *ty)).collect();
    let nulls = vec![Value::Null; all.len()];
    let stub = Stub::saying(vec![Event::Columns(columns), Event::Row(nulls)]);
    let mut client = connect(&stub).await;
    let answer = client.simple_query("select").await.expect("sent");
    let rows = answer.into_first_result().await.expect("answered");
    for (index, (ty, ..)) in all.iter().enumerate() {
        let null = rows[0].get_column_data(index).expect("a cell");
        assert!(format!("{null:?}").ends_with("(None)"), "{ty}: {null:?}");
    }
}

#[tokio::test]
async fn long_text_arrives_whole_in_packets_of_every_size() {
    let text: String = "0123456789abcdeü".repeat(8_000);
    for packet_bytes in [512, 4096, 32_767] {
        let said = Event::Row(vec![Value::text(text.clone())]);
        let columns = Event::Columns(vec![Column::new("t", SqlType::NVarChar(None))]);
        let stub = Stub::saying(vec![columns, said.clone(), said]);
        let mut config = config(EncryptionLevel::NotSupported);
        config.packet_size(packet_bytes);
        let server = stub.server(WireOptions::plain());
        let mut client = connect_with(&server, config).await.expect("login");
        // The batch itself is long too, and comes in many packets.
        let answer = client.simple_query(text.as_str()).await.expect("sent");
        let rows = answer.into_first_result().await.expect("answered");
        assert_eq!(rows.len(), 2, "{packet_bytes}");
        assert_eq!(
            rows[1].get::<&str, _>(0),
            Some(text.as_str()),
            "{packet_bytes}"
        );
        assert_eq!(
            stub.seen(),
            [Request::Batch(text.clone())],
            "{packet_bytes}"
        );
    }
}

#[tokio::test]
async fn many_rows_survive_whatever_packet_border_they_fall_on() {
    let mut events = vec![number_column()];
    events.extend((0..2_000).map(number_row));
    let stub = Stub::saying(events);
    let mut config = config(EncryptionLevel::NotSupported);
    config.packet_size(513);
    let server = stub.server(WireOptions::plain());
    let mut client = connect_with(&server, config).await.expect("login");
    let answer = client.simple_query("select").await.expect("sent");
    let rows = answer.into_first_result().await.expect("answered");
    let numbers: Vec<i32> = rows.iter().filter_map(|row| row.get(0)).collect();
    assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_two_errors_the_client_returns_the_first_and_goes_on() {
    let stub = Stub::new(|request| match request {
        Request::Batch(sql) if sql == "backup" => vec![
            Step::Say(error(4214)),
            Step::Say(error(3013)),
            Step::Say(Event::Done(Done::statement(None))),
        ],
        _ => vec![Step::Say(number_column()), Step::Say(number_row(9))],
    });
    let mut client = connect(&stub).await;
    let answer = outcome(&mut client, "backup").await;
    let Err(Error::Server(error)) = answer else {
        panic!("an error was expected")
    };
    assert_eq!((error.code(), error.class()), (4214, 16));
    assert_eq!(error.server(), "SIM");
    let answer = client.simple_query("select 9").await.expect("sent");
    let row = answer.into_row().await.expect("answered").expect("a row");
    assert_eq!(row.get::<i32, _>(0), Some(9));
}

#[tokio::test]
async fn two_result_sets_arrive_though_the_session_did_not_say_that_more_follows() {
    let stub = Stub::saying(vec![
        number_column(),
        number_row(1),
        Event::Done(Done::statement(Some(1))),
        number_column(),
        number_row(2),
        Event::Done(Done::statement(Some(1))),
    ]);
    let mut client = connect(&stub).await;
    let answer = client.simple_query("select").await.expect("sent");
    let results = answer.into_results().await.expect("answered");
    let lengths: Vec<usize> = results.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 1]);
    assert_eq!(results[1][0].get::<i32, _>(0), Some(2));
}

#[tokio::test]
async fn a_value_that_its_column_cannot_hold_is_an_error_and_never_a_wrong_value() {
    for (ty, value, number) in [
        (SqlType::TinyInt, Value::Int(256), 8114),
        (SqlType::Int, Value::text("1"), 8114),
        (SqlType::NVarChar(Some(2)), Value::text("abc"), 8152),
        (
            SqlType::Decimal {
                precision: 2,
                scale: 0,
            },
            Value::Int(100),
            8114,
        ),
        (
            SqlType::Decimal {
                precision: 9,
                scale: 1,
            },
            Value::Decimal(Decimal {
                unscaled: 125,
                scale: 2,
            }),
            8114,
        ),
    ] {
        let columns = Event::Columns(vec![Column::new("c", ty)]);
        let stub = Stub::saying(vec![columns, Event::Row(vec![value])]);
        let mut client = connect(&stub).await;
        let answer = outcome(&mut client, "select").await;
        let Err(Error::Server(error)) = answer else {
            panic!("{ty}: an error was expected")
        };
        assert_eq!(
            error.code(),
            u32::try_from(number).expect("positive"),
            "{ty}"
        );
    }
}

#[tokio::test]
async fn rows_affected_are_told() {
    let stub = Stub::saying(vec![Event::Done(Done::statement(Some(42)))]);
    let mut client = connect(&stub).await;
    let done = client.execute("delete t", &[]).await.expect("answered");
    assert_eq!(done.total(), 42);
}
