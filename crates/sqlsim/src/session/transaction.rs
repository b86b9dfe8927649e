//! Transactions of a session: begin, save, commit, roll back, and what a mark asks of a commit.
//!
//! Start at [`Session::begin_transaction`]. A transaction has one number in the instance and joins each database when it first
//! writes there. Committing over several databases or hosts is done by `dtc/`.

use std::sync::Arc;

use super::Session;
use super::temporary::Temporary;
use crate::dtc::Branches;
use crate::error::SqlResult;
use crate::instance::{DatabaseHandle, LockOwner};
use crate::messages;
use crate::storage::TxId;
use crate::wire::api::Event;

/// An open transaction.
#[derive(Debug)]
pub struct Transaction {
    /// Its number in the instance; also its descriptor on the wire.
    pub id: TxId,
    /// Name of the outermost `BEGIN TRAN`.
    pub name: Option<String>,
    /// `@@TRANCOUNT`.
    pub count: u32,
    /// The mark that this host puts at commit, from the first `WITH MARK` that ran here.
    pub mark: Option<MarkRequest>,
    /// Databases that it has written to.
    pub databases: Vec<Arc<DatabaseHandle>>,
    /// Databases whose catalog it has changed.
    pub changed_catalogs: Vec<Arc<DatabaseHandle>>,
    /// `XACT_STATE() = -1`: it can only be rolled back (3930).
    pub doomed: bool,
    /// True for the transaction of a single statement outside `BEGIN TRAN`; `@@TRANCOUNT` shows 0 then.
    pub is_statement: bool,
    /// What binds it to other hosts.
    pub branches: Branches,
    savepoints: Vec<Savepoint>,
    temporary: Temporary,
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

#[derive(Clone, Debug)]
struct Savepoint {
    name: String,
    positions: Vec<(Arc<DatabaseHandle>, crate::storage::Savepoint)>,
}
