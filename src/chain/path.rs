//! Paths, breaks and points: what the chain's questions are answered with. Values only.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::taken::{how, place};
use crate::model::{
    HostName, Lsn, Mark, MemberName, PieceId, PieceKind, ServerLocal, SetId, StoreName, Timestamp,
};

/// How one member is brought to a mark, in the order of restoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// The full; it ends before the mark.
    pub full: PieceId,
    /// The differential on that full, when one shortens the way.
    pub differential: Option<PieceId>,
    /// The logs, never empty; the last one carries the mark.
    pub logs: Vec<PieceId>,
}

impl Path {
    /// Every piece, in the order of restoring.
    pub fn pieces(&self) -> impl Iterator<Item = PieceId> + '_ {
        let base = std::iter::once(self.full).chain(self.differential);
        base.chain(self.logs.iter().copied())
    }
}

/// A mark to which every member can be restored from delivered pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The mark.
    pub mark: Mark,
    /// The set that published it.
    pub set: SetId,
    /// When that set's round was planned.
    pub made_at: Timestamp,
    /// Each member's way there.
    pub paths: BTreeMap<MemberName, Path>,
    /// Members of best effort that it is without, each with the reason: the others come back to the mark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<(MemberName, Break)>,
}

/// Why a member cannot be restored to a mark, or why its chain does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Break {
    /// No full that ends before the mark and leads to it.
    NoFull,
    /// No delivered log carries the mark.
    MarkMissing,
    /// No delivered log reaches the mark yet: the member's next log backup carries it.
    NotYet,
    /// The log that carries the mark holds minimally logged changes: no stop is possible in it.
    BulkLogged {
        /// That log.
        piece: PieceId,
    },
    /// A log is missing: nothing delivered covers the records from here on.
    Gap {
        /// Where the logs that lead to the mark begin.
        at: Lsn,
    },
    /// The database was in SIMPLE since the last log backup, so the log was cut.
    RecoverySimple,
    /// No log backup is possible: no full ever began the chain, or a change of the recovery model ended it.
    NoLogBackupPossible,
    /// Somebody else took a log backup.
    ForeignLog {
        /// Who.
        user: String,
        /// When, on its host's clock.
        when: ServerLocal,
        /// Where it went.
        device: String,
        /// The computer that it ran on, where msdb says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<Box<str>>,
        /// The program that wrote it, where msdb says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<Box<str>>,
        /// It went to a program instead of a file.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_virtual: bool,
        /// Where it begins.
        first: Lsn,
        /// The LSN after it.
        last: Lsn,
    },
    /// A piece that the chain needs is damaged in the store, or gone from it.
    Damaged {
        /// That piece.
        piece: PieceId,
        /// What it is.
        piece_kind: PieceKind,
    },
    /// A log backup is missing that nobody's history names; perhaps one of ours that was never delivered.
    LogLost {
        /// The LSN that our pieces reach.
        reached: Lsn,
        /// The LSN that the next log backup begins at.
        next: Lsn,
    },
    /// The database is on another recovery fork: it was restored, reverted, or failed over by force.
    Forked {
        /// The fork of our newest piece.
        ours: Uuid,
        /// The fork now.
        now: Uuid,
    },
    /// The database is another one under the same name.
    Replaced,
    /// SQL Server itself says that the chain is broken (4214, 1475 and their kin).
    Refused {
        /// Its number.
        number: i32,
    },
    /// A session of somebody else met an error that calls for a new chain, after our newest full began.
    Reported {
        /// Its number.
        number: i32,
        /// When, on the clock of the member's own host.
        when: ServerLocal,
        /// The login, where the host said.
        login: Option<String>,
        /// The host of the replica that it was met on, where that is not the primary one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<HostName>,
    },
    /// A person asked for a new chain.
    Asked,
    /// The way is there, but fewer stores hold this piece whole than a Point asks for.
    TooFewCopies {
        /// The piece.
        piece: PieceId,
        /// What it is; written `piece_kind` beside the break's own `kind`.
        piece_kind: PieceKind,
        /// How many stores hold it whole.
        have: usize,
        /// How many should.
        wanted: usize,
        /// Those that do not.
        lacking: Vec<StoreName>,
    },
}

impl Break {
    /// Whether pieces that end before `floor` could lead where this one stands in the way.
    pub(super) fn may_be_mended_before(&self, floor: Lsn) -> bool {
        match self {
            Self::BulkLogged { .. } => false,
            Self::Gap { at } => *at <= floor,
            _ => true,
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFull => f.write_str("no full backup of ours leads to it"),
            Self::MarkMissing => f.write_str("no delivered log carries the mark"),
            Self::NotYet => f.write_str(
                "its log with the mark is not delivered; its next log backup carries it",
            ),
            Self::BulkLogged { .. } => {
                f.write_str("the log that carries the mark holds minimally logged changes")
            }
            Self::Gap { at } => write!(f, "a log backup is missing before LSN {at}"),
            Self::RecoverySimple => f.write_str("the recovery model is SIMPLE"),
            Self::NoLogBackupPossible => f.write_str("no full backup begins its log chain"),
            Self::ForeignLog {
                user,
                when,
                device,
                machine,
                program,
                is_virtual,
                first,
                last,
            } => {
                let log = format!("`{user}` took the log from LSN {first} to {last} on {when}");
                let how = how(program.as_deref(), machine.as_deref());
                write!(f, "{log}{how} {}", place(device, *is_virtual))
            }
            Self::Damaged { piece_kind, .. } => {
                let word = piece_kind.word();
                write!(f, "a {word} of it in the store is damaged or gone")
            }
            Self::LogLost { reached, next } => {
                write!(
                    f,
                    "the log from LSN {reached} to {next} is in no delivered piece"
                )
            }
            Self::Forked { .. } => {
                f.write_str("the database was restored or failed over to another recovery fork")
            }
            Self::Replaced => f.write_str("the database was replaced by another one"),
            Self::Refused { number } => write!(f, "error {number}"),
            Self::Reported {
                number,
                when,
                login,
                server,
            } => {
                let login = login.as_deref().unwrap_or("somebody");
                write!(f, "`{login}` met error {number} on {when}")?;
                server
                    .as_ref()
                    .map_or(Ok(()), |server| write!(f, " on the replica of `{server}`"))
            }
            Self::Asked => f.write_str("a new chain was asked for"),
            Self::TooFewCopies {
                piece_kind,
                have,
                wanted,
                lacking,
                ..
            } => too_few(f, *piece_kind, (*have, *wanted), lacking),
        }
    }
}

fn too_few(
    f: &mut fmt::Formatter<'_>,
    kind: PieceKind,
    (have, wanted): (usize, usize),
    lacking: &[StoreName],
) -> fmt::Result {
    let lacking: Vec<&str> = lacking.iter().map(StoreName::as_str).collect();
    let (word, lacking) = (kind.word(), lacking.join("`, `"));
    write!(
        f,
        "its {word} is held in {have} of {wanted} copies; missing in `{lacking}`"
    )
}
