//! The members of a BizTalk group by its own list, wherever its management database is now. Start at [`discover`].

use super::claims::has_primary;
use super::wanted;
use crate::config::{Config, Discovery, HostConfig};
use crate::error::Result;
use crate::model::{DatabaseName, HostName, MemberName};
use crate::survey::{BizTalkFacts, ListedDatabase};
use crate::world::World;

/// The list of a management database, and what else it says.
async fn listed_on(
    world: &World,
    host: &HostName,
    database: &DatabaseName,
) -> Result<(Vec<(String, DatabaseName)>, BizTalkFacts)> {
    let rows = world.fleet.biztalk_members(host, database).await?;
    let facts = world.fleet.biztalk_facts(host, database).await?;
    Ok((rows, facts))
}

/// The host that has the primary replica of the management database now. A database of its name alone is a copy of it,
/// restored for whatever reason: the management host must be among its replicas.
async fn failed_over_to(
    world: &World,
    config: &Config,
    database: &DatabaseName,
) -> Option<HostName> {
    let listed = MemberName::new(config.management_host.clone(), database.clone());
    for host in config.hosts.keys() {
        if host.is_same_host(&listed.host) {
            continue;
        }
        let wanted = wanted(config, host, vec![database.clone()]);
        // One that does not answer is told with the other hosts.
        let Ok(facts) = world.fleet.host_facts(host, &wanted).await else {
            continue;
        };
        let own = facts.members.get(database);
        if own.is_some_and(|own| has_primary(own, &listed)) {
            return Some(host.clone());
        }
    }
    None
}

/// What BizTalk says of its group; none where the group is none of BizTalk's.
pub(super) async fn discover(world: &World, config: &Config) -> Result<Option<BizTalkFacts>> {
    let Some(Discovery::BizTalk { database }) = &config.discovery else {
        return Ok(None);
    };
    let own = &config.management_host;
    let asked = listed_on(world, own, database).await;
    let elsewhere = match &asked {
        Ok((_, facts)) if !facts.is_secondary => None,
        Ok(_) | Err(_) => failed_over_to(world, config, database).await,
    };
    let (rows, mut facts) = match elsewhere {
        Some(host) => listed_on(world, &host, database).await?,
        None => asked?,
    };
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
