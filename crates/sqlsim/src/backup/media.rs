//! Reading media: what stands on each device, and the backup set that is wanted.
//!
//! Start at [`read_media`]. Contents are kept in memory and trusted only after the scan found the
//! media sound, since they are handed over before they could be verified.

use std::io;

use mtf::{
    BackupSet, Contents, FindingKind, Level, LogExtent, MediaFamily, Report, Scanner, Severity,
};

use mtf::page::{EXTENT_SIZE, PageHeader};

use super::devices::{Device, Devices, os_error_text};
use super::raise;
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::storage::ballast;

const BUFFER_BYTES: usize = 256 * 1024;

/// One device, read to its end.
#[derive(Debug, Clone)]
pub struct MediaFile {
    /// The media header.
    pub family: MediaFamily,
    /// What the scan found.
    pub report: Report,
    /// The backup sets and what they carry.
    pub sets: Vec<SetContents>,
}

/// A backup set on one device.
#[derive(Debug, Clone, Default)]
pub struct SetContents {
    /// The provisional identity in front.
    pub front: BackupSet,
    /// The authoritative identity behind.
    pub identity: BackupSet,
    /// Pages, without ballast.
    pub data: Vec<u8>,
    /// The indices of the ballast's extents, in order; their bytes were proved as they passed.
    pub ballast: Vec<u32>,
    /// Log, extent by extent.
    pub log: Vec<(LogExtent, Vec<u8>)>,
}

/// All devices of a statement.
#[derive(Debug, Clone)]
pub struct Media {
    /// In the order of the statement.
    pub files: Vec<MediaFile>,
}

impl Media {
    /// The backup sets: those of the first device; the stripes of a media set hold the same ones.
    #[must_use]
    pub fn sets(&self) -> Vec<&BackupSet> {
        let first = self.files.first();
        first
            .into_iter()
            .flat_map(|file| &file.sets)
            .map(|set| &set.identity)
            .collect()
    }

    /// The media families, in the order of the statement.
    #[must_use]
    pub fn families(&self) -> Vec<MediaFamily> {
        self.files.iter().map(|file| file.family.clone()).collect()
    }

    /// The media are compressed, as far as the first device tells.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let first = self.files.first();
        first.is_some_and(|file| file.report.is_compressed)
    }

    /// The same set on every device. Raises 3287 where one lacks it.
    pub(super) fn set(&self, position: u16, named: &[Device]) -> SqlResult<Vec<&SetContents>> {
        let find = |(file, device): (&'_ MediaFile, &Device)| {
            let position_of = |set: &&SetContents| set.identity.position == position;
            let index = file.sets.iter().position(|set| position_of(&set));
            index.ok_or_else(|| raise::no_such_position(position, &device.name))
        };
        let files = self.files.iter();
        let pairs = files
            .zip(named)
            .map(|(file, device)| Ok((file, find((file, device))?)));
        let indexed: SqlResult<Vec<_>> = pairs.collect();
        Ok(indexed?
            .into_iter()
            .map(|(file, index)| &file.sets[index])
            .collect())
    }
}

/// Reads devices as far as they can be read: damage is in the reports and raises nothing here.
/// Raises 3201 or 3203 for a device that cannot be read, 3241 for one that holds no media.
pub fn read_media(devices: &dyn Devices, named: &[Device]) -> SqlResult<Media> {
    let files: SqlResult<Vec<_>> = named
        .iter()
        .map(|device| read_file(devices, device))
        .collect();
    Ok(Media { files: files? })
}

/// Reads devices and raises what a restore would raise about the media: stripes that are missing
/// (3132), too many (3231), given twice (3227) or of another media set (3258), a backup set cut off
/// (3256), damage (3183 for pages and checksums, 3189 otherwise), and with `checksum` a set without
/// any (3187). This is all that `RESTORE VERIFYONLY` does.
pub fn verify_media(
    devices: &dyn Devices,
    named: &[Device],
    position: u16,
    checksum: bool,
) -> SqlResult<Media> {
    let media = read_media(devices, named)?;
    check_stripes(&media, named)?;
    for (file, device) in media.files.iter().zip(named) {
        check_sound(file, device)?;
    }
    let sets = media.set(position, named)?;
    if checksum && !sets.iter().all(|set| set.identity.has_backup_checksums()) {
        return Err(messages::no_backup_checksums());
    }
    Ok(media)
}

