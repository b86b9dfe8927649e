//! A disk in memory that forgets what was not synced, and that may die in the middle of a write.
//!
//! Start at [`MemoryDisk`]. For simulations of crashes; nothing here knows what the bytes mean.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::{Disk, DiskFile};

type Bytes = Arc<Mutex<Contents>>;

/// A file's bytes as the process sees them, and as they would be after a loss of power.
#[derive(Debug, Default, Clone)]
struct Contents {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// Where the two may differ.
    changed: Range<usize>,
}

/// Files in memory. It dies after a number of changes: the last of them is half done, and all after
/// it fail, as if the process had been killed there. New files, renames and removals need no sync.
#[derive(Debug)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Bytes>>,
    life: Life,
}

/// How many changes are left.
#[derive(Debug, Clone)]
struct Life {
    left: Arc<AtomicU64>,
    died: CancellationToken,
}

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
            .left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(1) => {
                self.died.cancel();
                Ok(Change::Half)
            }
            Ok(_) => Ok(Change::Whole),
            Err(_) => Err(io::Error::other("the process is dead")),
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::holding(BTreeMap::new())
    }

    /// Lets this many more changes happen.
    pub fn dies_after(&self, changes: u64) {
        self.life.left.store(changes, Relaxed);
        if changes == 0 {
            self.life.died.cancel();
        }
    }

    /// Fires when it dies, before the change that it died of has returned.
    #[must_use]
    pub fn died(&self) -> CancellationToken {
        self.life.died.clone()
    }

    /// Another disk that holds what this one holds now.
    #[must_use]
    pub fn copy(&self) -> Arc<Self> {
        let files = self.files();
        let copied = files
            .iter()
            .map(|(path, bytes)| (path.clone(), Arc::new(Mutex::new(held(bytes)))));
        Self::holding(copied.collect())
    }

    /// Another disk that holds what this one would hold after a loss of power.
    #[must_use]
    pub fn after_power_loss(&self) -> Arc<Self> {
        let copy = self.copy();
        for file in copy.files().values() {
            let mut file = lock(file);
            let Contents { seen, synced, .. } = &mut *file;
            seen.clone_from(synced);
            file.changed = 0..0;
        }
        copy
    }

    fn holding(files: BTreeMap<PathBuf, Bytes>) -> Arc<Self> {
        let life = Life {
            left: Arc::new(AtomicU64::new(u64::MAX)),
            died: CancellationToken::new(),
        };
        Arc::new(Self {
            files: Mutex::new(files),
            life,
        })
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl MemoryDisk {
    pub(crate) fn is_dead(&self) -> bool {
        self.life.left.load(Relaxed) == 0
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        held(&self.files()[path]).seen
    }

    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let contents = Contents {
            seen: bytes.clone(),
            synced: bytes,
            changed: 0..0,
        };
        self.files()
            .insert(path.to_owned(), Arc::new(Mutex::new(contents)));
    }
}

fn lock(bytes: &Bytes) -> MutexGuard<'_, Contents> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn held(bytes: &Bytes) -> Contents {
    lock(bytes).clone()
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

    /// Folders are those that files are in, and `/`.
    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/") || self.files().keys().any(|file| file.starts_with(path))
    }
}

impl Contents {
    fn change(&mut self, part: Range<usize>) {
        self.changed = if self.changed.is_empty() {
            part
        } else {
            self.changed.start.min(part.start)..self.changed.end.max(part.end)
        };
    }

    fn resize(&mut self, length: usize) {
        let before = self.seen.len();
        self.seen.resize(length, 0);
        self.change(before.min(length)..before.max(length));
    }
}

impl DiskFile for MemoryFile {
    fn length_bytes(&mut self) -> io::Result<u64> {
        Ok(lock(&self.bytes).seen.len() as u64)
    }

    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset_bytes).map_err(io::Error::other)?;
        let bytes = lock(&self.bytes);
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
        let mut file = lock(&self.bytes);
        let end = start + bytes.len();
        if file.seen.len() < end {
            file.resize(end);
        }
        file.seen[start..end].copy_from_slice(bytes);
        file.change(start..end);
        outcome
    }

    fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        self.life.spend()?;
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        lock(&self.bytes).resize(length);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.life.spend()?;
        let mut file = lock(&self.bytes);
        let Contents {
            seen,
            synced,
            changed,
        } = &mut *file;
        synced.resize(seen.len(), 0);
        let changed = changed.start.min(seen.len())..changed.end.min(seen.len());
        synced[changed.clone()].copy_from_slice(&seen[changed]);
        file.changed = 0..0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/a";

    fn file(disk: &MemoryDisk, new: bool) -> Box<dyn DiskFile> {
        disk.open(Path::new(FILE), new).expect("the disk lives")
    }

    #[test]
    fn a_loss_of_power_takes_what_was_not_synced_and_nothing_else() {
        let disk = MemoryDisk::new();
        let mut open = file(&disk, true);
        open.write_at(0, b"kept kept").expect("written");
        open.sync().expect("synced");
        open.set_length(4).expect("cut");
        open.sync().expect("synced");
        open.write_at(2, b"lost").expect("written");
        assert_eq!(disk.bytes(Path::new(FILE)), b"kelost");
        let after = disk.after_power_loss();
        assert_eq!(after.bytes(Path::new(FILE)), b"kept");
        let mut again = file(&after, false);
        again.set_length(6).expect("grown");
        again.write_at(0, b"new").expect("written");
        again.sync().expect("synced");
        let synced = after.after_power_loss();
        assert_eq!(synced.bytes(Path::new(FILE)), b"newt\0\0");
    }

    #[test]
    fn the_change_that_it_dies_of_is_half_done_and_tells_so() {
        let disk = MemoryDisk::new();
        let mut open = file(&disk, true);
        disk.dies_after(1);
        let died = disk.died();
        assert!(!died.is_cancelled());
        open.write_at(0, b"abcd").expect_err("it died");
        assert!(died.is_cancelled());
        assert_eq!(disk.copy().bytes(Path::new(FILE)), b"ab");
        open.sync().expect_err("it is dead");
    }
}
