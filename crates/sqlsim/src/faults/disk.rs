//! A disk that dies with its instance.
//!
//! Start at [`mortal`]. Nothing here knows what the bytes mean.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::storage::{Disk, DiskFile};

/// A disk to which nothing can be written any more once `halted` is true.
pub(super) fn mortal(disk: Arc<dyn Disk>, halted: &Arc<AtomicBool>) -> Arc<dyn Disk> {
    Arc::new(MortalDisk {
        disk,
        halted: Arc::clone(halted),
    })
}

#[derive(Debug)]
struct MortalDisk {
    disk: Arc<dyn Disk>,
    halted: Arc<AtomicBool>,
}

#[derive(Debug)]
struct MortalFile {
    file: Box<dyn DiskFile>,
    halted: Arc<AtomicBool>,
}

fn alive(halted: &AtomicBool) -> io::Result<()> {
    if halted.load(Ordering::SeqCst) {
        return Err(io::Error::other("the instance was killed"));
    }
    Ok(())
}

impl Disk for MortalDisk {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>> {
        alive(&self.halted)?;
        let file = self.disk.open(path, new)?;
        Ok(Box::new(MortalFile {
            file,
            halted: Arc::clone(&self.halted),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        alive(&self.halted)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        alive(&self.halted)?;
        self.disk.remove(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }

    fn syncs_commits(&self) -> bool {
        self.disk.syncs_commits()
    }
}

impl DiskFile for MortalFile {
    fn length_bytes(&mut self) -> io::Result<u64> {
        self.file.length_bytes()
    }

    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset_bytes, into)
    }

    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.write_at(offset_bytes, bytes)
    }

    fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.set_length(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.sync()
    }
}
