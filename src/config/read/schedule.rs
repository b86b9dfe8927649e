//! `[schedule]`: one key a job, an expression or a table with it. Start at [`schedule`].

use std::time::Duration;

use jiff::tz::TimeZone;

use super::policy::{duration, section};
use super::retention::{span, zone};
use super::transfer::{TIME_FORMS, size, time_of_day};
use crate::config::checked::{DrillConfig, MemberConfig};
use crate::config::jobs::{DayWindow, Job, JobConfig, ScheduleConfig};
use crate::config::node::{Node, Table};
use crate::config::schedule::Schedule;
use crate::error::Code;

pub(super) const KEYS: &[&str] = &[
    "time_zone",
    "full",
    "differential",
    "log",
    "companions",
    "scrub",
    "prune",
    "drill",
];
pub(super) const JOB_KEYS: &[&str] = &[
    "at",
    "time_zone",
    "jitter",
    "window",
    "catch_up",
    "budget",
    "log_since",
    "age",
];
pub(super) const WINDOW_KEYS: &[&str] = &["from", "until"];

const FORMS: &str = "write minute, hour, day of month, month and weekday: `30 2 * * sun`";

/// When jobs are due; one with a fault is left out.
pub(super) fn schedule(root: &Table<'_>) -> ScheduleConfig {
    let mut schedule = ScheduleConfig::default();
    let Some(table) = section(root, "schedule", KEYS) else {
        return schedule;
    };
    let own = table.optional("time_zone").and_then(|node| zone(&node));
    let own = own.unwrap_or_else(TimeZone::system);
    for job in Job::ALL {
        let found = table.optional(job.word());
        if let Some(read) = found.and_then(|node| job_config(&node, job, &own)) {
            schedule.jobs.insert(job, read);
        }
    }
    schedule
}

/// A drill that comes by itself has nobody who would say `--on`.
pub(super) fn drill_has_hosts(root: &Table<'_>, drill: Option<&DrillConfig>) {
    if drill.is_none_or(|drill| drill.hosts.is_empty()) {
        let message = "a drill comes by schedule, and nobody says on which hosts it is held";
        let hint = "write `[drill] hosts = ['HOST']`";
        refuse_job(root, Job::Drill, message, hint);
    }
}

/// Companions that come by themselves must be named.
pub(super) fn companions_are_named(root: &Table<'_>, companions: &[MemberConfig]) {
    // One that has a fault has been told.
    if companions.is_empty() && root.optional("companions").is_none() {
        let message = "companions come by schedule, and nobody says which databases they are";
        let hint = "write `[companions] databases = ['HOST/master', 'HOST/msdb']`";
        refuse_job(root, Job::Companions, message, hint);
    }
}

/// Refuses a job where the schedule has it.
fn refuse_job(root: &Table<'_>, wanted: Job, message: &str, hint: &str) {
    let table = root.optional("schedule");
    let entries = table.and_then(|node| node.is_table().then(|| node.entries()).flatten());
    let mut jobs = entries.into_iter().flatten();
    if let Some((_, job)) = jobs.find(|(key, _)| *key == wanted.word()) {
        job.refuse(Code::ConfigValue, message, hint);
    }
}

fn job_config(node: &Node<'_>, job: Job, own: &TimeZone) -> Option<JobConfig> {
    if !node.is_table() {
        return expression(node, own);
    }
    let table = node.table(JOB_KEYS)?;
    let time_zone = table.optional("time_zone").and_then(|node| zone(&node));
    let at = table.required("at", FORMS)?;
    let mut read = expression(&at, &time_zone.unwrap_or_else(|| own.clone()))?;
    if let Some(node) = table.optional("jitter") {
        read.jitter = duration(&node)?;
    }
    if let Some(node) = table.optional("window") {
        read.window = Some(window(&node)?);
    }
    if let Some(node) = table.optional("catch_up") {
        read.catch_up = node.boolean()?;
    }
    if let Some(node) = table.optional("budget") {
        only(
            &node,
            job,
            Job::Scrub,
            "only a scrub reads back by the budget",
        )?;
        read.budget_bytes = Some(size(&node)?);
    }
    if let Some(node) = table.optional("log_since") {
        only(
            &node,
            job,
            Job::Full,
            "only fulls come when logs have grown",
        )?;
        read.triggers.log_since_bytes = Some(size(&node)?);
    }
    if let Some(node) = table.optional("age") {
        only(
            &node,
            job,
            Job::Full,
            "only fulls come when the last one is old",
        )?;
        read.triggers.age = Some(age(&node)?);
    }
    Some(read)
}

fn expression(node: &Node<'_>, zone: &TimeZone) -> Option<JobConfig> {
    let text = node.string()?;
    match Schedule::parse(text) {
        Ok(schedule) => Some(JobConfig::of(text, schedule, zone.clone())),
        Err(error) => {
            node.refuse(Code::ConfigSchedule, error.to_string(), FORMS);
            None
        }
    }
}

/// Some hours of each day.
pub(super) fn window(node: &Node<'_>) -> Option<DayWindow> {
    let table = node.table(WINDOW_KEYS)?;
    let time = |key| {
        let node = table.required(key, TIME_FORMS);
        node.and_then(|node| time_of_day(&node))
    };
    Some(DayWindow {
        from: time("from")?,
        until: time("until")?,
    })
}

/// Refuses a key that only one job has.
fn only(node: &Node<'_>, job: Job, wanted: Job, message: &str) -> Option<()> {
    if job != wanted {
        node.refuse(Code::ConfigValue, message, "leave the key out");
        return None;
    }
    Some(())
}

/// A span after which something is old: none at all would be old at once.
fn age(node: &Node<'_>) -> Option<Duration> {
    let age = span(node)?;
    if age.is_zero() {
        let hint = "write `36h`, `8d` or `5w`";
        node.refuse(Code::ConfigValue, "every full would be too old", hint);
        return None;
    }
    Some(age)
}
