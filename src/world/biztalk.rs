//! What only a BizTalk group asks of its hosts. Start at [`BizTalk`]; every fleet has it.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{DatabaseName, HostName};
use crate::plan::{TrimHistory, WriteHistory};
use crate::survey::BizTalkFacts;

/// The management database of a BizTalk group, in typed verbs.
#[async_trait]
pub trait BizTalk: Send + Sync {
    /// The rows of `admv_BackupDatabases`: server name as configured there, and database.
    async fn biztalk_members(
        &self,
        host: &HostName,
        database: &DatabaseName,
    ) -> Result<Vec<(String, DatabaseName)>>;
    /// What it says beside its list of databases, whose rows are left out here.
    async fn biztalk_facts(&self, host: &HostName, database: &DatabaseName)
    -> Result<BizTalkFacts>;
    /// Writes sets into `adm_BackupHistory`, under its lock; sets that are whole become complete last. Safe to run
    /// again. `SM0211` where a reader holds the lock for too long.
    async fn write_backup_history(&self, host: &HostName, step: &WriteHistory) -> Result<()>;
    /// What is too old in that history; none where nothing is.
    async fn old_backup_history(
        &self,
        host: &HostName,
        step: &TrimHistory,
    ) -> Result<Option<OldHistory>>;
    /// Deletes these rows of that history.
    async fn trim_backup_history(
        &self,
        host: &HostName,
        database: &DatabaseName,
        old: &OldHistory,
    ) -> Result<()>;
}

/// Rows of a BizTalk group's backup history that are too old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldHistory {
    /// The first set that is kept.
    pub before_set: String,
    /// Folder and name of every file in the sets before it, as the servers that wrote them name them.
    pub files: Vec<(String, String)>,
}
