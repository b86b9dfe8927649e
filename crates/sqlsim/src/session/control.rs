//! Control of flow: blocks, branches, loops, TRY and CATCH, RETURN.
//!
//! Start at [`Session::control`]. These statements run others and touch no row.

use super::Session;
use super::execute::{Boxed, Flow, Run, Stop};
use crate::error::SqlResult;
use crate::lang::ast::{Condition, Statement, StatementKind};
use crate::query;

impl Session {
    /// Runs a statement that only directs others; none when it is of another kind.
    pub(super) fn control<'a>(&'a mut self, statement: &'a Statement) -> Boxed<'a, Option<Run>> {
        Box::pin(async move {
            Some(match &statement.kind {
                StatementKind::Block(body) => self.run(body).await,
                StatementKind::If {
                    condition,
                    then,
                    otherwise,
                } => match self.decide(condition, statement).await {
                    Ok(true) => self.run_one(then).await,
                    Ok(false) => match otherwise {
                        Some(otherwise) => self.run_one(otherwise).await,
                        None => Ok(Flow::Next),
                    },
                    Err(run) => run,
                },
                StatementKind::While { condition, body } => {
                    self.repeat(condition, body, statement).await
                }
                StatementKind::TryCatch { body, handler } => self.guard(body, handler).await,
                StatementKind::Break => Ok(Flow::Break),
                StatementKind::Continue => Ok(Flow::Continue),
                _ => return None,
            })
        })
    }

    async fn repeat(&mut self, condition: &Condition, body: &Statement, whole: &Statement) -> Run {
        loop {
            match self.decide(condition, whole).await {
                Ok(true) => {}
                Ok(false) => return Ok(Flow::Next),
                Err(run) => return run,
            }
            match self.run_one(body).await? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(status) => return Ok(Flow::Return(status)),
            }
            // A loop over variables alone would never let anybody else run.
            tokio::task::yield_now().await;
            if self.is_cancelled() {
                return Err(Stop::Batch);
            }
        }
    }

    async fn guard(&mut self, body: &[Statement], handler: &[Statement]) -> Run {
        let frames = self.frames.len();
        self.try_depth += 1;
        let ran = self.run(body).await;
        self.try_depth -= 1;
        let error = match ran {
            Err(Stop::Thrown(error)) => error,
            other => return other,
        };
        while self.frames.len() > frames {
            self.leave_frame();
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.caught.push(error);
        }
        let outcome = self.run(handler).await;
        if let Some(frame) = self.frames.last_mut() {
            frame.caught.pop();
        }
        outcome
    }

    /// Whether a condition holds. A failure is treated as that of the whole statement.
    async fn decide(&mut self, condition: &Condition, whole: &Statement) -> Result<bool, Run> {
        if let Err(error) = self.fetch_remote(whole).await {
            return Err(self.fail_control(error, whole).await);
        }
        let holds: SqlResult<_> = query::condition(&self.scope(), condition);
        match holds {
            Ok(holds) => Ok(holds == Some(true)),
            Err(error) => Err(self.fail_control(error, whole).await),
        }
    }
}
