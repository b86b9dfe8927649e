//! Backups and restores as rows of msdb.
//!
//! Start at [`record_backup`] and [`record_restore`]. What the media say of a backup set comes from
//! the set; what they do not say (copy-only, recovery model) comes from the outcome.

use mtf::{BackupSet, FileKind, MediaFamily, MediaTime, SetFlags};
use uuid::Uuid;

use super::{History, datetime, number, write};
use crate::backup::{BackupOutcome, Device, RestoreOutcome, Stop};
use crate::error::SqlResult;
use crate::instance::{COLLATION, Instance};
use crate::storage::RecoveryModel;
use crate::value::{Decimal, Value};

type Cells = Vec<(&'static str, Value)>;

/// `software_vendor_id` of Microsoft, 0x1200.
const VENDOR: i64 = 4608;

/// What a restore adds to its outcome for `restorehistory`.
#[derive(Clone, Debug)]
pub struct RestoreFacts<'a> {
    /// The database that was restored.
    pub database: &'a str,
    /// The login.
    pub user_name: &'a str,
    /// The devices.
    pub devices: &'a [Device],
    /// `D`, `I`, `L` or `V` (verify only).
    pub kind: char,
    /// `REPLACE`.
    pub replace: bool,
    /// `RECOVERY` was asked for.
    pub recovery: bool,
    /// `STOPAT ..`.
    pub stop: Option<&'a Stop>,
}

/// Adds the rows of a backup: its media where they are new, its families, its set and its files.
pub fn record_backup(
    instance: &Instance,
    outcome: &BackupOutcome,
    devices: &[Device],
) -> SqlResult<()> {
    write(instance, |history| {
        let mut extra: Cells = vec![
            ("is_copy_only", outcome.is_copy_only.into()),
            ("begins_log_chain", outcome.begins_log_chain.into()),
            (
                "recovery_model",
                recovery_model(outcome.facts.recovery_model).into(),
            ),
            ("collation_name", outcome.facts.collation.as_str().into()),
            ("database_guid", outcome.facts.database_guid.into()),
        ];
        let finished = outcome.set.finished;
        extra.push((
            "last_valid_restore_time",
            finished.map_or(Value::Null, time),
        ));
        let media = OnMedia {
            families: &outcome.media,
            devices,
            is_compressed: outcome.is_compressed,
        };
        add_set(history, &outcome.set, &media, extra).map(drop)
    })
}

/// Adds the row of a restore, and those of its backup set if msdb has not seen it.
pub fn record_restore(
    instance: &Instance,
    outcome: &RestoreOutcome,
    facts: &RestoreFacts<'_>,
) -> SqlResult<()> {
    let now = datetime(instance.clock.local());
    write(instance, |history| {
        let known = find(
            history,
            "backupset",
            "backup_set_uuid",
            outcome.set.set_guid,
        );
        let set_id = if let Some(id) = known.and_then(|row| int(&row, "backup_set_id")) {
            id
        } else {
            let extra = vec![
                ("collation_name", Value::text(COLLATION)),
                ("database_guid", outcome.set.binding_id.into()),
            ];
            let media = OnMedia {
                families: &outcome.media,
                devices: facts.devices,
                is_compressed: outcome.is_compressed,
            };
            add_set(history, &outcome.set, &media, extra)?
        };
        let (mark, stop_at, is_before) = stop_cells(facts.stop);
        let count = i64::try_from(facts.devices.len()).unwrap_or(i64::MAX);
        history.add(
            "restorehistory",
            &[
                ("restore_date", now),
                ("destination_database_name", facts.database.into()),
                ("user_name", facts.user_name.into()),
                ("backup_set_id", set_id.into()),
                ("restore_type", facts.kind.to_string().into()),
                ("replace", facts.replace.into()),
                ("recovery", facts.recovery.into()),
                ("restart", false.into()),
                ("stop_at", stop_at),
                ("device_count", count.into()),
                ("stop_at_mark_name", mark),
                ("stop_before", is_before),
            ],
        )?;
        Ok(())
    })
}

/// What msdb knows of a backup set by its GUID: cells by column.
#[must_use]
pub fn known_set(instance: &Instance, set_guid: Uuid) -> Option<Vec<(&'static str, Value)>> {
    let found = write(instance, |history| {
        Ok(find(history, "backupset", "backup_set_uuid", set_guid))
    });
    found.ok().flatten()
}

fn stop_cells(stop: Option<&Stop>) -> (Value, Value, Value) {
    match stop {
        None => (Value::Null, Value::Null, Value::Null),
        Some(Stop::AtTime(at)) => (Value::Null, datetime(*at), false.into()),
        Some(Stop::AtMark { name, .. }) => (name.as_str().into(), Value::Null, false.into()),
        Some(Stop::BeforeMark { name, .. }) => (name.as_str().into(), Value::Null, true.into()),
        Some(Stop::AtLsn(lsn)) => (format!("lsn:{lsn}").into(), Value::Null, false.into()),
        Some(Stop::BeforeLsn(lsn)) => (format!("lsn:{lsn}").into(), Value::Null, true.into()),
    }
}

