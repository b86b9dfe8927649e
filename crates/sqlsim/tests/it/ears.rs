//! Hears what the client library only logs: information, and every error of an answer.
//!
//! Start at [`Ears::listen`]. It hears the thread that it was told to listen on, and nothing else.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
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

/// Lines that were heard and not yet taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ears(Arc<Mutex<Vec<String>>>);

impl Ears {
    /// Listens on this thread until the guard is dropped.
    pub(crate) fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// Opens the ears again: what other threads raise for the first time while one begins to listen
    /// may be taken for what nobody wants to hear.
    pub(crate) fn open() {
        tracing::callsite::rebuild_interest_cache();
    }

    /// What was heard since the last time. Numbers in information vary from run to run and become
    /// `N`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

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

impl Subscriber for Ears {
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
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
