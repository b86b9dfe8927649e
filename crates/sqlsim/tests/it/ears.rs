//! Hears what the client library only logs: information, and every error of an answer.
//!
//! Start at [`Ears::listen`]. It hears the thread that it was told to listen on, and nothing else.
//!
//! One subscriber serves the whole process, and hands each thread its own lines. A subscriber of one thread would not
//! do: where it is the only one, another thread that raises an event for the first time is asked alone whether anybody
//! wants to hear it, and its no counts for all.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Where the library raises what a server says.
const TARGET: &str = "tiberius::tds::stream::token";

/// What the library tells on the same level and no server said.
const NOT_SAID: [&str; 10] = [
    "Database change ",
    "Packet size change ",
    "SQL collation change",
    "Begin transaction",
    "Commit transaction",
    "Rollback transaction",
    "Defect transaction",
    "Fallback mirror server",
    "Ignored env change",
    // 5701, which every change of database brings.
    "Changed database context",
];

type Lines = Arc<Mutex<Vec<String>>>;

thread_local! {
    /// Where the lines of this thread go; none where it does not listen.
    static LINES: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// The ears of the thread that made them, open as long as they live: lines that were heard and not yet taken.
#[derive(Debug)]
pub(crate) struct Ears(Lines);

impl Ears {
    /// Listens on this thread.
    pub(crate) fn listen() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            tracing::subscriber::set_global_default(Everybody).expect("nobody else subscribes");
        });
        let lines = Lines::default();
        LINES.set(Some(Arc::clone(&lines)));
        Self(lines)
    }

    /// What was heard since the last time. Numbers in information vary from run to run and become
    /// `N`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

fn lock(lines: &Lines) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands each line to the thread that raised it.
struct Everybody;

#[derive(Default)]
struct Heard {
    text: String,
    number: Option<u64>,
}

impl Visit for Heard {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.number = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.text, "{value:?}");
        }
    }
}

impl Heard {
    fn line(self) -> Option<String> {
        match self.number {
            Some(number) => Some(format!("error {number}")),
            None if NOT_SAID.iter().any(|said| self.text.starts_with(said)) => None,
            None => Some(format!("info: {}", without_numbers(&self.text))),
        }
    }
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('N') => {}
            '0'..='9' => out.push('N'),
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl Subscriber for Everybody {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= tracing::Level::DEBUG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut heard = Heard::default();
        event.record(&mut heard);
        if let Some(line) = heard.line() {
            LINES.with_borrow(|lines| {
                if let Some(lines) = lines {
                    lock(lines).push(line);
                }
            });
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
