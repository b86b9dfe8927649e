//! BACKUP DATABASE and BACKUP LOG as statements: rights, options, messages, progress, history.
//!
//! Start at [`Session::backup`]. The work itself is done by `backup/` on a thread that may block;
//! its progress reaches the client while it runs. Causes are sent first, then 3013.

use std::sync::Arc;

use super::Session;
use crate::availability::{Noted, Primary, group_of, may_back_up};
use crate::backup::{
    self, BackupOutcome, BackupRequest, Compression, Device, HostIdentity, LogBackupMode,
};
use crate::error::{SqlError, SqlResult};
use crate::faults::FaultKind;
use crate::instance::{DatabaseHandle, SessionRecord};
use crate::lang::ast::{self, Backup, BackupTarget, DeviceKind, NamedOption, find_option};
use crate::messages;
use crate::msdb::backups::record_backup;
use crate::proc::administration;
use crate::storage::DatabaseState;
use crate::wire::api::{Answer, Event};

use super::devices::{FaultyDevices, NOWHERE};

/// Options of BACKUP that change nothing that can be seen here.
const ACCEPTED: [&str; 19] = [
    "NOFORMAT",
    "NOINIT",
    "SKIP",
    "NOSKIP",
    "NOREWIND",
    "REWIND",
    "NOUNLOAD",
    "UNLOAD",
    "NO_CHECKSUM",
    "STOP_ON_ERROR",
    "CONTINUE_AFTER_ERROR",
    "MAXTRANSFERSIZE",
    "BUFFERCOUNT",
    "BLOCKSIZE",
    "RETAINDAYS",
    "EXPIREDATE",
    "NO_TRUNCATE",
    "RESTART",
    "STATS",
];
/// Options that are done.
const KNOWN: [&str; 12] = [
    "FORMAT",
    "INIT",
    "CHECKSUM",
    "COMPRESSION",
    "NO_COMPRESSION",
    "COPY_ONLY",
    "DIFFERENTIAL",
    "NAME",
    "DESCRIPTION",
    "MEDIANAME",
    "MEDIADESCRIPTION",
    "NORECOVERY",
];
/// Characters that the name of a device may have.
const MAX_DEVICE_NAME: usize = 259;
/// How often progress is told unless STATS says otherwise: never.
const NO_STATS: i64 = 101;

/// What runs on the thread that may block.
struct Job {
    database: Arc<DatabaseHandle>,
    request: BackupRequest,
    is_log: bool,
    is_differential: bool,
    mode: LogBackupMode,
    devices: FaultyDevices,
}

impl Session {
    /// `BACKUP`.
    pub(super) async fn backup(&mut self, backup: &Backup) -> SqlResult<()> {
        let statement = match backup.kind {
            BackupTarget::Database => "BACKUP DATABASE",
            BackupTarget::Log => "BACKUP LOG",
        };
        match self.try_backup(backup, statement).await {
            Ok(()) => Ok(()),
            Err(cause) if stands_alone(&cause) => Err(cause),
            // No error to a client, and yet the end of the statement: 4219.
            Err(said) if said.is_info() => {
                self.output.message(said).await;
                Ok(())
            }
            Err(cause) => {
                self.report_cause(cause).await;
                Err(messages::terminating_abnormally(statement))
            }
        }
    }

    async fn try_backup(&mut self, backup: &Backup, statement: &str) -> SqlResult<()> {
        if self.transaction_count() > 0 {
            return Err(messages::backup_in_transaction());
        }
        let name = self.name_of(&backup.database)?;
        let database = self.instance.needed_database(&name)?;
        self.require_in_database(&database, statement)?;
        check_state(&database)?;
        check_kind(&database, backup, statement)?;
        let has = |name| find_option(&backup.options, name).is_some();
        let is_log = backup.kind == BackupTarget::Log;
        let (is_copy, is_differential) = (has("COPY_ONLY"), has("DIFFERENTIAL"));
        may_back_up(&self.instance, &name, is_log, is_copy, is_differential)?;
        if let Some(error) = self
            .instance
            .faults
            .statement_failure(statement, &database.name())
        {
            return Err(error);
        }
        let primary = self.primary_of_secondary(&database, is_log).await?;
        let job = self.job(backup, statement, database)?;
        let stats = self.stats(&backup.options)?;
        let outcome = self.run_backup(job, stats, primary).await?;
        self.tell_backup(outcome).await;
        Ok(())
    }

