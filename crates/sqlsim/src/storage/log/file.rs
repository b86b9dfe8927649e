//! The log file itself: appending, reading, and using parts of it again.
//!
//! Start at [`LogFile`]. What is appended is on disk only after `flush`. After a write that failed
//! nothing more is written: what the file holds is then unknown until it is opened again.

use std::io;

use mtf::{Lsn, block};

use super::frames::{self, Builder};
use super::layout::{self, FIRST_BLOCK, HEADER_BYTES, VLF_BYTES, after, block_of, slot_start};
use crate::storage::disk::DiskFile;

const MAGIC: &[u8; 8] = b"SQLSIMLG";
const FORMAT: u32 = 1;
const VLF_MAGIC: &[u8; 8] = b"SQLSIMVF";

/// An open log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: Box<dyn DiskFile>,
    /// Which virtual log file each slot of the file holds.
    slots: Vec<Option<u32>>,
    /// The place of the block being filled.
    at: Lsn,
    builder: Builder,
    syncs: bool,
    failed: bool,
}

/// A run of whole blocks inside one virtual log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The LSN of its first block.
    pub first: Lsn,
    /// Where its virtual log file begins in the file, in bytes.
    pub vlf_start_bytes: u64,
    /// The blocks.
    pub bytes: Vec<u8>,
}

