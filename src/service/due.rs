//! What is due: a pure function of the schedule, of what was done, and of the time. Nothing is remembered here.
//!
//! Start at [`turns`], which says when each job's turn comes and why, and at [`startable`], which says what may
//! begin now beside what is at work.

use std::time::Duration;

use serde::Serialize;

use crate::config::{Job, JobConfig, ScheduleConfig};
use crate::model::{GroupName, MemberName, Timestamp};

/// Later than this is late, and told as such.
const LATE: Duration = Duration::from_secs(5 * 60);

/// What came this long ago is let go where a job makes up for nothing.
const STILL_OF_NOW: Duration = Duration::from_secs(15 * 60);

/// The wait after a first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(2 * 60);

/// The longest of these waits.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// More occurrences than anybody counts.
const MISSED_MAX: u32 = 1000;

/// What is known of a job's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What came up to this moment was served, or came before anybody watched.
    pub served: Timestamp,
    /// How often it failed since it last went well.
    pub failures: u32,
    /// When it last failed; none where it went well since.
    pub failed_at: Option<Timestamp>,
    /// When and why it is due whatever its schedule says; none where nothing asks for it.
    pub triggered: Option<(Timestamp, Why)>,
}

/// A job's next turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// The job.
    pub job: Job,
    /// When it may begin; a moment that has passed where it is due.
    pub at: Timestamp,
    /// Why then.
    pub why: Why,
    /// Until then it waits for its window to open.
    pub is_held: bool,
}

/// Why a job has its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// Its time comes.
    Time {
        /// The time of the schedule, without the chance that is added.
        scheduled: Timestamp,
    },
    /// Its time came when nobody was there, or something else was at work.
    Missed {
        /// The first time that was missed.
        first: Timestamp,
        /// How many came since; one run serves all.
        times: u32,
    },
    /// It failed.
    Again {
        /// How often in a row.
        failures: u32,
    },
    /// The logs that a member stored since its newest full have grown too large.
    Grown {
        /// The member.
        member: MemberName,
        /// What they have come to, in bytes.
        bytes: u64,
        /// What is too large, in bytes.
        bound_bytes: u64,
    },
    /// The newest full of a member is then too old.
    Aged {
        /// The member.
        member: MemberName,
        /// When its set was planned.
        since: Timestamp,
    },
    /// Chains are broken: no window holds back what mends them.
    Broken {
        /// Whose.
        members: Vec<MemberName>,
        /// What befell the first of them; none where only the catalog says that something did.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl Past {
    /// Of a job that was served at this moment, and of which nothing else is known.
    #[must_use]
    pub const fn since(served: Timestamp) -> Self {
        Self {
            served,
            failures: 0,
            failed_at: None,
            triggered: None,
        }
    }
}

/// Every job's next turn, those that are due first. `past_of` is asked for the past of each.
#[must_use]
pub fn turns(
    group: &GroupName,
    schedule: &ScheduleConfig,
    past_of: impl Fn(Job) -> Past,
    now: Timestamp,
) -> Vec<Turn> {
    let turn = |(job, config): (&Job, &JobConfig)| turn(group, *job, config, past_of(*job), now);
    let mut turns: Vec<Turn> = schedule.jobs.iter().filter_map(turn).collect();
    turns.sort_by_key(|turn| (turn.at.max(now), turn.job));
    turns
}

/// One job's next turn; none where its schedule comes no more.
#[must_use]
pub fn turn(
    group: &GroupName,
    job: Job,
    config: &JobConfig,
    past: Past,
    now: Timestamp,
) -> Option<Turn> {
    let by_time = by_time(group, job, config, &past, now);
    let again = past.failed_at.map(|failed_at| {
        let at = failed_at.plus(wait_after(past.failures));
        let failures = past.failures;
        (at, Why::Again { failures })
    });
    let reasons = by_time.into_iter().chain(again).chain(past.triggered);
    let turns = reasons.map(|(at, why)| in_window(job, config, at, why, now));
    turns.min_by_key(|turn| turn.at)
}

/// The turn that a reason gives, which may have to wait for the window.
fn in_window(job: Job, config: &JobConfig, at: Timestamp, why: Why, now: Timestamp) -> Turn {
    let heeds = !matches!(why, Why::Broken { .. });
    let window = config.window.filter(|_| heeds);
    let opens = window.map(|window| window.opens(at.max(now), &config.zone));
    let held = opens.filter(|opens| *opens > at.max(now));
    Turn {
        job,
        at: held.unwrap_or(at),
        why,
        is_held: held.is_some(),
    }
}

