//! Transactions of a session: begin, save, commit, roll back, and what a mark asks of a commit.
//!
//! Start at [`Session::begin_transaction`]. A transaction has one number in the instance and joins
//! each database when it first writes there. Commits that concern several databases or hosts are
//! done by `dtc/`.

use std::sync::Arc;

use uuid::Uuid;

use super::Session;
use super::local::LocalPart;
use super::temporary::Temporary;
use crate::dtc;
use crate::error::{SqlError, SqlResult};
use crate::instance::{DatabaseHandle, LockOwner};
use crate::link::Branches;
use crate::messages;
use crate::storage::{Database, TxId};
use crate::wire::api::Event;

/// An open transaction.
#[derive(Debug)]
pub struct Transaction {
    /// Its number in the instance; also its descriptor on the wire.
    pub id: TxId,
    /// Its identity among all hosts; later ones sort after earlier ones.
    pub gtrid: Uuid,
    /// Name of the outermost `BEGIN TRAN`.
    pub name: Option<String>,
    /// `@@TRANCOUNT`; 0 for the transaction of a single statement outside `BEGIN TRAN`.
    pub count: u32,
    /// The mark that this host puts at commit, from the first `WITH MARK` that ran here.
    pub mark: Option<MarkRequest>,
    /// Databases that it has joined.
    pub databases: Vec<Joined>,
    /// Databases whose catalog it has changed.
    pub changed_catalogs: Vec<Arc<DatabaseHandle>>,
    /// `XACT_STATE() = -1`: it can only be rolled back (3930).
    pub doomed: bool,
    /// The host that coordinates it; none when this session began it. Its session alone may end it
    /// then.
    pub coordinator: Option<String>,
    /// Its parts on other hosts, called from here.
    pub branches: Branches,
    savepoints: Vec<(String, Position)>,
    temporary: Temporary,
}

/// A database that a transaction has joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The database.
    pub database: Arc<DatabaseHandle>,
    /// Its storage at that moment; a restore cannot exchange it under a transaction.
    pub storage: Arc<Database>,
    start: crate::storage::Savepoint,
}

/// What `WITH MARK` asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRequest {
    /// The transaction's name, at most 32 characters, case-sensitive.
    pub name: String,
    /// The description, possibly empty.
    pub description: String,
    /// The database that was current at `BEGIN TRAN ... WITH MARK`.
    pub context: String,
    /// Who began it.
    pub user_name: String,
}

/// A place in a transaction to which it can be rolled back.
#[derive(Clone, Debug, Default)]
pub struct Position {
    writes: Vec<(i32, crate::storage::Savepoint)>,
}

impl Transaction {
    /// A transaction that has done nothing yet.
    #[must_use]
    pub fn new(id: TxId, gtrid: Uuid, temporary: Temporary) -> Self {
        Self {
            id,
            gtrid,
            name: None,
            count: 0,
            mark: None,
            databases: Vec::new(),
            changed_catalogs: Vec::new(),
            doomed: false,
            coordinator: None,
            branches: Branches::default(),
            savepoints: Vec::new(),
            temporary,
        }
    }

    /// Where it stands now.
    #[must_use]
    pub fn position(&self) -> Position {
        let writes = self
            .databases
            .iter()
            .map(|j| (j.database.id(), j.storage.savepoint(self.id)));
        Position {
            writes: writes.collect(),
        }
    }

    /// Undoes what was written since `position`; locks stay.
    pub fn return_to(&self, position: &Position) -> SqlResult<()> {
        for joined in &self.databases {
            let id = joined.database.id();
            let kept = position.writes.iter().find(|(known, _)| *known == id);
            let savepoint = kept.map_or(joined.start, |(_, savepoint)| *savepoint);
            joined.storage.rollback_to(self.id, savepoint)?;
        }
        Ok(())
    }

    fn join(&mut self, database: &Arc<DatabaseHandle>) -> SqlResult<Arc<Database>> {
        if let Some(joined) = self
            .databases
            .iter()
            .find(|j| Arc::ptr_eq(&j.database, database))
        {
            return Ok(Arc::clone(&joined.storage));
        }
        let storage = database.storage();
        storage.begin(self.id)?;
        let start = storage.savepoint(self.id);
        let joined = Joined {
            database: Arc::clone(database),
            storage: Arc::clone(&storage),
            start,
        };
        self.databases.push(joined);
        Ok(storage)
    }
}

