//! The frame of tape media: block headers and stream headers.
//!
//! Start at [`BlockHead`] and [`StreamHead`]. Each is read and written here, so that offsets stand
//! once; the records that follow the header have files of their own.
//!
//! This room never walks from one block to the next and never holds a medium's state.

pub(crate) mod identity;
pub(crate) mod records;

use crate::bytes::{self, put};
use crate::checksum::xor16;

/// Bytes in the header that all blocks share.
pub(crate) const BLOCK_HEAD: usize = 52;
/// Bytes in a stream header.
pub(crate) const STREAM_HEAD: usize = 22;
/// Unit of logical addresses, in bytes.
pub(crate) const LOGICAL_BLOCK: u64 = 1024;

const CHECKSUM: usize = 50;

/// The kinds of block on SQL Server media, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Media,
    Filemark,
    SetStart,
    Volume,
    Front,
    Data,
    Log,
    Identity,
    SetEnd,
    EndOfMedium,
    Unknown([u8; 4]),
}

impl BlockKind {
    fn from_letters(letters: [u8; 4]) -> Self {
        match &letters {
            b"TAPE" => Self::Media,
            b"SFMB" => Self::Filemark,
            b"SSET" => Self::SetStart,
            b"VOLB" => Self::Volume,
            b"MSCI" => Self::Front,
            b"MSDA" => Self::Data,
            b"MSTL" => Self::Log,
            b"MSLS" => Self::Identity,
            b"ESET" => Self::SetEnd,
            b"EOTM" => Self::EndOfMedium,
            _ => Self::Unknown(letters),
        }
    }

    /// The four letters on media.
    pub(crate) fn letters(self) -> [u8; 4] {
        match self {
            Self::Media => *b"TAPE",
            Self::Filemark => *b"SFMB",
            Self::SetStart => *b"SSET",
            Self::Volume => *b"VOLB",
            Self::Front => *b"MSCI",
            Self::Data => *b"MSDA",
            Self::Log => *b"MSTL",
            Self::Identity => *b"MSLS",
            Self::SetEnd => *b"ESET",
            Self::EndOfMedium => *b"EOTM",
            Self::Unknown(letters) => letters,
        }
    }

    /// The four letters as text, whatever they are.
    pub(crate) fn text(self) -> String {
        self.letters().escape_ascii().to_string()
    }
}

/// The header that all blocks share, as far as SQL Server fills it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) kind: BlockKind,
    pub(crate) attributes: u32,
    /// Where the first stream begins: also the length of the block itself.
    pub(crate) first_event: u16,
    /// Distance from the start of the backup set, in units of 1024 bytes.
    pub(crate) logical_address: u64,
    /// Number of the block in its backup set, from 0.
    pub(crate) control_id: u32,
    /// 2 where the strings are UTF-16.
    pub(crate) string_type: u8,
}

impl BlockHead {
    /// Reads a header, or says `None` if it is none: wrong checksum, or too short for itself.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        let head = raw.get(..BLOCK_HEAD)?;
        let kind = BlockKind::from_letters(bytes::array_at(head, 0));
        let first_event = bytes::u16_at(head, 8);
        let long_enough = usize::from(first_event) >= BLOCK_HEAD || kind == BlockKind::Filemark;
        let whole = xor16(&head[..CHECKSUM]) == bytes::u16_at(head, CHECKSUM);
        (whole && long_enough).then(|| Self {
            kind,
            attributes: bytes::u32_at(head, 4),
            first_event,
            logical_address: bytes::u64_at(head, 20),
            control_id: bytes::u32_at(head, 36),
            string_type: bytes::u8_at(head, 48),
        })
    }

    /// Writes the header over the first bytes of `block`, checksum last.
    pub(crate) fn write(&self, block: &mut [u8]) {
        put(block, 0, &self.kind.letters());
        put(block, 4, &self.attributes.to_le_bytes());
        put(block, 8, &self.first_event.to_le_bytes());
        // Operating system 14 (Windows NT), version 1: what SQL Server writes everywhere.
        put(block, 10, &[14, 1]);
        put(block, 20, &self.logical_address.to_le_bytes());
        put(block, 36, &self.control_id.to_le_bytes());
        put(block, 48, &[self.string_type, 0]);
        let sum = xor16(&block[..CHECKSUM]);
        put(block, CHECKSUM, &sum.to_le_bytes());
    }
}

/// The header of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamHead {
    pub(crate) id: [u8; 4],
    pub(crate) media_attributes: u16,
    pub(crate) length: u64,
}

/// Media attribute of a stream: more segments may follow.
pub(crate) const SEGMENT: u16 = 0x2;
/// Media attribute of a stream: the last segment.
pub(crate) const LAST_SEGMENT: u16 = 0x4;
/// Media attribute of a stream: a `CSUM` stream follows. SQL Server's own bit.
pub(crate) const CHECKSUM_FOLLOWS: u16 = 0x100;
/// Media attribute of alignment streams.
pub(crate) const ALIGNMENT: u16 = 0x80;

impl StreamHead {
    /// Reads a header, or says `None` if its checksum is wrong or it has no name.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        let head = raw.get(..STREAM_HEAD)?;
        let id: [u8; 4] = bytes::array_at(head, 0);
        let whole = xor16(&head[..20]) == bytes::u16_at(head, 20);
        // A run of zeros has the right checksum, so the name must be one.
        (whole && id.iter().all(u8::is_ascii_alphanumeric)).then(|| Self {
            id,
            media_attributes: bytes::u16_at(head, 6),
            length: bytes::u64_at(head, 8),
        })
    }

    /// The 22 bytes of this header.
    pub(crate) fn to_bytes(self) -> [u8; STREAM_HEAD] {
        let mut head = [0; STREAM_HEAD];
        put(&mut head, 0, &self.id);
        put(&mut head, 6, &self.media_attributes.to_le_bytes());
        put(&mut head, 8, &self.length.to_le_bytes());
        let sum = xor16(&head[..20]);
        put(&mut head, 20, &sum.to_le_bytes());
        head
    }
}

/// The text that the address (u16 size, u16 offset) at `address` of a record points to.
///
/// `None` if it points out of the record. Text must lie inside its own record, which keeps what a
/// hostile record can make us hold proportional to its length.
pub(crate) fn text_at(record: &[u8], address: usize, string_type: u8) -> Option<String> {
    let size = usize::from(bytes::u16_at(record, address));
    if size == 0 {
        return Some(String::new());
    }
    let offset = usize::from(bytes::u16_at(record, address + 2));
    let raw = record.get(offset..offset + size)?;
    Some(match string_type {
        1 => raw.iter().map(|byte| char::from(*byte)).collect(),
        _ => bytes::utf16_text(raw),
    })
}
