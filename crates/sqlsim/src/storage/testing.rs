//! What the tests of this room and of `backup/` stand on: a disk in memory and a database on it.
//!
//! Start at [`MemoryDisk`] and [`new_database`]. For tests only.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::{DateTime, date};
use uuid::Uuid;

use super::{
    Database, DatabaseFiles, Disk, DiskFile, MarkInfo, NewDatabase, RecoveryModel, TableId, TxId,
};
use crate::value::{Row, Value};

/// The table that tests write to.
pub(crate) const TABLE: TableId = TableId(1000);

type Bytes = Arc<Mutex<Contents>>;

/// A file's bytes as the process sees them, and as they would be after a loss of power.
#[derive(Debug, Default, Clone)]
struct Contents {
    seen: Vec<u8>,
    synced: Vec<u8>,
}

/// Files in memory. It dies after a number of changes: the last of them is half done, and all after
/// it fail, as if the process had been killed there.
#[derive(Debug)]
pub(crate) struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Bytes>>,
    life: Life,
}

/// How many changes are left.
#[derive(Debug, Clone)]
struct Life(Arc<AtomicU64>);

#[derive(Debug)]
struct MemoryFile {
    bytes: Bytes,
    life: Life,
}

enum Change {
    Whole,
    Half,
}

impl Life {
    fn spend(&self) -> io::Result<Change> {
        let left = self
            .0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(1) => Ok(Change::Half),
            Ok(_) => Ok(Change::Whole),
            Err(_) => Err(io::Error::other("the process is dead")),
        }
    }
}

impl MemoryDisk {
    pub(crate) fn new() -> Arc<Self> {
        Self::holding(BTreeMap::new())
    }

