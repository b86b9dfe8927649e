//! RESTORE DATABASE and RESTORE LOG as statements: rights, options, messages, history.
//!
//! Start at [`Session::restore`]. The work is done by `backup/` on a thread that may block; the
//! four statements that only read are in `media_info.rs`. Causes are sent first, then 3013.

use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use super::backup::{Reporter, aborted};
use super::devices::{FaultyDevices, Meter};
use super::standby::UndoFile;
use crate::backup::{
    self, AfterRestore, MoveFile, RestoreOutcome, RestoreRequest, Stop, Surroundings,
};
use crate::error::{SqlError, SqlResult};
use crate::faults::FaultKind;
use crate::instance::{DatabaseHandle, Instance, Unreachable};
use crate::lang::ast::{NamedOption, Restore, RestoreKind, find_option};
use crate::messages;
use crate::msdb::backups::{RestoreFacts, record_restore};
use crate::storage::Database;
use crate::value::{SqlType, Typed, Value, convert};

/// Options of RESTORE that change nothing that can be seen here.
const ACCEPTED: [&str; 18] = [
    "NO_CHECKSUM",
    "STOP_ON_ERROR",
    "CONTINUE_AFTER_ERROR",
    "REWIND",
    "NOREWIND",
    "UNLOAD",
    "NOUNLOAD",
    "MAXTRANSFERSIZE",
    "BUFFERCOUNT",
    "BLOCKSIZE",
    "RESTART",
    "RESTRICTED_USER",
    "NEW_BROKER",
    "ENABLE_BROKER",
    "ERROR_BROKER_CONVERSATIONS",
    "KEEP_REPLICATION",
    "KEEP_CDC",
    "MEDIANAME",
];
/// Options of a database that a restore leaves OFF, whatever was there before.
const RESET: [&str; 3] = ["TRUSTWORTHY", "DB_CHAINING", "BROKER"];
/// Options that are done.
const KNOWN: [&str; 11] = [
    "FILE",
    "STATS",
    "MOVE",
    "REPLACE",
    "RECOVERY",
    "NORECOVERY",
    "STANDBY",
    "CHECKSUM",
    "STOPAT",
    "STOPATMARK",
    "STOPBEFOREMARK",
];

/// What runs on the thread that may block.
struct Job {
    instance: Arc<Instance>,
    existing: Option<Arc<DatabaseHandle>>,
    request: RestoreRequest,
    devices: FaultyDevices,
    is_log: bool,
    /// The undo file to be made.
    undo: Option<UndoFile>,
    surroundings: Neighbours,
}

impl Session {
    /// `RESTORE`.
    pub(super) async fn restore(&mut self, restore: &Restore) -> SqlResult<()> {
        let statement = match restore.kind {
            RestoreKind::Database => "RESTORE DATABASE",
            RestoreKind::Log => "RESTORE LOG",
            RestoreKind::HeaderOnly => "RESTORE HEADERONLY",
            RestoreKind::FileListOnly => "RESTORE FILELIST",
            RestoreKind::LabelOnly => "RESTORE LABELONLY",
            RestoreKind::VerifyOnly => "VERIFY DATABASE",
        };
        let done = match restore.kind {
            RestoreKind::Database | RestoreKind::Log => {
                self.restore_database(restore, statement).await
            }
            _ => self.read_media(restore).await,
        };
        match done {
            Err(cause) if !matches!(cause.number, 102 | 137 | 155 | 156) => {
                self.report_cause(cause).await;
                Err(messages::terminating_abnormally(statement))
            }
            done => done,
        }
    }

