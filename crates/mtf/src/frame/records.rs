//! What the blocks say after their common header: media, backup set, volume, log extent, ends.
//!
//! Start at [`read_media`] and its neighbours; each record is read and written side by side.
//! Offsets count from the start of the block.
//!
//! This file never follows streams, and never compares one record with another.

use std::io;

use uuid::Uuid;

use super::{BLOCK_HEAD, text_at};
use crate::bytes::{self, put};
use crate::{LogExtent, MediaFamily, MediaTime, ServerVersion, Vlf};

const SOFTWARE: &str = "Microsoft SQL Server";
const VENDOR: u16 = 0x1200;

/// A record under construction: fixed fields first, texts behind them.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) raw: Vec<u8>,
}

impl Build {
    pub(crate) fn new(fixed: usize) -> Self {
        Self {
            raw: vec![0; fixed],
        }
    }

    pub(crate) fn put(&mut self, offset: usize, value: &[u8]) {
        put(&mut self.raw, offset, value);
    }

    /// Appends bytes and notes their size and offset at `address`.
    pub(crate) fn append(&mut self, address: usize, raw: &[u8]) -> io::Result<()> {
        let narrow = |n: usize| u16::try_from(n).map_err(|_| too_long());
        let (size, offset) = (narrow(raw.len())?, narrow(self.raw.len())?);
        self.put(address, &size.to_le_bytes());
        self.put(
            address + 2,
            &if size == 0 { 0 } else { offset }.to_le_bytes(),
        );
        self.raw.extend_from_slice(raw);
        Ok(())
    }

    pub(crate) fn text(&mut self, address: usize, text: &str) -> io::Result<()> {
        self.append(address, &bytes::utf16_bytes(text))
    }
}

fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "names and texts of the backup set are too long",
    )
}

/// What a media header says about the media, but for what its `RAID` stream adds.
pub(crate) fn read_media(raw: &[u8], string_type: u8) -> MediaFamily {
    let text = |address| text_at(raw, address, string_type).unwrap_or_default();
    MediaFamily {
        family_id: bytes::u32_at(raw, 52),
        filemark_bytes: filemark_bytes(raw),
        name: text(68),
        description: text(72),
        software: text(80).trim_end_matches('\0').to_owned(),
        ..MediaFamily::default()
    }
}

/// Size of the filemarks by the media header, in bytes.
pub(crate) fn filemark_bytes(raw: &[u8]) -> u32 {
    u32::from(bytes::u16_at(raw, 64)) * 512
}

/// The media header, common header left blank.
pub(crate) fn write_media(media: &MediaFamily, date: MediaTime) -> io::Result<Vec<u8>> {
    let mut build = Build::new(94);
    let filemark = u16::try_from(media.filemark_bytes / 512).unwrap_or(1);
    build.put(52, &media.family_id.to_le_bytes());
    build.put(56, &5_u32.to_le_bytes());
    build.put(60, &1_u16.to_le_bytes());
    build.put(64, &filemark.to_le_bytes());
    build.put(66, &3_u16.to_le_bytes());
    build.put(84, &1024_u16.to_le_bytes());
    build.put(86, &VENDOR.to_le_bytes());
    build.put(88, &date.to_bytes());
    build.put(93, &[1]);
    build.text(68, &media.name)?;
    build.text(72, &media.description)?;
    let software = if media.software.is_empty() {
        SOFTWARE
    } else {
        &media.software
    };
    // SQL Server's own software name carries two trailing NULs.
    build.text(80, &format!("{software}\0\0"))?;
    Ok(build.raw)
}

/// Takes over what the `RAID` stream says; `false` if it is too short to say anything.
pub(crate) fn read_raid(raid: &[u8], media: &mut MediaFamily) -> bool {
    media.media_set_id = bytes::guid_at(raid, 0);
    media.family_count = bytes::u16_at(raid, 20);
    media.family_number = bytes::u16_at(raid, 24);
    media.block_size_bytes = bytes::u32_at(raid, 28);
    raid.len() >= 32
}

