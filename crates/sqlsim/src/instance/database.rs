//! One database of an instance: its number, name and owner, the storage behind it, and its catalog.
//!
//! Start at [`DatabaseHandle`]. The storage can be exchanged (RESTORE does), the handle stays.
//! Nothing here knows SQL.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::catalog::record::Record;
use crate::catalog::schema::Schema;
use crate::storage::{Database, DatabaseFiles, TableId, TxId};

/// What master remembers of a database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseRecord {
    /// `database_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: DatabaseFiles,
    /// `sid` of the owner.
    pub owner_sid: Vec<u8>,
    /// `create_date`, local time.
    pub created: DateTime,
    /// `compatibility_level`.
    pub compatibility_level: u8,
    /// Options kept for `sys.databases` only: upper-case name and value, such as `TRUSTWORTHY` and
    /// `ON`.
    pub options: Vec<(String, String)>,
}

impl Record for DatabaseRecord {
    const TABLE: TableId = TableId(11);
}

impl DatabaseRecord {
    /// An option's value, `OFF` if it was never set.
    #[must_use]
    pub fn option(&self, name: &str) -> &str {
        let set = self.options.iter().find(|(known, _)| known == name);
        set.map_or("OFF", |(_, value)| value)
    }
}

/// A database that an instance has attached.
#[derive(Debug)]
pub struct DatabaseHandle {
    record: RwLock<DatabaseRecord>,
    storage: RwLock<Arc<Database>>,
    schema: Mutex<Option<Arc<Schema>>>,
}

impl DatabaseHandle {
    /// Puts a handle on an open storage.
    #[must_use]
    pub fn new(record: DatabaseRecord, storage: Arc<Database>) -> Self {
        Self {
            record: RwLock::new(record),
            storage: RwLock::new(storage),
            schema: Mutex::new(None),
        }
    }

    /// `database_id`.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.record
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .id
    }

    /// The name, as its creator wrote it.
    #[must_use]
    pub fn name(&self) -> String {
        self.record
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .name
            .clone()
    }

    /// What master remembers of it.
    #[must_use]
    pub fn record(&self) -> DatabaseRecord {
        self.record
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes a changed record; the caller has written it to master.
    pub(super) fn set_record(&self, record: DatabaseRecord) {
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = record;
    }

    /// The storage behind it.
    #[must_use]
    pub fn storage(&self) -> Arc<Database> {
        Arc::clone(&self.storage.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges the storage, as RESTORE does; whatever was known of the old one is forgotten.
    pub fn set_storage(&self, storage: Arc<Database>) {
        *self.storage.write().unwrap_or_else(PoisonError::into_inner) = storage;
        self.forget_schema();
    }

    /// The catalog as committed.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        let mut kept = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.get_or_insert_with(|| Arc::new(Schema::read(&self.storage(), None))))
    }

    /// The catalog as `tx`, which has changed it, sees it.
    #[must_use]
    pub fn schema_in(&self, tx: TxId) -> Arc<Schema> {
        Arc::new(Schema::read(&self.storage(), Some(tx)))
    }

    /// Called after each transaction that changed the catalog.
    pub fn forget_schema(&self) {
        *self.schema.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