impl LogFile {
    /// Makes a log that begins at `first`, in a file that holds nothing of worth.
    pub(crate) fn create(mut file: Box<dyn DiskFile>, first: Lsn, syncs: bool) -> io::Result<Self> {
        file.set_length(0)?;
        file.set_length(HEADER_BYTES)?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&FORMAT.to_le_bytes());
        file.write_at(0, &header)?;
        let at = block_of(first);
        let (slots, builder) = (Vec::new(), Builder::default());
        let mut log = Self {
            file,
            slots,
            at,
            builder,
            syncs,
            failed: false,
        };
        log.provide(at.vlf)?;
        Ok(log)
    }

    /// Opens a log; its end is not known until [`LogFile::read`] has found it.
    pub(crate) fn open(mut file: Box<dyn DiskFile>, syncs: bool) -> io::Result<Self> {
        let mut header = [0; 12];
        file.read_at(0, &mut header)?;
        if header[..8] != MAGIC[..] || header[8..] != FORMAT.to_le_bytes() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a log file"));
        }
        let length = file.length_bytes()?.saturating_sub(HEADER_BYTES);
        let count = usize::try_from(length.div_ceil(VLF_BYTES)).unwrap_or(usize::MAX);
        file.set_length(slot_start(count))?;
        let mut slots = Vec::new();
        for slot in 0..count {
            let mut header = [0; 16];
            file.read_at(slot_start(slot), &mut header)?;
            slots.push(vlf_of(&header));
        }
        let at = layout::first_of(layout::FIRST_VLF);
        Ok(Self {
            file,
            slots,
            at,
            builder: Builder::default(),
            syncs,
            failed: false,
        })
    }

    /// The LSN of the next record, when nothing waits to be flushed; else of the block that waits.
    #[must_use]
    pub(crate) fn end(&self) -> Lsn {
        self.at
    }

    /// The file's length in bytes.
    #[must_use]
    pub(crate) fn length_bytes(&self) -> u64 {
        slot_start(self.slots.len())
    }

    /// Adds a record and gives it its LSN. A record too long for a block takes several.
    pub(crate) fn append(&mut self, record: &[u8]) -> io::Result<Lsn> {
        let mut first = None;
        for (kind, bytes) in frames::cut(record) {
            if !self.builder.fits(bytes.len()) {
                self.flush()?;
            }
            first.get_or_insert(Lsn {
                slot: self.builder.next_slot(),
                ..self.at
            });
            self.builder.push(kind, bytes);
        }
        Ok(first.unwrap_or(self.at))
    }

    /// Writes the block that is being filled, if anything is in it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("the log is closed after a failed write"));
        }
        if self.builder.is_empty() {
            return Ok(());
        }
        let written = self.write_block();
        self.failed = written.is_err();
        written
    }

    /// Makes everything flushed or put survive a loss of power.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    /// The whole, sound blocks from `from` on, one extent for each virtual log file, up to `to` or
    /// the first block that is not whole.
    pub(crate) fn extents(&mut self, from: Lsn, to: Lsn) -> io::Result<Vec<Extent>> {
        let (mut at, to) = (block_of(from), block_of(to));
        let mut extents = Vec::new();
        while at < to {
            let Some(extent) = self.extent(at, to)? else {
                break;
            };
            at = extent.after();
            extents.push(extent);
        }
        Ok(extents)
    }

    /// The block that ends here; none where it is not whole. What lies before it is not looked at: a host that lost its
    /// power may hold no more than the log that no backup has yet.
    pub(crate) fn block_before(&mut self, end: Lsn) -> io::Result<Option<Lsn>> {
        let end = block_of(end);
        let (vlf, past) = match end.block {
            ..=FIRST_BLOCK => (end.vlf.saturating_sub(1), layout::UNITS),
            block => (end.vlf, block),
        };
        let Some(raw) = self.virtual_file(vlf)? else {
            return Ok(None);
        };
        let before = (FIRST_BLOCK..past).rev().take(layout::BLOCK_UNITS_MAX);
        let mut places = before.map(|block| Lsn::from_parts(vlf, block, 1));
        let ends_here = |at: &Lsn| {
            let block = sound_block(&raw, *at);
            block.is_some_and(|block| after(*at, block.len()) == end)
        };
        Ok(places.find(ends_here))
    }

    /// The log ends here: whatever lies behind is cleared, and the next record gets this LSN.
    pub(crate) fn cut(&mut self, end: Lsn) -> io::Result<()> {
        self.at = block_of(end);
        self.builder.clear();
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some_and(|vlf| vlf > end.vlf) {
                self.clear_slot(slot)?;
            }
        }
        self.provide(end.vlf)?;
        let Some(start) = self.start_of(end.vlf) else {
            return Ok(());
        };
        let offset = layout::offset_in_vlf(self.at);
        self.zero(start + offset, VLF_BYTES - offset)?;
        let mut filler = Vec::new();
        let next = fill(self.at, &mut filler);
        self.file.write_at(start + offset, &filler)?;
        self.move_to(next)
    }

    /// Puts blocks from a backup where their LSNs say, without moving the end.
    pub(crate) fn put(&mut self, first: Lsn, blocks: &[u8]) -> io::Result<()> {
        self.provide(first.vlf)?;
        let start = self.start_of(first.vlf).unwrap_or(HEADER_BYTES);
        self.file
            .write_at(start + layout::offset_in_vlf(first), blocks)
    }

    /// Virtual log files wholly before this LSN may be used again.
    pub(crate) fn release_before(&mut self, lsn: Lsn) {
        for slot in &mut self.slots {
            if slot.is_some_and(|vlf| vlf < lsn.vlf && vlf < self.at.vlf) {
                *slot = None;
            }
        }
    }

    fn write_block(&mut self) -> io::Result<()> {
        let mut bytes = self.builder.block(self.at);
        let next = fill(after(self.at, bytes.len()), &mut bytes);
        let start = self.start_of(self.at.vlf).unwrap_or(HEADER_BYTES);
        self.file
            .write_at(start + layout::offset_in_vlf(self.at), &bytes)?;
        if self.syncs {
            self.file.sync()?;
        }
        self.builder.clear();
        self.move_to(next)
    }

    fn move_to(&mut self, next: Lsn) -> io::Result<()> {
        if next.vlf != self.at.vlf {
            self.provide(next.vlf)?;
        }
        self.at = next;
        Ok(())
    }

    fn extent(&mut self, at: Lsn, to: Lsn) -> io::Result<Option<Extent>> {
        let Some(vlf_start_bytes) = self.start_of(at.vlf) else {
            return Ok(None);
        };
        let raw = self.virtual_file(at.vlf)?.unwrap_or_default();
        let (mut next, mut bytes) = (at, Vec::new());
        while next < to && next.vlf == at.vlf {
            let Some(block) = sound_block(&raw, next) else {
                break;
            };
            bytes.extend_from_slice(block);
            next = after(next, block.len());
        }
        Ok((!bytes.is_empty()).then_some(Extent {
            first: at,
            vlf_start_bytes,
            bytes,
        }))
    }

    /// A virtual log file as it stands there.
    fn virtual_file(&mut self, vlf: u32) -> io::Result<Option<Vec<u8>>> {
        let Some(start) = self.start_of(vlf) else {
            return Ok(None);
        };
        let mut raw = vec![0; usize::try_from(VLF_BYTES).unwrap_or(usize::MAX)];
        self.file.read_at(start, &mut raw)?;
        Ok(Some(raw))
    }

    fn start_of(&self, vlf: u32) -> Option<u64> {
        let slot = self.slots.iter().position(|held| *held == Some(vlf))?;
        Some(slot_start(slot))
    }

    /// Makes sure that a virtual log file has a slot: its own, a free one cleared, or a new one.
    fn provide(&mut self, vlf: u32) -> io::Result<()> {
        if self.start_of(vlf).is_some() {
            return Ok(());
        }
        let slot = if let Some(free) = self.slots.iter().position(Option::is_none) {
            self.clear_slot(free)?;
            free
        } else {
            self.file.set_length(slot_start(self.slots.len() + 1))?;
            self.slots.push(None);
            self.slots.len() - 1
        };
        self.file.write_at(slot_start(slot), &vlf_header(vlf))?;
        self.slots[slot] = Some(vlf);
        Ok(())
    }

    fn clear_slot(&mut self, slot: usize) -> io::Result<()> {
        self.slots[slot] = None;
        self.zero(slot_start(slot), VLF_BYTES)
    }

    fn zero(&mut self, start: u64, bytes: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        self.file.write_at(start, &zeros)
    }
}

