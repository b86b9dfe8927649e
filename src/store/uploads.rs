//! What this agent remembers of uploads in parts, so that after a crash only the parts in flight are sent again.
//!
//! Start at [`Uploads::of`] and [`Ledger`]. One small file an object, beside the journals: a first line that names
//! the upload, then a line for each part that the store has confirmed. A part counts again only when its chunk
//! still has the same digest, so a wrong or torn file costs time and never correctness. An upload without such a
//! file belongs to nobody.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use object_store::MultipartId;
use object_store::multipart::PartId;
use serde::{Deserialize, Serialize};

use super::hash::sha256;
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, Sha256Digest};

/// The newest format of the file.
const UPLOADS_FORMAT: u16 = 1;

/// Where uploads are remembered; nowhere in tests that do not die.
#[derive(Clone, Debug, Default)]
pub(super) struct Uploads {
    folder: Option<PathBuf>,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u16,
    /// The object's key below the store's prefix.
    pub(super) key: String,
    /// The file that is sent.
    pub(super) file: PathBuf,
    /// The store's name for the upload.
    pub(super) upload: MultipartId,
}

#[derive(Serialize, Deserialize)]
struct Line {
    part: usize,
    id: String,
    sha256: Sha256Digest,
}

/// A part that the store has.
#[derive(Clone, Debug)]
pub(super) struct KnownPart {
    /// The store's name for it.
    pub(super) id: PartId,
    /// The digest of its chunk.
    pub(super) digest: Sha256Digest,
}

/// An upload that was begun and not ended.
pub(super) struct Remembered {
    /// What it is.
    pub(super) head: Head,
    /// The parts that the store has, by number from 0.
    pub(super) parts: BTreeMap<usize, KnownPart>,
}

/// The file of one upload, open for more parts.
pub(super) struct Ledger(Option<File>);

impl Uploads {
    /// Remembers in this folder, which is made when it is needed.
    pub(super) fn of(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
        }
    }

    /// Whether anything is remembered at all.
    pub(super) fn are_remembered(&self) -> bool {
        self.folder.is_some()
    }

    /// The upload of this object that an earlier process began.
    pub(super) fn find(&self, key: &str) -> Option<Remembered> {
        let found = read(&self.path(key)?)?;
        (found.head.key == key).then_some(found)
    }

    /// Remembers a new upload; it is on the disk before the first part is sent.
    pub(super) fn begin(&self, key: &str, file: &Path, upload: &MultipartId) -> Result<Ledger> {
        let Some(path) = self.path(key) else {
            return Ok(Ledger(None));
        };
        let head = Head {
            format: UPLOADS_FORMAT,
            key: key.to_owned(),
            file: file.to_owned(),
            upload: upload.clone(),
        };
        let written = line_of(&head).and_then(|line| {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = File::create(&path)?;
            file.write_all(&line)?;
            file.sync_data()?;
            Ok(file)
        });
        written
            .map(|file| Ledger(Some(file)))
            .map_err(|error| unwritable(&path, error))
    }

    /// Goes on with an upload that was found; a torn last line is ended first.
    pub(super) fn go_on(&self, key: &str) -> Result<Ledger> {
        let Some(path) = self.path(key) else {
            return Ok(Ledger(None));
        };
        let opened = OpenOptions::new().append(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(b"\n").map(|()| Ledger(Some(file))))
            .map_err(|error| unwritable(&path, error))
    }

    /// Forgets an upload that was completed or given up.
    pub(super) fn forget(&self, key: &str) {
        if let Some(path) = self.path(key) {
            // A file that stays costs one question to the store at the next sweep, and nothing else.
            let _ = fs::remove_file(path);
        }
    }

    /// Every upload that is remembered.
    pub(super) fn all(&self) -> Vec<Head> {
        let Some(files) = self.folder.as_ref().and_then(|it| fs::read_dir(it).ok()) else {
            return Vec::new();
        };
        let files = files.filter_map(|file| file.ok().map(|file| file.path()));
        files
            .filter_map(|path| read(&path).map(|found| found.head))
            .collect()
    }

    /// Remembers that this agent took the group's lease. What cannot be written only means that it will not go on
    /// without a store.
    pub(super) fn note_lease(&self, group: &GroupName) {
        if let Some(path) = self.lease_path(group) {
            let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
            let _ = folder.and_then(|()| fs::write(&path, b"{\"format\":1}\n"));
        }
    }

    /// Another agent holds the lease, or held it last.
    pub(super) fn forget_lease(&self, group: &GroupName) {
        if let Some(path) = self.lease_path(group) {
            let _ = fs::remove_file(path);
        }
    }

    /// Whether this agent took the group's lease, and has seen no other's since.
    pub(super) fn held_last(&self, group: &GroupName) -> bool {
        self.lease_path(group).is_some_and(|path| path.exists())
    }

    fn lease_path(&self, group: &GroupName) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{group}.lease")))
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let name = format!("{}.jsonl", sha256(key.as_bytes()));
        self.folder.as_ref().map(|folder| folder.join(name))
    }
}

