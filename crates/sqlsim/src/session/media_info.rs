//! RESTORE HEADERONLY, FILELISTONLY, LABELONLY and VERIFYONLY: what media say of themselves.
//!
//! Start at [`Session::read_media`]. Columns have the names and the order of SQL Server's. What
//! media do not tell (copy-only, recovery model) comes from msdb where the set was made here.

use mtf::{BackupKind, BackupSet, FileKind, SetFlags};

use super::Session;
use super::devices::FaultyDevices;
use crate::backup::{self, MediaFile};
use crate::error::SqlResult;
use crate::instance::{COLLATION, Instance};
use crate::lang::ast::{Restore, RestoreKind, find_option};
use crate::messages;
use crate::msdb::backups::{known_set, time};
use crate::msdb::number;
use crate::value::{Column, Decimal, Row, Rows, SqlType, Value};

const TEXT: SqlType = SqlType::NVarChar(Some(128));
const LONG_TEXT: SqlType = SqlType::NVarChar(Some(255));
const SMALL: SqlType = SqlType::SmallInt;
const TINY: SqlType = SqlType::TinyInt;
const INT: SqlType = SqlType::Int;
const BIT: SqlType = SqlType::Bit;
const GUID: SqlType = SqlType::UniqueIdentifier;
const LSN: SqlType = SqlType::LSN;
const TIME: SqlType = SqlType::DateTime;
const BYTES: SqlType = SqlType::Decimal {
    precision: 20,
    scale: 0,
};

/// A cell with its column.
type Cell = (&'static str, SqlType, Value);

impl Session {
    /// The four statements that only read.
    pub(super) async fn read_media(&mut self, restore: &Restore) -> SqlResult<()> {
        self.require_server("CREATE ANY DATABASE")?;
        let named = self.devices(&restore.devices)?;
        let position = self.file_number(&restore.options)?;
        let has_file = find_option(&restore.options, "FILE").is_some();
        let checksum = find_option(&restore.options, "CHECKSUM").is_some();
        let (kind, instance) = (restore.kind, std::sync::Arc::clone(&self.instance));
        let working = tokio::task::spawn_blocking(move || -> SqlResult<Option<Rows>> {
            let devices = FaultyDevices::default();
            if kind == RestoreKind::VerifyOnly {
                backup::verify_media(&devices, &named, position, checksum)?;
                return Ok(None);
            }
            let media = backup::read_media(&devices, &named)?;
            let file = media.files.first();
            let file = file.ok_or_else(|| messages::media_incorrectly_formed(""))?;
            let rows = match kind {
                RestoreKind::HeaderOnly => {
                    header_rows(&instance, file, has_file.then_some(position))
                }
                RestoreKind::LabelOnly => label_rows(file),
                _ => file_rows(file, position, &named[0].name)?,
            };
            Ok(Some(rows))
        });
        let read = working
            .await
            .map_err(|_| messages::restore_planning_failed())?;
        if let Some(rows) = read? {
            let count = rows.rows.len() as u64;
            self.output.rows(rows).await;
            self.done(count).await;
        } else {
            let message = messages::backup_set_valid(position.into());
            self.output.message(message).await;
        }
        Ok(())
    }
}

fn table(rows: Vec<Vec<Cell>>, empty: &[Cell]) -> Rows {
    let shape = rows.first().map_or(empty, Vec::as_slice);
    let columns = shape
        .iter()
        .map(|(name, ty, _)| Column::new(*name, *ty))
        .collect();
    let cells = |row: Vec<Cell>| -> Row { row.into_iter().map(|(_, _, value)| value).collect() };
    Rows {
        columns,
        rows: rows.into_iter().map(cells).collect(),
    }
}

fn header_rows(instance: &Instance, file: &MediaFile, position: Option<u16>) -> Rows {
    let sets = file.sets.iter().map(|set| &set.identity);
    let wanted = sets.filter(|set| position.is_none_or(|position| set.position == position));
    let is_compressed = file.report.is_compressed;
    let rows = wanted.map(|set| header(instance, set, is_compressed));
    let empty = header(instance, &BackupSet::default(), false);
    table(rows.collect(), &empty)
}

fn header(instance: &Instance, set: &BackupSet, is_compressed: bool) -> Vec<Cell> {
    let known = known_set(instance, set.set_guid).unwrap_or_default();
    let known = |column: &str| {
        known
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, value)| value.clone())
    };
    let mut cells = header_start(set, is_compressed);
    cells.extend(header_lsns(set));
    cells.extend(header_server(set));
    cells.extend(header_flags(set, &known));
    cells.extend(header_end(set, &known));
    cells
}

