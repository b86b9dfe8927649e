//! BACKUP DATABASE and BACKUP LOG.
//!
//! Start at [`backup_database`]. The database is asked for a snapshot, the media are written, and
//! only then is the database told: a backup that fails leaves no LSN moved.

use jiff::civil::DateTime;
use mtf::{BackupKind, BackupSet, DatabaseFile, FileKind, Lsn, MediaFamily, MediaTime};
use mtf::{ServerVersion, SetFlags};
use uuid::Uuid;

use super::devices::{Device, Devices};
use super::media::{MediaFile, read_media};
use super::outcome::{BackupOutcome, pages_of};
use super::raise;
use super::write::{Payload, Target, write_set};
use crate::error::SqlResult;
use crate::messages;
use crate::storage::{Database, Facts, LogRange};

/// The server that takes backups, as media and msdb name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// `HOST` or `HOST\INSTANCE`.
    pub server_name: String,
    /// `HOST`.
    pub machine_name: String,
    /// The version of the server.
    pub version: ServerVersion,
    /// The internal version of its databases, 957 for SQL Server 2022.
    pub database_version: u16,
    /// What local times are ahead of UTC, in quarter-hours.
    pub time_zone_quarters: i8,
}

/// What a `BACKUP` statement asks for.
#[expect(
    clippy::struct_excessive_bools,
    reason = "options of a statement, each on its own"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// `TO DISK = ..`, one for each stripe.
    pub devices: Vec<Device>,
    /// `FORMAT`: new media, whatever is there.
    pub format: bool,
    /// `INIT`: the media stay, their backup sets go. Without either, the set is appended.
    pub init: bool,
    /// `CHECKSUM`.
    pub checksum: bool,
    /// `COMPRESSION`, `NO_COMPRESSION`, or what holds without either.
    pub compression: Compression,
    /// `COPY_ONLY`.
    pub copy_only: bool,
    /// `NAME`, or empty.
    pub name: String,
    /// `DESCRIPTION`, or empty.
    pub description: String,
    /// `MEDIANAME`, or empty.
    pub media_name: String,
    /// `MEDIADESCRIPTION`, or empty.
    pub media_description: String,
    /// The login.
    pub user_name: String,
    /// The server.
    pub host: HostIdentity,
    /// The GUID of the backup set to be made.
    pub set_guid: Uuid,
    /// The GUID of the media set, where new media are made.
    pub media_set_guid: Uuid,
}

/// Whether a backup is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// The statement says so.
    Asked(bool),
    /// It does not: new media are as the server has it by default, others stay as they are.
    Default(bool),
}

/// The tail options of `BACKUP LOG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogBackupMode {
    /// The database goes on.
    Ordinary,
    /// `NORECOVERY`: the database is RESTORING afterwards.
    Tail,
}

/// The clock of the host, local time.
pub type LocalClock<'a> = &'a (dyn Fn() -> DateTime + Sync);

