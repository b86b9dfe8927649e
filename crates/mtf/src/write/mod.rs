//! Writing: media as SQL Server lays them out, with every checksum.
//!
//! Start at [`MediaWriter`].
//!
//! This room never opens a file and never asks a clock.

mod lay;
mod map;
mod pack;

use std::io::{self, Read, Write};

use self::lay::Lay;
use self::pack::{Out, Packer};
use crate::frame::records::{self, SetEnd, SetStart};
use crate::frame::{BlockKind, CHECKSUM_FOLLOWS, LAST_SEGMENT, LOGICAL_BLOCK, SEGMENT, identity};
use crate::{BackupKind, BackupSet, LogExtent, MediaFamily, MediaTime, Report, Vlf};

/// Log is padded to multiples of this.
const LOG_PADDING: u64 = 64 * 1024;
const FILEMARK_BYTES: u32 = 512;
const BLOCK_BYTES: u32 = 65536;

/// Writes one file of backup media.
///
/// `new` (or `append`), then per backup set `begin_set`, any `data` and `log`, `end_set`; then
/// `finish`. Calls out of this order are refused with [`io::ErrorKind::InvalidInput`], and so are
/// names too long for media (some thirty thousand characters in all).
#[derive(Debug)]
pub struct MediaWriter<W> {
    lay: Lay<W>,
    family_id: u32,
    open: Option<OpenSet>,
}

/// What the end of a backup set repeats of its beginning.
#[derive(Debug)]
struct OpenSet {
    start: SetStart,
    machine_name: String,
    has_checksums: bool,
    has_log: bool,
}

impl<W: Write> MediaWriter<W> {
    /// Formats media: writes their header. `date` is local time.
    ///
    /// A `filemark_bytes` of 0 means 512, a `block_size_bytes` of 0 means 65536, an empty
    /// `software` SQL Server's own name, a `family_count` of 0 a single family.
    pub fn new(out: W, media: &MediaFamily, date: MediaTime) -> io::Result<Self> {
        Self::format(Out::Plain(out), media, date)
    }

    /// Formats media that are compressed, as [`new`](Self::new) does plain ones.
    pub fn compressed(out: W, media: &MediaFamily, date: MediaTime) -> io::Result<Self> {
        Self::format(Out::Packed(Packer::new(out)?), media, date)
    }

    fn format(out: Out<W>, media: &MediaFamily, date: MediaTime) -> io::Result<Self> {
        let media = completed(media);
        check_family(&media)?;
        let mut lay = Lay::new(out, 0, media.filemark_bytes, Vec::new());
        // Attributes as SQL Server sets them: the media have set maps and filemarks.
        lay.block(
            BlockKind::Media,
            0x0003_0000,
            records::write_media(&media, date)?,
        )?;
        lay.stream(*b"RAID", 0, &records::write_raid(&media))?;
        lay.close(lay.device_boundary())?;
        lay.filemark()?;
        Ok(Self {
            lay,
            family_id: media.family_id,
            open: None,
        })
    }