    /// Lets this many more changes happen.
    pub(crate) fn dies_after(&self, changes: u64) {
        self.life.0.store(changes, Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life.0.load(Relaxed) == 0
    }

    fn holding(files: BTreeMap<PathBuf, Bytes>) -> Arc<Self> {
        let life = Life(Arc::new(AtomicU64::new(u64::MAX)));
        Arc::new(Self {
            files: Mutex::new(files),
            life,
        })
    }

    /// Another disk that holds what this one holds now.
    pub(crate) fn copy(&self) -> Arc<Self> {
        let files = self.files();
        let copied = files
            .iter()
            .map(|(path, bytes)| (path.clone(), Arc::new(Mutex::new(held(bytes)))));
        Self::holding(copied.collect())
    }

    /// Another disk that holds what this one would hold after a loss of power.
    pub(crate) fn after_power_loss(&self) -> Arc<Self> {
        let copy = self.copy();
        for file in copy.files().values() {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seen = file.synced.clone();
        }
        copy
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        held(&self.files()[path]).seen
    }

    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let contents = Contents {
            seen: bytes.clone(),
            synced: bytes,
        };
        self.files()
            .insert(path.to_owned(), Arc::new(Mutex::new(contents)));
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn held(bytes: &Bytes) -> Contents {
    bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut files = self.files();
        if new && files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if new {
            self.life.spend()?;
            files.insert(path.to_owned(), Bytes::default());
        }
        let bytes = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let (bytes, life) = (Arc::clone(bytes), self.life.clone());
        Ok(Box::new(MemoryFile { bytes, life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A rename happens or does not.
        self.life.spend()?;
        let mut files = self.files();
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.life.spend()?;
        self.files().remove(path);
        Ok(())
    }

    fn syncs_commits(&self) -> bool {
        true
    }

    /// The only folder is `/`.
    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/") || self.files().contains_key(path)
    }
}

impl MemoryFile {
    fn lock(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for MemoryFile {
    fn length_bytes(&mut self) -> io::Result<u64> {
        Ok(self.lock().seen.len() as u64)
    }

    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset_bytes).map_err(io::Error::other)?;
        let bytes = self.lock();
        let read = bytes
            .seen
            .get(start..start + into.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(read);
        Ok(())
    }

    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let (bytes, outcome) = match self.life.spend()? {
            Change::Whole => (bytes, Ok(())),
            Change::Half => (&bytes[..bytes.len() / 2], Err(io::Error::other("killed"))),
        };
        let start = usize::try_from(offset_bytes).map_err(io::Error::other)?;
        let file = &mut self.lock().seen;
        let end = start + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[start..end].copy_from_slice(bytes);
        outcome
    }

    fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        self.life.spend()?;
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        self.lock().seen.resize(length, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.life.spend()?;
        let mut file = self.lock();
        file.synced = file.seen.clone();
        Ok(())
    }
}

pub(crate) fn files(name: &str) -> DatabaseFiles {
    DatabaseFiles {
        data: PathBuf::from(format!("/{name}.mdf")),
        log: PathBuf::from(format!("/{name}.ldf")),
        data_logical_name: name.to_owned(),
        log_logical_name: format!("{name}_log"),
        data_physical_name: format!("/{name}.mdf"),
        log_physical_name: format!("/{name}.ldf"),
    }
}

pub(crate) fn new_database(disk: &Arc<MemoryDisk>, name: &str, model: RecoveryModel) -> Database {
    let new = NewDatabase {
        name: name.to_owned(),
        database_guid: guid(name, 1),
        family_guid: guid(name, 2),
        fork_guid: guid(name, 3),
        created: time(0),
        recovery_model: model,
        compatibility_level: 160,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
    };
    Database::create(disk.clone(), files(name), &new).expect("the disk is empty")
}

pub(crate) fn open(disk: &Arc<MemoryDisk>, name: &str) -> Database {
    Database::open(disk.clone(), files(name)).expect("the files are whole")
}

pub(crate) fn guid(name: &str, number: u32) -> Uuid {
    let seed = name
        .bytes()
        .fold(7_u128, |seed, byte| seed * 31 + u128::from(byte));
    Uuid::from_u128(seed << 40 | u128::from(number))
}

/// A time this many seconds after the tests' epoch.
pub(crate) fn time(seconds: i64) -> DateTime {
    let epoch = date(2026, 11, 21).at(9, 0, 0, 0);
    epoch.saturating_add(jiff::Span::new().seconds(seconds))
}

pub(crate) fn mark(name: &str, seconds: i64) -> MarkInfo {
    MarkInfo {
        name: name.to_owned(),
        description: "a mark".to_owned(),
        user: "sa".to_owned(),
        time: time(seconds),
    }
}

pub(crate) fn row(number: i64) -> Row {
    vec![Value::Int(number)]
}

/// Inserts a row in a transaction of its own, at that many seconds.
pub(crate) fn put(database: &Database, number: i64) -> mtf::Lsn {
    put_marked(database, number, None)
}

pub(crate) fn put_marked(database: &Database, number: i64, name: Option<&str>) -> mtf::Lsn {
    let tx = TxId(u64::MAX);
    let mark = name.map(|name| mark(name, number));
    database.begin(tx).expect("the database is online");
    database
        .insert(tx, TABLE, row(number))
        .expect("nobody else writes");
    let lsn = database
        .commit(tx, time(number), mark.as_ref())
        .expect("the disk works");
    lsn.expect("a row was written")
}

/// Fills the table with these numbers, in rows so wide that they take some extents.
pub(crate) fn fill(database: &Database, numbers: std::ops::Range<i64>) {
    let tx = TxId(u64::MAX);
    database.begin(tx).expect("the database is online");
    for number in numbers {
        let row = vec![Value::Int(number), Value::Binary(vec![3; 700])];
        database.insert(tx, TABLE, row).expect("nobody else writes");
    }
    database.commit(tx, time(0), None).expect("the disk works");
}

/// The numbers in the table, in order.
pub(crate) fn numbers(database: &Database) -> Vec<i64> {
    let rows = database.scan(None, TABLE);
    rows.iter().filter_map(|(_, row)| row[0].as_int()).collect()
}
