//! The group's standing told to people: what it can come back to, and what is due.

use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::{counted, in_zone};
use super::points::{HeldBack, NOTHING_RESTORABLE, lost_ms, lost_now, reasons};
use super::prune::pin_words;
use crate::chain::{Break, LogEnds};
use crate::config::Config;
use crate::error::Error;
use crate::model::{GroupName, MemberName, RunId, Timestamp};
use crate::plan::Quarantine;
use crate::retention::Pin;
use crate::run::Backlog;
use crate::world::Standing;

/// How a group stands.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The group.
    pub group: GroupName,
    /// The newest mark that every member can be restored to.
    pub newest_point: Option<PointStatus>,
    /// How many there are.
    pub points: u64,
    /// The newest mark, where it is not a point: what stands in the way.
    pub held_back: Vec<String>,
    /// Members whose chains broke again and again and are not mended for now.
    pub quarantined: Vec<String>,
    /// Runs that the next start goes on with.
    pub unfinished_runs: Vec<RunId>,
    /// Why the store could not be asked: what is told is then what this machine knew before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_away: Option<String>,
    /// What waits on the shares for the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// What the service saw lately that will stop a member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// The databases beside the group, each with its newest backup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<String>,
    /// What is due next.
    pub schedule: Vec<Due>,
    /// Points that somebody pinned, with by whom and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Points that the next prune lets go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points_to_go: Option<usize>,
}

/// A point and its age.
#[derive(Clone, Debug, Serialize)]
pub struct PointStatus {
    /// The mark.
    pub mark: String,
    /// How long ago it was placed, in milliseconds: what would be lost now.
    pub age_ms: i64,
    /// Members of best effort that it is without.
    pub lacking: Vec<String>,
}

/// What stands in the way of the group's members, and what they lack.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    /// Members of best effort that the newest Point is without, with the reason.
    pub lacking: Vec<(MemberName, Break)>,
    /// Where the members' logs end.
    pub ends: LogEnds,
    /// Members in quarantine.
    pub quarantined: Vec<Quarantine>,
}

/// One job's next run.
#[derive(Clone, Debug, Serialize)]
pub struct Due {
    /// The job, as `[schedule]` names it.
    pub job: &'static str,
    /// The cron expression.
    pub schedule: String,
    /// The next time in the job's own zone; none where it never comes.
    pub next: Option<String>,
}

impl Status {
    /// The standing of a group.
    #[must_use]
    pub fn of(
        config: &Config,
        standing: &Standing,
        doubts: &Doubts,
        unfinished: &[RunId],
        now: Timestamp,
    ) -> Self {
        let newest_point = standing.newest_point.as_ref().map(|point| PointStatus {
            mark: point.mark.name.to_string(),
            age_ms: lost_ms(point.mark.placed_at, now),
            lacking: reasons(&doubts.lacking),
        });
        let held_back = standing.held_back.iter().flat_map(|(marked, breaks)| {
            let held = HeldBack::of(&marked.mark, breaks, &doubts.ends);
            held.lines().collect::<Vec<_>>()
        });
        Self {
            group: config.group.clone(),
            newest_point,
            points: standing.points,
            held_back: held_back.collect(),
            quarantined: doubts.quarantined.iter().map(in_quarantine).collect(),
            unfinished_runs: unfinished.to_vec(),
            store_away: None,
            backlog: None,
            alarms: Vec::new(),
            companions: Vec::new(),
            schedule: due(config, now),
            pinned: Vec::new(),
            points_to_go: None,
        }
    }

    /// With what is pinned, and with what a prune would let go where the configuration has a policy.
    #[must_use]
    pub fn keeping(mut self, pins: &[Pin], points_to_go: Option<usize>) -> Self {
        self.pinned = pins.iter().map(pin_words).collect();
        self.points_to_go = points_to_go;
        self
    }