    async fn restore_database(&mut self, restore: &Restore, statement: &str) -> SqlResult<()> {
        if self.transaction_count() > 0 {
            return Err(messages::backup_in_transaction());
        }
        check_options(&restore.options)?;
        let name = restore
            .database
            .as_ref()
            .map(|name| self.name_of(name))
            .transpose()?;
        let name = name.unwrap_or_default();
        let existing = self.instance.database(&name);
        self.may_restore(&name, existing.as_ref())?;
        if let Some(error) = self.instance.faults.statement_failure(statement, &name) {
            return Err(error);
        }
        if restore.devices.is_empty() {
            return self.recover_only(&name, existing, statement).await;
        }
        let request = self.restore_request(restore, &name)?;
        let surroundings = Neighbours {
            instance: Arc::clone(&self.instance),
            database: existing.as_ref().map(|db| db.id()),
            name: name.clone(),
            session: self.record.id,
        };
        let is_log = restore.kind == RestoreKind::Log;
        let undo = self.option_text(&restore.options, "STANDBY")?;
        let undo = undo
            .map(|name| UndoFile::named(&self.instance, name))
            .transpose()?;
        let devices = self.watched(&request, statement, self.stats(&restore.options)?);
        let instance = Arc::clone(&self.instance);
        let job = Job {
            instance,
            existing,
            request,
            devices,
            is_log,
            undo,
            surroundings,
        };
        self.run_restore(job).await
    }

    /// A new database takes the right to make one (262), an existing one its owner's (3110).
    fn may_restore(&self, name: &str, existing: Option<&Arc<DatabaseHandle>>) -> SqlResult<()> {
        if name.eq_ignore_ascii_case("master") {
            // 3108
            return Err(SqlError::new(
                3108,
                16,
                "To restore the master database, the server must \
                be running in single-user mode. For information on starting in single-user mode, \
                see \"How to: Start an Instance of SQL Server (sqlservr.exe)\" in Books Online.",
            ));
        }
        let Some(existing) = existing else {
            return self.require_server("CREATE ANY DATABASE");
        };
        let is_owner = existing.record().owner_sid == self.login().sid;
        if is_owner || self.has_server("CREATE ANY DATABASE") {
            return crate::availability::not_a_member(&self.instance, name);
        }
        Err(messages::restore_permission(name))
    }

    async fn recover_only(
        &mut self,
        name: &str,
        existing: Option<Arc<DatabaseHandle>>,
        statement: &str,
    ) -> SqlResult<()> {
        let database = existing.ok_or_else(|| messages::database_not_found(name))?;
        if let Some(undo) = UndoFile::of(&self.instance, &database) {
            undo.check(&database)?;
        }
        backup::recover(&database.storage(), self.instance.new_guid())?;
        database.forget_schema();
        UndoFile::replace(&self.instance, &database, None)?;
        self.output
            .message(messages::successfully_processed(statement, 0, 1))
            .await;
        Ok(())
    }

    /// The devices of a restore: what is read of them is told as progress, and the statement may be ended there.
    fn watched(&self, request: &RestoreRequest, statement: &str, stats: i64) -> FaultyDevices {
        let faults = &self.instance.faults;
        let reporter = Reporter::new(self.output.answer(), Arc::clone(&self.record), stats);
        FaultyDevices {
            stall: faults
                .strike(FaultKind::StallBackup, statement, &request.database)
                .map(|fault| (fault.offset_bytes, faults.cleared())),
            cancelled: vec![
                self.cancel.clone(),
                self.record.killed.clone(),
                faults.killed(),
            ],
            meter: Some(Arc::new(Meter::new(&request.devices, reporter))),
            ..FaultyDevices::default()
        }
    }

    async fn run_restore(&mut self, job: Job) -> SqlResult<()> {
        let begun = self.instance.clock.monotonic();
        let owner = self.login().sid.clone();
        let working = tokio::task::spawn_blocking(move || {
            let outcome = job.run(&owner);
            (job, outcome)
        });
        let ended = working.await;
        self.record.update(|now| {
            if let Some(request) = &mut now.request {
                request.percent = 0.0;
            }
        });
        let (job, outcome) = ended.map_err(|_| messages::restore_planning_failed())?;
        let outcome = outcome?;
        let facts = RestoreFacts {
            database: &job.request.database,
            user_name: &self.login().name.clone(),
            devices: &job.request.devices,
            kind: outcome.set.kind.letter(),
            replace: job.request.replace,
            recovery: job.request.after == AfterRestore::Recovery,
            stop: job.request.stop.as_ref(),
        };
        if record_restore(&self.instance, &outcome, &facts).is_err() {
            self.output.message(messages::history_not_written()).await;
        }
        let spent = self.instance.clock.monotonic().saturating_sub(begun);
        let milliseconds = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        for message in outcome.messages(milliseconds) {
            self.output.message(message).await;
        }
        Ok(())
    }

