//! The container of compressed backups: records of compressed contents, chained end to end.
//!
//! Start at [`Item`]. `BACKUP ... WITH COMPRESSION` cuts ordinary media into pieces of at most 64
//! KiB and writes each as a record: a header of 28 bytes with a checksum, then the piece compressed
//! as [`xca`] tells. Filemarks stand between records as they are, at multiples of their size, and
//! fillers lead up to them. No specification of this is public; the layout was measured on one real
//! file of SQL Server 2022, and what nobody could make sense of there is neither judged nor used.
//!
//! This room never walks from one item to the next.

pub(crate) mod xca;

use crate::bytes::{self, put};

/// The first bytes of a container.
pub(crate) const MAGIC: &[u8; 8] = b"MSSQLBAK";
/// Where the first record stands, as far as was ever seen.
pub(crate) const FIRST_RECORD: usize = 0x1E0;
/// Bytes in front of the compressed contents of a record.
pub(crate) const RECORD_HEAD: usize = 28;
/// Contents come in multiples of this.
pub(crate) const SECTOR_BYTES: usize = 512;
/// No record holds more contents.
pub(crate) const CONTENTS_MAX: usize = 128 * SECTOR_BYTES;
/// How much of an item must be seen to know how long it is: the index has its length last.
pub(crate) const ITEM_HEAD: usize = 36;

/// The layout that is read here; an older one (SQL Server 2008 to 2012) is said to have 1 or 0.
const VERSION: u32 = 2;
const SECOND_WORD: u32 = 3;
const RECORD: u8 = 0x21;
const FILLER: u8 = 0x24;
const INDEX: u8 = 0x2C;
/// From the start of a filler or an index to what its length counts.
const SHORT_HEAD: usize = 24;
/// Where the first entry of an index begins.
const INDEX_ENTRIES: usize = 36;

/// The first bytes of a container: up to its first record.
pub(crate) fn write_front() -> [u8; FIRST_RECORD] {
    let mut front = [0; FIRST_RECORD];
    put(&mut front, 0, MAGIC);
    put(&mut front, 8, &VERSION.to_le_bytes());
    put(&mut front, 12, &SECOND_WORD.to_le_bytes());
    front
}

/// Whether the first bytes of a container name the older layout.
pub(crate) fn is_older(front: &[u8]) -> bool {
    bytes::u32_at(front, 8) < VERSION
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHead {
    /// Bytes of its contents, decompressed.
    pub(crate) contents_bytes: usize,
    /// Bytes of its contents as they stand behind the header.
    pub(crate) payload_bytes: usize,
    /// [`word_roll`](crate::checksum::word_roll) of these.
    pub(crate) check: u32,
}

impl RecordHead {
    /// Reads a header, or says `None` if it can be none.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        let head = raw.get(..RECORD_HEAD)?;
        let contents_bytes = usize::from(head[1]) * SECTOR_BYTES;
        let payload_bytes = usize::from(bytes::u16_at(head, 2));
        // Encrypted records are said to have a length where all others have zero.
        let is_plain = head[0] == RECORD && bytes::u32_at(head, 20) == 0;
        let can_be = (SECTOR_BYTES..=CONTENTS_MAX).contains(&contents_bytes) && payload_bytes > 0;
        (is_plain && can_be).then(|| Self {
            contents_bytes,
            payload_bytes,
            check: bytes::u32_at(head, 24),
        })
    }

    /// The header, or `None` if contents or payload are too long for one record.
    pub(crate) fn write(self) -> Option<[u8; RECORD_HEAD]> {
        let mut head = [0; RECORD_HEAD];
        let sectors = u8::try_from(self.contents_bytes / SECTOR_BYTES).ok()?;
        put(&mut head, 0, &[RECORD, sectors]);
        let payload_bytes = u16::try_from(self.payload_bytes).ok()?;
        put(&mut head, 2, &payload_bytes.to_le_bytes());
        // What these mean is not known; most records of real files have them so.
        put(&mut head, 4, &[0xFF; 16]);
        put(&mut head, 24, &self.check.to_le_bytes());
        Some(head)
    }
}

/// What stands at a place of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Compressed contents.
    Record(RecordHead),
    /// A filemark of this many bytes, as it is.
    Filemark(usize),
    /// This many bytes that hold no contents: a filler or the index of a backup set.
    Other(u64),
    /// A kind that was never seen, or a header that cannot be.
    Unknown(u8),
}

impl Item {
    /// Bytes of the item that [`read`](Self::read) must see, by its first byte.
    pub(crate) fn head_bytes(first: u8) -> usize {
        match first {
            RECORD => RECORD_HEAD,
            INDEX => ITEM_HEAD,
            b'S' => 10,
            _ => 4,
        }
    }

    /// Reads the head of an item.
    pub(crate) fn read(raw: &[u8]) -> Self {
        let first = bytes::u8_at(raw, 0);
        let length = match first {
            FILLER => u32::from(bytes::u16_at(raw, 2)),
            INDEX => bytes::u32_at(raw, 32),
            RECORD => return RecordHead::read(raw).map_or(Self::Unknown(first), Self::Record),
            _ if raw.starts_with(b"SFMB") => {
                // Filemarks of 65536 bytes do not fit their own length.
                let size = usize::from(bytes::u16_at(raw, 8));
                return Self::Filemark(if size == 0 { CONTENTS_MAX } else { size });
            }
            _ => return Self::Unknown(first),
        };
        Self::Other(SHORT_HEAD as u64 + u64::from(length))
    }
}

/// A filler from `at` to a multiple of `boundary`; empty if it is there.
pub(crate) fn write_filler(at: u64, boundary: u64) -> Vec<u8> {
    let mut length = at.next_multiple_of(boundary) - at;
    if length == 0 {
        return Vec::new();
    }
    if length < SHORT_HEAD as u64 {
        length += boundary;
    }
    let mut filler = vec![0; usize::try_from(length).unwrap_or(SHORT_HEAD)];
    let rest = u16::try_from(filler.len() - SHORT_HEAD).unwrap_or(u16::MAX);
    put(&mut filler, 0, &[FILLER]);
    put(&mut filler, 2, &rest.to_le_bytes());
    filler
}

/// The index of a backup set: for each part of it the offset in the media and in the file.
pub(crate) fn write_index(parts: &[(u64, u64)]) -> Vec<u8> {
    let mut index = vec![0; INDEX_ENTRIES];
    for (media_offset, file_offset) in parts {
        index.extend(media_offset.to_le_bytes());
        index.extend(file_offset.to_le_bytes());
    }
    let count = u32::try_from(parts.len()).unwrap_or(0);
    let length = u32::try_from(index.len() - SHORT_HEAD).unwrap_or(0);
    put(&mut index, 0, &[INDEX]);
    put(&mut index, 28, &count.to_le_bytes());
    put(&mut index, 32, &length.to_le_bytes());
    index
}