impl Ledger {
    /// Notes a part that the store has confirmed. What a crash of the machine takes away is sent again.
    pub(super) fn add(&mut self, part: usize, known: &KnownPart) -> Result<()> {
        let Some(file) = &mut self.0 else {
            return Ok(());
        };
        let line = Line {
            part,
            id: known.id.content_id.clone(),
            sha256: known.digest,
        };
        let written = line_of(&line).and_then(|line| file.write_all(&line));
        written.map_err(|error| unwritable(Path::new("uploads"), error))
    }
}

fn line_of(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// A file that cannot be read is none: its upload is swept, and its parts are sent again.
fn read(path: &Path) -> Option<Remembered> {
    let text = fs::read(path).ok()?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let head: Head = serde_json::from_slice(lines.next()?).ok()?;
    if head.format > UPLOADS_FORMAT {
        return None;
    }
    let parts = lines
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
        .map(|line| {
            let known = KnownPart {
                id: PartId {
                    content_id: line.id,
                },
                digest: line.sha256,
            };
            (line.part, known)
        });
    Some(Remembered {
        parts: parts.collect(),
        head,
    })
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::StateUnwritable, "the state folder cannot be used")
        .at("file", path.display())
        .hint("set `[paths] state`, or give the agent's account the right to write there")
        .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str) -> KnownPart {
        KnownPart {
            id: PartId {
                content_id: id.to_owned(),
            },
            digest: sha256(id.as_bytes()),
        }
    }

    #[test]
    fn an_upload_is_remembered_part_by_part_over_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::of(folder.path().join("uploads"));
        let mut ledger = uploads
            .begin("a/b", Path::new("x.bak"), &"id-1".to_owned())
            .expect("begins");
        ledger.add(1, &known("one")).expect("adds");
        let torn = ledger.0.as_mut().expect("a file");
        torn.write_all(b"{\"part\": 2, \"id").expect("tears");
        let mut ledger = uploads.go_on("a/b").expect("goes on");
        ledger.add(0, &known("zero")).expect("adds");
        let found = uploads.find("a/b").expect("remembered");
        assert_eq!(found.head.upload, "id-1");
        assert_eq!(found.parts.keys().collect::<Vec<_>>(), [&0, &1]);
        assert_eq!(found.parts[&1].id.content_id, "one");
        assert_eq!(uploads.all(), [found.head]);
        uploads.forget("a/b");
        assert!(uploads.find("a/b").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::of(folder.path().to_owned());
        let path = uploads.path("k").expect("a path");
        let newer = "{\"format\":2,\"key\":\"k\",\"file\":\"f\",\"upload\":\"u\"}\n";
        for text in ["", "\0\0\0\0", "{}", newer] {
            fs::write(&path, text).expect("writes");
            assert!(uploads.find("k").is_none(), "{text:?}");
        }
    }
}
