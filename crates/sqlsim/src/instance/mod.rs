//! An instance: a folder of databases with one name, one clock, its logins and its sessions.
//!
//! Start at [`Instance::open`]. The instance knows which databases there are and who is connected;
//! what a statement means is told in `session/`. It survives being killed at any moment: all that
//! it knows is in its databases.

mod applock;
mod backend;
mod bootstrap;
mod database;
pub mod estate;
mod logins;
mod options;
mod paths;
mod sessions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

pub use applock::{AppLocks, LockMode, LockName, LockOwner};
pub use backend::InstanceBackend;
pub use bootstrap::run_script;
pub use database::{DatabaseHandle, DatabaseRecord};
pub use logins::SERVER_ROLES;
pub use options::{InstanceOptions, ServerName, Version};
pub use paths::{PathMap, Unreachable};
pub use sessions::{Activity, RunningRequest, SessionRecord, Sessions};

use crate::availability;
use crate::catalog::record;
use crate::clock::HostClock;
use crate::dtc::Dtc;
use crate::error::SqlResult;
use crate::events::Events;
use crate::faults::Faults;
use crate::messages;
use crate::storage::{Database, DatabaseFiles, Disk, NewDatabase, RecoveryModel, TxId};

/// One simulated SQL Server.
#[derive(Debug)]
pub struct Instance {
    /// What it was told at its start.
    pub options: InstanceOptions,
    /// The host's clock.
    pub clock: HostClock,
    /// Who is connected.
    pub sessions: Sessions,
    /// Application locks.
    pub app_locks: AppLocks,
    /// The host's part in distributed transactions.
    pub dtc: Arc<Dtc>,
    /// What it knows of the other replicas of its availability groups.
    pub replicas: availability::Known,
    /// Event sessions that run.
    pub events: Events,
    /// Faults that tests have armed.
    pub faults: Faults,
    /// The files of the host.
    pub disk: Arc<dyn Disk>,
    folder: PathBuf,
    databases: RwLock<BTreeMap<String, Arc<DatabaseHandle>>>,
    next_transaction: AtomicU64,
}

/// The collation of every database; comparisons follow it.
pub const COLLATION: &str = "SQL_Latin1_General_CP1_CI_AS";

/// The first `database_id` that a user's database gets.
const FIRST_USER_DATABASE: i32 = 5;

impl Instance {
    /// Opens the instance in `folder`, making it if there is none. Every database is recovered;
    /// transactions that another host coordinates stay in doubt until that host is asked.
    pub async fn open(folder: &Path, options: InstanceOptions) -> SqlResult<Arc<Self>> {
        let instance = Arc::new(Self::new(folder, options));
        // Boxed, because making msdb runs a script in a session.
        Box::pin(bootstrap::open(&instance)).await?;
        Ok(instance)
    }

    fn new(folder: &Path, options: InstanceOptions) -> Self {
        let clock = HostClock::new(Arc::clone(&options.clock), options.offset_minutes);
        let dtc = Arc::new(Dtc::new(Arc::clone(&options.clock), options.dtc_timeout));
        let faults = Faults::default();
        let disk = faults.mortal(options.disk());
        Self {
            options,
            clock,
            sessions: Sessions::default(),
            app_locks: AppLocks::default(),
            dtc,
            replicas: availability::Known::default(),
            events: Events::default(),
            faults,
            disk,
            folder: folder.to_owned(),
            databases: RwLock::default(),
            next_transaction: AtomicU64::new(1),
        }
    }

    /// The true name: `SERVERPROPERTY('ServerName')`.
    #[must_use]
    pub fn name(&self) -> String {
        self.options.server_name.to_string()
    }

    /// The folder that holds everything of the instance.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A number for a new transaction, unlike any since the start.
    #[must_use]
    pub fn next_transaction(&self) -> TxId {
        TxId(self.next_transaction.fetch_add(1, Ordering::Relaxed))
    }

