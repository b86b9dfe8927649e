//! The seams: everything that Stopmark can do to, or learn from, what is not itself.
//!
//! Start at [`World`]. Every effect of the agent passes through one of these traits, so that whoever makes
//! the world owns the tests. There is no fake fleet: tests connect the real one to the simulator.
//!
//! This file holds contracts only; it does nothing itself.

mod biztalk;
mod catalog;
mod log;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use uuid::Uuid;

use crate::config::MarkLogKind;
use crate::error::{Code, Error, Result};
use crate::model::{
    Certificate, DatabaseName, GroupName, HostName, Lsn, MarkName, MarkPrefix, MemberMark,
    MemberName, PieceCopy, RunId, Set, Severity, Sha256Digest, StoreName, StoredStripe, Timestamp,
};
use crate::plan::{
    BackUp, CheckDatabase, EnsureEventSession, EnsureLink, LeaveGroup, PlaceMark, PrepareMember,
    ProbeMark, ProveMark, PutBack, ReadWatch, RecoverDatabase, RestoreDatabase, RestoreLog,
    RunCheck, ShareFile, StagedStripe, WatchLink,
};
use crate::run::events::{BackedUp, Event, LinkWatch, MarkCost};
use crate::survey::{HostFacts, HostRoom, MilinkFacts, RivalFacts, TargetFacts};

pub use biztalk::{BizTalk, OldHistory};
pub use log::{Chained, LogEntry, LogFact};

pub use catalog::{
    Catalog, Counts, Due, DuePlace, Listed, Marked, Owed, PieceProof, PointNeeds, Standing, Taken,
};

/// Everything outside, as one run sees it.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New identities.
    pub ids: Arc<dyn Ids>,
    /// The hosts.
    pub fleet: Arc<dyn Fleet>,
    /// The object store.
    pub store: Arc<dyn Store>,
    /// The files on the shares.
    pub staging: Arc<dyn Staging>,
    /// The backup files of others.
    pub foreign: Arc<dyn Foreign>,
    /// The local index of what the store holds.
    pub catalog: Arc<dyn Catalog>,
    /// The journals of runs.
    pub journals: Arc<dyn Journals>,
    /// The people to be told.
    pub notifier: Arc<dyn Notifier>,
    /// What a person sees of long work.
    pub progress: Arc<dyn Progress>,
}

/// Time: the wall clock for stamps, the monotonic one for waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment, never going back.
    fn monotonic(&self) -> Duration;
    /// Returns when [`Self::monotonic`] has reached `deadline`.
    async fn sleep_until(&self, deadline: Duration);
}

/// The journals of this state folder, one a run.
pub trait Journals: Send + Sync {
    /// Begins the journal of a new run.
    fn create(&self, run: RunId) -> Result<Box<dyn Journal>>;
    /// Opens an unfinished run's journal to go on with it; a torn last line is cut off first.
    fn reopen(&self, run: RunId) -> Result<Box<dyn Journal>>;
    /// The events of a run, in order; a torn last line is left out.
    fn read(&self, run: RunId) -> Result<Vec<Event>>;
    /// Every run that has a journal, oldest first.
    fn runs(&self) -> Result<Vec<RunId>>;
    /// The runs that have begun and not ended, oldest first; without those that this process is carrying out.
    fn unfinished(&self) -> Result<Vec<RunId>>;
    /// The first event of a run, and the last one where it ends the run; none where nothing was written.
    fn ends(&self, run: RunId) -> Result<Option<(Event, Option<Event>)>> {
        let events = self.read(run)?;
        let is_end = |event: &&Event| matches!(event, Event::RunEnded { .. });
        let ended = events.last().filter(is_end).cloned();
        let first = events.into_iter().next();
        Ok(first.map(|first| (first, ended)))
    }
    /// Whether this process is carrying out no run, or only the one that asks.
    fn is_alone(&self) -> bool {
        true
    }
}

/// One run's append-only journal.
pub trait Journal: Send {
    /// Writes one event and returns when it is on the disk. No journal, no deed.
    fn append(&mut self, event: &Event) -> Result<()>;
}

