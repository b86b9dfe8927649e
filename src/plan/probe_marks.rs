//! Plans that try the links with marks of their own: rolled back host by host, then, where asked for, one that is
//! committed. Start at [`plan_link_trial`].
//!
//! Such a mark has a prefix that no group's marks have, and no set is ever published on it: it is never a Point.

use std::collections::BTreeMap;

use super::asked::Names;
use super::assess::warning;
use super::event_sessions::RemoveEventSession;
use super::links::wanted_links;
use super::stages::Stages;
use super::step_probe::{ProbeMark, ReadWatch, WatchLink};
use super::{
    LinksAsked, MarkLeg, OnFailure, PLAN_FORMAT, PlaceMark, Plan, RunKind, StageName, Step, Warning,
};
use crate::config::Config;
use crate::error::Code;
use crate::model::{DatabaseName, HostName, MarkName, MarkPrefix, MemberName, PlanId, Timestamp};
use crate::survey::{LinkFacts, MemberFacts, MemberState, PROGRAM_NAME, Survey};

/// The prefix of marks that are tried; the second where a group has the first for its own.
const PREFIXES: [&str; 2] = ["SMPROBE", "SMTRIAL"];

/// What a trial of the links is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialAsked {
    /// Also commit one mark in every member, and measure what it cost.
    pub commits: bool,
    /// The newest stamp that was ever used: stamps rise above it.
    pub newest_stamp: Option<Timestamp>,
}

/// Where each member that can take a mark is, by host; the hosts in the order of their names.
type Places = BTreeMap<HostName, Vec<DatabaseName>>;

/// A plan of one trial for every host that marks reach through a link, each rolled back; then, where asked for, of one
/// mark that is committed in every member. Trials stand for themselves: each is made, whatever becomes of the others.
pub fn plan_link_trial(
    cfg: &Config,
    survey: &Survey,
    asked: TrialAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let (places, mut warnings) = places(survey);
    let mut stages = Stages::default();
    if let Some(reason) = nothing_to_try(cfg, survey) {
        warnings.push(reason);
    } else {
        let mut marks = Marks::new(cfg, survey, asked.newest_stamp, now);
        let others = places.keys();
        let others: Vec<_> = others.filter(|host| !marks.is_here(host)).collect();
        let trials: Vec<_> = others
            .iter()
            .map(|host| marks.probe(&places, |it| it == *host, false))
            .collect();
        stages.add(StageName::Trial, OnFailure::Pass, trials);
        if asked.commits && !places.is_empty() {
            let probe = marks.probe(&places, |_| true, true);
            stages.add(StageName::Trial, OnFailure::Pass, [probe]);
        }
    }
    plan_of(cfg, survey, names, now, stages, warnings)
}

/// A plan that watches one mark cross the link to `target`: an event session there, a mark that is committed, what was
/// seen, and the event session's end. Nothing of it is left but the mark.
pub fn plan_link_explain(
    cfg: &Config,
    survey: &Survey,
    target: &HostName,
    newest_stamp: Option<Timestamp>,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let (places, mut warnings) = places(survey);
    let mut stages = Stages::default();
    let reason = nothing_to_try(cfg, survey).or_else(|| no_way(cfg, survey, target, &places));
    if let Some(reason) = reason {
        warnings.push(reason);
        return plan_of(cfg, survey, names, now, stages, warnings);
    }
    let mut marks = Marks::new(cfg, survey, newest_stamp, now);
    let link = link_of(cfg, survey, &marks.link_to(target));
    let program = link.map_or(PROGRAM_NAME, LinkFacts::program).to_owned();
    let name = format!("stopmark_watch_{}", names.next().simple());
    let on_target = |step| [(target.clone(), step)];
    let watch = WatchLink {
        name: name.clone(),
        program: program.clone(),
    };
    stages.add(
        StageName::Trial,
        OnFailure::Unwind,
        on_target(Step::WatchLink(watch)),
    );
    let probe = marks.probe(&places, |it| it.is_same_host(target), true);
    stages.add(StageName::Trial, OnFailure::Pass, [probe]);
    let read = ReadWatch {
        name: name.clone(),
        program,
    };
    stages.add(
        StageName::Trial,
        OnFailure::Pass,
        on_target(Step::ReadWatch(read)),
    );
    let remove = RemoveEventSession { name };
    let remove = on_target(Step::RemoveEventSession(remove));
    stages.add(StageName::Clear, OnFailure::Pass, remove);
    plan_of(cfg, survey, names, now, stages, warnings)
}

/// Why no mark can cross a link to this host.
fn no_way(cfg: &Config, survey: &Survey, target: &HostName, places: &Places) -> Option<Warning> {
    if target.is_same_host(survey.management(cfg)) {
        let message = format!("marks begin on `{target}`: no link leads there");
        let hint = "name a host behind a link";
        return Some(warning(Code::LinkMissing, message, hint));
    }
    if !places.keys().any(|host| host.is_same_host(target)) {
        let message = format!("no member on `{target}` can take a mark");
        return Some(warning(
            Code::MemberMissing,
            message,
            "run `stopmark check`",
        ));
    }
    if link_of(cfg, survey, target.as_str()).is_none() {
        let message = format!("no linked server leads to `{target}`");
        return Some(warning(
            Code::LinkMissing,
            message,
            "run `stopmark link apply`",
        ));
    }
    None
}

