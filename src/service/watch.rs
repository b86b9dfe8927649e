//! Broken chains between runs: which are new, for which a run of logs begins early, and which are sound again. Pure,
//! but for the file in which a service leaves what it knows, for its next start and for `stopmark status`.
//!
//! Start at [`Watch::take_in`] and [`Watch::early`]. One break makes one run begin early, and no second one before a look
//! has found the chain sound: what a run did not mend is for the runs of the schedule, and for people.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::due::{Past, Why};
use super::kept::{self, Formatted};
use crate::chain::Break;
use crate::config::Job;
use crate::error::Code;
use crate::model::{MemberName, Severity, Timestamp};
use crate::plan::{ChainsSeen, Remedy};

/// The newest format of the file.
const FORMAT: u16 = 1;

/// A look that is older than this says nothing of now.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// For one member no run begins early sooner than this after the last one that did: whoever breaks a chain again and
/// again must not make the group's schedule.
const REST: Duration = Duration::from_secs(60 * 60);

/// A broken chain, as long as it is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenSeen {
    /// Whose.
    pub member: MemberName,
    /// When a look first found it so.
    pub since: Timestamp,
    /// Why.
    pub reason: Break,
    /// What mends it.
    pub remedy: Remedy,
    /// What was done about it.
    pub mending: Mending,
}

/// What was done about a break that a run can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mending {
    /// Nothing yet.
    Waits,
    /// A run of logs began.
    Begun {
        /// When.
        at: Timestamp,
    },
    /// That run is over, and the chain is still broken.
    InVain {
        /// When it had begun.
        at: Timestamp,
    },
}

/// What is known of broken chains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    broken: BTreeMap<MemberName, BrokenSeen>,
    /// When a run last began early for a member.
    early: BTreeMap<MemberName, Timestamp>,
    /// A look of this service has confirmed it: what one before it left may be mended long since.
    is_fresh: bool,
}

/// What a look changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members that have a break that they did not have before.
    pub broken: BTreeSet<MemberName>,
    /// Members whose chain is sound again.
    pub mended: BTreeSet<MemberName>,
}

/// What is known, as it is left in the state folder.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u16,
    at: Timestamp,
    broken: Vec<BrokenSeen>,
}

impl Formatted for Kept {
    const NEWEST: u16 = FORMAT;

    fn format(&self) -> u16 {
        self.format
    }
}

impl Watch {
    /// Takes in a look. A member of which nobody says anything stays as it was.
    pub fn take_in(&mut self, seen: &ChainsSeen, now: Timestamp) -> Changes {
        self.is_fresh = true;
        let known = self.broken.keys();
        let mended = known.filter(|member| seen.sound.contains(*member));
        let mut changes = Changes {
            broken: BTreeSet::new(),
            mended: mended.cloned().collect(),
        };
        let stays =
            |member: &MemberName| seen.members.contains(member) && !changes.mended.contains(member);
        self.broken.retain(|member, _| stays(member));
        for found in &seen.broken {
            let found = BrokenSeen {
                member: found.member.clone(),
                since: now,
                reason: found.reason.clone(),
                remedy: found.remedy.clone(),
                mending: Mending::Waits,
            };
            let known = self.broken.get(&found.member);
            let is_known = known.is_some_and(|known| is_same(&known.reason, &found.reason));
            let found = if let Some(known) = known.filter(|_| is_known) {
                found.following(known)
            } else {
                changes.broken.insert(found.member.clone());
                found
            };
            self.broken.insert(found.member.clone(), found);
        }
        changes
    }

    /// A run of logs begins: it is the one that mends what waits.
    pub fn begun(&mut self, at: Timestamp) {
        for broken in self.broken.values_mut().filter(|it| it.waits_for_a_run()) {
            broken.mending = Mending::Begun { at };
            self.early.insert(broken.member.clone(), at);
        }
    }

    /// When and why a run of logs begins whatever its schedule says; none where none would help, or one did not.
    #[must_use]
    pub fn early(&self) -> Option<(Timestamp, Why)> {
        let at = |broken: &BrokenSeen| {
            let last = self.early.get(&broken.member);
            last.map_or(broken.since, |last| broken.since.max(last.plus(REST)))
        };
        let known = self.broken.values().filter(|_| self.is_fresh);
        let waiting = known.filter(|it| it.waits_for_a_run());
        let mut waiting: Vec<_> = waiting.map(|broken| (at(broken), broken)).collect();
        waiting.sort_by_key(|(at, _)| *at);
        let (at, first) = waiting.first()?;
        let why = Why::Broken {
            members: waiting.iter().map(|(_, it)| it.member.clone()).collect(),
            reason: Some(first.reason.to_string()),
        };
        Some((*at, why))
    }