fn header_start(set: &BackupSet, is_compressed: bool) -> Vec<Cell> {
    let (kind, _) = kind_of(set.kind);
    vec![
        ("BackupName", TEXT, optional(&set.name)),
        ("BackupDescription", LONG_TEXT, optional(&set.description)),
        ("BackupType", SMALL, kind.into()),
        ("ExpirationDate", TIME, Value::Null),
        ("Compressed", BIT, is_compressed.into()),
        ("Position", SMALL, i64::from(set.position).into()),
        ("DeviceType", TINY, 2.into()),
        ("UserName", TEXT, set.user_name.as_str().into()),
        ("ServerName", TEXT, set.server_name.as_str().into()),
        ("DatabaseName", TEXT, set.database_name.as_str().into()),
        (
            "DatabaseVersion",
            INT,
            i64::from(set.database_version).into(),
        ),
        ("DatabaseCreationDate", TIME, time(set.database_created)),
        ("BackupSize", BYTES, bytes(set.backup_size_bytes)),
    ]
}

fn header_lsns(set: &BackupSet) -> Vec<Cell> {
    vec![
        ("FirstLSN", LSN, number(set.first_lsn)),
        ("LastLSN", LSN, number(set.last_lsn)),
        ("CheckpointLSN", LSN, number(set.checkpoint_lsn)),
        ("DatabaseBackupLSN", LSN, number(set.database_backup_lsn)),
        ("BackupStartDate", TIME, time(set.started)),
        (
            "BackupFinishDate",
            TIME,
            set.finished.map_or(Value::Null, time),
        ),
        ("SortOrder", SMALL, 52.into()),
        ("CodePage", SMALL, 0.into()),
        ("UnicodeLocaleId", INT, 1033.into()),
        ("UnicodeComparisonStyle", INT, 196_609.into()),
        (
            "CompatibilityLevel",
            TINY,
            i64::from(set.compatibility_level).into(),
        ),
    ]
}

fn header_server(set: &BackupSet) -> Vec<Cell> {
    vec![
        ("SoftwareVendorId", INT, 4608.into()),
        (
            "SoftwareVersionMajor",
            INT,
            i64::from(set.server_version.major).into(),
        ),
        (
            "SoftwareVersionMinor",
            INT,
            i64::from(set.server_version.minor).into(),
        ),
        (
            "SoftwareVersionBuild",
            INT,
            i64::from(set.server_version.build).into(),
        ),
        ("MachineName", TEXT, set.machine_name.as_str().into()),
        ("Flags", INT, i64::from(set.flags.0 & 0x1FF).into()),
        ("BindingID", GUID, set.binding_id.into()),
        ("RecoveryForkID", GUID, set.recovery_fork_guid.into()),
        ("Collation", TEXT, COLLATION.into()),
        ("FamilyGUID", GUID, set.family_guid.into()),
    ]
}

fn header_flags(set: &BackupSet, known: &dyn Fn(&str) -> Option<Value>) -> Vec<Cell> {
    let has = |bits| Value::Bit(set.flags.has(bits));
    let bit = |column| known(column).unwrap_or(Value::Bit(false));
    vec![
        ("HasBulkLoggedData", BIT, has(SetFlags::BULK_LOGGED)),
        ("IsSnapshot", BIT, has(SetFlags::SNAPSHOT)),
        ("IsReadOnly", BIT, has(SetFlags::READ_ONLY)),
        ("IsSingleUser", BIT, has(SetFlags::SINGLE_USER)),
        ("HasBackupChecksums", BIT, has(SetFlags::BACKUP_CHECKSUMS)),
        ("IsDamaged", BIT, has(SetFlags::DAMAGED)),
        ("BeginsLogChain", BIT, bit("begins_log_chain")),
        ("HasIncompleteMetaData", BIT, false.into()),
        ("IsForceOffline", BIT, false.into()),
        ("IsCopyOnly", BIT, bit("is_copy_only")),
    ]
}

fn header_end(set: &BackupSet, known: &dyn Fn(&str) -> Option<Value>) -> Vec<Cell> {
    let or_null = |lsn: mtf::Lsn| {
        if lsn == mtf::Lsn::ZERO {
            Value::Null
        } else {
            number(lsn)
        }
    };
    let (_, kind) = kind_of(set.kind);
    vec![
        (
            "FirstRecoveryForkID",
            GUID,
            set.first_recovery_fork_guid.into(),
        ),
        ("ForkPointLSN", LSN, or_null(set.fork_point_lsn)),
        (
            "RecoveryModel",
            SqlType::NVarChar(Some(60)),
            known("recovery_model").unwrap_or("FULL".into()),
        ),
        (
            "DifferentialBaseLSN",
            LSN,
            or_null(set.differential_base_lsn),
        ),
        (
            "DifferentialBaseGUID",
            GUID,
            set.differential_base_guid.into(),
        ),
        (
            "BackupTypeDescription",
            SqlType::NVarChar(Some(60)),
            kind.into(),
        ),
        ("BackupSetGUID", GUID, set.set_guid.into()),
        (
            "CompressedBackupSize",
            SqlType::BigInt,
            i64::try_from(set.compressed_size_bytes)
                .unwrap_or(i64::MAX)
                .into(),
        ),
        ("containment", TINY, 0.into()),
        ("KeyAlgorithm", SqlType::NVarChar(Some(32)), Value::Null),
        (
            "EncryptorThumbprint",
            SqlType::VarBinary(Some(20)),
            Value::Null,
        ),
        ("EncryptorType", SqlType::NVarChar(Some(32)), Value::Null),
        (
            "LastValidRestoreTime",
            TIME,
            known("last_valid_restore_time").unwrap_or(Value::Null),
        ),
        (
            "TimeZone",
            SMALL,
            i64::from(set.time_zone_quarters.unwrap_or(127)).into(),
        ),
        (
            "CompressionAlgorithm",
            SqlType::NVarChar(Some(32)),
            known("compression_algorithm").unwrap_or(Value::Null),
        ),
    ]
}

