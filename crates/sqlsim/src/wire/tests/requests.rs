//! What a session is asked, when clients ask in their several ways.

use jiff::civil::{date, datetime, time};
use tiberius::Command;
use uuid::Uuid;

use super::*;
use crate::value::Decimal;

fn parameters(request: &Request) -> &[RpcParameter] {
    let Request::Rpc { parameters, .. } = request else {
        panic!("a call: {request:?}")
    };
    parameters
}

#[tokio::test]
async fn the_parameters_of_a_query_arrive_with_their_values() {
    let id = Uuid::from_u128(7);
    let at = chrono::NaiveDate::from_ymd_opt(2026, 11, 21)
        .and_then(|day| day.and_hms_milli_opt(9, 4, 13, 125))
        .expect("a time");
    let stub = Stub::saying(vec![Event::Done(Done::in_procedure(Some(1)))]);
    let mut client = connect(&stub).await;
    let long = "x".repeat(5_000);
    let done = client
        .execute(
            "insert t values (@P1)",
            &[
                &1_u8,
                &2_i16,
                &3_i32,
                &4_i64,
                &0.5_f64,
                &0.25_f32,
                &true,
                &"añ😀",
                &long.as_str(),
                &[1_u8, 2].as_slice(),
                &id,
                &at,
                &at.date(),
                &at.time(),
                &tiberius::numeric::Numeric::new_with_scale(-1250, 2),
                &None::<i32>,
                &None::<&str>,
            ],
        )
        .await
        .expect("answered");
    assert_eq!(done.total(), 1);
    let seen = stub.seen();
    let Request::Rpc { procedure, .. } = &seen[0] else {
        panic!("a call")
    };
    assert_eq!(procedure.well_known(), Some("sp_executesql"));
    let values: Vec<&Value> = parameters(&seen[0]).iter().map(|p| &p.value).collect();
    assert_eq!(values[0], &Value::text("insert t values (@P1)"));
    let day = date(2026, 11, 21);
    let expected = [
        Value::Int(1),
        Value::Int(2),
        Value::Int(3),
        Value::Int(4),
        Value::Float(0.5),
        Value::Float(0.25),
        Value::Bit(true),
        Value::text("añ😀"),
        Value::text(long.as_str()),
        Value::Binary(vec![1, 2]),
        Value::Guid(id),
        Value::DateTime(datetime(2026, 11, 21, 9, 4, 13, 125_000_000)),
        Value::Date(day),
        Value::Time(time(9, 4, 13, 125_000_000)),
        Value::Decimal(Decimal {
            unscaled: -1250,
            scale: 2,
        }),
        Value::Null,
        Value::Null,
    ];
    assert_eq!(values[2..], expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_procedure_called_by_name_returns_its_status_and_its_output() {
    let stub = Stub::saying(vec![
        Event::Done(Done::in_procedure(Some(1))),
        Event::ReturnStatus(3),
        Event::ReturnValue {
            name: "@mark".to_owned(),
            ordinal: 1,
            ty: SqlType::NVarChar(Some(32)),
            value: Value::text("BTS_2026"),
        },
        Event::Done(Done::procedure()),
    ]);
    let mut client = connect(&stub).await;
    let mut command = Command::new("dbo.sp_SetBackupCompression");
    command.bind_param("@count", 5_i32);
    command.bind_out_param("@mark", "");
    let answer = command.exec(&mut client).await.expect("sent");
    let answer = answer.into_command_result().await.expect("answered");
    assert_eq!(answer.return_code(), 3);
    let mark: Option<&str> = answer.try_return_value("@mark").expect("text");
    assert_eq!(mark, Some("BTS_2026"));
    let seen = stub.seen();
    let Request::Rpc {
        procedure,
        parameters,
    } = &seen[0]
    else {
        panic!("a call")
    };
    assert_eq!(
        procedure,
        &RpcName::ByName("dbo.sp_SetBackupCompression".to_owned())
    );
    let told: Vec<_> = parameters
        .iter()
        .map(|p| (p.name.as_str(), p.output))
        .collect();
    assert_eq!(told, [("@count", false), ("@mark", true)]);
}

#[tokio::test]
async fn transactions_by_request_carry_their_descriptor_both_ways() {
    let stub = Stub::new(|request| {
        let id = 0x0102_0304_0506_0708;
        let event = match request {
            Request::Begin(_) => Event::TransactionBegan(id),
            Request::Commit { .. } => Event::TransactionEnded {
                id,
                committed: true,
            },
            Request::Rollback { .. } => Event::TransactionEnded {
                id,
                committed: false,
            },
            _ => Event::Done(Done::statement(None)),
        };
        vec![Step::Say(event)]
    });
    let mut client = connect(&stub).await;
    client.begin_transaction().await.expect("begun");
    client.save_transaction("here").await.expect("saved");
    client.commit_transaction().await.expect("committed");
    client.begin_transaction().await.expect("begun");
    client.rollback_transaction().await.expect("rolled back");
    let begin = || Request::Begin(BeginTransaction::default());
    let end = || (String::new(), None);
    let ((name, and_begin), (name2, and_begin2)) = (end(), end());
    assert_eq!(
        stub.seen(),
        [
            begin(),
            Request::Save("here".to_owned()),
            Request::Commit { name, and_begin },
            begin(),
            Request::Rollback {
                name: name2,
                and_begin: and_begin2
            },
        ]
    );
}

#[tokio::test]
async fn commit_and_begin_in_one_request_is_understood() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    let mut payload = all_headers();
    // Request 7, no name, flag "begin another", isolation level 2, no name.
    payload.extend([7, 0, 0, 1, 2, 0]);
    raw.send(0x0E, 1, &payload).await;
    assert_eq!(raw.message().await, done_bytes(0xFD, 0));
    let and_begin = Some(BeginTransaction {
        isolation: 2,
        name: String::new(),
    });
    assert_eq!(
        stub.seen(),
        [Request::Commit {
            name: String::new(),
            and_begin
        }]
    );
}

#[tokio::test]
async fn a_savepoint_has_its_name_whether_the_client_counts_bytes_or_characters() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    for length in [4, 8] {
        let mut payload = all_headers();
        payload.extend([9, 0, length]);
        payload.extend(utf16_bytes("here"));
        raw.send(0x0E, 1, &payload).await;
        raw.message().await;
    }
    let save = Request::Save("here".to_owned());
    assert_eq!(stub.seen(), [save.clone(), save]);
}

