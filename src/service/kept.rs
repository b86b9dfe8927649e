//! Small files of the state folder that are there whole or not at all: the ledger, the alarms, what people were told.
//!
//! Start at [`read`] and [`write`]. None of them is needed: each says what is lost without it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file that carries the number of its format.
pub(super) trait Formatted {
    /// The newest that this program knows.
    const NEWEST: u16;
    /// That of this one.
    fn format(&self) -> u16;
}

/// What the file holds; none where it is not there, cannot be understood, or is of a newer format.
pub(super) fn read<T: DeserializeOwned + Formatted>(path: &Path) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    let kept: T = serde_json::from_slice(&bytes).ok()?;
    (kept.format() <= T::NEWEST).then_some(kept)
}

/// The whole file under another name first: a crash leaves the old or the new one.
pub(super) fn write<T: Serialize>(path: &Path, kept: &T) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(kept)?;
    let beside = path.with_extension("json.new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
