//! What happens while a request runs: live messages, attentions, kills, hang-ups, faults.

use super::*;
use crate::wire::faults::{ConnectionFaults, Verdict};

fn waiting_for_cancel() -> Arc<Stub> {
    Stub::new(|request| match request {
        Request::Batch(sql) if sql == "waitfor" => {
            vec![
                Step::Say(number_column()),
                Step::Cancelled,
                Step::Say(number_row(1)),
            ]
        }
        _ => vec![Step::Say(info("still here"))],
    })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    let text = utf16_bytes(text);
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn a_progress_message_is_seen_before_the_statement_ends() {
    let stub = Stub::new(|_| {
        vec![
            Step::Say(info("10 percent processed.")),
            Step::Gate,
            Step::Say(info("100 percent processed.")),
        ]
    });
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.batch("backup").await;
    let first = raw.packet().await;
    assert!(contains(&first.payload, "10 percent processed."));
    assert!(!first.last, "the message goes on");
    stub.gate.notify_one();
    let rest = raw.message().await;
    assert!(contains(&rest, "100 percent processed."));
    assert!(rest.ends_with(&done_bytes(0xFD, 0)));
}

#[tokio::test]
async fn an_attention_ends_the_answer_and_is_acknowledged_in_a_second_message() {
    let stub = waiting_for_cancel();
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.batch("waitfor").await;
    raw.attention().await;
    assert!(raw.message().await.ends_with(&done_bytes(0xFD, 2)));
    assert_eq!(raw.message().await, done_bytes(0xFD, 0x20));
    raw.batch("select 1").await;
    assert!(contains(&raw.message().await, "still here"));
}

#[tokio::test]
async fn an_attention_can_be_acknowledged_in_the_answer_itself() {
    let stub = waiting_for_cancel();
    let options = WireOptions {
        attention: AttentionForm::OneMessage,
        ..WireOptions::plain()
    };
    let mut raw = Raw::connect(&stub, options).await;
    raw.batch("waitfor").await;
    raw.attention().await;
    assert!(raw.message().await.ends_with(&done_bytes(0xFD, 0x20)));
    raw.batch("select 1").await;
    assert!(contains(&raw.message().await, "still here"));
}

#[tokio::test]
async fn an_attention_out_of_the_blue_is_acknowledged() {
    let stub = waiting_for_cancel();
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.attention().await;
    assert_eq!(raw.message().await, done_bytes(0xFD, 0x20));
}

#[tokio::test]
async fn a_request_whose_client_hangs_up_is_cancelled() {
    let stub = waiting_for_cancel();
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.batch("waitfor").await;
    drop(raw);
    stub.cancelled.notified().await;
}

#[tokio::test]
async fn a_request_that_runs_when_the_server_stops_is_cancelled_and_waited_for() {
    let stub = waiting_for_cancel();
    let server = stub.server(WireOptions::plain());
    let mut raw = Raw::connect_asking(&server, 4096).await;
    raw.batch("waitfor").await;
    // It runs once the stub has remembered it.
    while stub.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    server.stop().await;
    stub.cancelled.notified().await;
    assert!(raw.is_over().await);
}

#[tokio::test]
async fn a_killed_session_hears_596_if_it_works_and_nothing_if_it_rests() {
    let stub = waiting_for_cancel();
    let mut working = Raw::connect(&stub, WireOptions::plain()).await;
    let mut resting = Raw::connect(&stub, WireOptions::plain()).await;
    working.batch("waitfor").await;
    while stub.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    stub.killed.cancel();
    let last_words = working.message().await;
    assert!(contains(&last_words, "the session is in the kill state"));
    assert!(working.is_over().await);
    assert!(resting.is_over().await);
}

#[tokio::test]
async fn a_killed_session_hears_596_also_when_its_statement_stops_first() {
    // Which of the two the connection sees first is a matter of luck.
    for _ in 0..20 {
        let stub = Stub::new(|_| vec![Step::KilledAndStopped]);
        let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
        raw.batch("waitfor").await;
        let last_words = raw.message().await;
        assert!(contains(&last_words, "the session is in the kill state"));
        assert!(raw.is_over().await);
    }
}

#[tokio::test]
async fn an_error_of_class_20_ends_the_connection() {
    let severe = SqlError::new(21, 20, "Warning: Fatal error 823 occurred.");
    let stub = Stub::saying(vec![Event::Error(severe), number_column()]);
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.batch("select 1").await;
    assert!(contains(&raw.message().await, "Fatal error 823"));
    assert!(raw.is_over().await);
}

/// Cuts connections at a given event.
struct CutAt(u64);

#[async_trait]
impl ConnectionFaults for CutAt {
    async fn saying(&self, session: i16, said: u64) -> Verdict {
        assert_eq!(session, 51);
        if said == self.0 {
            Verdict::Cut
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn a_fault_cuts_the_connection_after_what_was_already_said() {
    let stub = Stub::saying(vec![info("first"), info("second"), info("third")]);
    let options = WireOptions {
        faults: Arc::new(CutAt(2)),
        ..WireOptions::plain()
    };
    let mut raw = Raw::connect(&stub, options).await;
    raw.batch("select 1").await;
    let mut said = Vec::new();
    raw.stream
        .read_to_end(&mut said)
        .await
        .expect("what was said");
    assert!(contains(&said, "second") && !contains(&said, "third"));
}

#[tokio::test]
async fn a_session_that_keeps_the_way_to_its_client_does_not_keep_the_client_waiting() {
    let stub = Stub::new(|_| vec![Step::KeepAnswer, Step::Say(info("done"))]);
    let mut raw = Raw::connect(&stub, WireOptions::plain()).await;
    raw.batch("backup").await;
    assert!(raw.message().await.ends_with(&done_bytes(0xFD, 0)));
    let kept = stub.kept.lock().expect("no test panics under it").pop();
    let late = kept.expect("it was kept").send(info("too late")).await;
    assert!(
        late.is_err(),
        "whoever speaks late is told that no one listens"
    );
}

#[tokio::test]
async fn a_session_that_breaks_down_ends_its_connection_and_no_other() {
    let stub = Stub::new(|request| match request {
        Request::Batch(sql) if sql == "break" => vec![Step::Panic],
        _ => vec![Step::Say(info("still here"))],
    });
    let server = stub.server(WireOptions::plain());
    let mut raw = Raw::connect_asking(&server, 4096).await;
    let mut other = Raw::connect_asking(&server, 4096).await;
    raw.batch("break").await;
    assert!(raw.is_over().await);
    other.batch("select 1").await;
    assert!(contains(&other.message().await, "still here"));
    server.stop().await;
}
