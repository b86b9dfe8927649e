//! The group at a glance: what it can come back to, what holds that back, what is at work and what comes next.
//!
//! Start at [`GroupView::of`].

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::companions::{self, CompanionRow};
use super::members::{MemberRow, table};
use super::shell::{Level, badge, page, rough, time};
use super::timeline::Timeline;
use crate::catalog::kept::LastDrill;
use crate::chain::{LogEnds, worded};
use crate::config::{Config, Job};
use crate::model::{GroupName, MemberName, Timestamp};
use crate::report::status::backlog_words;
use crate::run::Backlog;
use crate::service::Role;
use crate::service::alarm::Alarm;
use crate::service::due::Turn;
use crate::service::outlook::why;
use crate::service::seen::{Last, Seen, StepSeen};
use crate::world::{Listed, Standing};

/// What the view is made from.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// How the service stands.
    pub seen: Seen,
    /// The steps at work.
    pub steps: Vec<StepSeen>,
    /// What the group can come back to.
    pub standing: Standing,
    /// The newest sets, the newest first.
    pub recent: Vec<Listed>,
    /// Where the group's logs end; needed where a mark is held back.
    pub ends: LogEnds,
    /// The newest drill; none where nobody held one.
    pub last_drill: Option<LastDrill>,
    /// Runs that the next one goes on with.
    pub unfinished: usize,
    /// What waits on the shares for the store.
    pub backlog: Backlog,
    /// The databases beside the group.
    pub companions: Vec<CompanionRow>,
    /// Now.
    pub now: Timestamp,
}

/// The group at a glance.
#[derive(Clone, Debug)]
pub struct GroupView {
    group: GroupName,
    now: Timestamp,
    /// What this agent is to the group; none where it is the only one.
    role: Option<String>,
    level: Level,
    headline: String,
    /// The newest point's mark and when it was placed.
    newest: Option<(String, Timestamp)>,
    points: u64,
    last_drill: Option<LastDrill>,
    /// What somebody should know, a line each.
    remarks: Vec<String>,
    /// What is wrong with the configuration file.
    fault: Option<String>,
    working: Vec<(Job, Timestamp)>,
    steps: Vec<StepSeen>,
    turns: Vec<Turn>,
    last: Vec<(Job, Last)>,
    members: Vec<MemberRow>,
    companions: Vec<CompanionRow>,
    timeline: Option<Timeline>,
}

impl GroupView {
    /// The view of these facts.
    #[must_use]
    pub fn of(config: &Config, facts: &GroupFacts) -> Self {
        let (seen, standing, now) = (&facts.seen, &facts.standing, facts.now);
        let members = members_of(config, &facts.recent);
        let mut remarks = remarks(config, facts);
        remarks.extend(grown_old(config, standing, now));
        let newest = standing.newest_point.as_ref();
        let newest = newest.map(|it| (it.mark.name.to_string(), it.mark.placed_at));
        let is_troubled = seen
            .last
            .values()
            .any(|last| !last.end.is_good() && !last.end.is_stopped());
        let level = match &newest {
            None => Level::Bad,
            Some(_) if !remarks.is_empty() || is_troubled || seen.fault.is_some() => Level::Warn,
            Some(_) => Level::Good,
        };
        let headline = match &newest {
            Some((_, at)) => {
                let lost = rough(now.millis() - at.millis());
                format!("If every host died now, the group comes back with {lost} lost")
            }
            None => "No point yet: the group cannot be brought back to one moment".to_owned(),
        };
        let rows = members
            .iter()
            .map(|it| MemberRow::of(it, &facts.recent, standing));
        Self {
            group: config.group.clone(),
            now,
            role: (seen.role != Role::Alone).then(|| seen.role.words()),
            level,
            headline,
            newest,
            points: standing.points,
            last_drill: facts.last_drill.clone(),
            remarks,
            fault: seen.fault.clone(),
            working: seen.working.iter().map(|(job, at)| (*job, *at)).collect(),
            steps: facts.steps.clone(),
            turns: seen.turns.clone(),
            last: seen
                .last
                .iter()
                .map(|(job, last)| (*job, last.clone()))
                .collect(),
            members: rows.collect(),
            companions: facts.companions.clone(),
            timeline: Timeline::of(&members, &facts.recent, now),
        }
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let main = html! {
            h1 { "Group " (self.group) }
            (self.head())
            @if !self.remarks.is_empty() || self.fault.is_some() { (self.notices()) }
            div.columns {
                (self.work())
                (self.next())
            }
            @if let Some(timeline) = &self.timeline {
                section aria-labelledby="marks" { h2 id="marks" { "Marks and pieces" } (timeline.svg()) }
            }
            section aria-labelledby="members" {
                h2 id="members" { "Members" }
                (table(&self.members, self.now))
            }
            @if !self.companions.is_empty() {
                section aria-labelledby="beside" {
                    h2 id="beside" { "Beside the group" }
                    (companions::table(&self.companions, self.now))
                }
            }
        };
        page(Some(&self.group), "Group", &main)
    }

    fn head(&self) -> Markup {
        html! {
            section class={ "headline " (self.level.class()) } role="status" {
                p.big { (self.headline) }
                @if let Some((mark, at)) = &self.newest {
                    p { "Newest point " a.mono href={ "/set?name=" (mark) } { (mark) } ", "
                        (time(*at, self.now)) "; " (self.points) " points in all" }
                } @else {
                    p { "A full and then a log make one: " code { "stopmark backup full" } ", "
                        code { "stopmark backup log" } }
                }
                @match &self.last_drill {
                    Some(drill) => (last_drill(drill, self.now)),
                    None => p.soft { "No drill was ever held: nobody knows whether a restore works" },
                }
                @if let Some(role) = &self.role { p { "This agent: " strong { (role) } } }
            }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            section.warn aria-labelledby="notices" {
                h2 id="notices" { "What somebody should know" }
                ul.plain { @for remark in &self.remarks { li { (remark) } } }
                @if let Some(fault) = &self.fault {
                    p { "The configuration file has faults; the one before stays in force:" }
                    pre { (fault) }
                }
            }
        }
    }