    fn restore_request(&self, restore: &Restore, name: &str) -> SqlResult<RestoreRequest> {
        let options = &restore.options;
        let has = |name| find_option(options, name).is_some();
        let after = match (has("NORECOVERY"), has("STANDBY"), has("RECOVERY")) {
            (false, false, _) => AfterRestore::Recovery,
            (true, false, false) => AfterRestore::NoRecovery,
            (false, true, false) => AfterRestore::Standby,
            _ => return Err(messages::options_conflict("RECOVERY", "NORECOVERY")),
        };
        Ok(RestoreRequest {
            database: name.to_owned(),
            devices: self.devices(&restore.devices)?,
            position: self.file_number(options)?,
            checksum: has("CHECKSUM"),
            replace: has("REPLACE"),
            moves: self.moves(options)?,
            after,
            stop: self.stop(options)?,
            fork_guid: self.instance.new_guid(),
            database_guid: self.instance.new_guid(),
            now: self.instance.clock.local(),
            version: self.host_identity().version,
            database_version: self.instance.options.version.database_version(),
        })
    }

    /// `FILE = n`, 1 without it.
    pub(super) fn file_number(&self, options: &[NamedOption]) -> SqlResult<u16> {
        let value = find_option(options, "FILE").and_then(|option| option.values.first());
        let Some(value) = value.map(|value| self.evaluate(value)).transpose()? else {
            return Ok(1);
        };
        let number = value.value.as_int().unwrap_or_default();
        u16::try_from(number).map_err(|_| messages::parameter_range(number, "FILE"))
    }

    fn moves(&self, options: &[NamedOption]) -> SqlResult<Vec<MoveFile>> {
        let mut moves = Vec::new();
        for option in options.iter().filter(|option| option.name == "MOVE") {
            let texts: SqlResult<Vec<_>> =
                option.values.iter().map(|value| self.text(value)).collect();
            let mut texts = texts?.into_iter().map(Option::unwrap_or_default);
            moves.push(MoveFile {
                logical_name: texts.next().unwrap_or_default(),
                physical_name: texts.next().unwrap_or_default(),
            });
        }
        Ok(moves)
    }

    fn stop(&self, options: &[NamedOption]) -> SqlResult<Option<Stop>> {
        let found = ["STOPAT", "STOPATMARK", "STOPBEFOREMARK"];
        let found = found.iter().find_map(|name| find_option(options, name));
        let Some(option) = found else { return Ok(None) };
        let mut values = option.values.iter();
        let first = values
            .next()
            .map(|value| self.evaluate(value))
            .transpose()?;
        let first = first.unwrap_or(Typed::null(SqlType::SYSNAME));
        let after = values
            .next()
            .map(|value| self.time(&self.evaluate(value)?))
            .transpose()?;
        Ok(Some(match option.name.as_str() {
            "STOPAT" => Stop::AtTime(self.time(&first)?),
            "STOPATMARK" => Stop::at_mark(first.value.as_text().unwrap_or_default(), after)?,
            _ => Stop::before_mark(first.value.as_text().unwrap_or_default(), after)?,
        }))
    }

    /// A time that was given as text or as a time.
    #[expect(
        clippy::unused_self,
        reason = "it reads like the other readers of options"
    )]
    fn time(&self, given: &Typed) -> SqlResult<jiff::civil::DateTime> {
        match convert::cast(given, SqlType::DateTime2(7), None)? {
            Value::DateTime(time) => Ok(time),
            _ => Err(messages::date_conversion_failed()),
        }
    }
}

