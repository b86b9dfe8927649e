//! The names by which rows, tables and transactions are known inside one database.
//!
//! Start at [`TxId`]. Nothing here is ever written to a log as it stands: the log numbers
//! transactions for itself, since a `TxId` begins again at every start of an instance.

use serde::{Deserialize, Serialize};

/// A table of one database. The caller chooses it; a table exists as soon as it has a row.
///
/// Numbers below 1000 are for system tables, by custom and not by any check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// A row of one table, in order of insertion and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowId(pub u64);

/// A transaction of the instance, as the caller numbers it; one may span several databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TxId(pub u64);

/// A place in a transaction's writes to which it may be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(pub(crate) usize);
