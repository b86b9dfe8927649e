//! `stopmark check`: everything that a run will need, looked at before it is needed. Changes nothing, but for a
//! tiny backup of `model` and a probe object, which it removes again.

use super::link::survey_of;
use super::{Failed, shown};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::{Encryption, HostConfig, LoginConfig};
use crate::error::{Code, Error, Exit, Result};
use crate::model::{HostName, MemberName};
use crate::plan::{LinksAsked, plan_links, probe_stripe};
use crate::report::check::{CheckReport, Finding, Severity};
use crate::run::PlanNames;
use crate::survey::{HostFacts, HostReport, MemberFacts, MemberState, RecoveryModel, Survey};

/// Checks hosts, members, links, shares, store and schedules.
pub(super) async fn check(common: &Common, out: &mut Out<'_>) -> std::result::Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let mut report = CheckReport::new(&agent.config.group);
    let survey = survey_of(&agent).await;
    for (name, host) in &survey.hosts {
        match host {
            HostReport::Facts(facts) => check_host(&agent, facts, &mut report),
            HostReport::Silent {
                code,
                message,
                hint,
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
        check_member(&survey, member, &mut report);
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
    check_links(&agent, &survey, &mut report);
    for host in agent
        .config
        .hosts
        .values()
        .filter(|host| survey.host(&host.name).is_some())
    {
        report.outcome(host.name.as_str(), "share", check_share(&agent, host).await);
    }
    report.outcome(&agent.config.store.url, "store", check_store(&agent).await);
    report.schedules(&agent.config, agent.world.clock.now());
    let exit = report.exit();
    shown(out, &report, exit)
}

fn check_host(agent: &Agent, facts: &HostFacts, report: &mut CheckReport) {
    let about = facts.true_name.as_str();
    let (version, edition, scheme) = (&facts.version, &facts.edition, &facts.auth_scheme);
    report.fine(
        about,
        &format!("SQL Server {version}, {edition}, login by {scheme}"),
    );
    for right in &facts.missing_rights {
        let message = format!("the login lacks a right: {right}");
        let login = login_words(agent, &facts.true_name);
        let hint = format!("let an administrator of this host grant it to {login}");
        report.fault(about, Code::RightMissing, &message, &hint);
    }
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

/// Who logs in, as the person who grants rights must know it.
fn login_words(agent: &Agent, host: &HostName) -> String {
    match agent.config.host(host).map(|host| &host.login) {
        Some(LoginConfig::Sql { user, .. }) => format!("the login `{user}`"),
        Some(LoginConfig::Integrated) | None => "the account that the agent runs as".to_owned(),
    }
}

fn check_member(survey: &Survey, member: &MemberName, report: &mut CheckReport) {
    // What a silent host holds is not known; the host itself is reported.
    if survey.host(&member.host).is_none() {
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
        if let crate::plan::Step::EnsureLink(link) = step {
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

/// A backup of `model` goes to the share as the host sees it, and must appear as the agent sees it.
async fn check_share(agent: &Agent, host: &HostConfig) -> Result<String> {
    let Some(share) = &host.share else {
        return Ok("no share configured".to_owned());
    };
    let stripe = probe_stripe(share, &agent.config.group, agent.world.ids.next());
    let stripes = std::slice::from_ref(&stripe);
    agent.world.staging.make_room(stripes).await?;
    agent
        .world
        .fleet
        .probe_share(&host.name, &stripe.sql_path)
        .await?;
    let sizes = agent.world.staging.sizes(stripes).await?;
    agent.world.staging.remove(&[stripe.agent_path]).await?;
    if sizes.contains(&0) {
        return Err(Error::new(
            Code::ShareUnseen,
            "the file that the host wrote is empty here",
        )
        .hint("`share.sql` and `share.agent` must name one folder"));
    }
    Ok(format!("`{}` is `{}`", share.sql, share.agent.display()))
}

async fn check_store(agent: &Agent) -> Result<String> {
    if agent.world.store.honours_create().await? {
        return Ok("writable, and honours create-if-absent".to_owned());
    }
    Err(Error::new(
        Code::StoreOverwrites,
        "the store overwrites objects that are there",
    )
    .hint("only one agent may ever use it; prefer a store with conditional writes"))
}

impl Shown for CheckReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
