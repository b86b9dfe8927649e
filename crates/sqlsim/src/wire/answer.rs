//! From events to tokens: the grammar of an answer.
//!
//! Start at [`Answering::event`]. A session may be careless about "more follows"; a client may
//! not: here the last DONE is held back until it is known whether anything comes after it.

use super::api::{Done, DoneKind, Event};
use super::token;
use crate::error::SqlError;
use crate::value::Column;

/// From this class on an error ends the connection.
const CLASS_FATAL: u8 = 20;

/// What an event means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Send when it is convenient: rows and what comes with them.
    Later,
    /// Someone may be waiting to see this.
    Now,
    /// An error of class 20 or above: the connection ends.
    Fatal,
}

/// An answer being given.
pub(super) struct Answering {
    server_name: String,
    /// The DONE that may yet turn out to be the last.
    held: Option<HeldDone>,
    /// The result set that is open, empty before the first.
    columns: Vec<Column>,
    /// A row could not be written; the rest of its result set is not sent either.
    row_failed: bool,
    since_done: SinceDone,
    /// The client has cancelled: only what it must know of its transaction still goes out.
    muted: bool,
}

/// What has happened since the last DONE, which the next one tells.
#[derive(Clone, Copy, Default)]
struct SinceDone {
    /// There was an error.
    failed: bool,
    /// There was a result set.
    selected: bool,
}

#[derive(Clone, Copy)]
struct HeldDone {
    kind: DoneKind,
    status: u16,
    command: u16,
    rows: u64,
}

impl Answering {
    pub(super) const fn new(server_name: String) -> Self {
        Self {
            server_name,
            held: None,
            columns: Vec::new(),
            row_failed: false,
            since_done: SinceDone {
                failed: false,
                selected: false,
            },
            muted: false,
        }
    }

    /// The client has cancelled: drop all that is not about its transaction or database.
    pub(super) const fn mute(&mut self) {
        self.muted = true;
        self.held = None;
    }

    /// Writes one event.
    pub(super) fn event(&mut self, out: &mut Vec<u8>, event: Event) -> Then {
        if self.muted && !outlives_attention(&event) {
            return Then::Later;
        }
        self.release(out, true);
        match event {
            Event::Columns(columns) => {
                token::columns(out, &columns);
                self.columns = columns;
                self.row_failed = false;
                self.since_done.selected = true;
            }
            Event::Row(row) => {
                if !self.row_failed
                    && let Err(error) = token::row(out, &self.columns, &row)
                {
                    self.row_failed = true;
                    return self.message(out, &error);
                }
            }
            Event::Info(message) | Event::Error(message) => return self.message(out, &message),
            Event::Done(done) => self.done(out, done),
            Event::ReturnStatus(status) => token::return_status(out, status),
            Event::ReturnValue {
                name,
                ordinal,
                ty,
                value,
            } => {
                if let Err(error) = token::return_value(out, &name, ordinal, ty, &value) {
                    return self.message(out, &error);
                }
            }
            other => environment(out, other),
        }
        Then::Later
    }

    /// Ends the answer to one request. `more`: another request of the same message follows.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, kind: DoneKind, more: bool) {
        if self.held.is_none() {
            let done = Done {
                rows: None,
                more: false,
                kind,
            };
            self.held = Some(self.hold(done));
        }
        self.release(out, more);
    }

    /// Ends the answer that an attention has interrupted.
    pub(super) fn end_interrupted(&mut self, out: &mut Vec<u8>) {
        self.held = None;
        token::done(out, DoneKind::Statement, token::DONE_ERROR, 0, 0);
    }

    fn message(&mut self, out: &mut Vec<u8>, message: &SqlError) -> Then {
        token::message(out, message, &self.server_name);
        self.since_done.failed |= !message.is_info();
        if message.class >= CLASS_FATAL {
            Then::Fatal
        } else {
            Then::Now
        }
    }

    fn done(&mut self, out: &mut Vec<u8>, done: Done) {
        let held = self.hold(done);
        self.held = Some(held);
        // Inside a procedure more always follows, and python-tds dies when it is not said.
        if done.more || done.kind == DoneKind::InProcedure {
            self.release(out, true);
        }
    }

    fn hold(&mut self, done: Done) -> HeldDone {
        let mut status = 0;
        let since = std::mem::take(&mut self.since_done);
        if since.failed {
            status |= token::DONE_ERROR;
        }
        if done.rows.is_some() {
            status |= token::DONE_COUNT;
        }
        HeldDone {
            kind: done.kind,
            status,
            command: if since.selected {
                token::COMMAND_SELECT
            } else {
                0
            },
            rows: done.rows.unwrap_or(0),
        }
    }

    /// Writes the DONE that was held back, now that it is known what follows.
    fn release(&mut self, out: &mut Vec<u8>, more: bool) {
        if let Some(held) = self.held.take() {
            let status = held.status | if more { token::DONE_MORE } else { 0 };
            token::done(out, held.kind, status, held.command, held.rows);
        }
    }
}

/// What a client must learn even about a request that it has given up.
const fn outlives_attention(event: &Event) -> bool {
    matches!(
        event,
        Event::DatabaseChanged { .. }
            | Event::LanguageChanged { .. }
            | Event::TransactionBegan(_)
            | Event::TransactionEnded { .. }
            | Event::TransactionPromoted { .. }
            | Event::TransactionEnlisted(_)
    )
}

/// The ENVCHANGE tokens; other events are none of them.
fn environment(out: &mut Vec<u8>, event: Event) {
    match event {
        Event::DatabaseChanged { to, from } => token::database_changed(out, &to, &from),
        Event::LanguageChanged { to, from } => token::language_changed(out, &to, &from),
        Event::TransactionBegan(id) => token::transaction_began(out, id),
        Event::TransactionEnded { id, committed } => token::transaction_ended(out, id, committed),
        Event::TransactionPromoted { cookie } => token::transaction_promoted(out, &cookie),
        Event::TransactionEnlisted(id) => token::transaction_enlisted(out, id),
        Event::Columns(_)
        | Event::Row(_)
        | Event::Info(_)
        | Event::Error(_)
        | Event::Done(_)
        | Event::ReturnStatus(_)
        | Event::ReturnValue { .. } => {}
    }
}
