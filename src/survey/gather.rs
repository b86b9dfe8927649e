//! Gathering: every host is asked at the same time; what does not answer is a fact too.

mod claims;
mod list;
mod replicas;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use self::claims::{contested, is_lost, moved, unclaimed};
use self::list::discover;
use super::biztalk;
use super::drift::{self, Change, Drift};
use super::{
    HostFacts, HostReport, MemberFacts, MemberState, MovedMember, Survey, event_session_name,
    no_access,
};
use crate::config::{Config, Discovery, DriftRule, HostConfig, LogBackupPreference};
use crate::error::{Code, Error};
use crate::model::{DatabaseName, HostName, MemberName, SetKind, SurveyId};
use crate::world::{FactsWanted, World};

/// Takes a survey of the whole group. Reads only; never fails, since silence is a fact.
pub async fn take(world: &World, config: &Config) -> Survey {
    let (survey, is_torn) = look(world, config).await;
    if !is_torn {
        return survey;
    }
    // No two hosts are asked at the same moment: where a group failed over in between, both of its replicas say that they
    // are the primary one, or neither does.
    look(world, config).await.0
}

/// What is seen, and whether hosts contradict each other in it.
async fn look(world: &World, config: &Config) -> (Survey, bool) {
    let taken_at = world.clock.now();
    let mut discovered = discover(world, config).await;
    let rows = discovered.as_ref().ok().and_then(Option::as_ref);
    let rows = rows.map_or(&[][..], |facts| facts.listed.as_slice());
    let by_hand = config.members.iter().map(|member| member.name.clone());
    let named = rows.iter().filter_map(|row| row.member.clone());
    let listed: BTreeSet<MemberName> = by_hand.chain(named).collect();
    let unresolved = biztalk::unresolved(rows);
    let newest = published(world, config).await;
    let dropped = dropped(config, &newest);
    let before = before(config, newest);
    let wanted: BTreeSet<MemberName> = listed.union(&before).cloned().collect();
    let asked = config
        .hosts
        .values()
        .map(|host| ask(world, config, host, &wanted));
    let mut hosts: BTreeMap<HostName, HostReport> = join_all(asked).await.into_iter().collect();
    if let Err(error) = &discovered {
        let said = hosts.get(&config.management_host);
        // A host that is silent, or another one than was meant, says so more plainly.
        if !matches!(said, Some(HostReport::Silent { .. })) {
            hosts.insert(config.management_host.clone(), silent(error));
        }
    }
    let found = look_further(world, config, &wanted, &hosts).await;
    let contested = contested(&wanted, &hosts, &found);
    let is_torn = !contested.is_empty() || !unclaimed(&wanted, &hosts, &found).is_empty();
    let moved = moved(&wanted, &hosts, &found);
    bring_home(&moved, &mut hosts, &found);
    let each = once(&wanted, &moved, config);
    let [listed, before] = [listed, before].map(|names| called(&names, &each, &moved));
    if let Ok(Some(facts)) = &mut discovered {
        facts.call(|name| call(name, &each, &moved));
    }
    let (members, drift) = match discovered {
        Ok(_) => settled(
            drift::judge(&listed, &before, config.biztalk.drift),
            config,
            &hosts,
        ),
        // The list cannot be read: the group is what it was, so that its chains go on.
        Err(_) => (listed.union(&before).cloned().collect(), Vec::new()),
    };
    let members: Vec<MemberName> = members.into_iter().collect();
    let moved: Vec<MovedMember> = moved
        .into_iter()
        .filter(|it| members.contains(&it.listed))
        .collect();
    replicas::bring_together(&members, &moved, &mut hosts, &found);
    let management_host = management_host(config, &members, &moved);
    let id = SurveyId(world.ids.next());
    let mut survey = Survey {
        id,
        taken_at,
        hosts,
        members,
        unresolved,
        moved,
        biztalk: discovered.ok().flatten(),
        drift,
        dropped,
        contested,
        management_host,
    };
    for host in further_managers(&survey, config) {
        look_for_links(world, config, &host, &mut survey.hosts).await;
    }
    (survey, is_torn)
}

/// The hosts that manage marks in place of the configuration's, or would after a failover.
fn further_managers(survey: &Survey, config: &Config) -> Vec<HostName> {
    let now = survey.management_host.iter().cloned();
    let later = survey.management_standbys(config).into_iter().cloned();
    now.chain(later)
        .filter(|host| !host.is_same_host(&config.management_host))
        .collect()
}

