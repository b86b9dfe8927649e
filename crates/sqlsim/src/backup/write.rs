//! Writing a backup set to its stripes.
//!
//! Start at [`write_set`]. Extents of pages go to the stripes in turn. Devices are
//! written in place, as SQL Server does: a kill leaves the beginning of a file.

use std::io::{self, Cursor, Read, Write};

use mtf::{BackupSet, LogExtent, MediaFamily, MediaTime, MediaWriter, Vlf, page};

use super::devices::{Device, Devices, os_error_text};
use super::media::MediaFile;
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::storage::{Extent, ballast, layout};

/// The log file's number in every database here.
const LOG_FILE_ID: u16 = 2;

/// What a backup set carries.
pub(super) struct Payload<'a> {
    /// The data file.
    pub(super) pages: &'a [u8],
    /// The extents of it that are carried.
    pub(super) extents: &'a [u32],
    /// Extents of ballast, made as they are written.
    pub(super) ballast_extents: u32,
    /// The log.
    pub(super) log: &'a [Extent],
}

/// The media to write to.
pub(super) struct Target<'a> {
    pub(super) devices: &'a dyn Devices,
    pub(super) named: &'a [Device],
    /// One for each device.
    pub(super) families: &'a [MediaFamily],
    /// When the media were or are formatted.
    pub(super) date: MediaTime,
    /// For each device what is on it already and must stay.
    pub(super) kept: &'a [MediaFile],
    pub(super) is_compressed: bool,
}

/// Called with the bytes written so far and with all there are to write.
pub(super) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Payload<'_> {
    /// Bytes of pages and of log.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let extents = self.extents.len() as u64 + u64::from(self.ballast_extents);
        let data = extents * page::EXTENT_SIZE as u64;
        (
            data,
            self.log
                .iter()
                .map(|extent| extent.bytes.len() as u64)
                .sum(),
        )
    }

    fn pages_of_stripe(&self, stripe: usize, stripes: usize) -> Vec<&[u8]> {
        let extents = self.extents.iter().enumerate();
        let mine = extents.filter(|(index, _)| index % stripes == stripe);
        let start = |extent: u32| extent as usize * page::EXTENT_SIZE;
        mine.filter_map(|(_, id)| self.pages.get(start(*id)..start(*id + 1)))
            .collect()
    }

    /// The ballast's extents that go to a stripe.
    fn ballast_of_stripe(&self, stripe: usize, stripes: usize) -> Vec<u32> {
        (0..self.ballast_extents)
            .skip(stripe)
            .step_by(stripes)
            .collect()
    }

    /// All log goes to the first stripe, so that its range can be checked there.
    fn log_of_stripe(&self, stripe: usize) -> &[Extent] {
        if stripe == 0 { self.log } else { &[] }
    }
}

/// Writes the set to every device. `finish` makes the authoritative identity, when all is written
/// but the ends, and is told how many bytes the set took in the files.
pub(super) fn write_set(
    target: &Target<'_>,
    front: &BackupSet,
    payload: &Payload<'_>,
    finish: &dyn Fn(u64) -> BackupSet,
    progress: Progress<'_>,
) -> SqlResult<BackupSet> {
    let (data, log) = payload.bytes();
    let (mut done, all) = (0, data + log);
    let mut file_bytes = 0;
    let mut writers = Vec::new();
    let stripes = target.named.len();
    for (stripe, device) in target.named.iter().enumerate() {
        let out = target.devices.create(&device.path);
        let out = out.map_err(|error| cannot_open(device, &error))?;
        let mut writer = begin(target, stripe, out).map_err(|e| failed(device, &e))?;
        let begun_bytes = writer.file_bytes();
        writer
            .begin_set(front)
            .map_err(|error| failed(device, &error))?;
        let mut count = |bytes| {
            done += bytes;
            progress(done, all);
        };
        write_stripe(&mut writer, payload, stripe, stripes, &mut count)
            .map_err(|error| failed(device, &error))?;
        file_bytes += writer.file_bytes() - begun_bytes;
        writers.push(writer);
    }
    let identity = finish(file_bytes);
    for (writer, device) in writers.into_iter().zip(target.named) {
        end(writer, &identity).map_err(|error| failed(device, &error))?;
    }
    Ok(identity)
}

type Writer = MediaWriter<Box<dyn Write + Send>>;

