//! Forged media: written by the crate's own writer, changed anywhere, with the checksums of headers
//! and records made right again, so that the fuzzer gets past them.
//!
//! Start at [`forge`] and [`forge_compressed`].
//!
//! This file never makes contents whose own checksums are right after a change; that needs no help.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use mtf::{BackupKind, MediaWriter, page};
use uuid::Uuid;

use crate::common::{Medium, time};
use crate::frames::{BLOCK_HEAD, STREAM_HEAD, frames, number};

/// Bytes that a change of the recipe takes: four say where, one what.
const CHANGE: usize = 5;
/// Bytes in front of the changes.
const HEAD: usize = 4;

/// A medium by recipe: the first bytes say what is written, the others what is changed.
#[must_use]
pub fn forge(recipe: &[u8]) -> Vec<u8> {
    let (head, changes) = recipe.split_at(recipe.len().min(HEAD));
    let mut bytes = write(head, false);
    for change in changes.as_chunks::<CHANGE>().0 {
        let blocks = frames(&bytes);
        let block = &blocks[usize::from(change[0] >> 1) % blocks.len()];
        let streams = block.streams.iter().map(|stream| stream.at);
        let starts: Vec<usize> = std::iter::once(block.at).chain(streams).collect();
        apply(&mut bytes, &starts, *change);
    }
    reseal(&mut bytes);
    cut(bytes, head)
}

/// Compressed media by recipe; what is changed is the container.
#[must_use]
pub fn forge_compressed(recipe: &[u8]) -> Vec<u8> {
    let (head, changes) = recipe.split_at(recipe.len().min(HEAD));
    let mut bytes = write(head, true);
    for change in changes.as_chunks::<CHANGE>().0 {
        let items: Vec<usize> = items(&bytes).iter().map(|item| item.start).collect();
        let start = items[usize::from(change[0] >> 1) % items.len()];
        // The items, and the codes and words of the compressed contents of a record.
        let starts = [start, start + RECORD_HEAD, start + RECORD_HEAD + 256];
        apply(&mut bytes, &starts, *change);
    }
    reseal_records(&mut bytes);
    cut(bytes, head)
}

fn cut(mut bytes: Vec<u8>, head: &[u8]) -> Vec<u8> {
    let less = usize::from(head.get(3).copied().unwrap_or(0)) * 64;
    bytes.truncate(bytes.len() - less.min(bytes.len()));
    bytes
}

/// What is written: its bits say kind, checksums, device, stripes, version and number of sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    bits: u8,
    data_pages: usize,
    log_units: u32,
    is_compressed: bool,
}

