//! Who is connected: what one session lets the others see, and how it is killed.
//!
//! Start at [`Sessions`]. This room runs nothing; `session/` writes to its own [`SessionRecord`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::DateTime;
use tokio_util::sync::CancellationToken;

/// What one session lets the others see (`sys.dm_exec_sessions`, `_requests`, `_connections`).
#[derive(Debug)]
pub struct SessionRecord {
    /// `session_id`.
    pub id: i16,
    /// `login_time`, local.
    pub login_time: DateTime,
    /// `host_name`.
    pub host_name: String,
    /// `program_name`.
    pub program_name: String,
    /// `original_login_name`.
    pub login_name: String,
    /// `encrypt_option`: whether all that it says and hears is encrypted.
    pub encrypted: bool,
    /// `net_packet_size`.
    pub packet_bytes: usize,
    /// Fires when the session is killed.
    pub killed: CancellationToken,
    /// What it does now.
    pub now: Mutex<Activity>,
}

/// What a session does now.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The current database's number.
    pub database: i32,
    /// The running request; none when the session sleeps.
    pub request: Option<RunningRequest>,
    /// `open_transaction_count`.
    pub transactions: u32,
    /// Name of the open transaction, as its outermost `BEGIN TRAN` gave it.
    pub transaction_name: Option<String>,
}

/// A request that runs.
#[derive(Clone, Debug)]
pub struct RunningRequest {
    /// `command`: `SELECT`, `BACKUP LOG`, ...
    pub command: String,
    /// `start_time`, local.
    pub started: DateTime,
    /// `percent_complete`, of a backup or restore.
    pub percent: f64,
    /// Text of the batch.
    pub text: String,
}

impl SessionRecord {
    /// Changes what the others see.
    pub fn update(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the session does now.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.now
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// All sessions of an instance.
#[derive(Debug, Default)]
pub struct Sessions {
    all: Mutex<BTreeMap<i16, Arc<SessionRecord>>>,
}

/// The first number that a user's session gets; those below belong to the system.
const FIRST_USER_SESSION: i16 = 51;

impl Sessions {
    /// Registers a session under the lowest free number; none when all are taken.
    pub fn enter(&self, make: impl FnOnce(i16) -> SessionRecord) -> Option<Arc<SessionRecord>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (FIRST_USER_SESSION..i16::MAX).find(|id| !all.contains_key(id))?;
        let record = Arc::new(make(id));
        all.insert(id, Arc::clone(&record));
        Some(record)
    }

    /// Forgets a session that has ended.
    pub fn leave(&self, id: i16) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    /// A session by its number.
    #[must_use]
    pub fn get(&self, id: i16) -> Option<Arc<SessionRecord>> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// All sessions, by number.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<SessionRecord>> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Ends every session, as a shutdown does.
    pub fn kill_all(&self) {
        for session in self.list() {
            session.killed.cancel();
        }
    }
}
