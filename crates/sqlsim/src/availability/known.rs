//! What a host knows at this moment of the other replicas: who asked for log, who gave it, and how far both were.
//!
//! Start at [`Known`]. All of it is forgotten when the host stops, and found out again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mtf::Lsn;

/// How long a replica counts as connected after it was last heard: SQL Server's `SESSION_TIMEOUT`.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of replicas elsewhere.
#[derive(Debug, Default)]
pub struct Known {
    inside: Mutex<Inside>,
    /// Held by whoever changes what this host has written down of a group.
    changing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Inside {
    is_kept: bool,
    /// By database and replica, on the primary.
    takers: BTreeMap<(String, String), Heard>,
    /// By database, on a secondary.
    givers: BTreeMap<String, Heard>,
    /// Databases that hold all log since the archive point.
    archived: BTreeSet<String>,
}

/// A replica that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The LSN after the log that the secondary replica has.
    pub(super) end_lsn: Lsn,
    /// It has all that there was.
    pub(super) is_at_end: bool,
    /// When, on the host's monotonic clock.
    pub(super) at: Duration,
}

impl Heard {
    /// Whether that is no longer ago than a session lasts.
    pub(super) fn is_recent(self, now: Duration) -> bool {
        now.saturating_sub(self.at) < SESSION_TIMEOUT
    }
}

impl Known {
    /// Whether nobody keeps this host in step yet; from now on somebody does.
    pub(super) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_kept, true)
    }

    /// A secondary replica asked for log.
    pub(super) fn note_taker(&self, database: &str, replica: &str, heard: Heard) {
        self.lock()
            .takers
            .insert((database.to_lowercase(), replica.to_lowercase()), heard);
    }

    /// The last time that a replica asked for this database's log.
    pub(super) fn taker(&self, database: &str, replica: &str) -> Option<Heard> {
        let key = (database.to_lowercase(), replica.to_lowercase());
        self.lock().takers.get(&key).copied()
    }

    /// The primary replica answered.
    pub(super) fn note_giver(&self, database: &str, heard: Heard) {
        let mut inside = self.lock();
        inside.archived.insert(database.to_lowercase());
        inside.givers.insert(database.to_lowercase(), heard);
    }

    /// The primary replica does not answer, or not for this database.
    pub(super) fn lose_giver(&self, database: &str) {
        self.lock().givers.remove(&database.to_lowercase());
    }

    /// The last time that the primary replica answered for this database.
    pub(super) fn giver(&self, database: &str) -> Option<Heard> {
        self.lock().givers.get(&database.to_lowercase()).copied()
    }

    /// Whether the log since the archive point was fetched once.
    pub(super) fn holds_archived(&self, database: &str) -> bool {
        self.lock().archived.contains(&database.to_lowercase())
    }

    /// Another role: what was known is of no use any more.
    pub(super) fn forget(&self, database: &str) {
        let mut inside = self.lock();
        let name = database.to_lowercase();
        inside.takers.retain(|(known, _), _| *known != name);
        inside.givers.remove(&name);
        inside.archived.remove(&name);
    }

    /// Returns when nobody else changes a group of this host, and keeps others from it.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
