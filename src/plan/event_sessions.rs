//! Steps that make and drop the event sessions that hear errors of others, and when they are wanted.
//!
//! Start at [`add`]. A session is made by `group prepare`, never by a backup: it changes the host, and needs a right
//! (`ALTER ANY EVENT SESSION`) that backups do not need. Every host with a replica of a member has one, so that errors are
//! heard from the first moment after a failover, and those of backups on a secondary replica too.

use serde::{Deserialize, Serialize};

use super::assess::warning;
use super::prepare::PrepareAsked;
use super::{Step, Warning};
use crate::chain::errors;
use crate::config::Config;
use crate::error::Code;
use crate::model::HostName;
use crate::survey::{EventSession, HostFacts, HostReport, Survey, event_session_name};

/// An Extended Events session on `error_reported` with a file of its own, which starts with its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnsureEventSession {
    /// Its name, which is its file's too.
    pub name: String,
    /// The errors that it keeps.
    pub numbers: Vec<i32>,
    /// There is one already, which does not run.
    pub exists: bool,
}

/// Drops the event session of [`EnsureEventSession`]; its files are left to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveEventSession {
    /// Its name.
    pub name: String,
}

/// The steps for every host that has a member or a replica of one, and what stands against one. What is removed is
/// removed wherever it is found: a host that has lost its replica has its session still.
pub(super) fn add(
    cfg: &Config,
    survey: &Survey,
    asked: PrepareAsked,
    warnings: &mut Vec<Warning>,
) -> Vec<(HostName, Step)> {
    let wanted = survey.possible_homes(cfg);
    let name = event_session_name(&cfg.group);
    let mut steps = Vec::new();
    for host in cfg.hosts.keys() {
        let is_wanted = wanted.contains(host);
        match survey.hosts.get(host) {
            Some(HostReport::Facts(facts)) if is_wanted || asked == PrepareAsked::Remove => {
                match step_for(&name, facts, asked) {
                    Ok(step) => steps.extend(step.map(|step| (host.clone(), step))),
                    Err(reason) if is_wanted => warnings.push(without(host, reason)),
                    Err(_) => {}
                }
            }
            Some(HostReport::Silent { code, message, .. }) if is_wanted => {
                warnings.push(unasked(host, code, message));
            }
            Some(_) | None => {}
        }
    }
    steps
}

/// A warning for each host whose session was made and hears nothing now. One that was never made is told by `check`: who
/// wants none need not hear of it in every run.
pub(super) fn deaf(cfg: &Config, survey: &Survey) -> Vec<Warning> {
    let hosts = survey.possible_homes(cfg).into_iter();
    let told = hosts.filter_map(|host| {
        let (why, hint) = match &survey.host(host)?.event_session {
            EventSession::Stopped { .. } => (
                "our event session does not run".to_owned(),
                "run `stopmark group prepare`, which starts it again",
            ),
            EventSession::Unreadable { why } => (
                format!("our event session cannot be read: {why}"),
                "look after the files of the session in the host's log folder; `stopmark group prepare --remove` and \
                 `stopmark group prepare` make it anew",
            ),
            EventSession::Unknown | EventSession::Absent { .. } | EventSession::Running => {
                return None;
            }
        };
        let message = format!("error 1475 and its kin are not heard on host `{host}`: {why}");
        Some(warning(Code::EventsUnheard, message, hint))
    });
    told.collect()
}

fn step_for(
    name: &str,
    facts: &HostFacts,
    asked: PrepareAsked,
) -> Result<Option<Step>, &'static str> {
    let ensure = |exists| {
        Step::EnsureEventSession(EnsureEventSession {
            name: name.to_owned(),
            numbers: errors::heard().collect(),
            exists,
        })
    };
    let remove = Step::RemoveEventSession(RemoveEventSession {
        name: name.to_owned(),
    });
    match (asked, &facts.event_session) {
        (_, EventSession::Unknown) => Err("VIEW SERVER STATE"),
        (PrepareAsked::Make, EventSession::Absent { may_make: true }) => Ok(Some(ensure(false))),
        (PrepareAsked::Make, EventSession::Stopped { may_make: true }) => Ok(Some(ensure(true))),
        (
            PrepareAsked::Make,
            EventSession::Absent { may_make: false } | EventSession::Stopped { may_make: false },
        ) => Err("ALTER ANY EVENT SESSION"),
        (PrepareAsked::Make, EventSession::Running | EventSession::Unreadable { .. })
        | (PrepareAsked::Remove, EventSession::Absent { .. }) => Ok(None),
        (
            PrepareAsked::Remove,
            EventSession::Stopped { .. } | EventSession::Running | EventSession::Unreadable { .. },
        ) => Ok(Some(remove)),
    }
}

fn without(host: &HostName, right: &str) -> Warning {
    warning(
        Code::RightMissing,
        format!(
            "error 1475 and its kin will not be heard on host `{host}`: the login lacks {right}"
        ),
        "grant it to the login, then run `stopmark group prepare` again",
    )
}

fn unasked(host: &HostName, code: &str, message: &str) -> Warning {
    Warning {
        code: code.to_owned(),
        message: format!("the event session on host `{host}` is left as it is: {message}"),
        hint: Some("run `stopmark group prepare` again once the host answers".to_owned()),
    }
}