    /// Where this host has a secondary replica of a database: its primary one, whose archive point counts here too.
    async fn primary_of_secondary(
        &self,
        database: &DatabaseHandle,
        is_log: bool,
    ) -> SqlResult<Option<Primary>> {
        let name = database.name();
        let group = group_of(&self.instance, &name);
        let Some(group) = group.filter(|group| !group.is_primary) else {
            return Ok(None);
        };
        let mut primary = Primary::find(&self.instance, &group, &name).await?;
        let archive = primary.archive(&self.instance, is_log).await?;
        database.storage().set_archive(&archive)?;
        Ok(Some(primary).filter(|_| is_log))
    }

    fn job(
        &self,
        backup: &Backup,
        statement: &str,
        database: Arc<DatabaseHandle>,
    ) -> SqlResult<Job> {
        let options = &backup.options;
        check_options(options)?;
        let has = |name| find_option(options, name).is_some();
        let is_log = backup.kind == BackupTarget::Log;
        if is_log && has("DIFFERENTIAL") {
            return Err(messages::options_conflict("DIFFERENTIAL", "LOG"));
        }
        if has("DIFFERENTIAL") && has("COPY_ONLY") {
            return Err(messages::options_conflict("copy_only", "differential"));
        }
        let request = BackupRequest {
            devices: self.devices(&backup.devices)?,
            format: has("FORMAT"),
            init: has("INIT"),
            checksum: has("CHECKSUM"),
            compression: self.compression(options),
            copy_only: has("COPY_ONLY"),
            name: self.text_or_empty(options, "NAME")?,
            description: self.text_or_empty(options, "DESCRIPTION")?,
            media_name: self.text_or_empty(options, "MEDIANAME")?,
            media_description: self.text_or_empty(options, "MEDIADESCRIPTION")?,
            user_name: self.login().name.clone(),
            host: self.host_identity(),
            set_guid: self.instance.new_guid(),
            media_set_guid: self.instance.new_guid(),
        };
        let faults = &self.instance.faults;
        let devices = FaultyDevices {
            is_full: faults
                .strike(FaultKind::DiskFull, statement, &database.name())
                .is_some(),
            damage_at: faults
                .strike(FaultKind::Damage, statement, &database.name())
                .map(|fault| fault.offset_bytes),
            stall: faults
                .strike(FaultKind::StallBackup, statement, &database.name())
                .map(|fault| (fault.offset_bytes, faults.cleared())),
            cancelled: vec![
                self.cancel.clone(),
                self.record.killed.clone(),
                faults.killed(),
            ],
            meter: None,
        };
        let mode = if has("NORECOVERY") {
            LogBackupMode::Tail
        } else {
            LogBackupMode::Ordinary
        };
        let is_differential = has("DIFFERENTIAL");
        Ok(Job {
            database,
            request,
            is_log,
            is_differential,
            mode,
            devices,
        })
    }

    /// `primary` is told of a log backup before it counts.
    async fn run_backup(
        &mut self,
        job: Job,
        stats: i64,
        primary: Option<Primary>,
    ) -> SqlResult<(BackupOutcome, u64)> {
        let instance = Arc::clone(&self.instance);
        let reporter = Reporter::new(self.output.answer(), Arc::clone(&self.record), stats);
        let begun = instance.clock.monotonic();
        let statement = if job.is_log {
            "BACKUP LOG"
        } else {
            "BACKUP DATABASE"
        };
        let name = job.database.name();
        let lost = instance
            .faults
            .strike(FaultKind::LoseHistory, statement, &name);
        let working = tokio::task::spawn_blocking(move || {
            let outcome = job.run(&instance, reporter)?;
            Ok((outcome, job.request.devices))
        });
        let ended = working
            .await
            .unwrap_or_else(|_| Err(messages::dtc_aborted()));
        self.record.update(|now| {
            if let Some(request) = &mut now.request {
                request.percent = 0.0;
            }
        });
        let (outcome, devices) = ended?;
        if let Some(mut primary) = primary {
            let taken = (outcome.set.first_lsn, outcome.set.last_lsn);
            if primary.archived(&self.instance, taken).await? == Noted::Perhaps {
                self.output
                    .message(messages::point_not_ensured(&name))
                    .await;
            }
        }
        if lost.is_some() || record_backup(&self.instance, &outcome, &devices).is_err() {
            // The backup counts; only its history is missing.
            self.output.message(messages::history_not_written()).await;
        }
        let spent = self.instance.clock.monotonic().saturating_sub(begun);
        Ok((
            outcome,
            u64::try_from(spent.as_millis()).unwrap_or(u64::MAX),
        ))
    }

