//! Application locks: `sp_getapplock` and `sp_releaseapplock`.
//!
//! Start at [`AppLocks`]. A lock is a name in a database; its owner is a session or a transaction.
//! This room only keeps who holds what; waiting is done by the caller, on [`AppLocks::changed`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::storage::TxId;

/// Who holds a lock: it is released with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockOwner {
    /// `@LockOwner = 'Session'`.
    Session(i16),
    /// `@LockOwner = 'Transaction'`.
    Transaction(TxId),
}

/// `@LockMode`, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// `IntentShared`.
    IntentShared,
    /// `Shared`.
    Shared,
    /// `IntentExclusive`.
    IntentExclusive,
    /// `Update`.
    Update,
    /// `Exclusive`.
    Exclusive,
}

impl LockMode {
    /// Reads the text of `@LockMode`, whatever its case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let modes = [
            ("IntentShared", Self::IntentShared),
            ("Shared", Self::Shared),
            ("IntentExclusive", Self::IntentExclusive),
            ("Update", Self::Update),
            ("Exclusive", Self::Exclusive),
        ];
        modes
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, mode)| mode)
    }

    /// SQL Server's table of lock compatibility.
    fn allows(self, other: Self) -> bool {
        use LockMode::{Exclusive, IntentExclusive, IntentShared, Shared, Update};
        match (self, other) {
            (Exclusive, _) | (_, Exclusive) | (Update, Update) => false,
            (IntentExclusive, other) | (other, IntentExclusive) => {
                matches!(other, IntentShared | IntentExclusive)
            }
            (IntentShared | Shared | Update, _) => true,
        }
    }
}

/// What a lock is called: the database that it was asked in, and its resource, which is
/// case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockName {
    /// `database_id`.
    pub database: i32,
    /// `@Resource`, at most 255 characters.
    pub resource: String,
}

#[derive(Debug)]
struct Holding {
    owner: LockOwner,
    spid: i16,
    mode: LockMode,
    count: u32,
}

/// All application locks of an instance.
#[derive(Debug, Default)]
pub struct AppLocks {
    held: Mutex<HashMap<LockName, Vec<Holding>>>,
    changed: Notify,
}

impl AppLocks {
    /// Takes the lock if nobody of another session holds it in a mode that forbids it.
    pub fn try_take(&self, name: &LockName, owner: LockOwner, spid: i16, mode: LockMode) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let holders = held.entry(name.clone()).or_default();
        if holders
            .iter()
            .any(|h| h.spid != spid && !h.mode.allows(mode))
        {
            return false;
        }
        match holders.iter_mut().find(|h| h.owner == owner) {
            Some(mine) => {
                mine.count += 1;
                mine.mode = mine.mode.max(mode);
            }
            None => holders.push(Holding {
                owner,
                spid,
                mode,
                count: 1,
            }),
        }
        true
    }

    /// Gives back one taking of the lock; false when `owner` does not hold it.
    pub fn release(&self, name: &LockName, owner: LockOwner) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(holders) = held.get_mut(name) else {
            return false;
        };
        let Some(mine) = holders.iter_mut().find(|h| h.owner == owner) else {
            return false;
        };
        mine.count -= 1;
        holders.retain(|h| h.count > 0);
        if holders.is_empty() {
            held.remove(name);
        }
        drop(held);
        self.changed.notify_waiters();
        true
    }

    /// Gives back all that `owner` holds: its session or transaction has ended.
    pub fn release_all(&self, owner: LockOwner) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, holders| {
            holders.retain(|h| h.owner != owner);
            !holders.is_empty()
        });
        drop(held);
        self.changed.notify_waiters();
    }

    /// The mode in which `owner` holds the lock, for `APPLOCK_MODE`.
    #[must_use]
    pub fn mode(&self, name: &LockName, owner: LockOwner) -> Option<LockMode> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(name)?
            .iter()
            .find(|h| h.owner == owner)
            .map(|h| h.mode)
    }

    /// Wakes whoever waits whenever a lock was given back.
    #[must_use]
    pub fn changed(&self) -> &Notify {
        &self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> LockName {
        LockName {
            database: 5,
            resource: "BTS_BackupJob_Lock".to_owned(),
        }
    }

    #[test]
    fn an_exclusive_lock_keeps_others_out_until_released() {
        let locks = AppLocks::default();
        let (one, two) = (LockOwner::Session(51), LockOwner::Session(52));
        assert!(locks.try_take(&name(), one, 51, LockMode::Exclusive));
        assert!(!locks.try_take(&name(), two, 52, LockMode::Shared));
        assert!(locks.release(&name(), one));
        assert!(locks.try_take(&name(), two, 52, LockMode::Shared));
        assert!(!locks.release(&name(), one));
    }

    #[test]
    fn a_lock_taken_twice_is_given_back_twice() {
        let locks = AppLocks::default();
        let one = LockOwner::Session(51);
        assert!(locks.try_take(&name(), one, 51, LockMode::Exclusive));
        assert!(locks.try_take(&name(), one, 51, LockMode::Exclusive));
        assert!(locks.release(&name(), one));
        assert!(!locks.try_take(&name(), LockOwner::Session(52), 52, LockMode::Exclusive));
        locks.release_all(one);
        assert!(locks.try_take(&name(), LockOwner::Session(52), 52, LockMode::Exclusive));
    }
}
