//! Something between the agent and its world that fails one effect, before or after it was done.
//!
//! Start at [`Strike::world`]. Every call of the hosts, the store and the share passes here and is counted;
//! the one that was asked for fails. It never changes what a call does.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use stopmark::error::{Code, Result};
use stopmark::model::{DatabaseName, HostName, Lsn, MarkName, MemberMark, MemberName, Timestamp};
use stopmark::plan::{
    BackUp, CheckDatabase, EnsureEventSession, EnsureLink, LeaveGroup, PlaceMark, PrepareMember,
    ProbeMark, ProveMark, PutBack, ReadWatch, RecoverDatabase, RestoreDatabase, RestoreLog,
    RunCheck, WatchLink,
};
use stopmark::run::events::{BackedUp, LinkWatch, MarkCost};
use stopmark::survey::{HostFacts, HostRoom, MilinkFacts, RivalFacts, TargetFacts};
use stopmark::world::{CheckAnswer, FactsWanted, Fleet, RestoredState, StepProgress, World};

use crate::fate::{Fate, Fates};
use crate::strike_share::{READING, StruckForeign, StruckStaging};
pub(crate) use crate::strike_share::{Target, When};
use crate::strike_store::StruckStore;

/// One failure to come, or as many as somebody else decides.
pub(crate) struct Strike {
    target: Target,
    when: When,
    seen: Mutex<Seen>,
    fates: Option<Arc<dyn Fates>>,
}

#[derive(Default)]
struct Seen {
    count: usize,
    struck: Option<&'static str>,
    is_mended: bool,
}

impl Strike {
    /// A failure at this effect.
    pub(crate) fn at(target: Target, when: When) -> Arc<Self> {
        Arc::new(Self {
            target,
            when,
            seen: Mutex::default(),
            fates: None,
        })
    }

    /// Failures as somebody else decides.
    pub(crate) fn by(fates: Arc<dyn Fates>) -> Arc<Self> {
        Arc::new(Self {
            target: Target::Nth(0),
            when: When::Before,
            seen: Mutex::default(),
            fates: Some(fates),
        })
    }