fn read_file(devices: &dyn Devices, device: &Device) -> SqlResult<MediaFile> {
    let file = devices.open(&device.path);
    let mut file = file.map_err(|error| {
        messages::cannot_open_device(&device.name, &os_error_text(&error, false))
    })?;
    let mut scanner = Scanner::with(Gatherer::default());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => scanner.feed(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_failed(device, &error)),
        }
    }
    let (report, gatherer) = scanner.finish();
    let no_media = || messages::media_incorrectly_formed(&device.name);
    let family = report.media.clone().ok_or_else(no_media)?;
    Ok(MediaFile {
        family,
        report,
        sets: gatherer.sets,
    })
}

fn read_failed(device: &Device, error: &io::Error) -> SqlError {
    messages::read_failed(&device.name, &os_error_text(error, false))
}

fn check_stripes(media: &Media, named: &[Device]) -> SqlResult<()> {
    let Some(first) = media.files.first() else {
        return Ok(());
    };
    let (count, given) = (u32::from(first.family.family_count), media.files.len());
    let given = u32::try_from(given).unwrap_or(u32::MAX);
    let mut seen = Vec::new();
    for (file, device) in media.files.iter().zip(named) {
        if file.family.media_set_id != first.family.media_set_id {
            return Err(raise::other_media_set(&device.name));
        }
        if seen.contains(&file.family.family_number) {
            return Err(messages::device_used_twice(&device.name));
        }
        seen.push(file.family.family_number);
    }
    match given.cmp(&count) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(messages::media_families_missing(count, given)),
        std::cmp::Ordering::Greater => {
            Err(messages::wrong_family_count(&named[0].name, count, given))
        }
    }
}

fn check_sound(file: &MediaFile, device: &Device) -> SqlResult<()> {
    if file.report.is_sound() {
        return Ok(());
    }
    let worse = |finding: &&mtf::Finding| finding.kind.severity() > Severity::Note;
    let findings: Vec<_> = file.report.findings.iter().filter(worse).collect();
    let cut_off =
        |kind: &FindingKind| matches!(kind, FindingKind::Truncated { .. } | FindingKind::Aborted);
    if findings.iter().any(|finding| cut_off(&finding.kind)) {
        return Err(messages::backup_set_incomplete());
    }
    let db = file
        .sets
        .first()
        .map_or("", |set| set.front.database_name.as_str());
    let content = findings
        .iter()
        .find(|finding| finding.level == Level::Content);
    match content.map(|finding| &finding.kind) {
        Some(FindingKind::PageDamaged { file_id, page_id }) => Err(messages::restore_page_error(
            (*file_id).into(),
            (*page_id).into(),
            db,
        )),
        Some(_) => Err(messages::restore_page_error(1, 0, db)),
        None if file.report.sets.is_empty() => Err(messages::backup_set_not_found(&device.name)),
        None => Err(messages::backup_set_damaged()),
    }
}

/// Keeps what the scanner hands over.
#[derive(Debug, Default)]
struct Gatherer {
    sets: Vec<SetContents>,
    current: SetContents,
    /// The beginning of an extent, until it is whole.
    extent: Vec<u8>,
}

impl Gatherer {
    /// An extent is whole: ballast leaves nothing but its index.
    fn keep(&mut self) {
        let extent = std::mem::take(&mut self.extent);
        match ballast_index(&extent) {
            Some(index) => self.current.ballast.push(index),
            None => self.current.data.extend_from_slice(&extent),
        }
    }
}

/// The index of an extent of ballast; its pages are all written, so the first one tells.
fn ballast_index(extent: &[u8]) -> Option<u32> {
    let is_page = extent.len() == EXTENT_SIZE && extent[0] == 1;
    is_page
        .then(|| PageHeader::read(extent).page_id)
        .and_then(ballast::index_of)
}

impl Contents for Gatherer {
    fn set_begins(&mut self, front: &BackupSet) {
        self.extent.clear();
        self.current = SetContents {
            front: front.clone(),
            ..SetContents::default()
        };
    }

    fn data(&mut self, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let taken = left.len().min(EXTENT_SIZE - self.extent.len());
            let (more, rest) = left.split_at(taken);
            self.extent.extend_from_slice(more);
            left = rest;
            if self.extent.len() == EXTENT_SIZE {
                self.keep();
            }
        }
    }

    fn log_begins(&mut self, extent: &LogExtent) {
        self.current.log.push((extent.clone(), Vec::new()));
    }

    fn log(&mut self, bytes: &[u8]) {
        if let Some((_, log)) = self.current.log.last_mut() {
            log.extend_from_slice(bytes);
        }
    }

    fn set_ends(&mut self, identity: &BackupSet) {
        self.keep();
        self.current.identity = identity.clone();
        self.sets.push(std::mem::take(&mut self.current));
    }
}
