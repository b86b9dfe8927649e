//! Plans: what one round of a run will do, decided in full before anything is touched.
//!
//! Start at [`Plan`]; [`Step`] is the closed list of everything that Stopmark can do to a host or a store.
//! The functions that decide are pure: config, survey, catalog view and time in, a plan out.
//!
//! This room never acts and never asks the world; the executor never decides.

mod adopt;
mod asked;
mod assess;
mod astray;
mod backup;
mod bases;
mod biztalk;
mod broken;
mod check;
mod clocks;
mod companions;
mod copies;
mod drill;
mod drill_checks;
mod drill_step;
mod event_sessions;
mod forgotten;
mod identity;
mod keys;
mod links;
mod lint;
mod mark;
mod pauses;
mod prepare;
mod probe_marks;
mod prune;
mod quarantine;
mod replicas;
mod restore;
mod restore_step;
mod retry;
mod salvage;
mod show;
mod stages;
mod step;
mod step_biztalk;
mod step_links;
mod step_mark;
mod step_prepare;
mod step_probe;
mod step_prune;
mod trials;
mod undo;
mod words;

use serde::{Deserialize, Serialize};

use crate::model::{GroupName, HostName, PlanId, SurveyId, Timestamp};

pub use adopt::{AdoptAsked, Adoption, Becomes, Found, Judged, Mapped, Offer, Whose, plan_adopt};
pub use asked::{
    Asked, BackupKind, CatalogView, FailedDeed, LinksAsked, Names, RoundResult, StepFailure,
};
pub use assess::{dropped_member, far_side};
pub use astray::{Astray, AstrayNeed, bases_astray, logs_astray};
pub use backup::plan_backup;
pub use broken::{BrokenChain, ChainsSeen, Remedy, look_at_chains};
pub use check::{plan_check, plan_tidying};
pub use companions::{CompanionsAsked, fetches_of, plan_companions};
pub use copies::{
    COPIES_MAX, CopyPiece, MirrorLog, ProveCopy, plan_copies, plan_no_copies, plan_scrub,
};
pub use drill::plan_drill;
pub use drill_checks::DrillCheck;
pub use drill_step::{Certify, CheckDatabase, DropScratch, RunCheck};
pub use event_sessions::{EnsureEventSession, RemoveEventSession};
pub use keys::{our_folder, slug};
pub use links::plan_links;
pub use lint::lint;
pub use mark::{ROUNDS_MAX, wants_another_round};
pub use prepare::{PrepareAsked, plan_prepare};
pub use probe_marks::{TrialAsked, plan_link_explain, plan_link_trial};
pub use prune::{PruneView, ShareFile, plan_prune};
pub use quarantine::{Quarantine, RunCures, plan_release, quarantined};
pub use restore::{
    FolderRule, ProofRule, RestoreAsked, RestoreFiles, RestorePlace, TailRule, plan_restore,
};
pub use restore_step::{
    Fetch, FileMove, Keeps, LeaveGroup, ProveMark, ProvenState, PutBack, RecoverDatabase,
    RestoreDatabase, RestoreLog, RestorePiece, StopAt,
};
pub use retry::{Passing, RetryRule, Tried, passing};
pub use salvage::{UnfinishedRound, plan_salvage, plan_to_tell};
pub use show::show;
pub use step::{
    AdoptPiece, BackUp, ClearStaging, Deliver, Publish, Release, StagedStripe, Step, Tail,
};
pub use step_biztalk::{
    BlockTracking, ByProcedure, HistoryRow, HistorySet, ShippedFolder, TrimHistory, WriteHistory,
};
pub use step_links::{EnsureLink, LinkSecurity, RemoveLink, TestLink};
pub use step_mark::{ConfirmMark, MarkLeg, MarkTarget, PlaceMark};
pub use step_prepare::{PrepareMember, RemovePrepared};
pub use step_probe::{ProbeMark, ReadWatch, WatchLink};
pub use step_prune::{NoteRemoved, Prune, RemovePiece, SweepStaging, SweepUploads, TrimMarkLog};
pub use trials::{ProbeStore, RemoveProbe, RemoveTrial, TrialBackup};
pub use undo::{Keep, Undo};
pub use words::stage_word;

/// The newest format of a serialised plan; readers refuse newer ones.
pub const PLAN_FORMAT: u16 = 1;