impl Session {
    /// `@@TRANCOUNT`.
    #[must_use]
    pub fn transaction_count(&self) -> u32 {
        self.transaction.as_ref().map_or(0, |t| t.count)
    }

    /// The open transaction's number, to see its own writes.
    #[must_use]
    pub fn transaction_id(&self) -> Option<TxId> {
        self.transaction.as_ref().map(|t| t.id)
    }

    /// Begins a transaction, or raises the count of the open one.
    pub async fn begin_transaction(
        &mut self,
        name: Option<String>,
        mark: Option<MarkRequest>,
    ) -> SqlResult<()> {
        if self.transaction_count() == 0 {
            self.open_transaction();
        }
        let Some(transaction) = &mut self.transaction else {
            return Ok(());
        };
        transaction.count += 1;
        let (id, is_first) = (transaction.id.0, transaction.count == 1);
        if is_first {
            transaction.name = name;
        }
        let is_second_mark = mark.is_some() && transaction.mark.is_some();
        if transaction.mark.is_none() {
            transaction.mark = mark;
        }
        self.publish_count();
        if is_first {
            self.output.send(Event::TransactionBegan(id)).await;
        }
        if is_second_mark {
            self.second_mark().await
        } else {
            Ok(())
        }
    }

    /// 3920: the mark option is ignored and the statement goes on, unless a fault says that it ends
    /// the transaction.
    async fn second_mark(&mut self) -> SqlResult<()> {
        if self.instance.faults.second_mark_ends_transaction() {
            self.roll_back_all().await;
        }
        Err(messages::mark_ignored())
    }

    /// `COMMIT`: lowers the count; the outermost one commits. 3902 without a transaction, 3930 when
    /// it is doomed.
    pub async fn commit_transaction(&mut self) -> SqlResult<()> {
        let Some(transaction) = &mut self.transaction else {
            return Err(messages::commit_without_begin());
        };
        if transaction.count == 0 {
            return Err(messages::commit_without_begin());
        }
        if transaction.doomed {
            return Err(messages::transaction_doomed());
        }
        if transaction.count == 1 && transaction.coordinator.is_some() {
            // The coordinator ends it; a COMMIT too many in a called procedure changes nothing.
            return Err(distributed_completed());
        }
        transaction.count -= 1;
        if transaction.count > 0 {
            self.publish_count();
            return Ok(());
        }
        self.finish_commit(true).await
    }

    /// Commits the open transaction on all its databases and hosts, or on none.
    pub(super) async fn finish_commit(&mut self, is_announced: bool) -> SqlResult<()> {
        let Some(transaction) = self.transaction.take() else {
            return Ok(());
        };
        let id = transaction.id;
        let kept = transaction.temporary.clone();
        let committed = self.commit_everywhere(transaction).await;
        if committed.is_err() {
            self.temporary = kept;
        }
        self.after_transaction(id, committed.is_ok(), is_announced)
            .await;
        committed
    }

    async fn commit_everywhere(&mut self, transaction: Transaction) -> SqlResult<()> {
        let mut local = LocalPart::new(&self.instance, &transaction);
        let writes = dtc::Local::databases(&local);
        if transaction.branches.is_empty() && writes == 0 && transaction.mark.is_none() {
            return dtc::Local::commit(&mut local).await;
        }
        let root = dtc::Root {
            gtrid: transaction.gtrid,
            is_mark: transaction.mark.is_some(),
            local: Box::new(local),
            branches: transaction.branches.into_list(),
            decisions: dtc::decisions(&self.instance),
        };
        let dtc = Arc::clone(&self.instance.dtc);
        // In a task of its own, so that nobody who hangs up leaves half a commit behind.
        let committing = tokio::spawn(async move { dtc::commit(&dtc, root).await });
        committing.await.unwrap_or_else(|_| Err(commit_broke_off()))
    }

