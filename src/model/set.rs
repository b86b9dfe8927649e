//! Sets: the pieces that one round of a run took. A log set belongs to one mark.
//!
//! A Set says what exists; whether its mark is a Point is for `chain/` to find.

use serde::{Deserialize, Serialize};

use super::{GroupName, Mark, MemberName, MemberSettings, Piece, PieceId, RunId, SetId, Timestamp};

/// What a set was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetKind {
    /// Fulls of the members; no mark.
    Full,
    /// Differentials; no mark.
    Differential,
    /// Logs around one mark; may hold fulls of members whose chain was started anew.
    Log,
    /// Pieces that an interrupted run had taken, delivered afterwards; it makes no claim about a mark.
    Salvage,
    /// Backups that others took, brought in by `stopmark adopt`; it makes no claim about a mark.
    Adopted,
}

/// A member that the set should have held and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingMember {
    /// The member.
    pub member: MemberName,
    /// Why, in one line: the code and message of what failed.
    pub reason: String,
}

/// Where an adopted piece came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The piece.
    pub piece: PieceId,
    /// The files or objects that it was read from, one a stripe, family 1 first.
    pub places: Vec<String>,
    /// The server that took it, as the medium names it.
    pub server: String,
    /// The database, as the medium names it.
    pub database: String,
    /// The login that took it, as the medium names it.
    pub user: String,
}

/// The pieces of one round of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Its identity.
    pub id: SetId,
    /// The group.
    pub group: GroupName,
    /// What it was taken for.
    pub kind: SetKind,
    /// The run that took it.
    pub run: RunId,
    /// When the round was planned.
    pub made_at: Timestamp,
    /// The confirmed mark of a log set.
    pub mark: Option<Mark>,
    /// Every member of the group at that time.
    pub members: Vec<MemberName>,
    /// Those of them whose absence makes the set no worse (`best_effort`); absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub best_effort: Vec<MemberName>,
    /// What was taken, delivered and verified.
    pub pieces: Vec<Piece>,
    /// What was not, and why.
    pub missing: Vec<MissingMember>,
    /// Where adopted pieces came from; absent in manifests of what Stopmark took itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Origin>,
    /// The databases beside the group that the set is of; empty in every other set. Its kind is then `salvage`, which
    /// makes no claim about a mark, so that versions that know no companions read it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<MemberName>,
    /// What members whose fulls are here had on their hosts beside their data; absent where nobody could say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<MemberSettings>,
}

impl Set {
    /// Whether it is of companions: its pieces are of databases beside the group, and `members` are still the group's.
    #[must_use]
    pub const fn is_of_companions(&self) -> bool {
        !self.companions.is_empty()
    }

    /// The name in store keys: the mark's, else the time of the round's planning, `2026_11_21_02_00_00_007`.
    #[must_use]
    pub fn stamp(&self) -> String {
        match &self.mark {
            Some(mark) => mark.name.to_string(),
            None => self.made_at.file_stamp(),
        }
    }
}
