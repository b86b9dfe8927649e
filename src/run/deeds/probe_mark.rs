//! Marks that are tried, and what a host saw of one.
//!
//! Start at [`probe_mark`]. What the batch says of itself is not believed: a mark that was rolled back must stand
//! nowhere, and one that was committed must stand in every member.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::model::{HostName, MemberName};
use crate::plan::{PlaceMark, ProbeMark, ReadWatch};
use crate::run::book::Book;
use crate::run::events::{Outcome, WatchedEvent};
use crate::run::marks::{self, Presence};
use crate::world::World;

/// How often an event session is read that has not seen the end of a transaction yet: SQL Server hands events
/// over within seconds, not at once.
const READS_MAX: u32 = 5;

/// The time between two reads.
const PAUSE: Duration = Duration::from_secs(1);

/// The stamp is remembered as a mark's is: whatever happens, no later mark may be named below it.
pub(super) async fn probe_mark(world: &World, book: &Book, step: &ProbeMark) -> Result<Outcome> {
    let place = &step.place;
    let group = book.read(|record| record.group.clone());
    world.catalog.note_stamp(&group, place.stamped_at).await?;
    let cost = world.fleet.probe_mark(step).await?;
    let members = marks::members_of(place);
    if step.commits {
        stands_everywhere(world, place, &members).await?;
    } else {
        stands_nowhere(world, place, &members).await?;
    }
    Ok(Outcome::MarkProbed {
        mark: place.mark.clone(),
        cost,
    })
}

async fn stands_everywhere(world: &World, place: &PlaceMark, members: &[MemberName]) -> Result<()> {
    match marks::look(world, &place.mark, members).await? {
        Presence::Everywhere(_) => Ok(()),
        Presence::Nowhere => Err(marks::unconfirmed(&place.mark, members, members.len())),
        Presence::Without(missing) => Err(marks::unconfirmed(&place.mark, &missing, members.len())),
    }
}

/// A mark that outlives its rollback was never part of the transaction.
async fn stands_nowhere(world: &World, place: &PlaceMark, members: &[MemberName]) -> Result<()> {
    let found = marks::history(world, &place.mark, members).await?;
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = found.iter().map(|mark| mark.member.to_string()).collect();
    let message = format!(
        "mark `{}` was rolled back and stands all the same",
        place.mark
    );
    Err(Error::new(Code::LinkWrong, message)
        .at("members", names.join(", "))
        .hint(
            "these members did not join the transaction: see that `remote proc transaction promotion` of \
             the link is on (`stopmark link check`)",
        ))
}

/// Reads the event session until it has seen the transaction's end, or for some seconds.
pub(super) async fn read_watch(
    world: &World,
    host: &HostName,
    step: &ReadWatch,
) -> Result<Outcome> {
    let mut reads = 1;
    loop {
        let seen = world.fleet.read_watch(host, step).await?;
        if reads == READS_MAX || seen.events.iter().any(is_end) {
            return Ok(Outcome::Watched {
                events: seen.events,
                left_behind: seen.left_behind,
            });
        }
        reads += 1;
        let pause = world.clock.monotonic() + PAUSE;
        world.clock.sleep_until(pause).await;
    }
}

fn is_end(event: &WatchedEvent) -> bool {
    let says_so = |what: &String| what.to_lowercase().contains("commit");
    event.name == "dtc_transaction" && event.what.as_ref().is_some_and(says_so)
}
