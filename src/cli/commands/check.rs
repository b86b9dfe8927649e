//! `stopmark check`: everything that a run will need, looked at before it is needed.
//!
//! Start at [`check`]. It changes nothing, but for a tiny backup of `model` on each share and a probe object in
//! the store: these are a run of their own, planned, written down and removed again, by the next start if need be.

use std::path::Path;

use super::backup::look_beside;
use super::check_support::check_support;
use super::link::survey_of;
use super::{Failed, rivals, shown};
use crate::cli::args::{CheckArgs, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::{Encryption, LoginConfig, OsSecrets, exposure, secrets_named};
use crate::error::{Code, Exit};
use crate::model::{HostName, MemberName};
use crate::plan::dropped_member;
use crate::plan::{LinksAsked, Plan, Step, plan_check, plan_links};
use crate::report::check::{CheckReport, Finding, Severity};
use crate::report::run::step_words;
use crate::run::record::{Record, Round, StepState};
use crate::run::{self, Interrupt, PlanNames};
use crate::service::alarm;
use crate::survey::{
    EventSession, HostFacts, HostReport, MemberFacts, MemberState, RecoveryModel, Survey,
};

/// Checks hosts, members, links, shares, store and schedules; or prints what would be tried.
pub(super) async fn check(
    common: &Common,
    args: &CheckArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let mut agent = agent(common, Access::Read)?;
    let survey = survey_of(&agent).await;
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let trials = plan_check(&agent.config, &survey, &mut names, now);
    if args.dry_run {
        return shown(out, &trials, Exit::Ok);
    }
    let mut report = look(&agent, &survey);
    look_at_room(&agent, &survey, &mut report).await;
    look_beside(&agent, &mut report).await;
    rivals::check(&agent, &survey, &mut report).await;
    check_secrets(common, &mut report);
    try_out(&mut agent, &survey, &trials, &mut report, interrupt).await;
    check_sealing(&agent, &mut report);
    report.schedules(&agent.config, agent.world.clock.now());
    let exit = report.exit();
    let exit = if interrupt.is_asked() {
        Exit::Interrupted
    } else {
        exit
    };
    shown(out, &report, exit)
}

/// What the survey says.
fn look(agent: &Agent, survey: &Survey) -> CheckReport {
    let mut report = CheckReport::new(&agent.config.group);
    let homes = survey.possible_homes(&agent.config);
    for (name, host) in &survey.hosts {
        match host {
            HostReport::Facts(facts) => {
                check_host(agent, facts, &mut report);
                // A host with a secondary replica has the member after a failover.
                if homes.contains(name) || !facts.members.is_empty() {
                    check_event_session(name.as_str(), &facts.event_session, &mut report);
                }
            }
            HostReport::Silent {
                code,
                message,
                hint,
                ..
            } => report.add(Finding {
                severity: Severity::Error,
                about: name.to_string(),
                code: Some(code.clone()),
                message: message.clone(),
                hint: hint.clone(),
            }),
        }
    }
    for member in &survey.members {
        check_member(survey, member, &mut report);
    }
    for unresolved in &survey.unresolved {
        let message = format!(
            "member `{}` is on a server that is not configured",
            unresolved.database
        );
        report.warn(
            &unresolved.server,
            Code::MemberMissing,
            &message,
            "add the server under `[hosts]`",
        );
    }
    for member in &survey.dropped {
        let told = dropped_member(member);
        let hint = told.hint.unwrap_or_default();
        report.warn(
            &member.to_string(),
            Code::TopologyDrift,
            &told.message,
            &hint,
        );
    }
    check_links(agent, survey, &mut report);
    report
}

/// How much room the logs of members and their disks have left. A right that is missing is told with the others.
async fn look_at_room(agent: &Agent, survey: &Survey, report: &mut CheckReport) {
    let limits = &agent.config.service.alarms;
    for (host, said) in &survey.hosts {
        let HostReport::Facts(facts) = said else {
            continue;
        };
        let own: Vec<_> = facts.members.keys().cloned().collect();
        if own.is_empty() {
            continue;
        }
        match agent.world.fleet.room(host, &own).await {
            Ok(room) => {
                let alarms = alarm::of_room(limits, host, &room);
                if alarms.is_empty() {
                    report.fine(host.as_str(), "logs and disks have room");
                }
                for alarm in alarms {
                    report.add(Finding {
                        severity: Severity::Warning,
                        about: alarm.about,
                        code: Some(alarm.code),
                        message: alarm.message,
                        hint: Some(alarm.hint),
                    });
                }
            }
            Err(error) if error.code() == Code::RightMissing => {}
            Err(error) => report.untried(&format!("{host}: room"), &error),
        }
    }
}

fn check_host(agent: &Agent, facts: &HostFacts, report: &mut CheckReport) {
    let about = facts.true_name.as_str();
    let (version, edition, scheme) = (&facts.version, &facts.edition, &facts.auth_scheme);
    report.fine(
        about,
        &format!("SQL Server {version}, {edition}, login by {scheme}"),
    );
    check_support(agent, facts, report);
    for right in &facts.missing_rights {
        let message = format!("the login lacks a right: {right}");
        let login = login_words(agent, &facts.true_name);
        let hint = format!(
            "an administrator of this host grants it to {login}: `stopmark grants --host {about}` prints how"
        );
        report.fault(about, Code::RightMissing, &message, &hint);
    }
    check_restoring(agent, facts, report);
    if !facts.is_encrypted {
        report.warn(
            about,
            Code::HostTls,
            "the connection is not encrypted",
            "set `encryption = \"required\"`",
        );
    }
    let Some(config) = agent.config.host(&facts.true_name) else {
        return;
    };
    if config.trust_any_certificate {
        let hint = "give the CA's file as `trust_ca` and remove `trust_any_certificate`";
        report.warn(
            about,
            Code::HostTls,
            "WEAK: any certificate is trusted",
            hint,
        );
    }
    if config.encryption == Encryption::LoginOnly {
        let hint = "set `encryption = \"required\"`";
        report.warn(
            about,
            Code::HostTls,
            "WEAK: only the login is encrypted",
            hint,
        );
    }
}

/// A host without members, and one for drills, is there to be restored to.
fn check_restoring(agent: &Agent, facts: &HostFacts, report: &mut CheckReport) {
    let drill = agent.config.drill.iter();
    let mut drill_hosts = drill.flat_map(|drill| &drill.hosts);
    let is_target =
        facts.members.is_empty() || drill_hosts.any(|name| name.is_same_host(&facts.true_name));
    for right in facts.missing_to_restore.iter().filter(|_| is_target) {
        let about = facts.true_name.as_str();
        let message = format!("the login lacks a right that restores onto this host need: {right}");
        let hint = format!("`stopmark grants --host {about} --for restore` prints the T-SQL");
        report.warn(about, Code::RightMissing, &message, &hint);
    }
}

/// Whether others can read or change what the configuration keeps secret.
fn check_secrets(common: &Common, report: &mut CheckReport) {
    let (uses, _) = secrets_named(&common.config, &OsSecrets);
    let mut files: Vec<&Path> = uses.iter().filter_map(|it| it.place.file()).collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        if let Some(exposure) = exposure(file) {
            let about = format!("secret file `{}`", file.display());
            let hint = "`chmod go-w,o-r FILE` takes it away from them";
            report.warn(&about, Code::SecretExposed, &exposure, hint);
        }
    }
}