/// The `RAID` stream: media set and place in it. One mirror, number 0.
pub(crate) fn write_raid(media: &MediaFamily) -> [u8; 32] {
    let mut raid = [0; 32];
    put(&mut raid, 0, &media.media_set_id.to_bytes_le());
    put(&mut raid, 16, &0xF000_00AD_u32.to_le_bytes());
    put(&mut raid, 20, &media.family_count.to_le_bytes());
    put(&mut raid, 22, &1_u16.to_le_bytes());
    put(&mut raid, 24, &media.family_number.to_le_bytes());
    put(&mut raid, 28, &media.block_size_bytes.to_le_bytes());
    raid
}

/// What the start of a backup set says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetStart {
    pub(crate) is_differential: bool,
    pub(crate) position: u16,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) user_name: String,
    /// Where this block lies in the file, in bytes.
    pub(crate) address: u64,
    pub(crate) date: MediaTime,
    pub(crate) version: ServerVersion,
    pub(crate) time_zone_quarters: Option<i8>,
    pub(crate) set_guid: Uuid,
}

const DIFFERENTIAL: u32 = 0x8;
const NORMAL: u32 = 0x4;
const ZONE_UNKNOWN: i8 = 127;

/// The attribute word of the start and the ends of a backup set.
pub(crate) fn set_attributes(is_differential: bool) -> u32 {
    if is_differential {
        DIFFERENTIAL
    } else {
        NORMAL
    }
}

pub(crate) fn read_set_start(raw: &[u8], string_type: u8) -> SetStart {
    let text = |address| text_at(raw, address, string_type).unwrap_or_default();
    let zone = i8::from_le_bytes([bytes::u8_at(raw, 95)]);
    SetStart {
        is_differential: bytes::u32_at(raw, BLOCK_HEAD) & DIFFERENTIAL != 0,
        position: bytes::u16_at(raw, 62),
        name: text(64),
        description: text(68),
        user_name: text(76),
        address: bytes::u64_at(raw, 80),
        date: MediaTime::read(raw, 88),
        version: ServerVersion {
            major: bytes::u8_at(raw, 93),
            minor: bytes::u8_at(raw, 94),
            build: 0,
        },
        time_zone_quarters: (zone != ZONE_UNKNOWN).then_some(zone),
        set_guid: bytes::guid_at(raw, usize::from(bytes::u16_at(raw, 46))),
    }
}

pub(crate) fn write_set_start(start: &SetStart) -> io::Result<Vec<u8>> {
    let mut build = Build::new(100);
    build.put(
        BLOCK_HEAD,
        &set_attributes(start.is_differential).to_le_bytes(),
    );
    build.put(60, &VENDOR.to_le_bytes());
    build.put(62, &start.position.to_le_bytes());
    build.put(80, &start.address.to_le_bytes());
    build.put(88, &start.date.to_bytes());
    build.put(93, &[start.version.major, start.version.minor]);
    build.put(
        95,
        &start
            .time_zone_quarters
            .unwrap_or(ZONE_UNKNOWN)
            .to_le_bytes(),
    );
    build.put(97, &[2]);
    let mut guid = [0; 21];
    put(&mut guid, 0, &start.set_guid.to_bytes_le());
    // The data "specific to the operating system" are where SQL Server keeps the set's GUID.
    build.append(44, &guid)?;
    build.raw.push(0);
    build.text(64, &start.name)?;
    build.text(68, &start.description)?;
    build.text(76, &start.user_name)?;
    Ok(build.raw)
}

/// The machine name in a volume block.
pub(crate) fn read_volume(raw: &[u8], string_type: u8) -> String {
    text_at(raw, 64, string_type).unwrap_or_default()
}

pub(crate) fn write_volume(machine_name: &str, date: MediaTime) -> io::Result<Vec<u8>> {
    let mut build = Build::new(74);
    build.put(BLOCK_HEAD, &2_u32.to_le_bytes());
    build.put(68, &date.to_bytes());
    build.text(56, "C:")?;
    build.text(64, machine_name)?;
    Ok(build.raw)
}

/// Number and date that the end of a backup set repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetEnd {
    pub(crate) position: u16,
    pub(crate) date: MediaTime,
}

pub(crate) fn read_set_end(raw: &[u8]) -> SetEnd {
    SetEnd {
        position: bytes::u16_at(raw, 78),
        date: MediaTime::read(raw, 80),
    }
}

