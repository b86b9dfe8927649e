//! The hosts, in typed verbs: every T-SQL text of the agent, and the connections that carry it.
//!
//! Start at [`SqlFleet`]; each verb family has a file with its texts as pure functions beside the verb that
//! sends them. [`quote`] is the only place that turns names and values into text, [`observe`] the only one
//! that hears INFO messages, [`dial`] the only way to a network.
//!
//! This room decides nothing about backups, never retries by itself, and offers no general query.

mod applock;
mod availability;
mod backup;
mod backup_errors;
mod backup_history;
mod biztalk;
mod connect;
pub mod dial;
mod discover;
mod drill;
mod event_session;
mod every;
mod facts;
mod fault;
mod grants;
mod history;
mod links;
mod mark;
mod member;
mod milink;
pub mod observe;
mod prepare;
mod probe;
mod probe_mark;
mod proof;
pub mod quote;
mod recover;
mod reported;
mod restore;
mod restored;
mod rights;
mod rivals;
mod room;
mod rows;
pub mod script;
mod session;
mod settings;
mod statement;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod watch_link;
mod xevent;

use std::sync::Arc;

use async_trait::async_trait;

pub use every::every_statement;
pub use grants::{GrantedRight, Grantee, granted_rights, grants_script};
pub use links::{cure_script as link_cure_script, script as link_script};
pub use milink::{
    LinkScript, MilinkNames, cure_script as milink_cure_script, script as milink_script,
    way_back_script as milink_way_back_script,
};
pub use prepare::script as prepare_script;
pub use recover::recover_sql;
pub use restore::{database_sql as restore_database_sql, log_sql as restore_log_sql};
pub use rights::Purpose;
pub use rivals::rival_cure_script;
pub use statement::{Batch, Parameter};

use self::dial::Dial;
use self::session::SqlSession;
use crate::config::{Config, HostConfig};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, Lsn, MarkName, MemberMark, MemberName, Timestamp};
use crate::plan::{
    BackUp, CheckDatabase, EnsureEventSession, EnsureLink, LeaveGroup, PlaceMark, PrepareMember,
    ProbeMark, ProveMark, PutBack, ReadWatch, RecoverDatabase, RestoreDatabase, RestoreLog,
    RunCheck, WatchLink,
};
use crate::run::events::{BackedUp, LinkWatch, MarkCost};
use crate::survey::{HostFacts, HostRoom, MilinkFacts, RivalFacts, TargetFacts};
use crate::world::{CheckAnswer, Clock, FactsWanted, Fleet, RestoredState, StepProgress};

/// The hosts of one configuration. Every verb opens its own connection, so verbs may run side by side.
#[derive(Clone)]
pub struct SqlFleet {
    config: Arc<Config>,
    dial: Arc<dyn Dial>,
    clock: Arc<dyn Clock>,
}

impl SqlFleet {
    /// A fleet that reaches the configuration's hosts through `dial`; `SM9001` where the layer of
    /// [`observe`] is not installed.
    pub fn new(config: Arc<Config>, dial: Arc<dyn Dial>, clock: Arc<dyn Clock>) -> Result<Self> {
        observe::Operation::begin()?;
        Ok(Self {
            config,
            dial,
            clock,
        })
    }

    /// The host's configuration; `SM0103` for one that the file does not name.
    fn host(&self, name: &HostName) -> Result<&HostConfig> {
        self.config.host(name).ok_or_else(|| {
            Error::new(
                Code::ConfigValue,
                format!("the configuration has no host `{name}`"),
            )
            .hint("add a `[hosts.\"NAME\"]` section with this true name")
        })
    }

    /// A new connection to the host of this name. Its address may lead elsewhere from one connection to the next, and what
    /// another host says, or takes of a database that is called the same, would pass for this one's.
    async fn open(&self, name: &HostName) -> Result<SqlSession> {
        let (session, said) = self.open_any(name).await?;
        if said.is_same_host(name) {
            return Ok(session);
        }
        let address = &self.host(name)?.address;
        let message = format!("the server at `{address}` says that its true name is `{said}`");
        Err(Error::new(Code::WrongTrueName, message)
            .at("host", name)
            .hint("see where the address leads; nothing was asked of that server"))
    }

    /// A new connection to whoever answers at the host's address, with the true name that it says: for what looks at that
    /// itself.
    async fn open_any(&self, name: &HostName) -> Result<(SqlSession, HostName)> {
        let policy = &self.config.policy;
        connect::open(
            self.host(name)?,
            self.dial.as_ref(),
            Arc::clone(&self.clock),
            policy.connect_timeout,
            policy.statement_silence_max,
        )
        .await
    }
}

#[async_trait]
impl Fleet for SqlFleet {
    async fn host_facts(&self, host: &HostName, wanted: &FactsWanted) -> Result<HostFacts> {
        facts::host_facts(self, host, wanted).await
    }

