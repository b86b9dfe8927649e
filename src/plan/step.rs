//! Steps: the closed list of what Stopmark can do, each so specific that nothing is left to decide.
//!
//! Start at [`Step`] and [`Step::undo`]. These are wire types: they stand in journals for ever, so fields
//! are added, never renamed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::copies::{CopyPiece, MirrorLog, ProveCopy};
use super::drill_step::{Certify, CheckDatabase, DropScratch, RunCheck};
use super::event_sessions::{EnsureEventSession, RemoveEventSession};
use super::restore_step::{
    Fetch, LeaveGroup, ProveMark, PutBack, RecoverDatabase, RestoreDatabase, RestoreLog,
};
use super::retry::RetryRule;
use super::step_biztalk::{ByProcedure, TrimHistory, WriteHistory};
use super::step_links::{EnsureLink, RemoveLink, TestLink};
use super::step_mark::{ConfirmMark, PlaceMark};
use super::step_prepare::{PrepareMember, RemovePrepared};
use super::step_probe::{ProbeMark, ReadWatch, WatchLink};
use super::step_prune::{NoteRemoved, Prune, RemovePiece, SweepStaging, SweepUploads, TrimMarkLog};
use super::trials::{ProbeStore, RemoveProbe, RemoveTrial, TrialBackup};
use super::undo::{Keep, Undo};
use crate::model::{
    GroupName, HostName, MarkName, MemberName, MemberSettings, Origin, Piece, PieceId, PieceKind,
    RunId, SetId, SetKind, Timestamp,
};

/// One act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// Makes a linked server, or mends one that Stopmark made.
    EnsureLink(EnsureLink),
    /// Removes a linked server that Stopmark made.
    RemoveLink(RemoveLink),
    /// Calls through a linked server and compares the true name of the other side.
    TestLink(TestLink),
    /// Makes table, schema and procedures for marks in a member.
    PrepareMember(PrepareMember),
    /// Removes what `PrepareMember` made.
    RemovePrepared(RemovePrepared),
    /// Makes and starts the event session that hears errors of others.
    EnsureEventSession(EnsureEventSession),
    /// Drops it.
    RemoveEventSession(RemoveEventSession),
    /// Takes one backup of one member.
    BackUp(BackUp),
    /// Places the marked transaction in every member at once.
    PlaceMark(PlaceMark),
    /// Reads the mark's LSN of every member from each host's mark history.
    ConfirmMark(ConfirmMark),
    /// Checks, hashes, uploads and reads back the stripes of one piece.
    Deliver(Deliver),
    /// Writes the manifest of what was delivered, then its entry in the group's log.
    Publish(Publish),
    /// Brings a backup that others took into the store, as it was examined.
    Adopt(AdoptPiece),
    /// Removes a delivered piece's files from the share.
    ClearStaging(ClearStaging),
    /// Brings a piece's stripes from the store to a share, digests checked.
    Fetch(Fetch),
    /// Restores a full or differential.
    RestoreDatabase(RestoreDatabase),
    /// Restores a log up to the mark.
    RestoreLog(RestoreLog),
    /// Takes a database that is restored over out of its availability group.
    LeaveGroup(LeaveGroup),
    /// Opens a restored member that stands by at the mark.
    RecoverDatabase(RecoverDatabase),
    /// Requires that a restored member is online and its newest mark is the one asked for.
    ProveMark(ProveMark),
    /// Puts back what a restored member had on its host beside its data.
    PutBack(PutBack),
    /// Looks through a restored scratch database.
    CheckDatabase(CheckDatabase),
    /// Asks one of the user's own checks of restored members.
    RunCheck(RunCheck),
    /// Removes a scratch database of a drill.
    DropScratch(DropScratch),
    /// Writes a drill's certificate.
    Certify(Certify),
    /// Backs `model` up to a share, where the agent must see the file.
    TrialBackup(TrialBackup),
    /// Removes the file that a `TrialBackup` wrote.
    RemoveTrial(RemoveTrial),
    /// Creates an object twice, to see whether the store honours create-if-absent.
    ProbeStore(ProbeStore),
    /// Removes the object that a `ProbeStore` made.
    RemoveProbe(RemoveProbe),
    /// Makes one more copy of a stored piece, from one that is whole.
    CopyPiece(CopyPiece),
    /// Reads one copy of a stored piece back, and writes into the group's log what was found.
    ProveCopy(ProveCopy),
    /// Brings a further store's copy of the group's log up to date.
    MirrorLog(MirrorLog),
    /// Writes into the group's log what is let go.
    Prune(Prune),
    /// Removes the objects of a piece that was let go.
    RemovePiece(RemovePiece),
    /// Writes into the group's log whose objects are gone.
    NoteRemoved(NoteRemoved),
    /// Gives up unfinished uploads that nobody goes on with.
    SweepUploads(SweepUploads),
    /// Removes files of ours on a share that nobody needs.
    SweepStaging(SweepStaging),
    /// Deletes old rows of a member's table of marks.
    TrimMarkLog(TrimMarkLog),
    /// Ends a member's quarantine: the journal then says so.
    Release(Release),
    /// Writes what was taken into the backup history of a BizTalk group.
    WriteHistory(WriteHistory),
    /// Deletes old rows of that history, with our files that they name.
    TrimHistory(TrimHistory),
    /// Tries a mark out.
    ProbeMark(ProbeMark),
    /// Watches what comes to a host through a link.
    WatchLink(WatchLink),
    /// Reads what was seen.
    ReadWatch(ReadWatch),
}

