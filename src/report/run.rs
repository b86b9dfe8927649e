//! A run told to people: its rounds, what was done on which host, what failed and what to do.

use serde::Serialize;

use super::bytes::{size, span};
use crate::error::Code;
use crate::model::{GroupName, MemberName, PieceCopy, PieceKind, RunId};
use crate::plan::{BackUp, ProveMark, ProvenState, RunKind, Step};
use crate::run::events::{Failure, Outcome, Verdict};
use crate::run::record::{Record, Round, StepState};

/// What a run did, for printing.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The group.
    pub group: GroupName,
    /// What it was for.
    pub kind: RunKind,
    /// How it ended; none where it goes on with the next start.
    pub verdict: Option<Verdict>,
    /// How long it took in milliseconds.
    pub took_ms: Option<i64>,
    /// The mark that every member confirmed, if any; the last one of the run.
    pub mark: Option<String>,
    /// Pieces taken in all rounds.
    pub pieces_taken: usize,
    /// Backups of others that were brought in.
    pub pieces_adopted: usize,
    /// Pieces that are in the store.
    pub pieces_delivered: usize,
    /// Bytes that are in the store.
    pub bytes_delivered: u64,
    /// Its rounds.
    pub rounds: Vec<RoundReport>,
}

/// One round.
#[derive(Clone, Debug, Serialize)]
pub struct RoundReport {
    /// From 1.
    pub round: u8,
    /// What was known and not mended.
    pub warnings: Vec<WarningReport>,
    /// What was begun anew or bridged, and why.
    pub repairs: Vec<String>,
    /// Logs that were taken although no mark could be placed, and why.
    pub unmarked: Vec<String>,
    /// Steps that were tried again, and what they met.
    pub retried: Vec<String>,
    /// What was done beside backups: links, preparation, restored members.
    pub done: Vec<String>,
    /// What failed.
    pub failures: Vec<FailureReport>,
}

/// What was known before a round and not mended by it.
#[derive(Clone, Debug, Serialize)]
pub struct WarningReport {
    /// The stable code.
    pub code: String,
    /// One line.
    pub message: String,
    /// What a person should do.
    pub hint: Option<String>,
}

/// One failed step.
#[derive(Clone, Debug, Serialize)]
pub struct FailureReport {
    /// What was tried.
    pub step: String,
    /// Why it failed.
    pub failure: Failure,
}

impl RunReport {
    /// The report of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let outcomes: Vec<&Outcome> = record.outcomes().collect();
        let delivered = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Delivered { stripes, .. } => {
                Some(stripes.iter().map(|stripe| stripe.size_bytes).sum::<u64>())
            }
            _ => None,
        });
        let delivered: Vec<u64> = delivered.collect();
        Self {
            run: record.run,
            group: record.group.clone(),
            kind: record.kind,
            verdict: record.ended.map(|(verdict, _)| verdict),
            took_ms: record
                .ended
                .map(|(_, at)| at.millis() - record.began_at.millis()),
            mark: record.rounds.iter().rev().find_map(confirmed_mark),
            pieces_taken: outcomes
                .iter()
                .filter(|it| matches!(it, Outcome::BackedUp(_)))
                .count(),
            pieces_adopted: record
                .rounds
                .iter()
                .flat_map(Round::ended)
                .filter(|(step, _)| matches!(step, Step::Adopt(_)))
                .count(),
            pieces_delivered: delivered.len(),
            bytes_delivered: delivered.iter().sum(),
            rounds: record.rounds.iter().map(RoundReport::of).collect(),
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let verdict = self
            .verdict
            .map_or("goes on with the next start", verdict_words);
        let took = self
            .took_ms
            .map(|ms| format!(" in {}", span(ms)))
            .unwrap_or_default();
        line(
            &mut text,
            &format!(
                "{} run of `{}`: {verdict}{took}",
                kind_word(self.kind),
                self.group
            ),
        );
        if let Some(mark) = &self.mark {
            line(&mut text, &format!("  mark      {mark}"));
        } else if self.kind == RunKind::Log && self.verdict.is_some() {
            line(&mut text, "  NO MARK   the group has no new point");
        }
        if self.pieces_adopted > 0 {
            let (count, bytes) = (self.pieces_adopted, size(self.bytes_delivered));
            line(&mut text, &format!("  pieces    {count} adopted ({bytes})"));
        }
        if self.pieces_taken > 0 {
            let (taken, delivered) = (self.pieces_taken, self.pieces_delivered);
            let bytes = size(self.bytes_delivered);
            line(
                &mut text,
                &format!("  pieces    {taken} taken, {delivered} in the store ({bytes})"),
            );
        }
        let told: Vec<&RoundReport> = self.rounds.iter().filter(|it| it.has_words()).collect();
        for round in &told {
            round.write(&mut text, told.len() > 1);
        }
        line(&mut text, &format!("  run       {}", self.run));
        text
    }
}

