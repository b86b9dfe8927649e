//! The next runs told to people: `stopmark schedule`.
//!
//! Start at [`Outlook::of`].

use std::fmt::Write as _;

use serde::Serialize;

use super::due::{Past, Turn, Why, turn};
use crate::config::{Config, Job, JobConfig};
use crate::model::{GroupName, MemberName, Timestamp};
use crate::report::bytes::{in_zone, size, span};

/// Later runs that are shown of each job.
const LATER: usize = 3;

/// When which job is due.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// The group.
    pub group: GroupName,
    /// The jobs of the schedule.
    pub jobs: Vec<JobOutlook>,
}

/// One job.
#[derive(Clone, Debug, Serialize)]
pub struct JobOutlook {
    /// The job.
    pub job: Job,
    /// The expression.
    pub schedule: String,
    /// Whose local time that is.
    pub time_zone: String,
    /// Its next turn; none where it comes no more.
    pub turn: Option<Turn>,
    /// Why it comes then, in words.
    pub why: String,
    /// When it comes, on the zone's wall clock; the next one first.
    pub runs: Vec<String>,
}

impl Outlook {
    /// The outlook of a schedule. `past_of` is asked for the past of each job.
    #[must_use]
    pub fn of(config: &Config, past_of: impl Fn(Job) -> Past, now: Timestamp) -> Self {
        let job = |(job, job_config): (&Job, &JobConfig)| {
            let turn = turn(&config.group, *job, job_config, past_of(*job), now);
            let next = turn.as_ref().map(|turn| turn.at.max(now));
            let why = turn.as_ref();
            let why = why.map_or_else(|| "it comes no more".to_owned(), |it| self::why(it, now));
            let later = std::iter::successors(next, |at| job_config.next_after(*at));
            let runs = later.take(1 + LATER);
            JobOutlook {
                job: *job,
                schedule: job_config.expression.clone(),
                time_zone: job_config.zone_name().to_owned(),
                turn,
                why,
                runs: runs.map(|at| in_zone(at, &job_config.zone)).collect(),
            }
        };
        Self {
            group: config.group.clone(),
            jobs: config.schedule.jobs.iter().map(job).collect(),
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.jobs.is_empty() {
            return "the schedule is empty: nothing is ever due\n\
                    hint: write `[schedule] log = \"*/15 * * * *\"` and its like into the configuration\n"
                .to_owned();
        }
        let mut text = format!("group `{}`\n", self.group);
        for job in &self.jobs {
            let (word, schedule, zone) = (job.job.word(), &job.schedule, &job.time_zone);
            let why = &job.why;
            let mut runs = job.runs.iter();
            let next = runs.next().map_or("never", String::as_str);
            writeln!(text, "  {word:<12} {next}  {why}").expect("a string takes everything");
            writeln!(text, "  {:<12} `{schedule}` in {zone}", "")
                .expect("a string takes everything");
            for later in runs {
                writeln!(text, "  {:<12} then {later}", "").expect("a string takes everything");
            }
        }
        text
    }
}

/// Why a job has its turn, in words.
#[must_use]
pub fn why(turn: &Turn, now: Timestamp) -> String {
    let why = match &turn.why {
        Why::Time { scheduled } if *scheduled < turn.at => {
            let more = span(turn.at.millis() - scheduled.millis());
            format!("by schedule, {more} later by chance")
        }
        Why::Time { .. } => "by schedule".to_owned(),
        Why::Missed { times: 1, .. } => "it was missed once".to_owned(),
        Why::Missed { times, .. } => format!("it was missed {times} times"),
        Why::Again { failures: 1 } => "it failed, and is tried again".to_owned(),
        Why::Again { failures } => format!("it failed {failures} times, and is tried again"),
        Why::Grown {
            member,
            bytes,
            bound_bytes,
        } => {
            let (bytes, bound) = (size(*bytes), size(*bound_bytes));
            format!("the logs since the full of {member} have come to {bytes} of {bound}")
        }
        Why::Aged { member, since } => {
            let age = span(turn.at.max(now).millis() - since.millis());
            format!("the full of {member} is then {age} old")
        }
        Why::Broken { members, reason } => broken(members, reason.as_deref()),
    };
    match (turn.is_held, turn.at <= now) {
        (true, _) => format!("{why}; it waits for its window"),
        (false, true) => format!("{why}; due now"),
        (false, false) => why,
    }
}

fn broken(members: &[MemberName], reason: Option<&str>) -> String {
    let names: Vec<String> = members.iter().map(ToString::to_string).collect();
    match (reason, names.as_slice()) {
        (Some(reason), [member]) => format!("the chain of {member} is broken: {reason}"),
        (Some(reason), [first, others @ ..]) => {
            let others = others.join(", ");
            format!("the chain of {first} is broken: {reason}; those of {others} are, too")
        }
        _ => format!("a chain is broken: {}", names.join(", ")),
    }
}