    /// Goes on behind the backup sets of existing media (`NOINIT`), compressed if they are:
    /// `report` is that of a scan of them, and `out` must stand at their end, byte `report.bytes`.
    ///
    /// # Errors
    /// Of kind [`io::ErrorKind::InvalidData`] if the media are not sound.
    pub fn append(out: W, report: &Report) -> io::Result<Self> {
        let Some(media) = report.media.as_ref().filter(|_| report.is_sound()) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the media are not sound",
            ));
        };
        let (out, at) = if report.is_compressed {
            (Out::Packed(Packer::resume(out, report.bytes)), 0)
        } else {
            (Out::Plain(out), report.bytes)
        };
        let lay = Lay::new(out, at, media.filemark_bytes, report.filemarks.clone());
        Ok(Self {
            lay,
            family_id: media.family_id,
            open: None,
        })
    }

    /// Begins a backup set with its provisional identity. Its `finished` is left out, as SQL Server
    /// does not know it yet.
    pub fn begin_set(&mut self, front: &BackupSet) -> io::Result<()> {
        if self.open.is_some() {
            return Err(out_of_order("a backup set is open"));
        }
        self.lay.set_origin();
        let start = set_start(front, self.lay.place());
        self.lay
            .block(BlockKind::SetStart, 0, records::write_set_start(&start)?)?;
        self.lay.close(LOGICAL_BLOCK)?;
        let volume = records::write_volume(&front.machine_name, front.started)?;
        self.lay.block(BlockKind::Volume, 0, volume)?;
        self.lay.close(LOGICAL_BLOCK)?;
        let front = BackupSet {
            finished: None,
            ..front.clone()
        };
        self.identity(BlockKind::Front, &front, LOGICAL_BLOCK)?;
        self.open = Some(OpenSet {
            start,
            machine_name: front.machine_name.clone(),
            has_checksums: front.has_backup_checksums(),
            has_log: false,
        });
        Ok(())
    }

    /// Writes `length_bytes` of data pages from `source`, best in whole extents of 64 KiB. A
    /// checksum follows if the backup set has checksums.
    ///
    /// # Errors
    /// Of kind [`io::ErrorKind::UnexpectedEof`] if `source` has fewer bytes.
    pub fn data(&mut self, length_bytes: u64, source: &mut dyn Read) -> io::Result<()> {
        let checksum = self.open()?.checksum_bit();
        let mut fields = vec![0; 60];
        fields[58] = 1;
        self.lay.block(BlockKind::Data, 0, fields)?;
        let lengths = (length_bytes, length_bytes);
        let sum = self
            .lay
            .contents(*b"MQDA", SEGMENT | checksum, source, lengths)?;
        self.checksum(checksum, sum)?;
        self.lay.stream(*b"MQDA", SEGMENT | LAST_SEGMENT, &[])?;
        self.lay.close(LOGICAL_BLOCK)
    }

    /// Writes a log extent: `source` gives its `end_bytes - start_bytes` bytes, which are padded to
    /// a multiple of 64 KiB. An extent without bytes is a placeholder.
    ///
    /// As SQL Server does, it writes one block per virtual log file that the extent touches, so a
    /// reader meets an extent over three of them as three extents.
    ///
    /// # Errors
    /// Of kind [`io::ErrorKind::UnexpectedEof`] if `source` has fewer bytes; of kind
    /// [`io::ErrorKind::InvalidInput`] if the virtual log files do not cover the extent.
    pub fn log(&mut self, extent: &LogExtent, source: &mut dyn Read) -> io::Result<()> {
        for (part, vlf) in parts(extent)? {
            let checksum = self.log_block(&part, vlf)?;
            let length = part.len_bytes();
            if length > 0 {
                let padded = length.next_multiple_of(LOG_PADDING);
                let sum = self
                    .lay
                    .contents(*b"MQTL", checksum, source, (length, padded))?;
                self.checksum(checksum, sum)?;
            }
            self.lay.close(LOGICAL_BLOCK)?;
        }
        Ok(())
    }

    /// Names a log extent whose bytes are in another stripe of the media set. Every stripe names
    /// every extent, as SQL Server's do, so that each knows the whole log range.
    ///
    /// # Errors
    /// Of kind [`io::ErrorKind::InvalidInput`] if the virtual log files do not cover the extent.
    pub fn log_elsewhere(&mut self, extent: &LogExtent) -> io::Result<()> {
        for (part, vlf) in parts(extent)? {
            self.log_block(&part, vlf)?;
            self.lay.close(LOGICAL_BLOCK)?;
        }
        Ok(())
    }

    /// Ends the backup set with its authoritative identity. Number, names, dates and GUID of the
    /// backup set stay those of its beginning.
    pub fn end_set(&mut self, identity: &BackupSet) -> io::Result<()> {
        if !self.open()?.has_log {
            self.log(&LogExtent::default(), &mut io::empty())?;
        }
        let boundary = self.lay.device_boundary();
        self.identity(BlockKind::Identity, identity, boundary)?;
        self.lay.filemark()?;
        let Some(open) = self.open.take() else {
            return Err(out_of_order("no backup set is open"));
        };
        self.ends(&open, boundary)?;
        self.lay.out.index()?;
        self.lay.filemark()
    }

    /// Bytes of the file so far; of compressed media without what waits to fill a record.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.lay.place()
    }

    /// The media are complete: flushes and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        if self.open.is_some() {
            return Err(out_of_order("a backup set is open"));
        }
        self.lay.out.finish()
    }

    fn open(&mut self) -> io::Result<&mut OpenSet> {
        self.open
            .as_mut()
            .ok_or_else(|| out_of_order("no backup set is open"))
    }

    fn log_block(&mut self, part: &LogExtent, vlf: Vlf) -> io::Result<u16> {
        let open = self.open()?;
        open.has_log = true;
        let checksum = open.checksum_bit();
        let (start, end) = (part.start_bytes, part.end_bytes);
        let raw = records::write_log_extent(start, end, part.file_id, vlf);
        self.lay.block(BlockKind::Log, 0, raw)?;
        Ok(checksum)
    }

    fn checksum(&mut self, bit: u16, sum: u32) -> io::Result<()> {
        if bit == 0 {
            return Ok(());
        }
        self.lay.stream(*b"CSUM", 0, &sum.to_le_bytes())
    }

    fn identity(&mut self, kind: BlockKind, set: &BackupSet, boundary: u64) -> io::Result<()> {
        self.lay.block(kind, 0, vec![0; 56])?;
        self.lay.stream(*b"MQCI", 0, &identity::write(set)?)?;
        self.lay.close(boundary)
    }

    /// The two end blocks; only the first has a set map, and the second says where that is.
    fn ends(&mut self, open: &OpenSet, boundary: u64) -> io::Result<()> {
        let end = SetEnd {
            position: open.start.position,
            date: open.start.date,
        };
        let map_at = self.lay.place();
        let is_differential = open.start.is_differential;
        self.lay.block(
            BlockKind::SetEnd,
            0,
            records::write_set_end(end, is_differential, 0),
        )?;
        self.lay.align(*b"OTCP", 0, boundary)?;
        let map = map::set_map(self.family_id, &open.start, &open.machine_name)?;
        self.lay.stream(*b"TSMP", 0, &map)?;
        self.lay.close(boundary)?;
        let second = records::write_set_end(end, is_differential, map_at);
        self.lay.block(BlockKind::SetEnd, 0, second)?;
        self.lay.close(boundary)
    }
}

