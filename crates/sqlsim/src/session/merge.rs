//! MERGE: several changes that stand or fall together.
//!
//! Start at [`Session::merge`]. The parser has made `UPDATE`, `DELETE` and `INSERT` of it.

use super::Session;
use crate::error::SqlResult;
use crate::lang::ast::{Statement, StatementKind};

impl Session {
    /// Runs the parts in one transaction; a failure undoes those before it.
    pub(super) async fn merge(&mut self, parts: &[Statement]) -> SqlResult<()> {
        let is_alone = self.transaction_count() == 0;
        self.begin_transaction(None, None).await?;
        let before = self.open_transaction().position();
        let mut outcome = Ok(0);
        for part in parts {
            outcome = match (outcome, self.fetch_remote(part).await) {
                (Ok(rows), Ok(())) => self.merge_part(part).await.map(|()| rows + self.last.rows),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
        match outcome {
            Ok(rows) => {
                self.commit_transaction().await?;
                self.last.rows = rows;
                Ok(())
            }
            Err(error) => {
                if is_alone {
                    self.roll_back_all().await;
                } else if let Some(transaction) = &self.transaction {
                    transaction.return_to(&before)?;
                    self.commit_transaction().await?;
                }
                Err(error)
            }
        }
    }

    async fn merge_part(&mut self, part: &Statement) -> SqlResult<()> {
        match &part.kind {
            StatementKind::Update(update) => self.update(update, part).await,
            StatementKind::Delete(delete) => self.delete(delete, part).await,
            StatementKind::Insert(insert) => {
                self.insert(insert, part).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
