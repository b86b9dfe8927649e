//! Records inside blocks: each frame has one record, or a part of one that is too long for a block.
//!
//! A frame is a kind, a length and bytes. Start at [`Builder`] to fill a block and at [`Joiner`] to
//! take records out of blocks again. Pure.

use mtf::{Lsn, block};

use super::layout::BLOCK_BYTES_MAX;
use crate::storage::codec::{Decoded, Malformed};
use crate::storage::fingerprint::fingerprint;

const HEADER: usize = 3;
const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
const ROOM: usize = BLOCK_BYTES_MAX - block::HEADER_SIZE;

/// Where the header of a block holds a fingerprint of all that follows it: a part of the header
/// that SQL Server's blocks leave to other things, and readers of media pass over.
const FINGERPRINT: usize = 40;

/// Whether the contents of a block, however its other checks went, are what was written.
pub(super) fn is_whole(block: &[u8]) -> bool {
    let stored = block.get(FINGERPRINT..FINGERPRINT + 8);
    let contents = block.get(FINGERPRINT + 8..).unwrap_or_default();
    stored == Some(fingerprint(contents).to_le_bytes().as_slice())
}

/// The block that is being filled.
#[derive(Debug, Default)]
pub(super) struct Builder {
    frames: Vec<u8>,
    count: u16,
}

impl Builder {
    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The slot that the next frame gets, from 1.
    pub(super) fn next_slot(&self) -> u16 {
        self.count + 1
    }

    /// Whether a whole record of this length fits.
    pub(super) fn fits(&self, length: usize) -> bool {
        self.frames.len() + HEADER + length <= ROOM
    }

    /// Adds a frame, which must fit.
    pub(super) fn push(&mut self, kind: Kind, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).expect("a frame is shorter than a block");
        self.frames.push(kind.0);
        self.frames.extend_from_slice(&length.to_le_bytes());
        self.frames.extend_from_slice(bytes);
        self.count += 1;
    }

    /// The sealed block at this place.
    pub(super) fn block(&self, at: Lsn) -> Vec<u8> {
        let used = block::HEADER_SIZE + self.frames.len();
        self.block_of_size(at, used.next_multiple_of(block::UNIT))
    }

    /// The sealed block at this place, padded to this many bytes, which must be enough.
    pub(super) fn block_of_size(&self, at: Lsn, size_bytes: usize) -> Vec<u8> {
        let used = block::HEADER_SIZE + self.frames.len();
        let mut bytes = vec![0; size_bytes];
        let mark = u16::try_from(used).expect("a block is shorter than 64 KiB");
        bytes[block::USED..block::USED + 2].copy_from_slice(&mark.to_le_bytes());
        bytes[block::HEADER_SIZE..used].copy_from_slice(&self.frames);
        let mark = fingerprint(&bytes[FINGERPRINT + 8..]).to_le_bytes();
        bytes[FINGERPRINT..FINGERPRINT + 8].copy_from_slice(&mark);
        block::seal(&mut bytes, at.vlf, at.block);
        bytes
    }

    /// Forgets its frames.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.count = 0;
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind(u8);

/// Cuts a record into frames: one where it fits into a block, else as many as it takes.
pub(super) fn cut(record: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let pieces = record.len().div_ceil(ROOM - HEADER).max(1);
    record
        .chunks(ROOM - HEADER)
        .enumerate()
        .map(move |(index, bytes)| {
            let kind = match (index == 0, index + 1 == pieces) {
                (true, true) => WHOLE,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            (Kind(kind), bytes)
        })
}

/// Puts records together again, block after block.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    begun: Option<(Lsn, Vec<u8>)>,
}

impl Joiner {
    /// The records that end in this block, each with its LSN. A part whose beginning lies before
    /// the first block that was read is left out: its record is older than anyone asked for.
    pub(crate) fn records(&mut self, at: Lsn, bytes: &[u8]) -> Decoded<Vec<(Lsn, Vec<u8>)>> {
        let raw = bytes.get(block::USED..block::USED + 2).ok_or(Malformed)?;
        let used = usize::from(u16::from_le_bytes([raw[0], raw[1]]));
        let mut rest = bytes.get(block::HEADER_SIZE..used).ok_or(Malformed)?;
        let mut records = Vec::new();
        let mut slot = 0_u16;
        while !rest.is_empty() {
            slot = slot.checked_add(1).ok_or(Malformed)?;
            let (kind, body, after) = split(rest).ok_or(Malformed)?;
            rest = after;
            self.frame(
                kind,
                Lsn::from_parts(at.vlf, at.block, slot),
                body,
                &mut records,
            )?;
        }
        Ok(records)
    }

    fn frame(
        &mut self,
        kind: u8,
        at: Lsn,
        body: &[u8],
        records: &mut Vec<(Lsn, Vec<u8>)>,
    ) -> Decoded<()> {
        match kind {
            WHOLE => records.push((at, body.to_vec())),
            FIRST => self.begun = Some((at, body.to_vec())),
            MIDDLE | LAST => {
                if let Some((_, begun)) = &mut self.begun {
                    begun.extend_from_slice(body);
                }
                if kind == LAST {
                    records.extend(self.begun.take());
                }
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }
}

fn split(frames: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = frames.split_first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_le_bytes([head[1], head[2]]));
    let (body, after) = rest.split_at_checked(length)?;
    Some((head[0], body, after))
}
