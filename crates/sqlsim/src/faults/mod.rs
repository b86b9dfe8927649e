//! Faults on demand: what shall go wrong, where, and how often.
//!
//! Start at [`Faults::arm`]. Faults are data; each place in the simulator where one can strike asks
//! for its own kind. `sp_sim_fault` (`procedure.rs`) arms them in T-SQL, [`FaultSchedule`] makes
//! them of a seed. Nothing strikes unless it was armed.

mod dice;
mod disk;
mod procedure;
mod schedule;
mod strike;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::error::SqlError;
use crate::storage::Disk;

pub use dice::Dice;
pub use procedure::PROCEDURES;
pub use schedule::{FaultSchedule, PlannedFault, ScheduleScope};
pub(crate) use strike::Suffered;
pub use strike::WireFaults;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A statement fails with the fault's number and text before it does anything.
    Fail,
    /// The device of a backup has no room left (3202, operating system error 112).
    DiskFull,
    /// A byte of a backup that was just written is changed, at the fault's offset.
    Damage,
    /// A backup or restore stops at the fault's offset and goes on when the faults are cleared.
    StallBackup,
    /// MSDTC does not run (8501).
    DtcOff,
    /// The coordinator waits between prepare and decision until the faults are cleared.
    StallCommit,
    /// The connection is cut; each event that a session sends is an occasion. So is each statement:
    /// there the session is killed, and says 596 before it goes.
    Cut,
    /// A new connection is cut before its first byte.
    Refuse,
    /// A connection (`CONNECT`), an event or a statement waits as long as the fault says.
    Delay,
    /// As [`FaultKind::Cut`], but nobody is told: the connection stays open and says nothing more
    /// until the faults are cleared.
    Drop,
    /// The process dies at a point of the commit over several hosts.
    Kill(KillPoint),
    /// A second WITH MARK in one transaction ends it, instead of being ignored (3920).
    SecondMarkEndsTransaction,
    /// A backup is taken, and its row in msdb cannot be written (3009).
    LoseHistory,
    /// A secondary replica takes no log of its primary one, and stays where it is.
    HoldLog,
    /// A secondary replica took a log backup, and cannot tell whether its primary one knows of it (35297).
    LosePoint(Lost),
    /// Somebody else does something before a statement runs.
    Act(Act),
}

/// What is lost on the way between a secondary replica and its primary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The word: the primary replica does not know of the log backup, and the next one begins where it began.
    Word,
    /// The answer: it knows.
    Answer,
}

/// Where the process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// The coordinator, when all are prepared.
    BeforeDecision,
    /// The coordinator, when the decision is durable and nobody has been told.
    AfterDecision,
    /// A participant, when it is prepared and its coordinator has not heard so.
    AfterPrepare,
}

/// What somebody else may do to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The host dies.
    Kill,
    /// Its clock jumps by the fault's milliseconds.
    SkewClock,
    /// Another tool takes a log backup of the fault's database.
    ForeignLogBackup,
    /// Another tool takes a full of the fault's database, which is now the base of differentials.
    ForeignFull,
    /// The recovery model of the fault's database becomes that of its text.
    SwitchRecoveryModel,
    /// The fault's database gets a minimally logged change.
    BulkChange,
}

/// One fault, armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The statement that it strikes, such as `BACKUP LOG`; any if none.
    pub statement: Option<String>,
    /// The database that it strikes; any if none. For an [`Act`], the database that it is done to.
    pub database: Option<String>,
    /// How many occasions pass by before it strikes.
    pub skip: u32,
    /// How often it strikes; 0 until it is cleared.
    pub times: u32,
    /// The error that it raises, where the kind leaves it open.
    pub error: Option<SqlError>,
    /// The byte that [`FaultKind::Damage`] changes, or at which [`FaultKind::StallBackup`] waits.
    pub offset_bytes: u64,
    /// How long [`FaultKind::Delay`] waits, how far [`Act::SkewClock`] jumps.
    pub milliseconds: i64,
    /// What an [`Act`] needs to know: a recovery model, or the path of a foreign backup.
    pub text: Option<String>,
}

impl Fault {
    /// A fault that strikes once, at the first occasion, anywhere.
    #[must_use]
    pub const fn once(kind: FaultKind) -> Self {
        Self {
            kind,
            statement: None,
            database: None,
            skip: 0,
            times: 1,
            error: None,
            offset_bytes: 0,
            milliseconds: 0,
            text: None,
        }
    }