    async fn tell_backup(&mut self, (outcome, milliseconds): (BackupOutcome, u64)) {
        for message in outcome.messages(milliseconds) {
            self.output.message(message).await;
        }
    }

    /// The devices of a statement; the paths that they mean on this machine.
    pub(super) fn devices(&self, devices: &[ast::Device]) -> SqlResult<Vec<Device>> {
        let mut found = Vec::new();
        for device in devices {
            let name = self.text(&device.path)?.unwrap_or_default();
            if device.kind != DeviceKind::Disk {
                return Err(not_a_disk(device.kind, &name));
            }
            if name.chars().count() > MAX_DEVICE_NAME {
                return Err(messages::device_name_too_long(MAX_DEVICE_NAME));
            }
            let path = if name.eq_ignore_ascii_case(NOWHERE) {
                Ok(NOWHERE.into())
            } else {
                let home = self.instance.backup_folder();
                self.instance.options.paths.resolve(&name, &home)
            };
            let path = path.map_err(|e| messages::cannot_open_device(&name, e.os_error()))?;
            found.push(Device { name, path });
        }
        Ok(found)
    }

    /// The text of an option's value; empty without the option.
    fn text_or_empty(&self, options: &[NamedOption], name: &str) -> SqlResult<String> {
        Ok(self.option_text(options, name)?.unwrap_or_default())
    }

    /// The percentage of `STATS`: 10 where it has no value, and nothing is told without it.
    pub(super) fn stats(&self, options: &[NamedOption]) -> SqlResult<i64> {
        let Some(option) = find_option(options, "STATS") else {
            return Ok(NO_STATS);
        };
        let value = option
            .values
            .first()
            .map(|value| self.evaluate(value))
            .transpose()?;
        Ok(value
            .and_then(|value| value.value.as_int())
            .unwrap_or(10)
            .clamp(1, NO_STATS))
    }

    /// What the statement asks for, or else the server's `backup compression default`.
    fn compression(&self, options: &[NamedOption]) -> Compression {
        let has = |name| find_option(options, name).is_some();
        if has("COMPRESSION") || has("NO_COMPRESSION") {
            return Compression::Asked(has("COMPRESSION"));
        }
        let setting = administration::setting(&self.instance, "backup compression default");
        Compression::Default(setting == Some(1))
    }

    pub(super) fn host_identity(&self) -> HostIdentity {
        let options = &self.instance.options;
        let quarters = self.instance.clock.offset_minutes() / 15;
        HostIdentity {
            server_name: self.instance.name(),
            machine_name: options.server_name.machine.clone(),
            version: mtf::ServerVersion {
                major: options.version.major(),
                minor: 0,
                build: options.version.build(),
            },
            database_version: options.version.database_version(),
            time_zone_quarters: i8::try_from(quarters).unwrap_or_default(),
        }
    }
}

impl Job {
    fn run(
        &self,
        instance: &crate::instance::Instance,
        mut reporter: Reporter,
    ) -> SqlResult<BackupOutcome> {
        let storage = self.database.storage();
        let clock = || instance.clock.local();
        let mut progress = |done, all| reporter.tell(done, all);
        let (devices, request) = (&self.devices, &self.request);
        let outcome = if self.is_log {
            backup::backup_log(&storage, devices, request, self.mode, &clock, &mut progress)
        } else {
            let differential = self.is_differential;
            backup::backup_database(
                &storage,
                devices,
                request,
                differential,
                &clock,
                &mut progress,
            )
        };
        let is_cancelled = self.devices.is_cancelled();
        let outcome = outcome.map_err(|error| if is_cancelled { aborted() } else { error })?;
        self.devices.damage(&self.request.devices);
        Ok(outcome)
    }
}

