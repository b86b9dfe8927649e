//! Certificates: what a drill found, as it stands in the store for good.
//!
//! Start at [`Certificate`]. Format 1 is the serialised value; `docs/store-format.md` describes it. Fields are added,
//! never renamed; readers refuse newer formats and ignore fields that they do not know.

use serde::{Deserialize, Serialize};

use super::{
    DatabaseName, GroupName, HostName, Lsn, MarkName, MemberName, PieceId, PieceKind, RunId,
    ServerLocal, Timestamp,
};

/// The newest format of a certificate.
pub const CERTIFICATE_FORMAT: u16 = 1;

/// What a drill of one Point came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The format's number, [`CERTIFICATE_FORMAT`].
    pub format: u16,
    /// The version of Stopmark that held the drill.
    pub stopmark: String,
    /// The run; the drill's name in the store.
    pub run: RunId,
    /// The group.
    pub group: GroupName,
    /// The mark of the Point that was drilled.
    pub mark: MarkName,
    /// When the mark was placed.
    pub placed_at: Timestamp,
    /// When the drill began.
    pub began_at: Timestamp,
    /// When the last member was proven to stand at the mark; none where one was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Timestamp>,
    /// When the certificate was written, after the clean-up.
    pub written_at: Timestamp,
    /// Every member stood at the mark, was sound, and every check found what it should.
    pub passed: bool,
    /// How long a recovery may take by the configuration, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_target_ms: Option<i64>,
    /// The members, in the order of their names.
    pub members: Vec<DrilledMember>,
    /// The user's own checks, in the order of the configuration.
    pub checks: Vec<DrilledCheck>,
    /// What was done when, in order.
    pub phases: Vec<DrilledPhase>,
    /// Everything that the drill had made on the drill hosts was removed.
    pub is_clean: bool,
    /// It was broken off before its end, and a later start removed what it had left and wrote this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_cut_short: bool,
}

/// One member in a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledMember {
    /// The member.
    pub member: MemberName,
    /// The drill host.
    pub host: HostName,
    /// The scratch database that it became.
    pub database: DatabaseName,
    /// The mark's place in the member's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark_lsn: Option<Lsn>,
    /// What it was restored from, in order.
    pub pieces: Vec<DrilledPiece>,
    /// It was open, and its newest mark was the one asked for.
    pub is_at_mark: bool,
    /// What `DBCC CHECKDB` said.
    pub soundness: Soundness,
    /// What went wrong, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// One piece in a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledPiece {
    /// The piece.
    pub piece: PieceId,
    /// What it is; written `piece_kind` as everywhere.
    pub piece_kind: PieceKind,
    /// Its size in bytes, as the host had written it.
    pub size_bytes: u64,
    /// When the backup began, on its host's clock.
    pub started: ServerLocal,
    /// When the backup ended, on its host's clock.
    pub finished: ServerLocal,
    /// When it was brought from the store; none where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Lapse>,
    /// When it was restored; none where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Lapse>,
}

/// From one instant to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapse {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// What `DBCC CHECKDB` said of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Soundness {
    /// Nobody asked, or the drill did not come so far.
    NotAsked,
    /// Its pages are sound (`PHYSICAL_ONLY`).
    PagesSound,
    /// It is sound.
    Sound,
    /// It is not.
    Unsound,
}

/// One of the user's own checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledCheck {
    /// Its name: the file's.
    pub name: String,
    /// What it should find: `no rows`, or the value.
    pub wanted: String,
    /// It found that.
    pub passed: bool,
    /// What it found instead, or why it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// One part of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledPhase {
    /// What was done: `restore`, `prove`, `check`..
    pub name: String,
    /// When.
    pub lapse: Lapse,
}

impl Lapse {
    /// How long it is, in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.to.millis().saturating_sub(self.from.millis())
    }
}

impl Certificate {
    /// How long it took until every member was proven to stand at the mark, in milliseconds: the recovery time.
    #[must_use]
    pub fn recovery_ms(&self) -> Option<i64> {
        let proven = self.proven_at?;
        let (from, to) = (self.began_at, proven);
        Some(Lapse { from, to }.millis())
    }

    /// What would have been lost if every host had died when the drill began, in milliseconds.
    #[must_use]
    pub const fn lost_ms(&self) -> i64 {
        let (from, to) = (self.placed_at, self.began_at);
        Lapse { from, to }.millis()
    }

    /// Whether the recovery time keeps the target; none where there is no target or no recovery.
    #[must_use]
    pub fn keeps_target(&self) -> Option<bool> {
        Some(self.recovery_ms()? <= self.rto_target_ms?)
    }

    /// All that was restored, in bytes.
    #[must_use]
    pub fn restored_bytes(&self) -> u64 {
        let pieces = self.members.iter().flat_map(|member| &member.pieces);
        let restored = pieces.filter(|piece| piece.restored.is_some());
        restored.map(|piece| piece.size_bytes).sum()
    }

    /// Bytes restored a second, over the whole recovery; none where there was none.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        let millis = u64::try_from(self.recovery_ms()?).ok()?.max(1);
        Some(self.restored_bytes().saturating_mul(1000) / millis)
    }
}
