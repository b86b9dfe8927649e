//! One connection and its statements. A session that met an error or a time limit is gone.
//!
//! Start at [`SqlSession::try_ask`]. Statements take the session by value and give it back only when their
//! answer was read to its end: a connection with a half-read answer would give that answer to the next
//! question (and tiberius' way of cancelling leaves exactly that), so it must not live on.

use std::sync::Arc;
use std::time::Duration;

use tiberius::{Row, ToSql};
use tracing::Instrument;

use super::connect::Connection;
use super::fault::Fault;
use super::observe::{Heard, Operation};
use super::statement::{Batch, Parameter};
use crate::error::{Result, SqlCause};
use crate::model::HostName;
use crate::world::Clock;

/// A logged-in connection.
pub(super) struct SqlSession {
    host: HostName,
    client: Box<Connection>,
    operation: Operation,
    clock: Arc<dyn Clock>,
    answer_max: Duration,
    id: i32,
}

/// Every result set of an answer, rows in order; sets without rows are there, empty.
pub(super) type Answer = Vec<Vec<Row>>;

impl SqlSession {
    /// A session over a client that has logged in.
    pub(super) const fn new(
        host: HostName,
        client: Box<Connection>,
        operation: Operation,
        clock: Arc<dyn Clock>,
        answer_max: Duration,
    ) -> Self {
        let id = 0;
        Self {
            host,
            client,
            operation,
            clock,
            answer_max,
            id,
        }
    }

    /// The session with its `@@SPID`.
    pub(super) const fn with_id(mut self, id: i32) -> Self {
        self.id = id;
        self
    }

    /// `@@SPID`: what `KILL` takes.
    pub(super) const fn id(&self) -> i32 {
        self.id
    }

    /// The host that it is on.
    pub(super) const fn host(&self) -> &HostName {
        &self.host
    }

    /// Sends a batch and reads the whole answer, errors mapped as for any statement.
    pub(super) async fn ask(self, batch: &Batch) -> Result<(Self, Answer)> {
        let host = self.host.clone();
        self.try_ask(batch).await.map_err(|fault| fault.at(&host))
    }

    /// Sends a batch and reads the whole answer within the session's limit.
    pub(super) async fn try_ask(self, batch: &Batch) -> Result<(Self, Answer), Fault> {
        let (clock, limit) = (Arc::clone(&self.clock), self.answer_max);
        let asked = within(clock.as_ref(), limit, self.ask_without_limit(batch));
        asked.await.unwrap_or(Err(Fault::Silent(limit)))
    }

    /// Sends a batch and reads the whole answer, however long it takes.
    pub(super) async fn ask_without_limit(
        mut self,
        batch: &Batch,
    ) -> Result<(Self, Answer), Fault> {
        let span = self.operation.span();
        let answer = Box::pin(answer(&mut self.client, batch))
            .instrument(span)
            .await;
        // Messages of this answer are of no use to the next one's reader.
        while self.operation.next_heard().is_some() {}
        Ok((self, answer?))
    }

    /// Runs a long statement and tells its messages as they come. The answer's rows are not wanted.
    pub(super) async fn run_heard(
        mut self,
        batch: &Batch,
        mut hear: impl FnMut(&Heard) + Send,
    ) -> Result<Self, Fault> {
        let span = self.operation.span();
        let mut running = Box::pin(answer(&mut self.client, batch).instrument(span));
        let ended = loop {
            tokio::select! {
                biased;
                Some(heard) = self.operation.wait_heard() => hear(&heard),
                ended = &mut running => break ended,
            }
        };
        drop(running);
        while let Some(heard) = self.operation.next_heard() {
            hear(&heard);
        }
        ended.map(|_| self)
    }
}

async fn answer(client: &mut Connection, batch: &Batch) -> Result<Answer, Fault> {
    let stream = if batch.parameters.is_empty() {
        client.simple_query(batch.text.as_str()).await
    } else {
        let values: Vec<_> = batch.parameters.iter().map(Parameter::value).collect();
        let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
        client.query(batch.text.as_str(), &values).await
    };
    // To the end: an error after a result set is only met there.
    stream
        .map_err(as_fault)?
        .into_results()
        .await
        .map_err(as_fault)
}

/// What tiberius says, sorted.
pub(super) fn as_fault(error: tiberius::error::Error) -> Fault {
    match error {
        tiberius::error::Error::Server(token) => Fault::Refused(SqlCause {
            number: i32::try_from(token.code()).unwrap_or(i32::MAX),
            class: token.class(),
            text: token.message().to_owned(),
        }),
        other => Fault::Broken(other.to_string()),
    }
}

/// The work's result, or `None` when the clock passed the limit first; the work is dropped then.
pub(super) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let deadline = clock.monotonic().saturating_add(limit);
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep_until(deadline) => None,
    }
}