/// What one round of a run will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The format's number, [`PLAN_FORMAT`].
    pub format: u16,
    /// Its identity.
    pub id: PlanId,
    /// The group.
    pub group: GroupName,
    /// What the run is for.
    pub kind: RunKind,
    /// 1, 2 or 3: a break met in a round ends it, and the next is planned from a new survey.
    pub round: u8,
    /// The survey that it was made from.
    pub based_on: SurveyId,
    /// When it was made.
    pub made_at: Timestamp,
    /// What happens, in order.
    pub stages: Vec<Stage>,
    /// What a person should know and no step mends.
    pub warnings: Vec<Warning>,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Fulls of all members, or a new chain for those named.
    Full,
    /// Differentials of all members.
    Differential,
    /// A mark and logs, with repairs where chains are broken.
    Log,
    /// Delivers what an interrupted run had taken.
    Salvage,
    /// Brings members back to a mark.
    Restore,
    /// Brings a whole Point back under scratch names, looks through it, and removes it again.
    Drill,
    /// Makes, mends or removes linked servers on request.
    Link,
    /// Makes or removes what marks need in the members.
    Prepare,
    /// Brings backups that others took into store and catalog.
    Adopt,
    /// Tries shares and stores, and removes what that made.
    Check,
    /// Makes copies that stores owe; a round of its own at the end of a run.
    Copy,
    /// Proves stored copies again, and makes those anew that are not whole.
    Scrub,
    /// Lets go of what the policy keeps no longer.
    Prune,
    /// Ends the quarantine of members.
    Release,
    /// Fulls of the databases beside the group.
    Companions,
}

/// Steps that may go on together, a lane a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What the stage is.
    pub name: StageName,
    /// What a failure in it means.
    pub on_failure: OnFailure,
    /// One lane a host; lanes run at the same time, a lane's steps one after the other.
    pub lanes: Vec<Lane>,
    /// Where members do not wait for each other within a lane: how many steps of the whole stage may go on at
    /// the same time. Steps about one member stay in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<u16>,
    /// Where pieces are fetched ahead of their need: how many bytes each lane may hold on its share before they
    /// are restored and removed. One piece may be larger, and then waits alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_ahead_bytes: Option<u64>,
}

/// What a stage is, for people and for the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Linked servers made, mended, tested.
    Links,
    /// Members made ready for marks.
    Prepare,
    /// What hears errors of others on the hosts.
    EventSessions,
    /// Fulls or differentials taken.
    Bases,
    /// The mark placed and confirmed.
    Mark,
    /// Log backups taken.
    Logs,
    /// What was taken written into the backup history of a BizTalk group, or trimmed there.
    History,
    /// Pieces checked, uploaded, read back.
    Deliver,
    /// Foreign backups brought into the store.
    Adopt,
    /// The set's manifest and log entry written.
    Publish,
    /// Share files removed.
    Clear,
    /// Pieces fetched from the store.
    Fetch,
    /// Databases taken out of their availability groups.
    LeaveGroups,
    /// The ends of logs backed up, over which members are restored.
    Tail,
    /// Members restored.
    Restore,
    /// Members opened by their last log.
    LastLogs,
    /// Members opened that stand by at the mark.
    Recover,
    /// The mark proven in every member.
    Prove,
    /// What members had on their hosts beside their data put back.
    PutBack,
    /// Restored databases looked through.
    CheckDatabases,
    /// One of the user's own checks.
    Checks,
    /// Scratch databases removed.
    Drop,
    /// A drill's certificate written.
    Certify,
    /// Shares and stores tried.
    Trial,
    /// Copies that are owed made.
    Copy,
    /// Copies proven again.
    Scrub,
    /// What is let go written down.
    LetGo,
    /// Objects of what was let go removed.
    Remove,
    /// Leftovers swept.
    Sweep,
    /// Quarantines ended.
    Release,
}

/// What a failed step means for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The round ends and what can be undone is undone, newest first.
    Unwind,
    /// The rest of this member's steps is skipped; everything else goes on. Files are brought home and cleared away
    /// each for itself, so that such a failure leaves the member's other files alone.
    Skip,
    /// As `Skip` within the stage; then the round ends, but for stages whose steps stand for themselves.
    Halt,
    /// Nothing: each step stands for itself.
    Pass,
}

/// The steps on one host, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The host; for steps on the store, the management host.
    pub host: HostName,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// Something that a person should know and no step mends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The stable code.
    pub code: String,
    /// One line.
    pub message: String,
    /// What a person should do.
    pub hint: Option<String>,
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
