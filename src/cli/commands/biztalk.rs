//! `stopmark check biztalk` and `stopmark migrate-from-biztalk-job`: a BizTalk group examined, and taken over.

use std::fs;

use futures::future::join_all;

use super::link::survey_of;
use super::{Failed, one, shown};
use crate::cli::args::{Common, MigrateArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::Discovery;
use crate::error::{Code, Error, Exit, Result};
use crate::model::{DatabaseName, HostName};
use crate::report::biztalk::BizTalkReport;
use crate::report::migration::Migration;
use crate::survey::{HostReport, Survey, TargetFacts};

impl Shown for BizTalkReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

impl Shown for Migration {
    fn text(&self) -> String {
        Self::text(self)
    }
}

/// Examines the group's management database, and what backups of it need.
pub(super) async fn check(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let database = database(&agent).map_err(one)?;
    let survey = survey_of(&agent).await;
    let mut report = BizTalkReport::of(&agent.config, &survey, database);
    if agent.config.biztalk.log_shipping {
        report = report.with_layout(&survey, look_around(&agent, &survey).await);
    }
    let exit = report.exit();
    shown(out, &report, exit)
}

/// Every host that answers, as files lie there.
async fn look_around(agent: &Agent, survey: &Survey) -> Vec<(HostName, Result<TargetFacts>)> {
    let answer = agent
        .config
        .hosts
        .keys()
        .filter(|name| survey.host(name).is_some());
    let looks = answer.map(|name| async move {
        let facts = agent.world.fleet.target_facts(name).await;
        (name.clone(), facts)
    });
    join_all(looks).await
}

/// Prints or writes what the change from BizTalk's own job needs; nothing is changed.
pub(super) async fn migrate(
    common: &Common,
    args: &MigrateArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let database = database(&agent).map_err(one)?;
    let survey = survey_of(&agent).await;
    let migration = Migration::of(&agent.config, &survey, database)
        .ok_or_else(|| one(silent(&agent, &survey)))?;
    if let Some(folder) = &args.folder {
        write(folder, &migration).map_err(one)?;
    }
    shown(out, &migration, Exit::Ok)
}

fn database(agent: &Agent) -> Result<&DatabaseName> {
    match &agent.config.discovery {
        Some(Discovery::BizTalk { database }) => Ok(database),
        None => Err(Error::new(
            Code::CommandLine,
            "the configuration's group is no BizTalk group",
        )
        .at("group", &agent.config.group)
        .hint("write `kind = \"biztalk\"` in `[group]`")),
    }
}

/// Why there is nothing to migrate from.
fn silent(agent: &Agent, survey: &Survey) -> Error {
    let host = &agent.config.management_host;
    let error = match survey.hosts.get(host) {
        Some(HostReport::Silent { message, hint, .. }) => {
            let error = Error::new(Code::BizTalkUnfit, message.clone());
            match hint {
                Some(hint) => error.hint(hint),
                None => error.hint("run `stopmark check`"),
            }
        }
        _ => Error::new(Code::BizTalkUnfit, "the management database says nothing")
            .hint("run `stopmark check`"),
    };
    error.at("host", host)
}

/// Both texts go into a new folder: a configuration that is there is not written over.
fn write(folder: &std::path::Path, migration: &Migration) -> Result<()> {
    let made = fs::create_dir(folder)
        .and_then(|()| fs::write(folder.join("stopmark.toml"), &migration.config))
        .and_then(|()| fs::write(folder.join("cut-over.txt"), &migration.plan));
    made.map_err(|error| {
        Error::new(
            Code::ConfigUnreadable,
            "the configuration cannot be written",
        )
        .at("folder", folder.display())
        .hint("name a folder that is not there yet")
        .source(error)
    })
}