/// Whether the host keeps errors of others for us; a backup needs it not, so that its lack is no fault.
fn check_event_session(about: &str, session: &EventSession, report: &mut CheckReport) {
    let why = match session {
        EventSession::Running => {
            return report.fine(
                about,
                "error 1475 and its kin are heard, whoever meets them",
            );
        }
        EventSession::Unknown => "the login lacks VIEW SERVER STATE".to_owned(),
        EventSession::Absent { .. } => "there is no event session of ours".to_owned(),
        EventSession::Stopped { .. } => "our event session does not run".to_owned(),
        EventSession::Unreadable { why } => format!("our event session cannot be read: {why}"),
    };
    let message = format!("error 1475 and its kin are not heard: {why}");
    let hint = "run `stopmark group prepare`; the login needs ALTER ANY EVENT SESSION for it";
    report.warn(about, Code::EventsUnheard, &message, hint);
}

/// Who logs in, as the person who grants rights must know it.
fn login_words(agent: &Agent, host: &HostName) -> String {
    match agent.config.host(host).map(|host| &host.login) {
        Some(LoginConfig::Sql { user, .. }) => format!("the login `{user}`"),
        Some(LoginConfig::Integrated) | None => "the account that the agent runs as".to_owned(),
    }
}

fn check_member(survey: &Survey, member: &MemberName, report: &mut CheckReport) {
    // What a silent host holds is not known; the host itself is reported.
    if survey.host(survey.home(member)).is_none() {
        return;
    }
    let about = member.to_string();
    let Some(facts) = survey.member(member) else {
        let hint = "compare the name with `sys.databases`, and grant VIEW ANY DATABASE";
        report.fault(
            &about,
            Code::MemberMissing,
            "the database is not there",
            hint,
        );
        return;
    };
    rivals::check_primary(survey, member, facts, report);
    check_fitness(&about, facts, report);
    if !facts.mark_log.has_table
        || !facts.mark_log.has_procedure
        || !facts.mark_log.has_remote_procedure
    {
        let hint = "run `stopmark group prepare` (BizTalk: its `Backup_Setup_All_*.sql` scripts)";
        report.fault(
            &about,
            Code::MarkLogMissing,
            "what marks need is missing, or the login may not see it",
            hint,
        );
    }
}

