//! RESTORE DATABASE and RESTORE LOG: what is asked, and whether it may be done.
//!
//! Start at [`restore_database`] and [`restore_log`]. Every check comes before the first byte is
//! changed; the changing is in `apply`.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::DateTime;
use mtf::{BackupKind, BackupSet, FileKind, ServerVersion};
use uuid::Uuid;

use super::apply;
use super::devices::{Device, Devices};
use super::media::{Media, SetContents, verify_media};
use super::outcome::RestoreOutcome;
use super::raise;
use super::stop::{Found, Stop, find};
use crate::error::{SqlError, SqlResult};
use crate::instance::Unreachable;
use crate::messages;
use crate::storage::{
    Database, DatabaseFiles, DatabaseState, DifferentialBase, Disk, RecoveryModel, RestoredIdentity,
};

/// What the database is to be afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRestore {
    /// `RECOVERY`, the default: open.
    Recovery,
    /// `NORECOVERY`: more will be restored.
    NoRecovery,
    /// `STANDBY`: readable, and more may be restored.
    Standby,
}

/// `MOVE 'logical' TO 'physical'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveFile {
    /// The logical name in the backup.
    pub logical_name: String,
    /// The path as the statement gives it.
    pub physical_name: String,
}

/// What a `RESTORE` statement asks for.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// The database to restore, by its name here.
    pub database: String,
    /// `FROM DISK = ..`, one for each stripe.
    pub devices: Vec<Device>,
    /// `FILE = n`, from 1.
    pub position: u16,
    /// `CHECKSUM`.
    pub checksum: bool,
    /// `REPLACE`.
    pub replace: bool,
    /// `MOVE ..`.
    pub moves: Vec<MoveFile>,
    /// `NORECOVERY`, `STANDBY` or neither.
    pub after: AfterRestore,
    /// `STOPAT ..`.
    pub stop: Option<Stop>,
    /// The fork that a recovery opens.
    pub fork_guid: Uuid,
    /// The GUID of a database that is made.
    pub database_guid: Uuid,
    /// Now, local to the host.
    pub now: DateTime,
    /// The version of the server.
    pub version: ServerVersion,
    /// The internal version of its databases, 957 for SQL Server 2022.
    pub database_version: u16,
}

/// What the instance knows and restores ask for.
pub trait Surroundings {
    /// Where a path of the server's lies for this process.
    fn path_of(&self, physical_name: &str) -> Result<PathBuf, Unreachable>;
    /// The database that uses the file, other than the one to be restored (1834).
    fn user_of(&self, physical_name: &str) -> Option<String>;
    /// Raises 3101 or 3102 if someone is in the existing database.
    fn exclusive(&self) -> SqlResult<()>;
}

/// What `RESTORE DATABASE` gives back.
#[derive(Debug)]
pub struct DatabaseRestored {
    /// The database that takes the name; `None` when a differential went into the existing one.
    pub database: Option<Database>,
    /// What was done.
    pub outcome: RestoreOutcome,
}

/// Restores a full backup, making a database, or a differential into one that is being restored.
///
/// Raises what `verify_media` raises; 3118 for a differential without a database, 3135 for a log,
/// 3136 on another base, 3154 over another database, 3159 over a tail that is not backed up, 3169 for
/// a newer server's, 3234 for an unknown file, 3119 behind 3156 and 1834 or 5133 for paths. A
/// stop beside a full or differential is only checked (4338); the database stays RESTORING, since
/// only a log can reach the stop.
pub fn restore_database(
    disk: &Arc<dyn Disk>,
    devices: &dyn Devices,
    existing: Option<&Database>,
    request: &RestoreRequest,
    surroundings: &dyn Surroundings,
) -> SqlResult<DatabaseRestored> {
    let named = &request.devices;
    let media = verify_media(devices, named, request.position, request.checksum)?;
    let stripes = media.set(request.position, named)?;
    let set = identity_of(&stripes);
    check_version(&set, request)?;
    match set.kind {
        BackupKind::Full => {
            check_replaceable(existing, &set, request, surroundings)?;
            let files = files_for(disk, existing, &set, request, surroundings)?;
            let made = replace(existing, || make(disk, files, &stripes, &set, request));
            let (database, stopped) = made?;
            let outcome = finish(&database, &media, &set, &stripes, request, stopped)?;
            Ok(DatabaseRestored {
                database: Some(database),
                outcome,
            })
        }
        BackupKind::Differential => {
            let database = restoring(existing, request, surroundings)?;
            let stopped = lay_over(database, &stripes, &set, request)?;
            let outcome = finish(database, &media, &set, &stripes, request, stopped)?;
            Ok(DatabaseRestored {
                database: None,
                outcome,
            })
        }
        BackupKind::Log => Err(raise::wrong_kind(&named[0].name, "BACKUP LOG")),
        BackupKind::Other(_) => Err(raise::wrong_kind(&named[0].name, "BACKUP DATABASE")),
    }
}