/// Takes a full or differential backup. `progress` gets bytes written and bytes in all. Raises 3023
/// while another runs, 3035 without a base, 3201 and 3202 for devices, 3098, 3231, 3132 or 3241 for
/// media that cannot be appended to.
pub fn backup_database(
    database: &Database,
    devices: &dyn Devices,
    request: &BackupRequest,
    differential: bool,
    clock: LocalClock<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> SqlResult<BackupOutcome> {
    let started = clock();
    let snapshot = database.snapshot_data(differential)?;
    let plan = Plan::new(devices, request, started)?;
    let kind = if differential {
        BackupKind::Differential
    } else {
        BackupKind::Full
    };
    let mut front = identity(request, &snapshot.facts, &snapshot.log, kind, &plan);
    if let Some(base) = snapshot.base {
        front.differential_base_lsn = base.lsn;
        front.differential_base_guid = Some(base.guid);
    }
    let payload = Payload {
        pages: &snapshot.pages,
        extents: &snapshot.extents,
        ballast_extents: snapshot.ballast_extents,
        log: &snapshot.log.extents,
    };
    let set = plan.write(devices, request, front, &payload, clock, progress)?;
    // A differential is never a copy: SQL Server ignores COPY_ONLY beside DIFFERENTIAL.
    let is_copy_only = request.copy_only && !differential;
    database.data_backed_up(&snapshot, request.set_guid, is_copy_only)?;
    Ok(plan.outcome(set, snapshot.facts.clone(), is_copy_only, &payload))
}

/// Takes a log backup. Raises 4208 under SIMPLE, 4214 where no full began a chain, 3023 while
/// another log backup runs; about devices see `backup_database`.
pub fn backup_log(
    database: &Database,
    devices: &dyn Devices,
    request: &BackupRequest,
    mode: LogBackupMode,
    clock: LocalClock<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> SqlResult<BackupOutcome> {
    let started = clock();
    if mode == LogBackupMode::Tail {
        database.end_all_work()?;
    }
    let snapshot = database.snapshot_log()?;
    let plan = Plan::new(devices, request, started)?;
    let mut front = identity(
        request,
        &snapshot.facts,
        &snapshot.log,
        BackupKind::Log,
        &plan,
    );
    let bulk = snapshot.facts.has_bulk_logged_changes;
    front.flags = front.flags.with(SetFlags::BULK_LOGGED, bulk);
    let payload = Payload {
        pages: &[],
        extents: &[],
        ballast_extents: 0,
        log: &snapshot.log.extents,
    };
    let set = plan.write(devices, request, front, &payload, clock, progress)?;
    if !request.copy_only {
        database.log_backed_up(&snapshot)?;
    }
    if mode == LogBackupMode::Tail {
        database.leave_restoring()?;
    }
    let mut outcome = plan.outcome(set, snapshot.facts.clone(), request.copy_only, &payload);
    outcome.begins_log_chain = snapshot.facts.begins_log_chain;
    Ok(outcome)
}

/// The media that a backup will be written to.
struct Plan {
    families: Vec<MediaFamily>,
    kept: Vec<MediaFile>,
    is_new_media: bool,
    is_compressed: bool,
    position: u16,
    started: DateTime,
}

impl Plan {
    fn new(devices: &dyn Devices, request: &BackupRequest, started: DateTime) -> SqlResult<Self> {
        let named = &request.devices;
        let there = named.iter().any(|device| devices.exists(&device.path));
        if request.format || !there {
            let families = new_families(request);
            let (Compression::Asked(is_compressed) | Compression::Default(is_compressed)) =
                request.compression;
            return Ok(Self {
                families,
                kept: Vec::new(),
                is_new_media: true,
                is_compressed,
                position: 1,
                started,
            });
        }
        let media = read_media(devices, named)?;
        check_family_count(&media.files, named)?;
        let is_compressed = media.is_compressed();
        check_compression(is_compressed, request.compression)?;
        let families = media.families();
        let kept = if request.init {
            Vec::new()
        } else {
            media.files
        };
        let position = kept.first().map_or(0, |file| file.sets.len()) + 1;
        let position = u16::try_from(position).unwrap_or(u16::MAX);
        Ok(Self {
            families,
            kept,
            is_new_media: false,
            is_compressed,
            position,
            started,
        })
    }

    fn write(
        &self,
        devices: &dyn Devices,
        request: &BackupRequest,
        mut front: BackupSet,
        payload: &Payload<'_>,
        clock: LocalClock<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> SqlResult<BackupSet> {
        let (data, log) = payload.bytes();
        front.backup_size_bytes = data + log;
        front.compressed_size_bytes = data + log;
        for file in front
            .files
            .iter_mut()
            .filter(|file| file.kind == FileKind::Data)
        {
            file.pages_in_backup = u32::try_from(pages_of(data)).unwrap_or(u32::MAX);
        }
        let target = Target {
            devices,
            named: &request.devices,
            families: &self.families,
            date: media_time(self.started),
            kept: &self.kept,
            is_compressed: self.is_compressed,
        };
        let finish = |file_bytes| BackupSet {
            finished: Some(media_time(clock())),
            compressed_size_bytes: if self.is_compressed {
                file_bytes
            } else {
                data + log
            },
            ..front.clone()
        };
        write_set(&target, &front, payload, &finish, progress)
    }

    fn outcome(
        &self,
        set: BackupSet,
        facts: Facts,
        is_copy_only: bool,
        payload: &Payload<'_>,
    ) -> BackupOutcome {
        let (data, log) = payload.bytes();
        BackupOutcome {
            set,
            media: self.families.clone(),
            is_new_media: self.is_new_media,
            is_compressed: self.is_compressed,
            is_copy_only,
            begins_log_chain: false,
            facts,
            data_pages: pages_of(data),
            log_pages: pages_of(log),
        }
    }
}

/// A civil time as media hold it: whole seconds.
#[must_use]
pub(super) fn media_time(at: DateTime) -> MediaTime {
    let small = |part: i8| u8::try_from(part).unwrap_or_default();
    MediaTime {
        year: u16::try_from(at.year()).unwrap_or_default(),
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
    }
}

fn check_family_count(files: &[MediaFile], named: &[Device]) -> SqlResult<()> {
    let given = u32::try_from(named.len()).unwrap_or(u32::MAX);
    for (file, device) in files.iter().zip(named) {
        let count = u32::from(file.family.family_count);
        if count != given {
            return Err(messages::wrong_family_count(&device.name, count, given));
        }
    }
    Ok(())
}

/// Compressed and other backup sets never share media.
fn check_compression(is_compressed: bool, asked: Compression) -> SqlResult<()> {
    match asked {
        Compression::Asked(asked) if asked != is_compressed => Err(raise::other_structure(asked)),
        Compression::Asked(_) | Compression::Default(_) => Ok(()),
    }
}

fn new_families(request: &BackupRequest) -> Vec<MediaFamily> {
    let count = u16::try_from(request.devices.len()).unwrap_or(u16::MAX);
    let family = |number: u16| MediaFamily {
        media_set_id: request.media_set_guid,
        family_count: count,
        family_number: number,
        family_id: family_id(request.media_set_guid, number),
        software: "Microsoft SQL Server".to_owned(),
        block_size_bytes: 65536,
        filemark_bytes: 4096,
        name: request.media_name.clone(),
        description: request.media_description.clone(),
    };
    (1..=count).map(family).collect()
}

/// A number that differs from stripe to stripe and from media set to media set.
fn family_id(media_set: Uuid, number: u16) -> u32 {
    let (first, ..) = media_set.as_fields();
    first.wrapping_add(u32::from(number))
}

fn identity(
    request: &BackupRequest,
    facts: &Facts,
    log: &LogRange,
    kind: BackupKind,
    plan: &Plan,
) -> BackupSet {
    let base = facts.differential_base;
    BackupSet {
        position: plan.position,
        name: request.name.clone(),
        description: request.description.clone(),
        user_name: request.user_name.clone(),
        machine_name: request.host.machine_name.clone(),
        server_name: request.host.server_name.clone(),
        database_name: facts.name.clone(),
        kind,
        flags: flags(request, facts, kind),
        set_guid: request.set_guid,
        server_version: request.host.version,
        database_version: request.host.database_version,
        compatibility_level: facts.compatibility_level,
        started: media_time(plan.started),
        finished: None,
        time_zone_quarters: Some(request.host.time_zone_quarters),
        database_created: media_time(facts.created),
        first_lsn: log.first_lsn,
        last_lsn: log.last_lsn,
        checkpoint_lsn: facts.checkpoint_lsn,
        database_backup_lsn: base.map_or(Lsn::ZERO, |base| base.lsn),
        binding_id: facts.database_guid,
        recovery_fork_guid: log.last_fork,
        first_recovery_fork_guid: log.first_fork,
        fork_point_lsn: log.fork_point.unwrap_or(Lsn::ZERO),
        family_guid: facts.family_guid,
        base_full_guid: base.map(|base| base.guid),
        filegroups: vec!["PRIMARY".to_owned()],
        files: files(facts),
        ..BackupSet::default()
    }
}

fn flags(request: &BackupRequest, facts: &Facts, kind: BackupKind) -> SetFlags {
    SetFlags(SetFlags::ALWAYS)
        .with(SetFlags::BACKUP_CHECKSUMS, request.checksum)
        .with(SetFlags::READ_ONLY, facts.is_read_only)
        .with(SetFlags::DIFFERENTIAL, kind == BackupKind::Differential)
}

fn files(facts: &Facts) -> Vec<DatabaseFile> {
    let data = DatabaseFile {
        file_id: 1,
        kind: FileKind::Data,
        filegroup_id: 1,
        logical_name: facts.files.data_logical_name.clone(),
        physical_name: facts.files.data_physical_name.clone(),
        size_bytes: facts.data_size_bytes,
        pages_in_backup: 0,
    };
    let log = DatabaseFile {
        file_id: 2,
        kind: FileKind::Log,
        filegroup_id: 0,
        logical_name: facts.files.log_logical_name.clone(),
        physical_name: facts.files.log_physical_name.clone(),
        size_bytes: facts.log_size_bytes,
        pages_in_backup: 0,
    };
    vec![data, log]
}