/// The members of the newest set; none where nothing was published yet.
async fn published(world: &World, config: &Config) -> Vec<MemberName> {
    let sets = world.catalog.recent(&config.group, 1, &[]).await;
    let sets = sets.unwrap_or_default().into_iter();
    let mut own = sets.filter(|set| !matches!(set.kind, SetKind::Salvage | SetKind::Adopted));
    let newest = own.next_back().map(|set| set.members);
    newest.unwrap_or_default()
}

/// Those of them that are members until somebody approves that they leave; none for groups whose members only the
/// configuration lists.
fn before(config: &Config, newest: Vec<MemberName>) -> BTreeSet<MemberName> {
    let known = newest
        .into_iter()
        .filter(|member| config.discovery.is_some() && config.host(&member.host).is_some());
    known.collect()
}

/// Those of them that the configuration leads to no more.
fn dropped(config: &Config, newest: &[MemberName]) -> Vec<MemberName> {
    let is_listed = |member: &MemberName| {
        let mut listed = config.members.iter();
        let is_same = |name: &MemberName| {
            let (own, other) = (member.database.as_str(), name.database.as_str());
            name.host.is_same_host(&member.host) && own.eq_ignore_ascii_case(other)
        };
        listed.any(|it| is_same(&it.name))
    };
    let is_dropped = |member: &&MemberName| match &config.discovery {
        Some(_) => config.host(&member.host).is_none(),
        None => !is_listed(member),
    };
    newest.iter().filter(is_dropped).cloned().collect()
}

/// What a database is called in this survey: of several names of one the group counts by the same.
fn call(name: &MemberName, each: &[MemberName], moved: &[MovedMember]) -> MemberName {
    let place = |name: &MemberName| {
        let moved = moved.iter().find(|it| it.listed == *name);
        moved.map_or(name, |it| &it.now).clone()
    };
    let same = each.iter().find(|it| place(it) == place(name));
    same.unwrap_or(name).clone()
}