    fn work(&self) -> Markup {
        html! {
            section aria-labelledby="work" {
                h2 id="work" { "At work" }
                @if self.working.is_empty() { p.soft { "Nothing is at work." } }
                @for (job, since) in &self.working {
                    p { (badge(Level::Good, job.word())) " since " (time(*since, self.now)) }
                }
                @for step in &self.steps { (step_at_work(step)) }
                @if !self.last.is_empty() { (self.ends()) }
            }
        }
    }

    fn ends(&self) -> Markup {
        html! {
            div.scroll tabindex="0" { table {
                caption.skip { "How each job last ended" }
                thead { tr { th scope="col" { "Last" } th scope="col" { "Ended" } th scope="col" { "How" } } }
                tbody { @for (job, last) in &self.last { tr {
                    td { (job.word()) }
                    td { (time(last.ended_at, self.now)) }
                    td { (end(last)) }
                } } }
            } }
        }
    }

    fn next(&self) -> Markup {
        html! {
            section aria-labelledby="next" {
                h2 id="next" { "Next" }
                @if self.turns.is_empty() { p.soft { "Nothing else is due." } }
                @else { div.scroll tabindex="0" { table {
                    thead { tr { th scope="col" { "Job" } th scope="col" { "When" } th scope="col" { "Why" } } }
                    tbody { @for turn in &self.turns { tr {
                        td { (turn.job.word()) }
                        td { @if turn.at <= self.now { "now" } @else { (time(turn.at, self.now)) } }
                        td { (why(turn, self.now)) }
                    } } }
                } } }
            }
        }
    }
}

fn last_drill(drill: &LastDrill, now: Timestamp) -> Markup {
    let mark = &drill.mark;
    html! {
        p { "Last drill: " a.mono href={ "/set?name=" (mark) } { (mark) } " "
            @if drill.passed { (badge(Level::Good, "passed")) } @else { (badge(Level::Bad, "failed")) }
            @if let Some(at) = drill.begun_at { ", " (time(at, now)) } }
    }
}

fn step_at_work(step: &StepSeen) -> Markup {
    html! {
        p { (step.label) @if let Some(percent) = step.done_percent() { ": " (percent) " %" } }
        @if let Some(percent) = step.done_percent() {
            progress max="100" value=(percent) aria-label=(step.label) { (percent) " %" }
        }
    }
}

fn end(last: &Last) -> Markup {
    let words = last.end.words();
    match (last.end.is_good(), last.end.is_stopped()) {
        (true, _) => badge(Level::Good, &words),
        (false, true) => html! { (words) },
        (false, false) => html! { (badge(Level::Bad, "trouble")) " " (words) },
    }
}

/// The members by configuration, and those that the newest sets know beside them.
fn members_of(config: &Config, recent: &[Listed]) -> Vec<MemberName> {
    let configured = config.members.iter().map(|member| &member.name);
    let newest = recent.iter().take(1).flat_map(|listed| &listed.set.members);
    let all: BTreeSet<&MemberName> = configured.chain(newest).collect();
    all.into_iter().cloned().collect()
}

/// A newest point that is older than two log runs and some time to spare, or than a day where no log run comes.
fn grown_old(config: &Config, standing: &Standing, now: Timestamp) -> Option<String> {
    const SPARE_MS: i64 = 15 * 60 * 1000;
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let age = now.millis() - standing.newest_point.as_ref()?.mark.placed_at.millis();
    let log = config.schedule.jobs.get(&Job::Log);
    let next = log.and_then(|log| log.next_after(now));
    let after = log.zip(next).and_then(|(log, next)| log.next_after(next));
    let between = next
        .zip(after)
        .map(|(next, after)| after.millis() - next.millis());
    let most = between.map_or(DAY_MS, |between| 2 * between + SPARE_MS);
    (age > most).then(|| {
        let (old, every) = (rough(age), between.map(rough));
        let every = every.map_or_else(
            || "no log run is in the schedule".to_owned(),
            |every| format!("a log run comes every {every}"),
        );
        format!("the newest point is {old} old, and {every}")
    })
}

fn remarks(config: &Config, facts: &GroupFacts) -> Vec<String> {
    let seen = &facts.seen;
    let mut remarks: Vec<String> = Vec::new();
    if let Some((marked, breaks)) = &facts.standing.held_back {
        for (member, why) in worded(&marked.mark, breaks, &facts.ends) {
            remarks.push(format!(
                "{} is held back: {member}: {why}",
                marked.mark.name
            ));
        }
    }
    let unfinished = facts.unfinished;
    if unfinished > 0 {
        remarks.push(format!(
            "{unfinished} unfinished runs: the next one goes on with them"
        ));
    }
    if facts.backlog.pieces > 0 {
        remarks.push(backlog_words(&facts.backlog));
    }
    let has_logs = config.schedule.jobs.contains_key(&Job::Log);
    remarks.extend(seen.broken.iter().map(|it| it.line(has_logs)));
    remarks.extend(seen.alarms.iter().map(Alarm::line));
    if let Some(waiting) = &seen.waiting {
        remarks.push(format!("what is due waits: {waiting}"));
    }
    if let Some(undelivered) = &seen.undelivered {
        remarks.push(format!("a notice reached nobody: {undelivered}"));
    }
    if seen.is_stopping {
        remarks.push("the service is stopping".to_owned());
    }
    remarks
}
