//! What lies at a source: every file below a folder, every object below a prefix, in order of name.
//!
//! Start at [`list`]. Names decide nothing: whether a file is a backup, its bytes will say.
//!
//! This file never opens what it finds.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::path::Path as Key;
use serde::{Serialize, Serializer};

use super::Source;
use crate::error::{Code, Error, Result};
use crate::store::Shelf;

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file of this machine.
    File(PathBuf),
    /// An object, by its URL.
    Object(String),
}

/// A file that may be backup media.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where it lies.
    pub place: Place,
    /// Its size in bytes when it was listed.
    pub size_bytes: u64,
    /// Where the bytes of an object come from; none for a file.
    pub(super) object: Option<(Arc<Shelf>, Key)>,
}

/// What lies at a source.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files, in order of name.
    pub candidates: Vec<Candidate>,
    /// Folders and files that could not be looked at (`SM0712`); what lies in them is not known.
    pub faults: Vec<Error>,
}

/// Lists a source. Folders are walked to the bottom, each once, however links lead back.
///
/// # Errors
/// `SM0711` when there is nothing at the path or URL, `SM0712` when it cannot be read, those of the store.
pub async fn list(source: &Source) -> Result<Listing> {
    match source {
        Source::Path(path) => {
            let path = path.clone();
            let walked = tokio::task::spawn_blocking(move || list_path(&path)).await;
            walked.map_err(|error| Error::new(Code::Bug, "a walk panicked").source(error))?
        }
        Source::Shelf(shelf) => list_shelf(shelf).await,
    }
}

impl Candidate {
    fn file(path: PathBuf, size_bytes: u64) -> Self {
        Self {
            place: Place::File(path),
            size_bytes,
            object: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(url) => f.write_str(url),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

async fn list_shelf(shelf: &Arc<Shelf>) -> Result<Listing> {
    let objects = shelf.list().await?;
    if objects.is_empty() {
        return Err(nothing("url", &shelf.url()));
    }
    let candidates = objects.into_iter().map(|object| Candidate {
        place: Place::Object(shelf.url_of(&object.key)),
        size_bytes: object.size_bytes,
        object: Some((shelf.clone(), object.key)),
    });
    Ok(Listing {
        candidates: candidates.collect(),
        faults: Vec::new(),
    })
}

fn list_path(path: &Path) -> Result<Listing> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => nothing("path", &path.display()),
        _ => unreadable(path, error),
    })?;
    let mut listing = Listing::default();
    if found.is_dir() {
        fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        walk(path, &mut listing);
    } else if found.is_file() {
        let candidate = Candidate::file(path.to_path_buf(), found.len());
        listing.candidates.push(candidate);
    } else {
        let message = "this is neither a file nor a folder";
        return Err(Error::new(Code::PlaceUnknown, message)
            .at("path", path.display())
            .hint("pipes and devices are not read; copy the backup into a file"));
    }
    Ok(listing)
}

/// Below a folder, what cannot be read is told and the rest still listed.
fn walk(top: &Path, listing: &mut Listing) {
    let mut seen = BTreeSet::new();
    let mut open = vec![top.to_path_buf()];
    while let Some(folder) = open.pop() {
        let is_new = fs::canonicalize(&folder).map(|path| seen.insert(path));
        if !is_new.as_ref().is_ok_and(|is_new| !is_new) {
            let entries = is_new.and_then(|_| fs::read_dir(&folder));
            match entries {
                Ok(entries) => entries.for_each(|entry| match entry {
                    Ok(entry) => meet(entry.path(), listing, &mut open),
                    Err(error) => listing.faults.push(unreadable(&folder, error)),
                }),
                Err(error) => listing.faults.push(unreadable(&folder, error)),
            }
        }
    }
    listing
        .candidates
        .sort_by(|one, other| one.place.cmp(&other.place));
}

fn meet(path: PathBuf, listing: &mut Listing, open: &mut Vec<PathBuf>) {
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => open.push(path),
        Ok(found) if found.is_file() => {
            listing.candidates.push(Candidate::file(path, found.len()));
        }
        // Pipes and sockets would never end; a link to nothing holds nothing.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => listing.faults.push(unreadable(&path, error)),
    }
}

fn nothing(what: &'static str, place: &dyn fmt::Display) -> Error {
    Error::new(Code::PlaceUnknown, "there is nothing at this place")
        .at(what, place)
        .hint("look at the spelling; a share must be mounted where this machine sees it")
}

/// A file or folder that cannot be read, with the operating system's reason.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::PlaceUnreadable, "a file or folder cannot be read")
        .at("path", path.display())
        .hint("give this account the right to read it, and look at the disk or share behind it")
        .source(error)
}