fn called(
    names: &BTreeSet<MemberName>,
    each: &[MemberName],
    moved: &[MovedMember],
) -> BTreeSet<MemberName> {
    names.iter().map(|name| call(name, each, moved)).collect()
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

/// What hosts say of databases that are listed with another one.
type Found = BTreeMap<HostName, BTreeMap<DatabaseName, MemberFacts>>;

/// Asks hosts about members of others: those that have replicas of them what they took and heard, and all of them about members
/// whose own host is silent or has a secondary replica. A host that is to manage marks then is asked for its links.
async fn look_further(
    world: &World,
    config: &Config,
    members: &BTreeSet<MemberName>,
    hosts: &BTreeMap<HostName, HostReport>,
) -> Found {
    let asked = config.hosts.keys().filter_map(|name| {
        answering(hosts, name)?;
        let elsewhere = members.iter().filter(|it| !it.host.is_same_host(name));
        let wanted = elsewhere.filter(|it| is_lost(hosts, it) || has_replica(hosts, it, name));
        let databases: Vec<DatabaseName> = wanted.map(|it| it.database.clone()).collect();
        (!databases.is_empty()).then_some((name, databases))
    });
    let asked = asked.map(|(name, databases)| async move {
        let wanted = wanted(config, name, databases);
        // It answered a moment ago; the next survey asks again.
        let facts = world.fleet.host_facts(name, &wanted).await.ok()?;
        Some((name.clone(), facts.members))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The links of a host that manages marks in place of another, and the rights that this takes.
async fn look_for_links(
    world: &World,
    config: &Config,
    host: &HostName,
    hosts: &mut BTreeMap<HostName, HostReport>,
) {
    let wanted = FactsWanted {
        is_management_host: true,
        ..wanted(config, host, Vec::new())
    };
    let told = world.fleet.host_facts(host, &wanted).await;
    let known = hosts.iter_mut().find(|(name, _)| name.is_same_host(host));
    if let (Ok(told), Some((_, HostReport::Facts(facts)))) = (told, known) {
        facts.links = told.links;
        let known = std::mem::take(&mut facts.missing_rights);
        let more = told.missing_rights.into_iter();
        let more: Vec<String> = more.filter(|right| !known.contains(right)).collect();
        facts.missing_rights = [known, more].concat();
    }
}

fn answering<'a>(
    hosts: &'a BTreeMap<HostName, HostReport>,
    name: &HostName,
) -> Option<&'a HostFacts> {
    let mut hosts = hosts.iter();
    let (_, report) = hosts.find(|(host, _)| host.is_same_host(name))?;
    match report {
        HostReport::Facts(facts) => Some(facts),
        HostReport::Silent { .. } => None,
    }
}

/// Whether the member's own host knows of a replica on this one.
fn has_replica(
    hosts: &BTreeMap<HostName, HostReport>,
    member: &MemberName,
    host: &HostName,
) -> bool {
    let facts = answering(hosts, &member.host).and_then(|it| it.members.get(&member.database));
    let replica = facts.and_then(|facts| facts.replica.as_ref());
    replica.is_some_and(|replica| replica.replicas.iter().any(|it| it.is_same_host(host)))
}

/// The facts of a member join those of the host that it is on.
fn bring_home(moved: &[MovedMember], hosts: &mut BTreeMap<HostName, HostReport>, found: &Found) {
    for it in moved {
        let left = hosts
            .iter_mut()
            .find(|(host, _)| host.is_same_host(&it.listed.host));
        if let Some((_, HostReport::Facts(left))) = left {
            // A secondary replica need not be readable.
            let access = no_access(&it.listed.database);
            left.missing_rights.retain(|right| *right != access);
        }
        let facts = found
            .get(&it.now.host)
            .and_then(|databases| databases.get(&it.now.database));
        let home = hosts
            .iter_mut()
            .find(|(host, _)| host.is_same_host(&it.now.host));
        if let (Some(facts), Some((_, HostReport::Facts(home)))) = (facts, home) {
            home.members.insert(it.now.database.clone(), facts.clone());
        }
    }
}

/// The members, each once: of two names whose database is the same one, the one that is listed first keeps it, whatever
/// replica is the primary one.
fn once(members: &BTreeSet<MemberName>, moved: &[MovedMember], config: &Config) -> Vec<MemberName> {
    let place = |name: &MemberName| {
        let moved = moved.iter().find(|it| it.listed == *name);
        moved.map_or(name, |it| &it.now).clone()
    };
    let is_listed = |name: &MemberName| config.members.iter().any(|it| it.name == *name);
    let is_before = |other: &MemberName, name: &MemberName| {
        let rank = |it: &MemberName| (!is_listed(it), it.clone());
        place(other) == place(name) && rank(other) < rank(name)
    };
    let is_another = |name: &&MemberName| !members.iter().any(|other| is_before(other, name));
    members.iter().filter(is_another).cloned().collect()
}

/// Where marks begin if no member is on the configuration's management host any more.
fn management_host(
    config: &Config,
    members: &[MemberName],
    moved: &[MovedMember],
) -> Option<HostName> {
    let is_own = |name: &MemberName| name.host.is_same_host(&config.management_host);
    let place = |name: &MemberName| moved.iter().find(|it| it.listed == *name);
    if let Some(Discovery::BizTalk { database }) = &config.discovery {
        // The lock, the history and Microsoft's procedures are in that database, wherever the others are.
        let mut own = moved.iter().filter(|it| is_own(&it.listed));
        let database = own.find(|it| it.listed.database == *database);
        return database.map(|it| it.now.host.clone());
    }
    let stays = members.iter().any(|it| is_own(it) && place(it).is_none());
    let mut gone = members.iter().filter(|it| is_own(it)).filter_map(place);
    if stays {
        return None;
    }
    gone.next().map(|it| it.now.host.clone())
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
        Ok(facts) => misnamed(config, host, facts.true_name),
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
        wants_log_used: config.policy.log_backup_preference == LogBackupPreference::SecondaryOnly,
    }
}

/// A host with another name is another host: nothing that it says is used.
fn misnamed(config: &Config, host: &HostConfig, said: HostName) -> HostReport {
    let address = &host.address;
    let says = format!("the server at `{address}` says that its true name is `{said}`");
    let error = match config.host(&said) {
        Some(other) => Error::new(
            Code::WrongTrueName,
            format!("{says}, as `[hosts.'{}']` is called: two names for one host", other.name),
        )
        .hint(format!(
            "a mark would be placed there twice, which is refused (3920): remove `[hosts.'{}']`, and name its members by `{said}`",
            host.name
        )),
        None => Error::new(Code::WrongTrueName, says)
            .hint("use the name that `SELECT SERVERPROPERTY('ServerName')` gives as the host's key"),
    };
    let mut report = silent(&error);
    if let HostReport::Silent { true_name, .. } = &mut report {
        *true_name = Some(said);
    }
    report
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
        true_name: None,
    }
}
