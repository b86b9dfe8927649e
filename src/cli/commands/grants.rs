//! `stopmark grants`: the T-SQL that gives the agent's login on each host what it needs, and no more.
//!
//! Start at [`grants`]. It contacts a host only where `BizTalk` lists the members, and changes nothing anywhere:
//! an administrator of each host reads the script and runs it.

use std::fmt::Write as _;

use serde::Serialize;

use super::link::survey_of;
use super::{Failed, one, shown};
use crate::cli::args::{Common, GrantsArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{self, Access, agent};
use crate::config::{Config, Discovery, HostConfig, LoginConfig};
use crate::error::{Code, Error, Exit};
use crate::model::MemberName;
use crate::sql::{GrantedRight, Grantee, Purpose, granted_rights, grants_script};

/// What runs and `check` need: who says nothing else gets no right to change a schema or to restore.
const USUAL: &[Purpose] = &[Purpose::Backup, Purpose::Check];

#[derive(Serialize)]
struct Grants {
    hosts: Vec<HostGrants>,
    /// What the scripts do not hold, and why.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct HostGrants {
    host: String,
    login: String,
    rights: Vec<GrantedRight>,
    script: String,
}

impl Shown for Grants {
    fn text(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            writeln!(text, "-- NOTE: {note}").expect("a string takes everything");
        }
        let scripts: Vec<&str> = self.hosts.iter().map(|host| host.script.as_str()).collect();
        text + &scripts.join("\n")
    }
}

/// Prints the scripts of the hosts that were asked for.
pub(super) async fn grants(
    common: &Common,
    args: &GrantsArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let config = setup::load(common)?;
    for name in &args.host {
        if config.host(name).is_none() {
            let message = format!("the configuration has no host `{name}`");
            let hint = "name a host that has a section under `[hosts]`";
            return Err(one(Error::new(Code::CommandLine, message).hint(hint)));
        }
    }
    let (members, notes) = members(common, &config).await?;
    let mut hosts = Vec::new();
    for host in config.hosts.values() {
        let is_asked = |name| host.name.is_same_host(name);
        if args.host.is_empty() || args.host.iter().any(is_asked) {
            hosts.push(of_host(&config, host, args, &members).map_err(one)?);
        }
    }
    shown(out, &Grants { hosts, notes }, Exit::Ok)
}

/// The members of the group. Where `BizTalk` lists them, it is asked; what it does not answer is a note.
async fn members(
    common: &Common,
    config: &Config,
) -> Result<(Vec<MemberName>, Vec<String>), Failed> {
    if config.discovery.is_none() {
        let listed = config.members.iter().map(|member| member.name.clone());
        return Ok((listed.collect(), Vec::new()));
    }
    let agent = agent(common, Access::Read)?;
    let survey = survey_of(&agent).await;
    let mut notes: Vec<String> = survey
        .unresolved
        .iter()
        .map(|it| {
            format!(
                "`{}` on server `{}`: no host of that name is configured",
                it.database, it.server
            )
        })
        .collect();
    if survey.host(&config.management_host).is_none() {
        notes.push(format!(
            "host `{}` did not answer, so that the members that BizTalk lists are missing here: run this again \
             when it does",
            config.management_host
        ));
    }
    Ok((survey.members, notes))
}

fn of_host(
    config: &Config,
    host: &HostConfig,
    args: &GrantsArgs,
    members: &[MemberName],
) -> Result<HostGrants, Error> {
    let login = login_of(host, args)?;
    let is_management_host = host.name.is_same_host(&config.management_host);
    let own = members.iter().filter(|it| it.host.is_same_host(&host.name));
    let beside = config.companions.iter();
    let beside = beside.filter(|it| it.name.host.is_same_host(&host.name));
    let grantee = Grantee {
        host: &host.name,
        login,
        is_management_host,
        members: own.map(|member| member.database.clone()).collect(),
        companions: beside.map(|it| it.name.database.clone()).collect(),
        mark_log: config.mark_log,
        listed_in: match &config.discovery {
            Some(Discovery::BizTalk { database }) if is_management_host => Some(database),
            Some(_) | None => None,
        },
    };
    let purposes: Vec<Purpose> = match args.purposes.as_slice() {
        [] => USUAL.to_vec(),
        typed => typed.iter().map(|typed| Purpose::from(*typed)).collect(),
    };
    Ok(HostGrants {
        host: host.name.to_string(),
        login: login.to_owned(),
        rights: granted_rights(&grantee, &purposes),
        script: grants_script(&grantee, &purposes),
    })
}

/// The login that the agent enters the host with.
fn login_of<'a>(host: &'a HostConfig, args: &'a GrantsArgs) -> Result<&'a str, Error> {
    match (&host.login, &args.login) {
        (LoginConfig::Sql { user, .. }, _) => Ok(user),
        (LoginConfig::Integrated, Some(login)) => Ok(login),
        (LoginConfig::Integrated, None) => {
            let name = &host.name;
            let message = format!("host `{name}` is entered with the account of the process");
            let hint = "say which one it is there: `--login 'DOMAIN\\account'`";
            Err(Error::new(Code::CommandLine, message).hint(hint))
        }
    }
}