/// What may begin now, in the order of beginning: what is due and goes together with what is at work. Logs wait
/// for a group's first full: without one they would only find chains to begin.
#[must_use]
pub fn startable(turns: &[Turn], working: &[Job], has_point: bool, now: Timestamp) -> Vec<Job> {
    let mut working = working.to_vec();
    let mut found = Vec::new();
    for turn in turns.iter().filter(|turn| turn.at <= now) {
        let is_first_log = turn.job == Job::Log && !has_point;
        let goes_beside = |other: &Job| goes_together(turn.job, *other);
        if working.iter().all(goes_beside) && (!is_first_log || working.is_empty()) {
            working.push(turn.job);
            found.push(turn.job);
        }
    }
    found
}

/// Whether two jobs may be at work at the same time: marks and logs go on while a full, a differential or a scrub
/// or a drill does. A prune has the group to itself, since what it lets go must not be published or proven meanwhile.
#[must_use]
pub const fn goes_together(one: Job, other: Job) -> bool {
    const fn is_long(job: Job) -> bool {
        matches!(
            job,
            Job::Full | Job::Differential | Job::Companions | Job::Scrub | Job::Drill
        )
    }
    match (one, other) {
        (Job::Log, other) => is_long(other),
        (one, Job::Log) => is_long(one),
        _ => false,
    }
}

fn by_time(
    group: &GroupName,
    job: Job,
    config: &JobConfig,
    past: &Past,
    now: Timestamp,
) -> Option<(Timestamp, Why)> {
    let gone = STILL_OF_NOW + config.jitter;
    let gone = now.plus_millis(-i64::try_from(gone.as_millis()).unwrap_or(i64::MAX));
    let from = if config.catch_up {
        past.served
    } else {
        past.served.max(gone)
    };
    let first = config.next_after(from)?;
    let at = first.plus(chance(group, job, first, config.jitter));
    let is_late = at.plus(LATE) < now;
    let later = std::iter::successors(config.next_after(first), |at| config.next_after(*at))
        .take_while(|at| *at <= now)
        .take(MISSED_MAX as usize);
    let later = u32::try_from(later.count()).unwrap_or(MISSED_MAX);
    let why = if is_late || (later > 0 && at <= now) {
        let times = later + 1;
        Why::Missed { first, times }
    } else {
        Why::Time { scheduled: first }
    };
    Some((at, why))
}

/// The wait after so many failures in a row.
fn wait_after(failures: u32) -> Duration {
    let doubled = failures.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doubled).min(WAIT_MAX)
}

