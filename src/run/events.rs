//! The journal's wire types: what is written before and after every act, for ever readable.
//!
//! Start at [`Event`]. Fields are added, never renamed; readers ignore fields that they do not know.
//! Later steps use earlier steps' outputs only through [`Outcome`]s found here.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    DatabaseFile, DifferentialBase, GroupName, HostName, Lsn, MarkName, MemberMark, PieceCopy,
    PieceId, ProofLevel, RunId, ServerLocal, SetId, StoredStripe, Timestamp,
};
use crate::plan::{Plan, ProvenState, RunKind};

/// The newest format of a journal line; readers refuse newer ones.
pub const JOURNAL_FORMAT: u16 = 1;

/// Where a step stands in its run: round from 1; stage, lane and step from 0. An undo has its step's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepPlace {
    /// The round, from 1. A run that cannot bring its pieces home has one more with each start.
    pub round: u16,
    /// The stage within the round's plan.
    pub stage: u16,
    /// The lane within the stage.
    pub lane: u16,
    /// The step within the lane.
    pub step: u16,
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    RunBegan {
        /// The run.
        run: RunId,
        /// The group.
        group: GroupName,
        /// What the run is for.
        kind: RunKind,
        /// Stopmark's version.
        agent_version: String,
        /// When.
        at: Timestamp,
    },
    /// A round's plan, before any of its steps.
    RoundPlanned {
        /// The plan, whole.
        plan: Box<Plan>,
        /// When.
        at: Timestamp,
    },
    /// A step is about to be carried out.
    StepStarted {
        /// Which.
        place: StepPlace,
        /// When.
        at: Timestamp,
    },
    /// A step was carried out.
    StepEnded {
        /// Which.
        place: StepPlace,
        /// What came of it.
        outcome: Box<Outcome>,
        /// When.
        at: Timestamp,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        place: StepPlace,
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// A step was not tried, because one before it failed.
    StepSkipped {
        /// Which.
        place: StepPlace,
        /// The one that failed.
        because_of: StepPlace,
        /// When.
        at: Timestamp,
    },
    /// A step is about to be undone.
    UndoStarted {
        /// The step that is undone.
        place: StepPlace,
        /// When.
        at: Timestamp,
    },
    /// A step was undone, or could not be.
    UndoEnded {
        /// The step that was undone.
        place: StepPlace,
        /// Why it could not be undone, if so.
        failure: Option<Failure>,
        /// When.
        at: Timestamp,
    },
    /// A crashed run's step was looked into by the next start.
    StepResolved {
        /// The step that had started and not ended.
        place: StepPlace,
        /// What the world shows of it; none: it did not happen.
        outcome: Option<Box<Outcome>>,
        /// When.
        at: Timestamp,
    },
    /// What a crashed run's step did was looked for by the next start, and its files could not be seen.
    StepUnseen {
        /// The step.
        place: StepPlace,
        /// Why not.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// The last line.
    RunEnded {
        /// How.
        verdict: Verdict,
        /// When.
        at: Timestamp,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything planned was done.
    Done,
    /// Done, but not for every member, or only after repairs that failed in part.
    Degraded,
    /// Not done.
    Failed,
    /// A crash ended it; what it had taken was delivered by the next start.
    Abandoned,
    /// A person interrupted it.
    Interrupted,
}

/// Why a step failed: an error as it survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code, `SM0501`.
    pub code: String,
    /// One line.
    pub message: String,
    /// Where, outermost first.
    #[serde(default)]
    pub context: Vec<(String, String)>,
    /// What a person should do.
    #[serde(default)]
    pub hint: Option<String>,
    /// SQL Server's number, when it was SQL Server that refused.
    #[serde(default)]
    pub sql_number: Option<i32>,
    /// SQL Server's text.
    #[serde(default)]
    pub sql_text: Option<String>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Done, and there is nothing to remember of it.
    Done,
    /// A link answers, and with this true name.
    LinkAnswered {
        /// The other side's true name.
        true_name: HostName,
    },
    /// The marked transaction committed.
    MarkCommitted {
        /// The mark.
        mark: MarkName,
    },
    /// Every member's history holds the mark.
    MarkConfirmed {
        /// Where, in the order of the members' names.
        members: Vec<MemberMark>,
    },
    /// A backup was taken and stands in msdb.
    BackedUp(Box<BackedUp>),
    /// A piece is in the store and proven as far as its policy asks.
    Delivered {
        /// The piece.
        piece: PieceId,
        /// What the store holds.
        stripes: Vec<StoredStripe>,
        /// The files to be moved by a restore, from the medium.
        files: Vec<DatabaseFile>,
        /// Whether everything was read back and compared.
        read_back_whole: bool,
        /// How far the piece was proven; none where an older version wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<ProofLevel>,
    },
    /// The set is in the group's log.
    Published {
        /// The set.
        set: SetId,
        /// Its entry in the group's log.
        entry: u64,
        /// What it was to hold and does not: an earlier try's entry stands, which landed late.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<PieceId>,
    },
    /// A piece is on a share again, digests checked.
    Fetched {
        /// The piece.
        piece: PieceId,
    },
    /// A database was restored as far as this step goes.
    Restored,
    /// A copy was made and read back whole.
    Copied {
        /// The piece.
        piece: PieceId,
        /// The new copy.
        copy: PieceCopy,
    },
    /// A copy was read back, and what was found stands in the group's log.
    CopyProven {
        /// The piece.
        piece: PieceId,
        /// The copy.
        copy: PieceCopy,
        /// What is wrong with it; none: it is whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        damage: Option<Failure>,
    },
    /// A store holds the group's log as far as the one that leads.
    LogMirrored {
        /// Entries that it lacked.
        entries: u64,
    },
    /// The objects of a piece are gone.
    Removed {
        /// The piece.
        piece: PieceId,
    },
    /// The store holds an object of the piece back: a lock, a hold, or a right that is missing.
    HeldBack {
        /// The piece.
        piece: PieceId,
        /// The store's words.
        reason: String,
    },
    /// A drill's certificate is in the store and the group's log.
    Certified {
        /// Its key in the store.
        certificate: String,
        /// The drill passed.
        passed: bool,
    },
    /// A mark was tried.
    MarkProbed {
        /// The mark.
        mark: MarkName,
        /// What it took.
        cost: MarkCost,
    },
    /// What came to a host through a link.
    Watched {
        /// In order.
        events: Vec<WatchedEvent>,
        /// What connections that died have left on the host.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_behind: Vec<LeftBehind>,
    },
    /// The member stopped at the mark.
    MarkProven {
        /// The newest mark in the restored member.
        newest: MarkName,
        /// What the database was then.
        #[serde(default)]
        state: ProvenState,
    },
}

/// What a mark took on the host where it began, by that host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkCost {
    /// Microseconds from its beginning until every member had joined.
    pub joined_us: i64,
    /// Microseconds that its end took then: its COMMIT over all hosts, or its rollback.
    pub ended_us: i64,
}

