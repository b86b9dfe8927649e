//! The steps that bring members back: fetch, restore, prove. Start at [`RestoreDatabase`].
//!
//! These are wire types, as all of [`Step`](super::Step) is: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use super::retry::RetryRule;
use super::step::StagedStripe;
use crate::config::MarkLogKind;
use crate::model::{
    DatabaseName, DatabaseSettings, Lsn, MarkName, MemberName, PieceId, PieceKind, StoredStripe,
};

/// One stripe on its way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePiece {
    /// The piece.
    pub piece: PieceId,
    /// Where each stripe goes, as SQL Server and as the agent name it, in family order.
    pub stripes: Vec<StagedStripe>,
    /// It was taken without `CHECKSUM`, as somebody else's backup may be, and cannot be restored with it (3187).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_checksums: bool,
    /// Its place on its medium, `FILE = n`, where that is not the first.
    #[serde(
        default = "crate::model::first_on_medium",
        skip_serializing_if = "crate::model::is_first_on_medium"
    )]
    pub position: u16,
}

/// Brings a piece from the store to a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The piece and its places.
    pub source: RestorePiece,
    /// What the store holds, with digests, in the same order.
    pub stored: Vec<StoredStripe>,
}

/// One `MOVE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMove {
    /// The logical name.
    pub logical_name: String,
    /// The file on the target host.
    pub physical_name: String,
}

/// Takes a database out of its availability group, on the primary replica: nothing is restored over one that is in a
/// group (3104).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveGroup {
    /// The member that is restored over it.
    pub member: MemberName,
    /// The database.
    pub target: DatabaseName,
    /// The availability group.
    pub group: String,
}

/// `RESTORE DATABASE ... NORECOVERY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreDatabase {
    /// The member that the piece is of.
    pub member: MemberName,
    /// The database to be made on the lane's host.
    pub target: DatabaseName,
    /// The piece and its places.
    pub source: RestorePiece,
    /// A full or a differential.
    pub piece_kind: PieceKind,
    /// Every file's new place.
    pub moves: Vec<FileMove>,
    /// Overwrite a database of that name: only ever set where a person named the group.
    pub replace: bool,
    /// How often it is tried again where a failure passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

/// How far a log is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StopAt {
    /// To the mark, `WITH STOPATMARK`, which every log of a sequence may repeat.
    Mark {
        /// The mark.
        mark: MarkName,
        /// The mark's LSN in this member's log, for the proof.
        lsn: Lsn,
    },
    /// To its end, without a stop: a log that holds minimally logged changes takes none (4341), and rolls
    /// through whole. Only ever for a log that ends before the mark.
    End,
}

/// `RESTORE LOG`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreLog {
    /// The member that the piece is of.
    pub member: MemberName,
    /// The database on the lane's host.
    pub target: DatabaseName,
    /// The piece and its places.
    pub source: RestorePiece,
    /// How far.
    pub stop: StopAt,
    /// Opens the database, `WITH RECOVERY`; only ever the log that holds the mark.
    pub recover: bool,
    /// The undo file on the target host, where the log that holds the mark is restored `WITH STANDBY`: the
    /// database can be looked into, and is not open yet. Else, without `recover`, `WITH NORECOVERY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<String>,
    /// What the opening keeps, where the log opens the database.
    #[serde(default, skip_serializing_if = "Keeps::is_nothing")]
    pub keeps: Keeps,
    /// The places of files that this log adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<FileMove>,
    /// How often it is tried again where a failure passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

/// What the opening of a restored database keeps and would else remove; only the statement that opens it may say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeps {
    /// Change data capture, `KEEP_CDC`.
    pub cdc: bool,
    /// What it publishes, `KEEP_REPLICATION`; only ever where the member comes back in its own place.
    pub replication: bool,
}

/// The proof that a member stopped at the mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProveMark {
    /// The member.
    pub member: MemberName,
    /// The restored database on the lane's host.
    pub target: DatabaseName,
    /// The mark that it must stand at: its newest one, or in BizTalk's mark log one that it has.
    pub mark: MarkName,
    /// Marks that its pieces hold behind that one, where the mark log itself has no order (BizTalk's): it must have none
    /// of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later_marks: Vec<MarkName>,
    /// Whose table carries the marks.
    pub mark_log: MarkLogKind,
    /// What the database must be.
    #[serde(default)]
    pub state: ProvenState,
}

/// What a database must be when its mark is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvenState {
    /// Open, without a transaction in doubt.
    #[default]
    Online,
    /// Restored `WITH STANDBY`; not opened yet, unless an earlier run of the restore had come so far.
    Standby,
}

/// `RESTORE DATABASE ... WITH RECOVERY`: opens a database that stands by, after the mark of *every* member was
/// proven, and lets its users in. One that is RESTORING is never opened so: it may stand anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverDatabase {
    /// The member.
    pub member: MemberName,
    /// The database on the lane's host.
    pub target: DatabaseName,
    /// `SET MULTI_USER` as well: the restore had sent its users away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lets_in: bool,
    /// What the opening keeps.
    #[serde(default, skip_serializing_if = "Keeps::is_nothing")]
    pub keeps: Keeps,
    /// How often it is tried again where a failure passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

/// Puts back what a member had on its host beside its data, once it is open. What cannot be put back is told, and
/// leaves the rest as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// The member.
    pub member: MemberName,
    /// The database on the lane's host.
    pub target: DatabaseName,
    /// What it had.
    pub settings: DatabaseSettings,
    /// How often it is tried again where a failure passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

impl Keeps {
    /// Whether there is nothing to keep.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.cdc && !self.replication
    }
}