/// The media of a backup set.
struct OnMedia<'a> {
    families: &'a [MediaFamily],
    /// One for each family.
    devices: &'a [Device],
    is_compressed: bool,
}

fn add_set(
    history: &mut History<'_>,
    set: &BackupSet,
    media: &OnMedia<'_>,
    extra: Cells,
) -> SqlResult<i64> {
    let media_set_id = media_set(history, media)?;
    let families = i64::try_from(media.families.len()).unwrap_or(i64::MAX);
    let algorithm = media.is_compressed.then_some("MS_XPRESS");
    // What the outcome says counts before what the media can tell.
    let mut cells = extra;
    cells.extend(set_cells(set));
    cells.extend([
        ("media_set_id", media_set_id.into()),
        ("last_family_number", families.into()),
        ("catalog_family_number", families.into()),
        (
            "compression_algorithm",
            algorithm.map_or(Value::Null, Value::text),
        ),
    ]);
    let set_id = history.add("backupset", &cells)?;
    for file in &set.files {
        history.add("backupfile", &file_cells(set_id, set, file))?;
    }
    Ok(set_id)
}

/// The row of the media set: the one that is there, or a new one with its families.
fn media_set(history: &mut History<'_>, media: &OnMedia<'_>) -> SqlResult<i64> {
    let Some(first) = media.families.first() else {
        return Ok(0);
    };
    let known = find(history, "backupmediaset", "media_uuid", first.media_set_id);
    if let Some(id) = known.and_then(|row| int(&row, "media_set_id")) {
        return Ok(id);
    }
    let id = history.add(
        "backupmediaset",
        &[
            ("media_uuid", first.media_set_id.into()),
            ("media_family_count", i64::from(first.family_count).into()),
            ("name", text(&first.name)),
            ("description", text(&first.description)),
            ("software_name", first.software.as_str().into()),
            ("software_vendor_id", VENDOR.into()),
            ("MTF_major_version", 1.into()),
            ("mirror_count", 1.into()),
            ("is_password_protected", false.into()),
            ("is_compressed", media.is_compressed.into()),
            ("is_encrypted", false.into()),
        ],
    )?;
    for (family, device) in media.families.iter().zip(media.devices) {
        history.add("backupmediafamily", &family_cells(id, family, device))?;
    }
    Ok(id)
}

fn family_cells(media_set_id: i64, family: &MediaFamily, device: &Device) -> Cells {
    let id = Uuid::from_u64_pair(family.media_set_id.as_u64_pair().0, family.family_id.into());
    vec![
        ("media_set_id", media_set_id.into()),
        (
            "family_sequence_number",
            i64::from(family.family_number).into(),
        ),
        ("media_family_id", id.into()),
        ("media_count", 1.into()),
        ("physical_device_name", device.name.as_str().into()),
        // 2: a file named in the statement, without a logical device.
        ("device_type", 2.into()),
        (
            "physical_block_size",
            i64::from(family.block_size_bytes).into(),
        ),
        ("mirror", 0.into()),
    ]
}

fn set_cells(set: &BackupSet) -> Cells {
    let mut cells = identity_cells(set);
    cells.extend(lsn_cells(set));
    cells.extend(flag_cells(set));
    cells
}

fn identity_cells(set: &BackupSet) -> Cells {
    vec![
        ("backup_set_uuid", set.set_guid.into()),
        ("first_family_number", 1.into()),
        ("first_media_number", 1.into()),
        ("last_media_number", 1.into()),
        ("catalog_media_number", 1.into()),
        ("position", i64::from(set.position).into()),
        ("software_vendor_id", VENDOR.into()),
        ("name", text(&set.name)),
        ("description", text(&set.description)),
        ("user_name", set.user_name.as_str().into()),
        (
            "software_major_version",
            i64::from(set.server_version.major).into(),
        ),
        (
            "software_minor_version",
            i64::from(set.server_version.minor).into(),
        ),
        (
            "software_build_version",
            i64::from(set.server_version.build).into(),
        ),
        // 127 says that the zone is not known.
        (
            "time_zone",
            i64::from(set.time_zone_quarters.unwrap_or(127)).into(),
        ),
        ("mtf_minor_version", 0.into()),
        ("database_creation_date", time(set.database_created)),
        ("backup_start_date", time(set.started)),
        ("backup_finish_date", set.finished.map_or(Value::Null, time)),
        ("type", set.kind.letter().to_string().into()),
        ("sort_order", 52.into()),
        ("code_page", 0.into()),
        (
            "compatibility_level",
            i64::from(set.compatibility_level).into(),
        ),
        ("database_version", i64::from(set.database_version).into()),
        ("backup_size", bytes(set.backup_size_bytes)),
        ("compressed_backup_size", bytes(set.compressed_size_bytes)),
        ("database_name", set.database_name.as_str().into()),
        ("server_name", set.server_name.as_str().into()),
        ("machine_name", set.machine_name.as_str().into()),
        ("unicode_locale", 1033.into()),
        ("unicode_compare_style", 196_609.into()),
        ("family_guid", set.family_guid.into()),
    ]
}