/// Tells progress: to the client as messages 3211, to other sessions as `percent_complete`.
pub(super) struct Reporter {
    answer: Option<Answer>,
    record: Arc<SessionRecord>,
    step: i64,
    told: i64,
}

impl Reporter {
    pub(super) fn new(answer: Option<Answer>, record: Arc<SessionRecord>, step: i64) -> Self {
        Self {
            answer,
            record,
            step,
            told: 0,
        }
    }

    /// So many bytes of all are done.
    pub(super) fn tell(&mut self, done: u64, all: u64) {
        let percent = u8::try_from((done.saturating_mul(100) / all.max(1)).min(100)).unwrap_or(100);
        self.record.update(|now| {
            if let Some(request) = &mut now.request {
                request.percent = f64::from(percent);
            }
        });
        let reached = i64::from(percent) / self.step * self.step;
        if reached > self.told {
            self.told = reached;
            let message = messages::percent_processed(u8::try_from(reached).unwrap_or(100));
            if let Some(answer) = &self.answer {
                // A client that has gone does not stop a backup that is nearly done.
                let _ = answer.blocking_send(Event::Info(message));
            }
        }
    }
}

/// 3204: the statement was told to end.
pub(super) fn aborted() -> SqlError {
    SqlError::new(3204, 16, "The backup or restore was aborted.")
}

/// Errors after which SQL Server sends no 3013: they are raised before the statement has begun.
fn stands_alone(cause: &SqlError) -> bool {
    matches!(cause.number, 102 | 155 | 156 | 137)
}

fn check_state(database: &DatabaseHandle) -> SqlResult<()> {
    match database.storage().facts().state {
        DatabaseState::Online | DatabaseState::Standby => Ok(()),
        DatabaseState::Restoring => Err(messages::database_restoring(&database.name())),
        DatabaseState::Offline => Err(messages::database_offline(&database.name())),
    }
}

fn check_kind(database: &DatabaseHandle, backup: &Backup, statement: &str) -> SqlResult<()> {
    let name = database.name();
    let is_log = backup.kind == BackupTarget::Log;
    if name == "tempdb" {
        // 3147: tempdb is made anew at each start.
        let text = "Backup and restore operations are not allowed on database tempdb.";
        return Err(SqlError::new(3147, 16, text));
    }
    if name == "master" && is_log {
        return Err(messages::cannot_back_up_master_log());
    }
    if backup.devices.is_empty() {
        return Err(messages::incorrect_syntax(statement));
    }
    Ok(())
}

/// Raises 155 for an option that BACKUP does not have.
fn check_options(options: &[NamedOption]) -> SqlResult<()> {
    let is_known = |name: &str| ACCEPTED.contains(&name) || KNOWN.contains(&name);
    match options.iter().find(|option| !is_known(&option.name)) {
        Some(option) => Err(messages::unrecognized_option(&option.name, "BACKUP")),
        None => Ok(()),
    }
}

/// Only files can be written to here; other devices fail as where their service is missing.
fn not_a_disk(kind: DeviceKind, name: &str) -> SqlError {
    match kind {
        // 3289: a URL without a credential.
        DeviceKind::Url => SqlError::new(
            3289,
            16,
            "A write to the backup block blob failed: the simulator writes to files alone.",
        ),
        // 3206: no such logical device.
        DeviceKind::Logical => SqlError::new(
            3206,
            16,
            format!(
                "Backup device '{name}' does not exist. To view existing backup devices, use \
                the sys.backup_devices catalog view. To create a new backup device use either \
                sp_addumpdevice or SQL Server Management Studio."
            ),
        ),
        _ => messages::cannot_open_device(name, "50(The request is not supported.)"),
    }
}
