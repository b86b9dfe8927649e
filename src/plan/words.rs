//! Kinds of runs and stages in a word or two. Start at [`stage_word`].

use super::{RunKind, StageName};

/// What a run is for, in a word or two.
pub(super) const fn run_word(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Full => "full run",
        RunKind::Differential => "differential run",
        RunKind::Log => "log run",
        RunKind::Salvage => "salvage",
        RunKind::Restore => "restore",
        RunKind::Drill => "drill",
        RunKind::Link => "links",
        RunKind::Prepare => "preparation",
        RunKind::Adopt => "adoption",
        RunKind::Check => "trials",
        RunKind::Copy => "copies",
        RunKind::Scrub => "scrub",
        RunKind::Prune => "prune",
        RunKind::Release => "release",
        RunKind::Companions => "run of companions",
    }
}

/// What a stage is, in a word or two.
#[must_use]
pub const fn stage_word(name: StageName) -> &'static str {
    match name {
        StageName::Links => "links",
        StageName::Prepare => "prepare",
        StageName::EventSessions => "event sessions",
        StageName::Bases => "bases",
        StageName::Mark => "mark",
        StageName::Logs => "logs",
        StageName::History => "history",
        StageName::Deliver => "deliver",
        StageName::Adopt => "adopt",
        StageName::Publish => "publish",
        StageName::Clear => "clear",
        StageName::Fetch => "fetch",
        StageName::Restore => "restore",
        StageName::LeaveGroups => "leave availability groups",
        StageName::Tail => "tails of logs",
        StageName::LastLogs => "last logs",
        StageName::Recover => "recover",
        StageName::Prove => "prove",
        StageName::PutBack => "put back",
        StageName::CheckDatabases => "check databases",
        StageName::Checks => "check",
        StageName::Drop => "remove scratch",
        StageName::Certify => "certify",
        StageName::Trial => "try",
        StageName::Copy => "copy",
        StageName::Scrub => "scrub",
        StageName::LetGo => "let go",
        StageName::Remove => "remove",
        StageName::Sweep => "sweep",
        StageName::Release => "release",
    }
}
