//! Steps: the closed list of what Stopmark can do, each so specific that nothing is left to decide.
//!
//! Start at [`Step`] and [`Step::undo`]. These are wire types: they stand in journals for ever, so fields
//! are added, never renamed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::event_sessions::{EnsureEventSession, RemoveEventSession};
use super::restore_step::{Fetch, ProveMark, RestoreDatabase, RestoreLog};
use super::retry::RetryRule;
use super::trials::{ProbeStore, RemoveProbe, RemoveTrial, TrialBackup};
use crate::config::MarkLogKind;
use crate::model::{
    DatabaseName, GroupName, HostName, MarkName, MemberName, Origin, Piece, PieceId, PieceKind,
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
    /// Requires that a restored member is online and its newest mark is the one asked for.
    ProveMark(ProveMark),
    /// Backs `model` up to a share, where the agent must see the file.
    TrialBackup(TrialBackup),
    /// Removes the file that a `TrialBackup` wrote.
    RemoveTrial(RemoveTrial),
    /// Creates an object twice, to see whether the store honours create-if-absent.
    ProbeStore(ProbeStore),
    /// Removes the object that a `ProbeStore` made.
    RemoveProbe(RemoveProbe),
    /// Ends a member's quarantine: the journal then says so.
    Release(Release),
}

/// A linked server as a mark needs it; values for `sp_addlinkedserver` and `sp_serveroption`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnsureLink {
    /// Its name, the target's true name.
    pub link: String,
    /// The host that it leads to.
    pub target: HostName,
    /// `tcp:host,port`.
    pub data_source: String,
    /// `MSOLEDBSQL` or `SQLNCLI`, by the version of the host that holds the link.
    pub provider: String,
    /// Encryption words for the provider, right for its version.
    pub provider_string: String,
    /// Seconds a call may take.
    pub query_timeout_s: i32,
    /// Who may use it, and as whom.
    pub security: LinkSecurity,
    /// It exists and is mended in place; else it is made.
    pub exists: bool,
    /// What is wrong with it or why it is needed, for people.
    pub reason: String,
}

/// Removes a linked server that Stopmark made; one that others made is left alone and is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveLink {
    /// Its name.
    pub link: String,
}

/// Who may use a link: always one local login, never everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkSecurity {
    /// The local login's own identity travels on (Kerberos, or the agent runs on the management host).
    UseSelf,
    /// A SQL login of the target; its password is looked up in the configuration by the target's name.
    Mapped {
        /// The login on the target.
        remote_login: String,
    },
}

/// A trial call through a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLink {
    /// The link.
    pub link: String,
    /// The true name that must answer.
    pub target: HostName,
}

/// Makes what marks need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareMember {
    /// The member.
    pub member: MemberName,
    /// Logins of this host that marks arrive as, who get EXECUTE; the agent's own first.
    pub grantees: Vec<String>,
}

/// Removes what [`PrepareMember`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePrepared {
    /// The member.
    pub member: MemberName,
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
    /// How often it is tried again where a failure passes by itself; none in plans older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRule>,
}

/// The marked transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceMark {
    /// Its name.
    pub mark: MarkName,
    /// The instant in its name.
    pub stamped_at: Timestamp,
    /// Whose table carries it.
    pub mark_log: MarkLogKind,
    /// The host where it begins, through which all others are reached.
    pub management_host: HostName,
    /// Members on the management host itself; the first is the context that the transaction begins in.
    pub local: Vec<DatabaseName>,
    /// The other hosts, ordered by name.
    pub remote: Vec<MarkLeg>,
    /// The application lock held around mark and history rows (`BTS_BackupJob_Lock`), with its database.
    pub app_lock: Option<(DatabaseName, String)>,
    /// How long the transaction may take, in milliseconds.
    pub timeout_ms: u64,
}

/// The mark on one other host: its first database begins its own `WITH MARK`, the rest join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkLeg {
    /// The host.
    pub host: HostName,
    /// The linked server that leads there.
    pub link: String,
    /// Its members, never empty.
    pub databases: Vec<DatabaseName>,
}

/// Looks for the mark in every member's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmMark {
    /// The mark.
    pub mark: MarkName,
    /// Every member that must hold it, each asked on its own host.
    pub members: Vec<MarkTarget>,
}

/// One member that must hold a mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkTarget {
    /// The member.
    pub member: MemberName,
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

/// What it would take to make a step not have happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// It only read, or what it left is harmless and swept later.
    Nothing,
    /// A step that puts things back; safe to run twice.
    By(Box<Step>),
    /// It cannot be taken back.
    Never(Keep),
}

/// What must be remembered because of a step that cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The mark stands in the logs whatever becomes of the run.
    Mark,
    /// The log was truncated: the piece is part of the chain.
    Piece,
    /// The set was published.
    Set,
    /// The database exists now.
    Database,
}

impl Step {
    /// The rule by which it is tried again; none for steps that are not.
    #[must_use]
    pub const fn retry(&self) -> Option<RetryRule> {
        match self {
            Self::BackUp(step) => step.retry,
            Self::RestoreDatabase(step) => step.retry,
            Self::RestoreLog(step) => step.retry,
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
            Self::RestoreDatabase(step) => Some(&step.member),
            Self::RestoreLog(step) => Some(&step.member),
            Self::ProveMark(step) => Some(&step.member),
            Self::Release(step) => Some(&step.member),
            Self::EnsureLink(_)
            | Self::RemoveLink(_)
            | Self::TestLink(_)
            | Self::EnsureEventSession(_)
            | Self::RemoveEventSession(_)
            | Self::PlaceMark(_)
            | Self::ConfirmMark(_)
            | Self::Publish(_)
            | Self::ClearStaging(_)
            | Self::Fetch(_)
            | Self::TrialBackup(_)
            | Self::RemoveTrial(_)
            | Self::ProbeStore(_)
            | Self::RemoveProbe(_) => None,
        }
    }

    /// The piece that the step is about.
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
            | Self::ProveMark(_)
            | Self::TrialBackup(_)
            | Self::RemoveTrial(_)
            | Self::ProbeStore(_)
            | Self::RemoveProbe(_)
            | Self::Release(_) => None,
        }
    }

    /// What it would take to make the step not have happened (design: sagas with a third answer, never).
    #[must_use]
    pub fn undo(&self) -> Undo {
        match self {
            Self::PlaceMark(_) => Undo::Never(Keep::Mark),
            Self::BackUp(_) => Undo::Never(Keep::Piece),
            Self::Publish(_) => Undo::Never(Keep::Set),
            Self::RestoreDatabase(_) | Self::RestoreLog(_) => Undo::Never(Keep::Database),
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
            }))),
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
            | Self::RemoveTrial(_)
            | Self::RemoveProbe(_)
            | Self::Release(_) => Undo::Nothing,
        }
    }
}