fn kind_of(kind: BackupKind) -> (i64, &'static str) {
    match kind {
        BackupKind::Full => (1, "Database"),
        BackupKind::Log => (2, "Transaction Log"),
        BackupKind::Differential => (5, "Database Differential"),
        BackupKind::Other(_) => (4, "File or Filegroup"),
    }
}

fn label_rows(file: &MediaFile) -> Rows {
    let family = &file.family;
    let date = file
        .sets
        .first()
        .map_or(Value::Null, |set| time(set.identity.started));
    let id = uuid::Uuid::from_u64_pair(
        family.media_set_id.as_u64_pair().0,
        u64::from(family.family_id),
    );
    let row: Vec<Cell> = vec![
        ("MediaName", TEXT, optional(&family.name)),
        ("MediaSetId", GUID, family.media_set_id.into()),
        ("FamilyCount", INT, i64::from(family.family_count).into()),
        (
            "FamilySequenceNumber",
            INT,
            i64::from(family.family_number).into(),
        ),
        ("MediaFamilyId", GUID, id.into()),
        ("MediaSequenceNumber", INT, 1.into()),
        ("MediaLabelPresent", TINY, 0.into()),
        ("MediaDescription", LONG_TEXT, optional(&family.description)),
        ("SoftwareName", TEXT, family.software.as_str().into()),
        ("SoftwareVendorId", INT, 4608.into()),
        ("MediaDate", TIME, date),
        ("Mirror_Count", INT, 1.into()),
        ("IsCompressed", BIT, file.report.is_compressed.into()),
    ];
    table(vec![row], &[])
}

fn file_rows(file: &MediaFile, position: u16, device: &str) -> SqlResult<Rows> {
    let mut sets = file.sets.iter().map(|set| &set.identity);
    let set = sets.find(|set| set.position == position);
    let set = set.ok_or_else(|| messages::backup_set_not_found(device))?;
    let rows = set.files.iter().map(|file| file_row(set, file)).collect();
    Ok(table(rows, &[]))
}

fn file_row(set: &BackupSet, file: &mtf::DatabaseFile) -> Vec<Cell> {
    let is_log = file.kind == FileKind::Log;
    let group = if is_log {
        Value::Null
    } else {
        "PRIMARY".into()
    };
    let pages = u64::from(file.pages_in_backup) * mtf::page::SIZE as u64;
    vec![
        ("LogicalName", TEXT, file.logical_name.as_str().into()),
        (
            "PhysicalName",
            SqlType::NVarChar(Some(260)),
            file.physical_name.as_str().into(),
        ),
        (
            "Type",
            SqlType::Char(1),
            if is_log { "L" } else { "D" }.into(),
        ),
        ("FileGroupName", TEXT, group),
        ("Size", BYTES, bytes(file.size_bytes)),
        ("MaxSize", BYTES, bytes(35_184_372_080_640)),
        ("FileId", SqlType::BigInt, i64::from(file.file_id).into()),
        ("CreateLSN", LSN, bytes(0)),
        ("DropLSN", LSN, bytes(0)),
        ("UniqueId", GUID, set.binding_id.into()),
        ("ReadOnlyLSN", LSN, bytes(0)),
        ("ReadWriteLSN", LSN, bytes(0)),
        (
            "BackupSizeInBytes",
            SqlType::BigInt,
            i64::try_from(pages).unwrap_or(i64::MAX).into(),
        ),
        ("SourceBlockSize", INT, 4096.into()),
        ("FileGroupId", INT, i64::from(file.filegroup_id).into()),
        ("LogGroupGUID", GUID, Value::Null),
        (
            "DifferentialBaseLSN",
            LSN,
            number(set.differential_base_lsn),
        ),
        (
            "DifferentialBaseGUID",
            GUID,
            set.differential_base_guid.into(),
        ),
        ("IsReadOnly", BIT, false.into()),
        ("IsPresent", BIT, true.into()),
        ("TDEThumbprint", SqlType::VarBinary(Some(32)), Value::Null),
        ("SnapshotURL", SqlType::NVarChar(Some(336)), Value::Null),
    ]
}

fn optional(text: &str) -> Value {
    Some(text).filter(|text| !text.is_empty()).into()
}

fn bytes(count: u64) -> Value {
    Decimal::new(count.into(), 0).into()
}
