//! Cures: the cheapest backup after which a member's chain runs again. Start at [`cure`].
//!
//! A differential on a full that we hold bridges whatever befell the log since, and is smaller than a full; where
//! it could not be restored, or a full alone helps, a full it is. Nothing here looks at anything but facts.

use std::fmt;

use super::health::{Holding, differential_base};
use super::{Break, Chain, Taken};
use crate::model::{Piece, PieceKind};
use crate::survey::MemberFacts;

/// What mends a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// A differential on a full of ours: it reaches over what is missing.
    Differential,
    /// A full, never `COPY_ONLY`.
    Full(Against),
}

/// Why no differential will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// What broke the chain leaves nothing for a differential to build on, or only a full cures it.
    OnlyFull,
    /// The next differential would build on somebody else's full.
    Base(Box<Taken>),
    /// We do not hold the full that it would build on.
    NoBase,
    /// The base is of another recovery fork or another family than the database is now.
    BaseApart,
    /// A differential that we took builds on a full that we do not hold, so the next would, too.
    Unfounded,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyFull => f.write_str("only a full begins its chain anew"),
            Self::Base(taken) => write!(f, "its differential base is not ours: {taken}"),
            Self::NoBase => f.write_str("no full of ours that a differential could build on"),
            Self::BaseApart => f.write_str("our full is of another recovery fork"),
            Self::Unfounded => {
                f.write_str("our last differential builds on a full that is not ours")
            }
        }
    }
}

/// The cheapest cure of this break. 1475 and its kin, a database that was replaced or is on another fork, and a
/// person's wish ask for a full (design 10.3: a regular full must begin the chain); all else is bridged by a
/// differential where its base is ours, whole, and of the database as it is now.
#[must_use]
pub fn cure(facts: &MemberFacts, held: Holding<'_>, reason: &Break) -> Cure {
    let is_bridged = match reason {
        Break::ForeignLog { .. }
        | Break::LogLost { .. }
        | Break::Damaged { .. }
        | Break::Gap { .. }
        | Break::NoLogBackupPossible => true,
        Break::NoFull
        | Break::MarkMissing
        | Break::NotYet
        | Break::BulkLogged { .. }
        | Break::RecoverySimple
        | Break::Forked { .. }
        | Break::Replaced
        | Break::Refused { .. }
        | Break::Reported { .. }
        | Break::TooFewCopies { .. }
        | Break::Asked => false,
    };
    if !is_bridged {
        return Cure::Full(Against::OnlyFull);
    }
    against_a_differential(facts, held.pieces).map_or(Cure::Differential, Cure::Full)
}

/// Why a differential taken now could not be restored from what we hold.
#[must_use]
pub fn against_a_differential(facts: &MemberFacts, pieces: &[&Piece]) -> Option<Against> {
    let base = match differential_base(facts, pieces) {
        Ok(base) => base,
        Err(Some(row)) => return Some(Against::Base(Box::new(Taken::of(row)))),
        Err(None) => return Some(Against::NoBase),
    };
    let fork = facts.recovery_fork_guid;
    let family = facts.family_guid;
    let is_apart = fork.is_some_and(|fork| fork != base.last_fork_guid)
        || family.is_some_and(|family| family != base.family_guid);
    if is_apart {
        return Some(Against::BaseApart);
    }
    // Where nobody says what the base is, it is guessed; a guess that led nowhere is not made twice.
    let is_guess = facts.differential_base_guid.is_none();
    (is_guess && is_unfounded(base, pieces)).then_some(Against::Unfounded)
}

/// Whether a differential later than this full builds on a full that we do not hold.
fn is_unfounded(base: &Piece, pieces: &[&Piece]) -> bool {
    let chain = Chain::build(pieces.iter().copied());
    pieces.iter().any(|piece| {
        piece.kind == PieceKind::Differential
            && piece.last_lsn > base.last_lsn
            && chain.full_of(piece).is_none()
    })
}