    /// `ROLLBACK` of everything; 3903 without a transaction.
    pub async fn rollback_transaction(&mut self) -> SqlResult<()> {
        if self.transaction_count() == 0 {
            return Err(messages::rollback_without_begin());
        }
        self.roll_back_all().await;
        Ok(())
    }

    /// Rolls back whatever is open, on all hosts.
    pub async fn roll_back_all(&mut self) {
        let Some(mut transaction) = self.transaction.take() else {
            return;
        };
        let is_announced = transaction.count > 0;
        self.temporary = std::mem::take(&mut transaction.temporary);
        let id = transaction.id;
        let mut local = LocalPart::new(&self.instance, &transaction);
        let mut branches = transaction.branches.into_list();
        dtc::rollback(transaction.gtrid, &mut local, &mut branches).await;
        self.after_transaction(id, false, is_announced).await;
    }

    async fn after_transaction(&mut self, id: TxId, committed: bool, is_announced: bool) {
        self.instance
            .app_locks
            .release_all(LockOwner::Transaction(id));
        self.publish_count();
        if is_announced {
            self.output
                .send(Event::TransactionEnded {
                    id: id.0,
                    committed,
                })
                .await;
        }
    }

    /// `SAVE TRANSACTION`.
    pub fn save_transaction(&mut self, name: &str) -> SqlResult<()> {
        match &mut self.transaction {
            Some(transaction) if transaction.count > 0 => {
                let position = transaction.position();
                transaction.savepoints.push((name.to_owned(), position));
                Ok(())
            }
            _ => Err(no_transaction_to_save()),
        }
    }

    /// `ROLLBACK TRAN name`: to the savepoint of this name, or everything when it names the
    /// transaction; else 6401.
    pub async fn rollback_to(&mut self, name: &str) -> SqlResult<()> {
        let Some(transaction) = &mut self.transaction else {
            return Err(messages::rollback_without_begin());
        };
        let Some(at) = transaction
            .savepoints
            .iter()
            .rposition(|(known, _)| known == name)
        else {
            return if transaction.name.as_deref() == Some(name) {
                self.rollback_transaction().await
            } else {
                Err(messages::savepoint_not_found(name))
            };
        };
        if transaction.doomed {
            return Err(messages::transaction_doomed());
        }
        transaction.savepoints.truncate(at + 1);
        let position = transaction.savepoints[at].1.clone();
        transaction.return_to(&position)
    }

    /// Makes sure that a transaction is open, for a statement that writes; it has count 0 outside
    /// `BEGIN TRAN`.
    pub fn open_transaction(&mut self) -> &mut Transaction {
        let (id, gtrid) = (self.instance.next_transaction(), self.instance.new_guid());
        let temporary = &self.temporary;
        self.transaction
            .get_or_insert_with(|| Transaction::new(id, gtrid, temporary.clone()))
    }

    /// The storage of a database, which the open transaction joins; 3930 when it is doomed.
    pub fn join(&mut self, database: &Arc<DatabaseHandle>) -> SqlResult<(TxId, Arc<Database>)> {
        let transaction = self.open_transaction();
        if transaction.doomed {
            return Err(messages::transaction_doomed());
        }
        Ok((transaction.id, transaction.join(database)?))
    }

    fn publish_count(&self) {
        let count = self.transaction_count();
        let name = self.transaction.as_ref().and_then(|open| open.name.clone());
        self.record.update(|now| {
            now.transactions = count;
            now.transaction_name = name;
        });
    }
}

/// SQL Server raises 628 for SAVE TRANSACTION outside a transaction.
fn no_transaction_to_save() -> SqlError {
    SqlError::new(
        628,
        16,
        "Cannot issue SAVE TRANSACTION when there is no active transaction.",
    )
}

/// SQL Server raises 8525 for work in a distributed transaction that its coordinator has ended.
fn distributed_completed() -> SqlError {
    let text = "Distributed transaction completed. Either enlist this session in a new transaction \
                or the NULL transaction.";
    SqlError::new(8525, 16, text)
}

/// SQL Server raises 8510 when a commit breaks off and nobody knows how it ended.
fn commit_broke_off() -> SqlError {
    SqlError::new(
        8510,
        16,
        "Enlist of MSDTC transaction failed: the commit broke off.",
    )
}
