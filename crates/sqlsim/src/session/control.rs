//! Control of flow: blocks, branches, loops, TRY and CATCH, RETURN.
//!
//! Start at [`Session::control`]. These statements run others and touch no row.

use std::future::ready;

use super::Session;
use super::execute::{Boxed, Flow, Run, Stop, later};
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{Condition, Statement, StatementKind};
use crate::query;
use crate::value::compare::same_name;

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
            StatementKind::Label(_) => Box::pin(ready(Ok(Flow::Next))),
            StatementKind::Goto(label) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.goto = Some(label.clone());
                }
                // A loop of jumps would never let anybody else run.
                Box::pin(async {
                    tokio::task::yield_now().await;
                    Ok(Flow::Goto)
                })
            }
            StatementKind::Break => Box::pin(ready(Ok(Flow::Break))),
            StatementKind::Continue => Box::pin(ready(Ok(Flow::Continue))),
            _ => return None,
        })
    }

    /// Where among these statements a GOTO leads; none where its label stands further out.
    pub(super) fn label_among(&mut self, statements: &[Statement]) -> Option<usize> {
        let goto = &mut self.frames.last_mut()?.goto;
        let wanted = goto.as_ref()?;
        let is_it = |statement: &Statement| match &statement.kind {
            StatementKind::Label(label) => same_name(label, wanted),
            _ => false,
        };
        let place = statements.iter().position(is_it)?;
        *goto = None;
        Some(place)
    }

    /// 133: nobody has the label of a GOTO.
    pub(super) fn label_missing(&mut self) -> SqlError {
        let goto = self.frames.last_mut().and_then(|frame| frame.goto.take());
        let text = format!(
            "A GOTO statement references the label '{}' but the label has not been declared.",
            goto.unwrap_or_default()
        );
        SqlError::new(133, 15, text)
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
                out @ (Flow::Return(_) | Flow::Goto) => return Ok(out),
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
