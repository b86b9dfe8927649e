//! Pieces: one backup of one member each, as manifests and the catalog know them.
//!
//! Start at [`Piece`]. Facts come from the medium's trailing header and from msdb, which must agree before
//! a piece is recorded (`verify/`); nothing here checks them again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Lsn, MemberName, PieceCopy, PieceId, ServerLocal, Sha256Digest};

/// What a piece is; the order is the order of restoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceKind {
    /// A full backup, never COPY_ONLY when Stopmark takes it.
    Full,
    /// What changed since a full.
    Differential,
    /// A log backup.
    Log,
}

impl PieceKind {
    /// The word in store keys and file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Log => "log",
        }
    }
}

/// The full that a differential builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferentialBase {
    /// The base's first LSN, `differential_base_lsn`.
    pub lsn: Lsn,
    /// The base's backup set GUID.
    pub backup_set_guid: Uuid,
}

/// Whether a database file holds data or log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseFileKind {
    /// Rows (`D` in `RESTORE FILELISTONLY`).
    Data,
    /// Transaction log (`L`).
    Log,
}

/// One file of the backed-up database; a restore moves each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFile {
    /// The logical name, which `MOVE` takes.
    pub logical_name: String,
    /// Where the file lay on its host.
    pub physical_name: String,
    /// Data or log.
    pub kind: DatabaseFileKind,
    /// The file's size in bytes; a restore needs as much room.
    pub size_bytes: u64,
}

impl From<&mtf::DatabaseFile> for DatabaseFile {
    fn from(file: &mtf::DatabaseFile) -> Self {
        Self {
            logical_name: file.logical_name.clone(),
            physical_name: file.physical_name.clone(),
            kind: match file.kind {
                mtf::FileKind::Log => DatabaseFileKind::Log,
                mtf::FileKind::Data | mtf::FileKind::Other(_) => DatabaseFileKind::Data,
            },
            size_bytes: file.size_bytes,
        }
    }
}

/// One stripe file of a piece, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredStripe {
    /// The object's key below the store's prefix.
    pub key: String,
    /// The object's size in bytes.
    pub size_bytes: u64,
    /// The size of a hashed chunk in bytes.
    pub chunk_size_bytes: u64,
    /// The digest of record: SHA-256 over the raw digests of the chunks, in order.
    pub root: Sha256Digest,
    /// The plain SHA-256 of the whole, for stripes of one chunk; `sha256sum` prints the same.
    pub sha256: Option<Sha256Digest>,
    /// The size of each object but the last, where the stripe is too large for one: it is then stored as
    /// `<key>.seg00001`, `<key>.seg00002` and so on. None: the whole is the object `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_size_bytes: Option<u64>,
    /// The copies that were whole when this was written, in the order of the stores. Empty where an older version
    /// wrote it: the only copy is then the first one in the store that leads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<PieceCopy>,
    /// Where the stripe was sealed on its way: what the host wrote, and who can open it. Everything else here
    /// is about the bytes as they are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedStripe>,
}

/// What stands behind a stripe that was encrypted before it left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedStripe {
    /// The recipients, `age1...`: the key of any of them opens it.
    #[serde(rename = "for")]
    pub recipients: Vec<String>,
    /// The file that was sealed.
    pub plain: PlainStripe,
}

/// A stripe file as the host wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainStripe {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 over the raw digests of its chunks, in order; chunks are as long as those of the stored stripe.
    pub root: Sha256Digest,
    /// The plain SHA-256 of the whole, for stripes of one chunk.
    pub sha256: Option<Sha256Digest>,
}

impl StoredStripe {
    /// The file that it was made from; where nothing is sealed, the stored bytes are the file's.
    #[must_use]
    pub fn plain(&self) -> PlainStripe {
        self.sealed.as_ref().map_or(
            PlainStripe {
                size_bytes: self.size_bytes,
                root: self.root,
                sha256: self.sha256,
            },
            |sealed| sealed.plain,
        )
    }
}

/// How far a piece was proven after its upload, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofLevel {
    /// The stored size was compared.
    Size,
    /// The size and some of the bytes.
    Sample,
    /// Every byte was read back and compared.
    Whole,
}

impl ProofLevel {
    /// What was done, as people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Size => "size compared",
            Self::Sample => "read back by sample",
            Self::Whole => "read back whole",
        }
    }
}

/// One backup of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its identity, given by the planner.
    pub id: PieceId,
    /// The member it belongs to.
    pub member: MemberName,
    /// Full, differential or log.
    pub kind: PieceKind,
    /// SQL Server's own identity of this backup (`backup_set_uuid`).
    pub backup_set_guid: Uuid,
    /// The database's family, constant over restores: the identity of a chain.
    pub family_guid: Uuid,
    /// First LSN in the backup.
    pub first_lsn: Lsn,
    /// The LSN *after* the backup.
    pub last_lsn: Lsn,
    /// The checkpoint that redo starts at.
    pub checkpoint_lsn: Lsn,
    /// The checkpoint LSN of the full that this piece follows; zero on a first full.
    pub database_backup_lsn: Lsn,
    /// The base, on differentials.
    pub differential_base: Option<DifferentialBase>,
    /// The recovery fork at the first LSN.
    pub first_fork_guid: Uuid,
    /// The recovery fork at the last LSN.
    pub last_fork_guid: Uuid,
    /// Where the forks parted, when the two differ.
    pub fork_point_lsn: Option<Lsn>,
    /// The log holds minimally logged changes: it rolls through, but no mark in it can be stopped at.
    pub has_bulk_logged_data: bool,
    /// The first log of its chain.
    pub begins_log_chain: bool,
    /// A full that starts no chain, or a log that moves no archive point.
    pub is_copy_only: bool,
    /// Taken `WITH CHECKSUM`.
    pub has_backup_checksums: bool,
    /// When the backup began, on its host's clock.
    pub started: ServerLocal,
    /// When it ended, on its host's clock.
    pub finished: ServerLocal,
    /// The server's version, `16.0.1000`.
    pub server_version: String,
    /// The database's files, for `MOVE`.
    pub files: Vec<DatabaseFile>,
    /// Its place on its medium, which holds others before it where that is not the first: `FILE = n` of a restore. Such
    /// media are stored whole, and only others' backups lie on them.
    #[serde(
        default = "first_on_medium",
        skip_serializing_if = "is_first_on_medium"
    )]
    pub position: u16,
    /// The stripe files, family 1 first.
    pub stripes: Vec<StoredStripe>,
    /// How far it was proven after the upload; none where an older version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofLevel>,
}

impl StoredStripe {
    /// The same stripe, as these copies hold it.
    #[must_use]
    pub fn held_by(&self, copies: Vec<PieceCopy>) -> Self {
        Self {
            copies,
            ..self.clone()
        }
    }
}

/// Where a backup stands that is alone on its medium, or the first one there.
pub(crate) const fn first_on_medium() -> u16 {
    1
}

/// Whether a backup is the first one on its medium.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) const fn is_first_on_medium(position: &u16) -> bool {
    *position == 1
}

impl Piece {
    /// The size of all stripes together in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.stripes.iter().map(|stripe| stripe.size_bytes).sum()
    }

    /// The copies that were whole at delivery: those that hold every stripe. Empty where an older version wrote
    /// the manifest.
    #[must_use]
    pub fn copies(&self) -> Vec<PieceCopy> {
        let Some((first, others)) = self.stripes.split_first() else {
            return Vec::new();
        };
        let holds_all =
            |copy: &&PieceCopy| others.iter().all(|stripe| stripe.copies.contains(copy));
        first.copies.iter().filter(holds_all).cloned().collect()
    }
}