fn begin(target: &Target<'_>, stripe: usize, out: Box<dyn Write + Send>) -> io::Result<Writer> {
    let family = &target.families[stripe];
    let mut writer = if target.is_compressed {
        MediaWriter::compressed(out, family, target.date)?
    } else {
        MediaWriter::new(out, family, target.date)?
    };
    for set in target
        .kept
        .get(stripe)
        .into_iter()
        .flat_map(|file| &file.sets)
    {
        writer.begin_set(&set.front)?;
        write_data(&mut writer, &[&set.data], &set.ballast, &mut |_| {})?;
        for (extent, bytes) in &set.log {
            writer.log(extent, &mut bytes.as_slice())?;
        }
        writer.end_set(&set.identity)?;
    }
    Ok(writer)
}

fn write_stripe(
    writer: &mut Writer,
    payload: &Payload<'_>,
    stripe: usize,
    stripes: usize,
    count: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let ballast = payload.ballast_of_stripe(stripe, stripes);
    write_data(
        writer,
        &payload.pages_of_stripe(stripe, stripes),
        &ballast,
        count,
    )?;
    let extents = payload.log_of_stripe(stripe);
    for extent in extents {
        writer.log(&log_extent(extent), &mut extent.bytes.as_slice())?;
        count(extent.bytes.len() as u64);
    }
    if extents.is_empty() {
        // Real media never lack this block, even where it holds no log.
        writer.log(&LogExtent::default(), &mut io::empty())?;
    }
    Ok(())
}

fn write_data(
    writer: &mut Writer,
    pieces: &[&[u8]],
    ballast: &[u32],
    count: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let kept: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    let length = kept + ballast.len() as u64 * page::EXTENT_SIZE as u64;
    if length == 0 {
        return Ok(());
    }
    let pages = Pieces {
        left: pieces,
        offset: 0,
    };
    let ballast = Ballast {
        left: ballast,
        extent: Cursor::default(),
    };
    let mut counted = Counted {
        from: pages.chain(ballast),
        count,
    };
    writer.data(length, &mut counted)
}

fn end(mut writer: Writer, identity: &BackupSet) -> io::Result<()> {
    writer.end_set(identity)?;
    writer.finish()?.flush()
}

/// How a run of blocks describes itself on media.
fn log_extent(extent: &Extent) -> LogExtent {
    let start_bytes = extent.vlf_start_bytes + layout::offset_in_vlf(extent.first);
    let vlf = Vlf {
        sequence: extent.first.vlf,
        size_bytes: layout::VLF_BYTES,
        start_bytes: extent.vlf_start_bytes,
        file_id: LOG_FILE_ID,
        parity: 0x40,
    };
    LogExtent {
        start_bytes,
        end_bytes: start_bytes + extent.bytes.len() as u64,
        file_id: LOG_FILE_ID,
        vlfs: vec![vlf],
    }
}

fn cannot_open(device: &Device, error: &io::Error) -> SqlError {
    messages::cannot_open_device(&device.name, &os_error_text(error, true))
}

fn failed(device: &Device, error: &io::Error) -> SqlError {
    messages::write_failed(&device.name, &os_error_text(error, false))
}

/// Pieces of memory, read one after the other.
struct Pieces<'a> {
    left: &'a [&'a [u8]],
    offset: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some((piece, rest)) = self.left.split_first() else {
            return Ok(0);
        };
        let left = &piece[self.offset..];
        let taken = left.len().min(into.len());
        into[..taken].copy_from_slice(&left[..taken]);
        self.offset += taken;
        if self.offset == piece.len() {
            (self.left, self.offset) = (rest, 0);
        }
        Ok(taken)
    }
}

/// Extents of ballast by their indices, each made when it is read.
struct Ballast<'a> {
    left: &'a [u32],
    extent: Cursor<Vec<u8>>,
}

impl Read for Ballast<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let taken = self.extent.read(into)?;
        let Some((index, rest)) = self.left.split_first() else {
            return Ok(taken);
        };
        if taken > 0 || into.is_empty() {
            return Ok(taken);
        }
        self.extent = Cursor::new(ballast::extent(*index));
        self.left = rest;
        self.extent.read(into)
    }
}

/// Says what was read from another.
struct Counted<'a, R> {
    from: R,
    count: &'a mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let taken = self.from.read(into)?;
        (self.count)(taken as u64);
        Ok(taken)
    }
}
