//! What other replicas of a member remember joins the facts of its primary one: the backups that they took, and the
//! errors that were met on them.
//!
//! Start at [`bring_together`]. Each host's msdb and event session know only what happened there; a chain is one, whoever
//! took its logs, and a new full answers an error wherever it was met. Nothing is asked of a host here.

use std::collections::BTreeMap;

use super::{Found, answering, has_replica};
use crate::model::{HostName, MemberName, ServerLocal};
use crate::survey::{
    BackupRow, HostFacts, HostReport, MemberFacts, MemberState, MovedMember, ReportedError,
};

/// What one replica or more remember.
#[derive(Default)]
struct Remembered {
    history: Vec<BackupRow>,
    reported: Vec<ReportedError>,
}

/// Histories go newest first by where a backup ends, errors oldest first.
pub(super) fn bring_together(
    members: &[MemberName],
    moved: &[MovedMember],
    hosts: &mut BTreeMap<HostName, HostReport>,
    found: &Found,
) {
    for name in members {
        let moved = moved.iter().find(|it| it.listed == *name);
        let place = moved.map_or(name, |it| &it.now);
        let more = elsewhere(place, hosts, found);
        let home = hosts
            .iter_mut()
            .find(|(host, _)| host.is_same_host(&place.host));
        let Some((_, HostReport::Facts(home))) = home else {
            continue;
        };
        let Some(facts) = home.members.get_mut(&place.database) else {
            continue;
        };
        if !more.history.is_empty() {
            facts.history.extend(more.history);
            facts
                .history
                .sort_by_key(|row| std::cmp::Reverse((row.last_lsn, row.first_lsn)));
        }
        if !more.reported.is_empty() {
            facts.reported.extend(more.reported);
            facts.reported.sort_by_key(|error| error.at.civil_utc());
        }
    }
}

fn elsewhere(
    place: &MemberName,
    hosts: &BTreeMap<HostName, HostReport>,
    found: &Found,
) -> Remembered {
    let mut all = Remembered::default();
    let Some(home) = answering(hosts, &place.host) else {
        return all;
    };
    let others = hosts
        .keys()
        .filter(|host| !host.is_same_host(&place.host) && has_replica(hosts, place, host));
    for name in others {
        let Some(other) = answering(hosts, name) else {
            continue;
        };
        let first = other.members.get(&place.database);
        let second = found.get(name).and_then(|it| it.get(&place.database));
        let Some(facts) = second.or(first) else {
            continue;
        };
        if facts.replica.is_some() {
            all.history
                .extend(facts.history.iter().map(|row| BackupRow {
                    server: Some(name.clone()),
                    ..row.clone()
                }));
        }
        if is_of_the_group(facts) {
            let heard = facts.reported.iter();
            all.reported.extend(heard.map(|error| ReportedError {
                server: Some(name.clone()),
                at: as_at_home(error.at, other, home),
                ..error.clone()
            }));
        }
    }
    all
}

/// Whether what was met on this copy says something of the member: it is a replica, or waits to become one. Any other
/// database of the name, though its host is in the group, has a chain of its own.
fn is_of_the_group(facts: &MemberFacts) -> bool {
    facts.replica.is_some() || facts.state == MemberState::Restoring
}

/// A time of one host as the clock of another showed it then, by what both show now. An error is answered by a full that
/// began after it, and that is a time of the primary replica's host: with clocks apart it would be answered again and
/// again, or never be heard.
fn as_at_home(at: ServerLocal, other: &HostFacts, home: &HostFacts) -> ServerLocal {
    let apart_s = home.clock_ahead_s - other.clock_ahead_s;
    let utc = at
        .civil_utc()
        .saturating_add(jiff::SignedDuration::from_secs(apart_s));
    let offset_s = i64::from(home.offset_minutes) * 60;
    ServerLocal {
        civil: utc.saturating_add(jiff::SignedDuration::from_secs(offset_s)),
        offset_minutes: Some(home.offset_minutes),
    }
}