/// One stripe file under its three names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedStripe {
    /// As SQL Server names it.
    pub sql_path: String,
    /// As the agent names it.
    pub agent_path: PathBuf,
    /// The object's key below the store's prefix.
    pub key: String,
}

/// One backup to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUp {
    /// The piece that it will be.
    pub piece: PieceId,
    /// The member.
    pub member: MemberName,
    /// The host that takes it, where it is not the member's own: the one of the group's primary replica now, or of the
    /// secondary replica that log backups are taken on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_on: Option<HostName>,
    /// How long a secondary replica is given to have the mark in its log, in milliseconds; none where a primary one
    /// takes the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_wait_ms: Option<u64>,
    /// Full, differential or log; written `piece_kind` beside the step's own `kind`.
    pub piece_kind: PieceKind,
    /// Where SQL Server writes, one a stripe.
    pub stripes: Vec<StagedStripe>,
    /// Whether SQL Server compresses; none leaves it to the server's default.
    pub compression: Option<bool>,
    /// The mark that a log backup must carry.
    pub mark: Option<MarkName>,
    /// Why, for people: `scheduled`, `chain broken: ...`.
    pub reason: String,
    /// It mends a broken chain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cure: bool,
    /// It is the end of a log over which the member is restored next; none for every other backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
    /// How often it is tried again where a failure passes by itself; none in plans older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
    /// It is a copy that neither begins a chain nor is the base of a differential, so that whoever backs the database up
    /// beside us goes on undisturbed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_copy_only: bool,
    /// BizTalk's own procedure takes it; none: Stopmark's statement does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_procedure: Option<ByProcedure>,
}

/// How the end of a log is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// `NORECOVERY`: everybody is sent out of the database, which is RESTORING from then on.
    Closing,
    /// `NO_TRUNCATE`: the database cannot be used, but its log may be whole.
    Damaged,
}

/// Brings one piece into the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// The piece; its facts are the outcome of its `BackUp` in the same journal.
    pub piece: PieceId,
    /// The member that the medium must name.
    pub member: MemberName,
    /// What the medium must be.
    pub piece_kind: PieceKind,
    /// Files and keys, one a stripe.
    pub stripes: Vec<StagedStripe>,
    /// Read everything back and compare, not only the size.
    pub read_back_whole: bool,
    /// A piece over this size in bytes is read back by sample where it would be read back whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_over_bytes: Option<u64>,
}

/// Brings a foreign backup into the store. The files are only read, and stay where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptPiece {
    /// The piece as it will stand in the manifest: its facts and digests are those of the examination, and
    /// what is sent must have the same.
    pub piece: Box<Piece>,
    /// Where its files lie and whose they were, for the manifest.
    pub origin: Origin,
    /// Read everything back and compare, not only the size.
    pub read_back_whole: bool,
    /// What it does for its chain, for people.
    pub reason: String,
}

