//! Confirming a mark: every member's history must hold it, each asked on its own host.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MemberMark, MemberName};
use crate::plan::ConfirmMark;
use crate::run::events::Outcome;
use crate::world::World;

/// How often a history that holds the mark on some hosts only is looked at: a commit that was decided reaches
/// the last host within moments, also when the connection that asked for it broke.
const LOOKS_MAX: u32 = 10;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Reads the mark's place in every member.
///
/// # Errors
/// `SM0402` with the members that lack it.
pub(super) async fn confirm_mark(world: &World, step: &ConfirmMark) -> Result<Outcome> {
    let mut looks = 0;
    loop {
        let found = history(world, step).await?;
        let missing = missing(step, &found);
        looks += 1;
        if missing.is_empty() {
            return Ok(Outcome::MarkConfirmed { members: found });
        }
        if found.is_empty() || looks == LOOKS_MAX {
            return Err(unconfirmed(step, &missing));
        }
        world
            .clock
            .sleep_until(world.clock.monotonic() + PAUSE)
            .await;
    }
}

async fn history(world: &World, step: &ConfirmMark) -> Result<Vec<MemberMark>> {
    let mut by_host: BTreeMap<&HostName, Vec<DatabaseName>> = BTreeMap::new();
    for target in &step.members {
        let databases = by_host.entry(&target.member.host).or_default();
        databases.push(target.member.database.clone());
    }
    let mut found: Vec<MemberMark> = Vec::new();
    for (host, databases) in by_host {
        found.extend(
            world
                .fleet
                .mark_history(host, &step.mark, &databases)
                .await?,
        );
    }
    found.sort_by(|a, b| a.member.cmp(&b.member));
    Ok(found)
}

fn missing(step: &ConfirmMark, found: &[MemberMark]) -> Vec<String> {
    let lacks = |member: &MemberName| !found.iter().any(|mark| mark.member == *member);
    let members = step.members.iter().map(|target| &target.member);
    members
        .filter(|member| lacks(member))
        .map(ToString::to_string)
        .collect()
}

fn unconfirmed(step: &ConfirmMark, missing: &[String]) -> Error {
    let (count, total) = (missing.len(), step.members.len());
    let message = format!(
        "mark `{}` is missing on {count} of {total} members",
        step.mark
    );
    Error::new(Code::MarkUnconfirmed, message).at("members", missing.join(", ")).hint(
        "run `stopmark link test` and `stopmark check`; the mark is void, the next run places another",
    )
}
