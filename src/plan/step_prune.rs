//! Steps of a prune. Wire types like all steps: they stand in journals for ever, so fields are added, never renamed.
//!
//! [`Prune`] comes first: what is let go is offered to nobody any more before the first object goes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{GroupName, MarkName, MemberName, PieceId, PieceKind, SetId, StoredStripe};
use crate::retention::PrunedSet;

/// Lets go of pieces and marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// The group.
    pub group: GroupName,
    /// What, set by set.
    pub sets: Vec<PrunedSet>,
    /// The marks on offer that must be on offer afterwards; the last look before the act.
    pub keeps: Vec<MarkName>,
}

/// Removes the objects of one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePiece {
    /// The group.
    pub group: GroupName,
    /// Its set.
    pub set: SetId,
    /// The piece.
    pub piece: PieceId,
    /// The member.
    pub member: MemberName,
    /// Full, differential or log; written `piece_kind` beside the step's own `kind`.
    pub piece_kind: PieceKind,
    /// What the store holds of it; which objects that is, the store knows.
    pub stored: Vec<StoredStripe>,
}

/// Writes down whose objects are gone; which these are is in the same journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRemoved {
    /// The group.
    pub group: GroupName,
}

/// Gives up the group's unfinished uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepUploads {
    /// The group.
    pub group: GroupName,
}

/// Removes files on a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepStaging {
    /// The files as the agent names them, all of them ours.
    pub files: Vec<PathBuf>,
}

/// Deletes the rows of a member's own table of marks that no kept Point can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimMarkLog {
    /// The member.
    pub member: MemberName,
    /// The oldest mark that is kept; rows before its own go.
    pub oldest: MarkName,
}