/// Writes what the round delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The set.
    pub set: SetId,
    /// What it was taken for; written `set_kind` beside the step's own `kind`.
    pub set_kind: SetKind,
    /// The group.
    pub group: GroupName,
    /// The run.
    pub run: RunId,
    /// When the round was planned.
    pub made_at: Timestamp,
    /// The mark, whose confirmation is in the same journal.
    pub mark: Option<MarkName>,
    /// When the mark was stamped.
    pub stamped_at: Option<Timestamp>,
    /// Every member of the group.
    pub members: Vec<MemberName>,
    /// Those of them that the set is whole without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub best_effort: Vec<MemberName>,
    /// The pieces planned; those not delivered become the set's `missing`.
    pub pieces: Vec<PieceId>,
    /// The databases beside the group that the set is of; empty in every other set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<MemberName>,
    /// What members whose fulls are planned have on their hosts beside their data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<MemberSettings>,
}

/// Removes delivered files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearStaging {
    /// The piece; kept unless it was delivered and published.
    pub piece: PieceId,
    /// The files as the agent names them.
    pub agent_paths: Vec<PathBuf>,
}

/// Ends a member's quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The member.
    pub member: MemberName,
}

impl BackUp {
    /// The host that takes it.
    #[must_use]
    pub fn host(&self) -> &HostName {
        self.taken_on.as_ref().unwrap_or(&self.member.host)
    }
}

impl Step {
    /// The rule by which it is tried again; none for steps that are not.
    #[must_use]
    pub const fn retry(&self) -> Option<RetryRule> {
        match self {
            Self::BackUp(step) => step.retry,
            Self::RestoreDatabase(step) => step.retry,
            Self::RestoreLog(step) => step.retry,
            Self::RecoverDatabase(step) => step.retry,
            Self::DropScratch(step) => step.retry,
            Self::PutBack(step) => step.retry,
            _ => None,
        }
    }

    /// The member that the step is about; a failure skips the rest of that member's steps.
    #[must_use]
    pub const fn member(&self) -> Option<&MemberName> {
        match self {
            Self::PrepareMember(step) => Some(&step.member),
            Self::RemovePrepared(step) => Some(&step.member),
            Self::BackUp(step) => Some(&step.member),
            Self::Deliver(step) => Some(&step.member),
            Self::Adopt(step) => Some(&step.piece.member),
            Self::LeaveGroup(step) => Some(&step.member),
            Self::RestoreDatabase(step) => Some(&step.member),
            Self::RestoreLog(step) => Some(&step.member),
            Self::RecoverDatabase(step) => Some(&step.member),
            Self::ProveMark(step) => Some(&step.member),
            Self::PutBack(step) => Some(&step.member),
            Self::CheckDatabase(step) => Some(&step.member),
            Self::RemovePiece(step) => Some(&step.member),
            Self::TrimMarkLog(step) => Some(&step.member),
            Self::Release(step) => Some(&step.member),
            Self::ProbeMark(_)
            | Self::WatchLink(_)
            | Self::ReadWatch(_)
            | Self::EnsureLink(_)
            | Self::RemoveLink(_)
            | Self::TestLink(_)
            | Self::EnsureEventSession(_)
            | Self::RemoveEventSession(_)
            | Self::PlaceMark(_)
            | Self::ConfirmMark(_)
            | Self::Publish(_)
            | Self::ClearStaging(_)
            | Self::Fetch(_)
            | Self::RunCheck(_)
            | Self::DropScratch(_)
            | Self::Certify(_)
            | Self::TrialBackup(_)
            | Self::RemoveTrial(_)
            | Self::ProbeStore(_)
            | Self::RemoveProbe(_)
            | Self::CopyPiece(_)
            | Self::ProveCopy(_)
            | Self::MirrorLog(_)
            | Self::Prune(_)
            | Self::NoteRemoved(_)
            | Self::SweepUploads(_)
            | Self::SweepStaging(_)
            | Self::WriteHistory(_)
            | Self::TrimHistory(_) => None,
        }
    }