fn lsn_cells(set: &BackupSet) -> Cells {
    let or_null = |lsn: mtf::Lsn| {
        if lsn == mtf::Lsn::ZERO {
            Value::Null
        } else {
            number(lsn)
        }
    };
    vec![
        ("first_lsn", number(set.first_lsn)),
        ("last_lsn", number(set.last_lsn)),
        ("checkpoint_lsn", number(set.checkpoint_lsn)),
        ("database_backup_lsn", number(set.database_backup_lsn)),
        (
            "first_recovery_fork_guid",
            set.first_recovery_fork_guid.into(),
        ),
        ("last_recovery_fork_guid", set.recovery_fork_guid.into()),
        ("fork_point_lsn", or_null(set.fork_point_lsn)),
        ("differential_base_lsn", or_null(set.differential_base_lsn)),
        ("differential_base_guid", set.differential_base_guid.into()),
    ]
}

fn flag_cells(set: &BackupSet) -> Cells {
    let has = |bits| Value::Bit(set.flags.has(bits));
    vec![
        ("flags", i64::from(set.flags.0).into()),
        ("is_password_protected", false.into()),
        ("has_bulk_logged_data", has(SetFlags::BULK_LOGGED)),
        ("is_snapshot", has(SetFlags::SNAPSHOT)),
        ("is_readonly", has(SetFlags::READ_ONLY)),
        ("is_single_user", has(SetFlags::SINGLE_USER)),
        ("has_backup_checksums", has(SetFlags::BACKUP_CHECKSUMS)),
        ("is_damaged", has(SetFlags::DAMAGED)),
        ("begins_log_chain", false.into()),
        ("has_incomplete_metadata", false.into()),
        ("is_force_offline", false.into()),
        ("is_copy_only", false.into()),
    ]
}

fn file_cells(set_id: i64, set: &BackupSet, file: &mtf::DatabaseFile) -> Cells {
    let is_log = file.kind == FileKind::Log;
    let pages = i64::from(file.pages_in_backup);
    vec![
        ("backup_set_id", set_id.into()),
        ("first_family_number", 1.into()),
        ("first_media_number", 1.into()),
        (
            "filegroup_name",
            if is_log {
                Value::Null
            } else {
                "PRIMARY".into()
            },
        ),
        ("page_size", if is_log { 512 } else { 8192 }.into()),
        ("file_number", Decimal::new(file.file_id.into(), 0).into()),
        ("backed_up_page_count", Decimal::new(pages.into(), 0).into()),
        ("file_type", if is_log { "L" } else { "D" }.into()),
        ("source_file_block_size", Decimal::new(512, 0).into()),
        ("file_size", bytes(file.size_bytes)),
        ("logical_name", file.logical_name.as_str().into()),
        ("physical_drive", drive(&file.physical_name)),
        ("physical_name", file.physical_name.as_str().into()),
        ("state", 0.into()),
        ("state_desc", "ONLINE".into()),
        ("differential_base_lsn", number(set.differential_base_lsn)),
        ("differential_base_guid", set.differential_base_guid.into()),
        (
            "backup_size",
            bytes(u64::from(file.pages_in_backup) * mtf::page::SIZE as u64),
        ),
        ("is_readonly", false.into()),
        ("is_present", true.into()),
    ]
}

/// `C:\data\a.mdf` stands on `C:\`; other paths have no drive.
fn drive(path: &str) -> Value {
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    path.get(..3).filter(|_| is_drive).into()
}

fn find(
    history: &History<'_>,
    table: &str,
    column: &str,
    guid: Uuid,
) -> Option<Vec<(&'static str, Value)>> {
    let wanted = Value::Guid(guid);
    let has = |row: &Vec<(&'static str, Value)>| {
        row.iter()
            .any(|(name, value)| *name == column && *value == wanted)
    };
    history.rows(table).into_iter().rev().find(has)
}

fn int(row: &[(&'static str, Value)], column: &str) -> Option<i64> {
    row.iter().find(|(name, _)| *name == column)?.1.as_int()
}

/// The words of `sys.databases.recovery_model_desc`.
#[must_use]
pub fn recovery_model(model: RecoveryModel) -> &'static str {
    match model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK_LOGGED",
        RecoveryModel::Simple => "SIMPLE",
    }
}

/// A time on media as msdb shows it.
#[must_use]
pub fn time(at: MediaTime) -> Value {
    let part = |part: u8| i8::try_from(part).unwrap_or_default();
    let civil = jiff::civil::DateTime::new(
        i16::try_from(at.year).unwrap_or_default(),
        part(at.month),
        part(at.day),
        part(at.hour),
        part(at.minute),
        part(at.second),
        0,
    );
    civil.map_or(Value::Null, Value::DateTime)
}

fn bytes(count: u64) -> Value {
    Decimal::new(count.into(), 0).into()
}

/// Empty texts on media are NULL in msdb.
fn text(text: &str) -> Value {
    Some(text).filter(|text| !text.is_empty()).into()
}
