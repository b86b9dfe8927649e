//! How long a member's backups wait for a seeding, or its logs for a secondary replica, and what ends the wait.
//!
//! Start at [`Pauses::of`]. Two limits end every wait: how full the log is, for a log that fills its disk stops
//! production, and how old the newest log is that we hold, for what came after it is lost with the disk. Neither needs a
//! memory of the wait itself. What is then done says the caller; nothing here looks at a clock.

use std::time::Duration;

use super::asked::CatalogView;
use crate::config::PolicyConfig;
use crate::model::{MemberName, PieceKind, RunId, SetKind, Timestamp};
use crate::survey::Survey;

/// What waits are judged by.
#[derive(Clone, Copy)]
pub(super) struct Pauses<'a> {
    policy: &'a PolicyConfig,
    have: &'a CatalogView,
    /// What this run took itself ends no wait: its rounds must not differ in that.
    run: RunId,
    now: Timestamp,
}

/// How a wait stands that there is a reason for.
pub(super) enum Wait {
    /// It goes on.
    On(Limits),
    /// It has lasted too long, for this reason.
    Over(String),
    /// The configuration wants nothing to wait.
    Unwanted,
}

/// What ends a wait that goes on.
pub(super) struct Limits {
    /// The log's limit, and how full it is now, in per cent; none where nobody knows.
    log_used: Option<(u8, u8)>,
    /// When the newest log that we hold was taken, how long ago that is, and when that will be too long; none where
    /// nothing is held.
    newest: Option<(Timestamp, String, Timestamp)>,
}

impl<'a> Pauses<'a> {
    /// Of one round.
    pub(super) const fn new(
        policy: &'a PolicyConfig,
        survey: &Survey,
        have: &'a CatalogView,
        run: RunId,
    ) -> Self {
        Self {
            policy,
            have,
            run,
            now: survey.taken_at,
        }
    }

    /// How the wait of a member stands whose log is so full, in per cent.
    pub(super) fn of(&self, member: &MemberName, log_used_percent: Option<u8>) -> Wait {
        let most = self.policy.log_used_max;
        if most == 0 {
            return Wait::Unwanted;
        }
        let log_used = log_used_percent.map(|used| (most, used));
        if let Some((_, used)) = log_used.filter(|(most, used)| used >= most) {
            return Wait::Over(format!("its log is {used} % full"));
        }
        let newest = self.newest(member).map(|at| {
            let ago = ago(at, self.now);
            (at, ago, at.plus(self.policy.pause_max))
        });
        match newest {
            Some((at, ago, end)) if end <= self.now => Wait::Over(format!(
                "the newest log of it that we hold is from {at}, {ago} ago"
            )),
            newest => Wait::On(Limits { log_used, newest }),
        }
    }

    /// When the newest log of a member was taken that earlier runs published, or, where they published none, its newest
    /// backup.
    fn newest(&self, member: &MemberName) -> Option<Timestamp> {
        let sets = self.have.sets.iter().filter(|set| set.run != self.run);
        // What is brought in may have been taken at any time before.
        let sets = sets.filter(|set| set.kind != SetKind::Adopted);
        let own = sets.flat_map(|set| set.pieces.iter().map(move |piece| (set.made_at, piece)));
        let own = own.filter(|(_, piece)| piece.member == *member);
        let newest = own.map(|(at, piece)| (piece.kind == PieceKind::Log, at));
        newest.max().map(|(_, at)| at)
    }
}

impl Limits {
    /// Everything that ends the wait, with `reason` before it, and how long it has lasted.
    pub(super) fn until(&self, reason: &str) -> String {
        let mut ends = vec![reason.to_owned()];
        if let Some((most, used)) = self.log_used {
            ends.push(format!("its log is {most} % full (now {used} %)"));
        }
        if let Some((_, _, end)) = &self.newest {
            ends.push(format!("it is {end}"));
        }
        let last = ends.pop().unwrap_or_default();
        let words = match ends.as_slice() {
            [] => last,
            some => format!("{}, or {last}", some.join(", ")),
        };
        match &self.newest {
            None => words,
            Some((at, ago, _)) => {
                format!("{words}; the newest log of it that we hold is from {at}, {ago} ago")
            }
        }
    }
}

/// The time between, for people.
fn ago(from: Timestamp, now: Timestamp) -> String {
    let millis = u64::try_from(now.millis() - from.millis()).unwrap_or_default();
    let minutes = Duration::from_millis(millis).as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