    fn fits(&self, kind: FaultKind, statement: &str, database: &str) -> bool {
        let is = |wanted: &Option<String>, given: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.to_lowercase() == given.to_lowercase())
        };
        // An act is done to its database whatever the database of the statement.
        let is_there = matches!(kind, FaultKind::Act(_)) || is(&self.database, database);
        self.kind == kind && is(&self.statement, statement) && is_there
    }
}

/// The faults of one instance.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Fault>>,
    halted: Arc<AtomicBool>,
    killed: CancellationToken,
    cleared: Mutex<CancellationToken>,
}

impl Faults {
    /// Arms a fault, beside those that are armed.
    pub fn arm(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Disarms all, and lets go on what a fault made wait.
    pub fn clear(&self) {
        self.lock().clear();
        let mut cleared = self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cleared).cancel();
    }

    /// Fires when the faults are cleared the next time.
    #[must_use]
    pub fn cleared(&self) -> CancellationToken {
        let cleared = self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        cleared.clone()
    }

    /// Whether a fault strikes here and now; counts the occasion.
    pub fn strike(&self, kind: FaultKind, statement: &str, database: &str) -> Option<Fault> {
        let mut armed = self.lock();
        let fits = |fault: &Fault| fault.fits(kind, statement, database);
        let mut striking = None;
        for fault in armed.iter_mut().filter(|fault| fits(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if striking.is_none() {
                striking = Some(fault.clone());
                fault.times = match fault.times {
                    0 => 0,
                    1 => u32::MAX,
                    times => times - 1,
                };
            }
        }
        armed.retain(|fault| fault.times != u32::MAX);
        striking
    }

    /// The error with which a statement fails before it does anything, if it does.
    pub fn statement_failure(&self, statement: &str, database: &str) -> Option<SqlError> {
        self.strike(FaultKind::Fail, statement, database)?.error
    }

    /// Whether MSDTC is off.
    #[must_use]
    pub fn dtc_is_off(&self) -> bool {
        self.strike(FaultKind::DtcOff, "", "").is_some()
    }

    /// Whether a second WITH MARK ends its transaction.
    #[must_use]
    pub fn second_mark_ends_transaction(&self) -> bool {
        self.strike(FaultKind::SecondMarkEndsTransaction, "", "")
            .is_some()
    }

    /// Whether the instance was killed.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.is_cancelled()
    }

    /// Fires when the instance is killed, by a fault or from outside.
    #[must_use]
    pub fn killed(&self) -> CancellationToken {
        self.killed.clone()
    }

    /// A disk to which nothing can be written any more once the instance is killed, so that what
    /// still runs of it cannot touch files that its successor has opened.
    #[must_use]
    pub fn mortal(&self, disk: Arc<dyn Disk>) -> Arc<dyn Disk> {
        disk::mortal(disk, &self.halted)
    }

    /// Whether nothing is armed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
        self.killed.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_after_its_skips_and_as_often_as_it_says() {
        let faults = Faults::default();
        faults.arm(Fault {
            skip: 1,
            times: 2,
            ..Fault::once(FaultKind::DiskFull)
        });
        let struck: Vec<_> = (0..5)
            .map(|_| faults.strike(FaultKind::DiskFull, "", "").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_without_a_count_strikes_until_it_is_cleared() {
        let faults = Faults::default();
        faults.arm(Fault {
            times: 0,
            ..Fault::once(FaultKind::DtcOff)
        });
        assert!(faults.dtc_is_off() && faults.dtc_is_off());
        faults.clear();
        assert!(!faults.dtc_is_off());
    }

    #[test]
    fn a_fault_strikes_its_own_statement_and_database_only() {
        let faults = Faults::default();
        let fault = Fault {
            statement: Some("BACKUP LOG".to_owned()),
            database: Some("Pay".to_owned()),
            error: Some(SqlError::new(3271, 16, "x")),
            ..Fault::once(FaultKind::Fail)
        };
        faults.arm(fault);
        assert_eq!(faults.statement_failure("BACKUP DATABASE", "pay"), None);
        assert_eq!(faults.statement_failure("BACKUP LOG", "other"), None);
        assert!(faults.statement_failure("BACKUP LOG", "pay").is_some());
    }
}
