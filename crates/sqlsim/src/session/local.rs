//! This host's own part of a transaction: how its databases prepare, commit with a mark, and roll
//! back.
//!
//! Start at [`LocalPart`]. It outlives its session once prepared. The order of the phases is
//! `dtc/`'s affair.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::transaction::{Joined, MarkRequest, Transaction};
use crate::dtc::{self, Local};
use crate::error::SqlResult;
use crate::instance::{DatabaseHandle, Instance, LockOwner};
use crate::msdb;
use crate::storage::{MarkInfo, PrepareInfo, RecoveryModel, TxId};

/// The databases of this host that a transaction has joined, and the mark that it leaves there.
#[derive(Debug)]
pub struct LocalPart {
    instance: Arc<Instance>,
    id: TxId,
    databases: Vec<Joined>,
    changed_catalogs: Vec<Arc<DatabaseHandle>>,
    mark: Option<MarkRequest>,
    coordinator: String,
}

impl LocalPart {
    /// The part of an open transaction; who ends it must forget the transaction.
    #[must_use]
    pub fn new(instance: &Arc<Instance>, transaction: &Transaction) -> Self {
        Self {
            instance: Arc::clone(instance),
            id: transaction.id,
            databases: transaction.databases.clone(),
            changed_catalogs: transaction.changed_catalogs.clone(),
            mark: transaction.mark.clone(),
            coordinator: transaction
                .coordinator
                .clone()
                .unwrap_or_else(|| dtc::coordinator(instance)),
        }
    }

    /// What the log of a database gets: the mark, where the transaction has written and the log is
    /// kept.
    fn mark_for(&self, joined: &Joined) -> Option<MarkInfo> {
        let mark = self.mark.as_ref()?;
        let is_kept = joined.storage.facts().recovery_model != RecoveryModel::Simple;
        (is_kept && joined.storage.has_writes(self.id)).then(|| MarkInfo {
            name: mark.name.clone(),
            description: mark.description.clone(),
            user: mark.user_name.clone(),
            time: self.instance.clock.local(),
        })
    }

    /// History rows appear only when the mark was begun in a database that the transaction changed:
    /// a mark begun in master stands in the logs, but msdb does not tell of it.
    fn is_in_history(&self) -> bool {
        let Some(mark) = &self.mark else { return false };
        let wrote = |j: &Joined| j.database.name() == mark.context && j.storage.has_writes(self.id);
        self.databases.iter().any(wrote)
    }

    fn finish(&self) {
        self.changed_catalogs
            .iter()
            .for_each(|db| db.forget_schema());
        self.instance
            .app_locks
            .release_all(LockOwner::Transaction(self.id));
    }
}

#[async_trait]
impl Local for LocalPart {
    fn databases(&self) -> usize {
        self.databases
            .iter()
            .filter(|j| j.storage.has_writes(self.id))
            .count()
    }

    async fn prepare(&mut self, gtrid: Uuid) -> SqlResult<()> {
        for joined in &self.databases {
            let mark = self.mark_for(joined);
            let info = PrepareInfo {
                gtrid,
                coordinator: self.coordinator.clone(),
                mark,
            };
            joined.storage.prepare(self.id, &info)?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> SqlResult<()> {
        let is_in_history = self.is_in_history();
        let mut marked = Vec::new();
        let mut first_failure = Ok(());
        for joined in &self.databases {
            let mark = self.mark_for(joined);
            let at = self.instance.clock.local();
            match joined.storage.commit(self.id, at, mark.as_ref()) {
                Ok(lsn) => marked.extend(
                    lsn.zip(mark)
                        .map(|(lsn, mark)| (joined.database.name(), lsn, mark)),
                ),
                // The others commit all the same: what was decided is done wherever it can be.
                Err(error) => first_failure = first_failure.and(Err(error)),
            }
        }
        self.finish();
        if is_in_history {
            for (database, lsn, mark) in marked {
                msdb::record_mark(&self.instance, &database, lsn, &mark)?;
            }
        }
        first_failure
    }

    async fn abort(&mut self) {
        for joined in &self.databases {
            // A database that cannot write its abort record undoes the transaction when it is next
            // opened.
            let _ = joined.storage.rollback(self.id);
        }
        self.finish();
    }
}