/// One event that a host saw of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedEvent {
    /// When, on that host's clock.
    pub at: Timestamp,
    /// The event's name: `login`, `rpc_completed`, ...
    pub name: String,
    /// `session_id`; none where the event belongs to no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<i32>,
    /// Its statement, or what a transaction's coordinator did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// How long it took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<i64>,
}

/// Something that a connection left on a host and that holds locks until somebody ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftBehind {
    /// `session_id`; -2 for a transaction that no session has any more.
    pub session: i32,
    /// The transaction's unit of work, where no session has it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_of_work: Option<Uuid>,
}

/// What a host saw of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkWatch {
    /// In order.
    pub events: Vec<WatchedEvent>,
    /// What connections that died have left there.
    pub left_behind: Vec<LeftBehind>,
}

/// What msdb says of a backup that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The piece.
    pub piece: PieceId,
    /// SQL Server's identity of it.
    pub backup_set_guid: Uuid,
    /// Constant over restores.
    pub family_guid: Uuid,
    /// First LSN.
    pub first_lsn: Lsn,
    /// The LSN after the backup.
    pub last_lsn: Lsn,
    /// The checkpoint that redo starts at.
    pub checkpoint_lsn: Lsn,
    /// Checkpoint LSN of the full that it follows.
    pub database_backup_lsn: Lsn,
    /// The base, on differentials.
    pub differential_base: Option<DifferentialBase>,
    /// The fork at the first LSN.
    pub first_fork_guid: Uuid,
    /// The fork at the last LSN.
    pub last_fork_guid: Uuid,
    /// Where forks parted.
    pub fork_point_lsn: Option<Lsn>,
    /// No mark in it can be stopped at.
    pub has_bulk_logged_data: bool,
    /// The first log of its chain.
    pub begins_log_chain: bool,
    /// Should never be: Stopmark takes none.
    pub is_copy_only: bool,
    /// Taken `WITH CHECKSUM`.
    pub has_backup_checksums: bool,
    /// When it began, on its host's clock.
    pub started: ServerLocal,
    /// When it ended, on its host's clock.
    pub finished: ServerLocal,
    /// The server's version.
    pub server_version: String,
    /// The server that took it, as it names itself; none in journals older than this field.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Its files say all this: msdb has no row for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_from_medium: bool,
}