fn link_of<'a>(cfg: &Config, survey: &'a Survey, name: &str) -> Option<&'a LinkFacts> {
    let management = survey.host(survey.management(cfg))?;
    let mut links = management.links.iter();
    links.find(|link| link.name.eq_ignore_ascii_case(name))
}

/// A plan of trials, with its stages.
fn plan_of(
    cfg: &Config,
    survey: &Survey,
    names: &mut dyn Names,
    now: Timestamp,
    stages: Stages,
    warnings: Vec<Warning>,
) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Check,
        round: 1,
        based_on: survey.id,
        made_at: now,
        stages: stages.into_vec(),
        warnings,
    }
}

/// Why no mark may be tried at all.
fn nothing_to_try(cfg: &Config, survey: &Survey) -> Option<Warning> {
    let host = survey.management(cfg);
    let Some(management) = survey.host(host) else {
        let message = format!("`{host}` does not answer, and marks begin there");
        let hint = "run `stopmark check`";
        return Some(warning(Code::HostUnreachable, message, hint));
    };
    let open = management.open_marks.first()?;
    let message = format!("mark `{open}` is open on `{host}`, and never are two");
    Some(warning(
        Code::MarkInFlight,
        message,
        "try again when it has ended",
    ))
}

/// The members that can take a mark, and why the others cannot.
fn places(survey: &Survey) -> (Places, Vec<Warning>) {
    let mut places = Places::new();
    let mut warnings = Vec::new();
    for member in &survey.members {
        match survey.member(member).map(unfit) {
            Some(None) => {
                let databases = places.entry(survey.home(member).clone()).or_default();
                databases.push(member.database.clone());
            }
            Some(Some((code, why, hint))) => {
                warnings.push(warning(code, left_out(member, why), hint));
            }
            None => {
                let why = "its host does not answer, or does not have it";
                let hint = "run `stopmark check`";
                warnings.push(warning(Code::MemberMissing, left_out(member, why), hint));
            }
        }
    }
    (places, warnings)
}

fn left_out(member: &MemberName, why: &str) -> String {
    format!("no mark is tried in `{member}`: {why}")
}

/// Why a member takes no mark.
fn unfit(facts: &MemberFacts) -> Option<(Code, &'static str, &'static str)> {
    let log = &facts.mark_log;
    if facts.state != MemberState::Online || facts.is_read_only {
        let hint = "look at its state on the host";
        Some((Code::MemberUnfit, "it cannot be written", hint))
    } else if !(log.has_table && log.has_procedure && log.has_remote_procedure) {
        let hint = "run `stopmark group prepare`";
        Some((Code::MarkLogMissing, "what marks need is missing", hint))
    } else {
        None
    }
}

/// Marks to be tried, each under a stamp of its own.
struct Marks<'a> {
    cfg: &'a Config,
    management: HostName,
    links: BTreeMap<HostName, String>,
    prefix: MarkPrefix,
    last: Option<Timestamp>,
    now: Timestamp,
}

impl<'a> Marks<'a> {
    fn new(cfg: &'a Config, survey: &Survey, last: Option<Timestamp>, now: Timestamp) -> Self {
        let links = wanted_links(cfg, survey, &survey.members, &LinksAsked::default());
        Self {
            cfg,
            management: survey.management(cfg).clone(),
            links: links.names,
            prefix: prefix_beside(&cfg.mark_prefix),
            last,
            now,
        }
    }

    fn is_here(&self, host: &HostName) -> bool {
        host.is_same_host(&self.management)
    }

    /// A mark in every member of the management host and of those hosts that are wanted.
    fn probe(
        &mut self,
        places: &Places,
        is_wanted: impl Fn(&HostName) -> bool,
        commits: bool,
    ) -> (HostName, Step) {
        let (mark, stamped_at) = MarkName::stamp(&self.prefix, self.now, self.last);
        self.last = Some(stamped_at);
        let here = places.iter().filter(|(host, _)| self.is_here(host));
        let there = places
            .iter()
            .filter(|(host, _)| !self.is_here(host) && is_wanted(host));
        let leg = |(host, databases): (&HostName, &Vec<DatabaseName>)| MarkLeg {
            host: host.clone(),
            link: self.link_to(host),
            databases: databases.clone(),
        };
        let place = PlaceMark {
            mark,
            stamped_at,
            mark_log: self.cfg.mark_log,
            management_host: self.management.clone(),
            local: here.flat_map(|(_, databases)| databases.clone()).collect(),
            remote: there.map(leg).collect(),
            app_lock: super::mark::app_lock(self.cfg),
            timeout_ms: super::mark::timeout_ms(self.cfg),
            tracking: None,
            by_procedure: None,
        };
        let host = self.management.clone();
        (host, Step::ProbeMark(ProbeMark { place, commits }))
    }

    fn link_to(&self, host: &HostName) -> String {
        let mut links = self.links.iter();
        let found = links.find(|(target, _)| target.is_same_host(host));
        found.map_or_else(|| host.to_string(), |(_, link)| link.clone())
    }
}

fn prefix_beside(own: &MarkPrefix) -> MarkPrefix {
    let prefixes = PREFIXES.map(|text| text.parse().expect("letters, and at most eight"));
    let [first, second]: [MarkPrefix; 2] = prefixes;
    if own.as_str().eq_ignore_ascii_case(first.as_str()) {
        second
    } else {
        first
    }
}
