//! Gathering: every host is asked at the same time; what does not answer is a fact too.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{HostReport, MemberFacts, MovedMember, Survey, UnresolvedMember, event_session_name};
use crate::config::{Config, Discovery, HostConfig};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MemberName, SurveyId};
use crate::world::{FactsWanted, World};

/// Takes a survey of the whole group. Reads only; never fails, since silence is a fact.
pub async fn take(world: &World, config: &Config) -> Survey {
    let taken_at = world.clock.now();
    let mut members: BTreeSet<MemberName> = config
        .members
        .iter()
        .map(|member| member.name.clone())
        .collect();
    let mut unresolved = Vec::new();
    let discovered = discover(world, config).await;
    if let Ok(rows) = &discovered {
        for (server, database) in rows {
            match host_called(config, server) {
                Some(host) => {
                    members.insert(MemberName::new(host.name.clone(), database.clone()));
                }
                None => unresolved.push(UnresolvedMember {
                    server: server.clone(),
                    database: database.clone(),
                }),
            }
        }
    }
    let asked = config
        .hosts
        .values()
        .map(|host| ask(world, config, host, &members));
    let mut hosts: BTreeMap<HostName, HostReport> = join_all(asked).await.into_iter().collect();
    if let Err(error) = discovered {
        hosts.insert(config.management_host.clone(), silent(&error));
    }
    let moved = follow(world, config, &members, &mut hosts).await;
    for it in &moved {
        members.remove(&it.listed);
        members.insert(it.now.clone());
    }
    let id = SurveyId(world.ids.next());
    Survey {
        id,
        taken_at,
        hosts,
        members: members.into_iter().collect(),
        unresolved,
        moved,
    }
}

/// Finds members whose group has failed over: those of a host that is silent or has a secondary replica are looked for
/// on all the others. What is found there joins those hosts' facts.
async fn follow(
    world: &World,
    config: &Config,
    members: &BTreeSet<MemberName>,
    hosts: &mut BTreeMap<HostName, HostReport>,
) -> Vec<MovedMember> {
    let lost = members.iter().filter(|member| is_lost(hosts, member));
    let lost: BTreeSet<MemberName> = lost.cloned().collect();
    let answering = hosts.iter_mut().filter_map(|(name, report)| match report {
        HostReport::Facts(facts) => Some((name, facts)),
        HostReport::Silent { .. } => None,
    });
    let mut moved = Vec::new();
    for (name, facts) in answering {
        let elsewhere = lost.iter().filter(|it| !it.host.is_same_host(name));
        let elsewhere: Vec<&MemberName> = elsewhere.collect();
        if elsewhere.is_empty() {
            continue;
        }
        let names = elsewhere.iter().map(|member| member.database.clone());
        let wanted = wanted(config, name, names.collect());
        let Ok(found) = world.fleet.host_facts(name, &wanted).await else {
            continue; // It answered a moment ago; the next survey asks again.
        };
        for listed in elsewhere {
            let member = found.members.get(&listed.database);
            if let Some(member) = member.filter(|it| has_primary(it, listed)) {
                let database = listed.database.clone();
                facts.members.insert(database.clone(), member.clone());
                moved.push(MovedMember {
                    listed: listed.clone(),
                    now: MemberName::new(name.clone(), database),
                });
            }
        }
    }
    moved
}

/// Whether a member may be anywhere: its host is silent, or has a secondary replica of it.
fn is_lost(hosts: &BTreeMap<HostName, HostReport>, member: &MemberName) -> bool {
    let mut hosts = hosts.iter();
    let own = hosts.find(|(name, _)| name.is_same_host(&member.host));
    match own {
        Some((_, HostReport::Facts(facts))) => {
            let replica = facts.members.get(&member.database);
            let replica = replica.and_then(|it| it.replica.as_ref());
            replica.is_some_and(|it| !it.is_primary)
        }
        Some((_, HostReport::Silent { .. })) => true,
        None => false,
    }
}

/// Whether these are facts of the primary replica of the group that a member is in: it knows the member's host.
fn has_primary(facts: &MemberFacts, listed: &MemberName) -> bool {
    facts.replica.as_ref().is_some_and(|replica| {
        let mut hosts = replica.replicas.iter();
        replica.is_primary && hosts.any(|host| host.is_same_host(&listed.host))
    })
}

async fn discover(world: &World, config: &Config) -> Result<Vec<(String, DatabaseName)>> {
    match &config.discovery {
        Some(Discovery::BizTalk { database }) => {
            world
                .fleet
                .biztalk_members(&config.management_host, database)
                .await
        }
        None => Ok(Vec::new()),
    }
}

/// The host that a BizTalk table means: by true name, or by the address that people put there instead.
fn host_called<'a>(config: &'a Config, server: &str) -> Option<&'a HostConfig> {
    let by_name = server
        .parse()
        .ok()
        .and_then(|name: HostName| config.host(&name));
    by_name.or_else(|| {
        config
            .hosts
            .values()
            .find(|host| host.address.eq_ignore_ascii_case(server))
    })
}

async fn ask(
    world: &World,
    config: &Config,
    host: &HostConfig,
    members: &BTreeSet<MemberName>,
) -> (HostName, HostReport) {
    let own = members.iter();
    let own = own.filter(|member| member.host.is_same_host(&host.name));
    let own = own.map(|member| member.database.clone());
    let wanted = wanted(config, &host.name, own.collect());
    let report = match world.fleet.host_facts(&host.name, &wanted).await {
        Ok(facts) if facts.true_name.is_same_host(&host.name) => HostReport::Facts(Box::new(facts)),
        Ok(facts) => silent(&wrong_name(host, &facts.true_name)),
        Err(error) => silent(&error),
    };
    (host.name.clone(), report)
}

/// What is wanted to know of a host and these databases.
fn wanted(config: &Config, host: &HostName, databases: Vec<DatabaseName>) -> FactsWanted {
    FactsWanted {
        databases,
        mark_log: config.mark_log,
        mark_prefix: config.mark_prefix.clone(),
        is_management_host: host.is_same_host(&config.management_host),
        event_session: event_session_name(&config.group),
    }
}

/// A host with another name is another host: nothing that it says is used.
fn wrong_name(host: &HostConfig, true_name: &HostName) -> Error {
    let message = format!(
        "the server at `{}` says that its true name is `{true_name}`",
        host.address
    );
    Error::new(Code::WrongTrueName, message)
        .hint("use the name that `SELECT SERVERPROPERTY('ServerName')` gives as the host's key")
}

fn silent(error: &Error) -> HostReport {
    // Whoever tells of a silent host names it first.
    let place = error
        .context()
        .iter()
        .filter(|(what, _)| *what != "host")
        .map(|(what, value)| format!(", {what} `{value}`"));
    let cause = error
        .sql()
        .map(|cause| format!(": {} ({})", cause.text, cause.number));
    HostReport::Silent {
        code: error.code().text().to_owned(),
        message: format!(
            "{}{}{}",
            error.message(),
            place.collect::<String>(),
            cause.unwrap_or_default()
        ),
        hint: error.hint_text().map(str::to_owned),
    }
}