    /// A new GUID; later ones sort after earlier ones.
    #[must_use]
    pub fn new_guid(&self) -> Uuid {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            seconds,
            nanoseconds,
        ))
    }

    /// A database by name, whatever its case and state.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<Arc<DatabaseHandle>> {
        let all = self
            .databases
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(&name.to_lowercase()).cloned()
    }

    /// A database by name, or error 911.
    pub fn needed_database(&self, name: &str) -> SqlResult<Arc<DatabaseHandle>> {
        self.database(name)
            .ok_or_else(|| messages::database_not_found(name))
    }

    /// All databases in the order of their numbers.
    #[must_use]
    pub fn databases(&self) -> Vec<Arc<DatabaseHandle>> {
        let all = self
            .databases
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = all.values().cloned().collect();
        list.sort_by_key(|db| db.id());
        list
    }

    /// The database `master`. It is there from the start of [`Instance::open`] on.
    #[must_use]
    pub fn master(&self) -> Arc<DatabaseHandle> {
        self.database("master")
            .expect("an instance is handed out only after master was opened")
    }

    /// Runs `work` in a transaction of its own in one database; an error rolls it back.
    pub fn change<T>(
        &self,
        db: &DatabaseHandle,
        work: impl FnOnce(&Database, TxId) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let outcome = self.change_storage(&db.storage(), work);
        db.forget_schema();
        outcome
    }

    /// Runs `work` in a transaction of its own in master, which no catalog of objects shows.
    pub fn change_quietly<T>(
        &self,
        work: impl FnOnce(&Database, TxId) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.change_storage(&self.master().storage(), work)
    }

    /// Where the files of a new database go unless it is said otherwise.
    #[must_use]
    pub fn default_files(&self, name: &str) -> DatabaseFiles {
        let safe = |c: char| {
            if c.is_alphanumeric() || "-_ ".contains(c) {
                c
            } else {
                '_'
            }
        };
        let stem: String = name.chars().take(60).map(safe).collect();
        let unlike = |stem: &str| {
            !self
                .disk
                .exists(&self.data_folder().join(format!("{stem}.mdf")))
        };
        let numbered = (2..u32::MAX).map(|n| format!("{stem}_{n}"));
        let stem = std::iter::once(stem.clone())
            .chain(numbered)
            .find(|stem| unlike(stem))
            .unwrap_or(stem);
        let data = self.data_folder().join(format!("{stem}.mdf"));
        let log = self.data_folder().join(format!("{stem}_log.ldf"));
        DatabaseFiles {
            data_logical_name: name.to_owned(),
            log_logical_name: log_name(name),
            data_physical_name: data.display().to_string(),
            log_physical_name: log.display().to_string(),
            data,
            log,
        }
    }

    /// `SERVERPROPERTY('InstanceDefaultDataPath')`.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// `SERVERPROPERTY('InstanceDefaultBackupPath')`.
    #[must_use]
    pub fn backup_folder(&self) -> PathBuf {
        self.folder.join("backup")
    }

    /// Where event files go unless it is said otherwise.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Makes a database: 1801 when the name is taken, 5170 when a file is there.
    pub fn create_database(
        &self,
        name: &str,
        files: DatabaseFiles,
        model: RecoveryModel,
        owner_sid: &[u8],
    ) -> SqlResult<Arc<DatabaseHandle>> {
        if self.database(name).is_some() {
            return Err(messages::database_exists(name));
        }
        let new = NewDatabase {
            name: name.to_owned(),
            database_guid: self.new_guid(),
            family_guid: self.new_guid(),
            fork_guid: self.new_guid(),
            created: self.clock.local(),
            recovery_model: model,
            compatibility_level: self.options.version.compatibility_level(),
            collation: COLLATION.to_owned(),
        };
        let storage = Arc::new(Database::create(
            Arc::clone(&self.disk),
            files.clone(),
            &new,
        )?);
        self.change_storage(&storage, |db, tx| {
            bootstrap::fill_catalog(db, tx, owner_sid)
        })?;
        self.register_database(name, files, storage, owner_sid)
    }

    /// Takes an open storage under a name that is not taken yet, as CREATE DATABASE and RESTORE do.
    pub fn register_database(
        &self,
        name: &str,
        files: DatabaseFiles,
        storage: Arc<Database>,
        owner_sid: &[u8],
    ) -> SqlResult<Arc<DatabaseHandle>> {
        let record = DatabaseRecord {
            id: self.free_database_id(name),
            name: name.to_owned(),
            files,
            owner_sid: owner_sid.to_vec(),
            created: self.clock.local(),
            compatibility_level: self.options.version.compatibility_level(),
            options: Vec::new(),
        };
        if !name.eq_ignore_ascii_case("master") {
            let master = self.master();
            self.change(&master, |db, tx| record::add(db, tx, &record).map(drop))?;
        }
        Ok(self.attach(record, storage))
    }

    fn attach(&self, record: DatabaseRecord, storage: Arc<Database>) -> Arc<DatabaseHandle> {
        let key = record.name.to_lowercase();
        let handle = Arc::new(DatabaseHandle::new(record, storage));
        let mut all = self
            .databases
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(key, Arc::clone(&handle));
        handle
    }

    /// Forgets a database and removes its files. The caller has made sure that nobody uses it.
    pub fn drop_database(&self, db: &DatabaseHandle) -> SqlResult<()> {
        let name = db.name();
        let files = db.storage().facts().files;
        self.change(&self.master(), |master, tx| {
            for (row, record) in record::all::<DatabaseRecord>(master, Some(tx)) {
                if record.id == db.id() {
                    record::remove::<DatabaseRecord>(master, tx, row)?;
                }
            }
            Ok(())
        })?;
        let mut all = self
            .databases
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.remove(&name.to_lowercase());
        drop(all);
        for file in [&files.data, &files.log] {
            // The database is gone from master; a file that stays behind is only litter.
            let _ = self.disk.remove(file);
        }
        Ok(())
    }

    /// Changes what master remembers of a database: its name, owner, files or options.
    pub fn change_record(
        &self,
        db: &DatabaseHandle,
        change: impl FnOnce(&mut DatabaseRecord),
    ) -> SqlResult<()> {
        let before = db.record();
        let mut after = before.clone();
        change(&mut after);
        self.change(&self.master(), |master, tx| {
            let known = record::all::<DatabaseRecord>(master, Some(tx));
            match known.iter().find(|(_, record)| record.id == before.id) {
                Some((row, _)) => record::replace(master, tx, *row, &after),
                None => Ok(()),
            }
        })?;
        let mut all = self
            .databases
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = all.remove(&before.name.to_lowercase()) {
            handle.set_record(after.clone());
            all.insert(after.name.to_lowercase(), handle);
        }
        Ok(())
    }

    /// Ends every session, writes checkpoints and closes the files. Dropping an instance without
    /// this is a kill.
    pub fn shut_down(&self) -> SqlResult<()> {
        self.sessions.kill_all();
        self.databases()
            .iter()
            .try_for_each(|db| db.storage().shutdown())
    }

    fn change_storage<T>(
        &self,
        storage: &Database,
        work: impl FnOnce(&Database, TxId) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let tx = self.next_transaction();
        storage.begin(tx)?;
        let outcome = work(storage, tx).and_then(|value| {
            storage.commit(tx, self.clock.local(), None)?;
            Ok(value)
        });
        if outcome.is_err() {
            // The first error tells more than a second one about the undoing of it.
            let _ = storage.rollback(tx);
        }
        outcome
    }

    fn free_database_id(&self, name: &str) -> i32 {
        let system = bootstrap::SYSTEM_DATABASES
            .iter()
            .position(|s| s.eq_ignore_ascii_case(name));
        if let Some(Ok(position)) = system.map(i32::try_from) {
            return position + 1;
        }
        let used: Vec<i32> = self.databases().iter().map(|db| db.id()).collect();
        (FIRST_USER_DATABASE..i32::MAX)
            .find(|id| !used.contains(id))
            .unwrap_or(i32::MAX)
    }
}

/// The log file's logical name: the database's with `_log` behind it, cut so that it is a name. SQL Server
/// allows a database whose log is not named 123 characters for this reason; here 128 are let through.
fn log_name(database: &str) -> String {
    const NAME_UNITS_MAX: usize = 128;
    const SUFFIX: &str = "_log";
    let mut name = database.to_owned();
    while name.encode_utf16().count() + SUFFIX.len() > NAME_UNITS_MAX {
        name.pop();
    }
    name + SUFFIX
}
