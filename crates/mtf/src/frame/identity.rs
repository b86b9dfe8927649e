//! The identity record (`MQCI` stream): who, what, when, from which LSN to which, in which files.
//!
//! Start at [`read()`] and [`write()`]. The stream is a chain of records: one `SCIN`, then an
//! `SFGI` per filegroup and an `SFIN` per file. Offsets count from the start of each record.
//!
//! This file never compares the two copies that a backup set holds.

use std::io;

use uuid::Uuid;

use super::records::Build;
use super::text_at;
use crate::bytes;
use crate::{
    BackupKind, BackupSet, DatabaseFile, FileKind, Lsn, MediaTime, ServerVersion, SetFlags,
};

/// The longest identity that is read: room for some three thousand files.
pub(crate) const LENGTH_MAX: u64 = 4 << 20;

/// Length of the fixed part that all versions share.
const SCIN_LENGTH_MIN: usize = 344;
/// Length of the fixed part since 2012.
const SCIN_LENGTH: usize = 400;
const SFGI_LENGTH: usize = 48;
const SFIN_LENGTH: usize = 1024;
const SFIN_LENGTH_MIN: usize = 56;

const KIND: usize = 87;
const FLAGS: usize = 8;
const FINISHED: usize = 82;
const BACKUP_SIZE: usize = 96;
const RECOVERY_FORK: usize = 156;
const FORK_POINT: usize = 172;
const FIRST_FORK: usize = 184;
const BASE_FULL: usize = 200;
const DIFFERENTIAL_BASE: usize = 260;
const COMPRESSED_SIZE: usize = 344;

/// Reads an identity; the fields that other blocks hold (name, user, position, ..) stay empty.
///
/// # Errors
/// What about the record cannot be, in words.
pub(crate) fn read(payload: &[u8]) -> Result<BackupSet, &'static str> {
    let mut records = payload;
    let mut set = None;
    while !records.is_empty() {
        let length = bytes::u32_at(records, 4) as usize;
        if length < 8 {
            return Err("a record in it has no length");
        }
        let record = records
            .get(..length)
            .ok_or("a record in it is longer than it is")?;
        records = &records[length..];
        match (&record[..4], &mut set) {
            (b"SCIN", None) => set = Some(read_set(record)?),
            (b"SFGI", Some(set)) => set.filegroups.push(read_filegroup(record)?),
            (b"SFIN", Some(set)) => set.files.push(read_file(record)?),
            (_, Some(_)) => {}
            (_, None) => return Err("it does not begin with its main record"),
        }
    }
    set.ok_or("it is empty")
}

fn read_set(scin: &[u8]) -> Result<BackupSet, &'static str> {
    if scin.len() < SCIN_LENGTH_MIN {
        return Err("its main record is too short");
    }
    let text = |address| text_at(scin, address, 2).ok_or("a name lies outside of its record");
    let lsn = |offset| Lsn::read(scin, offset);
    let guid = |offset| bytes::guid_at(scin, offset);
    let some = |guid: Uuid| (!guid.is_nil()).then_some(guid);
    let time = |offset| MediaTime::read(scin, offset);
    let compressed = if scin.len() >= COMPRESSED_SIZE + 8 {
        COMPRESSED_SIZE
    } else {
        scin.len()
    };
    Ok(BackupSet {
        database_name: text(104)?,
        server_name: text(108)?,
        kind: BackupKind::from_byte(scin[KIND]),
        flags: SetFlags(bytes::u32_at(scin, FLAGS)),
        server_version: ServerVersion {
            build: bytes::u16_at(scin, 24),
            minor: scin[26],
            major: scin[27],
        },
        first_lsn: lsn(32),
        last_lsn: lsn(42),
        checkpoint_lsn: lsn(52),
        database_backup_lsn: lsn(62),
        database_created: time(72),
        started: time(77),
        finished: time(FINISHED).some(),
        sort_order: scin[88],
        compatibility_level: scin[91],
        database_version: bytes::u16_at(scin, 94),
        backup_size_bytes: bytes::u64_at(scin, BACKUP_SIZE),
        locale_id: bytes::u32_at(scin, 116),
        compare_style: bytes::u32_at(scin, 120),
        binding_id: guid(124),
        recovery_fork_guid: guid(RECOVERY_FORK),
        fork_point_lsn: lsn(FORK_POINT),
        // A database that was never forked has no first fork on media; servers then show the last.
        first_recovery_fork_guid: some(guid(FIRST_FORK)).unwrap_or(guid(RECOVERY_FORK)),
        base_full_guid: some(guid(BASE_FULL)),
        collation: bytes::u32_at(scin, 216),
        family_guid: guid(224),
        differential_base_lsn: lsn(DIFFERENTIAL_BASE),
        differential_base_guid: some(guid(DIFFERENTIAL_BASE + 12)),
        compressed_size_bytes: bytes::u64_at(scin, compressed),
        ..BackupSet::default()
    })
}

fn read_filegroup(sfgi: &[u8]) -> Result<String, &'static str> {
    // Records without room for a name would cost us more memory than they take on media.
    if sfgi.len() < SFGI_LENGTH {
        return Err("the record of a filegroup is too short");
    }
    text_at(sfgi, 16, 2).ok_or("a filegroup's name lies outside of its record")
}

