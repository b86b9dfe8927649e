//! Backups and restores, end to end on files in memory.
//!
//! Start at [`Bench`]: a host with one disk and its devices.

mod ballast;
mod chains;
mod damage;
mod kills;
mod media;
mod refusals;
mod schedules;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mtf::ServerVersion;

use super::*;
use crate::error::SqlResult;
use crate::instance::Unreachable;
use crate::storage::testing::{MemoryDisk, guid, new_database, time};
use crate::storage::{Database, Disk, RecoveryModel};

/// The server that takes and restores backups.
const VERSION: ServerVersion = ServerVersion {
    major: 16,
    minor: 0,
    build: 4175,
};

type Files = Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>;

/// Backup files in memory; it is full after `room_bytes`.
#[derive(Debug)]
struct MemoryDevices {
    files: Files,
    room_bytes: usize,
}

struct Writing {
    files: Files,
    path: PathBuf,
    room_bytes: usize,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.entry(self.path.clone()).or_default();
        if file.len() + bytes.len() > self.room_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MemoryDevices {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Devices for MemoryDevices {
    fn exists(&self, path: &Path) -> bool {
        self.lock().contains_key(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        self.lock().insert(path.to_owned(), Vec::new());
        let (files, path, room_bytes) = (Arc::clone(&self.files), path.to_owned(), self.room_bytes);
        Ok(Box::new(Writing {
            files,
            path,
            room_bytes,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self
            .lock()
            .get(path)
            .cloned()
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

/// A host with a disk and devices.
#[derive(Debug)]
struct Bench {
    disk: Arc<MemoryDisk>,
    devices: MemoryDevices,
    next: Mutex<u32>,
}

impl Surroundings for Bench {
    fn path_of(&self, physical_name: &str) -> Result<PathBuf, Unreachable> {
        Ok(PathBuf::from(physical_name))
    }

    fn user_of(&self, physical_name: &str) -> Option<String> {
        (physical_name == "/used.mdf").then(|| "other".to_owned())
    }

    fn exclusive(&self) -> SqlResult<()> {
        Ok(())
    }
}

impl Bench {
    fn new() -> Self {
        let devices = MemoryDevices {
            files: Files::default(),
            room_bytes: usize::MAX,
        };
        Self {
            disk: MemoryDisk::new(),
            devices,
            next: Mutex::new(0),
        }
    }

    fn database(&self, name: &str) -> Database {
        new_database(&self.disk, name, RecoveryModel::Full)
    }

    fn number(&self) -> u32 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        *next
    }

    fn full(&self, database: &Database, file: &str) -> BackupOutcome {
        self.data(database, &request(self, &[file]), false)
            .expect("the disk works")
    }

    fn differential(&self, database: &Database, file: &str) -> BackupOutcome {
        self.data(database, &request(self, &[file]), true)
            .expect("there is a base")
    }

    fn log(&self, database: &Database, file: &str) -> BackupOutcome {
        self.log_with(database, &request(self, &[file]))
            .expect("the disk works")
    }

    fn data(
        &self,
        database: &Database,
        request: &BackupRequest,
        differential: bool,
    ) -> SqlResult<BackupOutcome> {
        let clock = || time(0);
        backup_database(
            database,
            &self.devices,
            request,
            differential,
            &clock,
            &mut |_, _| {},
        )
    }

    fn log_with(&self, database: &Database, request: &BackupRequest) -> SqlResult<BackupOutcome> {
        let (clock, mode) = (|| time(0), LogBackupMode::Ordinary);
        backup_log(
            database,
            &self.devices,
            request,
            mode,
            &clock,
            &mut |_, _| {},
        )
    }

    fn tail(&self, database: &Database, file: &str) -> BackupOutcome {
        let (clock, mode, request) = (|| time(0), LogBackupMode::Tail, request(self, &[file]));
        backup_log(
            database,
            &self.devices,
            &request,
            mode,
            &clock,
            &mut |_, _| {},
        )
        .expect("the disk works")
    }

    fn restore_full(&self, restore: &RestoreRequest) -> SqlResult<Database> {
        self.restore_over(None, restore)
            .map(|done| done.database.expect("a full makes one"))
    }

    fn restore_over(
        &self,
        existing: Option<&Database>,
        restore: &RestoreRequest,
    ) -> SqlResult<DatabaseRestored> {
        let disk: Arc<dyn Disk> = self.disk.clone();
        restore_database(&disk, &self.devices, existing, restore, self)
    }

    fn restore_log(&self, db: &Database, restore: &RestoreRequest) -> SqlResult<RestoreOutcome> {
        restore_log(&self.devices, Some(db), restore, self)
    }

    /// A request to restore these files as `name`, with files of that name.
    fn restore(&self, name: &str, of: &str, files: &[&str]) -> RestoreRequest {
        let to = |logical: String, extension: &str| MoveFile {
            logical_name: logical,
            physical_name: format!("/{name}.{extension}"),
        };
        RestoreRequest {
            database: name.to_owned(),
            devices: devices(files),
            position: 1,
            checksum: true,
            replace: false,
            moves: vec![to(of.to_owned(), "mdf"), to(format!("{of}_log"), "ldf")],
            after: AfterRestore::NoRecovery,
            stop: None,
            fork_guid: guid(name, 100 + self.number()),
            database_guid: guid(name, 1),
            now: time(0),
            version: VERSION,
            database_version: 957,
        }
    }
}

fn devices(files: &[&str]) -> Vec<Device> {
    let device = |file: &&str| Device {
        name: (*file).to_owned(),
        path: PathBuf::from(file),
    };
    files.iter().map(device).collect()
}

fn request(bench: &Bench, files: &[&str]) -> BackupRequest {
    BackupRequest {
        devices: devices(files),
        format: false,
        init: false,
        checksum: true,
        compression: Compression::Default(false),
        copy_only: false,
        name: "a name".to_owned(),
        description: String::new(),
        media_name: String::new(),
        media_description: String::new(),
        user_name: "sa".to_owned(),
        host: HostIdentity {
            server_name: "H1\\I".to_owned(),
            machine_name: "H1".to_owned(),
            version: VERSION,
            database_version: 957,
            time_zone_quarters: 4,
        },
        set_guid: guid("set", bench.number()),
        media_set_guid: guid("media", bench.number()),
    }
}

fn at_mark(mut request: RestoreRequest, name: &str) -> RestoreRequest {
    request.stop = Some(Stop::at_mark(name, None).expect("no LSN in it"));
    request
}

fn recovering(mut request: RestoreRequest) -> RestoreRequest {
    request.after = AfterRestore::Recovery;
    request
}
