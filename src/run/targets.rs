//! The hosts that a restore or a drill goes to: as the configuration spells them, and what they say of themselves.
//!
//! Start at [`target_facts`]. The members' own hosts are not asked: on the day of a restore they may be gone.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::model::HostName;
use crate::survey::TargetFacts;
use crate::world::World;

/// The host as the configuration spells it.
///
/// # Errors
/// `SM0103` where the configuration has no such host.
pub fn target(config: &Config, named: &HostName) -> Result<HostName> {
    let found = config.host(named).map(|host| host.name.clone());
    found.ok_or_else(|| {
        let hosts = config.hosts.keys().map(HostName::to_string);
        Error::new(
            Code::ConfigValue,
            format!("the configuration has no host `{named}`"),
        )
        .at("hosts", hosts.collect::<Vec<_>>().join(", "))
        .hint("a restore goes to one of these; write a section `[hosts.'NAME']` for another")
    })
}

/// What these hosts are and hold, each asked at the same time; hosts that the configuration lacks are left out.
///
/// # Errors
/// Every host that does not answer, or is another one, at once.
pub async fn target_facts<'a>(
    world: &World,
    config: &Config,
    hosts: impl Iterator<Item = &'a HostName>,
) -> Result<BTreeMap<HostName, TargetFacts>, Vec<Error>> {
    let known = hosts.filter_map(|host| config.host(host));
    let known: BTreeSet<&HostName> = known.map(|host| &host.name).collect();
    let asking = known.into_iter().map(async |host| {
        let facts = world.fleet.target_facts(host).await?;
        true_host(host, &facts.true_name)?;
        Ok::<_, Error>((host.clone(), facts))
    });
    let answers = join_all(asking).await;
    let (facts, errors): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    if !errors.is_empty() {
        return Err(errors.into_iter().filter_map(Result::err).collect());
    }
    Ok(facts.into_iter().filter_map(Result::ok).collect())
}

/// A host with another name is another host: nothing goes there.
fn true_host(named: &HostName, true_name: &HostName) -> Result<()> {
    if true_name.is_same_host(named) {
        return Ok(());
    }
    let message = format!("the server at the address of `{named}` is `{true_name}`");
    Err(Error::new(Code::WrongTrueName, message)
        .hint("correct the host's `address`, or name the host by its true name"))
}