/// Restores a log backup. Raises what `verify_media` raises; 3118 without a database, 3117 for one
/// that is not being restored, 3135 for another kind of backup, 3154 for another database, 4305,
/// 4326 and 4330 for a log that does not fit, 4335, 4338 and 4341 for a stop that cannot be had. A
/// stop that lies behind this log is no error: 4329 (or 4322) is among the notices, and the
/// database stays RESTORING.
pub fn restore_log(
    devices: &dyn Devices,
    existing: Option<&Database>,
    request: &RestoreRequest,
    surroundings: &dyn Surroundings,
) -> SqlResult<RestoreOutcome> {
    let database = restoring(existing, request, surroundings)?;
    let named = &request.devices;
    let media = verify_media(devices, named, request.position, request.checksum)?;
    let stripes = media.set(request.position, named)?;
    let set = identity_of(&stripes);
    if set.kind != BackupKind::Log {
        return Err(raise::wrong_kind(&named[0].name, "BACKUP DATABASE"));
    }
    check_version(&set, request)?;
    check_log_fits(database, &set)?;
    if request.stop.is_some() && database.facts().recovery_model == RecoveryModel::Simple {
        return Err(messages::stop_with_simple());
    }
    let stopped = apply::roll_forward(database, &stripes, &set, request.stop.as_ref())?;
    finish(database, &media, &set, &stripes, request, stopped)
}

/// `RESTORE DATABASE name WITH RECOVERY`: opens a database at the point it has come to. Raises 3117
/// for one that is not being restored.
pub fn recover(database: &Database, fork_guid: Uuid) -> SqlResult<()> {
    match database.redo_end() {
        None => Err(messages::no_files_ready()),
        Some(_) => database.recover(fork_guid),
    }
}

fn identity_of(stripes: &[&SetContents]) -> BackupSet {
    stripes
        .first()
        .map(|set| set.identity.clone())
        .unwrap_or_default()
}

/// A newer server's backup cannot be read (3169), an older one's not in STANDBY (3180): it would have
/// to be upgraded first.
fn check_version(set: &BackupSet, request: &RestoreRequest) -> SqlResult<()> {
    if set.database_version > request.database_version {
        let (theirs, ours) = (set.server_version, request.version);
        let text = |version: ServerVersion| {
            let ServerVersion {
                major,
                minor,
                build,
            } = version;
            format!("{major}.{minor:02}.{build:04}")
        };
        return Err(messages::version_incompatible(&text(theirs), &text(ours)));
    }
    if set.database_version < request.database_version && request.after == AfterRestore::Standby {
        return Err(raise::standby_needs_upgrade());
    }
    Ok(())
}

fn restoring<'a>(
    existing: Option<&'a Database>,
    request: &RestoreRequest,
    surroundings: &dyn Surroundings,
) -> SqlResult<&'a Database> {
    let missing = || raise::database_does_not_exist(&request.database);
    let database = existing.ok_or_else(missing)?;
    if database.redo_end().is_none() {
        return Err(messages::no_files_ready());
    }
    if database.facts().state == DatabaseState::Standby {
        surroundings.exclusive()?;
    }
    Ok(database)
}