    /// The piece that the step is about; a copy stands for itself and not for its piece.
    #[must_use]
    pub const fn piece(&self) -> Option<PieceId> {
        match self {
            Self::BackUp(step) => Some(step.piece),
            Self::Deliver(step) => Some(step.piece),
            Self::Adopt(step) => Some(step.piece.id),
            Self::ClearStaging(step) => Some(step.piece),
            Self::Fetch(step) => Some(step.source.piece),
            Self::RestoreDatabase(step) => Some(step.source.piece),
            Self::RestoreLog(step) => Some(step.source.piece),
            Self::RemovePiece(step) => Some(step.piece),
            Self::EnsureLink(_)
            | Self::RemoveLink(_)
            | Self::TestLink(_)
            | Self::PrepareMember(_)
            | Self::RemovePrepared(_)
            | Self::EnsureEventSession(_)
            | Self::RemoveEventSession(_)
            | Self::PlaceMark(_)
            | Self::ConfirmMark(_)
            | Self::Publish(_)
            | Self::LeaveGroup(_)
            | Self::RecoverDatabase(_)
            | Self::ProveMark(_)
            | Self::PutBack(_)
            | Self::CheckDatabase(_)
            | Self::RunCheck(_)
            | Self::DropScratch(_)
            | Self::Certify(_)
            | Self::TrialBackup(_)
            | Self::RemoveTrial(_)
            | Self::ProbeStore(_)
            | Self::RemoveProbe(_)
            | Self::CopyPiece(_)
            | Self::ProveCopy(_)
            | Self::MirrorLog(_)
            | Self::Prune(_)
            | Self::NoteRemoved(_)
            | Self::SweepUploads(_)
            | Self::SweepStaging(_)
            | Self::TrimMarkLog(_)
            | Self::ProbeMark(_)
            | Self::WatchLink(_)
            | Self::ReadWatch(_)
            | Self::Release(_)
            | Self::WriteHistory(_)
            | Self::TrimHistory(_) => None,
        }
    }

    /// What it would take to make the step not have happened (design: sagas with a third answer, never).
    #[must_use]
    pub fn undo(&self) -> Undo {
        match self {
            Self::PlaceMark(_) => Undo::Never(Keep::Mark),
            Self::BackUp(_) => Undo::Never(Keep::Piece),
            Self::Publish(_) => Undo::Never(Keep::Set),
            Self::Prune(_) | Self::RemovePiece(_) => Undo::Never(Keep::Gap),
            Self::LeaveGroup(_)
            | Self::RestoreDatabase(_)
            | Self::RestoreLog(_)
            | Self::RecoverDatabase(_) => Undo::Never(Keep::Database),
            Self::EnsureLink(step) if !step.exists => {
                Undo::By(Box::new(Self::RemoveLink(RemoveLink {
                    link: step.link.clone(),
                })))
            }
            Self::TrialBackup(step) => Undo::By(Box::new(Self::RemoveTrial(RemoveTrial {
                agent_path: step.stripe.agent_path.clone(),
            }))),
            Self::ProbeStore(step) => Undo::By(Box::new(Self::RemoveProbe(RemoveProbe {
                key: step.key.clone(),
                store: step.store.clone(),
            }))),
            Self::WatchLink(step) => {
                Undo::By(Box::new(Self::RemoveEventSession(RemoveEventSession {
                    name: step.name.clone(),
                })))
            }
            // What marks need is wanted even when the run fails, and part of it may be older than the run.
            Self::PrepareMember(_)
            | Self::EnsureLink(_)
            | Self::RemoveLink(_)
            | Self::TestLink(_)
            | Self::RemovePrepared(_)
            | Self::EnsureEventSession(_)
            | Self::RemoveEventSession(_)
            | Self::ConfirmMark(_)
            | Self::Deliver(_)
            | Self::Adopt(_)
            | Self::ClearStaging(_)
            | Self::Fetch(_)
            | Self::ProveMark(_)
            | Self::PutBack(_)
            | Self::CheckDatabase(_)
            | Self::RunCheck(_)
            | Self::DropScratch(_)
            | Self::Certify(_)
            | Self::RemoveTrial(_)
            | Self::RemoveProbe(_)
            | Self::CopyPiece(_)
            | Self::ProveCopy(_)
            | Self::MirrorLog(_)
            | Self::NoteRemoved(_)
            | Self::SweepUploads(_)
            | Self::SweepStaging(_)
            | Self::TrimMarkLog(_)
            | Self::ProbeMark(_)
            | Self::ReadWatch(_)
            | Self::Release(_)
            | Self::WriteHistory(_)
            | Self::TrimHistory(_) => Undo::Nothing,
        }
    }
}