/// New identities, rising with time.
pub trait Ids: Send + Sync {
    /// A UUIDv7.
    fn next(&self) -> Uuid;
}

/// The hosts, spoken to in typed verbs. Every verb connects as its host's configuration says, reads its
/// answer to the end, and leaves no transaction open. Errors name host and member.
#[async_trait]
pub trait Fleet: BizTalk {
    /// Everything that a survey wants of one host: identity, rights, links, and the named databases.
    async fn host_facts(&self, host: &HostName, wanted: &FactsWanted) -> Result<HostFacts>;
    /// What the host's clock shows, `SYSUTCDATETIME()`.
    async fn utc_now(&self, host: &HostName) -> Result<Timestamp>;
    /// The names of all databases of a host.
    async fn databases(&self, host: &HostName) -> Result<Vec<DatabaseName>>;
    /// What a restore must know of a host that it goes to.
    async fn target_facts(&self, host: &HostName) -> Result<TargetFacts>;
    /// What a link to a Managed Instance must know of a host and these of its databases.
    async fn milink_facts(&self, host: &HostName, names: &[DatabaseName]) -> Result<MilinkFacts>;
    /// How much room the logs of these databases and their volumes have left; what the login cannot enter is left out.
    /// `SM0207` where it may see none of it.
    async fn room(&self, host: &HostName, databases: &[DatabaseName]) -> Result<HostRoom>;
    /// Who else backs these databases up, as the host's msdb tells; what the login may not see is told beside.
    async fn rivals(&self, host: &HostName, databases: &[DatabaseName]) -> Result<RivalFacts>;
    /// Writes a tiny `COPY_ONLY` backup of `model` to this file, as the host names it; for `check`.
    async fn probe_share(&self, host: &HostName, sql_path: &str) -> Result<()>;
    /// Makes the link, or mends it in place; the wildcard mapping is dropped, one login mapped.
    async fn ensure_link(&self, host: &HostName, link: &EnsureLink) -> Result<()>;
    /// Removes a link that Stopmark made; one that is not there is no error.
    async fn remove_link(&self, host: &HostName, link: &str) -> Result<()>;
    /// Calls through the link; the true name of the other side.
    async fn test_link(&self, host: &HostName, link: &str) -> Result<HostName>;
    /// Makes table, schema, procedures and grants for marks; safe to run again.
    async fn prepare_member(&self, step: &PrepareMember) -> Result<()>;
    /// Removes what [`Self::prepare_member`] made; safe to run again.
    async fn remove_prepared(&self, member: &MemberName) -> Result<()>;
    /// Deletes the rows of the member's own table of marks that are older than this mark's; none where the
    /// table does not hold it.
    async fn trim_mark_log(&self, member: &MemberName, oldest: &MarkName) -> Result<()>;
    /// Makes the event session that hears errors of others, and starts it; safe to run again.
    async fn ensure_event_session(&self, host: &HostName, step: &EnsureEventSession) -> Result<()>;
    /// Drops that event session; one that is not there is no error.
    async fn remove_event_session(&self, host: &HostName, name: &str) -> Result<()>;
    /// Places the mark in one batch on the management host; returns after COMMIT.
    async fn place_mark(&self, step: &PlaceMark) -> Result<()>;
    /// Tries a mark out as [`Self::place_mark`] would place it; returns after its COMMIT or rollback.
    async fn probe_mark(&self, step: &ProbeMark) -> Result<MarkCost>;
    /// Makes the event session that watches a link, and starts it; safe to run again.
    async fn watch_link(&self, host: &HostName, step: &WatchLink) -> Result<()>;
    /// What that event session saw until now, and what the link's connections have left on the host.
    async fn read_watch(&self, host: &HostName, step: &ReadWatch) -> Result<LinkWatch>;
    /// The mark's place in the history of each of these members of one host; members without it are absent.
    async fn mark_history(
        &self,
        host: &HostName,
        mark: &MarkName,
        members: &[DatabaseName],
    ) -> Result<Vec<MemberMark>>;
    /// Takes a backup and reads its row from msdb. A backup that ends without a new row is `SM0502`.
    async fn back_up(&self, step: &BackUp, progress: &dyn StepProgress) -> Result<BackedUp>;
    /// How far the log of this host's secondary replica of a database is on its disk: where its last block begins. None
    /// where the host has none, or does not say.
    async fn hardened(&self, host: &HostName, database: &DatabaseName) -> Result<Option<Lsn>>;
    /// The row of a backup that was written to this step's files, if msdb has one: for resuming.
    async fn find_backup(&self, step: &BackUp) -> Result<Option<BackedUp>>;
    /// Takes a database out of its availability group, on the primary replica; one that is in none is no error.
    async fn leave_group(&self, host: &HostName, step: &LeaveGroup) -> Result<()>;
    /// Restores a full or differential on `host`, `NORECOVERY`.
    async fn restore_database(
        &self,
        host: &HostName,
        step: &RestoreDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Restores a log on `host` up to the step's mark.
    async fn restore_log(
        &self,
        host: &HostName,
        step: &RestoreLog,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Opens a database that stands by; one that is open already is left so, any other is `SM0801`.
    async fn recover_database(
        &self,
        host: &HostName,
        step: &RecoverDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Puts back owner, settings and users' logins of a restored database; what could not be, a line each.
    async fn put_back(&self, host: &HostName, step: &PutBack) -> Result<Vec<String>>;
    /// `DBCC CHECKDB` of a restored database; `SM0810` when it is not sound.
    async fn check_database(
        &self,
        host: &HostName,
        step: &CheckDatabase,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Asks one of the user's own checks.
    async fn run_check(&self, host: &HostName, step: &RunCheck) -> Result<CheckAnswer>;
    /// Drops a database, whoever is in it; one that is not there is no error. Whose it is the caller knows.
    async fn drop_database(&self, host: &HostName, database: &DatabaseName) -> Result<()>;
    /// State of a restored database and its newest mark. In BizTalk's mark log, which has no order, that is one of the
    /// step's later marks, else the step's mark, else whichever has the greatest stamp.
    async fn newest_mark(&self, host: &HostName, step: &ProveMark) -> Result<RestoredState>;
}

/// What a survey wants of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsWanted {
    /// The members that should be there.
    pub databases: Vec<DatabaseName>,
    /// Whose table carries the marks.
    pub mark_log: MarkLogKind,
    /// The prefix of marks that may be open.
    pub mark_prefix: MarkPrefix,
    /// The host places marks, so it needs links and the rights for them.
    pub is_management_host: bool,
    /// The event session that hears errors of others about the members.
    pub event_session: String,
    /// How full the logs of primary replicas are, since their backups may have to wait.
    pub wants_log_used: bool,
}

/// What one of the user's own checks found in its first result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckAnswer {
    /// How many rows.
    pub rows: usize,
    /// The first cell of the first row as text; none for NULL, or where there is no row.
    pub cell: Option<String>,
}

/// A restored database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredState {
    /// `sys.databases.state_desc`.
    pub state: String,
    /// The newest mark in its table; none where the table is empty or the database not online.
    pub newest: Option<MarkName>,
    /// It was restored `WITH STANDBY`, and can be read.
    pub is_standby: bool,
    /// Transactions that wait for their coordinator's word (session -2).
    pub in_doubt: u32,
}

/// Told how far one long step has come.
pub trait StepProgress: Send + Sync {
    /// Per cent, 0 to 100, as the server counts.
    fn percent(&self, percent: u8);
    /// Bytes done since the last call.
    fn bytes(&self, more: u64);
}

/// What a person sees of long work; silent when the output is not a terminal.
pub trait Progress: Send + Sync {
    /// A step begins; `total_bytes` where it is known.
    fn begin(&self, label: &str, total_bytes: Option<u64>) -> Box<dyn StepProgress>;
    /// Says something that a person who waits should know; nobody hears it where nobody watches.
    fn say(&self, line: &str);
}

/// Looks at a stripe's bytes as they pass, in order, each once.
pub trait Tap: Send {
    /// The next bytes.
    fn bytes(&mut self, bytes: &[u8]);
}

/// The object stores: every object is made once, and none is ever overwritten. Of several the first one leads: it
/// holds the lease and the group's log that counts.
#[async_trait]
pub trait Store: Send + Sync {
    /// The names of the stores, the one that leads first.
    fn names(&self) -> Vec<StoreName>;
    /// One of several stores alone; none where no store has that name.
    fn alone(&self, _name: &StoreName) -> Option<Arc<dyn Store>> {
        None
    }
    /// Makes a copy of a stripe from the first of its copies that gives it whole, digests checked on the way.
    async fn copy(
        &self,
        stripe: &StoredStripe,
        to: &PieceCopy,
        _progress: &dyn StepProgress,
    ) -> Result<()> {
        let message = format!("there is no store `{}` to copy to", to.store);
        Err(Error::new(Code::StoreRefused, message)
            .at("object", &stripe.key)
            .hint("name the store in the configuration"))
    }
    /// Brings what a store lacks of the group's log and manifests there; how many entries. The store that leads
    /// lacks nothing.
    async fn mirror_log(&self, _group: &GroupName, _to: &StoreName) -> Result<u64> {
        Ok(0)
    }
    /// Sends a file under `key` to every store, hashing chunk by chunk in the same pass, and writes its `.chunks`
    /// beside it. An object of that key and content that is there already counts as sent. The stripe names the
    /// copies that were made; an error means that there is none.
    async fn upload(
        &self,
        file: &Path,
        key: &str,
        tap: &mut dyn Tap,
        progress: &dyn StepProgress,
    ) -> Result<StoredStripe>;
    /// Reads every copy that the stripe names back and compares it with its digests; `whole` or only its size.
    async fn prove(
        &self,
        stripe: &StoredStripe,
        whole: bool,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Compares sizes and some of the bytes: the first and the last chunk, and others by chance.
    async fn prove_sample(&self, stripe: &StoredStripe, progress: &dyn StepProgress) -> Result<()>;
    /// Brings a stripe to a file from the first of its copies that gives it whole, digests checked before the file
    /// gets its name.
    async fn fetch(
        &self,
        stripe: &StoredStripe,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<()>;
    /// Writes a set's manifest, create-if-absent; its key and digest. The same set twice is no error.
    async fn write_manifest(&self, set: &Set) -> Result<(String, Sha256Digest)>;
    /// Writes a drill's certificate, create-if-absent; its key and digest. One that is there already counts.
    async fn write_certificate(&self, certificate: &Certificate) -> Result<(String, Sha256Digest)>;
    /// Reads a certificate that the group's log names, digest checked.
    async fn read_certificate(&self, key: &str, digest: Sha256Digest) -> Result<Certificate>;
    /// Appends to the group's log; the new entry's number. Only one writer can create an entry.
    async fn append(&self, group: &GroupName, fact: LogFact) -> Result<u64>;
    /// All entries after `after`, in order, hash chain checked.
    async fn log_after(&self, group: &GroupName, after: u64) -> Result<Vec<LogEntry>>;
    /// The same, some entries at a time, each with its digest as stored: a log may hold more than memory does.
    /// `digest` is what the entry `after` had when it was read before; it must be the same still.
    fn log_batches<'a>(
        &'a self,
        group: &'a GroupName,
        after: u64,
        digest: Option<Sha256Digest>,
    ) -> BoxStream<'a, Result<Vec<Chained>>>;
    /// The sets that log entries name by manifest and digest, digests checked, in the order asked.
    async fn read_sets(
        &self,
        group: &GroupName,
        named: Vec<(String, Sha256Digest)>,
    ) -> Result<Vec<Set>>;
    /// The set that a log entry names, digest checked.
    async fn read_set(
        &self,
        group: &GroupName,
        manifest_key: &str,
        digest: Sha256Digest,
    ) -> Result<Set>;
    /// Takes the group's lease, or renews it; `SM0706` names the holder when another has it.
    async fn take_lease(&self, group: &GroupName) -> Result<()>;
    /// Takes the lease or renews it where that can be done at once, and else says who holds it: for agents that stand
    /// by. An agent that asks again and again learns when the holder has gone.
    async fn stand(&self, group: &GroupName) -> Result<Footing> {
        self.take_lease(group).await.map(|()| Footing::Active)
    }
    /// Whether this agent was the last that was known to hold the group's lease. Only such a one goes on without a
    /// lease while the store does not answer.
    fn held_last(&self, _group: &GroupName) -> bool {
        false
    }
    /// Gives the lease up.
    async fn release_lease(&self, group: &GroupName) -> Result<()>;
    /// Whether create-if-absent is honoured, found by creating this object twice; it is left there.
    async fn honours_create(&self, key: &str) -> Result<bool>;
    /// Removes the object that [`Self::honours_create`] made; one that is not there is no error.
    async fn remove_probe(&self, key: &str) -> Result<()>;
    /// Gives up unfinished uploads of the group that nobody will go on with; how many. The lease must be held.
    async fn sweep(&self, group: &GroupName) -> Result<u64>;
    /// Removes all objects of a stripe that was let go; what is gone already is no error, what the store holds
    /// back is an answer. The lease must be held.
    async fn remove(&self, group: &GroupName, stripe: &StoredStripe) -> Result<Removal>;
}

/// How an agent stands with the group's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Footing {
    /// It holds the lease.
    Active,
    /// Another agent holds it.
    Standby {
        /// That agent.
        holder: String,
        /// When it counts as gone unless it renews, on the asking agent's monotonic clock.
        until: Duration,
    },
}

/// What became of objects that were to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They are gone.
    Gone,
    /// A lock, a hold or a missing right keeps one of them; the next prune asks again.
    HeldBack {
        /// The store's words.
        reason: String,
    },
}

