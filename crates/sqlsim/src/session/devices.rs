//! Backup devices on which faults strike: a full disk, a byte that changed after it was written.
//!
//! Start at [`FaultyDevices`]. Without an armed fault it is the machine's file system.

use std::fmt;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

use super::backup::Reporter;
use crate::backup::{Device, Devices, RealDevices};

/// The device that swallows what is written to it.
pub(super) const NOWHERE: &str = "NUL";

/// Room that a full disk still has: the media header fits, the backup does not.
const LEFT_BYTES: usize = 4096;

/// Files of this machine, with the faults of one statement.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultyDevices {
    /// The disk is full.
    pub(super) is_full: bool,
    /// This byte of the first device is changed when all is written.
    pub(super) damage_at: Option<u64>,
    /// The backup waits at this byte of each device until the token fires.
    pub(super) stall: Option<(u64, CancellationToken)>,
    /// Any of these ends the statement: the client's attention, KILL, the death of the instance.
    pub(super) cancelled: Vec<CancellationToken>,
    /// Told of what is read, in a restore.
    pub(super) meter: Option<Arc<Meter>>,
}

/// How much of all devices has been read, as it is told to the client and to other sessions.
pub(super) struct Meter {
    all: u64,
    read: Mutex<(u64, Reporter)>,
}

impl Meter {
    /// For a restore from these devices; one that cannot be looked at counts nothing.
    pub(super) fn new(devices: &[Device], reporter: Reporter) -> Self {
        let sizes = devices.iter().map(|device| std::fs::metadata(&device.path));
        Self {
            all: sizes.flatten().map(|file| file.len()).sum(),
            read: Mutex::new((0, reporter)),
        }
    }

    /// All is read: media may have more behind the last byte that counts.
    pub(super) fn ends(&self) {
        self.count(self.all);
    }

    fn count(&self, more: u64) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, reporter) = &mut *read;
        *done = (*done + more).min(self.all);
        reporter.tell(*done, self.all);
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meter of {} bytes", self.all)
    }
}

impl FaultyDevices {
    /// Whether the statement was told to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.iter().any(CancellationToken::is_cancelled)
    }

    /// Waits, if a fault says so at this byte: until it is cleared or the statement ended. Backups run
    /// on threads that may block.
    fn stall(&self, at: u64) {
        let Some((offset, released)) = &self.stall else {
            return;
        };
        let runtime = tokio::runtime::Handle::try_current();
        if let (true, Ok(runtime)) = (at >= *offset, runtime) {
            let ends = std::iter::once(released).chain(&self.cancelled);
            let waits = ends.map(|token| Box::pin(token.cancelled()));
            runtime.block_on(first_of(waits.collect()));
        }
    }

    /// Changes a byte of what was written. Whether it could is not told: a fault that misses the
    /// file damages nothing, as with a real disk.
    pub(super) fn damage(&self, devices: &[Device]) {
        if let (Some(offset), Some(device)) = (self.damage_at, devices.first()) {
            let _ = flip(&device.path, offset);
        }
    }
}

/// Returns as soon as one of the futures does.
async fn first_of<F: Future<Output = ()> + Unpin>(mut all: Vec<F>) {
    std::future::poll_fn(|context| {
        let mut polled = all.iter_mut().map(|one| Pin::new(one).poll(context));
        if polled.any(|poll| poll.is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn flip(path: &Path, offset: u64) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&[byte[0] ^ 0x55])
}

impl Devices for FaultyDevices {
    fn exists(&self, path: &Path) -> bool {
        RealDevices.exists(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        let file = if path.as_os_str() == NOWHERE {
            Box::new(io::sink())
        } else {
            RealDevices.create(path)?
        };
        let left = if self.is_full { LEFT_BYTES } else { usize::MAX };
        let devices = self.clone();
        Ok(Box::new(Watched {
            file,
            left,
            written: 0,
            devices,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(WatchedRead {
            file: RealDevices.open(path)?,
            read: 0,
            devices: self.clone(),
        }))
    }
}

/// A file that is read by a statement that may be ended.
struct WatchedRead {
    file: Box<dyn Read + Send>,
    read: u64,
    devices: FaultyDevices,
}

impl Read for WatchedRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.devices.stall(self.read);
        if self.devices.is_cancelled() {
            return Err(io::Error::other("the statement was ended"));
        }
        let read = self.file.read(into)?;
        self.read += read as u64;
        if let Some(meter) = &self.devices.meter {
            meter.count(read as u64);
        }
        Ok(read)
    }
}

/// A file on a disk that may fill up, written by a statement that may be ended.
struct Watched {
    file: Box<dyn Write + Send>,
    left: usize,
    written: u64,
    devices: FaultyDevices,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.devices.stall(self.written);
        if self.devices.is_cancelled() {
            return Err(io::Error::other("the statement was ended"));
        }
        if self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let fits = bytes.len().min(self.left);
        let written = self.file.write(&bytes[..fits])?;
        self.left -= written;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(devices: &FaultyDevices) -> io::Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut file = devices.create(&folder.path().join("a.bak"))?;
        file.write_all(&[1; 2 * LEFT_BYTES])
    }

    #[test]
    fn a_full_disk_takes_a_little_and_then_nothing() {
        let devices = FaultyDevices {
            is_full: true,
            ..FaultyDevices::default()
        };
        let error = written(&devices).expect_err("it is full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        written(&FaultyDevices::default()).expect("there is room");
    }

    #[test]
    fn a_statement_that_was_ended_writes_no_more() {
        let ended = CancellationToken::new();
        let devices = FaultyDevices {
            cancelled: vec![ended.clone()],
            ..FaultyDevices::default()
        };
        written(&devices).expect("not yet ended");
        ended.cancel();
        written(&devices).expect_err("ended");
        assert!(devices.is_cancelled());
    }
}
