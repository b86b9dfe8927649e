//! The seam between a database and its files.
//!
//! Start at [`Disk`]. [`RealDisk`] is the file system; a simulation may give another that loses
//! what was written and not synced. Nothing here knows what the bytes mean.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The files of a host.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file for reading and writing. With `new` it must not be there yet.
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>>;
    /// Puts a file in the place of another, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is not there is removed already.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Whether the file is there.
    fn exists(&self, path: &Path) -> bool;
    /// Whether every commit waits for [`DiskFile::sync`]. A kill of the process loses nothing
    /// without it; a loss of power does.
    fn syncs_commits(&self) -> bool {
        false
    }
}

/// One open file.
pub trait DiskFile: Debug + Send {
    /// The file's length in bytes.
    fn length_bytes(&mut self) -> io::Result<u64>;
    /// Reads exactly `into.len()` bytes at an offset.
    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes all bytes at an offset, growing the file where needed.
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or grows the file.
    fn set_length(&mut self, bytes: u64) -> io::Result<()>;
    /// Makes what was written survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk {
    /// See [`Disk::syncs_commits`].
    pub sync_commits: bool,
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(new)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn syncs_commits(&self) -> bool {
        self.sync_commits
    }
}

impl DiskFile for File {
    fn length_bytes(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset_bytes))?;
        self.read_exact(into)
    }

    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset_bytes))?;
        self.write_all(bytes)
    }

    fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