impl OpenSet {
    fn checksum_bit(&self) -> u16 {
        if self.has_checksums {
            CHECKSUM_FOLLOWS
        } else {
            0
        }
    }
}

fn completed(media: &MediaFamily) -> MediaFamily {
    let or = |value, otherwise| if value == 0 { otherwise } else { value };
    MediaFamily {
        filemark_bytes: or(media.filemark_bytes, FILEMARK_BYTES),
        block_size_bytes: or(media.block_size_bytes, BLOCK_BYTES),
        family_count: media.family_count.max(1),
        family_number: media.family_number.max(1),
        ..media.clone()
    }
}

fn check_family(media: &MediaFamily) -> io::Result<()> {
    let size = media.filemark_bytes;
    let is_size = size.is_power_of_two() && (512..=65536).contains(&size);
    if !is_size || media.family_number > media.family_count {
        let text = "filemarks are 512 to 65536 bytes, stripes 1 to their count";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

fn set_start(front: &BackupSet, address: u64) -> SetStart {
    SetStart {
        is_differential: front.kind == BackupKind::Differential,
        position: front.position,
        name: front.name.clone(),
        description: front.description.clone(),
        user_name: front.user_name.clone(),
        address,
        date: front.started,
        version: front.server_version,
        time_zone_quarters: front.time_zone_quarters,
        set_guid: front.set_guid,
    }
}

/// An extent cut at the borders of its virtual log files. A placeholder is one part.
fn parts(extent: &LogExtent) -> io::Result<Vec<(LogExtent, Vlf)>> {
    if extent.len_bytes() == 0 {
        let vlf = extent.vlfs.first().copied().unwrap_or_default();
        return Ok(vec![(extent.clone(), vlf)]);
    }
    let mut parts = Vec::new();
    let mut reached = extent.start_bytes;
    for vlf in &extent.vlfs {
        let end = vlf
            .start_bytes
            .saturating_add(vlf.size_bytes)
            .min(extent.end_bytes);
        if reached < vlf.start_bytes || reached >= end {
            continue;
        }
        let part = LogExtent {
            start_bytes: reached,
            end_bytes: end,
            ..extent.clone()
        };
        parts.push((part, *vlf));
        reached = end;
    }
    if reached == extent.end_bytes {
        return Ok(parts);
    }
    let text = "the virtual log files do not cover the log extent";
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn out_of_order(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