impl RoundReport {
    fn of(round: &Round) -> Self {
        Self {
            round: round.plan.round,
            warnings: warnings(round),
            repairs: backups(round, |step| step.piece_kind != PieceKind::Log),
            unmarked: backups(round, |step| {
                step.piece_kind == PieceKind::Log && step.mark.is_none()
            }),
            done: done(round),
            retried: retried(round),
            failures: round
                .failures()
                .map(|(step, failure)| FailureReport {
                    step: step_words(step),
                    failure: failure.clone(),
                })
                .collect(),
        }
    }

    /// Whether there is anything to tell beside what the run's own lines count.
    fn has_words(&self) -> bool {
        let lists = [&self.repairs, &self.unmarked, &self.retried, &self.done];
        let has_list = lists.iter().any(|list| !list.is_empty());
        has_list || !self.warnings.is_empty() || !self.failures.is_empty()
    }

    fn write(&self, text: &mut String, is_numbered: bool) {
        if is_numbered {
            line(text, &format!("  round {}", self.round));
        }
        for warning in &self.warnings {
            let (code, message) = (&warning.code, &warning.message);
            line(text, &format!("  warning   {code}: {message}"));
            if let Some(hint) = &warning.hint {
                line(text, &format!("            hint: {hint}"));
            }
        }
        for repair in &self.repairs {
            line(text, &format!("  mended    {repair}"));
        }
        for log in &self.unmarked {
            line(text, &format!("  log only  {log}"));
        }
        for retried in &self.retried {
            line(text, &format!("  again     {retried}"));
        }
        for done in &self.done {
            line(text, &format!("  ok        {done}"));
        }
        for failed in &self.failures {
            line(
                text,
                &format!("  failed    {}: {}", failed.step, failed.failure.line()),
            );
            let is_new = |value: &String| !failed.step.contains(value.as_str());
            for (what, value) in failed.failure.context.iter().filter(|(_, it)| is_new(it)) {
                line(text, &format!("            {what}: {value}"));
            }
            if let Some(cause) = &failed.failure.sql_text {
                let number = failed.failure.sql_number.unwrap_or(0);
                line(text, &format!("            SQL Server {number}: {cause}"));
            }
            if let Some(hint) = &failed.failure.hint {
                line(text, &format!("            hint: {hint}"));
            }
        }
    }
}

/// What the planner warned of, and the backups that no host remembers.
fn warnings(round: &Round) -> Vec<WarningReport> {
    let planned = round.plan.warnings.iter().map(|warning| WarningReport {
        code: warning.code.clone(),
        message: warning.message.clone(),
        hint: warning.hint.clone(),
    });
    let forgotten = round
        .ended()
        .filter_map(|(step, outcome)| match (step, outcome) {
            (Step::BackUp(step), Outcome::BackedUp(facts)) if facts.is_from_medium => {
                Some(WarningReport {
                    code: Code::BackupNoRow.text().to_owned(),
                    message: format!(
                        "msdb has no row for the {} of `{}`: what its file says counts",
                        step.piece_kind.word(),
                        step.member
                    ),
                    hint: Some(
                        "make room in msdb, or see who purges its history so early".to_owned(),
                    ),
                })
            }
            _ => None,
        });
    planned.chain(forgotten).collect()
}

/// A line; control characters of foreign texts are escaped, so that a server cannot move a cursor.
fn line(text: &mut String, words: &str) {
    for c in words.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push('\n');
}

