//! Where a session's events go: to the client, or to whoever captures them (`INSERT ... EXEC`).
//!
//! Start at [`Output`]. It only carries; `SET NOCOUNT` and the kind of DONE are decided by those
//! who send.

use crate::error::{SqlError, SqlResult};
use crate::events::{Ears, Happening};
use crate::value::{Column, Row, Rows};
use crate::wire::api::{Answer, Done, Event};

/// The way to the client, and the captures laid over it.
#[derive(Debug, Default)]
pub struct Output {
    answer: Option<Answer>,
    captures: Vec<Vec<Row>>,
    gone: bool,
    ears: Option<Ears>,
}

impl Output {
    /// An output whose messages event sessions hear.
    pub(super) fn heard_by(ears: Ears) -> Self {
        Self {
            ears: Some(ears),
            ..Self::default()
        }
    }

    /// Event sessions hear a message that a CATCH keeps from the client.
    pub(super) fn intercepted(&self, message: &SqlError) {
        if let Some(ears) = &self.ears {
            ears.hear(message, true);
        }
    }

    /// Event sessions hear of what happened.
    pub fn happened(&self, what: Happening) {
        if let Some(ears) = self.ears.as_ref().filter(|ears| ears.is_listened_to()) {
            ears.tell(what);
        }
    }

    /// Now by the host's clock, where anybody listens.
    pub(super) fn listening_since(&self) -> Option<jiff::Timestamp> {
        let ears = self.ears.as_ref().filter(|ears| ears.is_listened_to())?;
        Some(ears.now())
    }

    /// Events of the next request go to `answer`.
    pub fn attach(&mut self, answer: Answer) {
        self.answer = Some(answer);
        self.captures.clear();
        self.gone = false;
    }

    /// The request is over.
    pub fn detach(&mut self) {
        self.answer = None;
        self.captures.clear();
    }

    /// Whether the client has gone away, so that nothing more can reach it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// A copy of the way to the client, for work that runs on another thread (progress of a
    /// backup).
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.answer.clone()
    }

    /// Sends an event. Without a client (a session that the instance itself made) it is dropped.
    pub async fn send(&mut self, event: Event) {
        if let (Some(ears), Event::Error(message) | Event::Info(message)) = (&self.ears, &event) {
            ears.hear(message, false);
        }
        if let Some(answer) = &self.answer {
            self.gone |= answer.send(event).await.is_err();
        }
    }

    /// Sends a message, as INFO or ERROR by its class.
    pub async fn message(&mut self, message: SqlError) {
        let event = if message.class > 10 {
            Event::Error(message)
        } else {
            Event::Info(message)
        };
        self.send(event).await;
    }

    /// Sends a result set without its DONE, or keeps its rows when they are captured.
    pub async fn rows(&mut self, rows: Rows) {
        self.columns(rows.columns).await;
        for row in rows.rows {
            self.row(row).await;
        }
    }

    /// Begins a result set.
    pub async fn columns(&mut self, columns: Vec<Column>) {
        if self.captures.is_empty() {
            self.send(Event::Columns(columns)).await;
        }
    }

    /// One row of the result set.
    pub async fn row(&mut self, row: Row) {
        match self.captures.last_mut() {
            Some(capture) => capture.push(row),
            None => self.send(Event::Row(row)).await,
        }
    }

    /// The end of a statement.
    pub async fn done(&mut self, done: Done) {
        if self.captures.is_empty() {
            self.send(Event::Done(done)).await;
        }
    }

    /// Rows of result sets are kept from now on until [`Output::captured`]. Nesting is 8164 in SQL
    /// Server.
    pub fn capture(&mut self) -> SqlResult<()> {
        if !self.captures.is_empty() {
            return Err(nested_insert_exec());
        }
        self.captures.push(Vec::new());
        Ok(())
    }

    /// Whether rows are being kept.
    #[must_use]
    pub fn is_capturing(&self) -> bool {
        !self.captures.is_empty()
    }

    /// Ends a capture and hands over what it kept.
    pub fn captured(&mut self) -> Vec<Row> {
        self.captures.pop().unwrap_or_default()
    }
}

/// SQL Server raises 8164 for an `INSERT EXEC` inside another.
fn nested_insert_exec() -> SqlError {
    SqlError::new(8164, 16, "An INSERT EXEC statement cannot be nested.")
}
