//! Bytes that no honest client sends. The wire may refuse them in any way but by a panic.

use jiff::civil::{Date, DateTime, Time};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::value::Decimal;
use crate::wire::malformed::Cursor;
use crate::wire::{decode, encode, login, packet, prelogin, request};

/// A valid message with a few bytes changed and its end cut off somewhere.
fn mutated(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = valid.len();
    (vec((0..length, any::<u8>()), 0..6), 0..=length).prop_map(move |(changes, end)| {
        let mut bytes = valid.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(end);
        bytes
    })
}

/// A call with parameters of several types.
fn call() -> Vec<u8> {
    let mut payload = all_headers();
    payload.extend([0xFF, 0xFF, 10, 0, 0, 0]);
    for (ty, value) in [
        (SqlType::NVarChar(Some(20)), Value::text("select @a")),
        (SqlType::NVarChar(None), Value::text("long")),
        (SqlType::LSN, Value::Int(5)),
        (SqlType::Int, Value::Int(5)),
        (SqlType::DateTimeOffset(7), Value::Null),
    ] {
        payload.extend([2, b'@', 0, b'a', 0, 0]);
        encode::type_info(&mut payload, ty);
        encode::value(&mut payload, ty, &value).expect("it fits");
    }
    payload
}

fn text(length_max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..length_max).prop_map(String::from_iter)
}

/// A type and a value that survives the way there and back.
fn typed() -> impl Strategy<Value = (SqlType, Value)> {
    let day = || {
        (0_u32..=3_652_058).prop_map(|days| {
            super::super::date::day_of_year_one(days).expect("within the calendar")
        })
    };
    let time = || {
        (0_u64..864_000_000_000)
            .prop_map(|units| super::super::date::time_of_scaled(units, 7).expect("within the day"))
    };
    let at = move || (day(), time()).prop_map(|(day, time): (Date, Time)| day.to_datetime(time));
    prop_oneof![
        any::<bool>().prop_map(|bit| (SqlType::Bit, Value::Bit(bit))),
        any::<u8>().prop_map(|n| (SqlType::TinyInt, Value::Int(n.into()))),
        any::<i16>().prop_map(|n| (SqlType::SmallInt, Value::Int(n.into()))),
        any::<i32>().prop_map(|n| (SqlType::Int, Value::Int(n.into()))),
        any::<i64>().prop_map(|n| (SqlType::BigInt, Value::Int(n))),
        (-1e300_f64..1e300).prop_map(|n| (SqlType::Float, Value::Float(n))),
        any::<i64>().prop_map(|n| {
            (
                SqlType::Money,
                Value::Decimal(Decimal {
                    unscaled: n.into(),
                    scale: 4,
                }),
            )
        }),
        (1_u8..=38, any::<i128>(), any::<u8>()).prop_map(|(precision, unscaled, scale)| {
            let unscaled = unscaled % 10_i128.pow(precision.into());
            let scale = scale % (precision + 1);
            let ty = SqlType::Decimal { precision, scale };
            (ty, Value::Decimal(Decimal { unscaled, scale }))
        }),
        text(50).prop_map(|text| (SqlType::NVarChar(Some(100)), Value::Text(text))),
        text(5_000).prop_map(|text| (SqlType::NVarChar(None), Value::Text(text))),
        "[ -~€ß]{0,50}".prop_map(|text| (SqlType::VarChar(Some(50)), Value::Text(text))),
        vec(any::<u8>(), 0..50).prop_map(|b| (SqlType::VarBinary(Some(50)), Value::Binary(b))),
        vec(any::<u8>(), 0..9_000).prop_map(|b| (SqlType::VarBinary(None), Value::Binary(b))),
        any::<u128>()
            .prop_map(|id| { (SqlType::UniqueIdentifier, Value::Guid(Uuid::from_u128(id))) }),
        day().prop_map(|day| (SqlType::Date, Value::Date(day))),
        time().prop_map(|time| (SqlType::Time(7), Value::Time(time))),
        at().prop_map(|at: DateTime| (SqlType::DateTime2(7), Value::DateTime(at))),
        (at(), -840_i16..=840).prop_map(|(utc, offset_minutes)| {
            (
                SqlType::DateTimeOffset(7),
                Value::DateTimeOffset {
                    utc,
                    offset_minutes,
                },
            )
        }),
    ]
}

