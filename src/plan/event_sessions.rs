//! Steps that make and drop the event sessions that hear errors of others, and when they are wanted.
//!
//! Start at [`add`]. A session is made by `group prepare`, never by a backup: it changes the host, and needs a right
//! (`ALTER ANY EVENT SESSION`) that backups do not need.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::assess::warning;
use super::prepare::PrepareAsked;
use super::{Step, Warning};
use crate::chain::errors;
use crate::config::Config;
use crate::error::Code;
use crate::model::HostName;
use crate::survey::{EventSession, HostFacts, Survey, event_session_name};

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

/// The steps for every host that has a member, and what stands against one.
pub(super) fn add(
    cfg: &Config,
    survey: &Survey,
    asked: PrepareAsked,
    warnings: &mut Vec<Warning>,
) -> Vec<(HostName, Step)> {
    let hosts: BTreeSet<&HostName> = survey
        .members
        .iter()
        .map(|member| survey.home(member))
        .collect();
    let name = event_session_name(&cfg.group);
    let mut steps = Vec::new();
    for (host, facts) in hosts
        .into_iter()
        .filter_map(|host| Some((host, survey.host(host)?)))
    {
        match step_for(&name, facts, asked) {
            Ok(step) => steps.extend(step.map(|step| (host.clone(), step))),
            Err(reason) => warnings.push(without(host, reason)),
        }
    }
    steps
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