    /// The verb that was struck; none if the run had no such effect.
    pub(crate) fn struck(&self) -> Option<&'static str> {
        self.seen().struck
    }

    /// The store is back.
    pub(crate) fn mend(&self) {
        self.seen().is_mended = true;
    }

    /// The world with this strike in it.
    pub(crate) fn world(self: &Arc<Self>, world: &World) -> World {
        World {
            fleet: Arc::new(StruckFleet(world.fleet.clone(), self.clone())),
            store: Arc::new(StruckStore(world.store.clone(), self.clone())),
            staging: Arc::new(StruckStaging(world.staging.clone(), self.clone())),
            foreign: Arc::new(StruckForeign(world.foreign.clone(), self.clone())),
            ..world.clone()
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this effect is the one; each is asked once.
    fn hits(&self, verb: &'static str, key: &str, code: Code) -> bool {
        if self.when == When::After && READING.contains(&verb) {
            return false; // Struck before or after, it comes to the same.
        }
        let mut seen = self.seen();
        seen.count += 1;
        let is_it = match self.target {
            Target::Nth(nth) => seen.count == nth,
            Target::First(wanted) => seen.struck.is_none() && verb == wanted,
            Target::UploadOf(it) => seen.struck.is_none() && verb == "upload" && key.contains(it),
            Target::StoreAway => code == Code::StoreUnreachable && !seen.is_mended,
            Target::HoldBack(_) => false,
        };
        if is_it {
            seen.struck = Some(verb);
        }
        is_it
    }

    /// Whether the store does not let this object go.
    pub(crate) fn holds_back(&self, key: &str) -> bool {
        matches!(self.target, Target::HoldBack(part) if key.contains(part))
    }

    /// Lets an effect through, or fails it.
    pub(crate) async fn pass<T: Send>(
        &self,
        (verb, key): (&'static str, &str),
        code: Code,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let fate = match (&self.fates, self.when) {
            (Some(fates), _) => fates.of(verb, key),
            (None, _) if !self.hits(verb, key, code) => Fate::Passes,
            (None, When::Before) => Fate::FailsBefore,
            (None, When::After) => Fate::FailsAfter,
        };
        fate.meet((verb, code), effect).await
    }
}

/// The hosts, struck; what only BizTalk groups ask is in `strike_biztalk`.
pub(crate) struct StruckFleet(pub(crate) Arc<dyn Fleet>, Arc<Strike>);

impl StruckFleet {
    pub(crate) async fn pass<T: Send>(
        &self,
        verb: &'static str,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.1.pass((verb, ""), Code::ConnectionLost, effect).await
    }
}

#[async_trait]
impl Fleet for StruckFleet {
    async fn host_facts(&self, host: &HostName, wanted: &FactsWanted) -> Result<HostFacts> {
        let facts = self.0.host_facts(host, wanted);
        if wanted.databases.is_empty() {
            return facts.await; // The silence of a host that the run does not need is no failure of the run.
        }
        self.pass("host_facts", facts).await
    }

    async fn utc_now(&self, host: &HostName) -> Result<Timestamp> {
        self.0.utc_now(host).await
    }

    async fn databases(&self, host: &HostName) -> Result<Vec<DatabaseName>> {
        self.pass("databases", self.0.databases(host)).await
    }

    async fn milink_facts(&self, host: &HostName, names: &[DatabaseName]) -> Result<MilinkFacts> {
        self.0.milink_facts(host, names).await
    }

    async fn room(&self, host: &HostName, databases: &[DatabaseName]) -> Result<HostRoom> {
        self.0.room(host, databases).await
    }

    async fn rivals(&self, host: &HostName, databases: &[DatabaseName]) -> Result<RivalFacts> {
        self.0.rivals(host, databases).await
    }

    async fn probe_share(&self, host: &HostName, sql_path: &str) -> Result<()> {
        self.pass("probe_share", self.0.probe_share(host, sql_path))
            .await
    }

    async fn ensure_link(&self, host: &HostName, link: &EnsureLink) -> Result<()> {
        self.pass("ensure_link", self.0.ensure_link(host, link))
            .await
    }

    async fn remove_link(&self, host: &HostName, link: &str) -> Result<()> {
        self.pass("remove_link", self.0.remove_link(host, link))
            .await
    }

    async fn test_link(&self, host: &HostName, link: &str) -> Result<HostName> {
        self.pass("test_link", self.0.test_link(host, link)).await
    }

    async fn prepare_member(&self, step: &PrepareMember) -> Result<()> {
        self.pass("prepare_member", self.0.prepare_member(step))
            .await
    }

    async fn remove_prepared(&self, member: &MemberName) -> Result<()> {
        self.pass("remove_prepared", self.0.remove_prepared(member))
            .await
    }

    async fn trim_mark_log(&self, member: &MemberName, oldest: &MarkName) -> Result<()> {
        let trim = self.0.trim_mark_log(member, oldest);
        self.pass("trim_mark_log", trim).await
    }

    async fn ensure_event_session(&self, host: &HostName, step: &EnsureEventSession) -> Result<()> {
        let made = self.0.ensure_event_session(host, step);
        self.pass("ensure_event_session", made).await
    }

    async fn remove_event_session(&self, host: &HostName, name: &str) -> Result<()> {
        let removed = self.0.remove_event_session(host, name);
        self.pass("remove_event_session", removed).await
    }

    async fn place_mark(&self, step: &PlaceMark) -> Result<()> {
        self.pass("place_mark", self.0.place_mark(step)).await
    }

    async fn probe_mark(&self, step: &ProbeMark) -> Result<MarkCost> {
        self.pass("probe_mark", self.0.probe_mark(step)).await
    }

    async fn watch_link(&self, host: &HostName, step: &WatchLink) -> Result<()> {
        self.pass("watch_link", self.0.watch_link(host, step)).await
    }

    async fn read_watch(&self, host: &HostName, step: &ReadWatch) -> Result<LinkWatch> {
        self.pass("read_watch", self.0.read_watch(host, step)).await
    }

    async fn mark_history(
        &self,
        host: &HostName,
        mark: &MarkName,
        members: &[DatabaseName],
    ) -> Result<Vec<MemberMark>> {
        self.pass("mark_history", self.0.mark_history(host, mark, members))
            .await
    }

    async fn back_up(&self, step: &BackUp, progress: &dyn StepProgress) -> Result<BackedUp> {
        let back_up = async {
            let taken = self.0.back_up(step, progress).await;
            if let (Ok(facts), Some(fates)) = (&taken, &self.1.fates) {
                fates.has_taken(step, facts);
            }
            taken
        };
        self.pass("back_up", back_up).await
    }

    async fn hardened(&self, host: &HostName, database: &DatabaseName) -> Result<Option<Lsn>> {
        self.pass("hardened", self.0.hardened(host, database)).await
    }

    async fn find_backup(&self, step: &BackUp) -> Result<Option<BackedUp>> {
        self.pass("find_backup", self.0.find_backup(step)).await
    }

    async fn leave_group(&self, host: &HostName, step: &LeaveGroup) -> Result<()> {
        self.pass("leave_group", self.0.leave_group(host, step))
            .await
    }

    async fn restore_database(
        &self,
        host: &HostName,
        step: &RestoreDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let restore = self.0.restore_database(host, step, progress);
        self.pass("restore_database", restore).await
    }

    async fn restore_log(
        &self,
        host: &HostName,
        step: &RestoreLog,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let restore = self.0.restore_log(host, step, progress);
        self.pass("restore_log", restore).await
    }

    async fn recover_database(
        &self,
        host: &HostName,
        step: &RecoverDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let recover = self.0.recover_database(host, step, progress);
        self.pass("recover_database", recover).await
    }

    async fn put_back(&self, host: &HostName, step: &PutBack) -> Result<Vec<String>> {
        self.pass("put_back", self.0.put_back(host, step)).await
    }

    async fn target_facts(&self, host: &HostName) -> Result<TargetFacts> {
        self.pass("target_facts", self.0.target_facts(host)).await
    }

    async fn check_database(
        &self,
        host: &HostName,
        step: &CheckDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()> {
        let checked = self.0.check_database(host, step, progress);
        self.pass("check_database", checked).await
    }

    async fn run_check(&self, host: &HostName, step: &RunCheck) -> Result<CheckAnswer> {
        self.pass("run_check", self.0.run_check(host, step)).await
    }

    async fn drop_database(&self, host: &HostName, database: &DatabaseName) -> Result<()> {
        let dropped = self.0.drop_database(host, database);
        self.pass("drop_database", dropped).await
    }

    async fn newest_mark(&self, host: &HostName, step: &ProveMark) -> Result<RestoredState> {
        self.pass("newest_mark", self.0.newest_mark(host, step))
            .await
    }
}