fn check_replaceable(
    existing: Option<&Database>,
    set: &BackupSet,
    request: &RestoreRequest,
    surroundings: &dyn Surroundings,
) -> SqlResult<()> {
    let Some(facts) = existing.map(Database::facts) else {
        return Ok(());
    };
    if facts.state != DatabaseState::Restoring {
        surroundings.exclusive()?;
    }
    if request.replace {
        return Ok(());
    }
    if facts.family_guid != set.family_guid {
        return Err(messages::other_database(&request.database));
    }
    let is_open = matches!(facts.state, DatabaseState::Online | DatabaseState::Offline);
    if is_open && facts.recovery_model != RecoveryModel::Simple && request.stop.is_none() {
        return Err(messages::tail_not_backed_up(&request.database));
    }
    Ok(())
}

fn files_for(
    disk: &Arc<dyn Disk>,
    existing: Option<&Database>,
    set: &BackupSet,
    request: &RestoreRequest,
    surroundings: &dyn Surroundings,
) -> SqlResult<DatabaseFiles> {
    for moved in &request.moves {
        let same = |name: &str| name.eq_ignore_ascii_case(&moved.logical_name);
        if !set.files.iter().any(|file| same(&file.logical_name)) {
            return Err(messages::not_a_logical_file(
                &moved.logical_name,
                &request.database,
            ));
        }
    }
    let (data_logical_name, data_physical_name) = name_of(set, FileKind::Data, request);
    let (log_logical_name, log_physical_name) = name_of(set, FileKind::Log, request);
    let mut causes = Vec::new();
    let own = existing.map(|database| database.facts().files);
    let mut place = |logical: &str, physical: &str| {
        let own = own.as_ref();
        let placed = check_path(disk, physical, request, own, surroundings);
        placed.unwrap_or_else(|why| {
            causes.extend(why);
            causes.push(messages::file_cannot_be_restored(logical, physical));
            PathBuf::new()
        })
    };
    let files = DatabaseFiles {
        data: place(&data_logical_name, &data_physical_name),
        log: place(&log_logical_name, &log_physical_name),
        data_logical_name,
        log_logical_name,
        data_physical_name,
        log_physical_name,
    };
    if causes.is_empty() {
        Ok(files)
    } else {
        Err(messages::restore_planning_failed().after(causes))
    }
}

fn name_of(set: &BackupSet, kind: FileKind, request: &RestoreRequest) -> (String, String) {
    let file = set.files.iter().find(|file| file.kind == kind);
    let Some(file) = file else {
        return (String::new(), String::new());
    };
    let moved = request
        .moves
        .iter()
        .find(|moved| moved.logical_name.eq_ignore_ascii_case(&file.logical_name));
    let physical = moved.map_or(&file.physical_name, |moved| &moved.physical_name);
    (file.logical_name.clone(), physical.clone())
}

/// Where a file goes: it may be taken if nobody has it, or it is the database's own, or REPLACE was
/// said. Otherwise what comes before 3156, if anything does.
fn check_path(
    disk: &Arc<dyn Disk>,
    physical_name: &str,
    request: &RestoreRequest,
    own: Option<&DatabaseFiles>,
    surroundings: &dyn Surroundings,
) -> Result<PathBuf, Option<SqlError>> {
    let no_folder = || Some(raise::no_folder(physical_name));
    if let Some(user) = surroundings.user_of(physical_name) {
        return Err(Some(messages::file_in_use(physical_name, &user)));
    }
    let path = surroundings
        .path_of(physical_name)
        .map_err(|_| no_folder())?;
    if !path.parent().is_some_and(|folder| disk.exists(folder)) {
        return Err(no_folder());
    }
    let is_own = own.is_some_and(|own| own.data == path || own.log == path);
    if request.replace || is_own || !disk.exists(&path) {
        return Ok(path);
    }
    Err(None)
}

/// Whoever still holds the old database must not write the files of the new one.
fn replace<T>(existing: Option<&Database>, work: impl FnOnce() -> SqlResult<T>) -> SqlResult<T> {
    let mark = |over| existing.iter().for_each(|old| old.retire(over));
    mark(true);
    let done = work();
    mark(done.is_ok());
    done
}

