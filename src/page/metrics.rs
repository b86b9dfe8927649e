//! Metrics as Prometheus reads them (text format 0.0.4). Start at [`metrics`].
//!
//! Names and labels are stable: `service/alerts.yml` and `service/dashboard.json` use them.

use std::fmt::Write as _;

use crate::config::Job;
use crate::model::{MemberName, Timestamp};
use crate::run::Backlog;
use crate::service::Seen;
use crate::survey::LogRoom;
use crate::world::{Counts, Standing};

/// What is measured beside the loop itself.
#[derive(Clone, Debug)]
pub struct MetricFacts {
    /// What the group can come back to.
    pub standing: Standing,
    /// How much the catalog holds.
    pub counts: Counts,
    /// Pieces that were found damaged, or gone.
    pub damaged: usize,
    /// Runs that the next one goes on with.
    pub unfinished: usize,
    /// What waits on the shares for the store.
    pub backlog: Backlog,
    /// Now.
    pub now: Timestamp,
}

/// One measure with its samples.
struct Measure<'a> {
    text: &'a mut String,
    name: &'static str,
}

/// The whole answer. Without facts, only the loop is told of: the configuration was not read yet.
#[must_use]
pub fn metrics(seen: &Seen, facts: Option<&MetricFacts>) -> String {
    let mut text = String::new();
    gauge(&mut text, "stopmark_up", "The service answers").sample("", 1.0);
    gauge(
        &mut text,
        "stopmark_config_faulty",
        "The configuration file has faults and an older one is in force",
    )
    .sample("", flag(seen.fault.is_some()));
    gauge(
        &mut text,
        "stopmark_waiting",
        "What is due waits for something",
    )
    .sample("", flag(seen.waiting.is_some()));
    gauge(
        &mut text,
        "stopmark_notice_undelivered",
        "The newest notice reached nobody",
    )
    .sample("", flag(seen.undelivered.is_some()));
    if let Some(started_at) = seen.started_at {
        gauge(
            &mut text,
            "stopmark_started_timestamp_seconds",
            "When the service began",
        )
        .sample("", seconds(started_at.millis()));
    }
    jobs(&mut text, seen);
    rooms(&mut text, seen);
    chains(&mut text, seen);
    if let Some(facts) = facts {
        of_group(&mut text, facts);
    }
    text
}

fn of_group(text: &mut String, facts: &MetricFacts) {
    let standing = &facts.standing;
    if let Some(point) = &standing.newest_point {
        let age = facts.now.millis() - point.mark.placed_at.millis();
        gauge(
            text,
            "stopmark_newest_point_age_seconds",
            "How much would be lost if every host died now",
        )
        .sample("", seconds(age));
    }
    for (name, help, value) in [
        (
            "stopmark_points",
            "Marks that the group can be brought back to",
            standing.points,
        ),
        ("stopmark_sets", "Sets in the catalog", facts.counts.sets),
        (
            "stopmark_pieces",
            "Pieces in the catalog",
            facts.counts.pieces,
        ),
        (
            "stopmark_pieces_damaged",
            "Pieces that were found damaged, or gone",
            facts.damaged as u64,
        ),
        (
            "stopmark_runs_unfinished",
            "Runs that the next one goes on with",
            facts.unfinished as u64,
        ),
        (
            "stopmark_backlog_pieces",
            "Pieces that wait on the shares for the store",
            facts.backlog.pieces as u64,
        ),
        (
            "stopmark_backlog_bytes",
            "Their bytes, as far as the shares can be seen",
            facts.backlog.size_bytes,
        ),
    ] {
        gauge(text, name, help).sample("", number(value));
    }
    let held_back = standing.held_back.as_ref();
    let mut measure = gauge(
        text,
        "stopmark_member_held_back",
        "The member keeps the newest mark from being a point",
    );
    for (member, _) in held_back.into_iter().flat_map(|(_, breaks)| breaks) {
        measure.sample(&format!("member=\"{}\"", escaped(&member.to_string())), 1.0);
    }
}

