//! Where the bytes of media go: to the file as they are, or packed into a container.
//!
//! Start at [`Out`]. The container is laid out as the one real file that was measured: records of
//! up to 64 KiB of contents, a filler up to each filemark, the filemark as it is, and an index in
//! front of the filemark that ends a backup set.
//!
//! This file never knows what the bytes mean.

use std::io::{self, Write};

use crate::checksum::word_roll;
use crate::container::{
    CONTENTS_MAX, FIRST_RECORD, RecordHead, SECTOR_BYTES, write_filler, write_front, write_index,
    xca,
};

/// A file that media are written to.
#[derive(Debug)]
pub(super) enum Out<W> {
    Plain(W),
    Packed(Packer<W>),
}

impl<W: Write> Out<W> {
    pub(super) fn put(&mut self, raw: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(raw),
            Self::Packed(packer) => packer.put(raw),
        }
    }

    /// Writes a filemark at its [place](Self::filemark_place).
    pub(super) fn filemark(&mut self, raw: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(raw),
            Self::Packed(packer) => packer.filemark(raw),
        }
    }

    /// Where in the file the filemark that comes next will stand, given its size and its offset in
    /// the media.
    pub(super) fn filemark_place(&mut self, size: u64, media_offset: u64) -> io::Result<u64> {
        match self {
            Self::Plain(_) => Ok(media_offset),
            Self::Packed(packer) => packer.fill(size),
        }
    }

    /// Where in the file that stands which comes next and has this offset in the media.
    pub(super) fn place(&self, media_offset: u64) -> u64 {
        match self {
            Self::Plain(_) => media_offset,
            Self::Packed(packer) => packer.at,
        }
    }

    /// The backup set that began last has all its contents.
    pub(super) fn index(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Packed(packer) => packer.index(),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        let mut out = match self {
            Self::Plain(out) => out,
            Self::Packed(mut packer) => {
                packer.flush()?;
                packer.out
            }
        };
        out.flush()?;
        Ok(out)
    }
}

/// Packs media into a container.
#[derive(Debug)]
pub(super) struct Packer<W> {
    out: W,
    /// Bytes in the file.
    at: u64,
    /// Bytes of media that were packed.
    packed: u64,
    /// Media that are not packed yet.
    contents: Vec<u8>,
    /// Where parts of the backup set begin: offset in the media and in the file.
    parts: Vec<(u64, u64)>,
}

impl<W: Write> Packer<W> {
    /// A container whose file is empty.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut packer = Self::resume(out, 0);
        packer.put_in_file(&write_front())?;
        debug_assert_eq!(packer.at, FIRST_RECORD as u64, "the front ends there");
        Ok(packer)
    }

    /// A container whose file has `bytes` already.
    pub(super) fn resume(out: W, bytes: u64) -> Self {
        Self {
            out,
            at: bytes,
            packed: 0,
            contents: Vec::new(),
            parts: Vec::new(),
        }
    }

    fn put(&mut self, mut raw: &[u8]) -> io::Result<()> {
        while !raw.is_empty() {
            let (mine, rest) = raw.split_at(raw.len().min(CONTENTS_MAX - self.contents.len()));
            self.contents.extend_from_slice(mine);
            raw = rest;
            if self.contents.len() == CONTENTS_MAX {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn filemark(&mut self, raw: &[u8]) -> io::Result<()> {
        self.put_in_file(raw)?;
        self.packed += raw.len() as u64;
        self.parts.push((self.packed, self.at));
        Ok(())
    }

    /// Fills up to the next multiple of `boundary` in the file.
    fn fill(&mut self, boundary: u64) -> io::Result<u64> {
        self.flush()?;
        self.put_in_file(&write_filler(self.at, boundary))?;
        Ok(self.at)
    }

    fn index(&mut self) -> io::Result<()> {
        self.flush()?;
        let parts = std::mem::take(&mut self.parts);
        self.put_in_file(&write_index(&parts))
    }

    /// Packs what is there, in halves where it will not be compressed.
    fn flush(&mut self) -> io::Result<()> {
        let contents = std::mem::take(&mut self.contents);
        if !contents.len().is_multiple_of(SECTOR_BYTES) {
            let text = "compressed media come in whole sectors";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut left = vec![contents.as_slice()];
        while let Some(contents) = left.pop().filter(|contents| !contents.is_empty()) {
            let payload = xca::encode(contents);
            let head = RecordHead {
                contents_bytes: contents.len(),
                payload_bytes: payload.len(),
                check: word_roll(&payload),
            };
            if let Some(head) = head.write() {
                self.put_in_file(&head)?;
                self.put_in_file(&payload)?;
                self.packed += contents.len() as u64;
            } else {
                let half = (contents.len() / 2).next_multiple_of(SECTOR_BYTES);
                let (first, second) = contents.split_at(half);
                left.extend([second, first]);
            }
        }
        Ok(())
    }

    fn put_in_file(&mut self, raw: &[u8]) -> io::Result<()> {
        self.out.write_all(raw)?;
        self.at += raw.len() as u64;
        Ok(())
    }
}
