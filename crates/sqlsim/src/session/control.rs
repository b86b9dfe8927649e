//! Control of flow: blocks, branches, loops, TRY and CATCH, RETURN.
//!
//! Start at [`Session::control`]. These statements run others and touch no row.

use std::future::ready;

use super::Session;
use super::execute::{Boxed, Flow, Run, Stop, later};
use crate::error::SqlResult;
use crate::lang::ast::{Condition, Statement, StatementKind};
use crate::query;

impl Session {
    /// Runs a statement that only directs others; none when it is of another kind.
    pub(super) fn control<'a>(&'a mut self, statement: &'a Statement) -> Option<Boxed<'a, Run>> {
        Some(match &statement.kind {
            StatementKind::Block(body) => self.run(body),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => later(self, |s| {
                s.branch(condition, then, otherwise.as_deref(), statement)
            }),
            StatementKind::While { condition, body } => {
                later(self, |s| s.repeat(condition, body, statement))
            }
            StatementKind::TryCatch { body, handler } => later(self, |s| s.guard(body, handler)),
            StatementKind::Break => Box::pin(ready(Ok(Flow::Break))),
            StatementKind::Continue => Box::pin(ready(Ok(Flow::Continue))),
            _ => return None,
        })
    }

    async fn branch(
        &mut self,
        condition: &Condition,
        then: &Statement,
        otherwise: Option<&Statement>,
        whole: &Statement,
    ) -> Run {
        match (self.decide(condition, whole).await, otherwise) {
            (Ok(true), _) => later(self, |s| s.run_one(then)).await,
            (Ok(false), Some(otherwise)) => later(self, |s| s.run_one(otherwise)).await,
            (Ok(false), None) => Ok(Flow::Next),
            (Err(run), _) => run,
        }
    }

    async fn repeat(&mut self, condition: &Condition, body: &Statement, whole: &Statement) -> Run {
        loop {
            match self.decide(condition, whole).await {
                Ok(true) => {}
                Ok(false) => return Ok(Flow::Next),
                Err(run) => return run,
            }
            match later(self, |s| s.run_one(body)).await? {
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
        if let Err(error) = later(self, |s| s.fetch_remote(whole)).await {
            return Err(self.fail_control(error, whole).await);
        }
        let holds: SqlResult<_> = query::condition(&self.scope(), condition);
        match holds {
            Ok(holds) => Ok(holds == Some(true)),
            Err(error) => Err(self.fail_control(error, whole).await),
        }
    }
}