fn jobs(text: &mut String, seen: &Seen) {
    let label = |job: Job| format!("job_kind=\"{}\"", job.word());
    let mut working = gauge(text, "stopmark_job_working", "The job is at work");
    for job in Job::ALL {
        working.sample(&label(job), flag(seen.working.contains_key(&job)));
    }
    let mut next = gauge(
        text,
        "stopmark_job_next_timestamp_seconds",
        "When the job has its next turn",
    );
    for turn in &seen.turns {
        next.sample(&label(turn.job), seconds(turn.at.millis()));
    }
    let mut ended = gauge(
        text,
        "stopmark_job_ended_timestamp_seconds",
        "When the job last ended",
    );
    for (job, last) in &seen.last {
        ended.sample(&label(*job), seconds(last.ended_at.millis()));
    }
    let mut good = gauge(text, "stopmark_job_good", "The job last went well");
    for (job, last) in &seen.last {
        good.sample(
            &label(*job),
            flag(last.end.is_good() || last.end.is_stopped()),
        );
    }
    let mut took = gauge(
        text,
        "stopmark_job_duration_seconds",
        "How long the job last took",
    );
    for (job, last) in &seen.last {
        took.sample(
            &label(*job),
            seconds(last.ended_at.millis() - last.began_at.millis()),
        );
    }
}

/// What the hosts had left when they were last asked.
fn rooms(text: &mut String, seen: &Seen) {
    let active = "This agent works on the group; else it stands by";
    gauge(text, "stopmark_active", active).sample("", flag(seen.role.is_active()));
    let mut used = gauge(
        text,
        "stopmark_log_used_ratio",
        "How full the log is, of what it may grow to",
    );
    for (member, log) in logs(seen) {
        used.sample(&member, f64::from(log.used_percent()) / 100.0);
    }
    let mut bytes = gauge(
        text,
        "stopmark_log_used_bytes",
        "How much of the log is in use",
    );
    for (member, log) in logs(seen) {
        bytes.sample(&member, number(log.used_bytes));
    }
    let mut wait = gauge(
        text,
        "stopmark_log_reuse_wait",
        "Why the log cannot be reused, as SQL Server says",
    );
    for (member, log) in logs(seen) {
        wait.sample(
            &format!("{member},wait=\"{}\"", escaped(&log.reuse_wait)),
            1.0,
        );
    }
    let mut free = gauge(
        text,
        "stopmark_volume_free_bytes",
        "How much is free where members have their files",
    );
    for (host, room) in &seen.rooms {
        let host = escaped(host.as_str());
        for volume in &room.volumes {
            let labels = format!("host=\"{host}\",volume=\"{}\"", escaped(&volume.root));
            free.sample(&labels, number(volume.free_bytes));
        }
    }
    let mut raised = gauge(text, "stopmark_alarm", "Something will stop a member");
    for alarm in &seen.alarms {
        let (code, about) = (&alarm.code, escaped(&alarm.about));
        raised.sample(&format!("code=\"{code}\",about=\"{about}\""), 1.0);
    }
}

/// How the members' chains stood when their hosts were last asked.
fn chains(text: &mut String, seen: &Seen) {
    if let Some(at) = seen.chains_looked_at {
        let help = "When a look between runs last told how the chains stand";
        gauge(text, "stopmark_chains_looked_timestamp_seconds", help)
            .sample("", seconds(at.millis()));
    }
    let label = |member: &MemberName| format!("member=\"{}\"", escaped(&member.to_string()));
    let help = "The next log backup of the member would not continue its chain";
    let mut broken = gauge(text, "stopmark_chain_broken", help);
    for it in &seen.broken {
        broken.sample(&label(&it.member), 1.0);
    }
    let help = "Since when the member's chain is known to be broken";
    let mut since = gauge(text, "stopmark_chain_broken_since_timestamp_seconds", help);
    for it in &seen.broken {
        since.sample(&label(&it.member), seconds(it.since.millis()));
    }
}

/// The logs that were asked about, each with its member as a label.
fn logs(seen: &Seen) -> impl Iterator<Item = (String, &LogRoom)> {
    seen.rooms.iter().flat_map(|(host, room)| {
        room.logs.iter().map(move |(database, log)| {
            let member = MemberName::new(host.clone(), database.clone());
            (format!("member=\"{}\"", escaped(&member.to_string())), log)
        })
    })
}

fn gauge<'a>(text: &'a mut String, name: &'static str, help: &str) -> Measure<'a> {
    writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge")
        .expect("a string takes everything");
    Measure { text, name }
}

impl Measure<'_> {
    fn sample(&mut self, labels: &str, value: f64) {
        let name = self.name;
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        writeln!(self.text, "{name}{labels} {value}").expect("a string takes everything");
    }
}

const fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts as far as 2^53")]
const fn number(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds are exact for 285,000 years"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