impl Job {
    fn run(&self, owner: &[u8]) -> SqlResult<RestoreOutcome> {
        if let Some(existing) = self.existing.as_ref().filter(|_| !self.request.replace)
            && let Some(undo) = UndoFile::of(&self.instance, existing)
        {
            undo.check(existing)?;
        }
        if let Some(undo) = &self.undo {
            undo.make()?;
        }
        let outcome = self.restore(owner).map_err(|cause| {
            if self.devices.is_cancelled() {
                return aborted();
            }
            cause
        })?;
        if let Some(meter) = &self.devices.meter {
            meter.ends();
        }
        if let Some(database) = self.instance.database(&self.request.database) {
            UndoFile::replace(&self.instance, &database, self.undo.as_ref())?;
        }
        Ok(outcome)
    }

    fn restore(&self, owner: &[u8]) -> SqlResult<RestoreOutcome> {
        let devices = &self.devices;
        let storage = self.existing.as_ref().map(|db| db.storage());
        let existing = storage.as_deref();
        if self.is_log {
            let outcome =
                backup::restore_log(devices, existing, &self.request, &self.surroundings)?;
            if let Some(database) = &self.existing {
                database.forget_schema();
            }
            return Ok(outcome);
        }
        let restored = backup::restore_database(
            &self.instance.disk,
            devices,
            existing,
            &self.request,
            &self.surroundings,
        )?;
        match restored.database {
            Some(database) => self.take(database, &restored.outcome, owner)?,
            None => self.existing.iter().for_each(|db| db.forget_schema()),
        }
        Ok(restored.outcome)
    }

    /// Puts a restored database in its place.
    fn take(&self, database: Database, outcome: &RestoreOutcome, owner: &[u8]) -> SqlResult<()> {
        let storage = Arc::new(database);
        let files = outcome.files.clone();
        if let Some(existing) = &self.existing {
            existing.set_storage(storage);
            return self.instance.change_record(existing, |record| {
                record.files = files;
                let is_reset = |name: &str| RESET.contains(&name);
                record.options.retain(|(name, _)| !is_reset(name));
            });
        }
        let name = &self.request.database;
        self.instance
            .register_database(name, files, storage, owner)
            .map(drop)
    }
}

/// What else there is on the instance, as a restore asks for it.
struct Neighbours {
    instance: Arc<Instance>,
    database: Option<i32>,
    name: String,
    session: i16,
}

impl Surroundings for Neighbours {
    fn path_of(&self, physical_name: &str) -> Result<PathBuf, Unreachable> {
        let home = self.instance.data_folder();
        self.instance.options.paths.resolve(physical_name, &home)
    }

    fn user_of(&self, physical_name: &str) -> Option<String> {
        let path = self.path_of(physical_name).ok()?;
        let uses = |db: &&Arc<DatabaseHandle>| {
            let files = db.storage().facts().files;
            Some(db.id()) != self.database && (files.data == path || files.log == path)
        };
        self.instance
            .databases()
            .iter()
            .find(uses)
            .map(|db| db.name())
    }

    fn exclusive(&self) -> SqlResult<()> {
        let sessions = self.instance.sessions.list();
        let inside = sessions
            .iter()
            .filter(|s| Some(s.activity().database) == self.database);
        let mut numbers = inside.map(|session| session.id);
        match numbers.next() {
            None => Ok(()),
            Some(id) if id == self.session => Err(messages::database_in_use_by_session(&self.name)),
            Some(_) => Err(messages::database_in_use_by_others()),
        }
    }
}

/// Raises 155 for an option that RESTORE does not have.
fn check_options(options: &[NamedOption]) -> SqlResult<()> {
    let is_known = |name: &str| ACCEPTED.contains(&name) || KNOWN.contains(&name);
    match options.iter().find(|option| !is_known(&option.name)) {
        Some(option) => Err(messages::unrecognized_option(&option.name, "RESTORE")),
        None => Ok(()),
    }
}
