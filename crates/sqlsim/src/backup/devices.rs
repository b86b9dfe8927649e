//! Backup devices: the files that backups are written to and read from.
//!
//! Start at [`Devices`], the seam where a full disk or a damaged write is simulated. Paths here are
//! those of this process; what the statement called them stands beside, for messages.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// One device of a statement: `TO DISK = '..'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// As the statement names it, for messages and msdb.
    pub name: String,
    /// As this process opens it.
    pub path: PathBuf,
}

/// How devices are opened.
pub trait Devices: Debug + Send + Sync {
    /// Whether there is something at the path already.
    fn exists(&self, path: &Path) -> bool;
    /// Makes the file, or empties it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>>;
    /// Opens the file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
}

/// Files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDevices;

impl Devices for RealDevices {
    fn exists(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| file.len() > 0)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        Ok(Box::new(File::create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }
}

/// An I/O error as SQL Server prints it: the number and the words of Windows.
#[must_use]
pub(super) fn os_error_text(error: &io::Error, opening_new: bool) -> String {
    let (number, words) = match error.kind() {
        io::ErrorKind::NotFound if opening_new => (3, "The system cannot find the path specified."),
        io::ErrorKind::NotFound => (2, "The system cannot find the file specified."),
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => (5, "Access is denied."),
        io::ErrorKind::NotADirectory => (3, "The system cannot find the path specified."),
        io::ErrorKind::StorageFull => (112, "There is not enough space on the disk."),
        _ => return format!("1117({error})"),
    };
    format!("{number}({words})")
}