    /// With what waits on the shares for the store, and why the store could not be asked where it could not.
    #[must_use]
    pub fn waiting(mut self, backlog: Backlog, store_away: Option<&Error>) -> Self {
        self.backlog = Some(backlog).filter(|it| it.pieces > 0);
        self.store_away = store_away.map(ToString::to_string);
        self
    }

    /// With what the service saw lately, a line each.
    #[must_use]
    pub fn alarmed(mut self, alarms: Vec<String>) -> Self {
        self.alarms = alarms;
        self
    }

    /// With the newest backups of what stands beside the group, a line each.
    #[must_use]
    pub fn beside(mut self, companions: Vec<String>) -> Self {
        self.companions = companions;
        self
    }

    /// Whether somebody should look.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        let is_held_up =
            !self.held_back.is_empty() || !self.quarantined.is_empty() || !self.alarms.is_empty();
        is_held_up || self.store_away.is_some() || !self.unfinished_runs.is_empty()
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("group `{}`\n", self.group);
        match &self.newest_point {
            Some(point) => {
                let lost = lost_now(&point.mark, point.age_ms);
                write!(text, "  {lost}\n  points    {}\n", self.points)
            }
            None => write!(
                text,
                "  {NOTHING_RESTORABLE}\n  \
                 hint: `stopmark backup full` and then `stopmark backup log` make one\n",
            ),
        }
        .expect("a string takes everything");
        for lacking in self.newest_point.iter().flat_map(|point| &point.lacking) {
            writeln!(text, "  without   {lacking}").expect("a string takes everything");
        }
        for reason in &self.held_back {
            writeln!(text, "  held back {reason}").expect("a string takes everything");
        }
        for member in &self.quarantined {
            writeln!(text, "  QUARANTINE {member}").expect("a string takes everything");
        }
        for alarm in &self.alarms {
            writeln!(text, "  ALARM     {alarm}").expect("a string takes everything");
        }
        for pinned in &self.pinned {
            writeln!(text, "  {pinned}").expect("a string takes everything");
        }
        if let Some(count @ 1..) = self.points_to_go {
            let points = counted(count, "point");
            writeln!(text, "  to go     {points}, see `stopmark prune plan`")
                .expect("a string takes everything");
        }
        for run in &self.unfinished_runs {
            writeln!(
                text,
                "  unfinished run {run}: the next backup goes on with it"
            )
            .expect("a string takes everything");
        }
        text.extend(self.backlog.iter().map(backlog_line));
        let away = |why: &String| format!("  STORE AWAY: this is what was known before: {why}\n");
        text.extend(self.store_away.iter().map(away));
        for companion in &self.companions {
            writeln!(text, "  beside    {companion}").expect("a string takes everything");
        }
        for due in &self.schedule {
            let next = due.next.as_deref().unwrap_or("never");
            writeln!(
                text,
                "  due       {:<12} {next}  ({})",
                due.job, due.schedule
            )
            .expect("a string takes everything");
        }
        text
    }
}

fn backlog_line(backlog: &Backlog) -> String {
    format!("  waiting   {}\n", backlog_words(backlog))
}

/// What waits for the store, for a person.
#[must_use]
pub fn backlog_words(backlog: &Backlog) -> String {
    let (pieces, mib) = (
        counted(backlog.pieces, "piece"),
        backlog.size_bytes.div_ceil(1 << 20),
    );
    let since = backlog.since.map(|since| format!(", since {since}"));
    let since = since.unwrap_or_default();
    format!("{pieces} of {mib} MiB on the shares for the store{since}")
}

fn in_quarantine(it: &Quarantine) -> String {
    let (member, cures, until) = (&it.member, it.cures, it.until);
    format!(
        "{member}: mended {cures} times and broken again; until {until}, or `stopmark group release {member}`"
    )
}

fn due(config: &Config, now: Timestamp) -> Vec<Due> {
    let due = config.schedule.jobs.iter().map(|(job, config)| Due {
        job: job.word(),
        schedule: config.expression.clone(),
        next: config.next_after(now).map(|at| in_zone(at, &config.zone)),
    });
    due.collect()
}
