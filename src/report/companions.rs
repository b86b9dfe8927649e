//! Companions told to people: which ones there are, of when, and what each is for in a restore.
//!
//! Start at [`newest`]. A companion is never at the mark: it says how its host was a while before.

use std::collections::BTreeMap;

use crate::model::{MemberName, Piece, Set, Timestamp};

/// One backup of a companion.
#[derive(Clone, Copy, Debug)]
pub struct Companion<'a> {
    /// The backup.
    pub piece: &'a Piece,
    /// The set that it is in.
    pub set: &'a Set,
}

/// What a companion is, as far as a restore of it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Logins, linked servers and settings of the host.
    Master,
    /// Jobs and the history of backups.
    Msdb,
    /// What new databases begin as.
    Model,
    /// Any other database.
    User,
}

/// The newest backup of each companion in these sets, oldest set first, that was planned by `before` (none: of all).
#[must_use]
pub fn newest(sets: &[Set], before: Option<Timestamp>) -> BTreeMap<&MemberName, Companion<'_>> {
    let beside = sets.iter().filter(|set| set.is_of_companions());
    let stood = beside.filter(|set| before.is_none_or(|before| set.made_at <= before));
    let pieces = stood.flat_map(|set| set.pieces.iter().map(move |piece| Companion { piece, set }));
    pieces.map(|it| (&it.piece.member, it)).collect()
}

/// The companions of a group in a line each: those that are configured, with the newest backup of each.
#[must_use]
pub fn lines(configured: &[MemberName], sets: &[Set]) -> Vec<String> {
    let newest = newest(sets, None);
    let line = |name: &MemberName| match newest.get(name) {
        Some(it) => format!("{name}: of {}", it.set.made_at),
        None => format!("{name}: none yet, `stopmark backup companions` takes one"),
    };
    configured.iter().map(line).collect()
}

impl Role {
    /// The role of the database of this name.
    #[must_use]
    pub fn of(name: &MemberName) -> Self {
        match name.database.as_str().to_ascii_lowercase().as_str() {
            "master" => Self::Master,
            "msdb" => Self::Msdb,
            "model" => Self::Model,
            _ => Self::User,
        }
    }

    /// What its backup is for.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Master => "logins with their SIDs, linked servers, server settings, endpoints",
            Self::Msdb => "Agent jobs, operators, Database Mail, the history of backups",
            Self::Model => "what new databases of the host begin as",
            Self::User => "a database beside the group; it is not at the mark",
        }
    }
}