#[tokio::test]
async fn a_reset_comes_before_the_request_that_carries_it() {
    for (status, keep_transaction) in [(0x09, false), (0x11, true)] {
        let stub = Stub::saying(vec![Event::Done(Done::statement(None))]);
        let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
        raw.send(0x01, status, &batch("select 1")).await;
        let mut expected = vec![0xE3, 3, 0, 18, 0, 0];
        expected.extend(done_bytes(0xFD, 0));
        assert_eq!(raw.message().await, expected);
        let batch = Request::Batch("select 1".to_owned());
        assert_eq!(stub.seen(), [Request::Reset { keep_transaction }, batch]);
    }
}

#[tokio::test]
async fn an_ignored_message_reaches_no_session_but_is_answered() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.send(0x01, 0, &batch("select")).await;
    raw.send(0x01, 0x03, b"").await;
    assert_eq!(raw.message().await, done_bytes(0xFD, 2));
    assert_eq!(stub.seen(), []);
}

#[tokio::test]
async fn several_calls_in_one_message_get_one_answer() {
    let stub = Stub::saying(vec![Event::ReturnStatus(0)]);
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    let mut payload = all_headers();
    for _ in 0..2 {
        payload.extend([1, 0, b'p', 0, 0, 0]);
        payload.push(0xFF);
    }
    raw.send(0x03, 1, &payload).await;
    let mut expected = vec![0x79, 0, 0, 0, 0];
    expected.extend(done_bytes(0xFE, 1));
    expected.extend([0x79, 0, 0, 0, 0]);
    expected.extend(done_bytes(0xFE, 0));
    assert_eq!(raw.message().await, expected);
    assert_eq!(stub.seen().len(), 2);
}

#[tokio::test]
async fn a_parameter_of_an_unknown_type_is_told_and_the_connection_lives() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    let mut payload = all_headers();
    // Procedure `p`, no options; a parameter without name of type 0xF3 (a table).
    payload.extend([1, 0, b'p', 0, 0, 0, 0, 0, 0xF3]);
    raw.send(0x03, 1, &payload).await;
    let answer = raw.message().await;
    assert_eq!(
        (answer[0], &answer[3..7]),
        (0xAA, 8009_i32.to_le_bytes().as_slice())
    );
    raw.batch("select 1").await;
    assert_eq!(raw.message().await, done_bytes(0xFD, 0));
}

#[tokio::test]
async fn a_procedure_called_by_number_has_its_name_whether_we_run_it_or_not() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    let names = [
        (2, Some("sp_cursoropen")),
        (10, Some("sp_executesql")),
        (11, Some("sp_prepare")),
        (12, Some("sp_execute")),
        (13, Some("sp_prepexec")),
        (14, Some("sp_prepexecrpc")),
        (15, Some("sp_unprepare")),
        (99, None),
    ];
    for (id, _) in names {
        let mut payload = all_headers();
        payload.extend([0xFF, 0xFF, id, 0, 0, 0]);
        raw.send(0x03, 1, &payload).await;
        assert_eq!(raw.message().await, done_bytes(0xFE, 0));
    }
    for (request, (_, name)) in stub.seen().iter().zip(names) {
        let Request::Rpc { procedure, .. } = request else {
            panic!("a call: {request:?}")
        };
        assert_eq!(procedure.well_known(), name);
    }
}

#[tokio::test]
async fn requests_of_a_transaction_coordinator_reach_the_session_and_unknown_ones_are_told() {
    let stub = Stub::saying(Vec::new());
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    for rest in [&[0, 0, 0, 0][..], &[1, 0, 2, 0, 7, 8], &[6, 0]] {
        let mut payload = all_headers();
        payload.extend(rest);
        raw.send(0x0E, 1, &payload).await;
        assert_eq!(raw.message().await, done_bytes(0xFD, 0));
    }
    let asked = [
        Request::GetDtcAddress,
        Request::PropagateTransaction(vec![7, 8]),
        Request::PromoteTransaction,
    ];
    assert_eq!(stub.seen(), asked);
    let mut payload = all_headers();
    payload.extend([77, 0]);
    raw.send(0x0E, 1, &payload).await;
    let answer = raw.message().await;
    assert_eq!(
        (answer[0], &answer[3..7]),
        (0xAA, 4002_i32.to_le_bytes().as_slice())
    );
}
