//! Entries made ready for the tables, away from the thread that writes them. Start at [`Row::of`].
//!
//! Values that the tables compare are worked out here; what they mean for each other is `take`'s.

use super::copies::CopyPolicy;
use super::schema::{DAMAGED, FULL, UNJUDGED, UNMARKED, key_of, limited, signed, text_of};
use crate::chain::Copies;
use crate::model::{Piece, PieceCopy, PieceId, PieceKind, ProofLevel, Set, SetId, Timestamp};
use crate::retention::{PiecesOf, PrunedSet};
use crate::world::{LogFact, Taken};

/// An entry, ready for the tables.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) digest: [u8; 32],
    pub(super) fact: Fact,
}

pub(super) enum Fact {
    Set(Box<SetRow>),
    Proved(Proved),
    /// A pin or a drill, as JSON.
    Kept(String),
    Pruned(Vec<PrunedSet>),
    Removed(Vec<PiecesOf>),
    Nothing,
}

pub(super) struct SetRow {
    pub(super) id: SetId,
    pub(super) stamp: String,
    pub(super) head: String,
    /// The newest stamp that it shows to have been used.
    pub(super) used: Timestamp,
    pub(super) standing: i64,
    /// Where its mark stands in each member.
    pub(super) places: Vec<(String, [u8; 11])>,
    pub(super) pieces: Vec<PieceRow>,
}

pub(super) struct PieceRow {
    pub(super) member: String,
    pub(super) kind: i64,
    pub(super) id: PieceId,
    pub(super) backup: [u8; 16],
    pub(super) base: Option<[u8; 16]>,
    pub(super) begins: [u8; 11],
    pub(super) ends: [u8; 11],
    pub(super) due_at: i64,
    pub(super) absent: i64,
    pub(super) lacking: i64,
    pub(super) content: String,
}

pub(super) struct Proved {
    pub(super) set: SetId,
    pub(super) piece: PieceId,
    pub(super) copy: Option<PieceCopy>,
    pub(super) is_whole: bool,
    pub(super) at: i64,
}

impl Row {
    pub(super) fn of(taken: Taken, policy: &CopyPolicy) -> rusqlite::Result<Self> {
        Ok(Self {
            number: signed(taken.entry.entry),
            digest: taken.digest.0,
            fact: Fact::of(taken, policy)?,
        })
    }
}

impl Fact {
    fn of(taken: Taken, policy: &CopyPolicy) -> rusqlite::Result<Self> {
        Ok(match taken.entry.fact {
            LogFact::Set { .. } => match taken.set {
                Some(set) => Self::Set(Box::new(SetRow::of(set, policy)?)),
                None => Self::Nothing,
            },
            LogFact::Proved {
                set,
                piece,
                whole,
                copy,
            } => Self::Proved(Proved {
                set,
                piece,
                copy,
                is_whole: whole,
                at: taken.entry.at.millis(),
            }),
            // A copy is read back whole before it counts.
            LogFact::Copied { set, piece, copy } => Self::Proved(Proved {
                set,
                piece,
                copy: Some(copy),
                is_whole: true,
                at: taken.entry.at.millis(),
            }),
            kept @ (LogFact::Pinned(_) | LogFact::Unpinned { .. } | LogFact::Drilled { .. }) => {
                Self::Kept(text_of(&kept)?)
            }
            LogFact::Pruned { sets } => Self::Pruned(sets),
            LogFact::Removed { sets } => Self::Removed(sets),
            LogFact::LeaseTaken { .. } => Self::Nothing,
        })
    }
}

impl SetRow {
    fn of(mut set: Set, policy: &CopyPolicy) -> rusqlite::Result<Self> {
        let pieces = std::mem::take(&mut set.pieces);
        let pieces = pieces
            .iter()
            .map(|piece| PieceRow::of(piece, set.made_at, policy))
            .collect::<rusqlite::Result<_>>()?;
        let mark = set.mark.as_ref();
        let places = mark.into_iter().flat_map(|mark| &mark.members);
        Ok(Self {
            id: set.id,
            stamp: set.stamp(),
            head: text_of(&set)?,
            used: mark.map_or(set.made_at, |mark| mark.placed_at.max(set.made_at)),
            standing: mark.map_or(UNMARKED, |_| UNJUDGED),
            places: places
                .map(|place| (place.member.to_string(), key_of(place.lsn)))
                .collect(),
            pieces,
        })
    }
}

impl PieceRow {
    fn of(piece: &Piece, made_at: Timestamp, policy: &CopyPolicy) -> rusqlite::Result<Self> {
        let copies = Copies::of(piece, &policy.stores);
        let base = piece.differential_base;
        let was_read_back = piece.proof == Some(ProofLevel::Whole);
        Ok(Self {
            member: piece.member.to_string(),
            kind: match piece.kind {
                PieceKind::Full => FULL,
                PieceKind::Differential => 1,
                PieceKind::Log => 2,
            },
            id: piece.id,
            backup: piece.backup_set_guid.into_bytes(),
            base: base.map(|base| base.backup_set_guid.into_bytes()),
            // What a medium says may be nonsense; it must still be found from where it might matter.
            begins: key_of(piece.first_lsn.min(piece.last_lsn)),
            ends: key_of(piece.last_lsn),
            due_at: if was_read_back {
                made_at.millis()
            } else {
                i64::MIN
            },
            absent: if copies.whole().is_empty() {
                DAMAGED
            } else {
                0
            },
            lacking: limited(copies.lacking().len()),
            content: text_of(piece)?,
        })
    }
}
