//! What was last done: read from the journals of this state folder, newest first, and no further than needed.
//!
//! Start at [`pasts`]. Whoever began a run, a service or a person, it counts: a full by hand is a full.

use std::collections::BTreeMap;

use super::due::Past;
use super::ledger::{Ledger, is_to_come};
use crate::config::{Job, ScheduleConfig};
use crate::error::Result;
use crate::model::{GroupName, RunId, Timestamp};
use crate::plan::RunKind;
use crate::run::events::{Event, Verdict};
use crate::world::Journals;

/// A try that left no journal: the store did not answer, another agent has the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untold {
    /// How many of them in a row.
    pub failures: u32,
    /// When the last one ended.
    pub at: Timestamp,
}

/// Runs that were looked at before: what has ended never changes.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<RunId, Option<Seen>>);

/// What is known of each job of the schedule. `untold` are this process's own tries that left no journal; `known`
/// spares a service from reading the same journals again and again. Runs of a time that is still to come are those of a
/// clock that ran ahead, and count for nothing.
///
/// # Errors
/// `SM0901` when the folder cannot be read. A journal that cannot be is passed by: it keeps nobody from work.
pub fn pasts(
    journals: &dyn Journals,
    group: &GroupName,
    schedule: &ScheduleConfig,
    ledger: &Ledger,
    untold: &BTreeMap<Job, Untold>,
    known: &mut Known,
    now: Timestamp,
) -> Result<BTreeMap<Job, Past>> {
    let mut looked: BTreeMap<Job, Look> = schedule
        .jobs
        .keys()
        .map(|job| (*job, Look::since(ledger.since(*job).unwrap_or(now))))
        .collect();
    let mut runs = journals.runs()?;
    while let Some(run) = runs.pop() {
        if run.tells_time() && is_to_come(run.made_at(), now) {
            continue;
        }
        for look in looked.values_mut() {
            look.is_over |= run.made_at() <= look.since;
        }
        if looked.values().all(|look| look.is_over) {
            break;
        }
        if let Some(seen) = known.seen(journals, group, run)
            && !is_to_come(seen.began_at, now)
            && let Some(look) = looked.get_mut(&seen.job)
        {
            look.see(&seen);
        }
    }
    if let Some(last) = runs.last() {
        // What lies before the last one that was looked at is of no interest any more.
        known.0 = known.0.split_off(last);
    }
    let with_untold = |(job, look): (Job, Look)| (job, with(look.past, untold.get(&job)));
    Ok(looked.into_iter().map(with_untold).collect())
}

/// What one job's past is known to be while runs are looked through.
struct Look {
    since: Timestamp,
    past: Past,
    is_over: bool,
}

/// A run as far as a schedule cares.
#[derive(Clone, Debug)]
struct Seen {
    job: Job,
    began_at: Timestamp,
    /// When it failed, or was broken off; none where it was done.
    failed_at: Option<Timestamp>,
    /// Nothing more will come of it.
    is_over: bool,
}

impl Known {
    fn seen(&mut self, journals: &dyn Journals, group: &GroupName, run: RunId) -> Option<Seen> {
        if let Some(known) = self.0.get(&run) {
            return known.clone();
        }
        let seen = seen(journals, group, run);
        if seen.as_ref().is_some_and(|seen| seen.is_over) {
            self.0.insert(run, seen.clone());
        }
        seen
    }
}

impl Look {
    const fn since(since: Timestamp) -> Self {
        Self {
            since,
            past: Past::since(since),
            is_over: false,
        }
    }

    /// Takes in a run that is older than those before.
    fn see(&mut self, seen: &Seen) {
        if self.is_over {
            return;
        }
        self.past.served = self.past.served.max(seen.began_at);
        match seen.failed_at {
            Some(at) => {
                self.past.failures += 1;
                self.past.failed_at = self.past.failed_at.max(Some(at));
            }
            None => self.is_over = true,
        }
    }
}

fn with(past: Past, untold: Option<&Untold>) -> Past {
    let Some(untold) = untold.filter(|untold| untold.at > past.served) else {
        return past;
    };
    Past {
        served: untold.at,
        failures: past.failures + untold.failures,
        failed_at: Some(untold.at),
        triggered: None,
    }
}

fn seen(journals: &dyn Journals, group: &GroupName, run: RunId) -> Option<Seen> {
    let ends = journals.ends(run).ok().flatten();
    let (first, last) = ends?;
    let Event::RunBegan {
        group: its,
        kind,
        at,
        ..
    } = first
    else {
        return None;
    };
    let job = job_of(kind).filter(|_| its == *group)?;
    let is_over = last.is_some();
    let failed_at = match last {
        Some(Event::RunEnded {
            verdict: Verdict::Done | Verdict::Degraded,
            ..
        }) => None,
        // What a drill found out stands in its certificate, and would be the same an hour later.
        Some(Event::RunEnded {
            verdict: Verdict::Failed,
            ..
        }) if job == Job::Drill => None,
        Some(Event::RunEnded { at, .. }) => Some(at),
        _ => Some(at),
    };
    Some(Seen {
        job,
        began_at: at,
        failed_at,
        is_over,
    })
}

const fn job_of(kind: RunKind) -> Option<Job> {
    match kind {
        RunKind::Full => Some(Job::Full),
        RunKind::Differential => Some(Job::Differential),
        RunKind::Log => Some(Job::Log),
        RunKind::Companions => Some(Job::Companions),
        RunKind::Scrub => Some(Job::Scrub),
        RunKind::Prune => Some(Job::Prune),
        RunKind::Drill => Some(Job::Drill),
        _ => None,
    }
}
