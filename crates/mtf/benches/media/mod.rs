//! Large media for the benchmarks: one mostly of holes, one of sealed pages.
//!
//! Start at [`write()`], which takes any source of data.
//!
//! This file never holds more than a page.

#[path = "../../tests/it/common.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod common;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use mtf::{BackupKind, MediaWriter, page};

use self::common::{Medium, time};

/// How a full backup is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Plain,
    Checksum,
    Compression,
}

/// Writes a full backup of `length_bytes` of data, whole extents, and returns what took it.
pub(crate) fn write<W: Write>(
    out: W,
    length_bytes: u64,
    with: With,
    data: &mut dyn Read,
) -> io::Result<W> {
    let mut medium = Medium::new(BackupKind::Full, 0, 40);
    if with != With::Plain {
        medium = medium.with_checksums();
    }
    let pages = length_bytes / page::SIZE as u64;
    medium.identity.files[0].pages_in_backup = u32::try_from(pages).expect("below 32 TiB");
    let begin = match with {
        With::Plain | With::Checksum => MediaWriter::new,
        With::Compression => MediaWriter::compressed,
    };
    let mut writer = begin(out, &medium.family, time(1))?;
    writer.begin_set(&medium.identity)?;
    writer.data(length_bytes, data)?;
    writer.log(&medium.extent, &mut medium.log.as_slice())?;
    writer.end_set(&medium.identity)?;
    writer.finish()
}

/// A file that keeps long runs of zeros as holes.
#[derive(Debug)]
pub(crate) struct Sparse(pub(crate) File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let away = i64::try_from(bytes.len()).expect("slices are shorter");
        if bytes.len() >= page::SIZE && bytes.iter().all(|byte| *byte == 0) {
            self.0.seek(SeekFrom::Current(away))?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Sealed pages of file 1 without end, all of them in use.
#[derive(Debug)]
pub(crate) struct Pages {
    next_id: u32,
    page: [u8; page::SIZE],
    given: usize,
}

impl Pages {
    pub(crate) fn new() -> Self {
        let mut pages = Self {
            next_id: 0,
            page: [0; page::SIZE],
            given: 0,
        };
        pages.turn();
        pages
    }

    fn turn(&mut self) {
        let page_id = self.next_id;
        let is_pfs = page::is_pfs(page_id);
        // Rows that a compressor finds something in, but not too much.
        let mut chance = u64::from(page_id).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for row in self.page.as_chunks_mut::<16>().0 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            row[..6].copy_from_slice(&chance.to_le_bytes()[..6]);
            row[6..].copy_from_slice(b"2026-11-21");
        }
        self.page[..page::HEADER_SIZE].fill(0);
        let header = page::PageHeader {
            page_type: if is_pfs { page::TYPE_PFS } else { 1 },
            page_id,
            file_id: 1,
            ..page::PageHeader::default()
        };
        header.write(&mut self.page);
        if is_pfs {
            (0..page::PFS_INTERVAL).for_each(|id| page::set_allocated(&mut self.page, id, true));
        }
        page::seal(&mut self.page);
        self.next_id += 1;
        self.given = 0;
    }
}

impl Read for Pages {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == page::SIZE {
            self.turn();
        }
        let mine = buffer.len().min(page::SIZE - self.given);
        buffer[..mine].copy_from_slice(&self.page[self.given..self.given + mine]);
        self.given += mine;
        Ok(mine)
    }
}
