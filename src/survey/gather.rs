//! Gathering: every host is asked at the same time; what does not answer is a fact too.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::drift::{self, Change, Drift};
use super::{
    BizTalkFacts, HostReport, ListedDatabase, MemberFacts, MemberState, MovedMember, Survey,
    UnresolvedMember, event_session_name,
};
use crate::config::{Config, Discovery, DriftRule, HostConfig};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MemberName, SetKind, SurveyId};
use crate::world::{FactsWanted, World};

/// Takes a survey of the whole group. Reads only; never fails, since silence is a fact.
pub async fn take(world: &World, config: &Config) -> Survey {
    let taken_at = world.clock.now();
    let mut discovered = discover(world, config).await;
    let rows = discovered.as_ref().ok().and_then(Option::as_ref);
    let rows = rows.map_or(&[][..], |facts| facts.listed.as_slice());
    let by_hand = config.members.iter().map(|member| member.name.clone());
    let named = rows.iter().filter_map(|row| row.member.clone());
    let listed: BTreeSet<MemberName> = by_hand.chain(named).collect();
    let unresolved = unresolved(rows);
    let before = published(world, config).await;
    let wanted: BTreeSet<MemberName> = listed.union(&before).cloned().collect();
    let asked = config
        .hosts
        .values()
        .map(|host| ask(world, config, host, &wanted));
    let mut hosts: BTreeMap<HostName, HostReport> = join_all(asked).await.into_iter().collect();
    if let Err(error) = &discovered {
        hosts.insert(config.management_host.clone(), silent(error));
    }
    let mut moved = follow(world, config, &wanted, &mut hosts).await;
    if let Ok(Some(facts)) = &mut discovered {
        moved.iter().for_each(|it| facts.follow(it));
    }
    let [listed, before] = [listed, before].map(|members| as_moved(members, &moved));
    let (members, drift) = match discovered {
        Ok(_) => settled(
            drift::judge(&listed, &before, config.biztalk.drift),
            config,
            &hosts,
        ),
        // The list cannot be read: the group is what it was, so that its chains go on.
        Err(_) => (listed.union(&before).cloned().collect(), Vec::new()),
    };
    moved.retain(|it| members.contains(&it.now));
    let id = SurveyId(world.ids.next());
    Survey {
        id,
        taken_at,
        hosts,
        members: members.into_iter().collect(),
        unresolved,
        moved,
        biztalk: discovered.ok().flatten(),
        drift,
    }
}

/// The members of the newest set, as far as the configuration knows their hosts; none for groups whose members only
/// the configuration lists, and where nothing was published yet.
async fn published(world: &World, config: &Config) -> BTreeSet<MemberName> {
    if config.discovery.is_none() {
        return BTreeSet::new();
    }
    let sets = world.catalog.recent(&config.group, 1, &[]).await;
    let sets = sets.unwrap_or_default().into_iter();
    let mut own = sets.filter(|set| !matches!(set.kind, SetKind::Salvage | SetKind::Adopted));
    let newest = own.next_back().map(|set| set.members);
    let members = newest.unwrap_or_default().into_iter();
    members
        .filter(|member| config.host(&member.host).is_some())
        .collect()
}

fn as_moved(members: BTreeSet<MemberName>, moved: &[MovedMember]) -> BTreeSet<MemberName> {
    let now = |member: MemberName| {
        let moved = moved.iter().find(|it| it.listed == member);
        moved.map_or(member, |it| it.now.clone())
    };
    members.into_iter().map(now).collect()
}

/// A database that stands with another server now, and that its old host has no more, is where the list says.
fn settled(
    (mut members, mut drifts): (BTreeSet<MemberName>, Vec<Drift>),
    config: &Config,
    hosts: &BTreeMap<HostName, HostReport>,
) -> (BTreeSet<MemberName>, Vec<Drift>) {
    let is_gone = |member: &MemberName| {
        let mut hosts = hosts.iter();
        let own = hosts.find(|(name, _)| name.is_same_host(&member.host));
        let Some((_, HostReport::Facts(facts))) = own else {
            return false; // A host that says nothing may still have it.
        };
        let database = facts.members.get(&member.database);
        database.is_none_or(|it| it.state != MemberState::Online)
    };
    let joins = config.biztalk.drift == DriftRule::Join;
    for drift in drifts.iter_mut().filter(|it| joins && !it.is_followed) {
        if matches!(drift.change, Change::Moved { .. }) && is_gone(&drift.member) {
            members.remove(&drift.member);
            drift.is_followed = true;
        }
    }
    (members, drifts)
}

fn unresolved(listed: &[ListedDatabase]) -> Vec<UnresolvedMember> {
    let unresolved = listed.iter().filter(|row| row.member.is_none());
    let unresolved = unresolved.map(|row| UnresolvedMember {
        server: row.server.clone(),
        database: row.database.clone(),
    });
    unresolved.collect()
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

/// What BizTalk says of its group; none where the group is none of BizTalk's.
async fn discover(world: &World, config: &Config) -> Result<Option<BizTalkFacts>> {
    let Some(Discovery::BizTalk { database }) = &config.discovery else {
        return Ok(None);
    };
    let (fleet, host) = (&world.fleet, &config.management_host);
    let rows = fleet.biztalk_members(host, database).await?;
    let mut facts = fleet.biztalk_facts(host, database).await?;
    let listed = rows.into_iter().map(|(server, database)| {
        let host = host_called(config, &server);
        ListedDatabase {
            member: host.map(|host| MemberName::new(host.name.clone(), database.clone())),
            server,
            database,
        }
    });
    facts.listed = listed.collect();
    Ok(Some(facts))
}

/// The host that a BizTalk table means: by a name that the configuration explains, by true name, or by the address
/// that people put there instead.
fn host_called<'a>(config: &'a Config, server: &str) -> Option<&'a HostConfig> {
    let mut explained = config.biztalk.servers.iter();
    if let Some((_, host)) = explained.find(|(name, _)| name.eq_ignore_ascii_case(server)) {
        return config.host(host);
    }
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
