//! What a group's log is made of: facts, each in an entry that holds the digest of the one before.
//!
//! Start at [`LogFact`]. Wire types: `docs/store-format.md` describes them; fields are added, never renamed.

use crate::model::{MarkName, PieceCopy, PieceId, SetId, Sha256Digest, Timestamp};
use crate::retention::{PiecesOf, Pin, PrunedSet};

/// One fact in a group's log.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum LogFact {
    /// An agent took the lease; entries of lower epochs after this one are void.
    LeaseTaken {
        /// Who, as its lease says.
        holder: String,
    },
    /// A set was published.
    Set {
        /// The set.
        set: SetId,
        /// Where its manifest is.
        manifest_key: String,
        /// The manifest's digest.
        digest: Sha256Digest,
    },
    /// A stored piece was proven again, or found damaged.
    Proved {
        /// The set that holds the piece.
        set: SetId,
        /// The piece.
        piece: PieceId,
        /// Whole; else damaged.
        whole: bool,
        /// Which copy; none where an older version wrote it, which knew one store only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copy: Option<PieceCopy>,
    },
    /// A further copy of a stored piece was made, and read back whole.
    Copied {
        /// The set that holds the piece.
        set: SetId,
        /// The piece.
        piece: PieceId,
        /// The new copy.
        copy: PieceCopy,
    },
    /// Somebody wants a Point kept; an earlier pin of the same mark counts no longer.
    Pinned(Pin),
    /// A pin was taken back.
    Unpinned {
        /// The mark.
        mark: MarkName,
        /// Who.
        by: String,
    },
    /// A Point was restored whole on a drill host, or was not.
    Drilled {
        /// The mark.
        mark: MarkName,
        /// Everything that the drill asks for was found.
        passed: bool,
        /// The certificate's key in the store; none where an older version wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
        /// The certificate's digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Sha256Digest>,
    },
    /// Pieces and marks were let go; objects are removed only after this.
    Pruned {
        /// What, set by set.
        sets: Vec<PrunedSet>,
    },
    /// The objects of pieces that were let go are gone.
    Removed {
        /// The pieces, set by set.
        sets: Vec<PiecesOf>,
    },
}

/// One entry of a group's log, as the store holds it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LogEntry {
    /// The format's number.
    pub format: u16,
    /// Its number, from 1, without gaps.
    pub entry: u64,
    /// The lease epoch that it was written under.
    pub epoch: u64,
    /// The SHA-256 of the entry before, as stored; zeros on the first.
    pub previous: Sha256Digest,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub fact: LogFact,
}

/// An entry as the store holds it, with the digest that the next one names.
#[derive(Clone, Debug, PartialEq)]
pub struct Chained {
    /// The entry.
    pub entry: LogEntry,
    /// Its digest, as stored.
    pub digest: Sha256Digest,
}
