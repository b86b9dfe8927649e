//! Forged media: written by the crate's own writer, changed anywhere, with the checksums of headers
//! made right again, so that the fuzzer gets past them.
//!
//! Start at [`forge`].
//!
//! This file never makes contents whose own checksums are right after a change; that needs no help.

use mtf::{BackupKind, MediaWriter, page};
use uuid::Uuid;

use crate::common::{Medium, time};
use crate::frames::{BLOCK_HEAD, STREAM_HEAD, frames};

/// Bytes that a change of the recipe takes: four say where, one what.
const CHANGE: usize = 5;
/// Bytes in front of the changes.
const HEAD: usize = 4;

/// A medium by recipe: the first bytes say what is written, the others what is changed.
#[must_use]
pub fn forge(recipe: &[u8]) -> Vec<u8> {
    let (head, changes) = recipe.split_at(recipe.len().min(HEAD));
    let at = |index: usize| head.get(index).copied().unwrap_or(0);
    let mut bytes = write(at(0), at(1), at(2));
    for change in changes.chunks_exact(CHANGE) {
        apply(&mut bytes, change);
    }
    reseal(&mut bytes);
    let cut = usize::from(at(3)) * 64;
    bytes.truncate(bytes.len() - cut.min(bytes.len()));
    bytes
}

/// Sound media of many shapes, small ones, for speed.
fn write(shape: u8, data: u8, log: u8) -> Vec<u8> {
    let kind = match shape & 3 {
        0 => BackupKind::Full,
        1 => BackupKind::Differential,
        2 => BackupKind::Log,
        _ => BackupKind::Other(b'F'),
    };
    let (extents, units) = (u32::from(data % 3), u32::from(log % 12));
    let mut medium = Medium::new(kind, extents, units);
    // Whole extents cost time; two pages have all that matters, the PFS page among them.
    medium
        .data
        .truncate(page::SIZE * if data < 240 { 2 } else { 9 });
    if shape & 4 != 0 {
        medium = medium.with_checksums();
    }
    if shape & 8 != 0 {
        medium.family.filemark_bytes = 4096;
    }
    if shape & 16 != 0 {
        medium.family.family_count = 2;
    }
    if shape & 32 != 0 {
        medium.identity.server_version.major = 16;
    }
    let writer = MediaWriter::new(Vec::new(), &medium.family, time(1));
    let mut writer = writer.expect("memory takes everything");
    for position in 1..=u16::from(shape >> 6).max(1) {
        medium.identity.position = position;
        medium.identity.set_guid = Uuid::from_u128(u128::from(position));
        medium.write_set(&mut writer);
    }
    writer.finish().expect("memory takes everything")
}

/// Most changes are wanted in headers and records, which are few bytes among many, so the place is
/// told from the start of a block; an odd first byte puts eight bytes there, a length perhaps.
fn apply(bytes: &mut [u8], change: &[u8]) {
    let blocks = frames(bytes);
    let block = &blocks[usize::from(change[0] >> 1) % blocks.len()];
    let away = usize::from(u16::from_le_bytes([change[1], change[2]]));
    let at = match usize::from(change[3]).checked_rem(block.streams.len() + 1) {
        Some(stream) if stream > 0 => block.streams[stream - 1].at + away,
        _ => block.at + away,
    };
    let value = change[4];
    let wide = (u64::from(value) << 56 | u64::from(value)).to_le_bytes();
    let new = if change[0] & 1 == 0 {
        &wide[..1]
    } else {
        &wide[..]
    };
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