fn check_fitness(about: &str, facts: &MemberFacts, report: &mut CheckReport) {
    match facts.state {
        MemberState::Online => {}
        MemberState::Restoring => {
            report.fault(
                about,
                Code::MemberUnfit,
                "the database is RESTORING",
                "finish or drop it",
            );
        }
        MemberState::Unusable => {
            report.fault(
                about,
                Code::MemberUnfit,
                "the database cannot be used",
                "look at its state on the host",
            );
        }
    }
    if facts.recovery_model == RecoveryModel::Simple {
        let hint = "ALTER DATABASE ... SET RECOVERY FULL; the next run then begins a chain";
        report.fault(
            about,
            Code::RecoverySimple,
            "the recovery model is SIMPLE",
            hint,
        );
    }
    if facts.is_read_only {
        report.fault(
            about,
            Code::MemberUnfit,
            "the database is read-only and takes no mark",
            "leave it out of the group",
        );
    }
}

fn check_links(agent: &Agent, survey: &Survey, report: &mut CheckReport) {
    let mut names = PlanNames(agent.world.ids.as_ref());
    let now = agent.world.clock.now();
    let plan = plan_links(
        &agent.config,
        survey,
        &LinksAsked::default(),
        &mut names,
        now,
    );
    for warning in &plan.warnings {
        report.add(Finding {
            severity: Severity::Error,
            about: "links".to_owned(),
            code: Some(warning.code.clone()),
            message: warning.message.clone(),
            hint: warning.hint.clone(),
        });
    }
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    for step in lanes.flat_map(|lane| &lane.steps) {
        if let Step::EnsureLink(link) = step {
            let message = format!("linked server `{}`: {}", link.link, link.reason);
            report.warn(
                "links",
                Code::LinkMissing,
                &message,
                "a run makes it, or `stopmark link apply` now",
            );
        }
    }
}

/// Tries shares and store. While another command acts, its journal must not be taken for a broken run's, nor
/// this one's for one: then nothing is tried, and said so.
async fn try_out(
    agent: &mut Agent,
    survey: &Survey,
    trials: &Plan,
    report: &mut CheckReport,
    interrupt: &Interrupt,
) {
    if let Err(error) = agent.begin_to_act() {
        return report.untried("shares and store", &error);
    }
    match run::check(&agent.world, &agent.config, trials, interrupt).await {
        Ok(record) => tell_trials(agent, survey, &record, report),
        Err(error) => report.untried("shares and store", &error),
    }
}

fn tell_trials(agent: &Agent, survey: &Survey, record: &Record, report: &mut CheckReport) {
    let hosts = agent.config.hosts.values();
    for host in hosts.filter(|host| survey.host(&host.name).is_some()) {
        let about = host.name.as_str();
        let Some(share) = &host.share else {
            report.fine(about, "share: no share configured");
            continue;
        };
        let is_own = |step: &Step, on: &HostName| {
            matches!(step, Step::TrialBackup(_)) && on.is_same_host(&host.name)
        };
        let fine = format!("`{}` is `{}`", share.sql, share.agent.display());
        report.trial(about, "share", state_of(record, is_own), &fine);
    }
    let fine = "writable, and honours create-if-absent";
    for store in agent.config.stores() {
        let is_probe = |step: &Step, _: &HostName| match step {
            Step::ProbeStore(probe) => probe.store.as_ref().is_none_or(|it| *it == store.name),
            _ => false,
        };
        let what = if agent.config.further_stores.is_empty() {
            "store".to_owned()
        } else {
            format!("store `{}`", store.name)
        };
        report.trial(&store.url, &what, state_of(record, is_probe), fine);
    }
    for (host, step) in record.untidied() {
        let mut failures = record.rounds.iter().rev().flat_map(Round::failures);
        if let Some((_, failure)) = failures.find(|(failed, _)| **failed == step) {
            report.failed(host.as_str(), &step_words(&step), failure);
        }
    }
}

fn check_sealing(agent: &Agent, report: &mut CheckReport) {
    if let Some(sealing) = &agent.config.sealing {
        let today = agent.world.clock.now().civil_utc().date();
        let trial = sealing.ring.trial();
        report.sealing(sealing, trial.as_ref(), today);
    }
}

/// What became of a step; none where it was not come to.
fn state_of(record: &Record, is_it: impl Fn(&Step, &HostName) -> bool) -> Option<&StepState> {
    let round = record.rounds.first()?;
    let mut steps = round.steps.iter();
    let (_, state) = steps.find(|(place, _)| {
        let step = round.step(**place).zip(round.lane(**place));
        step.is_some_and(|(step, lane)| is_it(step, &lane.host))
    })?;
    Some(state)
}

impl Shown for CheckReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