fn make(
    disk: &Arc<dyn Disk>,
    files: DatabaseFiles,
    stripes: &[&SetContents],
    set: &BackupSet,
    request: &RestoreRequest,
) -> SqlResult<(Database, Found)> {
    let data = apply::data_of(stripes, set, &request.database)?;
    check_data_stop(request.stop.as_ref(), set, &data.log)?;
    let identity = RestoredIdentity {
        name: request.database.clone(),
        database_guid: request.database_guid,
        created: request.now,
        full: DifferentialBase {
            lsn: set.checkpoint_lsn,
            guid: set.set_guid,
        },
    };
    let made = Database::restore_full(Arc::clone(disk), files, data, &identity)?;
    let database = made.map_err(|damage| apply::damage_message(damage, &request.database))?;
    Ok((database, stopped_by(request.stop.as_ref())))
}

fn lay_over(
    database: &Database,
    stripes: &[&SetContents],
    set: &BackupSet,
    request: &RestoreRequest,
) -> SqlResult<Found> {
    let facts = database.facts();
    if facts.family_guid != set.family_guid {
        return Err(messages::other_database(&request.database));
    }
    let base = facts.differential_base.map(|base| base.guid);
    if base != set.differential_base_guid || set.last_lsn < facts.end_lsn {
        return Err(messages::differential_not_matching());
    }
    let data = apply::data_of(stripes, set, &request.database)?;
    check_data_stop(request.stop.as_ref(), set, &data.log)?;
    let laid = database.restore_differential(data)?;
    laid.map_err(|damage| apply::damage_message(damage, &request.database))?;
    Ok(stopped_by(request.stop.as_ref()))
}

/// A stop beside a full or differential only checks that the backup does not go beyond it.
fn check_data_stop(
    stop: Option<&Stop>,
    set: &BackupSet,
    log: &[crate::storage::Extent],
) -> SqlResult<()> {
    let Some(stop) = stop else { return Ok(()) };
    match find(stop, log, set.last_lsn) {
        Found::Later => Ok(()),
        Found::Here(_) | Found::Passed => Err(messages::stop_point_too_early()),
    }
}

/// With a stop, more log is needed: only a log backup can reach it.
fn stopped_by(stop: Option<&Stop>) -> Found {
    stop.map_or(Found::Here(mtf::Lsn::ZERO), |_| Found::Later)
}

fn check_log_fits(database: &Database, set: &BackupSet) -> SqlResult<()> {
    let facts = database.facts();
    let end = facts.end_lsn;
    if facts.family_guid != set.family_guid {
        return Err(messages::other_database(&facts.name));
    }
    let (first, last) = (set.first_lsn, set.last_lsn);
    if first > end {
        return Err(messages::log_too_recent(
            &first.to_string(),
            &end.to_string(),
        ));
    }
    let is_empty_here = first == last && last == end;
    if last <= end && !is_empty_here {
        return Err(messages::log_too_early(&last.to_string(), &end.to_string()));
    }
    Ok(())
}

fn finish(
    database: &Database,
    media: &Media,
    set: &BackupSet,
    stripes: &[&SetContents],
    request: &RestoreRequest,
    stopped: Found,
) -> SqlResult<RestoreOutcome> {
    let mut outcome = apply::outcome(database, media, set, stripes);
    let reached = match (&request.stop, stopped) {
        (None, _) => true,
        (Some(_), Found::Here(end)) => {
            outcome.stopped_at = Some(end);
            true
        }
        (Some(stop), Found::Later | Found::Passed) => {
            if set.kind == BackupKind::Log {
                outcome.notices.push(apply::not_yet(stop));
            }
            false
        }
    };
    match request.after {
        AfterRestore::Recovery if reached => {
            database.recover(request.fork_guid)?;
            outcome.is_recovered = true;
        }
        AfterRestore::Standby => database.open_standby()?,
        AfterRestore::Recovery | AfterRestore::NoRecovery => {}
    }
    Ok(outcome)
}
