//! The ledger: `<state>/schedule.json`, since when each job of the schedule is watched.
//!
//! Start at [`Ledger::open`]. Journals say what was done; this file says only from when on a schedule counts, so
//! that a job that was just written into the configuration is not late by years, and that work which leaves no
//! journal (a prune with nothing to let go) is not done again. Lost, it begins anew: nothing is made up for then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kept::{self, Formatted};
use super::lock::unwritable;
use crate::config::{Job, JobConfig, ScheduleConfig};
use crate::error::Result;
use crate::model::Timestamp;

/// The newest format of the file; a newer one is begun anew.
const FORMAT: u16 = 1;

/// Since when jobs are watched.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    pages: Pages,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pages {
    format: u16,
    jobs: BTreeMap<Job, Watched>,
}

impl Formatted for Pages {
    const NEWEST: u16 = FORMAT;

    fn format(&self) -> u16 {
        self.format
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Watched {
    /// The expression and its zone; another one is another schedule.
    schedule: String,
    since: Timestamp,
}

/// A clock that steps back by less is one that is kept in time.
const STEP_MAX: Duration = Duration::from_secs(60);

/// Whether a time can only have been written by a clock that ran ahead.
pub(super) fn is_to_come(at: Timestamp, now: Timestamp) -> bool {
    at > now.plus(STEP_MAX)
}

impl Ledger {
    /// Reads the ledger of a state folder; one that cannot be understood is begun anew.
    #[must_use]
    pub fn open(state: &Path) -> Self {
        let path = state.join("schedule.json");
        let pages = kept::read::<Pages>(&path);
        Self {
            path,
            pages: pages.unwrap_or(Pages {
                format: FORMAT,
                jobs: BTreeMap::new(),
            }),
        }
    }

    /// Begins to watch what the schedule has new or has changed, from `now` on.
    ///
    /// # Errors
    /// `SM0901` when the file cannot be written.
    pub fn watch(&mut self, schedule: &ScheduleConfig, now: Timestamp) -> Result<()> {
        let watched = |(job, config): (&Job, &JobConfig)| {
            let schedule = format!("{} ({})", config.expression, config.zone_name());
            let known = self.pages.jobs.get(job);
            let known = known.filter(|known| known.schedule == schedule);
            let since = known.map_or(now, |known| known.since);
            (*job, Watched { schedule, since })
        };
        let jobs = schedule.jobs.iter().map(watched).collect();
        self.write(jobs)
    }

    /// From when on the job's schedule counts; none where nobody watches it.
    #[must_use]
    pub fn since(&self, job: Job) -> Option<Timestamp> {
        self.pages.jobs.get(&job).map(|watched| watched.since)
    }

    /// What came up to `at` was served.
    ///
    /// # Errors
    /// `SM0901` when the file cannot be written.
    pub fn served(&mut self, job: Job, at: Timestamp) -> Result<()> {
        let mut jobs = self.pages.jobs.clone();
        if let Some(watched) = jobs.get_mut(&job) {
            watched.since = watched.since.max(at);
        }
        self.write(jobs)
    }

    /// Nothing was served at a time that is still to come: a clock that ran ahead was put right since. What came up to now
    /// counts as served, so that every job has its next time again.
    ///
    /// # Errors
    /// `SM0901` when the file cannot be written.
    pub fn follow(&mut self, now: Timestamp) -> Result<()> {
        let mut jobs = self.pages.jobs.clone();
        for watched in jobs.values_mut() {
            if is_to_come(watched.since, now) {
                watched.since = now;
            }
        }
        self.write(jobs)
    }

    fn write(&mut self, jobs: BTreeMap<Job, Watched>) -> Result<()> {
        if jobs == self.pages.jobs {
            return Ok(());
        }
        self.pages.jobs = jobs;
        kept::write(&self.path, &self.pages).map_err(|error| unwritable(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::Schedule;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn schedule(expression: &str) -> ScheduleConfig {
        let parsed = Schedule::parse(expression).expect("an expression");
        let log = JobConfig::of(expression, parsed, TimeZone::UTC);
        ScheduleConfig {
            jobs: [(Job::Log, log)].into(),
        }
    }

    #[test]
    fn a_schedule_counts_from_when_it_was_first_seen_and_a_changed_one_from_now() {
        let state = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::open(state.path());
        ledger.watch(&schedule("0 * * * *"), at(1)).expect("writes");
        let mut ledger = Ledger::open(state.path());
        ledger.watch(&schedule("0 * * * *"), at(9)).expect("writes");
        assert_eq!(ledger.since(Job::Log), Some(at(1)));
        ledger.served(Job::Log, at(5)).expect("writes");
        assert_eq!(Ledger::open(state.path()).since(Job::Log), Some(at(5)));
        ledger
            .watch(&schedule("30 * * * *"), at(9))
            .expect("writes");
        assert_eq!(ledger.since(Job::Log), Some(at(9)));
        assert_eq!(ledger.since(Job::Full), None);
    }

    #[test]
    fn what_a_clock_served_that_ran_ahead_holds_up_nothing_when_it_is_put_right() {
        let state = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::open(state.path());
        ledger.watch(&schedule("0 * * * *"), at(1)).expect("writes");
        ledger.served(Job::Log, at(9000)).expect("writes");
        ledger.follow(at(5)).expect("writes");
        assert_eq!(Ledger::open(state.path()).since(Job::Log), Some(at(5)));
        let a_little_later = at(5).plus(STEP_MAX);
        ledger.served(Job::Log, a_little_later).expect("writes");
        ledger.follow(at(5)).expect("writes");
        assert_eq!(ledger.since(Job::Log), Some(a_little_later));
    }

    #[test]
    fn a_ledger_that_cannot_be_understood_is_begun_anew() {
        let state = tempfile::tempdir().expect("a folder");
        for text in ["", "{", r#"{"format":2,"jobs":{}}"#] {
            fs::write(state.path().join("schedule.json"), text).expect("writes");
            let mut ledger = Ledger::open(state.path());
            ledger.watch(&schedule("0 * * * *"), at(3)).expect("writes");
            assert_eq!(
                Ledger::open(state.path()).since(Job::Log),
                Some(at(3)),
                "{text}"
            );
        }
    }
}