fn confirmed_mark(round: &Round) -> Option<String> {
    round
        .steps
        .iter()
        .find_map(|(place, state)| match (round.step(*place)?, state) {
            (Step::ConfirmMark(step), StepState::Ended(_)) => Some(step.mark.to_string()),
            _ => None,
        })
}

/// The backups of a log run that are of this sort, each with why it was taken.
fn backups(round: &Round, is_wanted: impl Fn(&BackUp) -> bool) -> Vec<String> {
    if round.plan.kind != RunKind::Log {
        return Vec::new();
    }
    let backups = round.ended().filter_map(|(step, _)| match step {
        Step::BackUp(step) => Some(step),
        _ => None,
    });
    backups
        .filter(|step| is_wanted(step))
        .map(|step| format!("{}: {}", step.member, step.reason))
        .collect()
}

/// The steps that were tried again, each with how often and what it met last.
fn retried(round: &Round) -> Vec<String> {
    let retried = round.retried.iter().filter_map(|(place, failures)| {
        let (step, last) = (step_words(round.step(*place)?), failures.last()?);
        let number = last.sql_number;
        let number = number.map_or_else(String::new, |number| format!(" ({number})"));
        let times = failures.len();
        Some(format!("{step}: {times} tries met {}{number}", last.line()))
    });
    retried.collect()
}

/// What was done that no count tells.
fn done(round: &Round) -> Vec<String> {
    if round.plan.kind == RunKind::Prune {
        return super::prune::done(round);
    }
    round
        .ended()
        .filter_map(|(step, outcome)| match (step, outcome) {
            (Step::TestLink(_), Outcome::LinkAnswered { true_name }) => {
                Some(format!("{}: `{true_name}` answers", step_words(step)))
            }
            (Step::ProveMark(proof), Outcome::MarkProven { .. }) => proven_words(round, proof),
            (
                Step::CopyPiece(_)
                | Step::EnsureLink(_)
                | Step::RemoveLink(_)
                | Step::PrepareMember(_)
                | Step::RemovePrepared(_)
                | Step::Release(_),
                _,
            ) => Some(step_words(step)),
            _ => None,
        })
        .chain(event_sessions(round))
        .collect()
}

/// The event sessions that were made or removed. Each host's has the same name, so the host is named.
fn event_sessions(round: &Round) -> impl Iterator<Item = String> + '_ {
    round.ended_places().filter_map(|place| {
        let (step, lane) = (round.step(place)?, round.lane(place)?);
        let is_one = matches!(
            step,
            Step::EnsureEventSession(_) | Step::RemoveEventSession(_)
        );
        is_one.then(|| format!("{} on {}", step_words(step), lane.host))
    })
}

/// Where a member stands; one that was opened is told once.
fn proven_words(round: &Round, proof: &ProveMark) -> Option<String> {
    let (member, target, mark) = (&proof.member, &proof.target, &proof.mark);
    let is_open = |(step, _): (&Step, &Outcome)| match step {
        Step::ProveMark(it) => it.member == *member && it.state == ProvenState::Online,
        _ => false,
    };
    match proof.state {
        ProvenState::Online => Some(format!(
            "{member} is database `{target}`, stopped at mark {mark}"
        )),
        ProvenState::Standby if round.ended().any(is_open) => None,
        ProvenState::Standby => Some(format!(
            "{member} stands by as `{target}` at mark {mark}, and is not open"
        )),
    }
}

fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Degraded => "done, but not all is well",
        Verdict::Failed => "FAILED",
        Verdict::Abandoned => "given up after an interruption; what it took is in the store",
        Verdict::Interrupted => "interrupted",
    }
}

/// The word for a kind of run.
#[must_use]
pub const fn kind_word(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Full => "full",
        RunKind::Differential => "differential",
        RunKind::Log => "log",
        RunKind::Salvage => "salvage",
        RunKind::Drill => "drill",
        RunKind::Restore => "restore",
        RunKind::Link => "link",
        RunKind::Prepare => "prepare",
        RunKind::Adopt => "adoption",
        RunKind::Check => "check",
        RunKind::Copy => "copy",
        RunKind::Scrub => "scrub",
        RunKind::Prune => "prune",
        RunKind::Release => "release",
        RunKind::Companions => "companions",
    }
}