/// The files that hosts write to and read from the shares, as the agent sees them.
#[async_trait]
pub trait Staging: Send + Sync {
    /// The sizes of these files in bytes; a missing one is `SM0503`.
    async fn sizes(&self, stripes: &[StagedStripe]) -> Result<Vec<u64>>;
    /// Makes the folders that these files lie in, so that the host may write there.
    async fn make_room(&self, stripes: &[StagedStripe]) -> Result<()>;
    /// Requires that the folders of these files are there, and makes none: `SM0503` where one is not.
    async fn require_folders(&self, stripes: &[StagedStripe]) -> Result<()>;
    /// Removes these files; a missing one is no error.
    async fn remove(&self, files: &[std::path::PathBuf]) -> Result<()>;
    /// The files right in this folder; none where there is no such folder.
    async fn list(&self, folder: &Path) -> Result<Vec<ShareFile>>;
}

/// The backup files of others, wherever they lie: they are read, and nothing else is ever done to them.
#[async_trait]
pub trait Foreign: Send + Sync {
    /// Makes the file at this path or URL readable as a file of this machine: itself, or a copy of an object
    /// in a bucket. `SM0723` when there is nothing at the place any more.
    async fn bring(&self, place: &str, progress: &dyn StepProgress) -> Result<Brought>;
    /// Removes the copy, if one was made.
    async fn let_go(&self, brought: Brought);
}

/// A foreign file at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Where it can be read.
    pub path: std::path::PathBuf,
    /// It is a copy of our own, to be removed.
    pub is_copy: bool,
}

/// The people to be told; a failure to tell is a warning in the record, never an error of the run.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Shows or sends one notice.
    async fn tell(&self, notice: &Notice) -> std::result::Result<(), String>;
    /// Says that all is well to whoever would otherwise raise an alarm.
    async fn beat(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// A few lines.
    pub body: String,
    /// Trouble, or else the end of it, or a piece of good news.
    pub is_bad: bool,
    /// How grave it is; of the end of trouble, how grave that was.
    pub severity: Severity,
}
