//! Where a mark stands: a mark that one member lacks is no moment of the group, whatever the others say.
//!
//! Start at [`look`], which placing a mark, confirming it and picking up after a crash share. Each member is
//! asked on its own host.
//!
//! This file only reads histories; it places nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;

use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MarkName, MemberMark, MemberName};
use crate::plan::{ConfirmMark, PlaceMark};
use crate::world::World;

/// How often a history that holds the mark on some hosts only is looked at: a commit that was decided reaches
/// the last host within moments, also when the connection that asked for it broke.
const LOOKS_MAX: u32 = 10;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Whose histories hold a mark.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    /// Nobody's.
    Nowhere,
    /// Every member's, in the order of the members' names.
    Everywhere(Vec<MemberMark>),
    /// All but these, and time did not help.
    Without(Vec<MemberName>),
}

/// Looks for the mark in every member's history; where only some hold it, again for a while.
pub(super) async fn look(
    world: &World,
    mark: &MarkName,
    members: &[MemberName],
) -> Result<Presence> {
    let mut looks = 0;
    loop {
        let found = history(world, mark, members).await?;
        let missing = missing(members, &found);
        looks += 1;
        match (missing.is_empty(), found.is_empty()) {
            (true, _) => return Ok(Presence::Everywhere(found)),
            (false, true) => return Ok(Presence::Nowhere),
            (false, false) if looks == LOOKS_MAX => return Ok(Presence::Without(missing)),
            (false, false) => {}
        }
        let pause = world.clock.monotonic() + PAUSE;
        world.clock.sleep_until(pause).await;
    }
}

/// Every member that a mark is placed in.
pub(super) fn members_of(step: &PlaceMark) -> Vec<MemberName> {
    let own = (&step.management_host, &step.local);
    let legs = step.remote.iter().map(|leg| (&leg.host, &leg.databases));
    let named = |(host, databases): (&HostName, &Vec<DatabaseName>)| {
        let member = |database: &DatabaseName| MemberName::new(host.clone(), database.clone());
        databases.iter().map(member).collect::<Vec<_>>()
    };
    std::iter::once(own).chain(legs).flat_map(named).collect()
}

/// Where a mark stands, told by the hosts' own names of the members, by the members' names.
pub(super) fn of_members(step: &ConfirmMark, found: Vec<MemberMark>) -> Vec<MemberMark> {
    let named = |found: MemberMark| {
        let mut targets = step.members.iter();
        let target = targets.find(|target| target.place() == found.member);
        let member = target.map_or_else(|| found.member.clone(), |it| it.member.clone());
        MemberMark { member, ..found }
    };
    let mut named: Vec<MemberMark> = found.into_iter().map(named).collect();
    named.sort_by(|a, b| a.member.cmp(&b.member));
    named
}

/// The error of a mark that these of the members lack.
pub(super) fn unconfirmed(mark: &MarkName, missing: &[MemberName], members: usize) -> Error {
    let message = format!(
        "mark `{mark}` is missing on {} of {members} members",
        missing.len()
    );
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Error::new(Code::MarkUnconfirmed, message)
        .at("members", names.join(", "))
        .hint(
            "run `stopmark link test` and `stopmark check`; the mark is void, the next run places \
             another",
        )
}

/// Where the mark stands now, looked at once.
pub(super) async fn history(
    world: &World,
    mark: &MarkName,
    members: &[MemberName],
) -> Result<Vec<MemberMark>> {
    let mut by_host: BTreeMap<&HostName, Vec<DatabaseName>> = BTreeMap::new();
    for member in members {
        let databases = by_host.entry(&member.host).or_default();
        databases.push(member.database.clone());
    }
    let asked = by_host.iter();
    let asked = asked.map(|(host, databases)| world.fleet.mark_history(host, mark, databases));
    let mut found = try_join_all(asked).await?.concat();
    found.sort_by(|a, b| a.member.cmp(&b.member));
    Ok(found)
}

fn missing(members: &[MemberName], found: &[MemberMark]) -> Vec<MemberName> {
    let lacks = |member: &&MemberName| !found.iter().any(|mark| mark.member == **member);
    members.iter().filter(lacks).cloned().collect()
}
