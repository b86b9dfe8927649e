//! The set map in the end of a backup set: what a reader that seeks would look at first.
//!
//! Start at [`set_map`]. SQL Server writes one; no reader of ours needs it. Fields whose meaning is
//! not known stay zero.
//!
//! This file never lists other backup sets than the one that it ends.

use std::io;

use crate::MediaTime;
use crate::frame::records::{Build, SetStart, set_attributes};

/// Fixed length of the entry of a backup set, counted from its own start.
const SET_ENTRY: usize = 92;
/// Fixed length of the entry of a volume.
const VOLUME_ENTRY: usize = 62;

/// The `TSMP` stream: one backup set on one volume.
pub(super) fn set_map(family_id: u32, start: &SetStart, machine_name: &str) -> io::Result<Vec<u8>> {
    let mut map = Vec::new();
    map.extend(family_id.to_le_bytes());
    map.extend(1_u32.to_le_bytes());
    map.extend(set_entry(start)?);
    map.extend(volume_entry(machine_name, start.date)?);
    Ok(map)
}

fn set_entry(start: &SetStart) -> io::Result<Vec<u8>> {
    let mut entry = Build::new(SET_ENTRY);
    entry.put(2, &1_u16.to_le_bytes());
    entry.put(8, &set_attributes(start.is_differential).to_le_bytes());
    entry.put(12, &start.address.to_le_bytes());
    entry.put(30, &start.position.to_le_bytes());
    entry.put(60, &1_u16.to_le_bytes());
    entry.put(80, &start.date.to_bytes());
    entry.put(85, &start.time_zone_quarters.unwrap_or(127).to_le_bytes());
    // Operating system and version, string type, catalogue version, as in the block headers.
    entry.put(86, &[14, 1, 2, 0, 2]);
    entry.text(64, &start.name)?;
    entry.text(68, &start.description)?;
    entry.text(76, &start.user_name)?;
    Ok(measured(entry))
}

fn volume_entry(machine_name: &str, date: MediaTime) -> io::Result<Vec<u8>> {
    let mut entry = Build::new(VOLUME_ENTRY);
    entry.put(2, b"VOLB");
    entry.put(6, &1_u32.to_le_bytes());
    entry.put(12, &1_u32.to_le_bytes());
    entry.put(32, &[14, 1, 2, 0]);
    entry.put(36, &2_u32.to_le_bytes());
    entry.put(56, &date.to_bytes());
    entry.text(40, "C:")?;
    entry.text(48, machine_name)?;
    Ok(measured(entry))
}

/// An entry with its own length in front.
fn measured(mut entry: Build) -> Vec<u8> {
    let length = u16::try_from(entry.raw.len()).unwrap_or(u16::MAX);
    entry.put(0, &length.to_le_bytes());
    entry.raw
}