fn read_file(sfin: &[u8]) -> Result<DatabaseFile, &'static str> {
    if sfin.len() < SFIN_LENGTH_MIN {
        return Err("the record of a file is too short");
    }
    let text =
        |address| text_at(sfin, address, 2).ok_or("a file's name lies outside of its record");
    Ok(DatabaseFile {
        file_id: bytes::u32_at(sfin, 20),
        pages_in_backup: bytes::u32_at(sfin, 24),
        kind: FileKind::from_number(bytes::u32_at(sfin, 28)),
        filegroup_id: bytes::u32_at(sfin, 36),
        size_bytes: bytes::u64_at(sfin, 40),
        logical_name: text(48)?,
        physical_name: text(52)?,
    })
}

/// Writes an identity in the shape that SQL Server has used since 2012.
///
/// # Errors
/// Of kind `InvalidInput` if names are too long for their 16-bit addresses.
pub(crate) fn write(set: &BackupSet) -> io::Result<Vec<u8>> {
    let mut out = write_set(set)?;
    for (number, name) in (1_u32..).zip(&set.filegroups) {
        out.extend(write_filegroup(number, name)?);
    }
    for file in &set.files {
        out.extend(write_file(file)?);
    }
    Ok(out)
}

fn write_set(set: &BackupSet) -> io::Result<Vec<u8>> {
    let mut scin = Build::new(SCIN_LENGTH);
    let version = set.server_version;
    scin.put(0, b"SCIN");
    scin.put(FLAGS, &set.flags.0.to_le_bytes());
    // Constants whose meaning is not known, as all versions since 2008 write them.
    scin.put(12, &1_u32.to_le_bytes());
    scin.put(16, &1_u32.to_le_bytes());
    scin.put(28, &9_u32.to_le_bytes());
    scin.put(89, &[1]);
    scin.put(24, &version.build.to_le_bytes());
    scin.put(26, &[version.minor, version.major]);
    scin.put(KIND, &[set.kind.byte(), set.sort_order]);
    scin.put(91, &[set.compatibility_level]);
    scin.put(94, &set.database_version.to_le_bytes());
    scin.put(BACKUP_SIZE, &set.backup_size_bytes.to_le_bytes());
    scin.put(116, &set.locale_id.to_le_bytes());
    scin.put(120, &set.compare_style.to_le_bytes());
    scin.put(216, &set.collation.to_le_bytes());
    scin.put(220, &[set.sort_order]);
    scin.put(COMPRESSED_SIZE, &set.compressed_size_bytes.to_le_bytes());
    put_lsns(&mut scin, set);
    put_times(&mut scin, set);
    put_guids(&mut scin, set);
    scin.text(104, &set.database_name)?;
    scin.text(108, &set.server_name)?;
    close(scin)
}

fn put_lsns(scin: &mut Build, set: &BackupSet) {
    let places = [
        (32, set.first_lsn),
        (42, set.last_lsn),
        (52, set.checkpoint_lsn),
        (62, set.database_backup_lsn),
        (144, set.last_lsn),
        (FORK_POINT, set.fork_point_lsn),
        (DIFFERENTIAL_BASE, set.differential_base_lsn),
    ];
    for (offset, lsn) in places {
        scin.put(offset, &lsn.to_bytes());
    }
}

fn put_times(scin: &mut Build, set: &BackupSet) {
    scin.put(72, &set.database_created.to_bytes());
    scin.put(77, &set.started.to_bytes());
    scin.put(FINISHED, &set.finished.unwrap_or_default().to_bytes());
}

fn put_guids(scin: &mut Build, set: &BackupSet) {
    let forked =
        !set.fork_point_lsn.is_zero() || set.first_recovery_fork_guid != set.recovery_fork_guid;
    let first_fork = if forked {
        set.first_recovery_fork_guid
    } else {
        Uuid::nil()
    };
    let places = [
        (124, set.binding_id),
        (RECOVERY_FORK, set.recovery_fork_guid),
        (FIRST_FORK, first_fork),
        (BASE_FULL, set.base_full_guid.unwrap_or_default()),
        (224, set.family_guid),
        (
            DIFFERENTIAL_BASE + 12,
            set.differential_base_guid.unwrap_or_default(),
        ),
    ];
    for (offset, guid) in places {
        scin.put(offset, &guid.to_bytes_le());
    }
}

fn write_filegroup(number: u32, name: &str) -> io::Result<Vec<u8>> {
    let mut sfgi = Build::new(SFGI_LENGTH);
    sfgi.put(0, b"SFGI");
    sfgi.put(8, &16_u32.to_le_bytes());
    sfgi.put(12, &number.to_le_bytes());
    sfgi.put(20, &1_u32.to_le_bytes());
    sfgi.text(16, name)?;
    close(sfgi)
}

fn write_file(file: &DatabaseFile) -> io::Result<Vec<u8>> {
    let mut sfin = Build::new(SFIN_LENGTH);
    sfin.put(0, b"SFIN");
    sfin.put(16, &8192_u32.to_le_bytes());
    sfin.put(20, &file.file_id.to_le_bytes());
    sfin.put(24, &file.pages_in_backup.to_le_bytes());
    sfin.put(28, &file.kind.number().to_le_bytes());
    sfin.put(32, &512_u32.to_le_bytes());
    sfin.put(36, &file.filegroup_id.to_le_bytes());
    sfin.put(40, &file.size_bytes.to_le_bytes());
    sfin.text(48, &file.logical_name)?;
    sfin.text(52, &file.physical_name)?;
    close(sfin)
}

/// Notes the length of a finished record in its fifth to eighth byte.
fn close(mut record: Build) -> io::Result<Vec<u8>> {
    let length = u32::try_from(record.raw.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    record.put(4, &length.to_le_bytes());
    Ok(record.raw)
}
