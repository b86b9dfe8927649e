//! Plans that make or remove what marks need in the members, and what hears errors on their hosts. Start at [`plan_prepare`].

use super::asked::Names;
use super::assess::{takes_marks, warning};
use super::event_sessions;
use super::stages::Stages;
use super::step_prepare::{PrepareMember, RemovePrepared};
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Warning};
use crate::config::{Config, HostConfig, LoginConfig, MarkLogKind};
use crate::error::Code;
use crate::model::{HostName, MemberName, PlanId, Timestamp};
use crate::survey::{MemberFacts, MemberState, Survey};

/// What `group prepare` is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareAsked {
    /// Make what is missing.
    Make,
    /// Take everything away that was made.
    Remove,
}

/// A plan that makes table, procedures and grants for marks in every member that lacks them, or removes them.
/// `BizTalk`'s own tables are never touched. Every host with a member, or a replica of one, gets its event session too.
pub fn plan_prepare(
    cfg: &Config,
    survey: &Survey,
    asked: PrepareAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let mut warnings = Vec::new();
    let mut stages = Stages::default();
    if cfg.mark_log == MarkLogKind::BizTalk {
        warnings.extend(lacking(cfg, survey, asked));
    } else {
        let mut steps: Vec<(HostName, Step)> = Vec::new();
        for member in survey.members.iter().map(|member| survey.place(member)) {
            match step_for(cfg, survey, asked, member) {
                Ok(step) => steps.extend(step.map(|step| (member.host.clone(), step))),
                Err(reason) => warnings.push(reason),
            }
        }
        stages.add(StageName::Prepare, OnFailure::Skip, steps);
    }
    let sessions = event_sessions::add(cfg, survey, asked, &mut warnings);
    stages.add(StageName::EventSessions, OnFailure::Skip, sessions);
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Prepare,
        round: 1,
        based_on: survey.id,
        made_at: now,
        stages: stages.into_vec(),
        warnings,
    }
}

/// The members that lack `BizTalk`'s mark log, which is not made here; one warning for all.
fn lacking(cfg: &Config, survey: &Survey, asked: PrepareAsked) -> Option<Warning> {
    let lacks = |member: &&MemberName| {
        let host = survey.host(&member.host);
        let facts = host.and_then(|host| host.members.get(&member.database));
        let is_remote = !member.host.is_same_host(&cfg.management_host);
        let is_online = |facts: &&MemberFacts| facts.state == MemberState::Online;
        facts
            .filter(is_online)
            .is_some_and(|facts| !takes_marks(facts, is_remote))
    };
    let places = survey.members.iter().map(|member| survey.place(member));
    let names: Vec<String> = places.filter(lacks).map(|it| format!("`{it}`")).collect();
    let is_told = asked == PrepareAsked::Make && !names.is_empty();
    is_told.then(|| {
        let names = names.join(", ");
        warning(
            Code::MarkLogMissing,
            format!("BizTalk's mark log is missing in {names}, and Stopmark does not make it"),
            "run BizTalk's `Backup_Setup_All_Tables.sql` and `Backup_Setup_All_Procs.sql` there",
        )
    })
}

fn step_for(
    cfg: &Config,
    survey: &Survey,
    asked: PrepareAsked,
    member: &MemberName,
) -> Result<Option<Step>, Warning> {
    let host = survey.host(&member.host);
    let Some(facts) = host.and_then(|host| host.members.get(&member.database)) else {
        let message = format!("member `{member}` was not found");
        return Err(warning(
            Code::MemberMissing,
            message,
            "check its host and its name",
        ));
    };
    if facts.state != MemberState::Online || facts.is_read_only {
        let message = format!("member `{member}` cannot be changed now");
        return Err(warning(
            Code::MemberUnfit,
            message,
            "bring it online and make it writable",
        ));
    }
    Ok(match asked {
        PrepareAsked::Make if is_prepared(facts) => None,
        PrepareAsked::Make => Some(Step::PrepareMember(PrepareMember {
            member: member.clone(),
            grantees: grantees(cfg, &member.host),
        })),
        PrepareAsked::Remove if is_untouched(facts) => None,
        PrepareAsked::Remove => Some(Step::RemovePrepared(RemovePrepared {
            member: member.clone(),
        })),
    })
}

const fn is_prepared(facts: &MemberFacts) -> bool {
    let log = &facts.mark_log;
    log.has_table && log.has_procedure && log.has_remote_procedure
}

const fn is_untouched(facts: &MemberFacts) -> bool {
    let log = &facts.mark_log;
    !log.has_table && !log.has_procedure && !log.has_remote_procedure
}

/// The logins that marks arrive as on this host: the agent's own, and the one that the link from the
/// management host maps to. Without a mapping the management host's login travels on.
fn grantees(cfg: &Config, host: &HostName) -> Vec<String> {
    let Some(own) = cfg.host(host) else {
        return Vec::new();
    };
    let arriving = match &own.link_login {
        Some(login) => Some(login),
        None if host.is_same_host(&cfg.management_host) => None,
        None => cfg
            .host(&cfg.management_host)
            .map(|management: &HostConfig| &management.login),
    };
    let mut users: Vec<String> = Vec::new();
    for login in std::iter::once(&own.login).chain(arriving) {
        if let LoginConfig::Sql { user, .. } = login
            && !users.contains(user)
        {
            users.push(user.clone());
        }
    }
    users
}
