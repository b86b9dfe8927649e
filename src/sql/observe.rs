//! Hears what tiberius only logs: INFO messages and every ERROR after the first, told apart by operation.
//!
//! Start at [`layer`], which `main` puts beside its own layers, and `Operation`. tiberius 0.13 returns the
//! first error of an answer and drops INFO messages; both pass by as `tracing` events, raised inside the
//! polled future. A span with the field `op_id` around that future says whose they are.
//!
//! What is heard never decides anything: progress bars and diagnostics come from here, verdicts do not.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::error::{Code, Error, Result};

/// Where tiberius raises the events of INFO and ERROR tokens.
const TOKEN_TARGET: &str = "tiberius::tds::stream::token";

/// The target of the spans that carry `op_id`.
const OPERATION_TARGET: &str = "stopmark::sql::operation";

/// How many unread messages an operation keeps; a server that says more loses the rest.
const MESSAGES_MAX: usize = 512;

/// One message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An INFO token's text; tiberius loses its number.
    Info(String),
    /// An ERROR token, the first and every later one.
    Error {
        /// SQL Server's number.
        number: i32,
        /// SQL Server's text.
        text: String,
    },
}

/// Listeners by operation; a mutex of the standard library, because nothing is awaited while it is held.
static LISTENERS: LazyLock<Mutex<HashMap<u64, mpsc::Sender<Heard>>>> =
    LazyLock::new(Mutex::default);

/// The next operation's id. Only uniqueness within the process matters.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The layer that hears. It carries its own filter, so that no other layer's level silences it; a *global*
/// filter before it would, which every new session finds out.
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Ears.with_filter(filter_fn(concerns_us))
}

/// Installs the layer alone as the process's subscriber; does nothing when there is one. For tests and for
/// programs without a log of their own.
pub fn install_alone() {
    let subscriber = tracing_subscriber::registry().with(layer());
    // An error says that a subscriber stands already; the self-test of each operation judges that one.
    drop(tracing::subscriber::set_global_default(subscriber));
}

fn concerns_us(metadata: &Metadata<'_>) -> bool {
    let is_token = metadata.target() == TOKEN_TARGET && *metadata.level() <= Level::DEBUG;
    is_token || metadata.target() == OPERATION_TARGET
}

/// One operation whose messages are heard: a connection's answers, from its begin to its drop.
#[derive(Debug)]
pub(super) struct Operation {
    id: u64,
    span: tracing::Span,
    heard: mpsc::Receiver<Heard>,
}

impl Operation {
    /// Begins to hear, and proves it with an event of its own; `SM9001` where the layer is missing or
    /// something before it swallows the events.
    pub(super) fn begin() -> Result<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (sender, heard) = mpsc::channel(MESSAGES_MAX);
        listeners().insert(id, sender);
        let span = tracing::info_span!(target: OPERATION_TARGET, "sql_operation", op_id = id);
        let mut operation = Self { id, span, heard };
        operation.span.in_scope(|| {
            tracing::event!(target: TOKEN_TARGET, Level::DEBUG, "self-test");
        });
        match operation.next_heard() {
            Some(Heard::Info(text)) if text == "self-test" => Ok(operation),
            _ => Err(Error::new(
                Code::Bug,
                "the layer that hears SQL Server's messages is not installed",
            )
            .hint("put `sql::observe::layer()` into the tracing subscriber, before any filter")),
        }
    }

    /// The span to poll this operation's futures in.
    pub(super) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// The next message that was heard already, if any.
    pub(super) fn next_heard(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    /// Waits for the next message.
    pub(super) async fn wait_heard(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        listeners().remove(&self.id);
    }
}

/// The per cent in an INFO text of `STATS` (message 3211, "10 percent processed."): its leading number,
/// which is all that a localised text has in common.
pub(super) fn percent(heard: &Heard) -> Option<u8> {
    let Heard::Info(text) = heard else {
        return None;
    };
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let rest = text[digits..].trim_start();
    let value = text[..digits].parse().ok()?;
    (value <= 100 && rest.starts_with("percent")).then_some(value)
}

fn listeners() -> std::sync::MutexGuard<'static, HashMap<u64, mpsc::Sender<Heard>>> {
    // A panic while the map was held cannot leave it half-changed: insert and remove are single calls.
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The layer itself.
struct Ears;

