//! The grammar of answers, without a connection.

use crate::wire::answer::Answering;

use super::*;

/// Writes events and the end of the request.
fn written(events: Vec<Event>, kind: DoneKind) -> Vec<u8> {
    let mut answering = Answering::new("S".to_owned());
    let mut out = Vec::new();
    for event in events {
        answering.event(&mut out, event);
    }
    answering.end(&mut out, kind, false);
    out
}

fn dones(sequence: &[(u8, u8)]) -> Vec<u8> {
    sequence
        .iter()
        .flat_map(|(kind, status)| done_bytes(*kind, *status))
        .collect()
}

#[test]
fn an_answer_without_any_event_still_ends_with_a_done() {
    assert_eq!(
        written(Vec::new(), DoneKind::Statement),
        done_bytes(0xFD, 0)
    );
    assert_eq!(
        written(Vec::new(), DoneKind::Procedure),
        done_bytes(0xFE, 0)
    );
}

#[test]
fn only_the_last_done_says_that_nothing_follows() {
    let statement = || Event::Done(Done::statement(None));
    let out = written(
        vec![statement(), statement(), statement()],
        DoneKind::Statement,
    );
    assert_eq!(out, dones(&[(0xFD, 1), (0xFD, 1), (0xFD, 0)]));
}

#[test]
fn the_end_of_a_statement_inside_a_procedure_always_says_that_more_follows() {
    let inner = Event::Done(Done {
        more: false,
        ..Done::in_procedure(None)
    });
    let out = written(vec![inner], DoneKind::Procedure);
    assert_eq!(out, dones(&[(0xFF, 1), (0xFE, 0)]));
}

#[test]
fn a_done_that_promised_more_is_followed_by_one_that_does_not() {
    let promised = Event::Done(Done {
        more: true,
        ..Done::statement(None)
    });
    assert_eq!(
        written(vec![promised], DoneKind::Statement),
        dones(&[(0xFD, 1), (0xFD, 0)])
    );
}

#[test]
fn a_done_tells_of_the_error_before_it_and_not_of_one_before_that() {
    let out = written(
        vec![
            error(50_000),
            Event::Done(Done::statement(None)),
            Event::Done(Done::statement(None)),
        ],
        DoneKind::Statement,
    );
    assert!(out.ends_with(&dones(&[(0xFD, 3), (0xFD, 0)])));
}

#[test]
fn after_an_attention_only_the_fate_of_the_transaction_is_told() {
    let mut answering = Answering::new("S".to_owned());
    let mut out = Vec::new();
    answering.event(&mut out, Event::Done(Done::statement(Some(1))));
    answering.mute();
    answering.event(&mut out, number_column());
    answering.event(&mut out, error(50_000));
    assert!(out.is_empty());
    answering.event(
        &mut out,
        Event::TransactionEnded {
            id: 1,
            committed: false,
        },
    );
    assert_eq!(out, [0xE3, 11, 0, 10, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_message_longer_than_a_token_can_carry_is_cut() {
    let long = Event::Error(SqlError::new(50_000, 16, "x".repeat(100_000)));
    let out = written(vec![long], DoneKind::Statement);
    let length = usize::from(u16::from_le_bytes([out[1], out[2]]));
    assert!(
        out[3 + length..].starts_with(&[0xFD]),
        "the token ends where it says"
    );
}

#[test]
fn information_of_class_10_travels_as_class_0_and_an_error_keeps_its_class() {
    let class = |message: SqlError| {
        let event = if message.is_info() {
            Event::Info(message)
        } else {
            Event::Error(message)
        };
        // Token, length, number, state, class.
        let out = written(vec![event], DoneKind::Statement);
        (out[0], out[8])
    };
    assert_eq!(class(SqlError::new(4219, 10, "info")), (0xAB, 0));
    assert_eq!(class(SqlError::new(50_000, 9, "info")), (0xAB, 9));
    assert_eq!(class(SqlError::new(4214, 16, "error")), (0xAA, 16));
}

#[test]
fn a_number_that_cannot_be_null_has_no_length() {
    let column = Column::required("n", SqlType::Int);
    let out = written(
        vec![Event::Columns(vec![column]), number_row(7)],
        DoneKind::Statement,
    );
    // One column: user type 0, no flags, INT4, its name; then the row, four bytes.
    let expected = [
        0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x38, 1, b'n', 0, 0xD1, 7, 0, 0, 0,
    ];
    assert_eq!(out[..expected.len()], expected);
}

#[test]
fn null_in_a_column_that_cannot_hold_it_is_an_error() {
    let column = Column::required("n", SqlType::Int);
    let null = Event::Row(vec![Value::Null]);
    let out = written(
        vec![Event::Columns(vec![column]), null],
        DoneKind::Statement,
    );
    assert!(!out.contains(&0xD1), "no row");
    assert!(
        out.windows(4)
            .any(|number| number == 8114_i32.to_le_bytes())
    );
}

#[test]
fn a_row_that_does_not_match_its_columns_is_an_error() {
    let short = vec![number_column(), Event::Row(Vec::new()), number_row(1)];
    let out = written(short, DoneKind::Statement);
    assert!(!out.contains(&0xD1), "neither that row nor the next");
    assert!(out.windows(4).any(|number| number == 213_i32.to_le_bytes()));
}