thread_local! {
    /// Media that were written already: most recipes differ only in what they change.
    static WRITTEN: RefCell<BTreeMap<Shape, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Media remembered, of some hundred kilobytes at most.
const WRITTEN_MAX: usize = 200;

/// Sound media of many shapes, small ones, for speed.
fn write(head: &[u8], is_compressed: bool) -> Vec<u8> {
    let [bits, data, log] = [0, 1, 2].map(|index| head.get(index).copied().unwrap_or(0));
    let shape = Shape {
        bits,
        // Whole extents cost time; two pages have all that matters, the PFS page among them.
        data_pages: [0, 2, 2, 9][usize::from(data % 4)],
        // Log is padded to 64 KiB, so it costs time too.
        log_units: [0, 0, 0, 1, 3, 11][usize::from(log % 6)],
        is_compressed,
    };
    WRITTEN.with_borrow_mut(|written| {
        if written.len() >= WRITTEN_MAX {
            written.clear();
        }
        written
            .entry(shape)
            .or_insert_with(|| shape.write())
            .clone()
    })
}

impl Shape {
    fn write(self) -> Vec<u8> {
        let mut medium = self.medium();
        let begin = if self.is_compressed {
            MediaWriter::compressed
        } else {
            MediaWriter::new
        };
        let writer = begin(Vec::new(), &medium.family, time(1));
        let mut writer = writer.expect("memory takes everything");
        for position in 1..=u16::from(self.bits >> 6).max(1) {
            medium.identity.position = position;
            medium.identity.set_guid = Uuid::from_u128(u128::from(position));
            medium.write_set(&mut writer);
        }
        writer.finish().expect("memory takes everything")
    }

    fn medium(self) -> Medium {
        let kind = match self.bits & 3 {
            0 => BackupKind::Full,
            1 => BackupKind::Differential,
            2 => BackupKind::Log,
            _ => BackupKind::Other(b'F'),
        };
        let mut medium = Medium::new(kind, 2, self.log_units);
        medium.data.truncate(page::SIZE * self.data_pages);
        if self.bits & 4 != 0 {
            medium = medium.with_checksums();
        }
        if self.bits & 8 != 0 {
            medium.family.filemark_bytes = 4096;
        }
        if self.bits & 16 != 0 {
            medium.family.family_count = 2;
        }
        if self.bits & 32 != 0 {
            medium.identity.server_version.major = 16;
        }
        medium
    }
}

/// Most changes are wanted in headers and records, which are few bytes among many, so the place is
/// told from one of the starts; an odd first byte puts eight bytes there, a length perhaps.
fn apply(bytes: &mut [u8], starts: &[usize], change: [u8; CHANGE]) {
    let away = usize::from(u16::from_le_bytes([change[1], change[2]]));
    let at = starts[usize::from(change[3]) % starts.len()] + away;
    let value = change[4];
    let wide = (u64::from(value) << 56 | u64::from(value)).to_le_bytes();
    let new = &wide[..if change[0] & 1 == 0 { 1 } else { 8 }];
    for (old, new) in bytes.iter_mut().skip(at).zip(new) {
        *old = *new;
    }
}

/// Makes the checksums of all headers right that the lengths lead to.
fn reseal(bytes: &mut [u8]) {
    for frame in frames(bytes) {
        seal(bytes, frame.at, BLOCK_HEAD);
        for stream in &frame.streams {
            seal(bytes, stream.at, STREAM_HEAD);
        }
    }
}

fn seal(bytes: &mut [u8], at: usize, length: usize) {
    let Some(header) = bytes.get_mut(at..at + length) else {
        return;
    };
    let (covered, sum) = header.split_at_mut(length - 2);
    sum.copy_from_slice(&mtf::checksum::xor16(covered).to_le_bytes());
}

/// Where the first item of a container stands.
const FIRST_ITEM: usize = 0x1E0;
const RECORD_HEAD: usize = 28;

/// The items of a container, as far as their lengths lead; the first one always.
fn items(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut at = FIRST_ITEM;
    loop {
        let length = |away, bytes_wide| {
            let length = number(bytes, at + away, bytes_wide).unwrap_or(0);
            usize::try_from(length).unwrap_or(usize::MAX)
        };
        let end = match bytes.get(at) {
            Some(0x21) => length(2, 2).saturating_add(RECORD_HEAD),
            Some(0x24) => length(2, 2).saturating_add(24),
            Some(0x2C) => length(32, 4).saturating_add(24),
            Some(b'S') => length(8, 2),
            _ => 0,
        };
        let end = at.saturating_add(end);
        items.push(at..end);
        if end == at || end >= bytes.len() {
            return items;
        }
        at = end;
    }
}

fn reseal_records(bytes: &mut [u8]) {
    for item in items(bytes) {
        let Some(record) = bytes
            .get_mut(item)
            .filter(|record| record.len() > RECORD_HEAD)
        else {
            continue;
        };
        if record[0] == 0x21 {
            let sum = mtf::checksum::word_roll(&record[RECORD_HEAD..]);
            record[RECORD_HEAD - 4..RECORD_HEAD].copy_from_slice(&sum.to_le_bytes());
        }
    }
}