/// What a span of ours carries for its events.
struct OpId(u64);

impl<S> Layer<S> for Ears
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(op_id), Some(span)) = (fields.op_id, ctx.span(id)) {
            span.extensions_mut().insert(OpId(op_id));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let op_id = ctx.event_scope(event).and_then(|mut scope| {
            scope.find_map(|span| span.extensions().get::<OpId>().map(|op| op.0))
        });
        let Some(op_id) = op_id else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let heard = match fields.code {
            Some(number) => Heard::Error {
                number,
                text: fields.message,
            },
            None => Heard::Info(fields.message),
        };
        let listener = listeners().get(&op_id).cloned();
        if let Some(listener) = listener {
            // A full channel loses the message: nothing depends on it.
            drop(listener.try_send(heard));
        }
    }
}

/// The fields that matter, of spans and events alike.
#[derive(Default)]
struct Fields {
    op_id: Option<u64>,
    code: Option<i32>,
    message: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "op_id" => self.op_id = Some(value),
            "code" => self.code = i32::try_from(value).ok(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_layer<T>(test: impl FnOnce() -> T) -> T {
        let subscriber = tracing_subscriber::registry().with(layer());
        tracing::subscriber::with_default(subscriber, test)
    }

    fn raise(operation: &Operation, text: &str) {
        operation.span().in_scope(|| {
            tracing::event!(target: TOKEN_TARGET, Level::DEBUG, "{text}");
        });
    }

    #[test]
    fn without_the_layer_no_operation_begins() {
        let refused =
            tracing::subscriber::with_default(tracing_subscriber::registry(), Operation::begin);
        assert_eq!(refused.expect_err("nothing hears").code(), Code::Bug);
    }

    #[test]
    fn each_operation_hears_its_own_messages_only() {
        with_layer(|| {
            let mut first = Operation::begin().expect("the layer hears");
            let mut second = Operation::begin().expect("the layer hears");
            raise(&first, "one");
            raise(&second, "two");
            assert_eq!(first.next_heard(), Some(Heard::Info("one".to_owned())));
            assert_eq!(second.next_heard(), Some(Heard::Info("two".to_owned())));
            assert_eq!((first.next_heard(), second.next_heard()), (None, None));
        });
    }

    #[test]
    fn errors_keep_their_number_and_text() {
        with_layer(|| {
            let mut operation = Operation::begin().expect("the layer hears");
            operation.span().in_scope(|| {
                let text = "BACKUP DATABASE is terminating abnormally.";
                tracing::event!(target: TOKEN_TARGET, Level::ERROR, message = %text, code = 3013_u32);
            });
            let text = "BACKUP DATABASE is terminating abnormally.".to_owned();
            let heard = Heard::Error { number: 3013, text };
            assert_eq!(operation.next_heard(), Some(heard));
        });
    }

    #[test]
    fn a_chatty_server_does_not_fill_memory() {
        with_layer(|| {
            let mut operation = Operation::begin().expect("the layer hears");
            for _ in 0..3 * MESSAGES_MAX {
                raise(&operation, "blah");
            }
            let kept = std::iter::from_fn(|| operation.next_heard()).count();
            assert_eq!(kept, MESSAGES_MAX);
        });
    }

    #[test]
    fn a_dropped_operation_leaves_no_listener() {
        with_layer(|| {
            let operation = Operation::begin().expect("the layer hears");
            let id = operation.id;
            assert!(listeners().contains_key(&id));
            drop(operation);
            assert!(!listeners().contains_key(&id));
        });
    }

    #[test]
    fn only_texts_of_stats_are_percents() {
        for (text, expected) in [
            ("10 percent processed.", Some(10)),
            ("100 percent processed.", Some(100)),
            ("101 percent processed.", None),
            ("Processed 400 pages for database 'a'", None),
            ("10 pages", None),
            ("", None),
            ("99999999999999999999 percent", None),
        ] {
            assert_eq!(percent(&Heard::Info(text.to_owned())), expected, "{text}");
        }
        let number = 10;
        let text = "10 percent processed.".to_owned();
        assert_eq!(percent(&Heard::Error { number, text }), None);
    }
}
