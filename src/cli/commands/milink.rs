//! `stopmark milink check|prepare|script|watch`: members on their way to an Azure SQL Managed Instance.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::backup::members;
use super::link::survey_of;
use super::{Failed, end_run, one, shown};
use crate::cli::args::{Common, MilinkArgs, MilinkCommand, MilinkScriptArgs, MilinkWatchArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::PolicyConfig;
use crate::error::{Code, Error, Exit, Result};
use crate::milink::{
    Candidate, MilinkCure, MilinkRow, Standing, examine, group_names, has_fit_chain,
    is_system_database,
};
use crate::model::{HostName, MemberName};
use crate::plan::{BackupKind, far_side};
use crate::report::milink::MilinkReport;
use crate::report::milink_script::{AzureNames, LinkSteps};
use crate::run::events::Verdict;
use crate::run::{self, BackupWanted, Interrupt};
use crate::sql::MilinkNames;
use crate::survey::{MilinkFacts, RecoveryModel, Survey};

/// A chain is begun anew at most so often: 1475 may be met while the first new one is made.
const CHAINS_MAX: u8 = 2;

/// Checks, prepares, writes the steps, or follows the seeding.
pub(super) async fn milink(
    common: &Common,
    command: MilinkCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    match command {
        MilinkCommand::Check(args) => check(common, args, out).await,
        MilinkCommand::Prepare(args) => prepare(common, args, out, interrupt).await,
        MilinkCommand::Script(args) => script(common, &args, out).await,
        MilinkCommand::Watch(args) => watch(common, args, out, interrupt).await,
    }
}

impl Shown for MilinkReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

/// System databases are no members and are refused by a row, others that are no members by an error.
async fn check(common: &Common, args: MilinkArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let (system, named): (Vec<_>, Vec<_>) = args
        .members
        .into_iter()
        .partition(|name| is_system_database(&name.database));
    let mut asked = members(&agent, named).await.map_err(one)?;
    asked.extend(system);
    let survey = survey_of(&agent).await;
    let mut rows = Vec::new();
    for (facts, names) in by_host(&agent, &survey, asked).await.map_err(one)? {
        rows.extend(rows_of(&agent, &survey, &facts, names));
    }
    let report = MilinkReport::of(rows);
    shown(out, &report, report.exit())
}

type ByHost = Vec<(MilinkFacts, Vec<MemberName>)>;

/// Each host that has one of these members now, with what it has for links.
async fn by_host(agent: &Agent, survey: &Survey, members: Vec<MemberName>) -> Result<ByHost> {
    let mut hosts: BTreeMap<HostName, Vec<MemberName>> = BTreeMap::new();
    for member in members {
        let home = survey.home(&member).clone();
        hosts.entry(home).or_default().push(member);
    }
    let mut found = ByHost::new();
    for (host, members) in hosts {
        let databases: Vec<_> = members
            .iter()
            .map(|member| member.database.clone())
            .collect();
        let facts = agent.world.fleet.milink_facts(&host, &databases).await?;
        found.push((facts, members));
    }
    Ok(found)
}

fn rows_of(
    agent: &Agent,
    survey: &Survey,
    facts: &MilinkFacts,
    names: Vec<MemberName>,
) -> Vec<MilinkRow> {
    let candidate = |name: MemberName| Candidate {
        facts: survey.member(&name),
        name,
    };
    let candidates: Vec<Candidate<'_>> = names.into_iter().map(candidate).collect();
    let today = agent.world.clock.now().civil_utc().date();
    examine(facts, &candidates, today)
}

/// Members whose chain is not as a link needs it.
fn unfit(survey: &Survey, members: &[MemberName]) -> Vec<MemberName> {
    let is_fit = |name: &&MemberName| survey.member(name).is_some_and(has_fit_chain);
    members
        .iter()
        .filter(|name| !is_fit(name))
        .cloned()
        .collect()
}

/// A new chain for every member that needs one, through the same runs that mend 1475; once more where the host still
/// reports that error afterwards.
async fn prepare(
    common: &Common,
    args: MilinkArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let asked = members(&agent, args.members).await.map_err(one)?;
    let mut survey = survey_of(&agent).await;
    refuse_other_models(&survey, &asked).map_err(one)?;
    let mut needy = unfit(&survey, &asked);
    if needy.is_empty() {
        let words =
            "every chain is as a link needs it: a full that is not copy-only, and a log after it";
        return shown(out, &Said::of(words), Exit::Ok);
    }
    let mut chains = 0;
    loop {
        chains += 1;
        let wanted = BackupWanted {
            kind: BackupKind::Full,
            new_chain: needy,
        };
        let record = run::back_up(&agent.world, &agent.config, &wanted, interrupt).await;
        let released = agent.world.store.release_lease(&agent.config.group).await;
        let record = record.map_err(one)?;
        released.map_err(one)?;
        survey = survey_of(&agent).await;
        needy = unfit(&survey, &asked);
        let is_done = matches!(record.ended, Some((Verdict::Done, _)));
        if needy.is_empty() || chains == CHAINS_MAX || !is_done {
            let exit = end_run(out, &record)?;
            return Ok(if needy.is_empty() || exit != Exit::Ok {
                exit
            } else {
                Exit::Failed
            });
        }
    }
}

/// The recovery model is the owner's to choose: FULL means log backups for ever.
fn refuse_other_models(survey: &Survey, members: &[MemberName]) -> Result<()> {
    let is_full = |name: &&MemberName| {
        let facts = survey.member(name);
        facts.is_some_and(|facts| facts.recovery_model == RecoveryModel::Full)
    };
    let Some(other) = members.iter().find(|name| !is_full(name)) else {
        return Ok(());
    };
    let message = format!("`{other}` is not in the FULL recovery model");
    Err(Error::new(Code::RecoverySimple, message)
        .hint("`stopmark milink check` prints the statement that changes it; nothing was done"))
}

#[derive(Serialize)]
struct Said {
    text: String,
}

impl Said {
    fn of(words: &str) -> Self {
        Self {
            text: format!("{words}\n"),
        }
    }
}

impl Shown for Said {
    fn text(&self) -> String {
        self.text.clone()
    }
}

#[derive(Serialize)]
struct Scripts {
    links: Vec<LinkSteps>,
}

impl Shown for Scripts {
    fn text(&self) -> String {
        let texts: Vec<String> = self.links.iter().map(LinkSteps::text).collect();
        texts.join("\n")
    }
}

/// Keys and endpoint are made once, by the first link's steps.
async fn script(
    common: &Common,
    args: &MilinkScriptArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let asked = members(&agent, args.members.members.clone())
        .await
        .map_err(one)?;
    let survey = survey_of(&agent).await;
    let azure = AzureNames {
        resource_group: args.resource_group.clone(),
        subscription: args.subscription.clone(),
    };
    let mut links = Vec::new();
    for (facts, names) in by_host(&agent, &survey, asked).await.map_err(one)? {
        let rows = rows_of(&agent, &survey, &facts, names.clone());
        let mut keys = key_cures(rows);
        for member in &names {
            let names = link_names(&facts, member, args);
            links.push(LinkSteps::of(
                &facts,
                &names,
                &azure,
                &std::mem::take(&mut keys),
            ));
        }
    }
    shown(out, &Scripts { links }, Exit::Ok)
}

fn key_cures(rows: Vec<MilinkRow>) -> Vec<MilinkCure> {
    let failed = rows
        .into_iter()
        .filter(|row| row.standing == Standing::Fail);
    let is_key = |cure: &MilinkCure| {
        matches!(
            cure,
            MilinkCure::MasterKey
                | MilinkCure::Certificate { .. }
                | MilinkCure::Endpoint { .. }
                | MilinkCure::AlterEndpoint { .. }
        )
    };
    failed.filter_map(|row| row.cure).filter(is_key).collect()
}

fn link_names(facts: &MilinkFacts, member: &MemberName, args: &MilinkScriptArgs) -> MilinkNames {
    let short = args.instance.split('.').next().unwrap_or_default();
    let database = &member.database;
    let [group, distributed_group] = group_names(database);
    MilinkNames {
        host: facts.true_name.clone(),
        database: database.clone(),
        endpoint_url: format!("tcp://{}", args.endpoint),
        group,
        distributed_group,
        instance: short.to_owned(),
        instance_fqdn: args.instance.clone(),
    }
}

/// How seeding stands, for people.
fn seeding_words(policy: &PolicyConfig, survey: &Survey, member: &MemberName) -> (String, bool) {
    let facts = survey.member(member);
    if let Some(told) = facts.and_then(|facts| far_side(member, facts)) {
        return (told.message, false);
    }
    let replica = facts.and_then(|facts| facts.replica.as_ref());
    if let Some(why) = replica.and_then(|replica| replica.seeding_failure.as_ref()) {
        let words = format!(
            "{member}: its seeding failed: {why}; log backups go on. Drop the link and its distributed group as \
             `stopmark milink script` says, run `stopmark milink prepare {member}`, and make the link anew"
        );
        return (words, false);
    }
    let Some(seeding) = facts.and_then(|facts| facts.seeding) else {
        return (format!("{member}: no seeding goes on"), false);
    };
    let (used, most) = (seeding.log_used_percent, policy.log_used_max);
    let pause = if seeding.keeps_log {
        "log backups may go on, since trace flag 12381 is on".to_owned()
    } else {
        format!(
            "its log backups are paused (SM0507), since one would break the link (1412, 1408); its log is {used} % full, \
             and no mark of this time can be restored to; trace flag 12381 would end the pause, which ends by \
             itself at {most} % (`log_used_max`), or when its newest log is as old as `pause_max` says"
        )
    };
    (format!("{member}: being seeded; {pause}"), true)
}

/// Looks until no seeding goes on any more; says something only where it changed.
async fn watch(
    common: &Common,
    args: MilinkWatchArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let asked = members(&agent, args.members.members).await.map_err(one)?;
    let mut told = String::new();
    loop {
        let survey = survey_of(&agent).await;
        let mut lines = Vec::new();
        let mut goes_on = false;
        for member in &asked {
            let (line, is_seeding) = seeding_words(&agent.config.policy, &survey, member);
            goes_on |= is_seeding;
            lines.push(line);
        }
        let text = lines.join("\n");
        if text != told {
            shown(out, &Said::of(&text), Exit::Ok)?;
            told = text;
        }
        if interrupt.is_asked() {
            return Ok(Exit::Interrupted);
        }
        if !goes_on || args.once {
            return Ok(Exit::Ok);
        }
        let clock = &agent.world.clock;
        clock
            .sleep_until(clock.monotonic() + Duration::from_secs(args.every))
            .await;
    }
}