/// The chance that is added to one occurrence: spread evenly, and the same however often it is asked.
fn chance(group: &GroupName, job: Job, scheduled: Timestamp, jitter: Duration) -> Duration {
    let text = format!("{group}/{}/{}", job.word(), scheduled.millis());
    let drawn = u128::from(crc32c::crc32c(text.as_bytes()));
    let millis = (drawn * jitter.as_millis()) >> 32;
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use jiff::civil;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{DayWindow, Schedule};

    fn job(expression: &str) -> JobConfig {
        let schedule = Schedule::parse(expression).expect("an expression");
        JobConfig::of(expression, schedule, TimeZone::UTC)
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().expect("a timestamp")
    }

    fn served(text: &str) -> Past {
        Past::since(at(text))
    }

    fn next(job_config: &JobConfig, past: Past, now: &str) -> Turn {
        let group = "pay".parse().expect("a name");
        turn(&group, Job::Full, job_config, past, at(now)).expect("it comes")
    }

    #[test]
    fn a_job_is_due_at_its_time_and_not_before() {
        let config = job("30 1 * * *");
        let turn = next(&config, served("21T01:30"), "21T12:00");
        assert_eq!(turn.at, at("22T01:30"));
        let scheduled = at("22T01:30");
        assert_eq!(turn.why, Why::Time { scheduled });
    }

    #[test]
    fn what_was_missed_comes_once_whatever_the_number() {
        let config = job("0 * * * *");
        let turn = next(&config, served("21T01:00"), "21T12:30");
        assert_eq!(turn.at, at("21T02:00"));
        let first = at("21T02:00");
        assert_eq!(turn.why, Why::Missed { first, times: 11 });
        let after = next(&config, served("21T12:30"), "21T12:31");
        assert_eq!(after.at, at("21T13:00"));
    }

    #[test]
    fn a_job_that_makes_up_for_nothing_waits_for_its_next_time() {
        let config = JobConfig {
            catch_up: false,
            ..job("0 1 * * *")
        };
        assert_eq!(
            next(&config, served("18T01:00"), "21T12:00").at,
            at("22T01:00")
        );
        let shortly_after = next(&config, served("18T01:00"), "21T01:10");
        assert_eq!(shortly_after.at, at("21T01:00"), "this is still its time");
    }

    #[test]
    fn a_failure_is_tried_again_after_waits_that_double_and_never_after_the_next_time() {
        let config = job("0 1 * * *");
        let failed = |failures| Past {
            failures,
            failed_at: Some(at("21T01:10")),
            ..served("21T01:00")
        };
        for (failures, again) in [
            (1, "21T01:12"),
            (2, "21T01:14"),
            (3, "21T01:18"),
            (9, "21T02:10"),
        ] {
            let turn = next(&config, failed(failures), "21T01:11");
            assert_eq!((turn.at, turn.why), (at(again), Why::Again { failures }));
        }
        let often = job("*/5 * * * *");
        let past = Past {
            failures: 9,
            failed_at: Some(at("21T01:10")),
            ..served("21T01:10")
        };
        assert_eq!(next(&often, past, "21T01:11").at, at("21T01:15"));
    }

    #[test]
    fn outside_its_window_a_job_waits_however_late_it_is() {
        let config = JobConfig {
            window: Some(DayWindow {
                from: civil::time(22, 0, 0, 0),
                until: civil::time(6, 0, 0, 0),
            }),
            ..job("30 1 * * *")
        };
        let turn = next(&config, served("20T01:30"), "21T12:00");
        assert_eq!((turn.at, turn.is_held), (at("21T22:00"), true));
        let night = next(&config, served("20T01:30"), "21T23:00");
        assert_eq!((night.at, night.is_held), (at("21T01:30"), false));
    }

    #[test]
    fn a_trigger_waits_for_the_window_and_a_broken_chain_does_not() {
        let config = JobConfig {
            window: Some(DayWindow {
                from: civil::time(22, 0, 0, 0),
                until: civil::time(6, 0, 0, 0),
            }),
            ..job("30 1 * * sun")
        };
        let triggered = |why: Why| Past {
            triggered: Some((at("21T09:00"), why)),
            ..served("20T01:30")
        };
        let member: MemberName = "SQL1/A".parse().expect("a name");
        let aged = Why::Aged {
            member: member.clone(),
            since: at("13T09:00"),
        };
        let turn = next(&config, triggered(aged.clone()), "21T12:00");
        assert_eq!(
            (turn.at, turn.why, turn.is_held),
            (at("21T22:00"), aged, true)
        );
        let broken = Why::Broken {
            members: vec![member],
            reason: None,
        };
        let turn = next(&config, triggered(broken.clone()), "21T12:00");
        assert_eq!(
            (turn.at, turn.why, turn.is_held),
            (at("21T09:00"), broken, false)
        );
    }

    #[test]
    fn jitter_is_the_same_however_often_it_is_asked_and_spreads_agents() {
        let config = JobConfig {
            jitter: Duration::from_secs(600),
            ..job("0 1 * * *")
        };
        let of_group = |name: &str| {
            let group = name.parse().expect("a name");
            let past = served("21T01:00");
            let turn = turn(&group, Job::Full, &config, past, at("21T12:00"));
            turn.expect("it comes").at.millis() - at("22T01:00").millis()
        };
        let spread: std::collections::BTreeSet<i64> =
            (0..50).map(|n| of_group(&format!("group{n}"))).collect();
        assert!(spread.iter().all(|more| (0..=600_000).contains(more)));
        assert!(spread.len() > 40, "{spread:?}");
        assert_eq!(of_group("pay"), of_group("pay"));
    }

    #[test]
    fn logs_go_on_beside_long_work_and_a_prune_goes_alone() {
        let now = at("21T12:00");
        let due = |jobs: &[Job]| -> Vec<Turn> {
            let turn = |job: &Job| Turn {
                job: *job,
                at: now,
                why: Why::Time { scheduled: now },
                is_held: false,
            };
            jobs.iter().map(turn).collect()
        };
        for (wanted, working, starts) in [
            (
                &[Job::Full, Job::Log][..],
                &[][..],
                &[Job::Full, Job::Log][..],
            ),
            (&[Job::Log], &[Job::Scrub], &[Job::Log]),
            (&[Job::Log, Job::Drill], &[], &[Job::Log, Job::Drill]),
            (&[Job::Drill], &[Job::Prune], &[]),
            (&[Job::Log], &[Job::Log], &[]),
            (&[Job::Differential], &[Job::Full], &[]),
            (&[Job::Log, Job::Prune], &[], &[Job::Log]),
            (&[Job::Log], &[Job::Prune], &[]),
        ] {
            assert_eq!(
                startable(&due(wanted), working, true, now),
                starts,
                "{wanted:?}"
            );
        }
        let first = startable(&due(&[Job::Full, Job::Log]), &[], false, now);
        assert_eq!(
            first,
            [Job::Full],
            "there is nothing yet that a log continues"
        );
        assert_eq!(startable(&due(&[Job::Log]), &[], false, now), [Job::Log]);
    }
}
