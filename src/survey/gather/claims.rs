//! Who says that it has a member's primary replica: its own host, another one, both or neither.
//!
//! Start at [`moved`]. Nothing is asked of a host here.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, answering};
use crate::model::{HostName, MemberName};
use crate::survey::{HostReport, MemberFacts, MovedMember};

/// The members whose primary replica is elsewhere.
pub(super) fn moved(
    members: &BTreeSet<MemberName>,
    hosts: &BTreeMap<HostName, HostReport>,
    found: &Found,
) -> Vec<MovedMember> {
    let lost = members.iter().filter(|member| is_lost(hosts, member));
    lost.filter_map(|listed| elsewhere(listed, found)).collect()
}

/// The members that are where they are listed, and elsewhere too.
pub(super) fn contested(
    members: &BTreeSet<MemberName>,
    hosts: &BTreeMap<HostName, HostReport>,
    found: &Found,
) -> Vec<MovedMember> {
    let own = |it: &&MemberName| {
        let facts = answering(hosts, &it.host).and_then(|host| host.members.get(&it.database));
        facts.is_some_and(|facts| has_primary(facts, it))
    };
    let claimed = members.iter().filter(own);
    claimed
        .filter_map(|listed| elsewhere(listed, found))
        .collect()
}

/// The members of which all hosts that have a replica say that it is a secondary one.
pub(super) fn unclaimed(
    members: &BTreeSet<MemberName>,
    hosts: &BTreeMap<HostName, HostReport>,
    found: &Found,
) -> Vec<MemberName> {
    let is_unclaimed = |member: &&MemberName| {
        let facts = answering(hosts, &member.host).and_then(|it| it.members.get(&member.database));
        let Some(replica) = facts.and_then(|facts| facts.replica.as_ref()) else {
            return false;
        };
        let mut others = replica.replicas.iter();
        // A replica whose host is not heard, or not of this configuration, may well be the primary one.
        let is_secondary = |host: &HostName| {
            let mut heard = found.iter().filter(|(name, _)| name.is_same_host(host));
            heard.any(|(_, databases)| {
                let facts = databases.get(&member.database);
                facts.is_some_and(|it| it.replica.as_ref().is_some_and(|it| !it.is_primary))
            })
        };
        !replica.is_primary && others.all(|it| it.is_same_host(&member.host) || is_secondary(it))
    };
    members.iter().filter(is_unclaimed).cloned().collect()
}

/// The member on another host that says that its primary replica is there.
fn elsewhere(listed: &MemberName, found: &Found) -> Option<MovedMember> {
    let mut others = found
        .iter()
        .filter(|(host, _)| !host.is_same_host(&listed.host));
    let (host, _) = others.find(|(_, databases)| {
        let facts = databases.get(&listed.database);
        facts.is_some_and(|facts| has_primary(facts, listed))
    })?;
    Some(MovedMember {
        listed: listed.clone(),
        now: MemberName::new(host.clone(), listed.database.clone()),
    })
}

/// Whether a member may be anywhere: its host is silent, or has a secondary replica of it.
pub(super) fn is_lost(hosts: &BTreeMap<HostName, HostReport>, member: &MemberName) -> bool {
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
pub(super) fn has_primary(facts: &MemberFacts, listed: &MemberName) -> bool {
    facts.replica.as_ref().is_some_and(|replica| {
        let mut hosts = replica.replicas.iter();
        replica.is_primary && hosts.any(|host| host.is_same_host(&listed.host))
    })
}