proptest! {
    #[test]
    fn readers_survive_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        let _ = prelogin::parse(&bytes);
        let _ = login::parse(&bytes, false);
        let _ = decode::parameter(&mut Cursor::new(&bytes, "test"));
        for kind in [Kind::Batch, Kind::Rpc, Kind::TransactionManager] {
            let _ = request::parse(kind, &bytes);
        }
    }

    #[test]
    fn the_reader_of_logins_survives_spoilt_logins(bytes in mutated(login7(4096))) {
        let _ = login::parse(&bytes, false);
    }

    #[test]
    fn the_reader_of_calls_survives_spoilt_calls(bytes in mutated(call())) {
        let _ = request::parse(Kind::Rpc, &bytes);
    }

    #[test]
    fn what_is_written_is_read_back_the_same((ty, value) in typed(), null in any::<bool>()) {
        let value = if null { Value::Null } else { value };
        let mut bytes = Vec::new();
        encode::type_info(&mut bytes, ty);
        encode::value(&mut bytes, ty, &value).expect("it fits");
        let mut from = Cursor::new(&bytes, "test");
        prop_assert_eq!(decode::parameter(&mut from), Ok((ty, value)));
        prop_assert!(from.is_empty());
    }

    #[test]
    fn a_connection_survives_any_bytes(bytes in vec(any::<u8>(), 0..200), kind in 0_u8..0x14) {
        runtime().block_on(async {
            let stub = Stub::saying(Vec::new());
            let (mut stream, theirs) = duplex(PIPE_BYTES);
            let server = stub.server(WireOptions::plain());
            server.serve_stream(theirs);
            let mut sent = vec![kind, 1, 0, 8 + 100];
            sent.extend(bytes);
            let _ = stream.write_all(&sent).await;
            stream.shutdown().await.expect("an open pipe");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            server.stop().await;
        });
    }

    #[test]
    fn a_session_survives_any_message(kind in 0_u8..0x14, bytes in mutated(call())) {
        runtime().block_on(async {
            let stub = Stub::saying(Vec::new());
            let server = stub.server(WireOptions::plain());
            let mut raw = Raw::connect_asking(&server, 4096).await;
            raw.send(kind, 1, &bytes).await;
            raw.stream.shutdown().await.expect("an open pipe");
            let mut answer = Vec::new();
            let _ = raw.stream.read_to_end(&mut answer).await;
            // Another connection is none the worse.
            let mut other = Raw::connect_asking(&server, 4096).await;
            other.batch("select 1").await;
            assert_eq!(other.message().await, done_bytes(0xFD, 0));
            server.stop().await;
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

#[tokio::test]
async fn a_message_longer_than_allowed_is_refused_before_it_is_stored() {
    let mut endless = Vec::new();
    for _ in 0..10 {
        endless.extend([0x10, 0, 0x7F, 0xFF, 0, 0, 1, 0]);
        endless.extend(vec![0; 0x7FFF - 8]);
    }
    let outcome = packet::read_message(&mut endless.as_slice(), 128 * 1024).await;
    assert_eq!(
        outcome.expect_err("too long").to_string(),
        "malformed message: it is too long"
    );
}

#[tokio::test]
async fn packet_sizes_out_of_bounds_are_brought_into_them() {
    for (asked, agreed) in [(0, "4096"), (1, "512"), (511, "512"), (40_000, "32767")] {
        let stub = Stub::saying(Vec::new());
        let (stream, theirs) = duplex(PIPE_BYTES);
        stub.server(WireOptions::plain()).serve_stream(theirs);
        let mut raw = Raw { stream };
        raw.send(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, 2]).await;
        raw.message().await;
        raw.send(0x10, 1, &login7(asked)).await;
        let told = raw.message().await;
        let mut expected = vec![u8::try_from(agreed.len()).expect("short")];
        expected.extend(utf16_bytes(agreed));
        expected.push(4);
        expected.extend(utf16_bytes("4096"));
        assert!(
            told.windows(expected.len()).any(|w| w == expected),
            "{asked}"
        );
    }
}

/// Remembers the texts of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut texts = self.0.lock().expect("no test panics under it");
        event.record(
            &mut |_: &tracing::field::Field, text: &dyn std::fmt::Debug| {
                texts.push(format!("{text:?}"));
            },
        );
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_malformed_packet_ends_its_connection_with_one_line_and_touches_no_other() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let stub = Stub::saying(Vec::new());
    let server = stub.server(WireOptions::plain());
    let mut other = Raw::connect_asking(&server, 4096).await;
    for (kind, payload, complaint) in [
        (0x03, &[0xFF, 0xFF, 0xFF, 0xFF][..], "malformed RPC request"),
        (0x01, &[1, 0][..], "malformed batch"),
        (0x55, &[][..], "malformed packet type"),
    ] {
        let mut raw = Raw::connect_asking(&server, 4096).await;
        // A test beside this one may have met the line first, when nobody listened, and that is remembered.
        tracing::callsite::rebuild_interest_cache();
        raw.send(kind, 1, payload).await;
        assert!(raw.is_over().await, "{complaint}");
        let mut said = warnings.0.lock().expect("no test panics under it");
        let expected = format!("connection from a pipe, session 51: {complaint}");
        assert_eq!(said.as_slice(), [expected]);
        said.clear();
    }
    other.batch("select 1").await;
    assert_eq!(other.message().await, done_bytes(0xFD, 0));
    server.stop().await;
}