    /// Makes the log job due early, where the schedule has one.
    pub fn add_to(&self, pasts: &mut BTreeMap<Job, Past>) {
        if let Some(past) = pasts.get_mut(&Job::Log) {
            let due = past.triggered.take().into_iter().chain(self.early());
            past.triggered = due.min_by_key(|(at, _)| *at);
        }
    }

    /// The broken chains, by their members' names.
    pub fn broken(&self) -> impl Iterator<Item = &BrokenSeen> {
        self.broken.values()
    }

    /// What a service before this one knew; when a run last began early it does not say.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        let kept = kept::read::<Kept>(&place(state));
        let kept = kept.into_iter().flat_map(|kept| kept.broken);
        Self {
            broken: kept.map(|it| (it.member.clone(), it)).collect(),
            early: BTreeMap::new(),
            is_fresh: false,
        }
    }

    /// Leaves what is known in the state folder, whole or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(&self, state: &Path, at: Timestamp) -> std::io::Result<()> {
        let kept = Kept {
            format: FORMAT,
            at,
            broken: self.broken.values().cloned().collect(),
        };
        kept::write(&place(state), &kept)
    }
}

impl BrokenSeen {
    /// The same break, seen again.
    fn following(self, known: &Self) -> Self {
        let could_wait = matches!(known.remedy, Remedy::Run { .. });
        let mending = match known.mending {
            // Whoever comes out of quarantine is to be mended now.
            _ if !could_wait => Mending::Waits,
            // No look is taken while a run is at work: that one is over.
            Mending::Begun { at } => Mending::InVain { at },
            other => other,
        };
        Self {
            since: known.since,
            mending,
            ..self
        }
    }

    fn waits_for_a_run(&self) -> bool {
        matches!(self.remedy, Remedy::Run { .. }) && self.mending == Mending::Waits
    }

    /// How grave it is: what a run mends is a warning. `has_logs` says whether the schedule has runs of logs.
    #[must_use]
    pub fn severity(&self, has_logs: bool) -> Severity {
        let is_in_vain = matches!(self.mending, Mending::InVain { .. });
        match self.remedy {
            Remedy::Run { .. } if has_logs && !is_in_vain => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What comes next, for people.
    #[must_use]
    pub fn next(&self, has_logs: bool) -> String {
        match (&self.remedy, self.mending) {
            (Remedy::Person { hint }, _) => hint.clone(),
            (Remedy::Quarantined { until }, _) => format!(
                "it is in quarantine until {until}: find out who breaks it, then `stopmark group release {}`",
                self.member
            ),
            (Remedy::Run { how }, _) if !has_logs => {
                format!("no logs are scheduled: `stopmark backup log` {how}")
            }
            (Remedy::Run { how }, Mending::Waits) => format!("the next log run {how}"),
            (Remedy::Run { how }, Mending::Begun { at }) => {
                format!("the log run that began {at} {how}")
            }
            (Remedy::Run { how }, Mending::InVain { at }) => format!(
                "the log run that began {at} did not mend it: see what became of that one; the next by schedule {how}"
            ),
        }
    }

    /// What is wrong, in a line.
    #[must_use]
    pub fn line(&self, has_logs: bool) -> String {
        let (member, since, reason) = (&self.member, self.since, &self.reason);
        let (next, code) = (self.next(has_logs), Code::ChainBroken);
        format!("{member}: its chain is broken since {since}: {reason}; {next} [{code}]")
    }
}

/// Whether two breaks of one member are one: what differs while nothing new has happened does not count.
fn is_same(one: &Break, other: &Break) -> bool {
    match (one, other) {
        (Break::ForeignLog { first: one, .. }, Break::ForeignLog { first: other, .. })
        | (Break::LogLost { reached: one, .. }, Break::LogLost { reached: other, .. }) => {
            one == other
        }
        // Whoever meets it tries again and again.
        (Break::Reported { number: one, .. }, Break::Reported { number: other, .. }) => {
            one == other
        }
        (Break::Forked { now: one, .. }, Break::Forked { now: other, .. }) => one == other,
        (Break::Damaged { piece: one, .. }, Break::Damaged { piece: other, .. }) => one == other,
        _ => discriminant(one) == discriminant(other),
    }
}

/// What a service saw lately; none where no service looks, or a run began since: that one knows better.
#[must_use]
pub fn kept(state: &Path, newest_run: Option<Timestamp>, now: Timestamp) -> Vec<BrokenSeen> {
    let kept = kept::read::<Kept>(&place(state));
    let is_of_now = |kept: &Kept| {
        let is_newest = newest_run.is_none_or(|run| run <= kept.at);
        is_newest && now < kept.at.plus(FRESH)
    };
    kept.filter(is_of_now)
        .map(|kept| kept.broken)
        .unwrap_or_default()
}

fn place(state: &Path) -> PathBuf {
    state.join("chains.json")
}

#[cfg(test)]
mod tests;