    async fn utc_now(&self, host: &HostName) -> Result<Timestamp> {
        facts::utc_now(self, host).await
    }

    async fn databases(&self, host: &HostName) -> Result<Vec<DatabaseName>> {
        probe::databases(self, host).await
    }

    async fn target_facts(&self, host: &HostName) -> Result<TargetFacts> {
        target::target_facts(self, host).await
    }

    async fn milink_facts(&self, host: &HostName, names: &[DatabaseName]) -> Result<MilinkFacts> {
        milink::milink_facts(self, host, names).await
    }

    async fn room(&self, host: &HostName, databases: &[DatabaseName]) -> Result<HostRoom> {
        room::room(self, host, databases).await
    }

    async fn rivals(&self, host: &HostName, databases: &[DatabaseName]) -> Result<RivalFacts> {
        rivals::rivals(self, host, databases).await
    }

    async fn probe_share(&self, host: &HostName, sql_path: &str) -> Result<()> {
        probe::probe_share(self, host, sql_path).await
    }

    async fn ensure_link(&self, host: &HostName, link: &EnsureLink) -> Result<()> {
        links::ensure_link(self, host, link).await
    }

    async fn remove_link(&self, host: &HostName, link: &str) -> Result<()> {
        links::remove_link(self, host, link).await
    }

    async fn test_link(&self, host: &HostName, link: &str) -> Result<HostName> {
        links::test_link(self, host, link).await
    }

    async fn prepare_member(&self, step: &PrepareMember) -> Result<()> {
        prepare::prepare_member(self, step).await
    }

    async fn remove_prepared(&self, member: &MemberName) -> Result<()> {
        prepare::remove_prepared(self, member).await
    }

    async fn trim_mark_log(&self, member: &MemberName, oldest: &MarkName) -> Result<()> {
        prepare::trim_mark_log(self, member, oldest).await
    }

    async fn ensure_event_session(&self, host: &HostName, step: &EnsureEventSession) -> Result<()> {
        event_session::ensure(self, host, step).await
    }

    async fn remove_event_session(&self, host: &HostName, name: &str) -> Result<()> {
        event_session::remove(self, host, name).await
    }

    async fn place_mark(&self, step: &PlaceMark) -> Result<()> {
        mark::place_mark(self, step).await
    }

    async fn probe_mark(&self, step: &ProbeMark) -> Result<MarkCost> {
        probe_mark::probe_mark(self, step).await
    }

    async fn watch_link(&self, host: &HostName, step: &WatchLink) -> Result<()> {
        watch_link::begin(self, host, step).await
    }

    async fn read_watch(&self, host: &HostName, step: &ReadWatch) -> Result<LinkWatch> {
        watch_link::read(self, host, step).await
    }

    async fn mark_history(
        &self,
        host: &HostName,
        mark: &MarkName,
        members: &[DatabaseName],
    ) -> Result<Vec<MemberMark>> {
        history::mark_history(self, host, mark, members).await
    }

    async fn back_up(&self, step: &BackUp, progress: &dyn StepProgress) -> Result<BackedUp> {
        backup::back_up(self, step, progress).await
    }

    async fn hardened(&self, host: &HostName, database: &DatabaseName) -> Result<Option<Lsn>> {
        availability::hardened(self, host, database).await
    }

    async fn find_backup(&self, step: &BackUp) -> Result<Option<BackedUp>> {
        backup::find_backup(self, step).await
    }

    async fn leave_group(&self, host: &HostName, step: &LeaveGroup) -> Result<()> {
        availability::leave_group(self, host, step).await
    }

    async fn restore_database(
        &self,
        host: &HostName,
        step: &RestoreDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        restore::restore_database(self, host, step, progress).await
    }

    async fn restore_log(
        &self,
        host: &HostName,
        step: &RestoreLog,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        restore::restore_log(self, host, step, progress).await
    }

    async fn recover_database(
        &self,
        host: &HostName,
        step: &RecoverDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        recover::recover_database(self, host, step, progress).await
    }

    async fn put_back(&self, host: &HostName, step: &PutBack) -> Result<Vec<String>> {
        settings::put_back(self, host, step).await
    }

    async fn check_database(
        &self,
        host: &HostName,
        step: &CheckDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        drill::check_database(self, host, step, progress).await
    }

    async fn run_check(&self, host: &HostName, step: &RunCheck) -> Result<CheckAnswer> {
        drill::run_check(self, host, step).await
    }

    async fn drop_database(&self, host: &HostName, database: &DatabaseName) -> Result<()> {
        drill::drop_database(self, host, database).await
    }

    async fn newest_mark(&self, host: &HostName, step: &ProveMark) -> Result<RestoredState> {
        proof::newest_mark(self, host, step).await
    }
}