/// The end of a backup set; `map_at` is where the first of the two ends lies, 0 in that one.
pub(crate) fn write_set_end(end: SetEnd, is_differential: bool, map_at: u64) -> Vec<u8> {
    let mut build = Build::new(88);
    build.put(BLOCK_HEAD, &set_attributes(is_differential).to_le_bytes());
    build.put(60, &map_at.to_le_bytes());
    build.put(78, &end.position.to_le_bytes());
    build.put(80, &end.date.to_bytes());
    build.raw
}

/// Where the description of the virtual log file lies in a log block, as SQL Server writes it.
const VLF: usize = 92;
/// Bytes of that description since 2012; only the first 24 are understood.
const VLF_SIZE: u16 = 504;

/// The extent of a log block. SQL Server writes one block per virtual log file.
pub(crate) fn read_log_extent(raw: &[u8]) -> LogExtent {
    let at = usize::from(bytes::u16_at(raw, 82));
    let described = bytes::u16_at(raw, 80) >= 24 && raw.len() >= at + 24;
    LogExtent {
        start_bytes: bytes::u64_at(raw, 60),
        end_bytes: bytes::u64_at(raw, 68),
        file_id: bytes::u16_at(raw, 76),
        vlfs: described
            .then(|| read_vlf(&raw[at..]))
            .into_iter()
            .collect(),
    }
}

fn read_vlf(raw: &[u8]) -> Vlf {
    Vlf {
        sequence: bytes::u32_at(raw, 0),
        size_bytes: bytes::u64_at(raw, 4),
        start_bytes: bytes::u64_at(raw, 12),
        file_id: bytes::u16_at(raw, 20),
        parity: bytes::u8_at(raw, 22),
    }
}

/// The log block of a stretch of one virtual log file.
pub(crate) fn write_log_extent(start: u64, end: u64, file_id: u16, vlf: Vlf) -> Vec<u8> {
    let mut build = Build::new(VLF + usize::from(VLF_SIZE));
    build.put(58, &1_u16.to_le_bytes());
    build.put(60, &start.to_le_bytes());
    build.put(68, &end.to_le_bytes());
    build.put(76, &file_id.to_le_bytes());
    build.put(80, &VLF_SIZE.to_le_bytes());
    build.put(82, &92_u16.to_le_bytes());
    build.put(VLF, &vlf.sequence.to_le_bytes());
    build.put(VLF + 4, &vlf.size_bytes.to_le_bytes());
    build.put(VLF + 12, &vlf.start_bytes.to_le_bytes());
    build.put(VLF + 20, &vlf.file_id.to_le_bytes());
    build.put(VLF + 22, &u16::from(vlf.parity).to_le_bytes());
    // The version of the virtual log file's own header.
    build.put(VLF + 34, &[5]);
    build.raw
}

/// Offsets of earlier filemarks, newest first, or `None` if the list does not fit its block.
pub(crate) fn read_filemarks(raw: &[u8]) -> Option<Vec<u64>> {
    let used = bytes::u32_at(raw, 56) as usize;
    // SQL Server 2005 had no room between the count and the list.
    let list = raw.get(if bytes::u32_at(raw, 60) == 72 { 72 } else { 60 }..)?;
    let marks = list.as_chunks::<8>().0.get(..used)?;
    Some(marks.iter().map(|mark| u64::from_le_bytes(*mark)).collect())
}

/// A filemark of `size` bytes that lists as many of `earlier` (newest first) as it can.
pub(crate) fn write_filemark(size: usize, earlier: &[u64]) -> Vec<u8> {
    let mut raw = vec![0; size];
    let capacity = (size - 72) / 8;
    let used = earlier.len().min(capacity);
    put(
        &mut raw,
        BLOCK_HEAD,
        &u32::try_from(capacity).unwrap_or(0).to_le_bytes(),
    );
    put(
        &mut raw,
        56,
        &u32::try_from(used).unwrap_or(0).to_le_bytes(),
    );
    put(&mut raw, 60, &72_u32.to_le_bytes());
    for (slot, mark) in earlier.iter().take(used).enumerate() {
        put(&mut raw, 72 + 8 * slot, &mark.to_le_bytes());
    }
    raw
}
