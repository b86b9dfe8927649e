//! Strikes on what only BizTalk groups ask of their hosts.

use async_trait::async_trait;
use stopmark::error::Result;
use stopmark::model::{DatabaseName, HostName};
use stopmark::plan::{TrimHistory, WriteHistory};
use stopmark::survey::BizTalkFacts;
use stopmark::world::{BizTalk, OldHistory};

use crate::strike::StruckFleet;

#[async_trait]
impl BizTalk for StruckFleet {
    async fn biztalk_members(
        &self,
        host: &HostName,
        database: &DatabaseName,
    ) -> Result<Vec<(String, DatabaseName)>> {
        self.pass("biztalk_members", self.0.biztalk_members(host, database))
            .await
    }

    async fn biztalk_facts(
        &self,
        host: &HostName,
        database: &DatabaseName,
    ) -> Result<BizTalkFacts> {
        let facts = self.0.biztalk_facts(host, database);
        self.pass("biztalk_facts", facts).await
    }

    async fn write_backup_history(&self, host: &HostName, step: &WriteHistory) -> Result<()> {
        let written = self.0.write_backup_history(host, step);
        self.pass("write_backup_history", written).await
    }

    async fn old_backup_history(
        &self,
        host: &HostName,
        step: &TrimHistory,
    ) -> Result<Option<OldHistory>> {
        let old = self.0.old_backup_history(host, step);
        self.pass("old_backup_history", old).await
    }

    async fn trim_backup_history(
        &self,
        host: &HostName,
        database: &DatabaseName,
        old: &OldHistory,
    ) -> Result<()> {
        let trimmed = self.0.trim_backup_history(host, database, old);
        self.pass("trim_backup_history", trimmed).await
    }
}
