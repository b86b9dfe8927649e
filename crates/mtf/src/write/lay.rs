//! Laying blocks and streams end to end, each on its boundary.
//!
//! Start at [`Lay::block`] and [`Lay::close`].
//!
//! This file never knows what a block means.

use std::io::{self, Read, Write};

use super::pack::Out;
use crate::checksum::SectorRoll;
use crate::frame::{
    ALIGNMENT, BlockHead, BlockKind, LOGICAL_BLOCK, STREAM_HEAD, StreamHead, records,
};

/// Zero bytes in front of data and log.
const PAD: [u8; 2] = [0; 2];
const COPY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Lay<W> {
    pub(super) out: Out<W>,
    /// Bytes of media so far.
    at: u64,
    /// Where the media header or the backup set begins; boundaries count from there.
    origin: u64,
    next_control_id: u32,
    /// Size of a filemark, and the boundary on which it stands.
    filemark_bytes: u64,
    /// Offsets of filemarks in the file, newest first.
    marks: Vec<u64>,
}

impl<W: Write> Lay<W> {
    pub(super) fn new(out: Out<W>, at: u64, filemark_bytes: u32, marks: Vec<u64>) -> Self {
        let filemark_bytes = u64::from(filemark_bytes);
        Self {
            out,
            at,
            origin: at,
            next_control_id: 0,
            filemark_bytes,
            marks,
        }
    }

    /// Where in the file that stands which comes next.
    pub(super) fn place(&self) -> u64 {
        self.out.place(self.at)
    }

    /// A backup set begins here.
    pub(super) fn set_origin(&mut self) {
        self.origin = self.at;
        self.next_control_id = 0;
    }

    /// The boundary for what must lie on that of the device.
    pub(super) fn device_boundary(&self) -> u64 {
        self.filemark_bytes.max(LOGICAL_BLOCK)
    }

    /// Writes a block whose own fields stand in `raw`; its header is filled in here.
    pub(super) fn block(
        &mut self,
        kind: BlockKind,
        attributes: u32,
        mut raw: Vec<u8>,
    ) -> io::Result<()> {
        raw.resize(raw.len().next_multiple_of(4), 0);
        let is_addressed = !matches!(kind, BlockKind::Media | BlockKind::SetEnd);
        let head = BlockHead {
            kind,
            attributes,
            first_event: u16::try_from(raw.len()).map_err(|_| too_long())?,
            logical_address: if is_addressed {
                self.away() / LOGICAL_BLOCK
            } else {
                0
            },
            control_id: if is_addressed {
                self.next_control_id
            } else {
                0
            },
            string_type: if has_texts(kind) { 2 } else { 0 },
        };
        self.next_control_id += u32::from(is_addressed);
        head.write(&mut raw);
        self.put(&raw)
    }

    /// Writes a filemark that lists those before it.
    pub(super) fn filemark(&mut self) -> io::Result<()> {
        let size = usize::try_from(self.filemark_bytes).map_err(|_| too_long())?;
        let mut raw = records::write_filemark(size, &self.marks);
        let head = BlockHead {
            kind: BlockKind::Filemark,
            attributes: 0x8000_0000,
            first_event: u16::try_from(size).unwrap_or(0),
            logical_address: 0,
            control_id: 0,
            string_type: 0,
        };
        head.write(&mut raw);
        let place = self.out.filemark_place(self.filemark_bytes, self.at)?;
        self.marks.insert(0, place);
        self.at += raw.len() as u64;
        self.out.filemark(&raw)
    }

    /// Writes a whole stream.
    pub(super) fn stream(&mut self, id: [u8; 4], attributes: u16, body: &[u8]) -> io::Result<()> {
        self.stream_head(id, attributes, body.len() as u64)?;
        self.put(body)
    }

    /// Writes `length` bytes from `source` as a stream on a device boundary, then zeros up to
    /// `padded_length`; returns the checksum of it all.
    pub(super) fn contents(
        &mut self,
        id: [u8; 4],
        attributes: u16,
        source: &mut dyn Read,
        (length, padded_length): (u64, u64),
    ) -> io::Result<u32> {
        self.align(
            *b"APAD",
            STREAM_HEAD as u64 + PAD.len() as u64,
            self.device_boundary(),
        )?;
        self.stream_head(id, attributes, padded_length + PAD.len() as u64)?;
        self.put(&PAD)?;
        let mut roll = SectorRoll::default();
        let mut buffer = vec![0; COPY_BYTES];
        self.copy(source, length, &mut buffer, &mut roll)?;
        self.copy(
            &mut io::repeat(0),
            padded_length - length,
            &mut buffer,
            &mut roll,
        )?;
        Ok(roll.value())
    }

    /// Ends a block: pads to `boundary`, which is where the next one begins.
    pub(super) fn close(&mut self, boundary: u64) -> io::Result<()> {
        self.align(*b"SPAD", 0, boundary)
    }

    /// Writes a stream of zeros so long that what comes `skip` bytes behind it is on `boundary`.
    pub(super) fn align(&mut self, id: [u8; 4], skip: u64, boundary: u64) -> io::Result<()> {
        self.align_header()?;
        let reached = self.away() + STREAM_HEAD as u64 + skip;
        let length = reached.next_multiple_of(boundary) - reached;
        let attributes = if id == *b"APAD" { ALIGNMENT } else { 0 };
        let zeros = vec![0; usize::try_from(length).map_err(|_| too_long())?];
        self.stream(id, attributes, &zeros)
    }

    fn copy(
        &mut self,
        source: &mut dyn Read,
        length: u64,
        buffer: &mut [u8],
        roll: &mut SectorRoll,
    ) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let mine = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            source.read_exact(&mut buffer[..mine])?;
            roll.update(&buffer[..mine]);
            self.put(&buffer[..mine])?;
            left -= mine as u64;
        }
        Ok(())
    }

    fn stream_head(&mut self, id: [u8; 4], media_attributes: u16, length: u64) -> io::Result<()> {
        self.align_header()?;
        self.put(
            &StreamHead {
                id,
                media_attributes,
                length,
            }
            .to_bytes(),
        )
    }

    /// Streams begin on multiples of four.
    fn align_header(&mut self) -> io::Result<()> {
        let away = self.at.next_multiple_of(4) - self.at;
        self.put(&[0; 4][..usize::try_from(away).unwrap_or(0)])
    }

    fn away(&self) -> u64 {
        self.at - self.origin
    }

    fn put(&mut self, raw: &[u8]) -> io::Result<()> {
        self.out.put(raw)?;
        self.at += raw.len() as u64;
        Ok(())
    }
}

fn has_texts(kind: BlockKind) -> bool {
    matches!(
        kind,
        BlockKind::Media | BlockKind::SetStart | BlockKind::Volume
    )
}

fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "names and texts of the media are too long",
    )
}
