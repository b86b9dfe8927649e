//! Where headers stand on a medium, found without the reader, so that tests can aim at them.
//!
//! Start at [`frames`]. It believes every length and no checksum: media may be forged.
//!
//! This file never looks into a stream.

/// Bytes of the header that all blocks share.
pub(crate) const BLOCK_HEAD: usize = 52;
/// Bytes of the header of a stream.
pub(crate) const STREAM_HEAD: usize = 22;

/// A block and its streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) at: usize,
    pub(crate) letters: [u8; 4],
    pub(crate) streams: Vec<Stream>,
}

/// A stream whose header stands whole on the medium; its payload may not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) at: usize,
    pub(crate) id: [u8; 4],
    pub(crate) length: u64,
}

impl Stream {
    /// Offset of the first byte of the payload.
    pub(crate) fn payload(self) -> usize {
        self.at + STREAM_HEAD
    }

    /// Offset after the last byte of the payload; nothing where no file reaches that far.
    pub(crate) fn end(self) -> Option<usize> {
        self.payload()
            .checked_add(usize::try_from(self.length).ok()?)
    }
}

/// Blocks and streams of a medium, as far as their lengths lead.
pub(crate) fn frames(bytes: &[u8]) -> Vec<Frame> {
    let filemark_bytes = number(bytes, 64, 2).map_or(0, |units| units * 512);
    let mut found = Vec::new();
    let mut at = 0;
    while at + BLOCK_HEAD <= bytes.len() {
        let (frame, next) = frame(bytes, at, filemark_bytes);
        found.push(frame);
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    found
}

/// The block at `at`, and where the next one stands.
fn frame(bytes: &[u8], at: usize, filemark_bytes: u64) -> (Frame, Option<usize>) {
    let mut frame = Frame {
        at,
        letters: letters(bytes, at),
        streams: Vec::new(),
    };
    if &frame.letters == b"SFMB" {
        let size = usize::try_from(filemark_bytes).expect("it comes from two bytes");
        return (frame, Some(at + size));
    }
    let first = number(bytes, at + 8, 2).and_then(|event| usize::try_from(event).ok());
    let mut next = first.map(|event| at + event);
    while let Some(start) = next.map(|next: usize| next.next_multiple_of(4)) {
        if start > bytes.len().saturating_sub(STREAM_HEAD) {
            return (frame, None);
        }
        let stream = Stream {
            at: start,
            id: letters(bytes, start),
            length: number(bytes, start + 8, 8).unwrap_or(u64::MAX),
        };
        frame.streams.push(stream);
        next = stream.end().filter(|end| *end <= bytes.len());
        if &stream.id == b"SPAD" {
            break;
        }
    }
    (frame, next)
}

/// The little-endian number of so many bytes at `at`, if it is there.
pub(crate) fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let raw = bytes.get(at..at + length)?;
    Some(
        raw.iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

fn letters(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes[at..at + 4].try_into().expect("four bytes")
}