/// A step in a few words.
#[must_use]
pub fn step_words(step: &Step) -> String {
    match step {
        Step::EnsureLink(step) => format!("linked server `{}`", step.link),
        Step::RemoveLink(step) => format!("removal of linked server `{}`", step.link),
        Step::TestLink(step) => format!("test of linked server `{}`", step.link),
        Step::PrepareMember(step) => format!("preparation of {}", step.member),
        Step::RemovePrepared(step) => format!("removal of the mark log from {}", step.member),
        Step::EnsureEventSession(step) => format!("event session `{}`", step.name),
        Step::RemoveEventSession(step) => format!("removal of event session `{}`", step.name),
        Step::BackUp(step) => format!("{} backup of {}", step.piece_kind.word(), step.member),
        Step::PlaceMark(step) => format!("mark {}", step.mark),
        Step::ConfirmMark(step) => format!("confirmation of mark {}", step.mark),
        Step::Deliver(step) => format!(
            "delivery of the {} of {}",
            step.piece_kind.word(),
            step.member
        ),
        Step::Adopt(step) => format!(
            "adoption of a {} of {}",
            step.piece.kind.word(),
            step.piece.member
        ),
        Step::Publish(_) => "publication of the set".to_owned(),
        Step::ClearStaging(_) => "removal of delivered files".to_owned(),
        Step::Fetch(_) => "fetching of a piece".to_owned(),
        Step::RestoreDatabase(step) => format!("restore of {} as `{}`", step.member, step.target),
        Step::RestoreLog(step) => {
            format!("restore of a log of {} into `{}`", step.member, step.target)
        }
        Step::LeaveGroup(step) => {
            let (target, group) = (&step.target, &step.group);
            format!("removal of `{target}` from availability group `{group}`")
        }
        Step::RecoverDatabase(step) => format!("opening of `{}`", step.target),
        Step::ProveMark(step) => format!("proof of mark {} in `{}`", step.mark, step.target),
        Step::PutBack(step) => format!("settings of `{}`", step.target),
        Step::TrialBackup(_) => "trial backup of `model`".to_owned(),
        Step::RemoveTrial(_) => "removal of a trial's file".to_owned(),
        Step::ProbeStore(_) => "probe of the store".to_owned(),
        Step::RemoveProbe(_) => "removal of a probe".to_owned(),
        Step::CopyPiece(step) => copy_words("copy", step.piece_kind, &step.member, &step.to),
        Step::ProveCopy(step) => copy_words("proof", step.piece_kind, &step.member, &step.copy),
        Step::MirrorLog(step) => format!("copy of the group's log to `{}`", step.to),
        Step::Prune(_) => "letting go".to_owned(),
        Step::RemovePiece(step) => {
            let (kind, member) = (step.piece_kind.word(), &step.member);
            format!("removal of a {kind} of {member}")
        }
        Step::NoteRemoved(_) => "note of what is gone".to_owned(),
        Step::SweepUploads(_) => "sweep of unfinished uploads".to_owned(),
        Step::SweepStaging(_) => "sweep of a share".to_owned(),
        Step::TrimMarkLog(step) => format!("trimming of the mark log of {}", step.member),
        Step::CheckDatabase(step) => format!("CHECKDB of `{}`", step.target),
        Step::RunCheck(step) => format!("check `{}`", step.name),
        Step::DropScratch(step) => format!("removal of scratch database `{}`", step.target),
        Step::Certify(step) => format!("certificate of the drill of mark {}", step.mark),
        Step::Release(step) => format!("end of the quarantine of {}", step.member),
        Step::WriteHistory(_) => "writing of BizTalk's backup history".to_owned(),
        Step::TrimHistory(_) => "trimming of BizTalk's backup history".to_owned(),
        Step::ProbeMark(step) => format!("trial mark {}", step.place.mark),
        Step::WatchLink(step) => format!("event session `{}`", step.name),
        Step::ReadWatch(step) => format!("reading of event session `{}`", step.name),
    }
}

fn copy_words(what: &str, kind: PieceKind, member: &MemberName, copy: &PieceCopy) -> String {
    format!(
        "{what} of the {} of {member} in `{}`",
        kind.word(),
        copy.store
    )
}
