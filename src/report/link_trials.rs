//! What became of marks that were tried, and what marks took before: for people and for programs.
//!
//! Start at [`trials_of`] and [`PastMarks::of`].

use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::{counted, span};
use crate::model::{HostName, MarkName};
use crate::plan::{ProbeMark, Step};
use crate::run::events::{Failure, MarkCost, Outcome};
use crate::run::record::{Record, Round, StepState};

/// One mark that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct LinkTrial {
    /// The hosts that it reached, or should have, through links.
    pub hosts: Vec<HostName>,
    /// Its name.
    pub mark: MarkName,
    /// It was committed, not rolled back.
    pub committed: bool,
    /// What it took; none where it failed.
    pub cost: Option<MarkCost>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// What marks took before, by the journals of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastMarks {
    /// How many.
    pub count: usize,
    /// Half of them took so many milliseconds at most, with the connection and the look before.
    pub median_ms: i64,
    /// None took more.
    pub longest_ms: i64,
}

/// Every mark that a run tried, in order; one that was not come to has neither cost nor failure.
#[must_use]
pub fn trials_of(record: &Record) -> Vec<LinkTrial> {
    let rounds = record.rounds.iter();
    rounds.flat_map(trials_of_round).collect()
}

fn trials_of_round(round: &Round) -> Vec<LinkTrial> {
    let states = round.steps.iter();
    let probes = states.filter_map(|(place, state)| match round.step(*place)? {
        Step::ProbeMark(step) => Some(trial(step, state)),
        _ => None,
    });
    probes.collect()
}

fn trial(step: &ProbeMark, state: &StepState) -> LinkTrial {
    let (cost, failure) = match state {
        StepState::Ended(Outcome::MarkProbed { cost, .. }) => (Some(*cost), None),
        StepState::Failed(failure) => (None, Some(failure.clone())),
        _ => (None, None),
    };
    let legs = step.place.remote.iter();
    LinkTrial {
        hosts: legs.map(|leg| leg.host.clone()).collect(),
        mark: step.place.mark.clone(),
        committed: step.commits,
        cost,
        failure,
    }
}

impl LinkTrial {
    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) -> std::fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(|host| format!("`{host}`")).collect();
        let hosts = if hosts.is_empty() {
            "the management host alone".to_owned()
        } else {
            hosts.join(", ")
        };
        let word = if self.committed { "probe " } else { "trial " };
        match (&self.cost, &self.failure) {
            (Some(cost), _) => {
                let (joined, ended) = (millis(cost.joined_us), millis(cost.ended_us));
                let how = if self.committed {
                    format!(
                        "committed as `{}`; joined in {joined} ms, COMMIT took {ended} ms: so long, at most, other \
                         commits waited",
                        self.mark
                    )
                } else {
                    format!(
                        "joins; {joined} ms, rolled back in {ended} ms (this proves enlistment only)"
                    )
                };
                writeln!(text, "  {word} {hosts}: {how}")
            }
            (None, Some(failure)) => write_failure(text, word, &hosts, failure),
            (None, None) => writeln!(text, "  {word} {hosts}: not come to"),
        }
    }
}

fn write_failure(
    text: &mut String,
    word: &str,
    hosts: &str,
    failure: &Failure,
) -> std::fmt::Result {
    writeln!(text, "  {word} {hosts}: FAILED: {}", failure.line())?;
    if let (Some(number), Some(said)) = (failure.sql_number, &failure.sql_text) {
        writeln!(text, "         SQL Server: {said} ({number})")?;
    }
    match &failure.hint {
        Some(hint) => writeln!(text, "         hint: {hint}"),
        None => Ok(()),
    }
}

/// Microseconds as milliseconds with one decimal.
pub(super) fn millis(micros: i64) -> String {
    let tenths = micros.max(0) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

impl PastMarks {
    /// What the marks of these runs took; none where no mark was placed.
    #[must_use]
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Self> {
        let rounds = records.into_iter().flat_map(|record| &record.rounds);
        let mut took: Vec<i64> = rounds.flat_map(placed).collect();
        took.sort_unstable();
        let longest_ms = *took.last()?;
        Some(Self {
            count: took.len(),
            median_ms: took[took.len() / 2],
            longest_ms,
        })
    }

    /// One line for people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} placed: {} in the middle, {} at most, connection and look included",
            counted(self.count, "mark"),
            span(self.median_ms),
            span(self.longest_ms)
        )
    }
}

/// The milliseconds that each mark of a round took.
fn placed(round: &Round) -> impl Iterator<Item = i64> + '_ {
    let ended = round.ended_places();
    let marks = ended.filter(|place| matches!(round.step(*place), Some(Step::PlaceMark(_))));
    marks.filter_map(|place| {
        let (began, ended) = round.times.get(&place)?;
        Some((*ended)?.millis() - began.millis())
    })
}