impl Extent {
    /// The LSN after it.
    #[must_use]
    pub fn after(&self) -> Lsn {
        self.blocks()
            .last()
            .map_or(self.first, |(at, block)| after(*at, block.len()))
    }

    /// Its blocks, each with its place.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Lsn, &[u8])> {
        blocks_of(self.first, &self.bytes)
    }
}

/// Cuts bytes into the sound blocks that begin at `first`; what follows the last is left out.
#[must_use]
pub fn blocks_of(first: Lsn, bytes: &[u8]) -> Vec<(Lsn, &[u8])> {
    let (mut at, mut rest, mut blocks) = (block_of(first), bytes, Vec::new());
    while let Some(block) = sound_prefix(rest, at) {
        blocks.push((at, block));
        rest = &rest[block.len()..];
        at = after(at, block.len());
    }
    blocks
}

/// Adds a block without records where no other would fit, and says where the next one goes.
fn fill(at: Lsn, bytes: &mut Vec<u8>) -> Lsn {
    let Some(left) = layout::too_little_room(at) else {
        return at;
    };
    bytes.extend_from_slice(&Builder::default().block_of_size(at, left));
    after(at, left)
}

fn sound_block(vlf: &[u8], at: Lsn) -> Option<&[u8]> {
    let offset = usize::try_from(layout::offset_in_vlf(at)).ok()?;
    sound_prefix(vlf.get(offset..)?, at)
}

fn sound_prefix(bytes: &[u8], at: Lsn) -> Option<&[u8]> {
    let size = block::size_of(bytes.get(..block::HEADER_SIZE)?)?;
    let block = bytes.get(..size)?;
    let verdict = block::check(block, at.vlf, at.block);
    let is_sound = verdict == block::BlockVerdict::Sound && at.block >= FIRST_BLOCK;
    (is_sound && frames::is_whole(block)).then_some(block)
}

fn vlf_header(vlf: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[..8].copy_from_slice(VLF_MAGIC);
    header[8..12].copy_from_slice(&vlf.to_le_bytes());
    header[12..].copy_from_slice(&(!vlf).to_le_bytes());
    header
}

fn vlf_of(header: &[u8; 16]) -> Option<u32> {
    let word = |at: usize| {
        let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        u32::from_le_bytes(bytes)
    };
    (header[..8] == VLF_MAGIC[..] && word(8) == !word(12)).then(|| word(8))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::storage::Disk as _;
    use crate::storage::testing::MemoryDisk;

    /// A log of three blocks, and where each of them begins.
    fn three_blocks() -> (LogFile, [Lsn; 3]) {
        let file = MemoryDisk::new().open(Path::new("/d.ldf"), true);
        let first = layout::first_of(layout::FIRST_VLF);
        let log = LogFile::create(file.expect("an empty disk"), first, false);
        let mut log = log.expect("a log");
        let begins = [400, 5_000, 10].map(|length_bytes| {
            let begin = log.append(&vec![7; length_bytes]).expect("a record");
            log.flush().expect("it is written");
            begin
        });
        (log, begins)
    }

    #[test]
    fn the_last_block_is_found_though_those_before_it_are_lost() {
        let (mut log, [first, second, third]) = three_blocks();
        let end = log.end();
        assert_eq!(log.block_before(end).expect("read"), Some(third));
        assert_eq!(log.block_before(third).expect("read"), Some(second));
        assert_eq!(
            log.block_before(first).expect("read"),
            None,
            "the first one"
        );
        log.put(second, &[0; 512]).expect("written over");
        assert_eq!(log.block_before(end).expect("read"), Some(third));
        assert_eq!(log.block_before(third).expect("read"), None, "it is lost");
    }

    #[test]
    fn the_block_before_a_virtual_file_is_the_last_of_the_one_before() {
        let (mut log, _) = three_blocks();
        let mut before = log.end();
        while log.end().vlf == layout::FIRST_VLF {
            before = log.end();
            log.append(&vec![7; 50_000]).expect("a record");
            log.flush().expect("it is written");
        }
        let begin = layout::first_of(layout::FIRST_VLF + 1);
        assert_eq!(log.end(), begin);
        let last = log.block_before(begin).expect("read").expect("a block");
        assert!(last >= before, "{last}: after {before}");
        assert_eq!(last.vlf, layout::FIRST_VLF);
    }
}
